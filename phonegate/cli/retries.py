"""How long a command waits, and goes on trying while a gateway or a proxy can't answer. Pure."""

from collections.abc import Iterator
from typing import Final

import attrs

TRANSIENT: Final = frozenset({408, 425, 429})
"""Statuses below 500 after which a later try may succeed. All from 500 on are such."""

LONGEST_PAUSE_S: Final = 10.0
"""Most seconds between two tries of a command that never gives up, which then notices soon enough
that a gateway is back."""

RETRIES_S: Final = 15.0
"""Seconds of all pauses of a command that gives up: longer than a restart takes."""

LONGEST_HEEDED_S: Final = 300.0
"""The longest Retry-After that a command which never gives up obeys."""

_FIRST_SERVER_FAULT: Final = 500


@attrs.frozen(kw_only=True)
class Pauses:
    """The pauses of commands. Tests pass shorter ones."""

    sent_s: float = 0.5
    """Between two reads of a message that was sent. A phone takes a second or more to send one."""
    received_s: float = 1.0
    """Between two reads of new messages, of a gateway that has no events."""
    first_retry_s: float = 0.5
    """Before the first new try. Each later pause is twice as long."""


PAUSES: Final = Pauses()
"""Those of every command."""


def is_transient(status: int) -> bool:
    """Tells whether the same request may get another HTTP status later."""
    return status >= _FIRST_SERVER_FAULT or status in TRANSIENT


def retry_after(value: str | None) -> float:
    """Returns the seconds of a Retry-After, or 0 if it has none or is a date."""
    value = (value or "").strip()
    return float(value) if value.isascii() and value.isdigit() and len(value) <= 9 else 0.0  # noqa: PLR2004 - 30 years


def growing(first_s: float) -> Iterator[float]:
    """Yields growing pauses without end."""
    pause = first_s
    while True:
        yield pause
        pause = min(pause * 2, LONGEST_PAUSE_S)


class Retries:
    """Decides how long to wait before the next try, or to give up.

    Args:
        limit_s: The seconds of all pauses together. None means to never give up.
        pauses: Where it begins.
    """

    def __init__(self, limit_s: float | None = RETRIES_S, *, pauses: Pauses = PAUSES) -> None:
        self._left_s = limit_s
        self._pauses = growing(pauses.first_retry_s)

    def pause(self, wanted_s: float = 0.0) -> float | None:
        """Returns the next pause, no shorter than a server wants it, or None to give up."""
        pause = max(next(self._pauses), wanted_s)
        if self._left_s is None:
            return min(pause, LONGEST_HEEDED_S)
        if pause > self._left_s:
            return None
        self._left_s -= pause
        return pause

"""How long a command goes on trying while a gateway, or a proxy before it, can't answer. Pure."""

from collections.abc import Iterator
from typing import Final

TRANSIENT: Final = frozenset({408, 425, 429})
"""Statuses below 500 that mean: later. All from 500 on do."""

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
"""Between two tries of one who does not give up: a gateway that is back is noticed soon enough."""

PATIENCE_S: Final = 15.0
"""Pauses of one who gives up, taken together: longer than a restart takes."""

LONGEST_HEEDED_S: Final = 300.0
"""A Retry-After is obeyed up to here by one who does not give up."""

_FIRST_SERVER_FAULT: Final = 500


def is_transient(status: int) -> bool:
    """Tells whether the same request may get another HTTP status later."""
    return status >= _FIRST_SERVER_FAULT or status in TRANSIENT


def retry_after(value: str | None) -> float:
    """The seconds of a Retry-After. 0 where there are none, and for its other form, a date."""
    value = (value or "").strip()
    return float(value) if value.isascii() and value.isdigit() and len(value) <= 9 else 0.0  # noqa: PLR2004 - 30 years


def pauses() -> Iterator[float]:
    """Growing pauses without end."""
    pause = FIRST_PAUSE_S
    while True:
        yield pause
        pause = min(pause * 2, LONGEST_PAUSE_S)


class Patience:
    """Says how long to wait before the next try, or that it is enough.

    Args:
        limit_s: All pauses together. None never gives up.
    """

    def __init__(self, limit_s: float | None = PATIENCE_S) -> None:
        self._left_s = limit_s
        self._pauses = pauses()

    def pause(self, wanted_s: float = 0.0) -> float | None:
        """The next pause in seconds, no shorter than a server wants it, or None to give up."""
        pause = max(next(self._pauses), wanted_s)
        if self._left_s is None:
            return min(pause, LONGEST_HEEDED_S)
        if pause > self._left_s:
            return None
        self._left_s -= pause
        return pause

"""How long the client waits before it asks again, and when it gives up. Pure."""

from collections.abc import Callable, Iterator
from typing import Final

import attrs

ANSWER_S: Final = 65.0
"""A little more than the gateway's `request_timeout_s`, whose answer says more than a timeout."""

LONGEST_HEEDED_S: Final = 300.0
"""The longest wait that a gateway can impose on a client which never gives up."""

_FIRST_SERVER_FAULT: Final = 500
_TRANSIENT: Final = frozenset({408, 425, 429})
_MOST_DIGITS: Final = 9
"""Of a Retry-After: 30 years."""


@attrs.frozen(kw_only=True)
class Retries:
    """How a client tries again what is safe to repeat.

    That is what only reads, what goes under an idempotency key, and what certainly did not arrive.
    Pauses double, and are shortened by chance, so that many clients don't come back at once.
    """

    pauses_s: float | None = 15.0
    """Seconds of all pauses of a call together: longer than a restart of the gateway takes. None
    never gives up, and 0 never tries again."""
    first_s: float = 0.5
    """Most seconds of the first pause."""
    longest_s: float = 10.0
    """Most seconds of a pause, unless the gateway asks for a longer one."""


RETRIES: Final = Retries()

NO_RETRIES: Final = Retries(pauses_s=0)

ENDLESS: Final = Retries(pauses_s=None)


class Patience:
    """What is left of the retries of one call.

    Args:
        retries: How it tries again.
        dice: Gives a number from 0 to 1.
    """

    def __init__(self, retries: Retries, dice: Callable[[], float]) -> None:
        self._left_s = retries.pauses_s
        self._growing = _growing(retries)
        self._dice = dice

    def pause(self, wanted_s: float = 0.0) -> float | None:
        """Returns the next pause, no shorter than a gateway wants it, or None to give up."""
        grown = next(self._growing)
        pause = max(grown * (1 + self._dice()) / 2, wanted_s)
        if self._left_s is None:
            return min(pause, LONGEST_HEEDED_S)
        if pause > self._left_s:
            return None
        self._left_s -= pause
        return pause


def unending(retries: Retries) -> Retries:
    """Returns retries that begin likewise and never give up."""
    return attrs.evolve(retries, pauses_s=None)


def is_transient(status: int) -> bool:
    """Tells whether the same request may get another HTTP status later."""
    return status >= _FIRST_SERVER_FAULT or status in _TRANSIENT


def retry_after(value: str | None) -> float:
    """Returns the seconds of a Retry-After, or 0 if it has none or is a date."""
    value = (value or "").strip()
    known = value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS
    return float(value) if known else 0.0


def _growing(retries: Retries) -> Iterator[float]:
    pause = min(retries.first_s, retries.longest_s)
    while True:
        yield pause
        pause = min(pause * 2, retries.longest_s)

"""Times and sizes as people say them. Pure."""

from collections.abc import Iterator
from typing import Final

_STEP: Final = 1_000
"""Of the units of bytes."""

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def duration(seconds: int) -> str:
    """Returns seconds as the two largest of days, hours, minutes and seconds."""
    return " ".join(list(_parts(seconds))[:2]) or "0 s"


def _parts(seconds: int) -> Iterator[str]:
    for unit, length in _UNITS:
        count, seconds = divmod(seconds, length)
        if count:
            yield f"{count} {unit}"


def size(count: int) -> str:
    """Returns a number of bytes with three digits and a unit of thousands."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        # What would be rounded up to a thousand is one of the next unit.
        if float(f"{value:.3g}") < _STEP:
            return f"{value:.3g} {unit}"
        value /= _STEP
    return f"{value:.3g} TB"

"""Reads the time of `--send-at`, by the clock and the time zone of this machine."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = re.compile("[0-9]{1,15}")
_DAY: Final = re.compile(r"\d{4}-?\d\d-?\d\d|\d{4}-?W\d\d(-?\d)?", re.ASCII)


def read(text: str) -> int | str:
    """Returns a time as the API takes it. A time without an offset is by this machine's clock.

    Raises:
        ValueError: It is not a time. The text is for a person.
    """
    text = text.strip()
    if _EPOCH.fullmatch(text):
        return int(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time such as {_examples()}.") from None
    if _DAY.fullmatch(text):
        raise ValueError(f"{text!r} is a whole day. Name a time such as {_examples()}.")
    if found.tzinfo is None:
        found = _local(found, text)
    return found.isoformat().replace("+00:00", "Z")


def example() -> str:
    """Returns an example: tomorrow morning by this machine's clock."""
    return f"{_tomorrow():%Y-%m-%dT%H:%M}"


def _examples() -> str:
    there = _tomorrow().astimezone()
    universal = f"{there.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return f"{example()} (by this machine's clock), {there.isoformat()} or {universal}"


def _tomorrow() -> datetime:
    day = datetime.now().astimezone().replace(tzinfo=None) + timedelta(days=1)
    return day.replace(hour=9, minute=30, second=0, microsecond=0)


def _local(wall: datetime, text: str) -> datetime:
    try:
        found, other = wall.astimezone(), wall.replace(fold=1).astimezone()
    except (OverflowError, OSError, ValueError):
        raise ValueError(f"{text!r} is too far from today.") from None
    if found.utcoffset() == other.utcoffset():
        return found
    # The clocks are changed then, so that the hour comes twice, or never.
    there = found.replace(tzinfo=None) == wall
    why = "comes twice" if there else "is left out"
    raise ValueError(
        f"{text!r} {why} by this machine's clock, which is turned then. "
        "Add the offset that you mean, such as +02:00."
    )

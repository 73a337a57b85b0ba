"""What an API key may do: to whom it sends, how much and when, and whose messages it reads. Pure.

Times are in ms.

The owner of an org sets limits for a key, mostly one that a program holds which decides by
itself. Each function says what one kind of limit makes of a send.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from phonegate.model.numbers import is_recipient
from phonegate.model.orgs import KeyLimits, QuietHours
from phonegate.model.times import iso_seconds
from phonegate.store import address_patterns

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
DAY_MINUTES: Final = 24 * 60

STEP_MS: Final = MINUTE_MS
"""What a key sends is counted by steps of this length, each at its end: a window is longer than
it says by one of them at most, never shorter. A day's count is 1440 rows, whose sum costs every
send of the key 0.13 ms of the one writer's time."""

MAX_RECIPIENTS: Final = 200
"""Entries of a list: all are looked at for every message."""

MAX_PER_HOUR: Final = 100_000
MAX_PER_DAY: Final = 1_000_000
"""More than a gateway's phones can send: whoever wants more wants no limit."""

_SCAN_MINUTES: Final = 3 * DAY_MINUTES
"""How far a change of quiet hours is looked for: no clock change skips two days."""

PATTERN_PROBLEM: Final = (
    "must be a number such as +15553334444, a short code, or the beginning of numbers and a *, "
    "such as +1555*; without a + it begins with three digits at least"
)
ZONE_PROBLEM: Final = "must be the name of a time zone, such as Europe/Berlin"

_PREFIX: Final = re.compile(r"\+[0-9]{1,15}\*|[0-9]{3,15}\*")
"""Without a +, what a pattern fits is dialled as a short code or a local number: of these it must
name more than a first digit, which a tenth of all have."""

Window = Literal["per_hour", "per_day"]

WINDOWS: Final[tuple[tuple[Window, int], ...]] = (("per_hour", HOUR_MS), ("per_day", DAY_MS))


@attrs.frozen(kw_only=True)
class Full:
    """A send that a limit of a key's messages leaves no room for."""

    window: Window
    allowed: int
    ends_at: int | None
    """When there will be room; None where there never is: it is too many for one call."""


def effective(limits: KeyLimits | None) -> KeyLimits | None:
    """The same limits; None where they limit nothing."""
    return None if limits == KeyLimits() else limits


def problems_of(limits: KeyLimits) -> Iterator[tuple[str, str]]:
    """What is wrong with limits about to be set: each field, and its problem."""
    for name, listed in (("to", limits.to), ("from", limits.sees)):
        if len(listed) > MAX_RECIPIENTS:
            yield name, f"holds {len(listed)}, at most {MAX_RECIPIENTS} are allowed"
        for i, pattern in enumerate(listed):
            if not is_pattern(pattern):
                yield f"{name}[{i}]", PATTERN_PROBLEM
    for window, most in (("per_hour", MAX_PER_HOUR), ("per_day", MAX_PER_DAY)):
        allowed = getattr(limits, window)
        if allowed is not None and not 1 <= allowed <= most:
            yield window, f"must be 1 to {most}"
    if limits.quiet is None:
        return
    if limits.quiet.begin == limits.quiet.end:
        yield "quiet_hours.end", "must not be the same time as begin"
    if not is_zone(limits.quiet.zone):
        yield "quiet_hours.zone", ZONE_PROBLEM


# -- recipients


def is_pattern(text: str) -> bool:
    """Whether this can stand in a list of addresses: a number, or a beginning and `*`."""
    return is_recipient(text) or _PREFIX.fullmatch(text) is not None


def may_receive(limits: KeyLimits, recipient: str) -> bool:
    """Whether the key may send to a number, as written: nothing is normalised."""
    return address_patterns.fits(limits.to, recipient)


def foreign(limits: KeyLimits, recipients: Iterable[str]) -> tuple[int, ...]:
    """The places of those recipients that the key may not send to."""
    return tuple(i for i, one in enumerate(recipients) if not may_receive(limits, one))


# -- how many


def step(now: int) -> int:
    """The end of the step that a time lies in: what is sent now counts as sent then."""
    return -(-now // STEP_MS) * STEP_MS


def fits(limits: KeyLimits, sums: Mapping[Window, int], wanted: int) -> bool:
    """Whether there is room for `wanted` more messages beside those sent within each window."""
    return all(sent + wanted <= getattr(limits, window) for window, sent in sums.items())


def full(limits: KeyLimits, sends: Sequence[tuple[int, int]], wanted: int, now: int) -> Full | None:
    """Whether there is no room for `wanted` more messages; if so, what ends last.

    `sends` are times and numbers of what the key has sent within a day, oldest first. Those
    ahead of now count too: a clock that was set back must not make room.
    """
    found: Full | None = None
    for window, length in WINDOWS:
        allowed = getattr(limits, window)
        if allowed is None:
            continue
        if wanted > allowed:
            return Full(window=window, allowed=allowed, ends_at=None)
        inside = [(at, n) for at, n in sends if at > now - length]
        excess = sum(n for _, n in inside) + wanted - allowed
        if excess <= 0:
            continue
        for at, n in inside:
            excess -= n
            if excess <= 0:
                if found is None or found.ends_at is None or at + length > found.ends_at:
                    found = Full(window=window, allowed=allowed, ends_at=at + length)
                break
    return found


# -- quiet hours


def is_zone(name: str) -> bool:
    """Whether this is the name of a time zone that this machine knows, such as Europe/Berlin."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # OSError: the name of a folder of zones.
        return False
    return True


def is_quiet(hours: QuietHours, at: int) -> bool:
    """Whether the clocks of the zone show quiet hours at a time."""
    return _within(hours, _minute(ZoneInfo(hours.zone), at))


def next_change(hours: QuietHours, at: int) -> int:
    """When quiet hours next end, or begin, after a time: to the minute, by the zone's clocks.

    An hour that the clocks skip is skipped here, and one that they show twice counts twice.
    """
    zone = ZoneInfo(hours.zone)
    minute = _minute(zone, at)
    now_quiet = _within(hours, minute)
    edge = hours.end if now_quiet else hours.begin
    start = at - at % MINUTE_MS
    straight = start + ((edge - minute) % DAY_MINUTES or DAY_MINUTES) * MINUTE_MS
    if _offset(zone, at) == _offset(zone, straight):
        return straight
    # The clocks change in between: look at every minute.
    for passed in range(1, _SCAN_MINUTES):
        then = start + passed * MINUTE_MS
        if _within(hours, _minute(zone, then)) != now_quiet:
            return then
    return straight


def utc(at: int) -> str:
    """A time for a sentence: ISO 8601 in UTC, to the second that is not before it."""
    return iso_seconds(at + 999)


def _within(hours: QuietHours, minute: int) -> bool:
    if hours.begin < hours.end:
        return hours.begin <= minute < hours.end
    return minute >= hours.begin or minute < hours.end


def _minute(zone: ZoneInfo, at: int) -> int:
    """Minutes after midnight, as the clocks show them."""
    local = _local(zone, at)
    return local.hour * 60 + local.minute


def _offset(zone: ZoneInfo, at: int) -> timedelta | None:
    return _local(zone, at).utcoffset()


def _local(zone: ZoneInfo, at: int) -> datetime:
    return datetime.fromtimestamp(at // 1000, zone)

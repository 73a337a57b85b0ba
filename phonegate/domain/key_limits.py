"""What an API key may do: to whom it sends, how much and when, and whose messages it reads. Pure.

The owner of an org sets limits for a key, mostly for a program that decides by itself. Each
function applies one kind of limit to a send. Times are in ms.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from phonegate.model.numbers import is_recipient
from phonegate.model.orgs import KeyLimits, QuietHours
from phonegate.model.times import DAY_MS, HOUR_MS, MINUTE_MS, iso_seconds
from phonegate.store import address_patterns

DAY_MINUTES: Final = 24 * 60

STEP_MS: Final = MINUTE_MS
"""The sends of a key are counted in steps of this length, each at its end. So a window is longer
than its name says by one step at most, and never shorter. A day's count is 1440 rows, whose sum
takes 0.13 ms of the writer's time at every send of the key."""

MAX_RECIPIENTS: Final = 200
"""Most entries of a list. All are compared for every message."""

MAX_PER_HOUR: Final = 100_000
MAX_PER_DAY: Final = 1_000_000
"""More than a gateway's phones can send."""

_SCAN_MINUTES: Final = 3 * DAY_MINUTES
"""How far ahead a change of quiet hours is searched for. No clock change skips two days."""

PATTERN_PROBLEM: Final = (
    "must be a number such as +15553334444, a short code, or the beginning of numbers and a *, "
    "such as +1555*; without a + it begins with three digits at least"
)
ZONE_PROBLEM: Final = "must be the name of a time zone, such as Europe/Berlin"

_PREFIX: Final = re.compile(r"\+[0-9]{1,15}\*|[0-9]{3,15}\*")
"""Without a +, a pattern fits short codes and local numbers. Then it must have more than a first
digit, which a tenth of them share."""

Window = Literal["per_hour", "per_day"]

WINDOWS: Final[tuple[tuple[Window, int], ...]] = (("per_hour", HOUR_MS), ("per_day", DAY_MS))


@attrs.frozen(kw_only=True)
class Full:
    """The limit on a key's messages that leaves no room for a send."""

    window: Window
    allowed: int
    ends_at: int | None
    """When there will be room. None where there never will be, as one call sends too many."""


def effective(limits: KeyLimits | None) -> KeyLimits | None:
    """Returns the same limits, or None where they limit nothing."""
    return None if limits == KeyLimits() else limits


def problems_of(limits: KeyLimits) -> Iterator[tuple[str, str]]:
    """Yields what is wrong with limits about to be set: each field, with its problem."""
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
    """Tells whether a text may be in a list of addresses: a number, or a prefix and `*`."""
    return is_recipient(text) or _PREFIX.fullmatch(text) is not None


def may_receive(limits: KeyLimits, recipient: str) -> bool:
    """Tells whether the key may send to a number, as it is written. Nothing is normalised."""
    return address_patterns.fits(limits.to, recipient)


def foreign(limits: KeyLimits, recipients: Iterable[str]) -> tuple[int, ...]:
    """Returns the indexes of those recipients that the key may not send to."""
    return tuple(i for i, one in enumerate(recipients) if not may_receive(limits, one))


# -- how many


def step(now: int) -> int:
    """Returns the end of the step that a time lies in. What is sent now counts as sent then."""
    return -(-now // STEP_MS) * STEP_MS


def fits(limits: KeyLimits, sums: Mapping[Window, int], wanted: int) -> bool:
    """Tells whether there is room for `wanted` more messages beside those sent in each window."""
    return all(sent + wanted <= getattr(limits, window) for window, sent in sums.items())


def full(limits: KeyLimits, sends: Sequence[tuple[int, int]], wanted: int, now: int) -> Full | None:
    """Finds the limit that keeps `wanted` more messages out for the longest time.

    Args:
        limits: The limits of the key.
        sends: Times and numbers of what the key has sent within a day, oldest first. Those ahead
            of now count too: a clock that was set back must not make room.
        wanted: Messages about to be sent.
        now: The time.

    Returns:
        None where there is room.
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
    """Tells whether this machine knows a time zone of this name, such as Europe/Berlin."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # OSError: the name of a folder of zones.
        return False
    return True


def is_quiet(hours: QuietHours, at: int) -> bool:
    """Tells whether the clocks of the zone show quiet hours at a time."""
    return _within(hours, _minute(ZoneInfo(hours.zone), at))


def next_change(hours: QuietHours, at: int) -> int:
    """Finds when quiet hours next begin or end after a time, to the minute, by the zone's clocks.

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
    # The clocks change in between, so every minute is looked at.
    for passed in range(1, _SCAN_MINUTES):
        then = start + passed * MINUTE_MS
        if _within(hours, _minute(zone, then)) != now_quiet:
            return then
    return straight


def utc(at: int) -> str:
    """Writes a time for a sentence: ISO 8601 in UTC, rounded up to a second."""
    return iso_seconds(at + 999)


def _within(hours: QuietHours, minute: int) -> bool:
    if hours.begin < hours.end:
        return hours.begin <= minute < hours.end
    return minute >= hours.begin or minute < hours.end


def _minute(zone: ZoneInfo, at: int) -> int:
    """Returns the minutes after midnight that the clocks show."""
    local = _local(zone, at)
    return local.hour * 60 + local.minute


def _offset(zone: ZoneInfo, at: int) -> timedelta | None:
    return _local(zone, at).utcoffset()


def _local(zone: ZoneInfo, at: int) -> datetime:
    return datetime.fromtimestamp(at // 1000, zone)

"""The limits of an API key as requests and answers hold them."""

import re
from typing import Annotated, ClassVar, Final, Literal

import attrs

from phonegate.domain.key_limits import (
    MAX_PER_DAY,
    MAX_PER_HOUR,
    MAX_RECIPIENTS,
    PATTERN_PROBLEM,
    ZONE_PROBLEM,
    is_pattern,
    is_zone,
)
from phonegate.model.orgs import KeyLimits, QuietHours
from phonegate.typed_json.fields import Rule, Wrong, field
from phonegate.typed_json.rules import Flag, OneOf, Several, Whole

_CLOCK: Final = "([01][0-9]|2[0-3]):([0-5][0-9])"
HOURS: Final = rf"^(?!(.{{5}})-\1$){_CLOCK}-{_CLOCK}$"
"""`22:00-07:00`, the two never the same; a pattern that ECMAScript understands too."""

_HOURS: Final = re.compile(HOURS)


@attrs.frozen
class AddressPattern(Rule):
    """The other party's number, or the beginning of some and a `*`."""

    def read(self, value: object) -> str:
        """Returns the pattern as given."""
        if type(value) is not str or not is_pattern(value):
            raise Wrong(PATTERN_PROBLEM)
        return value


@attrs.frozen
class HoursOfDay(Rule):
    """A part of the day by the clock, which may go past midnight: `22:00-07:00`."""

    def read(self, value: object) -> str:
        """Returns the hours as given."""
        if type(value) is not str or not _HOURS.fullmatch(value):
            raise Wrong('must be two different times of the day, such as "22:00-07:00"')
        return value


@attrs.frozen
class TimeZone(Rule):
    """The name of a time zone."""

    def read(self, value: object) -> str:
        """Returns the name as given."""
        if type(value) is not str or not is_zone(value):
            raise Wrong(ZONE_PROBLEM)
        return value


@attrs.frozen(kw_only=True)
class QuietHoursJson:
    """When nothing may leave, every day."""

    closed: ClassVar[bool] = True
    """A misspelt field would set another limit than was meant."""

    hours: Annotated[str, HoursOfDay()] = field(
        "From a time to another by the zone's clocks; past midnight where the second is earlier.",
        example="22:00-07:00",
    )
    zone: Annotated[str, TimeZone()] = field("An IANA time zone.", example="Europe/Berlin")


@attrs.frozen(kw_only=True)
class NewLimits:
    """What a key may do. What is left out, or null, is not limited."""

    closed: ClassVar[bool] = True
    """As of quiet hours."""

    to: (
        Annotated[tuple[Annotated[str, AddressPattern()], ...], Several(1, MAX_RECIPIENTS)] | None
    ) = field(
        "The only recipients: numbers and short codes as written, or the beginning of numbers "
        "and a *. Without a + a beginning has three digits at least, and fits short codes too.",
        default=None,
        example=["+1555*", "+491701234567"],
    )
    per_hour: Annotated[int, Whole(1, MAX_PER_HOUR)] | None = field(
        "Messages accepted within any 60 minutes; each of a batch counts.", default=None, example=10
    )
    per_day: Annotated[int, Whole(1, MAX_PER_DAY)] | None = field(
        "The same within any 24 hours.", default=None, example=50
    )
    quiet_hours: QuietHoursJson | None = field(
        "When nothing may leave: such a send is refused, judged by its send_at if it has one; "
        "what waits and has not left when they begin expires.",
        default=None,
    )
    hold: Annotated[bool, Flag()] | None = field(
        "Every message waits until a person approves it.", default=None, example=True
    )
    from_: (
        Annotated[tuple[Annotated[str, AddressPattern()], ...], Several(1, MAX_RECIPIENTS)] | None
    ) = field(
        "The only other parties whose messages it reads, received or sent, written as in to. "
        "All others are as if they were not there.",
        default=None,
        example=["+1555*"],
    )
    codes: Annotated[Literal["hidden"], OneOf(("hidden",))] | None = field(
        "hidden: one-time codes are blanked in what it reads, and q can hold no digits.",
        default=None,
        example="hidden",
    )


@attrs.frozen(kw_only=True)
class LimitsJson:
    """What a key may do. Null is not limited."""

    to: tuple[str, ...] | None = field("The only recipients.", example=["+1555*"])
    per_hour: int | None = field("Messages within any 60 minutes.", example=10)
    per_day: int | None = field("Messages within any 24 hours.", example=50)
    quiet_hours: QuietHoursJson | None = field("When nothing may leave.")
    hold: bool = field("Whether a person approves each message.", example=True)
    from_: tuple[str, ...] | None = field("Whose messages it reads.", example=["+1555*"])
    codes: Literal["hidden"] | None = field(
        "Whether one-time codes are blanked in what it reads.", example="hidden"
    )


def limits_of(asked: NewLimits) -> KeyLimits:
    """Returns the limits that a request asks for, as the domain keeps them."""
    return KeyLimits(
        to=asked.to or (),
        per_hour=asked.per_hour,
        per_day=asked.per_day,
        quiet=None if asked.quiet_hours is None else quiet_of(asked.quiet_hours),
        hold=bool(asked.hold),
        sees=asked.from_ or (),
        codes_hidden=asked.codes is not None,
    )


def quiet_of(asked: QuietHoursJson) -> QuietHours:
    """Returns quiet hours as the domain keeps them."""
    begin, _, end = asked.hours.partition("-")
    return QuietHours(begin=_minutes(begin), end=_minutes(end), zone=asked.zone)


def limits_json(limits: KeyLimits) -> LimitsJson:
    """Makes the limits of an answer."""
    quiet = limits.quiet
    return LimitsJson(
        to=limits.to or None,
        per_hour=limits.per_hour,
        per_day=limits.per_day,
        quiet_hours=None
        if quiet is None
        else QuietHoursJson(hours=f"{_clock(quiet.begin)}-{_clock(quiet.end)}", zone=quiet.zone),
        hold=limits.hold,
        from_=limits.sees or None,
        codes="hidden" if limits.codes_hidden else None,
    )


def _minutes(clock: str) -> int:
    hour, _, minute = clock.partition(":")
    return int(hour) * 60 + int(minute)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"

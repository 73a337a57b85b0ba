"""What a key may send: recipients, windows, quiet hours by the clocks of real zones."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from phonegate.domain import key_limits
from phonegate.domain.key_limits import STEP_MS, Full
from phonegate.model.orgs import KeyLimits, QuietHours
from phonegate.model.times import DAY_MS, HOUR_MS, MINUTE_MS

NOW = 1_700_000_000_000
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour of summer time
    "Asia/Kathmandu",
    "America/Santiago",  # changes at midnight
    "Pacific/Apia",
)

MINUTES = st.integers(0, 24 * 60 - 1)
HOURS = st.builds(QuietHours, begin=MINUTES, end=MINUTES, zone=st.sampled_from(ZONES)).filter(
    lambda hours: hours.begin != hours.end
)


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def clock(hours: str, zone: str) -> QuietHours:
    begin, end = (int(t[:2]) * 60 + int(t[3:]) for t in hours.split("-"))
    return QuietHours(begin=begin, end=end, zone=zone)


# -- recipients


@pytest.mark.parametrize(
    ("to", "recipient", "may"),
    [
        ((), "+15553334444", True),
        (("+15553334444",), "+15553334444", True),
        (("+15553334444",), "+155533344445", False),
        (("+1555*",), "+15553334444", True),
        (("+1555*",), "+1555", True),
        (("+1555*",), "+1556", False),
        (("+1555*",), "1555", False),
        (("+44*", "+1555*"), "+15550", True),
        (("12345",), "12345", True),
        (("12345",), "123456", False),
        (("123*",), "12345", True),
    ],
)
def test_who_may_receive(to: tuple[str, ...], recipient: str, *, may: bool) -> None:
    assert key_limits.may_receive(KeyLimits(to=to), recipient) is may
    assert key_limits.foreign(KeyLimits(to=to), [recipient, recipient]) == (() if may else (0, 1))


@pytest.mark.parametrize(
    "text", ["", "*", "+*", "+1555**", "+15*55", "1 555*", "+1555* ", "abc*", "+" + "1" * 16 + "*"]
)
def test_what_is_no_pattern(text: str) -> None:
    assert not key_limits.is_pattern(text)
    assert [field for field, _ in key_limits.problems_of(KeyLimits(to=("+1555*", text)))] == [
        "to[1]"
    ]


def test_every_fault_of_limits_is_told() -> None:
    wrong = KeyLimits(
        to=("x",), per_hour=0, per_day=10**9, quiet=QuietHours(begin=5, end=5, zone="Mars/Base")
    )
    assert [field for field, _ in key_limits.problems_of(wrong)] == [
        "to[0]",
        "per_hour",
        "per_day",
        "quiet_hours.end",
        "quiet_hours.zone",
    ]
    many = KeyLimits(to=("+1555*",) * (key_limits.MAX_RECIPIENTS + 1))
    assert [field for field, _ in key_limits.problems_of(many)] == ["to"]


@pytest.mark.parametrize(
    "name", ["Europe", "../../etc/passwd", "/etc/localtime", "", "x\0y", "Mars"]
)
def test_what_is_no_zone(name: str) -> None:
    assert not key_limits.is_zone(name)


def test_limits_of_nothing_are_none() -> None:
    assert key_limits.effective(KeyLimits()) is None
    assert key_limits.effective(None) is None
    assert key_limits.effective(KeyLimits(hold=True)) == KeyLimits(hold=True)


# -- how many

SENDS = st.lists(st.tuples(st.integers(-3 * DAY_MS, DAY_MS), st.integers(1, 20)), max_size=12).map(
    lambda sends: sorted({NOW + at: n for at, n in sends}.items())
)


@given(
    sends=SENDS,
    wanted=st.integers(1, 40),
    per_hour=st.none() | st.integers(1, 60),
    per_day=st.none() | st.integers(1, 120),
)
def test_there_is_room_exactly_when_no_window_is_overfull(
    sends: list[tuple[int, int]], wanted: int, per_hour: int | None, per_day: int | None
) -> None:
    limits = KeyLimits(per_hour=per_hour, per_day=per_day)
    sums = {
        "per_hour": sum(n for at, n in sends if at > NOW - HOUR_MS),
        "per_day": sum(n for at, n in sends if at > NOW - DAY_MS),
    }
    allowed = {"per_hour": per_hour, "per_day": per_day}
    over = {w for w, most in allowed.items() if most is not None and sums[w] + wanted > most}
    found = key_limits.full(limits, sends, wanted, NOW)
    limited = {w: sums[w] for w, _ in key_limits.WINDOWS if allowed[w] is not None}
    assert key_limits.fits(limits, limited, wanted) is (found is None)
    if found is None:
        assert not over
        return
    assert found.window in over
    assert found.allowed == allowed[found.window]
    if found.ends_at is None:
        assert wanted > found.allowed
        return
    # Then, and not a millisecond before, the same send finds room.
    assert found.ends_at > NOW
    assert key_limits.full(limits, sends, wanted, found.ends_at) is None
    assert key_limits.full(limits, sends, wanted, found.ends_at - 1) is not None


def test_what_ends_last_is_told() -> None:
    limits = KeyLimits(per_hour=2, per_day=2)
    sends = [(NOW - MINUTE_MS, 2)]
    assert key_limits.full(limits, sends, 1, NOW) == Full(
        window="per_day", allowed=2, ends_at=NOW - MINUTE_MS + DAY_MS
    )
    assert key_limits.full(limits, sends, 3, NOW) == Full(
        window="per_hour", allowed=2, ends_at=None
    )


@given(st.integers(0, 2**50))
def test_what_is_sent_counts_at_the_end_of_its_step(now: int) -> None:
    assert now <= key_limits.step(now) < now + STEP_MS
    assert key_limits.step(now) % STEP_MS == 0


# -- quiet hours


@pytest.mark.parametrize(
    ("hours", "zone", "moment", "quiet", "changes"),
    [
        ("22:00-07:00", "UTC", "2026-01-10T21:59:59Z", False, "2026-01-10T22:00Z"),
        ("22:00-07:00", "UTC", "2026-01-10T22:00:00Z", True, "2026-01-11T07:00Z"),
        ("22:00-07:00", "UTC", "2026-01-11T06:59:59Z", True, "2026-01-11T07:00Z"),
        ("22:00-07:00", "UTC", "2026-01-11T07:00:00Z", False, "2026-01-11T22:00Z"),
        ("12:00-13:00", "Asia/Kathmandu", "2026-01-11T06:20Z", True, "2026-01-11T07:15Z"),
        # The clocks go forward in the night: it is an hour shorter.
        ("22:00-07:00", "Europe/Berlin", "2026-03-28T21:00Z", True, "2026-03-29T05:00Z"),
        # They go back: it is an hour longer.
        ("22:00-07:00", "Europe/Berlin", "2026-10-24T20:00Z", True, "2026-10-25T06:00Z"),
        # The end is an hour that the clocks skip.
        ("22:00-02:30", "Europe/Berlin", "2026-03-28T23:00Z", True, "2026-03-29T01:00Z"),
        # All of it is: then it is quiet the next night.
        ("02:00-03:00", "Europe/Berlin", "2026-03-29T00:30Z", False, "2026-03-30T00:00Z"),
        # It ends at a time that the clocks show twice: at the first, and begins once more.
        ("22:00-02:30", "Europe/Berlin", "2026-10-24T23:59Z", True, "2026-10-25T00:30Z"),
        ("22:00-02:30", "Europe/Berlin", "2026-10-25T00:45Z", False, "2026-10-25T01:00Z"),
    ],
)
def test_quiet_hours(hours: str, zone: str, moment: str, *, quiet: bool, changes: str) -> None:
    given_ = clock(hours, zone)
    assert key_limits.is_quiet(given_, at(moment)) is quiet
    assert key_limits.next_change(given_, at(moment)) == at(changes)


def _shown(hours: QuietHours, moment: int) -> int:
    local = datetime.fromtimestamp(moment // 1000, ZoneInfo(hours.zone))
    return local.hour * 60 + local.minute


@settings(max_examples=120, deadline=None)
@given(hours=HOURS, moment=st.integers(at("2024-01-01T00:00Z"), at("2030-01-01T00:00Z")))
@example(clock("02:00-03:00", "Europe/Berlin"), at("2026-03-29T00:30Z"))
@example(clock("23:30-00:30", "America/Santiago"), at("2026-09-06T03:00Z"))
def test_quiet_hours_change_when_the_clocks_first_say_so(hours: QuietHours, moment: int) -> None:
    span = {m % (24 * 60) for m in range(hours.begin, hours.begin + _length(hours))}
    quiet = _shown(hours, moment) in span
    assert key_limits.is_quiet(hours, moment) is quiet
    changes = key_limits.next_change(hours, moment)
    assert changes > moment
    assert changes % MINUTE_MS == 0
    minute = moment - moment % MINUTE_MS + MINUTE_MS
    while (_shown(hours, minute) in span) == quiet:
        minute += MINUTE_MS
    assert changes == minute


def _length(hours: QuietHours) -> int:
    return (hours.end - hours.begin) % (24 * 60)


@given(st.integers(0, 2**42))
def test_a_time_in_a_sentence_is_never_early(ms: int) -> None:
    told = datetime.fromisoformat(key_limits.utc(ms))
    exact = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    assert exact <= told < exact + timedelta(seconds=1)

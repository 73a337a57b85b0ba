"""The course of a phone's health, from what is kept of it."""

from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.phone_course import PERIODS, Absence, Period, course, merged
from phonegate.model.phone_history import Presence, Reading
from phonegate.model.phones import Health
from phonegate.model.times import HOUR_MS

NOW = 1_700_000_000_000
DAY = 24 * HOUR_MS

TIMES = st.integers(NOW - 3 * DAY, NOW)
PRESENCES = st.lists(
    st.builds(
        lambda came, length: Presence(
            came_at=came, went_at=None if length is None else came + length
        ),
        TIMES,
        st.none() | st.integers(0, DAY),
    ),
    max_size=12,
)
READINGS = st.lists(
    st.builds(Reading, at=TIMES, health=st.builds(Health, battery=st.integers(0, 100))),
    max_size=20,
)


@given(PRESENCES, READINGS, st.none() | TIMES, st.sampled_from(list(PERIODS)), st.randoms())
def test_a_course_shows_what_was_and_nothing_else(
    presences: list[Presence],
    readings: list[Reading],
    known_since: int | None,
    period: Period,
    random: Random,
) -> None:
    made = course(presences, readings, known_since=known_since, end=NOW, period=period)
    length, step = PERIODS[period]
    # Its steps cover the time, one after another.
    assert (made.begin, made.end) == (NOW - length, NOW)
    assert [one.begin for one in made.steps] == list(range(made.begin, NOW, step))
    assert [one.end for one in made.steps][:-1] == [one.begin for one in made.steps][1:]
    assert made.steps[-1].end == NOW
    said = {reading.health for reading in readings}
    first = min((reading.at for reading in readings), default=NOW)
    for one in made.steps:
        assert one.online is None or one.online >= 0
        assert one.health is None or (one.health in said and first <= one.end)
    # Which presence was noted first, and that two overlap, changes nothing.
    shuffled, mixed = random.sample(presences, len(presences)), list(readings)
    again = course(
        [*shuffled, *presences[:1]], mixed, known_since=known_since, end=NOW, period=period
    )
    assert again == made


@given(PRESENCES)
def test_presences_and_absences_make_up_the_time(presences: list[Presence]) -> None:
    begin = NOW - DAY
    made = course(presences, (), known_since=begin, end=NOW, period="24h")
    spans = merged(presences, begin, NOW)
    assert all(low < high for low, high in spans)
    assert all(one[1] < two[0] for one, two in pairwise(spans))
    away = sum((one.end or NOW) - one.begin for one in made.absences)
    assert away + sum(high - low for low, high in spans) == DAY
    assert made.online is not None
    assert abs(made.online * DAY + away - DAY) < 1
    assert all(one.begin < (one.end or NOW) for one in made.absences)
    shares = [one.online or 0 for one in made.steps]
    assert all(0 <= share <= 1 for share in shares)
    assert abs(sum(shares) / len(shares) - made.online) < 1e-6


def test_a_reading_holds_while_the_phone_is_there() -> None:
    begin = NOW - DAY
    presences = [
        Presence(came_at=begin + HOUR_MS, went_at=begin + 3 * HOUR_MS),
        Presence(came_at=begin + 5 * HOUR_MS),
    ]
    full, low = Health(battery=100), Health(battery=40)
    readings = [
        Reading(at=begin - 5, health=full),
        Reading(at=begin + 6 * HOUR_MS, health=low),
    ]
    made = course(presences, readings, known_since=begin, end=NOW, period="24h")
    by_hour = made.steps[::4]
    assert [one.health for one in by_hour[:7]] == [None, full, full, None, None, full, low]
    assert [one.online for one in by_hour[:6]] == [0, 1, 1, 0, 0, 1]
    assert made.absences == [
        Absence(begin=begin, end=begin + HOUR_MS),
        Absence(begin=begin + 3 * HOUR_MS, end=begin + 5 * HOUR_MS),
    ]


def test_what_is_not_known_is_no_absence() -> None:
    made = course((), (), known_since=None, end=NOW, period="24h")
    assert made.online is None
    assert made.absences == []
    assert {one.online for one in made.steps} == {None}
    made = course(
        [Presence(came_at=NOW - HOUR_MS)], (), known_since=NOW - HOUR_MS, end=NOW, period="24h"
    )
    assert made.online == 1
    assert [one.online for one in made.steps] == [None] * 92 + [1] * 4


def test_a_presence_goes_on_where_the_next_one_begins() -> None:
    presences = [Presence(came_at=2, went_at=3), Presence(came_at=1, went_at=2)]
    assert merged(presences, 0, 9) == [(1, 3)]

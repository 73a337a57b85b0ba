"""Scales: round ticks that reach every value, and times that are round on the reader's clock."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from phonegate.pages.console.figures.scales import Unit, in_words, scale, time_ticks

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe")
HOUR = 3_600_000
UNITS: tuple[Unit, ...] = ("count", "seconds", "bytes", "percent")


def _at(*parts: int, zone: ZoneInfo = BERLIN) -> int:
    return round(datetime(*parts, tzinfo=zone).timestamp() * 1000)  # type: ignore[arg-type,misc]


@given(st.floats(0, 1e15), st.sampled_from(UNITS), st.integers(2, 8))
@example(5e-324, "count", 8)
def test_a_scale_reaches_the_highest_value_by_few_even_steps(
    highest: float, unit: Unit, most: int
) -> None:
    found = scale(highest, unit, most=most)

    assert found.ticks[0] == 0
    assert found.top >= highest * (1 - 1e-9) or highest < 1e-9
    assert found.top == pytest.approx(found.ticks[-1])
    assert 1 < len(found.ticks) <= max(most, 4) + 1
    steps = [b - a for a, b in pairwise(found.ticks)]
    assert steps == pytest.approx([steps[0]] * len(steps))
    assert 0 <= found.height(highest, 100) <= 100


@pytest.mark.parametrize(
    ("highest", "unit", "ticks"),
    [
        (0, "count", "0 1"),
        (3, "count", "0 1 2 3"),
        (1234, "count", "0 500 1,000 1,500"),
        (86_000, "count", "0 20k 40k 60k 80k 100k"),
        (0.3, "seconds", "0_s 0.1_s 0.2_s 0.3_s"),
        (99, "seconds", "0_s 30_s 1_min 1_min_30_s 2_min"),
        (86_000, "seconds", "0_s 6_h 12_h 18_h 1_d"),
        (3.3e9, "bytes", "0_B 1_GB 2_GB 3_GB 4_GB"),
        (83, "percent", "0_% 25_% 50_% 75_% 100_%"),
    ],
)
def test_ticks_are_round(highest: float, unit: Unit, ticks: str) -> None:
    words = [in_words(tick, unit).replace(" ", "_") for tick in scale(highest, unit).ticks]

    assert words == ticks.split()


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (9_999, "count", "9,999"),
        (10_000, "count", "10k"),
        (1_234_567, "count", "1.23M"),
        (999_700, "count", "1M"),
        (999.7, "bytes", "1 kB"),
        (1_234, "bytes", "1.23 kB"),
        (0.04, "seconds", "0 s"),
        (9.96, "seconds", "10 s"),
        (119.6, "seconds", "2 min"),
        (90_000, "seconds", "1 d 1 h"),
        (83.333, "percent", "83.3 %"),
    ],
)
def test_values_are_said_in_the_unit_that_suits_them(value: float, unit: Unit, words: str) -> None:
    assert in_words(value, unit) == words


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)),  # noqa: DTZ001
    st.integers(1, 10**12),
    st.sampled_from(ZONES),
    st.integers(1, 12),
)
def test_ticks_of_time_are_few_and_ascend_and_are_round_on_the_clock(
    begin: datetime, span: int, zone: str, most: int
) -> None:
    start = round(begin.replace(tzinfo=UTC).timestamp() * 1000)
    found = time_ticks(start, start + span, ZoneInfo(zone), most=most)

    times = [tick.at for tick in found]
    assert times == sorted(set(times))
    assert all(start <= at < start + span for at in times)
    assert len(times) <= most
    for at in times:
        local = datetime.fromtimestamp(at / 1000, ZoneInfo(zone))
        assert local.second == 0


def test_an_hour_that_the_clock_skips_has_no_tick() -> None:
    found = time_ticks(_at(2026, 3, 29, 0), _at(2026, 3, 29, 6), BERLIN, most=8)

    assert [tick.label for tick in found] == ["29 Mar", "01:00", "03:00", "04:00", "05:00"]


def test_an_hour_that_comes_twice_has_one_tick() -> None:
    found = time_ticks(_at(2026, 10, 25, 0), _at(2026, 10, 25, 6), BERLIN, most=8)

    assert [tick.label for tick in found] == ["25 Oct", "01:00", "02:00", "03:00", "04:00", "05:00"]
    assert found[3].at - found[2].at == 2 * HOUR


@pytest.mark.parametrize(
    ("days", "most", "labels"),
    [
        (1, 8, "29_Mar 03:00 06:00 09:00 12:00 15:00 18:00 21:00"),
        (7, 8, "29_Mar 30_Mar 31_Mar 1_Apr 2_Apr 3_Apr 4_Apr"),
        (7, 3, "29_Mar 1_Apr 4_Apr"),
        (365, 4, "Apr Jul Oct 2027"),
    ],
)
def test_axes_of_all_lengths_have_words(days: int, most: int, labels: str) -> None:
    start = datetime(2026, 3, 29, tzinfo=BERLIN)
    end = start + timedelta(days=days)
    found = time_ticks(
        round(start.timestamp() * 1000), round(end.timestamp() * 1000), BERLIN, most=most
    )

    assert [tick.label.replace(" ", "_") for tick in found] == labels.split()

"""The growth of the database, in plots and in words."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.model.figures import GatewayHour
from phonegate.model.times import HOUR_MS
from phonegate.pages.console.operator.growth import MOST_POINTS, growth, outlook

UTC = ZoneInfo("UTC")
BEGIN = 480_000
MB = 10**6


def hours(count: int, *, each: int = MB, free: int = 1_000 * MB) -> list[GatewayHour]:
    return [
        GatewayHour(
            hour=BEGIN + n, database_bytes=50 * MB + n * each, free_bytes=free, messages=10 * n
        )
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("sampled", "words"),
    [
        (hours(24), "too early"),
        (hours(49, each=0), "has not grown"),
        (hours(49, each=-MB), "has not grown"),
        (hours(49), "grows by 24 MB a day. If it goes on so, the free disk is enough for about 41"),
        (hours(49, free=25 * MB), "enough for about 1 day."),
        (hours(49, free=0), "enough for about 0 days"),
        (hours(49, each=1), "enough for years"),
    ],
)
def test_it_says_for_how_long_the_disk_is_enough(sampled: list[GatewayHour], words: str) -> None:
    assert words in outlook(sampled)


def test_of_a_moment_alone_there_is_no_growth() -> None:
    assert growth([], UTC) is None
    assert growth(hours(1), UTC) is None


@given(st.integers(2, 3_000))
def test_a_plot_has_the_last_value_and_no_more_points_than_it_shows(count: int) -> None:
    found = growth(hours(count), UTC)
    assert found is not None
    for plot in found.plots:
        assert 1 < len(plot.times) <= MOST_POINTS
        assert plot.times[-1] == (BEGIN + count - 1) * HOUR_MS
        assert list(plot.times) == sorted(plot.times)
    assert found.plots[0].series[0].values[-1] == 50 * MB + (count - 1) * MB

"""Counting values by size."""

from hypothesis import given
from hypothesis import strategies as st

from phonegate.histogram import Histogram

BOUNDS = (1, 2, 4.5)


@given(st.lists(st.floats(min_value=-1, max_value=10)))
def test_each_bound_counts_what_is_at_most_so_large(values: list[float]) -> None:
    histogram = Histogram(BOUNDS)
    for value in values:
        histogram.note(value)
    expected = [sum(value <= bound for value in values) for bound in BOUNDS]
    assert histogram.cumulative() == [*expected, len(values)]
    assert histogram.count == len(values)
    assert abs(histogram.total - sum(values)) < 1e-6


def test_a_copy_stays_as_it_is() -> None:
    histogram = Histogram(BOUNDS)
    histogram.note(1)
    copy = histogram.copy()
    histogram.note(3)
    assert (copy.cumulative(), copy.total, copy.bounds) == ([1, 1, 1, 1], 1, BOUNDS)

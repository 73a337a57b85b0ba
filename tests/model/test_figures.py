"""Figures: waits by step, quantiles of them, and by which name a SIM or carrier is counted."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.model.figures import (
    WAIT_BOUNDS_MS,
    WAITS,
    Figures,
    parse_sender,
    quantile,
    sender_name,
    wait_step,
)

WAIT_LISTS = st.lists(st.integers(0, 30_000_000), min_size=1)


def _counts(waits: list[int]) -> tuple[int, ...]:
    steps = [wait_step(wait) for wait in waits]
    return tuple(steps.count(step) for step in range(WAITS))


@given(WAIT_LISTS, st.sampled_from([0.5, 0.95, 1.0]))
def test_a_quantile_lies_in_the_step_of_the_true_one(waits: list[int], part: float) -> None:
    found = quantile(_counts(waits), part)

    assert found is not None
    wanted = len(waits) * part
    true = next(
        wait
        for wait, so_far in zip(sorted(waits), accumulate([1] * len(waits)), strict=True)
        if so_far >= wanted
    )
    step = min(wait_step(true), len(WAIT_BOUNDS_MS) - 1)
    lower = WAIT_BOUNDS_MS[step - 1] if step else 0
    assert lower / 1000 <= found <= WAIT_BOUNDS_MS[step] / 1000


def test_a_quantile_within_a_step_counts_waits_as_evenly_spread() -> None:
    counts = (0,) * 5 + (10,) + (0,) * (WAITS - 6)  # ten waits of 5 to 10 s

    assert quantile(counts, 0.5) == 7.5
    assert quantile((0,) * WAITS, 0.5) is None


def test_figures_add_up() -> None:
    one = Figures(sent=2, failed=1, to_sent=_counts([100, 5_500]))
    other = Figures(sent=1, expired=3, to_sent=_counts([5_500]))

    assert one + other == Figures(sent=3, failed=1, expired=3, to_sent=_counts([100, 5_500, 5_500]))
    assert (one + other).unsent == 4


@pytest.mark.parametrize(
    ("sim", "phone", "slot", "name", "place"),
    [
        ("+15551112222", 12, 0, "+15551112222", None),
        (None, 12, 1, "#12:1", (12, 1)),
        (None, 12, None, "#12:", (12, None)),
        (None, None, None, "@twilio", None),
        ("#x:1", 12, 0, "#x:1", None),
        ("9" * 60, 12, 0, "9" * 40, None),
    ],
)
def test_a_sender_has_a_name(
    sim: str | None,
    phone: int | None,
    slot: int | None,
    name: str,
    place: tuple[int, int | None] | None,
) -> None:
    assert sender_name(sim, phone, slot, "twilio") == name
    assert parse_sender(name) == place

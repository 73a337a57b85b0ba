"""What Android says of the phone."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.phone.radios.termux.about import Battery, Telephony, level

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(
                ["phone_count", "sim_state", "percentage", "status", "level", "registered"]
            ),
            inner,
        )
    ),
    max_leaves=8,
)


def test_a_phone_with_two_slots() -> None:
    said = {
        "phone_count": 2,
        "sim_state": "ready",
        "sim_operator_name": "ACME",
        "network_type": "lte",
    }
    assert Telephony.of(said) == Telephony(
        slots=2, sim_state="ready", carrier="ACME", network="lte"
    )


@pytest.mark.parametrize(
    ("said", "battery"),
    [
        ({"percentage": 83, "status": "DISCHARGING"}, Battery(percent=83, charging=False)),
        ({"percentage": 99.6, "status": "FULL"}, Battery(percent=100, charging=True)),
        ({"percentage": 50, "status": "NOT_CHARGING"}, Battery(percent=50, charging=False)),
        ({"percentage": 101}, Battery()),
        ({"percentage": True, "status": 4}, Battery()),
        (None, Battery()),
    ],
)
def test_a_battery(said: Any, battery: Battery) -> None:
    assert Battery.of(said) == battery


def test_the_signal_is_that_of_a_used_cell() -> None:
    cells = [
        {"registered": False, "level": 4},
        {"registered": True, "level": 2},
        {"registered": True, "level": 3},
        {"registered": True, "level": 9},
        {"registered": True},
    ]
    assert level(cells) == 3
    assert level(cells[:1]) is None


@given(ANYTHING)
def test_any_answer_is_read(said: Any) -> None:
    battery = Battery.of(said)
    assert battery.percent is None or 0 <= battery.percent <= 100
    assert Telephony.of(said).slots >= 1
    assert level(said) in {None, 0, 1, 2, 3, 4}

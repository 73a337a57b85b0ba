"""What clients ask for, as their languages write it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.convert import CONVERTER
from phonegate.api.dialects.smsgate.forms import SmsgateNewMessage, UtcMoment
from phonegate.model.refusals import BadInput, FieldProblem
from phonegate.typed_json.fields import Wrong

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001 - with zones below
ZONES = st.integers(-840, 840).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(MOMENTS, st.none() | ZONES, st.sampled_from(["+", " "]))
def test_times_are_read_as_python_writes_them(
    at: datetime, zone: timezone | None, plus: str
) -> None:
    """With and without an offset, and with the plus that a query turns into a blank."""
    at = at.replace(tzinfo=zone)
    utc = at.replace(tzinfo=UTC) if zone is None else at
    text = at.isoformat().replace("+", plus)
    assert UtcMoment().read(text) == round(utc.timestamp() * 1000)


@given(st.text() | st.floats() | st.none() | st.lists(st.integers()))
def test_anything_else_is_refused_or_read(value: object) -> None:
    try:
        found = UtcMoment().read(value)
    except Wrong:
        return
    assert isinstance(found, int)


def test_seconds_and_milliseconds_are_times_too() -> None:
    assert UtcMoment().read(1_800_000_000) == UtcMoment().read(1_800_000_000_000)
    assert UtcMoment().read_text("2027-01-15 08:00:00") == 1_800_000_000_000


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["id", "phoneNumbers", "textMessage", "ttl", "validUntil", "priority", "x"]
        ),
        _JSON,
    )
)
def test_any_json_is_read_or_refused_with_its_fields(body: dict[str, object]) -> None:
    problems: Sequence[FieldProblem] = ()
    try:
        found = CONVERTER.read_known(body, SmsgateNewMessage)
    except BadInput as refused:
        problems = refused.problems
    assert problems or 1 <= len(found.phoneNumbers) <= 100


@pytest.mark.parametrize("name", ["dataMessage", "mmsMessage", "id", "simNumber", "deviceId"])
def test_null_is_left_out(name: str) -> None:
    read = CONVERTER.read_known({"phoneNumbers": ["+1555"], name: None}, SmsgateNewMessage)
    assert getattr(read, name) is None

"""The moment that --send-at names."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.cli import moment


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2031-05-04T09:30:00Z", "2031-05-04T09:30:00Z"),
        ("2031-05-04T09:30:00+02:00", "2031-05-04T09:30:00+02:00"),
        ("2031-05-04T09:30", "2031-05-04T09:30:00+02:00"),
        ("2031-05-04 09:30", "2031-05-04T09:30:00+02:00"),
        (" 2031-12-04T09:30:15 ", "2031-12-04T09:30:15+01:00"),
        ("1935653400", 1935653400),
    ],
)
def test_a_moment(text: str, found: int | str) -> None:
    assert moment.read(text) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("tomorrow", "'tomorrow' is no time such as "),
        ("09:30", "is no time such as"),
        ("", "is no time such as"),
        ("2031-02-30T09:30", "is no time such as"),
        ("2031-05-04", "is a whole day"),
        ("2031-03-30T02:30", "is left out by this machine's clock"),
        ("2031-10-26T02:30", "comes twice by this machine's clock"),
    ],
)
def test_what_is_no_moment_is_told_with_examples(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=r"\.$") as caught:
        moment.read(text)
    assert why in str(caught.value)


@pytest.mark.parametrize("text", ["tomorrow", "2031-05-04"])
def test_every_example_is_a_time_of_tomorrow(text: str) -> None:
    with pytest.raises(ValueError, match="such as") as caught:
        moment.read(text)
    now = datetime.now(UTC)
    local, there, universal = re.findall(r"[0-9T:+-]{16,}Z?", str(caught.value))
    assert local == moment.example()
    for example in (local, there, universal):
        found = datetime.fromisoformat(str(moment.read(example)))
        assert timedelta(0) < found - now < timedelta(days=2), example


@given(st.text() | st.datetimes().map(str))
def test_any_text_is_a_moment_or_a_sentence(text: str) -> None:
    try:
        found = moment.read(text)
    except ValueError as error:
        found = str(error)
    assert found or found == 0

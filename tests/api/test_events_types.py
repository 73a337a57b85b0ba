import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.convert import CONVERTER
from phonegate.api.event_json import EventJson, event_json
from phonegate.api.events_types import (
    EventsAnswer,
    event_text,
    gap_text,
    last_event_id,
    opening_text,
    page_text,
    silence_text,
    wants_stream,
)
from phonegate.event_stream import StreamReader
from phonegate.model.bounds import MAX_ID
from phonegate.model.refusals import BadInput
from tests.domain.sample_events import message_event

MEDIA = "http://gate.lan/media/myorg"
ids = st.integers(1, MAX_ID)
events = st.builds(
    lambda id_, body: event_json(message_event(id_, body=body), media=MEDIA),
    ids,
    st.text(st.characters(exclude_categories=["Cs"])),
)


@given(st.lists(events, max_size=4), ids, st.booleans())
def test_a_page_is_written_as_its_type_says(found: list[EventJson], last: int, gap: bool) -> None:  # noqa: FBT001 - drawn
    answer = EventsAnswer(events=tuple(found), last_id=last, gap=gap)
    assert page_text([CONVERTER.encode(one) for one in found], last, gap=gap) == CONVERTER.encode(
        answer
    )


@given(st.lists(events, max_size=4), st.integers(1, 50), st.booleans())
def test_a_stream_is_read_as_it_was_written(found: list[EventJson], cut: int, blank: bool) -> None:  # noqa: FBT001 - drawn
    text = opening_text(5, 1_500, blank=blank) + gap_text(7, 6)
    text += b"".join(event_text(one) + silence_text(one.id, blank=blank) for one in found)
    reader, read = StreamReader(), list[Any]()
    for at in range(0, len(text), cut):
        read += reader.feed(text[at : at + cut])
    gap, *rest = read
    assert (gap.name, gap.id, json.loads(gap.data)) == ("gap", "6", {"first": 7})
    assert [(one.name, int(one.id)) for one in rest] == [(one.type, one.id) for one in found]
    assert [json.loads(one.data) for one in rest] == [
        json.loads(CONVERTER.encode(one)) for one in found
    ]


def test_what_is_no_event_has_no_blank_line_but_for_browsers() -> None:
    for write in (opening_text, silence_text):
        arguments = (5, 1_500) if write is opening_text else (5,)
        assert b"\n\n" not in write(*arguments, blank=False)
        assert write(*arguments, blank=True).endswith(b"id: 5\n\n")


@pytest.mark.parametrize(
    ("accept", "stream"),
    [
        (None, False),
        ("", False),
        ("*/*", False),
        ("text/*", False),
        ("application/json", False),
        ("text/event-stream", True),
        ("Text/Event-Stream", True),
        ("text/event-stream;q=0", False),
        ("text/event-stream; charset=utf-8; q=0.5", True),
        ("application/json, text/event-stream", True),
        ("application/json, text/event-stream;q=0.9", False),
        ("application/json;q=0.5, text/event-stream;q=0.9", True),
        ("text/event-stream, */*", True),
        ("text/event-streams", False),
        ("nonsense, text/event-stream", True),
        ("text/event-stream;q=nonsense", True),
    ],
)
def test_a_stream_is_for_those_who_ask_for_one(accept: str | None, stream: bool) -> None:  # noqa: FBT001 - a parameter
    headers = {} if accept is None else {"accept": accept}
    assert wants_stream(headers) is stream


@given(st.text())
def test_any_accept_can_be_read(accept: str) -> None:
    assert wants_stream({"accept": accept}) in {True, False}


@given(st.integers(0, MAX_ID))
def test_the_last_event_is_read(last: int) -> None:
    assert last_event_id({"last-event-id": str(last)}) == last


@pytest.mark.parametrize("text", ["x", "-1", "1.5", str(MAX_ID + 1), "9" * 40, "٣", "1, 2"])
def test_what_is_no_event_is_refused(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        last_event_id({"last-event-id": text})
    assert refused.value.problems[0].field == "Last-Event-ID"


def test_none_need_be_given() -> None:
    assert last_event_id({}) is None
    assert last_event_id({"last-event-id": ""}) is None

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.event_stream import MAX_EVENT_BYTES, MAX_LINE_BYTES, StreamEvent, StreamReader

STREAM = (
    b"\xef\xbb\xbf:keepalive\n\nevent: MessageEnqueued\ndata: null\n\ndata:a\ndata: b\r\n\r\n"
    b"event: Lost\n\nid: 5\nevent: MessageCancelled\ndata: {}\n\nretry: 10\rdata: \xc3\xa4\r\r"
    b"id: 6\0\nid:7\n\ndata\n\nunknown: 1\r\ndata:\n\nevent: Cut"
)
EVENTS = [
    StreamEvent("MessageEnqueued", "null"),
    StreamEvent("", "a\nb"),
    StreamEvent("MessageCancelled", "{}", "5"),
    StreamEvent("", "ä", "5"),
    StreamEvent("", "", "7"),
    StreamEvent("", "", "7"),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_events_are_the_same_however_the_stream_is_cut(cuts: list[int]) -> None:
    at = [0, *sorted(cuts), len(STREAM)]
    reader = StreamReader()
    got = [event for start, end in pairwise(at) for event in reader.feed(STREAM[start:end])]
    assert got == EVENTS


def test_events_are_the_same_byte_by_byte() -> None:
    reader = StreamReader()
    assert [event for byte in STREAM for event in reader.feed(bytes([byte]))] == EVENTS


def test_an_id_moves_on_without_an_event() -> None:
    reader = StreamReader()
    assert reader.last_id == ""
    assert reader.feed(b"id: 5\ndata: 1\n\n:\nid: 9\n\n") == [StreamEvent("", "1", "5")]
    assert reader.last_id == "9"
    # What comes with it may have been cut off.
    assert reader.feed(b"id: 10\ndata: 1\n") == []
    assert reader.last_id == "9"


def test_an_event_is_given_as_soon_as_its_last_line_end_is_there() -> None:
    assert StreamReader().feed(b"data: 1\r\r") == [StreamEvent("", "1")]


def test_a_line_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="line of the stream is too long"):
        StreamReader().feed(b"x" * (MAX_LINE_BYTES + 1))


def test_an_event_without_end_is_refused() -> None:
    reader = StreamReader()
    line = b"data: " + b"x" * (MAX_LINE_BYTES - 6) + b"\n"
    for _ in range(MAX_EVENT_BYTES // MAX_LINE_BYTES):
        reader.feed(line)
    with pytest.raises(ValueError, match="event of the stream is too long"):
        reader.feed(line)

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.phone.smsgate.stream_reader import MAX_LINE_BYTES, StreamEvent, StreamReader

STREAM = (
    b":keepalive\n\nevent: MessageEnqueued\ndata: null\n\ndata:a\ndata: b\r\n\r\nevent: Lost\n\n"
    b"id: 5\nevent: MessageCancelled\ndata: {}\n\nevent: Cut"
)
EVENTS = [
    StreamEvent("MessageEnqueued", "null"),
    StreamEvent("", "a\nb"),
    StreamEvent("MessageCancelled", "{}"),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_events_are_the_same_however_the_stream_is_cut(cuts: list[int]) -> None:
    # A line end of two characters is not cut: the stream's writer sends whole frames.
    at = [0, *sorted({cut for cut in cuts if STREAM[cut - 1 : cut] != b"\r"}), len(STREAM)]
    reader = StreamReader()
    got = [event for start, end in pairwise(at) for event in reader.feed(STREAM[start:end])]
    assert got == EVENTS


def test_a_line_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        StreamReader().feed(b"x" * (MAX_LINE_BYTES + 1))

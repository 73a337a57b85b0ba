"""Plain frames say the same as wsproto's, in whichever pieces they come."""

import random
from collections.abc import Sequence
from itertools import pairwise
from unittest import mock

import pytest
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import Event, Ping, Pong, TextMessage

from phonegate.phones.link import plain_frames
from phonegate.phones.link.plain_frames import PLAIN_BYTES, Plain, is_begun
from phonegate.phones.link.websocket import PhoneWebsocket

LIMIT = 3_000
"""Bytes of a frame in these tests."""


def frame(payload: bytes, first: int = 0x81, mask: bytes | None = b"mask", head: int = 0) -> bytes:
    """A frame whose size takes `head` bytes, or as many as it has to."""
    size = len(payload)
    head = head or (1 if size < 126 else 3 if size < 65_536 else 9)
    told = {1: b"", 3: size.to_bytes(2), 9: size.to_bytes(8)}[head]
    second = {1: size & 0x7F, 3: 126, 9: 127}[head] | (0 if mask is None else 0x80)
    if mask is not None:
        payload = bytes(one ^ mask[at % 4] for at, one in enumerate(payload))
    return bytes((first, second)) + told + (mask or b"") + payload


SIZES = st.sampled_from((0, 1, 3, 4, 5, 124, 125, 126, 300, PLAIN_BYTES, PLAIN_BYTES + 1))
MASKS = st.binary(min_size=4, max_size=4)
TEXTS = st.one_of(st.text(max_size=40).map(str.encode), SIZES.map(lambda size: b"x" * size))
PLAIN = st.builds(frame, TEXTS, st.sampled_from((0x81, 0x81, 0x81, 0x89, 0x8A)), MASKS)
ODD = st.one_of(
    # In pieces, perhaps with a plain frame in between.
    st.lists(st.binary(max_size=9).map(lambda b: b.hex().encode()), min_size=2, max_size=4).map(
        lambda pieces: b"".join(
            frame(piece, (0x01 if not at else 0) | (0x80 if at == len(pieces) - 1 else 0))
            + (frame(b"p", 0x89) if at == 0 else b"")
            for at, piece in enumerate(pieces)
        )
    ),
    st.binary(max_size=20).map(lambda b: frame(b, 0x82)),
    st.binary(max_size=20).map(frame),  # hardly ever UTF-8
    st.just(frame(b"\x03\xe8bye", 0x88)),
    st.builds(frame, TEXTS, st.integers(0, 255), MASKS),
    st.builds(frame, TEXTS, st.just(0x81), st.none()),
    st.builds(frame, TEXTS, st.just(0x81), MASKS, st.sampled_from((3, 9))),
    st.binary(max_size=8),
)


class Outcome:
    """What a websocket made of what came."""

    def __init__(self, data: bytes, cuts: Sequence[int], *, plainly: bool) -> None:
        near, _ = trio.testing.memory_stream_pair()
        websocket = PhoneWebsocket(near, max_frame_bytes=LIMIT, write_timeout_s=1)
        websocket.answered_at = -1.0
        self.frames: list[str | bytes] = []
        self.reply = b""
        self.is_over = False
        places = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
        for begin, end in pairwise(places):
            if begin == end:
                continue
            if plainly:
                begun, websocket._begun = websocket._begun, b""
                read = websocket._parse(begun + data[begin:end])
            else:
                read = websocket._parse_any(data[begin:end], [], b"", 0)
            self.frames += read.frames
            self.reply += read.reply
            self.is_over = read.is_last
            if self.is_over:
                break
        self.code = websocket.code
        self.ponged = websocket.answered_at >= 0


END = bytes(LIMIT)
"""Ends whatever is amid by then, and breaks the protocol."""


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.one_of(PLAIN, PLAIN, ODD), max_size=6).map(b"".join),
    st.lists(st.integers(0, 5_000), max_size=6),
)
async def test_whatever_comes_is_taken_as_wsproto_takes_it(data: bytes, cuts: list[int]) -> None:
    plainly = Outcome(data + END, cuts, plainly=True)
    by_wsproto = Outcome(data + END, cuts, plainly=False)
    assert vars(plainly) == vars(by_wsproto)
    assert plainly.is_over


async def test_frames_may_be_cut_at_every_byte() -> None:
    said = [b"", b"a", "h\u00e9llo \U0001f44b".encode(), b"x" * 125, b"y" * 126, b"z" * 1_025]
    data = b"".join(frame(text) + frame(b"now", 0x89) + frame(b"", 0x8A) for text in said)
    whole = Outcome(data, range(len(data)), plainly=True)
    assert whole.frames == [text.decode() for text in said]
    assert whole.reply == b"\x8a\x03now" * len(said)
    for cut in range(len(data)):
        assert Outcome(data, [cut], plainly=True).frames == whole.frames


async def test_after_what_is_not_plain_it_is_read_plainly_again() -> None:
    near, _ = trio.testing.memory_stream_pair()
    websocket = PhoneWebsocket(near, max_frame_bytes=LIMIT, write_timeout_s=1)
    pieces = frame(b"o", 0x01) + frame(b"n", 0x00) + frame(b"e", 0x80)
    assert websocket._parse(frame(b"a") + pieces[:-3]).frames == ["a"]
    assert websocket._general is not None
    assert websocket._parse(pieces[-3:]).frames == ["one"]
    assert websocket._general is None
    with mock.patch.object(PhoneWebsocket, "_parse_any", side_effect=AssertionError):
        assert websocket._parse(frame(b"b")).frames == ["b"]
    # Our close frame leaves what comes to be read on.
    assert websocket.goodbye(1001, "so long")
    assert websocket.goodbye(1001, "so long") == b""
    assert websocket.text("x") == websocket.ping() == b""
    read = websocket._parse(frame(b"c") + frame(b"", 0x89) + frame(b"\x03\xe9", 0x88))
    assert (read.frames, read.reply, read.is_last) == (["c"], b"", True)


async def test_a_lower_limit_bounds_plain_frames_too() -> None:
    near, _ = trio.testing.memory_stream_pair()
    websocket = PhoneWebsocket(near, max_frame_bytes=100, write_timeout_s=1)
    assert websocket._parse(frame(b"x" * 100)).frames == ["x" * 100]
    assert websocket._parse(frame(b"x" * 101)).is_last
    assert websocket.code == 1009


@given(PLAIN)
def test_a_plain_frame_is_begun_until_it_is_whole(data: bytes) -> None:
    whole = plain_frames.read(data)
    if not whole.events:
        # It is too large, for a text or for a control frame.
        assert not is_begun(data)
        return
    assert whole.end == len(data)
    assert not is_begun(data)
    assert not is_begun(b"")
    for cut in range(1, len(data)):
        assert plain_frames.read(data[:cut]) == Plain([], None, ponged=False, events=0, end=0)
        assert is_begun(data[:cut])


def test_a_frame_that_is_begun_is_small() -> None:
    maker = random.Random(5)
    for _ in range(2_000):
        data = maker.randbytes(maker.randrange(1, 12)) + bytes(PLAIN_BYTES)
        assert not is_begun(bytes((0x81,)) + data + bytes(20))


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_what_is_sent_is_what_wsproto_sends(size: int) -> None:
    def by_wsproto(event: Event) -> bytes:
        return Connection(ConnectionType.SERVER).send(event)

    assert plain_frames.text(b"x" * size) == by_wsproto(TextMessage(data="x" * size))
    payload = b"p" * min(size, 125)
    assert plain_frames.ping(payload) == by_wsproto(Ping(payload=payload))
    assert plain_frames.pong(payload) == by_wsproto(Pong(payload=payload))

"""What is known of a head is what would be read of it again."""

import re

import attrs
from hypothesis import given
from hypothesis import strategies as st

from phonegate.http.plain_request import PlainRequest
from phonegate.server.canonical import read_plain
from phonegate.server.head_memory import LONGEST, HeadMemory

POST = b"POST /send/o HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n"
GET = b"GET /sims/o HTTP/1.1\r\nHost: h\r\n\r\n"
PEER = "192.0.2.1"

KEPT = (
    GET,
    POST,
    b"POST / HTTP/1.1\r\nContent-Length:12  \r\nA: content-length: 7\r\nHost: h\r\n\r\n",
    b"POST /c HTTP/1.1\r\nHost: h\r\nX: y\r\ncontent-length: 0\r\n\r\n",
)

_CHANGES = st.lists(
    st.tuples(st.integers(0, 200), st.integers(0, 3), st.binary(max_size=3)), max_size=2
)
"""Where a head is cut, how much of it is left out, and what stands there instead."""


@given(st.sampled_from(KEPT), _CHANGES, st.from_regex(rb"[0-9]{0,12}", fullmatch=True))
def test_what_is_remembered_is_what_would_be_read(
    head: bytes, changes: list[tuple[int, int, bytes]], length: bytes
) -> None:
    heads: HeadMemory[PlainRequest] = HeadMemory()
    assert heads.find(PEER, head) is None
    request = read_plain(head)
    assert request is not None
    heads.keep(PEER, head, request)
    assert heads.find(PEER, head) == (request, request.length)
    assert heads.find("192.0.2.2", head) is None
    other = re.sub(rb"(?i)(\ncontent-length: *)[0-9]+", lambda found: found[1] + length, head)
    for at, size, instead in changes:
        other = other[:at] + instead + other[at + size :]
    found = heads.find(PEER, other)
    if found is not None:
        known, of_body = found
        named = {"content-length": str(of_body)} if b"ontent" in other else {}
        assert read_plain(other) == attrs.evolve(
            known, length=of_body, headers={**known.headers, **named}
        )


def test_what_does_not_come_again_is_dropped() -> None:
    heads: HeadMemory[str] = HeadMemory()
    heads.keep(PEER, GET, "get")
    heads.keep(PEER, POST, "post")
    for _ in range(3):
        heads.age()
        assert heads.find(PEER, GET) == ("get", 0)
    assert heads.find(PEER, POST) is None
    heads.age()
    heads.age()
    assert (heads.find(PEER, GET), len(heads)) == (None, 0)


def test_it_is_bounded() -> None:
    heads: HeadMemory[int] = HeadMemory(10)
    for number in range(100):
        heads.keep(PEER, GET.replace(b"sims", b"%d" % number), number)
        heads.keep(PEER, GET, -1)
        assert heads.find(PEER, GET) == (-1, 0)
        assert len(heads) <= 20
    heads.keep(PEER, GET.replace(b"sims", b"x" * LONGEST), 5)
    assert heads.find(PEER, GET.replace(b"sims", b"x" * LONGEST)) is None

from contextlib import suppress
from itertools import pairwise

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.server.errors import RequestRefused
from phonegate.server.head import (
    AUTHORITY,
    HOP_BY_HOP,
    MAX_EMPTY_LINES,
    MAX_HEADERS,
    HeadReader,
    RequestHead,
    check_handshake,
    parse,
    wants_websocket,
)

from .site import HANDSHAKE


def head(*lines: str | bytes) -> bytes:
    coded = [line.encode("latin-1") if isinstance(line, str) else line for line in lines]
    return b"\r\n".join(coded) + b"\r\n\r\n"


def refusal(data: bytes) -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        parse(data)
    return caught.value


def test_a_plain_request_is_read() -> None:
    read = parse(
        head("GET /messages/o?limit=1&q=%20 HTTP/1.1", "Host: h:80", "X-Secret-Key:  k \t")
    )
    assert (read.method, read.path, read.query) == ("GET", "/messages/o", "limit=1&q=%20")
    assert read.target == "/messages/o?limit=1&q=%20"
    assert read.headers == (("host", "h:80"), ("x-secret-key", "k"))


def test_no_secret_of_a_request_shows_in_its_repr() -> None:
    read = parse(head("GET /messages/o/s3cret?secret_key=s3cret HTTP/1.1", "Host: h", "X: s3cret"))
    assert "s3cret" not in repr(read)


def test_the_canonical_head_is_about_one_request_alone() -> None:
    read = parse(
        head(
            "GET / HTTP/1.1",
            "Host: h",
            "Connection: keep-alive, Upgrade, HTTP2-Settings",
            "Upgrade: h2c",
            "HTTP2-Settings: AAAA",
            "Keep-Alive: timeout=5",
            "Proxy-Connection: keep-alive",
            "TE: trailers",
            "Expect: 100-continue",
            "X-Name: caf\xe9",
        )
    )
    assert read.raw == head(
        "GET / HTTP/1.1",
        "host: h",
        "expect: 100-continue",
        "x-name: caf\xe9",
        "connection: close",
    )
    assert ("upgrade", "h2c") in read.headers


@pytest.mark.parametrize(
    ("target", "path", "host"),
    [
        ("http://a.example:81/x?y=z", "/x?y=z", "a.example:81"),
        ("HTTPS://a.example", "/", "a.example"),
        ("http://a.example?y", "/?y", "a.example"),
        ("http://[::1]:8080/x", "/x", "[::1]:8080"),
    ],
)
def test_an_absolute_target_is_reduced_and_its_host_counts(
    target: str, path: str, host: str
) -> None:
    read = parse(head(f"GET {target} HTTP/1.1", "Host: other.example", "A: b"))
    assert read.target == path
    assert read.all("host") == [host]
    assert b"other.example" not in read.raw


def test_options_of_the_whole_server_and_http_1_0_without_host_are_fine() -> None:
    assert parse(head("OPTIONS * HTTP/1.1", "Host: h")).path == "*"
    assert parse(head("GET / HTTP/1.0")).raw == head("GET / HTTP/1.0", "connection: close")


@pytest.mark.parametrize(
    ("status", "lines"),
    [
        (400, ["GET / HTTP/1.1"]),
        (400, ["GET / HTTP/1.1", "Host: a", "Host: a"]),
        (400, ["GET / HTTP/1.1", "Host: a b"]),
        (400, ["GET / HTTP/1.1", "Host: a,b"]),
        (400, ["GET / HTTP/1.1", "Host: a..b"]),
        (400, ["GET / HTTP/1.1", "Host: [..]"]),
        (400, ["GET / HTTP/1.1", "Host: .a"]),
        (400, ["GET / HTTP/1.1", "Host: ."]),
        (400, ["GET / HTTP/1.1", f"Host: {'a' * 64}"]),
        (400, ["GET / HTTP/1.1", f"Host: a.{'b' * 64}.c:80"]),
        (400, ["GET / HTTP/1.1", f"Host: {'a.' * 127}com"]),
        (400, ["GET http://a..b/ HTTP/1.1", "Host: a"]),
        (400, ["GET / HTTP/1.1", "Host: user@a"]),
        (400, ["GET / HTTP/1.1", "Host: h\xff"]),
        (400, ["GET http://user@a/ HTTP/1.1", "Host: a"]),
        (400, ["GET http:///x HTTP/1.1", "Host: a"]),
        (400, ["GET / HTTP/1.1", "Host: h", "Content-Length: 1", "Transfer-Encoding: chunked"]),
        (400, ["GET / HTTP/1.1", "Host: h", "Content-Length: 1", "Content-Length: 1"]),
        (400, ["GET / HTTP/1.1", "Host: h", "Content-Length: 1, 1"]),
        (400, ["GET / HTTP/1.1", "Host: h", "Content-Length: +1"]),
        (400, ["GET / HTTP/1.1", "Host: h", "Content-Length: -1"]),
        (400, ["GET / HTTP/1.1", "Host: h", "Content-Length: 0x1"]),
        (400, ["GET / HTTP/1.1", "Host: h", "Content-Length:"]),
        (400, ["GET / HTTP/1.1", "Host: h", "Content-Length: " + "9" * 21]),
        (400, ["GET / HTTP/1.1", "Host: h", "Content-Length : 1"]),
        (501, ["GET / HTTP/1.1", "Host: h", "Transfer-Encoding: gzip, chunked"]),
        (501, ["GET / HTTP/1.1", "Host: h", "Transfer-Encoding: identity"]),
        (400, ["GET / HTTP/1.1", "Host: h", "Transfer-Encoding: chunked", "Transfer-Encoding: x"]),
        (400, ["GET / HTTP/1.0", "Transfer-Encoding: chunked"]),
        (400, ["GET / HTTP/1.1", "Host: h", "A: b", " folded"]),
        (400, ["GET / HTTP/1.1", " Host: h"]),
        (400, ["GET / HTTP/1.1", "Host: h", "no colon"]),
        (400, ["GET / HTTP/1.1", "Host: h", ": empty"]),
        (400, ["GET / HTTP/1.1", "Host: h", "Na me: b"]),
        (400, ["GET / HTTP/1.1", "Host: h", "N\xe4me: b"]),
        (400, ["GET  / HTTP/1.1", "Host: h"]),
        (400, ["GET / HTTP/1.1 ", "Host: h"]),
        (400, ["GET /", "Host: h"]),
        (400, ["", "GET / HTTP/1.1", "Host: h"]),
        (400, ["get / HTTP/1.1", "Host: h"]),
        (400, ["GET x HTTP/1.1", "Host: h"]),
        (400, ["GET * HTTP/1.1", "Host: h"]),
        (400, ["GET /a#b HTTP/1.1", "Host: h"]),
        (400, ["GET /\xff HTTP/1.1", "Host: h"]),
        (400, ["GET ftp://h/ HTTP/1.1", "Host: h"]),
        (405, ["CONNECT h:443 HTTP/1.1", "Host: h"]),
        (505, ["PRI * HTTP/2.0"]),
        (505, ["GET / HTTP/1.2", "Host: h"]),
        (400, ["GET / HTTP/11", "Host: h"]),
        (417, ["GET / HTTP/1.1", "Host: h", "Expect: a miracle"]),
        (400, ["GET / HTTP/1.1", "Host: h", "Connection: Upgrade, \xff"]),
        (400, ["GET / HTTP/1.1", "Host: h", "Sec-WebSocket-Protocol: \xff"]),
        (431, ["GET / HTTP/1.1", "Host: h", *["A: b"] * MAX_HEADERS]),
    ],
)
def test_what_another_parser_might_read_otherwise_is_refused(status: int, lines: list[str]) -> None:
    assert refusal(head(*lines)).status == status


def test_a_refusal_quotes_nothing_of_the_request() -> None:
    refused = refusal(head("GET / HTTP/1.1", "Host: h", "X-Secret-Key\x20: s3cret"))
    assert "s3cret" not in refused.detail
    assert refused.__cause__ is None
    assert refused.__suppress_context__ or refused.__context__ is None


class TestHeadReader:
    def test_a_head_is_cut_from_what_follows(self) -> None:
        assert HeadReader(100).feed(b"GET / HTTP/1.1\r\n\r\nbody\n") == (
            b"GET / HTTP/1.1\r\n\r\n",
            b"body\n",
        )

    @pytest.mark.parametrize(
        "data",
        [b"GET / HTTP/1.1\n\n", b"GET / HTTP/1.1\r\nA: b\nC: d", b"GET /\rA", b"A\0", b"\x16\x03"],
    )
    def test_a_line_end_or_character_that_is_none_is_refused_at_once(self, data: bytes) -> None:
        with pytest.raises(RequestRefused) as caught:
            HeadReader(100).feed(data)
        assert caught.value.status == 400

    def test_a_long_head_is_refused_whole_or_not(self) -> None:
        for data in (b"a" * 101, b"a" * 99 + b"\r\n\r\n"):
            with pytest.raises(RequestRefused) as caught:
                HeadReader(100).feed(data)
            assert caught.value.status == 431
        assert HeadReader(100).feed(b"a" * 96 + b"\r\n\r\nrest" * 50) is not None

    @given(data=st.text("G\r\n\0ab", max_size=30), cuts=st.lists(st.integers(0, 30)))
    def test_how_the_bytes_are_cut_changes_nothing(self, data: str, cuts: list[int]) -> None:
        whole = data.encode()

        def outcome(pieces: list[bytes]) -> object:
            reader = HeadReader(25)
            came = b""
            for piece in pieces:
                came += piece
                try:
                    found = reader.feed(piece)
                except RequestRefused as refused:
                    return refused.status
                if found is not None:
                    return found[0]
            return None

        edges = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
        pieces = [whole[a:b] for a, b in pairwise(edges)]
        at_once, in_parts = outcome([whole]), outcome(pieces)
        # A head may already be whole, or wrong, before the byte that makes it too long comes.
        assert at_once in (in_parts, 431)


class TestHandshake:
    def test_a_websocket_handshake_keeps_what_it_needs(self) -> None:
        read = parse(HANDSHAKE)
        assert wants_websocket(read)
        check_handshake(read)
        assert read.all("sec-websocket-key") == ["AAAAAAAAAAAAAAAAAAAAAA=="]
        assert b"upgrade" not in read.raw.lower()

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"GET", b"POST"),
            (b"Upgrade: websocket", b"Upgrade: h2c"),
            (b"Connection: Upgrade", b"Connection: close"),
        ],
    )
    def test_what_is_no_websocket_request_is_none(self, old: bytes, new: bytes) -> None:
        data = HANDSHAKE.replace(old, new)
        if old != b"GET":
            data = data.replace(b"Sec-WebSocket-Key", b"X-Key")
        assert not wants_websocket(parse(data))

    @pytest.mark.parametrize(
        ("old", "new", "status"),
        [
            (b"Version: 13", b"Version: 8", 426),
            (b"Upgrade: websocket", b"Upgrade: h2c", 426),
            (b"Connection: Upgrade", b"Connection: close", 426),
            (b"HTTP/1.1", b"HTTP/1.0", 426),
            (b"Sec-WebSocket-Version: 13\r\n", b"", 426),
            (b"AAAA==", b"AA==", 400),
            (b"AAAA==", b"AAA!==", 400),
            (b"Sec-WebSocket-Key", b"X-Key", 400),
            (b"Host: h", b"Host: h\r\nContent-Length: 5", 400),
            (b"Host: h", b"Host: h\r\nTransfer-Encoding: chunked", 400),
        ],
    )
    def test_a_wrong_handshake_is_refused(self, old: bytes, new: bytes, status: int) -> None:
        with pytest.raises(RequestRefused) as caught:
            check_handshake(parse(HANDSHAKE.replace(old, new)))
        assert caught.value.status == status


@given(
    name=st.text("abcXYZ-_0", min_size=1),
    value=st.text(st.characters(codec="latin-1", exclude_categories=["Cc"])),
    path=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#")),
)
def test_a_later_parser_reads_the_canonical_head_as_we_did(
    name: str, value: str, path: str
) -> None:
    data = head(f"POST /{path} HTTP/1.1", "Host: h", "Content-Length: 3", f"x-{name}: {value}")
    try:
        read = parse(data)
    except RequestRefused:
        return
    later = h11.Connection(h11.SERVER)
    later.receive_data(read.raw)
    request = later.next_event()
    assert isinstance(request, h11.Request)
    assert (request.method.decode(), request.target.decode()) == (read.method, read.target)
    seen = [(key.decode(), text.decode("latin-1")) for key, text in request.headers]
    assert seen == [*(p for p in read.headers if p[0] not in HOP_BY_HOP), ("connection", "close")]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(RequestRefused):
        found = HeadReader(150).feed(data + b"\r\n\r\n")
        if found is None:  # but empty lines there is nothing yet
            assert not data.strip(b"\r\n")
            return
        assert isinstance(parse(found[0]), RequestHead)


@pytest.mark.parametrize(
    "host", ["", "a.", "a.b.", f"{'a' * 63}.{'b' * 63}:8080", f"{'a.' * 126}a", "[::1]", "a_b:"]
)
def test_a_host_that_can_be_is_taken(host: str) -> None:
    assert parse(head("GET / HTTP/1.1", f"Host: {host}")).all("host") == [host]


@given(st.from_regex(AUTHORITY, fullmatch=True))
def test_whatever_passes_as_a_host_is_one_for_werkzeug_too(host: str) -> None:
    name = host.lower().partition(":")[0]
    name.encode("idna")


@given(st.integers(0, MAX_EMPTY_LINES), st.lists(st.integers(0, 40), max_size=4))
def test_empty_lines_before_a_request_are_passed_over(count: int, cuts: list[int]) -> None:
    request = head("GET / HTTP/1.1", "Host: h")
    data, reader = b"\r\n" * count + request + b"rest", HeadReader(1000)
    places = [0, *sorted(min(cut, len(data) - 5) for cut in cuts), len(data)]
    found = [reader.feed(data[a:b]) for a, b in pairwise(places)]
    assert found[-1] is not None
    assert found[-1][0] == request


@pytest.mark.parametrize("pieces", [1, 2])
def test_they_are_bounded(pieces: int) -> None:
    reader = HeadReader(1000)
    data = b"\r\n" * (MAX_EMPTY_LINES + 1) + head("GET / HTTP/1.1", "Host: h")
    whole = None
    for at in range(0, len(data), -(-len(data) // pieces)):
        whole = whole or reader.feed(data[at : at + -(-len(data) // pieces)])
    assert whole is not None
    assert refusal(whole[0]).status == 400


def test_an_empty_line_alone_is_no_begun_request() -> None:
    reader = HeadReader(1000)
    assert reader.feed(b"\r\n") is None
    assert not reader.begun


@pytest.mark.parametrize(
    ("version", "lines", "lacking"),
    [
        ("1.0", ["Connection: close"], "HTTP/1.1 and its headers Upgrade and Connection"),
        ("1.0", ["Connection: upgrade", "Upgrade: websocket"], "HTTP/1.1"),
        ("1.1", ["Connection: close"], "its headers Upgrade and Connection"),
        ("1.1", ["Connection: upgrade"], "its headers Upgrade and Connection"),
    ],
)
def test_what_a_proxy_took_from_a_handshake_is_told(
    version: str, lines: list[str], lacking: str
) -> None:
    key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
    read = parse(head(f"GET /websocket HTTP/{version}", "Host: h", key, *lines))
    assert wants_websocket(read)
    with pytest.raises(
        RequestRefused, match=f"without {lacking}. A proxy .*proxy_http_version 1.1"
    ) as e:
        check_handshake(read)
    assert (e.value.status, e.value.code) == (426, "upgrade_required")

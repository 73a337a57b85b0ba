"""Plain requests: what is taken means what every other parser reads, and nothing odd is taken."""

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.server.canonical import head_of, read_plain, read_plain_handshake
from phonegate.server.errors import RequestRefused
from phonegate.server.head import MAX_HEADERS, check_handshake, parse, wants_websocket

POST = b"POST /send/o HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n"
GET = b"GET /sims/o HTTP/1.1\r\nHost: h\r\n\r\n"


def with_line(line: bytes, data: bytes = POST) -> bytes:
    return data.replace(b"Host: h\r\n", b"Host: h\r\n" + line + b"\r\n")


def test_a_plain_request_is_read() -> None:
    request = read_plain(
        b"POST /send/o%2Fp?a=1&b=%20 HTTP/1.1\r\nHOST:h:80\r\nContent-Length: 12 \r\n"
        b"X-Secret-Key:  a: b  \r\nX-Empty:\r\n\r\n"
    )
    assert request is not None
    assert (request.method, request.path, request.query) == ("POST", "/send/o%2Fp", "a=1&b=%20")
    assert request.headers == {
        "host": "h:80",
        "content-length": "12",
        "x-secret-key": "a: b",
        "x-empty": "",
    }
    assert (request.length, request.stays) == (12, True)


@pytest.mark.parametrize(
    ("line", "stays"),
    [
        (b"Connection: close", False),
        (b"Connection: Close", False),
        (b"Connection: keep-alive", True),
        (b"Connection: Keep-Alive", True),
        (b"Connection:", True),
    ],
)
def test_whether_it_stays_is_the_client_s_to_say(line: bytes, *, stays: bool) -> None:
    request = read_plain(with_line(line, GET))
    assert request is not None
    assert request.stays is stays


@pytest.mark.parametrize(
    "head",
    [
        # The version, the method, the target.
        GET.replace(b"/1.1", b"/1.0"),
        GET.replace(b"/1.1", b"/2.0"),
        GET.replace(b"GET", b"HEAD"),
        GET.replace(b"GET", b"OPTIONS"),
        GET.replace(b"GET", b"DELETE"),
        GET.replace(b"GET", b"get"),
        GET.replace(b" /sims/o", b" http://h/sims/o"),
        GET.replace(b" /sims/o", b" *"),
        GET.replace(b" /sims/o", b" sims/o"),
        GET.replace(b" /sims/o", b"  /sims/o"),
        GET.replace(b" /sims/o", b" /sims/o#a"),
        GET.replace(b" /sims/o", b" /sims/\xc3\xbc"),
        GET.replace(b" /sims/o", b" /sims/o\t"),
        b"\r\n" + GET,
        # The lines.
        GET.replace(b"\r\n", b"\n"),
        GET.replace(b"Host: h\r\n", b"Host: h\n"),
        with_line(b" folded: x"),
        with_line(b"A: b\r\n c"),
        with_line(b"A : b"),
        with_line(b"A"),
        with_line(b": b"),
        with_line(b"A\x00: b"),
        with_line(b"A: \x00"),
        with_line(b"A: b\x0bc"),
        with_line(b"A: b\tc"),
        with_line(b"A: \xff"),
        with_line(b"A: b\rc"),
        with_line(b"A: b\r"),
        with_line(b"A: 1\r\na: 1"),
        GET.replace(b"Host: h", b"\r\n".join(b"A%d: b" % at for at in range(MAX_HEADERS + 1))),
        # The host.
        GET.replace(b"Host: h\r\n", b""),
        GET.replace(b"Host: h\r\n", b"A: b\r\n"),
        with_line(b"Host: h"),
        GET.replace(b"Host: h", b"Host: h/x"),
        GET.replace(b"Host: h", b"Host: u@h"),
        # The length.
        POST.replace(b"Content-Length: 3\r\n", b""),
        with_line(b"Content-Length: 3"),
        with_line(b"Content-Length: 4"),
        with_line(b"content-length: 3"),
        POST.replace(b": 3", b": 3, 3"),
        POST.replace(b": 3", b": +3"),
        POST.replace(b": 3", b": -3"),
        POST.replace(b": 3", b": 03"),
        POST.replace(b": 3", b": 0x3"),
        POST.replace(b": 3", b": 3_0"),
        POST.replace(b": 3", b": 3 3"),
        POST.replace(b": 3", b":"),
        POST.replace(b": 3", b": " + b"9" * 11),
        with_line(b"Content-Length: 0", GET),
        with_line(b"Content-Length: 3", GET),
        # What steers.
        with_line(b"Transfer-Encoding: chunked"),
        with_line(b"Transfer-Encoding: chunked", POST.replace(b"Content-Length: 3\r\n", b"")),
        with_line(b"transfer-encoding: identity"),
        with_line(b"Expect: 100-continue"),
        with_line(b"Upgrade: websocket"),
        with_line(b"Upgrade: h2c"),
        with_line(b"HTTP2-Settings: AAAA"),
        with_line(b"TE: trailers"),
        with_line(b"Trailer: x"),
        with_line(b"Keep-Alive: timeout=5"),
        with_line(b"Proxy-Connection: close"),
        with_line(b"Connection: upgrade"),
        with_line(b"Connection: close, X-Secret-Key"),
        with_line(b"Connection: keep-alive\r\nConnection: close"),
        # More or less than one head.
        b"",
        b"\r\n\r\n",
        GET[:-2],
        GET + b"\r\n",
        GET + GET,
    ],
)
def test_what_is_not_plain_is_left_to_others(head: bytes) -> None:
    assert read_plain(GET) is not None
    assert read_plain(POST) is not None
    assert read_plain(head) is None


_WORDS = st.sampled_from(
    [
        *(b"GET", b"POST", b" ", b" ", b"/", b"/send/o", b"?", b"#", b"%2f", b"HTTP/1.1", b"\r\n"),
        *(b"\r\n", b"\r\n", b"Host: h", b"Host:", b"Content-Length: 1", b"Content-Length:", b"00"),
        *(b"Transfer-Encoding: chunked", b"A: b", b"a", b":", b"\t", b"\r", b"\n", b"\0", b"\xff"),
        *(b"Connection: close", b"close", b",", b"Expect: 100-continue", b"\x7f", b"1", b"@"),
    ]
)


@given(
    start=st.sampled_from([GET, POST]),
    at=st.integers(0, 60),
    cut=st.integers(0, 3),
    words=st.lists(_WORDS, max_size=5),
    more=st.lists(st.tuples(_WORDS, st.binary(max_size=4)), max_size=2),
)
def test_whatever_is_taken_other_parsers_read_alike(
    start: bytes, at: int, cut: int, words: list[bytes], more: list[tuple[bytes, bytes]]
) -> None:
    lines = b"".join(b"".join(pair) + b"\r\n" for pair in more)
    data = start.replace(b"Host: h\r\n", b"Host: h\r\n" + lines)
    data = data[:at] + b"".join(words) + data[at + cut :]
    data = data[: data.find(b"\r\n\r\n") + 4]
    request = read_plain(data)
    if request is None:
        return
    try:
        strict = parse(data)
    except RequestRefused:
        pytest.fail("taken, and refused by the strict parser")
    assert (request.method, request.path, request.query) == (
        strict.method,
        strict.path,
        strict.query,
    )
    assert tuple(request.headers.items()) == strict.headers
    assert head_of(request).raw == strict.raw.replace(b"? HTTP/", b" HTTP/")
    machine = h11.Connection(h11.SERVER)
    machine.receive_data(data + b"x" * request.length + GET)
    assert isinstance(machine.next_event(), h11.Request)
    body = b""
    while isinstance(event := machine.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert body == b"x" * request.length
    # h11 knows by now whether the connection stays, and what belongs to the next request.
    assert machine.trailing_data == (GET, False)
    assert (machine.their_state is h11.DONE) is request.stays


HANDSHAKE = (
    b"GET /websocket?org_id=o&secret_key=a+b%20 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: cGhvbmVnYXRlIGJlbmNoIQ==\r\n\r\n"
)


@pytest.mark.parametrize(
    "head",
    [
        HANDSHAKE,
        HANDSHAKE.replace(b": Upgrade", b":keep-alive, Upgrade "),
        HANDSHAKE.replace(b": websocket", b": WebSocket"),
        with_line(b"User-Agent: okhttp/4.12.0\r\nAccept-Encoding: gzip", HANDSHAKE),
    ],
)
def test_a_plain_handshake_is_read_as_the_parser_reads_it(head: bytes) -> None:
    request = read_plain_handshake(head)
    assert request == parse(head)
    assert request is not None
    assert wants_websocket(request)
    check_handshake(request)


@pytest.mark.parametrize(
    "head",
    [
        GET,
        HANDSHAKE.replace(b"GET", b"POST"),
        HANDSHAKE.replace(b"/1.1", b"/1.0"),
        HANDSHAKE.replace(b"Upgrade: websocket\r\n", b""),
        HANDSHAKE.replace(b": websocket", b": h2c"),
        HANDSHAKE.replace(b": websocket", b": websocket, h2c"),
        HANDSHAKE.replace(b"Host: h\r\n", b""),
        HANDSHAKE.replace(b"Host: h", b"Host: u@h"),
        HANDSHAKE + b"x",
        with_line(b"Content-Length: 0", HANDSHAKE),
        with_line(b"Content-Length: 1", HANDSHAKE),
        with_line(b"Transfer-Encoding: chunked", HANDSHAKE),
        with_line(b"Expect: 100-continue", HANDSHAKE),
        with_line(b"TE: trailers", HANDSHAKE),
        with_line(b"HTTP2-Settings: AAAA", HANDSHAKE),
        with_line(b"Upgrade: websocket", HANDSHAKE),
        with_line(b"Sec-WebSocket-Key: cGhvbmVnYXRlIGJlbmNoIQ==", HANDSHAKE),
        with_line(b" folded: x", HANDSHAKE),
        with_line(b"A: \xff", HANDSHAKE),
    ],
)
def test_another_handshake_is_left_to_the_parser(head: bytes) -> None:
    assert read_plain_handshake(head) is None


@given(
    at=st.integers(0, 200),
    cut=st.integers(0, 3),
    words=st.lists(_WORDS, max_size=5),
    more=st.lists(st.tuples(_WORDS, st.binary(max_size=4)), max_size=2),
)
def test_whatever_handshake_is_taken_the_parser_reads_alike(
    at: int, cut: int, words: list[bytes], more: list[tuple[bytes, bytes]]
) -> None:
    lines = b"".join(b"".join(pair) + b"\r\n" for pair in more)
    data = HANDSHAKE.replace(b"Host: h\r\n", b"Host: h\r\n" + lines)
    data = data[:at] + b"".join(words) + data[at + cut :]
    data = data[: data.find(b"\r\n\r\n") + 4]
    request = read_plain_handshake(data)
    if request is None:
        return
    strict = parse(data)
    assert (request.path, request.query, request.headers) == (
        strict.path,
        strict.query,
        strict.headers,
    )
    assert request.raw == strict.raw.replace(b"? HTTP/", b" HTTP/")
    machine = h11.Connection(h11.SERVER)
    machine.receive_data(data + GET)
    assert isinstance(machine.next_event(), h11.Request)
    assert isinstance(machine.next_event(), h11.EndOfMessage)

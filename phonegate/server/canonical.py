"""Reads requests in the one form that the fast path takes, and handshakes, without a parser. Pure.

The requests that most clients send are so plain that all readers agree on them: two fields decide
the framing, and both are looked at here. A request of another form is not refused but left to
`head`, which reads every form. So this module must read what it takes as `head` does, and must not
guess at what it doesn't understand. (Measured on a head of nine lines: 7 µs here, 21
through h11 alone, 41 through `head`, which asks h11 and then looks at what h11 lets pass.)
"""

import re

from phonegate.http.plain_request import PlainRequest

from .head import AUTHORITY, MAX_HEADERS, RequestHead

# The target in origin form. Values of visible ASCII and spaces: no tab, no obs-text, no fold.
_HEAD = re.compile(
    rb"(GET|POST) (/[\x21\x22\x24-\x3e\x40-\x7e]*)(?:\?([\x21\x22\x24-\x7e]*))? HTTP/1\.1\r\n"
    rb"((?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\x20-\x7e]*\r\n)+)\r\n"
)
_LENGTH = re.compile("0|[1-9][0-9]{0,9}")
_LENGTH_FIELD = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)

_STEERING = frozenset(
    {
        "expect",
        "http2-settings",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Fields that change how a connection or a body is read; a plain request has none of them."""


def read_plain(head: bytes) -> PlainRequest | None:
    """Reads a whole head, with its empty line. Returns `None` if it is not plain."""
    found = _HEAD.fullmatch(head)
    if found is None:
        return None
    method, path, query, block = found.groups(b"")
    headers = _fields(block)
    if headers is None or not _STEERING.isdisjoint(headers):
        return None
    connection = headers.get("connection", "").lower()
    length = headers.get("content-length")
    if (
        connection not in {"", "keep-alive", "close"}
        or not AUTHORITY.fullmatch(headers.get("host", "?"))
        # A body in a GET, or a POST that does not say how long its body is: allowed, not plain.
        or (length is None) is (method == b"POST")
        or not _LENGTH.fullmatch("0" if length is None else length)
    ):
        return None
    return PlainRequest(
        method=method.decode("ascii"),
        path=path.decode("ascii"),
        query=query.decode("ascii"),
        headers=headers,
        length=int(length or 0),
        stays=connection != "close",
    )


def without_length(head: bytes) -> tuple[bytes, bytes, int | None]:
    """Returns what stands in a head before and after the number of its body's bytes, and that.

    Two heads that differ in that number alone mean the same, if `read_plain` reads one of them.
    The number is 0 where there is none, and `None` where it is not written as it should be.
    """
    found = _LENGTH_FIELD.search(head)
    if found is None:
        return head, b"", 0
    digits = found[1].decode("ascii")
    length = int(digits) if _LENGTH.fullmatch(digits) else None
    return head[: found.start(1)], head[found.end(1) :], length


def read_plain_handshake(head: bytes) -> RequestHead | None:
    """Reads the whole head of a websocket handshake. Returns `None` if it is none or not plain.

    It has no body, and its `Connection` is for `head.check_handshake` to judge.
    """
    found = _HEAD.fullmatch(head)
    if found is None or found[1] != b"GET":
        return None
    path, query = found[2].decode("ascii"), (found[3] or b"").decode("ascii")
    headers = _fields(found[4])
    if (
        headers is None
        or headers.get("upgrade", "").lower() != "websocket"
        or _STEERING.intersection(headers) != {"upgrade"}
        or "content-length" in headers
        or not AUTHORITY.fullmatch(headers.get("host", "?"))
    ):
        return None
    return RequestHead(
        method="GET",
        target=f"{path}?{query}" if query else path,
        path=path,
        query=query,
        headers=tuple(headers.items()),
    )


def _fields(block: bytes) -> dict[str, str] | None:
    lines = block.decode("ascii").split("\r\n")
    lines.pop()
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip(" ")
    return None if len(headers) != len(lines) or len(lines) > MAX_HEADERS else headers


def head_of(request: PlainRequest) -> RequestHead:
    """Returns the same head, as `head.parse` reads it."""
    return RequestHead(
        method=request.method,
        target=f"{request.path}?{request.query}" if request.query else request.path,
        path=request.path,
        query=request.query,
        headers=tuple(request.headers.items()),
    )

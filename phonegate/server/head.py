"""Finds the head of an HTTP/1 request, reads it strictly and writes it anew. Pure.

A gateway behind a proxy is only safe while both read a request alike, so what RFC 9112 lets a
lenient server repair (bare LF, folded lines, repeated lengths) is refused here. What passes is
written again in one canonical form. A later parser sees only that, and so can't disagree.
"""

import base64
import binascii
import re
from collections import Counter

import attrs

from .errors import RequestRefused

MAX_HEADERS = 100
"""Header lines of one request. Browsers and proxies send under 40, and Apache stops at 100 too."""

HOP_BY_HOP = frozenset(
    {"connection", "http2-settings", "keep-alive", "proxy-connection", "te", "upgrade"}
)
"""Fields about the connection, not the request (RFC 9110, 7.6.1). What serves it has its own."""

# Fields that steer parsing or the handshake: other octets than ASCII have no meaning in them,
# and have crashed the libraries behind the server.
_ASCII_ONLY = ("host", "connection", "upgrade", "expect", "http2-settings", "sec-websocket-")

_LINE_END = b"\r\n"
_END = b"\r\n\r\n"
_FORBIDDEN = re.compile(rb"(?<!\r)\n|\r[^\n]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) HTTP/([0-9]\.[0-9])")
_LABEL = r"[A-Za-z0-9_~%!$&'()*+;=-]{1,63}"
AUTHORITY = re.compile(
    rf"((?![^:]{{255}})(?:{_LABEL}\.)*{_LABEL}\.?"
    r"|\[[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]*\]|)(:[0-9]{0,5})?"
)
"""What a Host field may hold: nothing, an address, or a name whose labels are those of a domain
(RFC 1035, 2.3.4: 1 to 63 octets each, 253 in all and a dot at the end), or an IPv6 address.
Werkzeug fails on others, `[..]` among them."""

MAX_EMPTY_LINES = 8
"""Empty lines before a request that are passed over: RFC 9112, 2.2 asks for at least one. Some
HTTP libraries of modems and microcontrollers send one or two behind each body."""


def _bad(detail: str) -> RequestRefused:
    return RequestRefused(400, detail, "bad_request")


@attrs.frozen(kw_only=True)
class RequestHead:
    """A request without its body. Header names are lower-case, and values Latin-1 text.

    `path` and `query` are as sent, undecoded. Nearly every field may hold a secret, hence the
    short `repr`.
    """

    method: str
    target: str = attrs.field(repr=False)
    path: str = attrs.field(repr=False)
    query: str = attrs.field(repr=False)
    headers: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    version: str = "1.1"

    @property
    def raw(self) -> bytes:
        """The canonical head, which a later parser reads instead of what came."""
        kept = [(name, value) for name, value in self.headers if name not in HOP_BY_HOP]
        lines = [f"{self.method} {self.target} HTTP/{self.version}"]
        lines += [f"{name}: {value}" for name, value in (*kept, ("connection", "close"))]
        return "\r\n".join(lines).encode("latin-1") + _END

    def all(self, name: str) -> list[str]:
        """Returns the values of every header line `name` (lower-case), in order."""
        return [value for key, value in self.headers if key == name]

    def tokens(self, name: str) -> set[str]:
        """Returns the comma-separated tokens of the header `name`, in lower case."""
        listed = ",".join(self.all(name)).split(",")
        return {token.strip().lower() for token in listed if token.strip()}


def after_empty_lines(data: bytes | bytearray, most: int = MAX_EMPTY_LINES) -> int:
    """Returns where a request begins, behind at most so many empty lines."""
    at = 0
    while at < 2 * most and data.startswith(_LINE_END, at):
        at += len(_LINE_END)
    return at


class HeadReader:
    """Gathers bytes until a head is whole, and looks at each byte once.

    Args:
        max_bytes: The longest head, with its empty line.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max = max_bytes
        self._buffer = bytearray()
        self._empty_lines = MAX_EMPTY_LINES
        """How many more may be passed over."""

    @property
    def begun(self) -> bool:
        """Whether anything has come."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Takes what came.

        Returns:
            The head with its empty line and the bytes after it, or `None` while it isn't whole.

        Raises:
            RequestRefused: What came can't become an acceptable head any more.
        """
        seen = len(self._buffer)
        self._buffer += data
        if self._empty_lines and seen <= 1:  # an empty line may come in two pieces
            skipped = after_empty_lines(self._buffer, self._empty_lines)
            del self._buffer[:skipped]
            self._empty_lines -= skipped // len(_LINE_END)
            seen = 0
        found = self._buffer.find(_END, max(0, seen - len(_END) + 1))
        length = len(self._buffer) if found < 0 else found + len(_END)
        if length > self._max:
            raise RequestRefused(
                431, f"The head of a request may have {self._max} bytes.", "head_too_large"
            )
        if _FORBIDDEN.search(self._buffer, max(0, seen - 1), length):
            raise _bad("The head holds a control character, or a line that does not end in CRLF.")
        if found < 0:
            return None
        return bytes(self._buffer[:length]), bytes(self._buffer[length:])


def parse(data: bytes) -> RequestHead:
    """Reads a whole head, with its empty line, as `HeadReader` gives it.

    Raises:
        RequestRefused: It is not HTTP/1.0 or 1.1 as RFC 9112 writes it, or can be read in two ways.
    """
    lines = data.removesuffix(_END).split(b"\r\n")
    start = _REQUEST_LINE.fullmatch(lines[0])
    if start is None:
        raise _bad("The request line must be a method, a target and the HTTP version.")
    method, target, version = (part.decode("ascii") for part in start.groups())
    if version not in ("1.0", "1.1"):
        detail = "This port speaks HTTP/1.1 and 1.0."
        raise RequestRefused(505, detail, "http_version_not_supported")
    if method != method.upper():
        raise _bad("The method must be in capital letters.")
    _check_lines(lines[1:], version)
    headers = _headers(data)
    path, query, authority = _split_target(method, target)
    headers = _with_host(headers, authority)
    for name, value in headers:
        if name.startswith(_ASCII_ONLY) and not value.isascii():
            raise _bad(f"The header {name} must be ASCII.")
        if name == "expect" and value.lower() != "100-continue":
            raise RequestRefused(417, "Only 100-continue can be expected.", "expectation_failed")
    target = path + query
    return RequestHead(
        method=method,
        target=target,
        path=path,
        query=query[1:],
        headers=headers,
        version=version,
    )


def wants_websocket(head: RequestHead) -> bool:
    """Tells whether this is a request to switch to websockets, or was one (RFC 6455, 4.1).

    A proxy that knows nothing of websockets passes on the key alone: `check_handshake` says so.
    """
    return head.method == "GET" and (_asks_to_switch(head) or bool(head.all("sec-websocket-key")))


def _asks_to_switch(head: RequestHead) -> bool:
    return "upgrade" in head.tokens("connection") and "websocket" in head.tokens("upgrade")


def check_handshake(head: RequestHead) -> None:
    """Checks the head of a websocket handshake.

    Raises:
        RequestRefused: RFC 6455, 4.2.1 does not allow it.
    """
    if lacking := _lacking(head):
        raise RequestRefused(
            426,
            f"A websocket handshake came here without {lacking}. A proxy on the way has to pass "
            'them on; in nginx: proxy_http_version 1.1; proxy_set_header Upgrade "websocket"; '
            'proxy_set_header Connection "upgrade".',
            "upgrade_required",
            headers=(("Upgrade", "websocket"),),
        )
    if head.all("content-length") not in ([], ["0"]) or head.all("transfer-encoding"):
        raise _bad("A websocket handshake has no body.")
    if head.all("sec-websocket-version") != ["13"]:
        raise RequestRefused(
            426,
            "This gateway speaks version 13 of the websocket protocol.",
            "upgrade_required",
            headers=(("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")),
        )
    if not _is_key(head.all("sec-websocket-key")):
        raise _bad("A websocket handshake has one Sec-WebSocket-Key of 16 bytes in Base64.")


def _lacking(head: RequestHead) -> str:
    """Returns what a proxy took from a handshake. Empty if it is whole."""
    lacking = [] if head.version == "1.1" else ["HTTP/1.1"]
    if not _asks_to_switch(head):
        lacking.append("its headers Upgrade and Connection")
    return " and ".join(lacking)


def _check_lines(lines: list[bytes], version: str) -> None:
    """Refuses what h11 would repair, which unfolds lines and merges repeated lengths."""
    if len(lines) > MAX_HEADERS:
        raise RequestRefused(
            431, f"A request may have {MAX_HEADERS} header lines.", "head_too_large"
        )
    if any(line[:1] in (b" ", b"\t") for line in lines):
        raise _bad("A header must not be folded over lines.")
    fields = [(name.lower(), value.strip(b" \t")) for name, _, value in map(_colon, lines)]
    count = Counter(name for name, _ in fields)
    if count[b"host"] > 1 or (version == "1.1" and not count[b"host"]):
        raise _bad("A request has one Host header.")
    lengths = [value for name, value in fields if name == b"content-length"]
    if lengths and not (len(lengths) == 1 and lengths[0].isdigit()):
        raise _bad("A request has one Content-Length, a decimal number.")
    if count[b"transfer-encoding"]:
        if count[b"content-length"]:
            raise _bad("A request has a Content-Length or a Transfer-Encoding, never both.")
        if count[b"transfer-encoding"] > 1 or version == "1.0":
            raise _bad("A request has one Transfer-Encoding, and HTTP/1.0 has none.")


def _colon(line: bytes) -> tuple[bytes, bytes, bytes]:
    return line.partition(b":")


def _headers(data: bytes) -> tuple[tuple[str, str], ...]:
    """Returns the header lines as h11 reads them."""
    import h11  # noqa: PLC0415 - `canonical` reads nearly all heads by itself

    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=len(data))
    parser.receive_data(data)
    try:
        request = parser.next_event()
    except h11.RemoteProtocolError as error:
        status = error.error_status_hint
    else:
        if isinstance(request, h11.Request):
            return tuple(
                (name.decode(), value.decode("latin-1")) for name, value in request.headers
            )
        status = 400  # pragma: no cover - h11 gives a whole head back as one request
    # h11's own text quotes the line, which may be the one with the secret.
    if status == 501:  # noqa: PLR2004 - Not Implemented, h11's hint for a transfer coding
        raise RequestRefused(501, "The only Transfer-Encoding taken is chunked.", "not_implemented")
    raise _bad("A header line is not a name, a colon and a value as RFC 9112 writes them.")


def _split_target(method: str, target: str) -> tuple[str, str, str | None]:
    """Returns path, query with its question mark, and the authority of an absolute target."""
    if method == "CONNECT":
        raise RequestRefused(405, "This is no proxy; CONNECT is not allowed.", "method_not_allowed")
    if target == "*" and method == "OPTIONS":
        return "*", "", None
    authority = None
    if target[:7].lower() == "http://" or target[:8].lower() == "https://":
        rest = target.partition("://")[2]
        authority = re.split(r"[/?]", rest, maxsplit=1)[0]
        target = rest[len(authority) :]
        target = target if target.startswith("/") else "/" + target
        if not authority:
            raise _bad("The target of the request names no host.")
    if not target.startswith("/") or "#" in target:
        raise _bad("The target must be a path, with a query if there is one.")
    path, mark, query = target.partition("?")
    return path, mark + query, authority


def _with_host(
    headers: tuple[tuple[str, str], ...], authority: str | None
) -> tuple[tuple[str, str], ...]:
    """Checks the Host, which an absolute target's authority replaces (RFC 9112, 3.2.2)."""
    host = dict(headers).get("host", "") if authority is None else authority
    if not AUTHORITY.fullmatch(host):
        raise _bad("The Host is not a host name with an optional port.")
    if authority is None:
        return headers
    others = tuple((name, value) for name, value in headers if name != "host")
    return (("host", authority), *others)


def _is_key(values: list[str]) -> bool:
    try:
        return len(values) == 1 and len(base64.b64decode(values[0], validate=True)) == 16  # noqa: PLR2004 - RFC 6455, 4.1
    except (binascii.Error, ValueError):
        return False

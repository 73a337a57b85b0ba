"""How both shells use httpx: their settings, its errors, and what goes over it."""

import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

import httpx

import phonegate
from phonegate import environment_proxies, event_stream, trust
from phonegate.bind_address import is_loopback
from phonegate.client.effects import Answer, Request
from phonegate.client.errors import (
    BadSetup,
    GatewayError,
    NotAGateway,
    NotConnected,
    TimedOut,
    Unreachable,
    Untrusted,
)
from phonegate.client.header_value import is_header_value
from phonegate.client.retries import ANSWER_S

Client = TypeVar("Client", httpx.Client, httpx.AsyncClient)

CONNECT_S: Final = 10.0

LONGEST_ANSWER: Final = 64 * 1024 * 1024
"""Bytes of an answer, unpacked. A page of a thousand messages has some megabytes at most."""

Authority = str | Path | ssl.SSLContext
"""A file with the certificates that alone are trusted, or a context of one's own."""


def opened(
    kind: type[Client], url: str, credential: str, cacert: Authority | None = None
) -> Client:
    """Makes a client of httpx. The arguments are those of `settings`.

    Raises:
        BadSetup: One of these can't be used, or a proxy of the environment can't.
    """
    arguments = settings(url, credential, cacert)
    try:
        with environment_proxies.explained():
            return kind(**arguments)
    except environment_proxies.UnusableProxy as error:
        raise BadSetup(str(error)) from None


def address(url: str) -> str:
    """Returns a gateway's address without a name and password in it.

    Errors show this one. A proxy that asks for the two is given them by `settings`.
    """
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def settings(url: str, credential: str, cacert: Authority | None = None) -> dict[str, Any]:
    """Returns the arguments for a client of httpx.

    Args:
        url: The gateway's address.
        credential: The org's secret, or an API key.
        cacert: What is trusted. None: what this machine trusts.

    Raises:
        BadSetup: One of these can't be used.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.scheme in ("http", "https") else None
    except ValueError:
        host = None
    if not host:
        raise _no_address(url)
    if not is_header_value(credential):
        raise BadSetup("The secret or API key must be printable ASCII, without blanks around it.")
    name, password = unquote(parts.username or ""), unquote(parts.password or "")
    return {
        "headers": {"X-Secret-Key": credential, "User-Agent": f"phonegate/{phonegate.__version__}"},
        "auth": (name, password) if name or password else None,
        "timeout": httpx.Timeout(ANSWER_S, connect=CONNECT_S),
        "verify": _trusted(cacert),
        # A proxy of the environment is for other machines, not for this one.
        "trust_env": not is_loopback(host),
    }


def arguments(
    url: str, request: Request, timeout_s: float, *, streams: bool = False
) -> dict[str, Any]:
    """Returns the arguments with which httpx makes a request.

    Args:
        url: The gateway's address.
        request: The request.
        timeout_s: Seconds without a byte after which it is given up.
        streams: Whether its answer is to be a stream of events.
    """
    made: dict[str, Any] = {
        "method": request.method,
        "url": f"{url}{request.path}",
        "params": {name: value for name, value in request.query.items() if value is not None},
        "timeout": httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
        "headers": {},
    }
    if streams:
        # A proxy that compresses would hold back what it has until there is more.
        made["headers"] = {"Accept": event_stream.MEDIA, "Accept-Encoding": "identity"}
    else:
        # The ratio of other packings knows no bounds, and one piece could unpack to gigabytes.
        made["headers"] = {"Accept-Encoding": "gzip"}
    if request.body is not None:
        made["json"] = request.body
    if request.idempotency_key is not None:
        made["headers"]["Idempotency-Key"] = request.idempotency_key
    return made


def answered(response: httpx.Response, content: "Content") -> Answer:
    """Returns an answer that was read whole."""
    return Answer(response.status_code, _headers(response.headers), bytes(content.read))


class Content:
    """The content of an answer as it comes, within limits of size and time.

    Args:
        url: The gateway's address.
        timeout_s: Seconds for all of it. The wait for each byte is bounded by httpx.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self.read = bytearray()
        self._url = url
        self._until = time.monotonic() + timeout_s

    def add(self, part: bytes) -> None:
        """Takes the next piece.

        Raises:
            NotAGateway: There is more than a gateway answers.
            TimedOut: It takes too long.
        """
        self.read += part
        if len(self.read) > LONGEST_ANSWER:
            raise NotAGateway(f"{self._url} answered with more than a gateway does.")
        if time.monotonic() > self._until:
            raise TimedOut(self._url, f"The gateway at {self._url} did not answer in time.")


def begun(response: httpx.Response) -> Answer:
    """Returns the answer of which the head has come."""
    return Answer(response.status_code, _headers(response.headers), b"")


FAULTS: Final = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError)
"""What httpx raises where there is no answer."""


def unanswered(url: str, error: Exception) -> GatewayError:
    """Returns the error for a request without an answer.

    The error's own text is left out, since it may quote the request.
    """
    distrusted = trust.distrust(error, urlsplit(url).netloc)
    if distrusted is not None:
        return Untrusted(url, distrusted)
    match error:
        case httpx.ConnectError():
            return NotConnected(
                url, f"No gateway answers at {url}. Is it running, and is the address right?"
            )
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            sentence = f"The gateway at {url} did not answer in time."
            return NotConnected(url, sentence, is_refused=False)
        case httpx.TimeoutException():
            return TimedOut(url, f"The gateway at {url} did not answer in time.")
        case httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return _no_address(url)
        case _:
            kind = type(error).__name__
            return Unreachable(url, f"The connection to {url} failed ({kind}).")


def _trusted(cacert: Authority | None) -> ssl.SSLContext:
    if isinstance(cacert, ssl.SSLContext):
        return cacert
    try:
        return trust.context(None if cacert is None else Path(cacert))
    except trust.UnusableAuthority as error:
        raise BadSetup(str(error)) from None


def _no_address(url: str) -> BadSetup:
    shown = url.rpartition("@")[2]
    return BadSetup(f"{shown!r} is no gateway address such as http://127.0.0.1:8080")


def _headers(headers: httpx.Headers) -> Mapping[str, str]:
    return {name.lower(): value for name, value in headers.items()}

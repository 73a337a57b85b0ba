"""Which web pages may speak to the gateway from within a browser, and read what it answers. Pure.

A page that a person opens can send requests from that person's network, where the gateway
trusts more callers than from afar. Browsers say for which page they ask: by `Origin`, and where
the address is HTTPS or localhost by `Sec-Fetch-Site` too, both of which no page can forge. A
program sends neither. Nor does a browser that reads, over plain HTTP, for a page at the very name
that it asks, whose owner may have let that name point to the gateway once the page was loaded
(DNS rebinding).
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from phonegate.domain.credentials import SHORTEST_SECRET
from phonegate.model.refusals import Forbidden

PREFLIGHT_S: Final = 7_200
"""How long a browser may remember what a page may send: the longest that Chromium heeds."""

EXPOSED: Final = (
    "Allow",
    "ETag",
    "Idempotent-Replayed",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
)
"""Fields of answers that a page may read beside those which it may always."""

MAX_ASKED: Final = 1_000
"""Characters of a preflight's list of headers: a hundred headers that no page of ours has."""

MAX_LOGGED: Final = 253
"""Characters of an origin that the log names: those of the longest name in the DNS."""

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
"""A host's name in lower case (RFC 1123, 2.1)."""

_LONG_NUMBER: Final = re.compile(r"\d(?:-?\d){6}")
"""What may be a phone's number."""

_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@,\s]+", re.ASCII | re.IGNORECASE)
_TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 - as in RFC 9110, 5.6.2
_METHOD: Final = re.compile(_TOKEN)
_HEADERS: Final = re.compile(rf"{_TOKEN}(?: ?, ?{_TOKEN})*")

_PORTS: Final = {"http": 80, "https": 443}

_LOCAL_ENDINGS: Final = (
    ".localhost",  # RFC 6761
    ".local",  # RFC 6762
    ".home.arpa",  # RFC 8375
    ".internal",  # reserved by ICANN in 2024
    ".home",  # never to be delegated, by ICANN in 2018
    ".corp",
    ".lan",  # what many routers give out, though it was never registered
    ".localdomain",
)
"""Endings of names that can't be registered in the public DNS."""

_BROWSER: Final = "Mozilla/"
"""How every browser begins its User-Agent. Some let a page choose another, so that nothing which
everybody has, such as a published secret, may rest on it."""

_PURPOSES: Final = ("sec-purpose", "purpose", "x-purpose", "x-moz")
"""Headers in which browsers say that they only prepare for a click."""

_KEPT_HOSTS: Final = 256
"""Hosts whose names are remembered; most gateways are asked by one or two."""

Origin = tuple[str, str, int | None]
"""Scheme, name and port of an origin, each as browsers compare them (RFC 6454, 4)."""


class ForeignPage(Forbidden):
    """A page of another site asked, or may have."""

    code = "foreign_page"

    def __init__(self) -> None:
        super().__init__(
            "A web page of another site may not use this gateway. Its owner lets one in by "
            "[http] allowed_origins; a page of the gateway's own works once [http] public_url is "
            "the address that it is opened at."
        )


class Origins:
    """The pages that may ask: the gateway's own, and those of the sites that its owner names.

    Args:
        public_url: The address that others reach the gateway by. May be empty.
        allowed: The origins of other sites' pages, such as `https://app.example.org`.
    """

    def __init__(self, public_url: str = "", allowed: Iterable[str] = ()) -> None:
        self._public = _read(public_url)
        self._allowed = frozenset(filter(None, map(parse_origin, allowed)))
        named = self._allowed if self._public is None else {self._public, *self._allowed}
        self._named = frozenset(name for _, name, _ in named)

    @property
    def shared(self) -> bool:
        """Tells whether pages of other sites may be let in at all."""
        return bool(self._allowed)

    def is_foreign(
        self,
        headers: Mapping[str, str],
        *,
        navigable: bool = False,
        secure: bool = False,
        shared: bool = True,
    ) -> bool:
        """Tells whether a page of a site that is not let in may have sent this request.

        Args:
            headers: By lower-case name. One that was sent twice is joined with a comma.
            navigable: Whether a link on any page may lead here: that page learns nothing of the
                answer, and it needs no secret.
            secure: Whether the request came by HTTPS, to the gateway or a proxy that it trusts.
            shared: Whether the sites that the owner names are let in here too.
        """
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is None and site is None:
            return (
                not navigable
                and not secure
                and headers.get("user-agent", "").startswith(_BROWSER)
                and self.is_foreign_host(headers)
            )
        if origin is None:
            # Without Origin a browser reads (an image, a script, a link). "same-site" is another
            # page on the same machine, or of a neighbour under one domain.
            return site not in {"none", "same-origin"} and not (
                navigable and headers.get("sec-fetch-mode") == "navigate"
            )
        if site == "same-origin":
            # Where Origin is "null" too, which a page that sends no referrer gives with a form.
            return False
        asked = parse_origin(origin)
        return asked is None or not (
            (shared and asked in self._allowed) or self._is_own(asked, headers, secure=secure)
        )

    def is_foreign_host(self, headers: Mapping[str, str]) -> bool:
        """Tells whether a request was for a name that anyone may own, and that no setting names."""
        host, passed_on = headers.get("host", ""), headers.get("x-forwarded-host")
        called = host if passed_on is None else f"{host},{passed_on}"
        return any(name not in self._named and not _is_local(name) for name in _names(called))

    def fields(self, method: str, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """Returns what an answer needs for the pages that may read it (CORS)."""
        if not self._allowed:
            return ()
        origin = headers.get("origin")
        if origin is None or parse_origin(origin) not in self._allowed:
            return (("Vary", "Origin"),)
        wanted = headers.get("access-control-request-method")
        if method != "OPTIONS" or wanted is None:
            return (
                ("Access-Control-Allow-Origin", origin),
                ("Access-Control-Expose-Headers", ", ".join(EXPOSED)),
                ("Vary", "Origin"),
            )
        return (("Access-Control-Allow-Origin", origin), *_preflight(wanted, headers))

    def _is_own(self, asked: Origin, headers: Mapping[str, str], *, secure: bool) -> bool:
        """Tells whether the page is at the address that it asks.

        A name alone proves nothing over plain HTTP: its owner can let it point here once the page
        is loaded. Over HTTPS the browser has seen a certificate for it.
        """
        if asked == self._public:
            return True
        scheme, name, _ = asked
        if not (secure if scheme == "https" else scheme == "http" and _is_local(name)):
            return False
        # A page that wants to add X-Forwarded-Host must ask first, and is refused then.
        called = (headers.get("host", ""), *headers.get("x-forwarded-host", "").split(","))
        return any(asked == _read(f"{scheme}://{host.strip()}") for host in called)


def is_public(url: str) -> bool:
    """Tells whether the host of a URL may be reached from anywhere.

    It is not where it is a private address, a word, or a name with a local ending.
    """
    origin = _read(url)
    if origin is None:
        return False
    name = origin[1]
    return ipaddress.ip_address(name).is_global if _is_address(name) else not _is_local(name)


def parse_origin(origin: str) -> Origin | None:
    """Reads an origin as it is compared. Returns None for what is none, such as `null` or `*`."""
    return _read(origin) if _ORIGIN.fullmatch(origin) else None


def is_prefetched(headers: Mapping[str, str]) -> bool:
    """Tells whether a browser asks before anyone has opened the address (Fetch, 2.2.5)."""
    given = (headers.get(name, "").lower() for name in _PURPOSES)
    return any(
        word in purpose for purpose in given for word in ("prefetch", "prerender", "preview")
    )


def is_blind(headers: Mapping[str, str]) -> bool:
    """Tells whether a browser asks that does not say for which page.

    Over plain HTTP it says nothing where a page of another site leads to an address, and nothing
    where a person has typed it.
    """
    return (
        headers.get("user-agent", "").startswith(_BROWSER)
        and "origin" not in headers
        and "sec-fetch-site" not in headers
    )


def loggable_origin(origin: str) -> str | None:
    """Returns an origin as a log may hold it, and as `allowed_origins` takes it.

    A program can write anything there, so the origin is put together anew. Names of a local network
    that may be a secret, and names with a long number, are left out.

    Returns:
        The origin, or None where it may say more than that.
    """
    read = parse_origin(origin) if len(origin) <= MAX_LOGGED else None
    if read is None or read[0] not in _PORTS or "%" in read[1]:  # an address's zone is a word
        return None
    scheme, name, port = read
    if not _is_address(name):
        is_name = _NAME.fullmatch(name) is not None and _LONG_NUMBER.search(name) is None
        if not is_name or ("." not in name and len(name) >= SHORTEST_SECRET):
            return None
    shown = f"[{name}]" if ":" in name else name
    return f"{scheme}://{shown}" if port == _PORTS[scheme] else f"{scheme}://{shown}:{port}"


def _read(url: str) -> Origin | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if not parts.scheme or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, _PORTS.get(parts.scheme) if port is None else port


@lru_cache(_KEPT_HOSTS)
def _names(hosts: str) -> tuple[str, ...]:
    """Returns the names in a list of hosts. A host that can't be read stays as it is."""
    given = filter(None, map(str.strip, hosts.split(",")))
    origins = ((host, _read(f"http://{host}")) for host in given)
    return tuple(f".{host}." if origin is None else origin[1] for host, origin in origins)


@lru_cache(_KEPT_HOSTS)
def _is_local(name: str) -> bool:
    """Tells whether no one elsewhere can own this name: an address, a word, a local ending."""
    if "." not in name or name.endswith(_LOCAL_ENDINGS):
        return True
    return _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _preflight(wanted: str, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Gives leave to send whatever a page asks leave for.

    Its credential is in what it sends, and none is added by the browser.
    """
    fields = [
        ("Access-Control-Max-Age", str(PREFLIGHT_S)),
        ("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
    ]
    asked = headers.get("access-control-request-headers", "")
    if _METHOD.fullmatch(wanted) and len(wanted) <= MAX_ASKED:
        fields.append(("Access-Control-Allow-Methods", wanted))
    if len(asked) <= MAX_ASKED and _HEADERS.fullmatch(asked):
        fields.append(("Access-Control-Allow-Headers", asked))
    if headers.get("access-control-request-private-network") == "true":
        fields.append(("Access-Control-Allow-Private-Network", "true"))
    return tuple(fields)

"""A URL that a caller gives for the gateway to call: its form, and what its host is. Pure.

A host that is an address can be looked at by the guard at once. So each form of one is known here
that a resolver may take for an address: `0x7f.1` is 127.0.0.1 to most (inet_aton(3)). What has the
look of one and is none is refused, as by the URL Standard (url.spec.whatwg.org, host parsing).
"""

import ipaddress
import re
from typing import Final

import attrs

from phonegate.http.outgoing_guard import Address
from phonegate.model.bounds import MAX_URL

_PORTS: Final = {"http": 80, "https": 443}

_MOST_PORT: Final = 65_535

_BEGINNING: Final = re.compile(r"https?://", re.IGNORECASE)

_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\\\x7f-\xa0\u2028\u2029\ud800-\udfff]")
"""What other readers of URLs take for an end, or for a slash."""

_AUTHORITY: Final = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]+)(?::([0-9]{1,5}))?")

_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
"""A part of a name as resolvers take it (RFC 1123, 2.1), or with underscores, as containers have
them."""

_LONGEST_NAME: Final = 253

_NUMBER: Final = re.compile(r"0x[0-9a-f]*|[0-9]+")

_LONGEST_NUMBER: Final = 20
"""Digits of a part of an address. 32 bits have 11 in octal, and zeros may stand before them."""

_PARTS: Final = 4

_NO_PLACE: Final = "has a host or port that can't be"

_OWN_NAMES: Final = frozenset(
    {"localhost", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback"}
)
"""What systems call themselves in /etc/hosts, at times with `.localdomain`."""

_LOOPBACK: Final = (ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1"))


class UnusableUrl(ValueError):
    """A text is no URL that can be called.

    The problem reads as a sentence after a field's name. Nothing of the text is in it: that may
    hold a password.
    """


@attrs.frozen(kw_only=True)
class OutgoingUrl:
    """A URL that can be called, as far as its form goes."""

    scheme: str
    host: str = attrs.field(repr=False)
    """In lower case and ASCII, without brackets and without a dot at its end."""
    port: int
    literals: tuple[Address, ...] = attrs.field(default=(), repr=False)
    """The addresses that the host is by itself. None where it has to be looked up."""
    plain: str | None = None
    """How the address is written, where it is written in another way than is usual."""


def read_url(text: str) -> OutgoingUrl:
    """Reads a URL.

    Raises:
        UnusableUrl: It is none, or none to call.
    """
    if not 1 <= len(text) <= MAX_URL:
        raise UnusableUrl(f"must have 1 to {MAX_URL} characters")
    if not _BEGINNING.match(text):
        raise UnusableUrl("must be an http or https URL, such as https://example.org/hook")
    if _UNPRINTABLE.search(text):
        raise UnusableUrl("must hold no blank, backslash or control character")
    scheme, _, rest = text.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        raise UnusableUrl(
            "must hold no user and password: send them in headers, as Authorization: Basic …"
        )
    if "#" in text:
        raise UnusableUrl("must hold no #: what follows it is never sent")
    found = _AUTHORITY.fullmatch(authority)
    port = int(found[2] or _PORTS[scheme.lower()]) if found else 0
    if found is None or not 1 <= port <= _MOST_PORT:
        raise UnusableUrl(_NO_PLACE)
    host, literals, plain = _read_host(found[1], text)
    return OutgoingUrl(scheme=scheme.lower(), host=host, port=port, literals=literals, plain=plain)


def _read_host(written: str, text: str) -> tuple[str, tuple[Address, ...], str | None]:
    """Returns a host, the addresses that it is by itself, and how to write them."""
    literals: tuple[Address, ...] = ()
    plain = None
    if written.startswith("["):
        host = written[1:-1].lower().replace("%25", "%")
        literals, plain = _read_ipv6(host)
    elif written.isascii():
        host = written.lower().removesuffix(".")
        literals, plain = _read_name(host)
        if host != written.lower() and _is_numeric(host):
            plain = plain or host
    if plain is not None:  # which not every reader of URLs takes
        return host, literals, plain
    import httpx  # noqa: PLC0415 - a gateway without webhooks and carriers does without

    try:
        host = httpx.URL(text).raw_host.decode("ascii").removesuffix(".")
    except (httpx.InvalidURL, ValueError):
        raise UnusableUrl(_NO_PLACE) from None
    return host, *((literals, None) if literals else _read_name(host))


def _read_ipv6(text: str) -> tuple[tuple[Address, ...], str | None]:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        raise UnusableUrl("has a host that is no address") from None
    if address.scope_id is None:
        return (address,), None
    return (address,), f"[{ipaddress.IPv6Address(int(address))}]"


def _read_name(host: str) -> tuple[tuple[Address, ...], str | None]:
    labels = host.split(".")
    if len(host) > _LONGEST_NAME or not all(map(_LABEL.fullmatch, labels)):
        raise UnusableUrl("has a host that is no name or address")
    if labels[1:] == ["localdomain"]:
        labels.pop()
    # RFC 6761, 6.3: whatever ends so is this machine.
    if labels[-1] == "localhost" or (len(labels) == 1 and labels[0] in _OWN_NAMES):
        return _LOOPBACK, None
    if not _is_numeric(host):
        return (), None
    address = _read_ipv4(host)
    if address is None:
        raise UnusableUrl("has a host that looks like an address and is none")
    return (address,), None if str(address) == host else str(address)


def _is_numeric(host: str) -> bool:
    """Tells whether a host is an address or nothing: no name ends with a number."""
    return _NUMBER.fullmatch(host.rpartition(".")[2]) is not None


def _read_ipv4(host: str) -> ipaddress.IPv4Address | None:
    """Reads an address as inet_aton does: of one to four numbers, the last fills what is left."""
    numbers = [_read_number(part) for part in host.split(".")]
    if len(numbers) > _PARTS:
        return None
    total = 0
    for index, number in enumerate(numbers):
        if number is None:
            return None
        bits = 8 if index < len(numbers) - 1 else 8 * (_PARTS - index)
        if number >> bits:
            return None
        total = total << bits | number
    return ipaddress.IPv4Address(total)


def _read_number(text: str) -> int | None:
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        return None
    if text.startswith("0x"):
        return int(text[2:] or "0", 16)
    try:
        return int(text, 8 if text.startswith("0") else 10)
    except ValueError:
        return None

"""Tells who the client is: the other end of the socket, or whom a trusted proxy names. Pure."""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal

import attrs

from phonegate.http.prefix import PREFIX_FIELDS, read_prefix

Scheme = Literal["http", "https"]
Network = IPv4Network | IPv6Network

_FOR = re.compile(r"""(?:^|[;,])\s*for\s*=\s*("[^"]*"|[^;,\s]*)""", re.IGNORECASE)
"""The client that each element of `Forwarded` names (RFC 7239, 4)."""

_SCHEMES: dict[str, Scheme] = {"http": "http", "ws": "http", "https": "https", "wss": "https"}


_NAMES_CLIENT = frozenset(
    {
        "cf-connecting-ip",
        "cf-connecting-ipv6",
        "fastly-client-ip",
        "fly-client-ip",
        "forwarded",
        "proxy-client-ip",
        "true-client-ip",
        "wl-proxy-client-ip",
        "x-appengine-user-ip",
        "x-azure-clientip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-envoy-external-address",
        "x-forwarded-for",
        "x-original-forwarded-for",
        "x-proxyuser-ip",
        "x-real-ip",
        "x-vercel-forwarded-for",
    }
)
"""Fields in which a proxy says who called it."""

_PROXY_FIELDS = _NAMES_CLIENT.union(
    PREFIX_FIELDS,
    {"cdn-loop", "front-end-https", "via", "x-hass-source", "x-scheme", "x-varnish"},
)
_PROXY_PREFIXES = (
    "akamai-",
    "cf-",
    "cloudfront-",
    "fastly-",
    "fly-",
    "wl-proxy-",
    "x-amzn-",
    "x-appengine-",
    "x-arr-",
    "x-azure-",
    "x-envoy-",
    "x-forwarded",
    "x-original-",
    "x-real-",
    "x-vercel-",
)
"""How the names of other fields begin that proxies add."""


def is_proxy_field(name: str) -> bool:
    """Tells whether only proxies send a field, so that one has passed on what has it."""
    return name in _PROXY_FIELDS or name.startswith(_PROXY_PREFIXES)


@attrs.frozen(kw_only=True)
class SocketPeer:
    """The other end of a socket, and what is spoken on it."""

    address: str
    port: int
    scheme: Scheme


@attrs.frozen(kw_only=True)
class Peer:
    """The client as the gateway sees it, after trusted proxies.

    `address` is an IP address in its shortest form (IPv4 also where it came mapped into IPv6).
    """

    address: str
    scheme: Scheme
    relayed: bool = False
    """Whether a proxy that is not trusted passed it on, so that the address may be that proxy's
    and the client anywhere."""
    prefix: str = ""
    """The path prefix that a trusted proxy has taken off the request's path."""


def networks(cidrs: Iterable[str]) -> tuple[Network, ...]:
    """Reads `[http] trusted_proxies`. A lone address is a network of one.

    Raises:
        ValueError: One of them is no network. The text names it.
    """
    return tuple(ip_network(cidr, strict=False) for cidr in cidrs)


def is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    """Tells whether the other end of a socket is one of these proxies."""
    ip = _address(address) if trusted else None
    return ip is not None and _within(ip, trusted)


def true_peer(
    socket_address: str,
    scheme: Scheme,
    headers: Sequence[tuple[str, str]],
    trusted: Sequence[Network],
) -> Peer:
    """Finds the client behind a socket.

    Each proxy appends to X-Forwarded-For whom it was called by. So the list is read from its end,
    for as long as the proxy that wrote an entry is trusted. Any client may have written what
    stands further left.

    Args:
        socket_address: The address of the socket's other end.
        scheme: What the socket itself speaks.
        headers: Names in lower case.
        trusted: The networks of proxies that are believed.

    Returns:
        The rightmost hop outside `trusted`, or the leftmost one when all are inside. Where a hop
        can't be read, the proxy that wrote it: better a proxy's address than a made-up one.
    """
    client = _address(socket_address)
    if client is None or not _within(client, trusted):
        return Peer(
            address=socket_address if client is None else str(client),
            scheme=scheme,
            relayed=_has_proxy_field(headers),
        )
    hops = _listed(headers, "x-forwarded-for")
    hops_read = 0
    for hop in reversed(hops):
        address = _address(hop)
        if address is None:
            break
        client, hops_read = address, hops_read + 1
        if not _within(client, trusted):
            break
    if hops:
        # What stands further left comes from a proxy that is not trusted.
        relayed = hops_read < len(hops) or not _agree(headers, client, trusted)
    else:
        # A program on the proxy's own machine calls the gateway by itself, too.
        relayed = not client.is_loopback or _has_proxy_field(headers)
    return Peer(
        address=str(client),
        scheme=_scheme(headers, max(hops_read, 1)) or scheme,
        relayed=relayed,
        prefix=_prefix(headers),
    )


def _has_proxy_field(headers: Sequence[tuple[str, str]]) -> bool:
    return any(is_proxy_field(name) for name, _ in headers)


def _agree(
    headers: Sequence[tuple[str, str]],
    client: IPv4Address | IPv6Address,
    trusted: Sequence[Network],
) -> bool:
    """Tells whether every field that names a client names this one, or a trusted proxy."""
    for name, value in headers:
        if name not in _NAMES_CLIENT or name == "x-forwarded-for":
            continue
        named = _FOR.findall(value) if name == "forwarded" else value.split(",")
        for text in named or [""]:
            address = _address(text.strip())
            if address is None or not (address == client or _within(address, trusted)):
                return False
    return True


def _scheme(headers: Sequence[tuple[str, str]], hop: int) -> Scheme | None:
    """Returns the X-Forwarded-Proto of a hop, where each proxy appended its own.

    Most proxies overwrite the header instead. Then there is one value, for all hops.

    Args:
        headers: Names in lower case.
        hop: Which one, counted from the right.
    """
    schemes = _listed(headers, "x-forwarded-proto")
    if not schemes:
        return None
    return _SCHEMES.get(schemes[max(0, len(schemes) - hop)].lower())


def _prefix(headers: Sequence[tuple[str, str]]) -> str:
    """Returns what one of `PREFIX_FIELDS` names, where it is one prefix and nothing else."""
    values = [value for name, value in headers if name in PREFIX_FIELDS]
    return (read_prefix(values[0].strip()) or "") if len(values) == 1 else ""


def _listed(headers: Sequence[tuple[str, str]], name: str) -> list[str]:
    joined = ",".join(value for key, value in headers if key == name)
    # Empty elements of a list are nothing (RFC 9110, 5.6.1.2).
    return [part for part in map(str.strip, joined.split(",")) if part]


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Reads an address with or without port, brackets, quotes and zone."""
    text = text.strip('"')
    if text.startswith("["):
        text, bracket, port = text[1:].partition("]")
        if not bracket or not _is_port(port):
            return None
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
        if not _is_port(":" + port):
            return None
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _is_port(text: str) -> bool:
    return not text or (text[0] == ":" and text[1:].isascii() and text[1:].isdigit())


def _within(address: IPv4Address | IPv6Address, trusted: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in trusted)

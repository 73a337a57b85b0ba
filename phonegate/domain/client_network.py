"""The networks of a client's address: what it does is counted for its network. Pure."""

import ipaddress
from functools import lru_cache
from typing import Final

IPV6_PREFIX = 64
"""Bits of an IPv6 address that one customer usually has (RFC 6177); the rest is free to vary."""

WIDER_PREFIXES: Final = (56, 48)
"""Larger prefixes that one IPv6 customer may have: home connections get a /56, companies and hosts
a /48. Such a customer has 256 or 65,536 networks of 64 bits."""

IPV4_NETWORK: Final = 24
"""Leading bits that the IPv4 addresses of one owner usually share, as a /48 does for IPv6."""

LONGEST = 64
"""Characters kept of a name that is not an IP address, such as that of a socket."""

_LOCAL: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        # Carrier-grade NAT, and what overlay networks such as Tailscale use.
        "100.64.0.0/10",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)
"""Addresses that no machine has across the internet (RFC 1918, 3927, 4193, 4291, 6598)."""


@lru_cache(maxsize=4_096)
def client_network(address: str) -> str:
    """Returns what requests of an address are counted under: the address, or its /64 for IPv6."""
    ip = _ip(address)
    if ip is None:
        return address[:LONGEST]
    return str(ip) if isinstance(ip, ipaddress.IPv4Address) else _prefix(ip, IPV6_PREFIX)


@lru_cache(maxsize=4_096)
def wider_networks(address: str) -> tuple[str, ...]:
    """Returns the networks around an IPv6 address, one for each of `WIDER_PREFIXES`.

    There are none around an IPv4 address.
    """
    ip = _ip(address)
    if not isinstance(ip, ipaddress.IPv6Address):
        return ()
    return tuple(_prefix(ip, bits) for bits in WIDER_PREFIXES)


def owner_network(address: str) -> str:
    """Returns the network in which one owner may well have many addresses."""
    ip = _ip(address)
    if ip is None:
        return address[:LONGEST]
    if isinstance(ip, ipaddress.IPv4Address):
        host_bits = ip.max_prefixlen - IPV4_NETWORK
        return str(ipaddress.IPv4Address(int(ip) >> host_bits << host_bits))
    return _prefix(ip, WIDER_PREFIXES[-1])


@lru_cache(maxsize=4_096)
def is_local(address: str) -> bool:
    """Tells whether an address belongs to this machine or to a private network around it."""
    ip = _ip(address)
    return ip is not None and any(ip.version == local.version and ip in local for local in _LOCAL)


def _ip(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Parses an address, and turns one of IPv4 that is mapped into IPv6 back into IPv4."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip


def _prefix(ip: ipaddress.IPv6Address, bits: int) -> str:
    host_bits = ip.max_prefixlen - bits
    return str(ipaddress.IPv6Address(int(ip) >> host_bits << host_bits))

"""Where a client is: what is counted of an address is counted of its place. Pure."""

import ipaddress
from functools import lru_cache
from typing import Final

IPV6_PREFIX = 64
"""Bits of an IPv6 address that one customer usually has (RFC 6177); the rest is free to vary."""

WIDER_PREFIXES: Final = (56, 48)
"""What else one IPv6 customer may have: home connections get a /56, firms and hosts a /48. Such a
customer has 256 or 65,536 places."""

IPV4_NETWORK: Final = 24
"""Bits of an IPv4 address that addresses of one owner share as a rule, as a /48 does for IPv6."""

LONGEST = 64
"""Characters kept of what is no address, such as the name of a socket."""

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
def place(address: str) -> str:
    """What the doings of an address are counted under: itself, or its network for IPv6."""
    ip = _ip(address)
    if ip is None:
        return address[:LONGEST]
    return str(ip) if isinstance(ip, ipaddress.IPv4Address) else _prefix(ip, IPV6_PREFIX)


@lru_cache(maxsize=4_096)
def wider(address: str) -> tuple[str, ...]:
    """The networks around an IPv6 place, one for each of `WIDER_PREFIXES`. None for others."""
    ip = _ip(address)
    if not isinstance(ip, ipaddress.IPv6Address):
        return ()
    return tuple(_prefix(ip, bits) for bits in WIDER_PREFIXES)


def network(address: str) -> str:
    """The network whose addresses one owner may well have many of."""
    ip = _ip(address)
    if ip is None:
        return address[:LONGEST]
    if isinstance(ip, ipaddress.IPv4Address):
        host_bits = ip.max_prefixlen - IPV4_NETWORK
        return str(ipaddress.IPv4Address(int(ip) >> host_bits << host_bits))
    return _prefix(ip, WIDER_PREFIXES[-1])


@lru_cache(maxsize=4_096)
def is_local(address: str) -> bool:
    """Whether an address is of this machine or of a private network around it."""
    ip = _ip(address)
    return ip is not None and any(ip.version == local.version and ip in local for local in _LOCAL)


def _ip(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Reads an address. IPv4 may also stand mapped into IPv6."""
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

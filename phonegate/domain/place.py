"""Where a client is: what is counted of an address is counted of its place. Pure."""

import ipaddress
from functools import lru_cache

IPV6_PREFIX = 64
"""Bits of an IPv6 address that one customer usually has (RFC 6177); the rest is free to vary."""

LONGEST = 64
"""Characters kept of what is no address, such as the name of a socket."""


@lru_cache(maxsize=4_096)
def place(address: str) -> str:
    """What the doings of an address are counted under: itself, or its network for IPv6."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address[:LONGEST]
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    host_bits = ip.max_prefixlen - IPV6_PREFIX
    return str(ipaddress.IPv6Address(int(ip) >> host_bits << host_bits))

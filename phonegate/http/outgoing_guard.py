"""Which addresses the gateway may call where an address was given by a caller. Pure.

A caller could otherwise have the gateway read what only this machine or its network can reach. So
not the name counts but each address that it stands for, and the one that was looked at is the one
that is connected to: a name may stand for another a moment later (DNS rebinding).
"""

import ipaddress
from collections.abc import Iterable
from typing import Final

import attrs

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(map(ipaddress.ip_network, texts))


_NEVER: Final[tuple[tuple[str, tuple[Network, ...]], ...]] = (
    ("is this machine's own (loopback)", _networks("127.0.0.0/8")),
    # Many systems call both localhost, so it is said which of them is closed.
    ("is this machine's own (loopback, ::1)", _networks("::1/128")),
    # Linux connects to itself there.
    ("is unspecified", _networks("0.0.0.0/8", "::/128")),
    ("is link-local", _networks("169.254.0.0/16", "fe80::/10")),
    ("is multicast", _networks("224.0.0.0/4", "ff00::/8")),
    # They hand credentials to every caller, and lie in private networks.
    ("is a cloud's own service", _networks("100.100.100.200/32", "fd00:ec2::254/128")),
    (
        "is reserved",
        _networks(
            "192.0.0.0/24",
            "192.0.2.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "240.0.0.0/4",
            "2001::/23",
            "2001:db8::/32",
            "3fff::/20",
        ),
    ),
)
"""RFC 6890 and the IANA registries of special addresses."""

_PRIVATE: Final = _networks(
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    # Shared by a provider's customers (RFC 6598), and what VPNs such as Tailscale use.
    "100.64.0.0/10",
    "fc00::/7",
    "fec0::/10",
)

_GLOBAL: Final = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that is given to anyone. Beside it there are only the networks above."""

_EMBEDDING: Final[tuple[tuple[ipaddress.IPv6Network, int], ...]] = (
    # IPv4-compatible (RFC 4291) and translated (RFC 2765) addresses, and NAT64 (RFC 6052, 8215).
    (ipaddress.IPv6Network("::/96"), 0),
    (ipaddress.IPv6Network("::ffff:0:0:0/96"), 0),
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("64:ff9b:1::/48"), 0),
    # 6to4 (RFC 3056) bears it behind its first 16 bits.
    (ipaddress.IPv6Network("2002::/16"), 80),
)
"""Networks of IPv6 whose addresses lead to an IPv4 address within them, and how many bits follow
it there."""

_TEREDO: Final = ipaddress.IPv6Network("2001::/32")
"""RFC 4380: the IPv4 address is in the last 32 bits, each inverted."""

_WHOLE_IPV4: Final = 0xFFFFFFFF

_OWN_OF_IPV6: Final = frozenset({0, 1})
"""`::` and `::1` look as if they bore an IPv4 address, and are addresses of their own."""

PRIVATE: Final = "is in a private network"


@attrs.frozen(kw_only=True)
class Rules:
    """What an operator allows."""

    allow: tuple[Network, ...] = ()
    """Networks that may be called whatever they are."""
    private_networks: bool = True
    """Whether private networks may be called."""
    setting: str = ""
    """The setting that opens private networks, for a refusal to name."""
    allow_setting: str = ""
    """The setting that `allow` is, for a refusal to name."""


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Reads networks as they stand in the configuration, which has checked them."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def plain(address: Address) -> Address:
    """Returns the IPv4 address that a mapped one (`::ffff:127.0.0.1`) is, or the address itself."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def refusal(address: Address, rules: Rules) -> str | None:
    """Returns why an address may not be called, or None where it may.

    Args:
        address: As a name was resolved to it.
        rules: What is allowed.
    """
    address = plain(address)
    if _is_in(address, rules.allow):
        return None
    inner = embedded(address) if isinstance(address, ipaddress.IPv6Address) else None
    return _problem(address, rules) if inner is None else refusal(inner, rules)


def _problem(address: Address, rules: Rules) -> str | None:
    """Returns what is wrong with an address that leads to no other."""
    for problem, networks in _NEVER:
        if _is_in(address, networks):
            return problem
    if _is_in(address, _PRIVATE):
        needs = f", which needs {rules.setting} = true" if rules.setting else ""
        return None if rules.private_networks else PRIVATE + needs
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL:
        return "is reserved"
    return None


def embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Returns the IPv4 address that an IPv6 address leads to."""
    number = int(address)
    if address in _TEREDO:
        return ipaddress.IPv4Address(~number & _WHOLE_IPV4)
    if number in _OWN_OF_IPV6:
        return None
    for network, after in _EMBEDDING:
        if address in network:
            return ipaddress.IPv4Address(number >> after & _WHOLE_IPV4)
    return None


def _is_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == one.version and address in one for one in networks)

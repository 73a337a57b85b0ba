"""The names and addresses that a certificate is for. Pure."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from phonegate.local_ca.errors import NameRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

HERE: Final = ("localhost", "127.0.0.1", "::1")
"""This machine itself, for commands that run on it."""

MOST_NAMES: Final = 64
"""Names and addresses together. No machine has more, and each client reads all of them."""

_LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_LONGEST_NAME: Final = 253
"""RFC 1035, 2.3.4, without the dot at the end."""

PRIVATE: Final[tuple[Network, ...]] = tuple(
    map(
        ipaddress.ip_network,
        (
            "10.0.0.0/8",  # RFC 1918
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",  # RFC 6598, as many VPNs use it
            "127.0.0.0/8",
            "::1/128",
            "fc00::/7",  # RFC 4193
            "fe80::/10",
        ),
    )
)
"""Networks in which a machine may get another address any day. An authority that vouches for one
address there vouches for its whole network: the Internet has no such addresses."""


EVERY_NETWORK: Final[tuple[Network, ...]] = (
    ipaddress.IPv4Network((0, 0)),
    ipaddress.IPv6Network((0, 0)),
)
"""All addresses that there are."""


@attrs.frozen(kw_only=True)
class Names:
    """DNS names and IP addresses, each once."""

    dns: tuple[str, ...] = ()
    addresses: tuple[Address, ...] = ()

    @property
    def shown(self) -> tuple[str, ...]:
        """All of them as text, the names first."""
        return (*self.dns, *map(str, self.addresses))

    def with_(self, other: "Names") -> "Names":
        """Returns these and others."""
        return Names(
            dns=tuple(dict.fromkeys((*self.dns, *other.dns))),
            addresses=tuple(dict.fromkeys((*self.addresses, *other.addresses))),
        )

    def without(self, left_out: Iterable[str]) -> "Names":
        """Returns these without some, which are given as text."""
        gone = set(left_out)
        return Names(
            dns=tuple(one for one in self.dns if one not in gone),
            addresses=tuple(one for one in self.addresses if str(one) not in gone),
        )

    def at_most(self, most: int, keep: "Names") -> "Names":
        """Returns these without the first addresses, where they are more than so many.

        Those to keep stay, and so do all names.
        """
        beyond = max(0, len(self.shown) - most)
        old = [str(one) for one in self.addresses if one not in keep.addresses]
        return self.without(old[:beyond])

    def covers(self, other: "Names") -> bool:
        """Tells whether all of the others are among these."""
        return set(other.shown) <= set(self.shown)

    @property
    def networks(self) -> tuple[Network, ...]:
        """The networks to permit: of a private address all of its network, of others that alone."""
        return tuple(dict.fromkeys(_around(address) for address in self.addresses))


def parse(words: Iterable[str]) -> Names:
    """Reads names and addresses as a person writes them.

    Raises:
        NameRefused: One is neither, or there are too many.
    """
    dns: dict[str, None] = {}
    addresses: dict[Address, None] = {}
    for word in words:
        try:
            addresses[_address(word)] = None
        except ValueError:
            dns[_dns_name(word)] = None
    if len(dns) + len(addresses) > MOST_NAMES:
        raise NameRefused(f"More than {MOST_NAMES} names can't stand in a certificate.")
    return Names(dns=tuple(dns), addresses=tuple(addresses))


def usual(host_name: str, own: Sequence[str]) -> Names:
    """Returns the names by which a machine is reached in its network.

    Args:
        host_name: What it calls itself. A name that DNS can't have is left out.
        own: Its addresses.
    """
    name = host_name.lower().removesuffix(".")
    short = name.partition(".")[0]
    candidates = dict.fromkeys((name, short, f"{short}.local"))
    known = [one for one in candidates if _is_dns_name(one) and one != "localhost.local"]
    return parse((*known, *own, *HERE))


def _address(word: str) -> Address:
    """Reads an address.

    Raises:
        ValueError: It is none.
    """
    address = ipaddress.ip_address(word.strip().strip("[]"))
    # A zone means something on this machine alone (RFC 4007, 11), and could be any text.
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        raise ValueError(word)
    return address


def _dns_name(word: str) -> str:
    name = word.strip().lower().removesuffix(".")
    if not _is_dns_name(name):
        raise NameRefused(
            f"{word!r} is no name or address that a certificate can be for, such as gate.lan or "
            "192.168.1.5."
        )
    return name


def _is_dns_name(name: str) -> bool:
    # An address with a part too many would pass for a name.
    last = name.rpartition(".")[2]
    return len(name) <= _LONGEST_NAME and _NAME.fullmatch(name) is not None and not last.isdigit()


def _around(address: Address) -> Network:
    for network in PRIVATE:
        if address in network:
            return network
    return ipaddress.ip_network(address)

"""The addresses by which others reach this machine, and the gateway on it."""

import ipaddress
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs

from phonegate.bind_address import is_loopback

_ELSEWHERE: Final = (
    # TEST-NET-1 (RFC 5737): no machine has it, so that the way to it is the way to everywhere.
    "192.0.2.1",
    # One in each kind of network that homes and VPNs have (RFC 1918, RFC 6598).
    "192.168.255.254",
    "172.31.255.254",
    "10.255.255.254",
    "100.127.255.254",
)
"""Where the kernel is asked for the way to. The first is the likeliest one."""

SOCKET_HOST: Final = "gateway.invalid"
"""What the gateway is called over its control socket, where no host leads to it (RFC 2606, 2)."""

_DISCARD: Final = 9
"""A port for datagrams, none of which is sent (RFC 863)."""


_CONTAINER_MARKS: Final = (Path("/.dockerenv"), Path("/run/.containerenv"))
"""Files that Docker and Podman put into each container."""


def in_container() -> bool:
    """Tells whether this is a container, whose addresses are not those of the machine around it."""
    return "KUBERNETES_SERVICE_HOST" in os.environ or any(one.exists() for one in _CONTAINER_MARKS)


def lan_addresses() -> tuple[str, ...]:
    """Returns the IPv4 addresses of this machine in its networks, the likeliest first.

    Nothing is sent: connecting a datagram socket asks the kernel which address it would use.
    """
    found: dict[str, None] = {}
    for target in _ELSEWHERE:
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.connect((target, _DISCARD))
                address = str(probe.getsockname()[0])
        except OSError:  # there is no way to it
            continue
        if not ipaddress.ip_address(address).is_loopback:
            found[address] = None
    return tuple(found)


def base_urls(
    bound: Sequence[tuple[str, int]],
    own: Sequence[str],
    *,
    scheme: str,
    public_url: str = "",
    prefix: str = "",
) -> tuple[str, ...]:
    """Returns the beginnings of the gateway's URLs for other devices, the best first. Pure.

    Args:
        bound: The hosts and ports that the gateway listens on.
        own: The machine's addresses, as `lan_addresses` finds them.
        scheme: What the gateway speaks, `http` or `https`.
        public_url: The address that its owner has set. It counts before all else.
        prefix: The path prefix of the gateway. A public address has its own.

    Returns:
        None at all where the gateway listens to this machine alone.
    """
    if public_url:
        return (public_url.rstrip("/"),)
    found: dict[str, None] = {}
    for host, port in bound:
        if is_loopback(host):
            continue
        every = [one for one in own if (":" in one) == (":" in host)]
        for shown in every if _is_unspecified(host) else (host,):
            name = f"[{shown}]" if ":" in shown else shown
            found[f"{scheme}://{name}:{port}{prefix}"] = None
    return tuple(found)


def local_url(host: str, port: int, *, scheme: str, prefix: str = "") -> str:
    """Returns the beginning of the gateway's URLs for programs on the same machine. Pure."""
    if _is_unspecified(host):
        host = "::1" if ":" in host else "127.0.0.1"
    name = f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}:{port}{prefix}"


@attrs.frozen(kw_only=True)
class OwnUrls:
    """The gateway's URLs, by the addresses that it listens on and that this machine has now."""

    scheme: str
    """What the gateway speaks, `http` or `https`."""
    public_url: str
    """The address that its owner has set, if any."""
    prefix: str
    """Its path prefix."""
    bound: list[tuple[str, int]] = attrs.field(factory=list)
    """The hosts and ports that it listens on, once it does."""

    def for_others(self) -> Sequence[str]:
        """Finds the URLs for other devices, the best first."""
        return base_urls(
            self.bound,
            lan_addresses(),
            scheme=self.scheme,
            public_url=self.public_url,
            prefix=self.prefix,
        )

    def for_this_machine(self) -> Sequence[str]:
        """Returns the URLs for programs on this machine."""
        return [
            local_url(host, port, scheme=self.scheme, prefix=self.prefix)
            for host, port in self.bound
        ]

    def every(self) -> Sequence[str]:
        """Finds all of them, the best for other devices first."""
        return [*self.for_others(), *self.for_this_machine()]


def _is_unspecified(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False

"""Finds the addresses that an outgoing call may be made to, and refuses those that it may not.

What the guard says of an address is pure. Here the system is asked what a name stands for, and
whether an address is this machine's own.
"""

import ipaddress
import socket
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final

import attrs
import trio

from phonegate.http.outgoing_guard import Address, Rules, plain, refusal

MOST_ADDRESSES: Final = 4
"""Addresses of one name that are tried. All that it has are looked at."""

RESOLVING_AT_ONCE: Final = 64
"""Names that are looked up at the same time. Each takes a thread, and a slow one keeps it for as
long as the system tries, even if its caller has given up: up to a minute."""

_PROBE_PORT: Final = 9
"""For datagrams, none of which is sent (RFC 863)."""


class CallRefused(Exception):
    """An address may not be called, now and later.

    Attributes:
        reason: Why, in words that follow a name. Nothing of the address is in it.
        is_own: It is the gateway itself.
    """

    def __init__(self, reason: str, *, is_own: bool = False) -> None:
        self.reason = reason
        self.is_own = is_own
        super().__init__(reason)


class CallFailed(Exception):
    """A call came to nothing, and a later one may not.

    Attributes:
        reason: Why, in words that follow a name. Nothing of the address is in it.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
"""Finds all addresses that a host stands for."""


def resolver(at_once: int) -> Resolve:
    """Returns what looks names up as the system does, so many at the same time.

    It raises `CallFailed` where there is no address, or none can be found now.
    """
    limiter = trio.CapacityLimiter(at_once)

    async def resolve(host: str, port: int) -> Sequence[Address]:
        def look_up() -> list[Address]:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            return [ipaddress.ip_address(str(entry[4][0])) for entry in found]

        try:
            return await trio.to_thread.run_sync(look_up, abandon_on_cancel=True, limiter=limiter)
        except (OSError, UnicodeError, ValueError):
            raise CallFailed("has a name that leads to no address") from None

    return resolve


resolve: Final = resolver(RESOLVING_AT_ONCE)


def is_this_machine(address: Address) -> bool:
    """Tells whether an address leads back to this machine.

    Nothing is sent: connecting a datagram socket asks the kernel which address it would use, which
    is the same one where it is the machine's own.
    """
    if address.is_loopback or address.is_unspecified:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((str(address), _PROBE_PORT))
            return ipaddress.ip_address(str(probe.getsockname()[0])) == address
        except (OSError, ValueError):  # there is no way to it
            return False


@attrs.frozen(kw_only=True)
class Guard:
    """What may be called, as it stands now."""

    rules: Callable[[], Rules]
    own_ports: Collection[int] = ()
    """Where the gateway listens. They are never called on this machine, whatever is allowed."""
    resolve: Resolve = resolve

    async def addresses(self, host: str, port: int) -> list[Address]:
        """Returns the addresses at which a host may be called.

        Raises:
            CallRefused: One of those that it stands for may not be called.
            CallFailed: It stands for none now.
        """
        found = list(dict.fromkeys(map(plain, await self.resolve(host, port))))
        if not found:
            raise CallFailed("has a name that leads to no address")
        for address in found:
            if port in self.own_ports and is_this_machine(address):
                raise CallRefused("is the gateway itself", is_own=True)
        rules = self.rules()
        for address in found:
            if (problem := refusal(address, rules)) is not None:
                raise CallRefused(
                    f"may not be called: its address {problem}{_remedy(problem, rules)}"
                )
        return found[:MOST_ADDRESSES]


def _remedy(problem: str, rules: Rules) -> str:
    """Returns the setting that would open an address, where the problem does not name one."""
    if not rules.allow_setting or (rules.setting and rules.setting in problem):
        return ""
    return f", which needs its network in {rules.allow_setting}"

"""How long clients wait that guess secrets. Pure but for its own memory: the time is passed in.

Only failures count, so it never slows a client whose secrets are right.
"""

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Final

import attrs

from phonegate.domain.client_network import client_network, wider_networks
from phonegate.rates import Buckets, Rate


@attrs.frozen
class Allowance:
    """How many failures are borne at once (`burst`), and how soon each is forgotten."""

    burst: int
    refill_ms: int

    @property
    def horizon_ms(self) -> int:
        """No debt outlasts this: twice the refill of a whole bucket."""
        return 2 * self.burst * self.refill_ms

    def buckets(self, memory: int) -> Buckets[str]:
        """Makes buckets of so many failures, in seconds."""
        rate = Rate(per_s=1000 / self.refill_ms, burst=self.burst)
        return Buckets(rate, memory, longest_s=self.horizon_ms / 1000)


PAIR: Final = Allowance(burst=10, refill_ms=30_000)
"""Of one address at one org: ten slips of a person or a misconfigured phone, then two tries a
minute: 2,900 guesses a day."""
WIDER_PAIRS: Final = (Allowance(burst=20, refill_ms=15_000), Allowance(burst=40, refill_ms=7_500))
"""Of the /56 and the /48 around an IPv6 address, at one org: there are more people in them, and one
of them may have all of it."""
ADDRESS: Final = Allowance(burst=40, refill_ms=7_500)
"""Of one address at all orgs together. More than at one: behind an address that many share, a
client that guesses at one org leaves the others alone."""
WIDER: Final = (Allowance(burst=60, refill_ms=5_000), Allowance(burst=120, refill_ms=2_500))
"""Of the /56 and the /48 around an IPv6 address, at all orgs together."""
ORG: Final = Allowance(burst=30, refill_ms=10_000)
"""From all addresses together. Beyond it one failure makes an address wait, see `Throttle`."""
FAMILIAR: Final = Allowance(burst=30, refill_ms=2_000)
"""Of an address at an org whose secret was right there of late: thirty tries a minute, whatever
else its neighbours, or all the world, do. 43,000 guesses a day do not find twelve characters."""

_MEMORY: Final = 16_384
"""Entries of each kind that are remembered: some 3 MB. Each costs its owner a failed check of a
slow hash, so that washing one's own entry out takes minutes and thousands of addresses."""


class Throttle:
    """Counts failed credential checks by client address and by org.

    An address that has spent its failures waits. When an org's failures from everywhere are
    spent, an address waits as soon as it has one recent failure of its own, or of the IPv6
    network around it: guessing from many addresses gets one try from each, and the rightful
    phone, which has not failed, is let in. Where an org is known to be (`familiar`) it is
    counted alone: neither guesses at others nor guesses from elsewhere make it wait.
    """

    def __init__(self, *, memory: int = _MEMORY) -> None:
        self._pairs = _tables((PAIR, *WIDER_PAIRS), memory)
        """Of the address, and of each network around it."""
        self._familiar = FAMILIAR.buckets(memory)
        self._addresses = _tables((ADDRESS, *WIDER), memory)
        self._orgs = ORG.buckets(memory)

    def wait_ms(self, address: str, org: str, now: int, *, familiar: bool = False) -> int:
        """Returns the milliseconds until a check may be tried. 0 means at once. Counts nothing."""
        where, now_s = client_network(address), now / 1000
        if familiar:
            return _ms(self._familiar.wait(f"{where} {org}", now_s))
        waits, failed = [], False
        for pairs, addresses, network in self._around(address):
            waits += [pairs.wait(f"{network} {org}", now_s), addresses.wait(network, now_s)]
            failed = failed or pairs.missing(f"{network} {org}", now_s) > 0
        if failed or self._addresses[0].missing(where, now_s) > 0:
            waits.append(self._orgs.wait(org, now_s))
        return _ms(max(waits))

    def failed(self, address: str, org: str, now: int, *, familiar: bool = False) -> None:
        """Counts a failed check."""
        now_s = now / 1000
        self._orgs.spend(org, now_s)
        if familiar:
            self._familiar.spend(f"{client_network(address)} {org}", now_s)
            return
        for pairs, addresses, network in self._around(address):
            pairs.spend(f"{network} {org}", now_s)
            addresses.spend(network, now_s)

    def _around(self, address: str) -> Iterator[tuple[Buckets[str], Buckets[str], str]]:
        """Returns the network of an address and those around it, with the buckets of each."""
        networks = (client_network(address), *wider_networks(address))
        return zip(self._pairs, self._addresses, networks, strict=False)

    def __len__(self) -> int:
        """Entries in memory, of all kinds together."""
        kinds = (*self._pairs, self._familiar, *self._addresses, self._orgs)
        return sum(map(len, kinds))


def _tables(allowances: Sequence[Allowance], memory: int) -> tuple[Buckets[str], ...]:
    return tuple(allowance.buckets(memory) for allowance in allowances)


def _ms(seconds: float) -> int:
    """Rounds a wait up to whole milliseconds."""
    return ceil(seconds * 1000)

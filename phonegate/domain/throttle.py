"""Who may go on guessing secrets. Pure but for its own memory: the time is passed in.

Only failures count, so it never slows a client whose secrets are right. Each bucket is kept as
one number: the time at which it is full again.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from phonegate.domain.client_network import place, wider


@attrs.frozen
class Allowance:
    """How many failures are borne at once (`burst`), and how soon each is forgotten."""

    burst: int
    refill_ms: int

    @property
    def horizon_ms(self) -> int:
        """No debt outlasts this: twice the refill of a whole bucket."""
        return 2 * self.burst * self.refill_ms


PAIR: Final = Allowance(burst=10, refill_ms=30_000)
"""Of one address at one org: ten slips of a person or a misconfigured phone, then two tries a
minute: 2,900 guesses a day."""
WIDER_PAIRS: Final = (Allowance(burst=20, refill_ms=15_000), Allowance(burst=40, refill_ms=7_500))
"""Of the /56 and the /48 around an IPv6 address, at one org: there are more people in them, and one
of them may have all of it."""
ADDRESS: Final = Allowance(burst=40, refill_ms=7_500)
"""Of one address at all orgs together. More than at one: behind an address that many share, who
guesses at one org leaves the others alone."""
WIDER: Final = (Allowance(burst=60, refill_ms=5_000), Allowance(burst=120, refill_ms=2_500))
"""Of the /56 and the /48 around an IPv6 address, at all orgs together."""
ORG: Final = Allowance(burst=30, refill_ms=10_000)
"""From all addresses together; beyond it one failure makes an address wait, see `Throttle`."""
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
        self._familiar = _Buckets(FAMILIAR, memory)
        self._addresses = _tables((ADDRESS, *WIDER), memory)
        self._orgs = _Buckets(ORG, memory)

    def wait_ms(self, address: str, org: str, now: int, *, familiar: bool = False) -> int:
        """Milliseconds until a check may be tried; 0 means at once. Counts nothing."""
        where = place(address)
        if familiar:
            return self._familiar.wait(f"{where} {org}", now)
        waits, failed = [], False
        for pairs, addresses, network in self._around(address):
            waits += [pairs.wait(f"{network} {org}", now), addresses.wait(network, now)]
            failed = failed or pairs.has_failed(f"{network} {org}", now)
        if failed or self._addresses[0].has_failed(where, now):
            waits.append(self._orgs.wait(org, now))
        return max(waits)

    def failed(self, address: str, org: str, now: int, *, familiar: bool = False) -> None:
        """Counts a failed check."""
        self._orgs.spend(org, now)
        if familiar:
            self._familiar.spend(f"{place(address)} {org}", now)
            return
        for pairs, addresses, network in self._around(address):
            pairs.spend(f"{network} {org}", now)
            addresses.spend(network, now)

    def _around(self, address: str) -> Iterator[tuple["_Buckets", "_Buckets", str]]:
        """The place of an address and the networks around it, with the buckets of each."""
        networks = (place(address), *wider(address))
        return zip(self._pairs, self._addresses, networks, strict=False)

    def __len__(self) -> int:
        """Entries in memory, of all kinds together."""
        kinds = (*self._pairs, self._familiar, *self._addresses, self._orgs)
        return sum(map(len, kinds))


def _tables(allowances: Sequence[Allowance], memory: int) -> tuple["_Buckets", ...]:
    return tuple(_Buckets(allowance, memory) for allowance in allowances)


class _Buckets:
    def __init__(self, allowance: Allowance, memory: int) -> None:
        self._allowance = allowance
        self._memory = memory
        self._full_at: OrderedDict[str, int] = OrderedDict()
        """When each bucket is full again; the one that failed longest ago is first."""

    def has_failed(self, key: str, now: int) -> bool:
        return self._missing(key, now) > 0

    def wait(self, key: str, now: int) -> int:
        """Until one token is there, that is until all but `burst - 1` refills are over."""
        spare = (self._allowance.burst - 1) * self._allowance.refill_ms
        return max(0, self._missing(key, now) - spare)

    def spend(self, key: str, now: int) -> None:
        self._full_at[key] = now + self._missing(key, now) + self._allowance.refill_ms
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._memory:
            self._full_at.popitem(last=False)

    def _missing(self, key: str, now: int) -> int:
        """Milliseconds until the bucket is full. Forgets it then."""
        full_at = self._full_at.get(key)
        if full_at is None:
            return 0
        if full_at <= now:
            del self._full_at[key]
            return 0
        horizon = self._allowance.horizon_ms
        if full_at - now > horizon:
            # It has failed beyond all measure, or the clock was set back and the key would wait
            # until it caught up.
            self._full_at[key] = full_at = now + horizon
        return full_at - now

    def __len__(self) -> int:
        return len(self._full_at)

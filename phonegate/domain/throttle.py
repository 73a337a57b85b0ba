"""Who may go on guessing secrets. Pure but for its own memory: the time is passed in.

Only failures count, so it never slows a client whose secrets are right. Two buckets, of
addresses and of orgs, are each kept as one number: the time at which the bucket is full again.
"""

from collections import OrderedDict

import attrs

from phonegate.domain.place import place


@attrs.frozen
class Allowance:
    """How many failures are borne at once (`burst`), and how soon each is forgotten."""

    burst: int
    refill_ms: int

    @property
    def horizon_ms(self) -> int:
        """No debt outlasts this: twice the refill of a whole bucket."""
        return 2 * self.burst * self.refill_ms


ADDRESS = Allowance(burst=10, refill_ms=30_000)
"""Ten slips of a person or a misconfigured phone, then two tries a minute: 2,900 guesses a day."""
ORG = Allowance(burst=30, refill_ms=10_000)
"""From all addresses together; beyond it one failure makes an address wait, see `Throttle`."""

_MEMORY = 16_384
"""Addresses, and orgs, that are remembered: some 3 MB. Each entry costs its owner a failed check
of a slow hash, so that washing one's own entry out takes minutes and thousands of addresses."""


class Throttle:
    """Counts failed credential checks by client address and by org.

    An address that has spent its failures waits. When an org's failures from everywhere are
    spent, an address waits as soon as it has one recent failure of its own: guessing from many
    addresses gets one try from each, and the rightful phone, which has not failed, is let in.
    """

    def __init__(
        self, *, address: Allowance = ADDRESS, org: Allowance = ORG, memory: int = _MEMORY
    ) -> None:
        self._addresses = _Buckets(address, memory)
        self._orgs = _Buckets(org, memory)

    def wait_ms(self, address: str, org: str | None, now: int) -> int:
        """Milliseconds until a check may be tried; 0 means at once. Counts nothing."""
        where = place(address)
        wait = self._addresses.wait(where, now)
        if org is not None and self._addresses.has_failed(where, now):
            wait = max(wait, self._orgs.wait(org, now))
        return wait

    def failed(self, address: str, org: str | None, now: int) -> None:
        """Counts a failed check."""
        self._addresses.spend(place(address), now)
        if org is not None:
            self._orgs.spend(org, now)

    def __len__(self) -> int:
        """Entries in memory, of addresses and orgs together."""
        return len(self._addresses) + len(self._orgs)


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

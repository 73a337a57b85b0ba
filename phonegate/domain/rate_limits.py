"""The limits of one gateway: how much one address, org or phone may use of what all of them share.

Unauthenticated callers are counted by their address, authenticated ones by their org alone. So a
flood from an address delays no authenticated caller who shares it. Wrong secrets have limits of
their own, see `throttle`. Times are seconds of the monotonic clock.
"""

from collections import Counter
from collections.abc import Hashable
from math import ceil
from typing import Final, Literal, TypeVar, get_args

import attrs

from phonegate.domain.client_network import client_network, owner_network
from phonegate.model.refusals import RateExceeded, Throttled
from phonegate.rates import Buckets, Rate, Standing

Kind = Literal[
    "address_connections",
    "address_handshakes",
    "address_requests",
    "org_requests",
    "org_queue",
    "org_bytes",
    "disk_low",
    "address_orgs",
    "all_orgs",
    "bodies",
    "answers",
    "phone_frames",
    "org_frames",
    "org_phones",
    "org_sims",
    "org_keys",
    "org_assistants",
    "org_webhooks",
]
"""What a limit is about."""

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

HOUR_S: Final = 3_600.0

HEARD_BYTES: Final = 8_192
"""Bytes of an unauthenticated caller's body that count as one more request, since reading them
takes as much work."""

FOUND_PROBLEMS: Final = 10
"""Wrong fields in such a body that count as one more request."""

ORG_BURST_S: Final = 1.0
"""Seconds' worth of an org's frames that may come at once. Hundreds of phones have their turns one
after another, and all others wait while the gateway handles what they send in one turn."""

NEAR: Final = 0.5
"""The part of a bucket that is left when answers begin to say how much is left."""

FIRST_ORGS: Final = 3
"""Orgs that one network (an IPv4 /24 or IPv6 /48) may make in an hour once half of `orgs_per_hour`
is used up, so that a dozen hosts that make many can't use up the limit that all share."""

K = TypeVar("K", bound=Hashable)


@attrs.frozen(kw_only=True)
class Bounds:
    """The limits (`[limits]` in the configuration). 0 means no limit."""

    address_connections: int = 0
    address_handshakes_per_s: int = 0
    address_requests_per_s: int = 0
    address_orgs_per_hour: int = 0
    orgs_per_hour: int = 0
    org_requests_per_s: int = 0
    org_queue: int = 0
    org_bytes_per_day: int = 0
    self_made_org_bytes_per_day: int = 0
    phone_frames_per_s: int = 0
    org_frames_per_s: int = 0
    org_phones: int = 0
    org_sims: int = 0
    org_keys: int = 0
    org_assistants: int = 0
    org_events: int = 0
    org_webhooks: int = 0
    bodies_bytes: int = 0
    answers_bytes: int = 0


@attrs.frozen
class _Policy:
    """A limit on requests, and the text of its refusals."""

    name: str
    problem: str

    def exceeded(self, buckets: Buckets[K], key: K, wait: float, now: float) -> RateExceeded:
        """Returns the error that a request is refused with."""
        seconds = max(1, ceil(wait))
        return RateExceeded(
            f"{self.problem}: {buckets.rate.per_s:g} a second is the limit. Try again in "
            f"{seconds} s.",
            seconds,
            policy=self.name,
            rate=buckets.rate,
            standing=buckets.standing(key, now),
        )


_ADDRESS = _Policy("address", "Too many requests come from your address without a right credential")
_ORG = _Policy("org", "This org makes too many requests")


class RateLimits:
    """Counts connections, handshakes, requests, frames and new orgs, and refuses too many."""

    def __init__(self, bounds: Bounds | None = None, *, disk_low_bytes: int = 0) -> None:
        """Below `disk_low_bytes` of free space, orgs made by a first call store nothing."""
        self.disk_low_bytes = disk_low_bytes
        self.bounds = bounds = Bounds() if bounds is None else bounds
        self.refused: Counter[Kind] = Counter()
        """Refusals since the start, by limit. For frames, how often a phone was slowed down."""
        self._connections: Counter[str] = Counter()
        self._handshakes = _buckets(Rate.of(bounds.address_handshakes_per_s))
        self._unauthenticated = _buckets(Rate.of(bounds.address_requests_per_s))
        self._founders = _buckets(_hourly(bounds.address_orgs_per_hour))
        rate_of_orgs = _hourly(bounds.orgs_per_hour)
        self._founding = _buckets(rate_of_orgs)
        self._kept_s = 0.0 if rate_of_orgs is None else rate_of_orgs.seconds / 2
        self._networks: Buckets[str] = Buckets(Rate(FIRST_ORGS / HOUR_S, FIRST_ORGS))
        frames = Rate.of(bounds.phone_frames_per_s)
        self._frames: Buckets[int] | None = None if frames is None else Buckets(frames)
        frames = Rate.of(bounds.org_frames_per_s, ORG_BURST_S)
        self._org_frames: Buckets[int] | None = None if frames is None else Buckets(frames)
        rate = Rate.of(bounds.org_requests_per_s)
        self._orgs: Buckets[int] | None = None if rate is None else Buckets(rate)
        self._near_s = 0.0 if rate is None else rate.seconds * NEAR

    def note(self, kind: Kind) -> None:
        """Counts a refusal that another module decided on."""
        self.refused[kind] += 1

    # -- connections

    def connect(self, address: str) -> bool:
        """Counts a connection of an address. Returns False if it may not have another."""
        where, most = client_network(address), self.bounds.address_connections
        if most and self._connections[where] >= most:
            self.refused["address_connections"] += 1
            return False
        self._connections[where] += 1
        return True

    def disconnect(self, address: str) -> None:
        """Takes back the count of a connection that has ended."""
        where = client_network(address)
        self._connections[where] -= 1
        if not self._connections[where]:
            del self._connections[where]

    def handshake(self, address: str, now: float) -> float:
        """Counts a handshake of an address. Returns the seconds for which it has to wait, or 0."""
        if self._handshakes is None:
            return 0.0
        wait = self._handshakes.take(client_network(address), now)
        if wait:
            self.refused["address_handshakes"] += 1
        return wait

    # -- requests

    def is_exhausted(self, address: str, now: float) -> bool:
        """Tells whether an address has used up its unauthenticated requests. Counts nothing."""
        return (
            self._unauthenticated is not None
            and self._unauthenticated.wait(client_network(address), now) > 0
        )

    def count_unauthenticated(self, address: str, now: float, *, body_bytes: int = 0) -> float:
        """Counts a request of a caller who is not authenticated yet.

        A body counts by its size, since it is read before its caller is authenticated.

        Returns:
            The cost, which `pardon` gives back once the caller is authenticated.

        Raises:
            RateExceeded: The address has made too many.
        """
        if self._unauthenticated is None:
            return 0.0
        where = client_network(address)
        wait = self._unauthenticated.wait(where, now)
        if wait:
            self.refused["address_requests"] += 1
            raise _ADDRESS.exceeded(self._unauthenticated, where, wait, now)
        cost = 1 + body_bytes / HEARD_BYTES
        self._unauthenticated.spend(where, now, cost)
        return cost

    def pardon(self, address: str, now: float, cost: float) -> None:
        """Gives back what `count_unauthenticated` counted for a caller who is authenticated now."""
        if self._unauthenticated is not None and cost:
            self._unauthenticated.give_back(client_network(address), now, cost)

    def found_wrong(self, address: str, now: float, problems: int) -> None:
        """Counts the work of finding wrong fields in an unauthenticated caller's body."""
        if self._unauthenticated is not None and problems:
            self._unauthenticated.spend(client_network(address), now, problems / FOUND_PROBLEMS)

    def allows(self, org: int, now: float) -> bool:
        """Tells whether an org may make a request now. Counts nothing."""
        return self._orgs is None or not self._orgs.wait(org, now)

    def request(self, org: int, now: float) -> Standing | None:
        """Counts a request of an org.

        Returns:
            What is left of the org's requests, if it is near its limit.

        Raises:
            RateExceeded: The org has made too many.
        """
        buckets = self._orgs
        if buckets is None:
            return None
        wait = buckets.take(org, now)
        if wait:
            self.refused["org_requests"] += 1
            raise _ORG.exceeded(buckets, org, wait, now)
        if buckets.missing(org, now) <= self._near_s:
            return None
        return buckets.standing(org, now)

    @property
    def org_rate(self) -> Rate | None:
        """How many requests an org may make, or None where that is not limited."""
        return None if self._orgs is None else self._orgs.rate

    def frames(self, org: int, phone: int, count: int, now: float) -> float:
        """Counts frames that a phone has sent. Returns the seconds for which it has to wait."""
        wait = 0.0
        if self._frames is not None:
            wait = self._frames.spend(phone, now, count)
            self.refused["phone_frames"] += wait > 0
        if self._org_frames is not None:
            shared = self._org_frames.spend(org, now, count)
            self.refused["org_frames"] += shared > 0
            wait = max(wait, shared)
        return wait

    def is_short_of_frames(self, org: int, now: float) -> bool:
        """Tells whether less than half is left of the frames that an org's phones may send."""
        buckets = self._org_frames
        return buckets is not None and buckets.missing(org, now) > buckets.rate.seconds * NEAR

    # -- orgs

    def register(self, address: str, now: float, *, local: bool = False) -> None:
        """Counts a new org that a first call makes.

        The gateway's own networks (`local`) have a count of their own, which no other caller can
        use up.

        Raises:
            Throttled: The address has made too many, or all addresses together have.
        """
        where, everybody = client_network(address), "local" if local else "far"
        wait = 0.0 if self._founders is None else self._founders.wait(where, now)
        kind: Kind = "address_orgs"
        if not wait and self._founding is not None:
            around, kind = owner_network(address), "all_orgs"
            if not local and self._founding.missing(everybody, now) > self._kept_s:
                wait = self._networks.wait(around, now)
            wait = wait or self._founding.take(everybody, now)
            if not wait:
                self._networks.spend(around, now)
        if wait:
            self.refused[kind] += 1
            seconds = max(1, round(wait))
            raise Throttled(
                f"Too many new orgs are made. Try again in {seconds} s, or ask this gateway's "
                "owner for one.",
                seconds,
            )
        if self._founders is not None:
            self._founders.take(where, now)


def _buckets(rate: Rate | None) -> Buckets[str] | None:
    return None if rate is None else Buckets(rate)


def _hourly(count: int) -> Rate | None:
    """Returns the rate of so many an hour, all of which may come at once."""
    return Rate.of(count / HOUR_S, HOUR_S)

"""The limits of one gateway: what one address, org or phone may take of what all of them share.

Unknown callers are counted by their address, callers whose credentials are right by their org
alone. So a flood from an address delays no known caller who shares it. Wrong secrets have limits of
their own, see `throttle`. Times are seconds of the monotonic clock.
"""

from collections import Counter
from collections.abc import Hashable
from math import ceil
from typing import Final, Literal, TypeVar, get_args

import attrs

from phonegate.domain.client_network import network, place
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
]
"""What a limit is about."""

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

HOUR_S: Final = 3_600.0

HEARD_BYTES: Final = 8_192
"""Bytes of an unknown caller's body that count as one request more: to read them costs as much."""

FOUND_PROBLEMS: Final = 10
"""Wrong fields in it that do."""

ORG_BURST_S: Final = 1.0
"""Of an org's frames, a second's worth may come at once: hundreds of phones have their turn one
after another, and all others wait for what they send in one turn."""

NEAR: Final = 0.5
"""Part of a bucket that is left when answers begin to say how much is left."""

FIRST_ORGS: Final = 3
"""Orgs that one network (a /24, an IPv6 /48) may make in an hour once half of `orgs_per_hour` is
used up: a dozen hosts that make many can't use up the hour of all."""

K = TypeVar("K", bound=Hashable)


@attrs.frozen(kw_only=True)
class Bounds:
    """The limits (`[limits]` in the configuration); one of 0 is none."""

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
    bodies_bytes: int = 0
    answers_bytes: int = 0


@attrs.frozen
class _Policy:
    """A limit of requests, and what its refusals say."""

    name: str
    problem: str

    def exceeded(self, buckets: Buckets[K], key: K, wait: float, now: float) -> RateExceeded:
        """What a request is refused with."""
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
    """Counts what is done, and refuses what is too much of it."""

    def __init__(self, bounds: Bounds | None = None, *, disk_low_bytes: int = 0) -> None:
        """With less free space than `disk_low_bytes`, orgs that made themselves store nothing."""
        self.disk_low_bytes = disk_low_bytes
        self.bounds = bounds = Bounds() if bounds is None else bounds
        self.refused: Counter[Kind] = Counter()
        """Refusals since the start, by limit; of frames, how often a phone was slowed down."""
        self._connections: Counter[str] = Counter()
        self._handshakes = _buckets(Rate.of(bounds.address_handshakes_per_s))
        self._strangers = _buckets(Rate.of(bounds.address_requests_per_s))
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
        """Counts a refusal that another part decided on."""
        self.refused[kind] += 1

    # -- connections

    def connect(self, address: str) -> bool:
        """Counts a connection of an address, if it may have another."""
        where, most = place(address), self.bounds.address_connections
        if most and self._connections[where] >= most:
            self.refused["address_connections"] += 1
            return False
        self._connections[where] += 1
        return True

    def disconnect(self, address: str) -> None:
        """Uncounts one that `connect` has counted."""
        where = place(address)
        self._connections[where] -= 1
        if not self._connections[where]:
            del self._connections[where]

    def handshake(self, address: str, now: float) -> float:
        """Counts a handshake of an address. Returns 0, or for how many seconds it has to wait."""
        if self._handshakes is None:
            return 0.0
        wait = self._handshakes.take(place(address), now)
        if wait:
            self.refused["address_handshakes"] += 1
        return wait

    # -- requests

    def is_spent(self, address: str, now: float) -> bool:
        """Whether an address has made all that unknown callers may. Counts nothing."""
        return self._strangers is not None and self._strangers.wait(place(address), now) > 0

    def stranger(self, address: str, now: float, *, body_bytes: int = 0) -> float:
        """Counts a request of an unknown caller.

        Returns the cost, which `pardon` gives back once the caller is known.

        A body counts by its size, since it is read before its caller is known.

        Raises:
            RateExceeded: the address has made too many.
        """
        if self._strangers is None:
            return 0.0
        where = place(address)
        wait = self._strangers.wait(where, now)
        if wait:
            self.refused["address_requests"] += 1
            raise _ADDRESS.exceeded(self._strangers, where, wait, now)
        cost = 1 + body_bytes / HEARD_BYTES
        self._strangers.spend(where, now, cost)
        return cost

    def pardon(self, address: str, now: float, cost: float) -> None:
        """Gives back what `stranger` has counted, since the caller is known after all."""
        if self._strangers is not None and cost:
            self._strangers.give_back(place(address), now, cost)

    def found_wrong(self, address: str, now: float, problems: int) -> None:
        """Counts what it cost to find wrong fields in an unknown caller's body."""
        if self._strangers is not None and problems:
            self._strangers.spend(place(address), now, problems / FOUND_PROBLEMS)

    def request(self, org: int, now: float) -> Standing | None:
        """Counts a request of an org. Returns how the org stands, if it is near its limit.

        Raises:
            RateExceeded: the org has made too many.
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
        """How many requests an org may make."""
        return None if self._orgs is None else self._orgs.rate

    def frames(self, org: int, phone: int, count: int, now: float) -> float:
        """Counts frames that a phone has sent. Returns for how many seconds to let it wait."""
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
        """Whether less than a half is left of the frames that an org's phones may send."""
        buckets = self._org_frames
        return buckets is not None and buckets.missing(org, now) > buckets.rate.seconds * NEAR

    # -- orgs

    def register(self, address: str, now: float, *, local: bool = False) -> None:
        """Counts a new org that a first call makes.

        The own networks (`local`) have an hour of their own, which no other caller can use up.

        Raises:
            Throttled: the address has made too many, or all addresses together have.
        """
        where, everybody = place(address), "local" if local else "far"
        wait = 0.0 if self._founders is None else self._founders.wait(where, now)
        kind: Kind = "address_orgs"
        if not wait and self._founding is not None:
            around, kind = network(address), "all_orgs"
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
    """All of an hour's may come at once."""
    return Rate.of(count / HOUR_S, HOUR_S)

"""Which request goes wrong, and how: scripted for the next ones, or by chance from a seed."""

import random
from collections.abc import Iterable
from typing import Literal, get_args

import attrs

from kit.fake_carrier.accounts import CarrierName

FaultKind = Literal[
    "slow",
    "rate_limited",
    "unavailable",
    "error_before",
    "error_after",
    "cut_before",
    "cut_after",
    "truncated",
    "garbage",
    "noise",
    "late_accept",
]
"""slow: does it at once, answers after `delay_s`. rate_limited, unavailable: 429 or 503 with
Retry-After. error_before, error_after: 500 without doing it, 500 after doing it. cut_before,
cut_after: a reset of the connection. truncated: does it, then half of the answer's body and the
end. garbage: does it, then a page of HTML under its status. noise: does it, then bytes that are
no HTTP. late_accept: does it only after `delay_s`, even when the client has gone by then.

Telnyx keeps its answer under the Idempotency-Key whenever it did it, whatever the client got."""

KINDS: tuple[FaultKind, ...] = get_args(FaultKind)
COMMON = tuple(kind for kind in KINDS if kind != "late_accept")
"""The kinds that chance takes by default: no client can be certain under a late accept."""

Scope = Literal["send", "read", "any"]


@attrs.frozen(kw_only=True)
class Fault:
    """Trouble for the next `times` requests that fit."""

    kind: FaultKind = attrs.field(validator=attrs.validators.in_(KINDS))
    carrier: CarrierName | None = None
    on: Scope = "send"
    times: int = 1
    delay_s: float = 1.0
    retry_after_s: int = 1

    def fits(self, carrier: CarrierName, scope: str) -> bool:
        return self.carrier in {None, carrier} and self.on in {"any", scope}


@attrs.frozen(kw_only=True)
class RandomFaults:
    """One request in `1 / rate` goes wrong, the same ones for the same seed and requests."""

    seed: int
    rate: float = 0.3
    kinds: tuple[FaultKind, ...] = attrs.field(default=COMMON, converter=tuple)
    carrier: CarrierName | None = None
    on: Scope = "send"
    delay_s: float = 1.0
    retry_after_s: int = 1


class Trouble:
    """The faults to come. A scripted one goes before chance."""

    def __init__(self) -> None:
        self._script: list[Fault] = []
        self._chance: list[tuple[RandomFaults, random.Random]] = []

    def script(self, faults: Iterable[Fault]) -> None:
        """Appends: each request takes the first fault that fits it."""
        for fault in faults:
            self._script += [attrs.evolve(fault, times=1)] * fault.times

    def by_chance(self, plan: RandomFaults) -> None:
        self._chance.append((plan, random.Random(plan.seed)))

    def clear(self) -> None:
        self._script.clear()
        self._chance.clear()

    @property
    def waiting(self) -> int:
        """Scripted faults that no request has met yet."""
        return len(self._script)

    def take(self, carrier: CarrierName, scope: str) -> Fault | None:
        """Returns the fault of this request. `scope` is `send` or `read`."""
        for index, fault in enumerate(self._script):
            if fault.fits(carrier, scope):
                return self._script.pop(index)
        for plan, dice in self._chance:
            fault = Fault(
                kind=dice.choice(plan.kinds),
                carrier=plan.carrier,
                on=plan.on,
                delay_s=plan.delay_s,
                retry_after_s=plan.retry_after_s,
            )
            if fault.fits(carrier, scope) and dice.random() < plan.rate:
                return fault
        return None

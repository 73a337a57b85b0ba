"""Shares the calls that may be under way at once among webhooks. Pure.

A receiver that hangs keeps a call for a quarter of a minute. So webhooks that fail share a small
part of all calls, those that have not been called yet another one, and what of these takes long a
third one. A webhook that works can always have its first call while others that work have several.
"""

from collections import Counter, OrderedDict, deque
from typing import Final, Generic, Literal, Protocol, TypeVar

import attrs

Standing = Literal["new", "working", "failing"]
"""What is known of a receiver since the gateway has started."""

NEW_PART: Final = 4
"""The part of all calls that new webhooks may have: a fourth. A start of the gateway makes all
of them new, and one success each is enough to be new no more."""

FAILING_PART: Final = 32
"""The part of those that fail: eight calls, by default."""

SLOW_PART: Final = 4
"""The part of the calls of both that take longer than `SLOW_S`. They count here then, so that what
hangs keeps no other from its turn."""

SLOW_S: Final = 1.0

FURTHER_PART: Final = 4
"""The part of all calls that are not the only one of their webhook. A hundred receivers that begin
to hang at the same time then leave as many for others."""

ORG_PART: Final = 2
"""The part that one org may have."""


class Caller(Protocol):
    """A webhook that has something to deliver."""

    @property
    def org(self) -> int:
        """Whose webhook it is."""

    @property
    def standing(self) -> Standing:
        """What is known of its receiver."""

    @property
    def under_way(self) -> int:
        """How many calls of it are under way."""


@attrs.define(eq=False)
class Slot:
    """A call that is under way, as it is counted."""

    org: int
    kinds: tuple[str, ...]
    since: float
    """When it began, in seconds of the monotonic clock."""


class Slots:
    """Counts the calls that are under way, against the bounds of each kind."""

    def __init__(self, calls_at_once: int) -> None:
        self._bounds = {
            "all": calls_at_once,
            "new": max(1, calls_at_once // NEW_PART),
            "failing": max(1, calls_at_once // FAILING_PART),
            "slow": max(1, calls_at_once // SLOW_PART),
            "further": max(1, calls_at_once // FURTHER_PART),
        }
        self._org_bound = max(1, calls_at_once // ORG_PART)
        self._used: Counter[str] = Counter()
        self._orgs: Counter[int] = Counter()
        self._doubtful: dict[Slot, None] = {}
        """The calls of webhooks that fail or are new, the oldest first."""

    @property
    def used(self) -> int:
        """How many calls are under way."""
        return self._used["all"]

    def age(self, now: float) -> bool:
        """Counts what takes long among its like. Returns whether that made room."""
        moved = False
        for slot in list(self._doubtful):
            if slot.since > now - SLOW_S or self._used["slow"] >= self._bounds["slow"]:
                break
            del self._doubtful[slot]
            self._used.subtract(slot.kinds)
            slot.kinds = ("all", "slow")
            self._used.update(slot.kinds)
            moved = True
        return moved

    def is_full(self, standing: Standing) -> bool:
        """Tells whether no webhook of a standing can have a call now."""
        return any(
            self._used[kind] >= self._bounds[kind]
            for kind in ("all", standing)
            if kind in self._bounds
        )

    def take(self, caller: Caller, now: float) -> Slot | None:
        """Takes a slot for one more call of a webhook. None where there is none for it now."""
        kinds = ["all"]
        if caller.standing != "working":
            kinds.append(caller.standing)
        if caller.under_way:
            kinds.append("further")
        if self._orgs[caller.org] >= self._org_bound:
            return None
        if any(self._used[kind] >= self._bounds[kind] for kind in kinds):
            return None
        self._used.update(kinds)
        self._orgs[caller.org] += 1
        slot = Slot(caller.org, tuple(kinds), now)
        if caller.standing != "working":
            self._doubtful[slot] = None
        return slot

    def give_back(self, slot: Slot) -> None:
        """Ends a call."""
        self._doubtful.pop(slot, None)
        self._used.subtract(slot.kinds)
        self._orgs[slot.org] -= 1
        if not self._orgs[slot.org]:
            del self._orgs[slot.org]


C = TypeVar("C", bound=Caller)

_ORDER: Final[tuple[Standing, ...]] = ("working", "new", "failing")


class Turns(Generic[C]):
    """Webhooks that wait for a slot. Orgs take turns, and so do the webhooks of an org."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._waiting: dict[Standing, OrderedDict[int, deque[C]]] = {
            standing: OrderedDict() for standing in _ORDER
        }
        self._places: dict[C, Standing] = {}

    def add(self, caller: C) -> None:
        """Has a webhook wait for a slot, at the end of the line."""
        if self._places.get(caller) == caller.standing:
            return
        self.discard(caller)
        self._places[caller] = caller.standing
        self._waiting[caller.standing].setdefault(caller.org, deque()).append(caller)

    def discard(self, caller: C) -> None:
        """Has a webhook wait no more."""
        standing = self._places.pop(caller, None)
        if standing is None:
            return
        orgs = self._waiting[standing]
        orgs[caller.org].remove(caller)
        if not orgs[caller.org]:
            del orgs[caller.org]

    def next(self, now: float) -> tuple[C, Slot] | None:
        """Returns the next webhook that may make a call, with its slot. It waits no more."""
        for standing in _ORDER:
            orgs = self._waiting[standing]
            for _ in range(len(orgs)):
                if self._slots.is_full(standing):
                    break
                org, callers = orgs.popitem(last=False)
                orgs[org] = callers
                for _ in range(len(callers)):
                    caller = callers[0]
                    slot = self._slots.take(caller, now)
                    if slot is not None:
                        self.discard(caller)
                        return caller, slot
                    callers.rotate(-1)
        return None

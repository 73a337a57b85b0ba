"""The state that the parts of a simulated phone share: identity, plan, memory and counts."""

from collections.abc import Callable

import attrs
import trio

from phonegate.phone.journal import Journal
from phonegate.phone.ledger import Inbound, Result
from phonegate.phone.link import Link
from phonegate.phone.radio import Radio
from phonegate.phone.radios.radio import SimCard
from phonegate.phone.simulated_faults import Dice, Plan

BODY_LIMIT = 1600
"""Characters of the longest SMS that the gateway accepts."""


@attrs.frozen(kw_only=True)
class Identity:
    """The identity of a phone. One of the basic protocol never sends its `device_id`."""

    device_id: str
    name: str | None = None
    model: str = "simulated"
    sims: tuple[SimCard, ...] = ()

    def has_sim(self, sim: str | None) -> bool:
        """Tells whether the phone has a SIM of this number or slot."""
        if sim is None or not self.sims:
            return True
        return any(sim in {card.number, str(card.slot)} for card in self.sims)


@attrs.define
class Stats:
    """The counts of what a phone did."""

    links: int = 0
    """Connections on which the gateway said `connected`."""
    received: int = 0
    """Messages accepted. A repeated push is counted in `repeats` only."""
    repeats: int = 0
    radioed: int = 0
    failed: int = 0
    uncertain: int = 0
    cancelled: int = 0
    inbound_sent: int = 0
    """Inbound frames, including repeats after a reconnect."""
    inbound_acked: int = 0
    cuts: int = 0
    """Links that the phone lost on purpose."""
    crashes: int = 0

    def __add__(self, other: "Stats") -> "Stats":
        mine, theirs = attrs.astuple(self), attrs.astuple(other)
        return Stats(*(a + b for a, b in zip(mine, theirs, strict=True)))


@attrs.define(kw_only=True)
class Device:
    """The shared state. It outlives the phone's crashes, except for the events."""

    identity: Identity
    plan: Plan
    journal: Journal
    radio: Radio
    dice: Dice
    notice: Callable[[str], None]
    now_ms: Callable[[], int]
    stats: Stats = attrs.field(factory=Stats)
    wake: trio.Event = attrs.field(factory=trio.Event)
    """Set when the link has something to do."""
    changed: trio.Event = attrs.field(factory=trio.Event)
    """Set, and replaced, at each change that a watcher may wait for."""
    _serial: int = 0

    @property
    def extended(self) -> bool:
        """Whether this phone uses more than the five basic frames."""
        return self.plan.protocol == "extended"

    def change(self) -> None:
        """Wakes all tasks that wait for a change."""
        self.changed.set()
        self.changed = trio.Event()

    def cut(self, link: Link, *, reset: bool) -> None:
        """Cuts a link on purpose, without a close frame."""
        if not link.is_cut:
            self.stats.cuts += 1
            link.cut(reset=reset)

    def finish(self, result: Result) -> None:
        """Records the final result of a message."""
        self.journal.record(result)
        self.change()

    def receive_sms(self, address: str, body: str, sim_slot: int | None) -> str:
        """Records a received SMS and makes the link send it. Returns its id."""
        now = self.now_ms()
        self._serial += 1
        slot = self.identity.sims[0].slot if self.identity.sims else 0
        inbound = Inbound(
            id=f"{now}-{self._serial}",
            address=address,
            body=body[:BODY_LIMIT],
            date=now,
            sim_slot=slot if sim_slot is None else sim_slot,
        )
        self.journal.record(inbound)
        self.wake.set()
        return inbound.id

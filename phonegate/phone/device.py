"""The state that the parts of a phone program share: identity, memory, radio and counts."""

import json
from collections.abc import Callable
from typing import Any, Final

import attrs
import trio

from phonegate.phone.conduct import Conduct
from phonegate.phone.connector import OpenLink
from phonegate.phone.journal import Journal
from phonegate.phone.radios.radio import Radio, RadioIdentity, ReceivedSms, SimCard
from phonegate.phone.records import Delivered, Inbound, Mark, Result

BODY_BYTES: Final = 60_000
"""Most bytes of a received text in a frame, which may have 65,536. No SMS of ASCII is as long."""
ADDRESS_BYTES: Final = 4_000
"""Most bytes of a sender in a frame, beside the longest text. Numbers have at most 20."""
MAX_UNACKED: Final = 5_000
"""Received messages that the phone keeps for an absent gateway: days of a busy phone."""
MAX_UNACKED_CHARACTERS: Final = 4_000_000
"""The same, for long ones."""
EARLY_REPORTS: Final = 64
"""Delivery reports that are kept for an attempt that has not ended. Few can be so early."""


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
    """The shared state, which is also the desk of the radio. It outlives a simulated crash."""

    identity: RadioIdentity | None = None
    """None until the radio has seen its device."""
    journal: Journal
    radio: Radio
    conduct: Conduct
    notice: Callable[[str], None]
    now_ms: Callable[[], int]
    owner_sims: tuple[SimCard, ...] = ()
    """What the owner says of the SIMs, which the radio may know less of."""
    sims: tuple[SimCard, ...] | None = None
    """None until they are known."""
    status: dict[str, Any] | None = None
    """The last status that the radio reported, as fields of a frame."""
    idle_since: float | None = None
    """Since when the radio can't work, by trio's clock. None: it can, as far as it says."""
    stats: Stats = attrs.field(factory=Stats)
    wake: trio.Event = attrs.field(factory=trio.Event)
    """Set when the link has something to do."""
    acked: trio.Event = attrs.field(factory=trio.Event)
    """Set when the gateway has stored what the radio may forget."""
    changed: trio.Event = attrs.field(factory=trio.Event)
    """Set, and replaced, at each change that a watcher may wait for."""
    _early: dict[str, tuple[int, bool]] = attrs.field(factory=dict)

    @property
    def works(self) -> bool:
        """Whether the radio can send now, as far as it says."""
        return self.idle_since is None

    def change(self) -> None:
        """Wakes all tasks that wait for a change."""
        self.changed.set()
        self.changed = trio.Event()

    def cut(self, link: OpenLink, *, reset: bool) -> None:
        """Cuts a link on purpose, without a close frame."""
        if not link.is_cut:
            self.stats.cuts += 1
            link.cut(reset=reset)

    def finish(self, result: Result) -> None:
        """Records the final result of a message, and its delivery if that was reported before."""
        self.journal.record(result)
        early = None if result.reference is None else self._early.pop(result.reference, None)
        if early is not None:
            self.journal.record(Delivered(id=result.id, date=early[0], delivered=early[1]))
        self.change()

    def begin_attempt(self) -> None:
        """Drops the delivery reports that belong to no message: from now on come others."""
        self._early.clear()

    def slot(self, sim: str | None) -> int | None:
        """Returns the slot of the SIM that the gateway names, if the phone has it."""
        if sim is None:
            return None
        found = [card.slot for card in self.sims or () if sim in {card.number, str(card.slot)}]
        return found[0] if found else None

    def lacks(self, sim: str | None) -> bool:
        """Tells whether the phone has no such SIM. One that knows of none may have any."""
        return sim is not None and bool(self.sims) and self.slot(sim) is None

    # The desk of the radio.

    def received(self, sms: ReceivedSms) -> bool:
        """Takes a received SMS into the journal, unless it is there. See `Desk`."""
        ledger = self.journal.ledger
        if ledger.holds(sms.id):
            return True
        if (
            ledger.unacked_count >= MAX_UNACKED
            or ledger.unacked_characters >= MAX_UNACKED_CHARACTERS
        ):
            return False
        inbound = Inbound(
            id=sms.id,
            address=_fitting(sms.address, ADDRESS_BYTES),
            body=_fitting(sms.body, BODY_BYTES),
            date=sms.date,
            sim_slot=sms.sim_slot,
        )
        self.journal.record(inbound)
        self.wake.set()
        self.change()
        return True

    def delivered(self, reference: str, date_ms: int, *, delivered: bool = True) -> None:
        """Takes a delivery report into the journal. See `Desk`."""
        result = self.journal.ledger.referred(reference)
        if result is not None:
            self.journal.record(Delivered(id=result.id, date=date_ms, delivered=delivered))
            self.wake.set()
            self.change()
        elif len(self._early) < EARLY_REPORTS:
            self._early[reference] = (date_ms, delivered)

    def report_sims(self, sims: tuple[SimCard, ...]) -> None:
        """Takes the SIMs. The owner's words about a slot stand above the radio's."""
        named = {card.slot: card for card in self.owner_sims}
        known = {card.slot: card for card in sims}
        self.sims = tuple(
            SimCard(
                slot=slot,
                number=_first(named, known, slot, "number"),
                carrier=_first(named, known, slot, "carrier"),
            )
            for slot in sorted(named.keys() | known.keys())
        )
        self.wake.set()

    def report_status(
        self,
        *,
        battery: int | None = None,
        charging: bool | None = None,
        signal: int | None = None,
        network: str | None = None,
    ) -> None:
        """Takes how the phone is. See `Desk`."""
        reported = {
            "battery": battery,
            "charging": charging,
            "signal": signal,
            "network": network,
        }
        self.status = {name: value for name, value in reported.items() if value is not None}
        self.wake.set()

    def report_working(self, *, works: bool) -> None:
        """Takes whether the radio can work now. See `Desk`."""
        if works != self.works:
            self.idle_since = None if works else trio.current_time()
            self.wake.set()
            self.change()

    def mark(self, name: str) -> str | None:
        """Returns what the radio last wrote down under a name."""
        return self.journal.ledger.mark(name)

    def set_mark(self, name: str, value: str) -> None:
        """Writes down a value of the radio in the journal."""
        if self.mark(name) != value:
            self.journal.record(Mark(name=name, value=value))


def _first(
    named: dict[int, SimCard], known: dict[int, SimCard], slot: int, field: str
) -> str | None:
    values = [getattr(cards[slot], field) for cards in (named, known) if slot in cards]
    return next((value for value in values if value is not None), None)


def _fitting(text: str, most: int) -> str:
    """Returns a text, or as much of it as fits a frame: a longer one would close every link."""
    while len(json.dumps(text)) > most:
        text = text[: len(text) * 9 // 10]
    return text

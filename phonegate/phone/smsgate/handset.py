"""What the parts of one simulated phone with the app share: who it is, its disk and its counts."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
import trio

from phonegate.phone.radios.radio import SimCard
from phonegate.phone.smsgate import request_bodies
from phonegate.phone.smsgate.air import AppAntenna
from phonegate.phone.smsgate.app_faults import AppDice, AppPlan
from phonegate.phone.smsgate.app_journal import AppJournal
from phonegate.phone.smsgate.app_memory import (
    AppMemory,
    Arrived,
    EventQueued,
    HookEvent,
    Mail,
    Moved,
    Record,
)
from phonegate.phone.smsgate.app_stats import AppStats
from phonegate.phone.smsgate.app_timings import AppTimings
from phonegate.phone.smsgate.mobile_api import MobileApi
from phonegate.phone.smsgate.outbox import OUTCOME_EVENTS, parts
from phonegate.phone.smsgate.release import RELEASES, Release

MAX_EVENTS: Final = 10_000
"""That wait for their delivery. A phone that is away for a week has fewer. More are dropped."""


@attrs.frozen(kw_only=True)
class Owner:
    """A phone as its owner set it up."""

    device_id: str
    """Names the phone in journals and logs. The gateway never sees it."""
    name: str
    sims: tuple[SimCard, ...]
    token: str = attrs.field(repr=False)
    """The private token, which the owner types into the app."""


class Bell:
    """Wakes one worker. A ring while it works is kept."""

    def __init__(self) -> None:
        self._rung = trio.Event()

    def ring(self) -> None:
        """Wakes the worker, now or as soon as it waits."""
        self._rung.set()

    async def wait(self, seconds: float) -> bool:
        """Waits for a ring, so long at most. Returns whether there was one."""
        with trio.move_on_after(max(0.0, seconds)):
            await self._rung.wait()
        rung = self._rung.is_set()
        if rung:
            self._rung = trio.Event()
        return rung


@attrs.define(kw_only=True, eq=False)
class Handset:
    """One phone, whatever life of the app runs on it."""

    owner: Owner
    plan: AppPlan
    dice: AppDice
    journal: AppJournal
    antenna: AppAntenna
    api: MobileApi
    timings: AppTimings
    notice: Callable[[str], None]
    clock_ms: Callable[[], int]
    stats: AppStats = attrs.field(factory=AppStats)
    reports: Bell = attrs.field(factory=Bell)
    events: Bell = attrs.field(factory=Bell)
    outbox: Bell = attrs.field(factory=Bell)
    changed: trio.Event = attrs.field(factory=trio.Event)
    radioed: set[tuple[str, str]] = attrs.field(factory=set)
    """What this run of the program gave to the radio: message and recipient."""

    @property
    def memory(self) -> AppMemory:
        """What is on its disk."""
        return self.journal.memory

    @property
    def version(self) -> Release:
        """The version of the app."""
        return RELEASES[self.plan.profile]

    def now_ms(self) -> int:
        """Returns the time by the phone's clock."""
        return self.clock_ms() + self.plan.clock_skew_ms

    def own_number(self, sim_number: int | None) -> str | None:
        """Returns the number of a SIM, counted from 1, as far as the phone knows it."""
        sims = self.owner.sims
        slot = sims[0].slot if sim_number is None and sims else (sim_number or 1) - 1
        return next((sim.number for sim in sims if sim.slot == slot), None)

    def has_sim(self, sim_number: int | None) -> bool:
        """Tells whether there is a SIM in that place, counted from 1."""
        return sim_number is None or any(sim.slot == sim_number - 1 for sim in self.owner.sims)

    def record(self, *records: Record) -> None:
        """Stores records as one step, and wakes what works on what follows."""
        self.journal.record(*records)
        for bell in (self.reports, self.events, self.outbox):
            bell.ring()
        self.change()

    def change(self) -> None:
        """Wakes all that wait for `changed`."""
        passed, self.changed = self.changed, trio.Event()
        passed.set()

    def move(self, id: str, number: str | None, state: str, error: str | None = None) -> bool:  # noqa: A002 - the app's own name
        """Brings a message to a state, with the events that follow. Returns whether it moved."""
        message = self.memory.messages[id]
        before = {one.number: one.state for one in message.recipients}
        now = self.now_ms()
        # As the app: one step for the table, another for the events that its change makes.
        self.record(Moved(id=id, number=number, state=state, error=error, time=now))
        moved = [one.number for one in message.recipients if one.state != before[one.number]]
        name = OUTCOME_EVENTS.get(state)
        for recipient in moved if name is not None else ():
            payloads = request_bodies.outcome(
                message,
                recipient,
                now,
                own=self.own_number(message.pulled.sim_number),
                parts=parts(message.pulled),
                offset_min=self.plan.utc_offset_min,
            )
            self.record(*self.events_of({str(name): payloads[str(name)]}))
        return bool(moved)

    def receive(
        self,
        sender: str,
        text: str,
        *,
        sim_number: int | None = None,
        attachments: tuple[Mapping[str, Any], ...] | None = None,
    ) -> Mail:
        """Makes an SMS arrive, or an MMS where there are attachments."""
        sims = self.owner.sims
        own = sims[0].slot + 1 if sims else 1
        mail = Mail(
            number=len(self.memory.mails),
            sender=sender,
            text=text,
            received_at=self.now_ms(),
            sim_number=own if sim_number is None else sim_number,
            parts=attachments,
        )
        heard = [] if self.dice.happens(self.plan.miss) else self.mail_events(mail)
        self.record(Arrived(mail=mail), *heard)
        return mail

    def mail_events(self, mail: Mail) -> list[EventQueued]:
        """Returns the events of a received SMS or MMS."""
        payloads = request_bodies.received(
            mail, own=self.own_number(mail.sim_number), offset_min=self.plan.utc_offset_min
        )
        return self.events_of(payloads, mail=mail.number)

    def events_of(
        self, payloads: Mapping[str, Mapping[str, Any]], *, mail: int | None = None
    ) -> list[EventQueued]:
        """Returns events for every webhook that wants them, from their payloads by event name."""
        memory = self.memory
        room = MAX_EVENTS - len(memory.events)
        events: list[EventQueued] = []
        for name, payload in payloads.items():
            for webhook in memory.webhooks:
                if webhook.event != name:
                    continue
                for _ in range(2 if self.dice.happens(self.plan.repeat) else 1):
                    event = HookEvent(
                        id=str(uuid.uuid4()),
                        webhook=webhook,
                        payload=payload,
                        queued_at=self.now_ms(),
                        mail=mail,
                    )
                    events.append(EventQueued(event=event))
        return events[:room]

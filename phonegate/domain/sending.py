"""Sending by an org's phones: route, reserve, store, push.

A message is stored as `sending` at once when its phone can take it right now, so that the
usual send costs one transaction. Otherwise it is stored as `queued`, and the phone's feeder
pulls it when the time comes. The push itself happens after the commit, never before.
"""

from collections.abc import Sequence
from typing import Final, Literal

import attrs

from phonegate.domain import routing
from phonegate.domain.acceptance import Acceptance, new_message
from phonegate.domain.admission import Permit
from phonegate.domain.dispatch import Dispatcher, OnlinePhone
from phonegate.domain.forecast import MOST_LOOKED_AT, NewEntry, Outlook, Waiting, etas
from phonegate.domain.idempotency import Keep
from phonegate.domain.immediate_send import ImmediateSend, ImmediateSending, PlainText
from phonegate.domain.rosters import Rosters
from phonegate.domain.segmentation import count
from phonegate.model.callbacks import Callback
from phonegate.model.messages import Candidate, NewMessage
from phonegate.model.phones import Sim
from phonegate.model.principal import Principal
from phonegate.model.refusals import Conflict
from phonegate.model.states import QUEUED, SENDING
from phonegate.store.database import Database
from phonegate.store.rows import stored
from phonegate.store.tables import Tables

FORECAST_CAP = 10_000
"""Segments counted for an `eta_s`. What waits behind so many is hours away in any case."""


@attrs.frozen(kw_only=True)
class Outgoing:
    """A message to send by a phone."""

    to: str = attrs.field(repr=False)
    body: str = attrs.field(repr=False)
    sim_selector: str = ""
    """The SIM, as `routing.parse_sim_selector` gives it."""
    ttl_s: int | None = None
    send_at: int | None = None
    """It leaves not before this time, in ms. A past one means now."""
    priority: int = 0
    on_uncertain: Literal["hold", "resend"] | None = None
    """None takes the gateway's setting."""
    media_urls: tuple[str, ...] | None = None
    phone: int | None = None
    """The phone that must send it, which is online. It needs no `sim_selector` then."""
    callback: Callback | None = None
    """What is called with what becomes of it."""
    client_id: str | None = None
    """What its sender's program calls it."""

    @property
    def is_plain(self) -> bool:
        """Tells whether it asks for nothing but to leave, by a certain SIM or any."""
        return (
            self.ttl_s is None
            and self.send_at is None
            and self.priority == 0
            and self.on_uncertain is None
            and not self.media_urls
            and self.phone is None
            and self.callback is None
            and self.client_id is None
        )


@attrs.frozen(kw_only=True)
class Sent:
    """An accepted message."""

    id: int
    to: str = attrs.field(repr=False)
    status: str
    segments: int
    eta_s: int | None = None
    """Seconds until it leaves, where it waits for its SIM's pacing."""
    held: bool = False
    """Whether it waits for a person's approval."""


@attrs.frozen(kw_only=True)
class SendOutcome:
    """What became of a send of which every message was accepted."""

    device_online: bool
    results: tuple[Sent, ...]


@attrs.frozen
class _Plan:
    """A message with its route."""

    new: NewMessage
    phone: int | None
    """Where room is reserved for it."""
    sim: Sim | None
    outlook: Outlook | None = None
    """The pacing of the SIM that it waits for. None where it waits for something else."""

    @property
    def waits(self) -> bool:
        """Tells whether it is queued and could leave as soon as there is room."""
        return self.phone is None and self.new.held_until is None


class Sending:
    """Sends messages by phones.

    Args:
        database: Where the SIMs of absent phones are looked up.
        dispatcher: Hands messages to the phones that are online.
        acceptance: Admits and stores messages.
        on_uncertain: What happens to a message that a phone may have sent or not, where the
            message does not say so itself.
    """

    def __init__(
        self,
        database: Database,
        dispatcher: Dispatcher,
        acceptance: Acceptance,
        *,
        on_uncertain: Literal["hold", "resend"] = "hold",
    ) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._acceptance = acceptance
        self._on_uncertain = on_uncertain
        self._rosters = Rosters()
        self.immediate: Final = ImmediateSending(
            dispatcher,
            self._rosters,
            acceptance.rate_limits,
            database,
            commit_deadline_s=acceptance.commit_deadline_s,
            default_ttl_s=acceptance.default_ttl_s,
            on_uncertain=on_uncertain,
        )
        """Sends what can leave at once."""

    async def send(
        self, sender: Principal, items: Sequence[Outgoing], *, keep: Keep[SendOutcome] | None = None
    ) -> SendOutcome:
        """Stores all messages durably, and pushes those that can leave now.

        Raises:
            RecipientNotAllowed, QuietHoursBegun, KeyLimitReached, BatchOverLimit: A limit of the
                sender's API key. Nothing was stored.
            UnknownSim: A message selects a SIM that is none of the org's. Nothing was stored.
            QueueFull, StorageSpent, DiskLow: A limit of the org. Nothing was stored.
            StorageUnavailable: Nothing was stored.
            Conflict: The phone of a message is not online, or the Idempotency-Key of `keep` got
                its answer meanwhile. Nothing was stored.
            TooSlowError: The disk took a minute. The messages may have been stored or not.
        """
        org = sender.org
        now = self._acceptance.now_ms()
        if keep is None and (begun := self._begin(sender, items, now)) is not None:
            return await self._finish(begun)
        permits = self._acceptance.permits(sender, items, now)
        online = self._dispatcher.online(org)
        routes = await self._routes(org, items, online)
        plans = self._plans(sender, items, routes, permits, now)
        try:
            outcome = await self._acceptance.store(
                sender,
                [plan.new for plan in plans],
                lambda tx: _insert(tx, org, plans, device_online=bool(online)),
                keep=keep,
                now=now,
            )
        except BaseException:
            for plan in plans:
                if plan.phone is not None:
                    self._dispatcher.release(plan.phone, plan.sim, plan.new.segments)
            raise
        for plan, sent in zip(plans, outcome.results, strict=True):
            if plan.phone is not None:
                self._dispatcher.push(plan.phone, stored(plan.new, sent.id))
        return outcome

    async def forecast(self, org: int, sim_selector: str, *segments: int) -> int | None:
        """Forecasts the seconds until the last of some messages would leave, if all were sent now.

        Args:
            org: Whose.
            sim_selector: Their SIM, as in `Outgoing`.
            segments: What each takes.

        Returns:
            None where no phone that is online could send them.

        Raises:
            UnknownSim: As `send`.
        """
        online = self._dispatcher.online(org)
        (route,) = await self._routes(
            org, [Outgoing(to="", body="", sim_selector=sim_selector)], online
        )
        if route.phone is None:
            return None
        outlook = self._dispatcher.outlook(route.phone, route.sim)
        if outlook is None:
            return 0
        entries = [NewEntry(0, one) for one in segments]
        return await self._database.read(
            lambda tx: max(etas(outlook, _waiting(tx, org, outlook, 0), entries))
        )

    def _begin(
        self, sender: Principal, items: Sequence[Outgoing], now: int
    ) -> ImmediateSend | None:
        """Begins a send of which all can leave at once. Returns None for any other."""
        if not all(item.is_plain for item in items):
            return None
        texts = [PlainText(item.to, item.body, item.sim_selector) for item in items]
        return self.immediate.begin(sender, texts, now)

    async def _finish(self, begun: ImmediateSend) -> SendOutcome:
        """Stores what has begun, and pushes it."""

        def give_up() -> None:
            begun.given_up = True

        try:
            ids = await self._acceptance.see_through(begun, begun.size, give_up)
        except BaseException:
            self.immediate.release(begun)
            raise
        self.immediate.push(begun, ids)
        results = tuple(
            Sent(id=id_, to=one.address, status=SENDING, segments=one.segments)
            for id_, one in zip(ids, begun.messages, strict=True)
        )
        return SendOutcome(device_online=True, results=results)

    async def _routes(
        self, org: int, items: Sequence[Outgoing], online: Sequence[OnlinePhone]
    ) -> list[routing.Route]:
        """Finds the route of each item. Reads the SIMs of absent phones only if one is selected."""
        roster = self._rosters.of(org, online)
        found = {item.sim_selector: roster.route(item.sim_selector) for item in items}
        known: Sequence[Sim] = ()
        if None in found.values():
            known = await self._database.read(lambda tx: tx.phones.known_sims(org))
        routes = {one: route or roster.beyond(one, known) for one, route in found.items()}
        return [
            routes[item.sim_selector] if item.phone is None else _to_phone(item.phone, online)
            for item in items
        ]

    def _plans(
        self,
        sender: Principal,
        items: Sequence[Outgoing],
        routes: Sequence[routing.Route],
        permits: Sequence[Permit],
        now: int,
    ) -> list[_Plan]:
        """Makes the messages, and reserves room for those that their phone can take now."""
        plans = []
        full: dict[tuple[int, Sim | None], Outlook | None] = {}
        for item, route, permit in zip(items, routes, permits, strict=True):
            segments = count(item.body)
            timing = permit.timing(item.send_at, item.ttl_s, now)
            held = timing.held_until is not None
            target = (route.phone, route.sim) if route.phone is not None else None
            reserved = target is not None and not held and target not in full
            if target is not None and reserved:
                reserved = self._dispatcher.reserve(target[0], route.sim, segments)
                if not reserved:
                    # What comes later in this call must not overtake what has to wait.
                    full[target] = self._dispatcher.outlook(target[0], route.sim)
            new = new_message(
                sender,
                item,
                timing,
                now,
                segments=segments,
                status=SENDING if reserved else QUEUED,
                phone=route.phone if reserved else route.stored_phone,
                sim_selector=route.sim_selector,
                sim_slot=route.sim.slot if route.sim and reserved else None,
                sim=route.sim.number if route.sim and reserved else None,
                priority=item.priority,
                on_uncertain=item.on_uncertain or self._on_uncertain,
            )
            outlook = None if target is None or held else full.get(target)
            plans.append(_Plan(new, target[0] if target and reserved else None, route.sim, outlook))
        return plans


def _to_phone(phone: int, online: Sequence[OnlinePhone]) -> routing.Route:
    found = next((one for one in online if one.phone == phone), None)
    if found is None:
        raise Conflict("The phone is not online.")
    return routing.by_phone(found)


def _insert(tx: Tables, org: int, plans: Sequence[_Plan], *, device_online: bool) -> SendOutcome:
    """Inserts the planned messages."""
    # Before they are inserted, or each would wait for itself.
    waits = _waits(tx, org, plans)
    ids = tx.messages.insert_all([plan.new for plan in plans])
    results = tuple(
        Sent(
            id=message_id,
            to=plan.new.address,
            status=plan.new.status,
            segments=plan.new.segments,
            eta_s=waits.get(at),
            held=plan.new.approval is not None,
        )
        for at, (plan, message_id) in enumerate(zip(plans, ids, strict=True))
    )
    return SendOutcome(device_online=device_online, results=results)


def _waits(tx: Tables, org: int, plans: Sequence[_Plan]) -> dict[int, int]:
    """Forecasts the seconds that messages will wait for their SIM, by their indexes in `plans`."""
    found: dict[int, int] = {}
    by_sim: dict[int, tuple[Outlook, list[int]]] = {}
    for at, plan in enumerate(plans):
        if plan.waits and plan.outlook is not None:
            by_sim.setdefault(id(plan.outlook), (plan.outlook, []))[1].append(at)
    for outlook, indexes in by_sim.values():
        entries = [NewEntry(plans[at].new.priority, plans[at].new.segments) for at in indexes]
        least = min(entry.priority for entry in entries)
        waiting = _waiting(tx, org, outlook, least)
        promised = zip(indexes, etas(outlook, waiting, entries), strict=True)
        found |= {at: eta_s for at, eta_s in promised if eta_s}
    return found


def _waiting(tx: Tables, org: int, outlook: Outlook, priority: int) -> Waiting:
    """Reads what waits for a SIM before a new message of this priority."""
    first: list[Candidate] = []
    total = 0
    for phone, sim_selector in outlook.queues:
        some = tx.phone_queue.candidates(
            org, phone=phone, sim_selector=sim_selector, limit=MOST_LOOKED_AT, priority=priority
        )
        first += some
        if len(some) < MOST_LOOKED_AT:
            total += sum(one.segments for one in some)
        else:
            total += tx.phone_queue.waiting_segments(
                org, phone=phone, sim_selector=sim_selector, cap=FORECAST_CAP, priority=priority
            )
    return Waiting(first=sorted(first, key=lambda one: (-one.priority, one.id)), total=total)

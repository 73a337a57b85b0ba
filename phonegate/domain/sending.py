"""Accepting outbound messages: route, reserve, store, push; withdrawing and approving them.

A message is stored as `sending` at once when its phone can take it right now, so that the
usual send costs one transaction; otherwise it is stored as `queued` and the phone's feeder
pulls it when the time comes. The push itself happens after the commit, never before.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import attrs
import trio

from phonegate.domain import delivery, routing
from phonegate.domain.admission import (
    Permit,
    admit,
    admit_to_disk,
    admit_to_queue,
    examine,
    size_of,
)
from phonegate.domain.dispatch import Dispatcher, OnlinePhone
from phonegate.domain.forecast import MOST_LOOKED_AT, Entry, Outlook, Waiting, etas
from phonegate.domain.idempotency import KEPT_MS
from phonegate.domain.message_access import may_see
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.segmentation import count
from phonegate.model.messages import Candidate, Message, NewMessage
from phonegate.model.orgs import KeptAnswer
from phonegate.model.phones import Sim
from phonegate.model.principal import Principal
from phonegate.model.refusals import Conflict, Forbidden, NotFound
from phonegate.model.states import QUEUED, SENDING, Event
from phonegate.store.database import Database
from phonegate.store.tables import Tables

COMMIT_DEADLINE_S = 60.0
"""How long a send outlives a client that hung up, so that what is committed is pushed too."""

ROSTERS = 1_024
"""Orgs whose routes are remembered, as long as the same phones are online; the first goes first."""

FORECAST_CAP = 10_000
"""Segments counted for an `eta_s`; more waiting than this is hours away in any case."""


@attrs.frozen(kw_only=True)
class Outgoing:
    """A message to send. `sim_selector` is the SIM as `routing.parse_sim_selector` gives it."""

    to: str = attrs.field(repr=False)
    body: str = attrs.field(repr=False)
    sim_selector: str = ""
    ttl_s: int | None = None
    send_at: int | None = None
    """Not before this time, in ms; a past one means now."""
    priority: int = 0
    on_uncertain: Literal["hold", "resend"] | None = None
    """None takes the gateway's setting."""
    media_urls: tuple[str, ...] | None = None


@attrs.frozen(kw_only=True)
class Sent:
    """One accepted message. `eta_s` is set where it waits for its SIM's pacing."""

    id: int
    to: str = attrs.field(repr=False)
    status: str
    segments: int
    eta_s: int | None = None
    held: bool = False
    """Whether it waits for a person's approval."""


@attrs.frozen(kw_only=True)
class SendOutcome:
    """What became of a send: all of it was accepted."""

    device_online: bool
    results: tuple[Sent, ...]


@attrs.frozen(kw_only=True)
class Keep:
    """Asks for the answer to be stored with the messages, under an Idempotency-Key."""

    route: str
    key: str
    fingerprint: bytes
    render: Callable[[SendOutcome], tuple[int, bytes]]
    """The answer's status and body."""


@attrs.frozen
class _Plan:
    """A message with its route. `phone` is set when room at that phone is reserved for it."""

    new: NewMessage
    phone: int | None
    sim: Sim | None
    outlook: Outlook | None = None
    """The pacing of the SIM that it waits for. None where it waits for something else."""

    @property
    def waits(self) -> bool:
        """Whether it is queued and could leave as soon as there is room."""
        return self.phone is None and self.new.held_until is None


class _Roster:
    """The SIM selectors that an org's online phones meet, and the routes found so far."""

    def __init__(self, online: Sequence[OnlinePhone]) -> None:
        self.online = online
        sims = [sim for phone in online for sim in phone.sims]
        self.live = {sim.form for sim in sims} | {str(sim.slot) for sim in sims}
        self.routes: dict[str, routing.Route] = {}


class Sending:
    """The service behind every sending route."""

    def __init__(
        self,
        database: Database,
        dispatcher: Dispatcher,
        *,
        now_ms: Callable[[], int],
        on_uncertain: Literal["hold", "resend"] = "hold",
        default_ttl_s: int = 0,
        on_timer: Callable[[], None] = lambda: None,
        on_release: Callable[[], None] = lambda: None,
        rate_limits: RateLimits | None = None,
    ) -> None:
        """`on_timer` is called after a message with a `send_at` or `ttl` was stored.

        `on_release` is called after one was let go that a carrier may have to send.

        `default_ttl_s` is the ttl of a message that comes without one. 0 stands for no ttl.
        """
        self._database = database
        self._dispatcher = dispatcher
        self._now_ms = now_ms
        self._on_uncertain = on_uncertain
        self._default_ttl_s = default_ttl_s
        self._on_timer = on_timer
        self._on_release = on_release
        self._rate_limits = RateLimits() if rate_limits is None else rate_limits
        self._rosters: dict[int, _Roster] = {}

    async def send(
        self, sender: Principal, items: Sequence[Outgoing], *, keep: Keep | None = None
    ) -> SendOutcome:
        """Stores all of `items`, durably, and pushes those that can leave now.

        Raises:
            RecipientNotAllowed, QuietHoursBegun, KeyLimitReached, BatchOverLimit: a limit of the
                sender's API key; nothing was stored.
            UnknownSim: an item selects a SIM that is none of the org's; nothing was stored.
            QueueFull: too many messages of the org wait already; nothing was stored.
            StorageSpent, DiskLow: the org may store no more just now, so nothing was stored.
            StorageUnavailable: nothing was stored.
            Conflict: the Idempotency-Key of `keep` has got its answer meanwhile.
            TooSlowError: the disk took a minute, and nothing is known.
        """
        now, org = self._now_ms(), sender.org
        permits = examine(sender, items, now, default_ttl_s=self._default_ttl_s)
        online = self._dispatcher.online(org)
        routes = await self._routes(org, items, online)
        plans = self._plans(sender, items, routes, permits, now)
        queued = sum(plan.phone is None for plan in plans)
        size = size_of(items)
        done = None
        late = False

        def store(tx: Tables) -> tuple[SendOutcome, list[tuple[int, Message]]]:
            if late:
                # Nobody is there to push it, and its sender was told to ask again.
                raise trio.TooSlowError
            admit_to_queue(tx, self._rate_limits, org, queued, now)
            admit_to_disk(tx, self._rate_limits, org, size, now)
            return _store(tx, sender, plans, keep, now=now, device_online=bool(online))

        try:
            # A client that hangs up must not leave a message stored as handed to a phone
            # that was never given it.
            deadline = trio.current_time() + COMMIT_DEADLINE_S
            with trio.CancelScope(deadline=deadline, shield=True):
                done = await self._database.write(store)
            if done is None:
                raise trio.TooSlowError
        finally:
            if done is None:
                late = True
                for plan in plans:
                    if plan.phone is not None:
                        self._dispatcher.release(plan.phone, plan.sim, plan.new.segments)
        outcome, pushes = done
        for phone, message in pushes:
            self._dispatcher.push(phone, message)
        if lanes := {(p.new.phone, p.new.sim_selector) for p in plans if p.waits}:
            self._dispatcher.wake(org, lanes)
        if any(p.new.held_until is not None or p.new.expires_at is not None for p in plans):
            self._on_timer()
        return outcome

    async def cancel(self, sender: Principal, message_id: int) -> Message:
        """Withdraws a message that has not left yet. A key with limits withdraws its own alone.

        Returns it `cancelled`, or still `sending` when the phone that holds it was asked to
        drop it and has yet to confirm. One whose phone went away before it acknowledged the
        message is not given to it again. Where that phone may have sent it without a word, it
        comes back `uncertain`.

        Raises:
            NotFound: no such outbound message in this org, or the sender may not see it.
            Forbidden: it is not the sender's own, whose API key has limits.
            Conflict: it is past recall.
        """
        now = self._now_ms()

        def withdraw(tx: Tables) -> Message | None:
            message = tx.messages.find(sender.org, message_id)
            if message is None or message.direction != "out":
                return None
            if sender.limits is not None and message.key != sender.key_id:
                if not may_see(sender, message.address):
                    return None
                raise Forbidden(
                    "This API key has limits, so it can cancel only what it sent itself."
                )
            if message.status != QUEUED:
                return message
            return delivery.give_up(tx, message, Event.WITHDRAWN, "cancelled by its sender", now)

        message = await self._database.write(withdraw)
        if message is None:
            raise NotFound(f"No outbound message {message_id} in this org.")
        if message.status == "cancelled":
            return message
        if message.status == SENDING and message.phone is not None:
            return await self._take_back(message, message.phone)
        raise Conflict(f"Message {message_id} is {message.status} and can't be cancelled.")

    async def _take_back(self, message: Message, phone: int) -> Message:
        """Withdraws a message that a phone holds, by asking it or because it is away.

        Raises:
            Conflict: the phone can't take it back.
        """
        if self._dispatcher.ask_cancel(phone, message.id):
            return message
        recalled = await self._recall(message)
        if recalled is None:
            raise Conflict(
                f"Message {message.id} was already handed to a phone, which can't take it back."
            )
        return recalled

    async def _recall(self, held: Message) -> Message | None:
        """Withdraws a message from a phone that is away and never acknowledged it."""
        online = self._dispatcher.online(held.org)
        if held.acked_at is not None or any(one.phone == held.phone for one in online):
            return None

        def recall(tx: Tables) -> Message | None:
            message = tx.messages.find(held.org, held.id)
            # Else the phone is back, and is being given the message again.
            if message is None or (message.attempts, message.phone) != (held.attempts, held.phone):
                return None
            return delivery.recall(tx, message)

        message = await self._database.write(recall)
        return None if message is None or message.status == SENDING else message

    async def approve(
        self, org: int, message_id: int, *, on_change: Callable[[Message], None] = lambda _: None
    ) -> Message:
        """Lets a message leave that waits for approval: at once, or at the time it asked for.

        Returns it as it stands then; one that was approved before is not changed. `on_change` is
        called with one that was not.

        Raises:
            NotFound: no such outbound message in this org.
            Conflict: it does not wait for approval, or no longer.
        """
        message, changed = await self._decide(org, message_id, delivery.approve)
        if message.approval != "given":
            raise _undecided(message)
        if changed:
            on_change(message)
            if message.held_until is None:
                self._dispatcher.wake(org)
                self._on_release()
            else:
                self._on_timer()
        return message

    async def refuse(
        self, org: int, message_id: int, *, on_change: Callable[[Message], None] = lambda _: None
    ) -> Message:
        """Cancels a message that waits for approval; one that was refused before stays so.

        Raises:
            NotFound, Conflict: as `approve`.
        """
        message, changed = await self._decide(org, message_id, delivery.refuse)
        if message.approval != "refused":
            raise _undecided(message)
        if changed:
            on_change(message)
        return message

    async def _decide(
        self, org: int, message_id: int, decide: Callable[[Tables, Message, int], Message]
    ) -> tuple[Message, bool]:
        """The message as it stands then, and whether it stood otherwise before."""
        now = self._now_ms()

        def change(tx: Tables) -> tuple[Message, bool] | None:
            message = tx.messages.find(org, message_id)
            if message is None or message.direction != "out":
                return None
            decided = decide(tx, message, now)
            return decided, decided != message

        found = await self._database.write(change)
        if found is None:
            raise NotFound(f"No outbound message {message_id} in this org.")
        return found

    async def _routes(
        self, org: int, items: Sequence[Outgoing], online: Sequence[OnlinePhone]
    ) -> list[routing.Route]:
        """Routes every item. Reads the SIMs of absent phones only where an item selects one."""
        roster = self._rosters.get(org)
        if roster is None or roster.online is not online:
            roster = self._rosters[org] = _Roster(online)
            if len(self._rosters) > ROSTERS:
                del self._rosters[next(iter(self._rosters))]
        chosen = roster.routes
        sim_selectors = {item.sim_selector for item in items if item.sim_selector not in chosen}
        if sim_selectors:
            known: Sequence[Sim] = ()
            if any(
                sim_selector and sim_selector not in roster.live for sim_selector in sim_selectors
            ):
                known = await self._database.read(lambda tx: tx.phones.known_sims(org))
                # Good for this once: the store may say otherwise next time.
                chosen, sim_selectors = {}, {item.sim_selector for item in items}
            for sim_selector in sim_selectors:
                chosen[sim_selector] = routing.choose(sim_selector, online, known)
        return [chosen[item.sim_selector] for item in items]

    def _plans(
        self,
        sender: Principal,
        items: Sequence[Outgoing],
        routes: Sequence[routing.Route],
        permits: Sequence[Permit],
        now: int,
    ) -> list[_Plan]:
        plans = []
        full: dict[tuple[int, Sim | None], Outlook | None] = {}
        for item, route, permit in zip(items, routes, permits, strict=True):
            segments = count(item.body)
            timing = permit.timing(item.send_at, item.ttl_s, now)
            held = timing.held_until is not None
            lane = (route.phone, route.sim) if route.phone is not None else None
            reserved = lane is not None and not held and lane not in full
            if lane is not None and reserved:
                reserved = self._dispatcher.reserve(lane[0], route.sim, segments)
                if not reserved:
                    # What comes later in this call must not overtake what has to wait.
                    full[lane] = self._dispatcher.outlook(lane[0], route.sim)
            new = NewMessage(
                org=sender.org,
                address=item.to,
                body=item.body,
                status=SENDING if reserved else QUEUED,
                created_at=now,
                segments=segments,
                phone=route.phone if reserved else route.stored_phone,
                sim_selector=route.sim_selector,
                sim_slot=route.sim.slot if route.sim and reserved else None,
                sim=route.sim.number if route.sim and reserved else None,
                priority=item.priority,
                held_until=timing.held_until,
                expires_at=timing.expires_at,
                on_uncertain=item.on_uncertain or self._on_uncertain,
                media_urls=item.media_urls,
                approval="asked" if permit.held else None,
                wanted_at=timing.wanted_at,
                quiet_at=permit.leave_by,
                key=sender.key_id,
            )
            outlook = None if lane is None or held else full.get(lane)
            plans.append(_Plan(new, lane[0] if lane and reserved else None, route.sim, outlook))
        return plans


def _store(
    tx: Tables,
    sender: Principal,
    plans: Sequence[_Plan],
    keep: Keep | None,
    *,
    now: int,
    device_online: bool,
) -> tuple[SendOutcome, list[tuple[int, Message]]]:
    """Stores the planned messages and the kept answer; returns what to push, and where."""
    org = sender.org
    if keep is not None:
        # A request that was given up as too slow may have been stored after all.
        earlier = tx.replies.get(org, keep.route, keep.key)
        if earlier is not None and earlier.created_at > now - KEPT_MS:
            raise Conflict("A request with this Idempotency-Key was answered just now. Ask again.")
    admit(tx, sender, len(plans), now)
    waits = _waits(tx, org, plans)
    results, pushes = [], []
    ids = tx.messages.insert_all([plan.new for plan in plans])
    for at, (plan, message_id) in enumerate(zip(plans, ids, strict=True)):
        new = plan.new
        if plan.phone is not None:
            pushes.append((plan.phone, _as_stored(message_id, new)))
        results.append(
            Sent(
                id=message_id,
                to=new.address,
                status=new.status,
                segments=new.segments,
                eta_s=waits.get(at),
                held=new.approval is not None,
            )
        )
    outcome = SendOutcome(device_online=device_online, results=tuple(results))
    if keep is not None:
        status, body = keep.render(outcome)
        reply = KeptAnswer(fingerprint=keep.fingerprint, status=status, body=body, created_at=now)
        tx.replies.put(org, keep.route, keep.key, reply)
    return outcome, pushes


def _waits(tx: Tables, org: int, plans: Sequence[_Plan]) -> dict[int, int]:
    """The seconds that planned messages will wait for their SIM, by their places in the call."""
    found: dict[int, int] = {}
    by_sim: dict[int, tuple[Outlook, list[int]]] = {}
    for at, plan in enumerate(plans):
        if plan.waits and plan.outlook is not None:
            by_sim.setdefault(id(plan.outlook), (plan.outlook, []))[1].append(at)
    for outlook, places in by_sim.values():
        entries = [Entry(plans[at].new.priority, plans[at].new.segments) for at in places]
        least = min(entry.priority for entry in entries)
        waiting = _waiting(tx, org, outlook, least)
        promised = zip(places, etas(outlook, waiting, entries), strict=True)
        found |= {at: eta_s for at, eta_s in promised if eta_s}
    return found


def _waiting(tx: Tables, org: int, outlook: Outlook, priority: int) -> Waiting:
    """What waits for a SIM before a message of this priority."""
    first: list[Candidate] = []
    total = 0
    for phone, sim_selector in outlook.lanes:
        some = tx.messages.candidates(
            org, phone=phone, sim_selector=sim_selector, limit=MOST_LOOKED_AT, priority=priority
        )
        first += some
        if len(some) < MOST_LOOKED_AT:
            total += sum(one.segments for one in some)
        else:
            total += tx.messages.waiting_segments(
                org, phone=phone, sim_selector=sim_selector, cap=FORECAST_CAP, priority=priority
            )
    return Waiting(first=sorted(first, key=lambda one: (-one.priority, one.id)), total=total)


def _undecided(message: Message) -> Conflict:
    """Why a message can't be approved or refused."""
    if message.approval is None:
        return Conflict(f"Message {message.id} needs no approval.")
    if message.approval == "given":
        return Conflict(f"Message {message.id} was approved already; cancel it instead.")
    return Conflict(f"Message {message.id} is {message.status} already.")


def _as_stored(message_id: int, new: NewMessage) -> Message:
    """The row that inserting `new` made: saves reading it back on the busiest path."""
    return Message(
        id=message_id,
        org=new.org,
        direction="out",
        address=new.address,
        body=new.body,
        status=new.status,
        created_at=new.created_at,
        phone=new.phone,
        sim_selector=new.sim_selector,
        sim_slot=new.sim_slot,
        sim=new.sim,
        date=None,
        sent_at=None,
        delivered_at=None,
        error=None,
        segments=new.segments,
        provider=new.provider,
        media_urls=new.media_urls,
        priority=new.priority,
        held_until=new.held_until,
        expires_at=new.expires_at,
        attempts=1,
        pushed_at=new.created_at,
        acked_at=None,
        on_uncertain=new.on_uncertain,
        resend_of=new.resend_of,
        assistant=new.assistant,
        reference=new.reference,
        callback_url=new.callback_url,
        first_tried_at=new.first_tried_at,
        next_poll_at=new.next_poll_at,
        quiet_at=new.quiet_at,
        key=new.key,
    )

"""A store with orgs and webhooks, and the dispatcher that delivers to receivers on loopback."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import attrs
import trio

from phonegate.domain.webhook_replies import Reply, WebhookReplies
from phonegate.events.bus import Bus
from phonegate.events.webhooks.call import CallTimings
from phonegate.events.webhooks.courier import Courier, Guards
from phonegate.events.webhooks.dispatcher import Dispatcher, DispatcherTimings
from phonegate.http.outgoing_address import Guard
from phonegate.http.outgoing_guard import Rules, parse_networks
from phonegate.model.events import Event
from phonegate.model.messages import MessageView, NewInbound
from phonegate.model.orgs import Org
from phonegate.model.times import iso, now_ms
from phonegate.model.webhooks import Delivery, Webhook
from phonegate.store.database import Database
from tests import new_database
from tests.patience import PATIENCE_S

SECRET = "whsec_" + "QUJD" * 11
PACE = 20.0
"""Of the delays until further tries: the first one, of five seconds, could pass while a test looks
at what came before it."""
NEXT_TRY_MS = 110_000
"""The first delay at that pace, and some more."""
RULES = Rules(allow=parse_networks(["127.0.0.0/8"]))


def render(event: Event, _: Webhook) -> Mapping[str, Any]:
    """Shows an event nearly as the API does."""
    data: dict[str, Any] = {"phone": {"phone": event.phone, **event.data}}
    if event.message is not None:
        shown = event.message._asdict()
        data = {"message": {**shown, "created_at": iso(event.message.created_at)}}
    return {"id": event.id, "type": event.type, "created_at": iso(event.at), "data": data}


@attrs.define
class SentReplies:
    """Keeps what would be sent."""

    sent: list[tuple[int, int, tuple[Reply, ...]]] = attrs.field(factory=list)
    problem: str | None = None

    async def send(
        self, webhook: Webhook, event: int, message: MessageView, replies: tuple[Reply, ...]
    ) -> str | None:
        self.sent.append((webhook.id, message.id, replies))
        return self.problem


@attrs.define
class Clock:
    """The wall clock, which a test can set ahead."""

    ahead_ms: int = 0

    def __call__(self) -> int:
        return now_ms() + self.ahead_ms


@attrs.define
class Site:
    """All of it. `run` serves until cancelled."""

    database: Database
    bus: Bus
    courier: Courier
    dispatcher: Dispatcher
    replies: SentReplies
    clock: Clock
    orgs: dict[str, Org] = attrs.field(factory=dict)

    @classmethod
    def make(cls, folder: Path, *, calls_at_once: int = 16, luck: float = 0.0) -> "Site":
        bus = Bus()
        database = Database.open(new_database.make(folder / "gateway.db"), publish=bus.publish)
        replies, clock = SentReplies(), Clock()
        guard = Guard(rules=lambda: RULES)
        courier = Courier(
            database,
            Guards(working=guard, doubtful=guard),
            render,
            cast("WebhookReplies", replies),
            now_ms=clock,
            calls_at_once=calls_at_once,
            timings=CallTimings(whole_s=2 * PATIENCE_S, body_s=PATIENCE_S, pace=PACE),
            luck=lambda: luck,
        )
        dispatcher = Dispatcher(
            database,
            courier,
            calls_at_once=calls_at_once,
            now_ms=clock,
            timings=DispatcherTimings(look_s=0.05, trouble_s=0.05, goodbye_s=PATIENCE_S),
        )
        bus.subscribe("webhooks", dispatcher.note)
        return cls(database, bus, courier, dispatcher, replies, clock)

    async def run(self, *, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(self.database.run_writer)
                await nursery.start(self.dispatcher.run)
                task_status.started()
        finally:
            self.database.close()

    async def org(self, name: str = "acme") -> Org:
        if name not in self.orgs:
            self.orgs[name] = await self.database.write(lambda tx: tx.orgs.add(name, "hash", 1))
        return self.orgs[name]

    async def webhook(self, url: str, org: str = "acme", **columns: Any) -> Webhook:
        owner = await self.org(org)
        given = {"events": ("*",), "secret": SECRET, "created_at": 1, **columns}
        return await self.database.write(lambda tx: tx.webhooks.add(owner.id, url=url, **given))

    async def happen(self, *phones: int, org: str = "acme", **data: Any) -> None:
        """Records an event of each phone, in one transaction."""
        owner = await self.org(org)

        def op(tx: Any) -> None:
            for phone in phones:
                tx.events.record(
                    owner.id, "phone.online", self.clock(), phone=phone, data={"id": phone, **data}
                )

        await self.database.write(op)

    async def receive(self, body: str = "hi", org: str = "acme") -> None:
        """Stores a received message."""
        owner = await self.org(org)
        new = NewInbound(
            org=owner.id,
            address="+15553334444",
            body=body,
            created_at=self.clock(),
            date=self.clock(),
            phone=None,
            sim_slot=0,
            sim="+15551112222",
        )
        await self.database.write(lambda tx: tx.messages.insert_inbound(new))

    async def log(self, webhook: Webhook) -> list[Delivery]:
        """Returns the deliveries of a webhook, oldest first."""
        found = await self.database.read(lambda tx: tx.deliveries.page(webhook.id, 1000))
        return found[::-1]

    async def found(self, webhook: Webhook) -> Webhook:
        found = await self.database.read(lambda tx: tx.webhooks.get(webhook.org, webhook.id))
        assert found is not None
        return found

    async def until_logged(self, webhook: Webhook, test: Any) -> list[Delivery]:
        """Waits until the log of a webhook passes a test."""
        with trio.fail_after(PATIENCE_S):
            while True:
                found = await self.log(webhook)
                if test(found):
                    return found
                await trio.sleep(0.01)

    async def counted(self, **outcomes: int) -> None:
        """Waits until so much was counted, and no more."""
        with trio.fail_after(PATIENCE_S):
            while True:
                if self.courier.counts == outcomes:
                    return
                await trio.sleep(0.01)

    async def settled(self, webhook: Webhook, number: int = 1) -> list[Delivery]:
        """Waits until so many deliveries of a webhook were tried."""
        return await self.until_logged(
            webhook, lambda found: sum(one.last is not None for one in found) >= number
        )

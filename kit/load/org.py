"""An org on a server that is measured: its phones, its requests, its messages."""

import asyncio
import itertools
import json
from collections.abc import Sequence
from typing import Any, Self

from kit.load import http, phones
from kit.load.deliveries import Deliveries, text
from kit.load.loops import Wrong
from kit.load.phones import PhoneWire
from kit.program import Program

PAGE = 1_000
POLL_S = 0.02
SETTLE_S = 120.0
"""For what is under way to arrive and be stored; a server that takes longer has lost it."""


class Org:
    """Speaks for one org with one server. Several orgs may share what counts their messages."""

    def __init__(
        self, server: Program, name: str = "bench", deliveries: Deliveries | None = None
    ) -> None:
        self.server = server
        self.name = name
        self.secret = f"{name}-secret-key"
        self.headers = {"X-Secret-Key": self.secret}
        self.deliveries = deliveries or Deliveries()
        self.phones: list[PhoneWire] = []
        self._turns = itertools.count()

    async def __aenter__(self) -> Self:
        await self.webhook([{"address": "+15550000000", "body": "here", "date": 1}])
        return self

    async def __aexit__(self, *_: object) -> None:
        for phone in self.phones:
            phone.drop()
        await asyncio.sleep(0)

    async def webhook(self, messages: Sequence[dict[str, Any]]) -> None:
        """Pushes inbound messages. The first push makes the org."""
        status, body = await http.ask(self.server.port, self.webhook_request(messages))
        if status != 200:
            raise Wrong(f"/webhook: {status} {body!r}")

    def webhook_request(self, messages: Sequence[dict[str, Any]]) -> bytes:
        content = {"org_id": self.name, "messages": list(messages)}
        return http.encode("POST", "/webhook", json.dumps(content).encode(), headers=self.headers)

    def number(self, phone: int) -> str:
        return f"+1555{sum(self.name.encode()) % 1000:03d}{phone:05d}"

    def device(self, phone: int) -> str:
        return f"{self.name}-{phone}"

    async def connect(
        self, count: int, *, acks: bool = False, at_once: int = 64, settled: bool = True
    ) -> list[PhoneWire]:
        """Connects more phones. If `settled`, waits until the server shows all their SIMs."""
        begun = len(self.phones)
        slots = asyncio.Semaphore(at_once)

        async def one(phone: int) -> PhoneWire:
            async with slots:
                return await phones.connect(
                    self.server.port,
                    org=self.name,
                    secret=self.secret,
                    device=self.device(phone),
                    number=self.number(phone),
                    on_push=self.deliveries.pushed,
                    acks=acks,
                )

        self.phones += await asyncio.gather(*(one(begun + at) for at in range(count)))
        if settled:
            await self.online(len(self.phones))
        return self.phones

    async def online(self, count: int) -> None:
        """Waits until the server shows so many SIMs online."""
        request = http.encode("GET", f"/sims/{self.name}", headers=self.headers)
        async with asyncio.timeout(SETTLE_S):
            while True:
                status, body = await http.ask(self.server.port, request)
                if status == 200:
                    answer = json.loads(body)
                    if len(answer["live_sims"]) == answer["online_devices"] == count:
                        return
                await asyncio.sleep(POLL_S)

    def send_request(self, items: Sequence[tuple[int, str]]) -> bytes:
        """Returns a send of messages (number, SIM): one alone, or a batch."""
        head = '{"to":"+15553334444",'
        if len(items) == 1:
            content = f'{head}"sim":"{items[0][1]}","body":"{text(items[0][0])}"}}'
        else:
            batch = ",".join(
                f'{head}"sim":"{sim}","body":"{text(number)}"}}' for number, sim in items
            )
            content = f'{{"messages":[{batch}]}}'
        return http.encode("POST", f"/send/{self.name}", content.encode(), headers=self.headers)

    def next_request(self, batch: int = 1) -> bytes:
        """Returns a send of that many new messages, to its phones in turns."""
        phones = self.phones
        return self.send_request(
            [
                (self.deliveries.take(), phones[next(self._turns) % len(phones)].number)
                for _ in range(batch)
            ]
        )

    async def page(self, query: str) -> list[dict[str, Any]]:
        request = http.encode("GET", f"/messages/{self.name}?{query}", headers=self.headers)
        status, body = await http.ask(self.server.port, request)
        if status != 200:
            raise Wrong(f"/messages?{query}: {status} {body!r}")
        found: list[dict[str, Any]] = json.loads(body)["messages"]
        return found

    async def all_sent(self) -> None:
        """Waits until every accepted message has arrived and the newest are stored as sent."""
        async with asyncio.timeout(SETTLE_S):
            await self.deliveries.all_arrived()
            # A short page while it lasts: looking on must not slow down what is looked at.
            await self.newest_sent(2 * len(self.phones))
            await self.newest_sent(PAGE)

    async def newest_sent(self, count: int, *, poll_s: float = POLL_S) -> None:
        """Waits until so many of its newest messages are stored as sent."""
        query = f"direction=out&limit={min(count, PAGE)}"
        while True:
            if all(message["status"] == "sent" for message in await self.page(query)):
                return
            await asyncio.sleep(poll_s)

    async def check(self) -> None:
        """Compares what was counted with the whole list of the server's messages.

        Raises:
            Wrong: A message is missing, came twice, or is not `sent`.
        """
        await check(self.deliveries, [self])

    async def stored(self) -> tuple[int, int]:
        """Returns how many messages it has sent by the server's list, and how many not yet."""
        since = stored = unsent = 0
        while page := await self.page(f"direction=out&limit={PAGE}&since_id={since}"):
            since = page[-1]["id"]
            stored += len(page)
            unsent += sum(message["status"] != "sent" for message in page)
        return stored, unsent


async def check(deliveries: Deliveries, orgs: Sequence[Org]) -> None:
    """Compares what was counted of some orgs with their whole lists.

    Raises:
        Wrong: A message is missing, came twice, or is not `sent`.
    """
    missing, repeated = deliveries.missing(), deliveries.repeated()
    if missing or repeated:
        raise Wrong(f"{missing} messages missing, {repeated} repeated")
    counts = [await org.stored() for org in orgs]
    stored, unsent = (sum(column) for column in zip(*counts, strict=True))
    if unsent or stored != deliveries.accepted:
        raise Wrong(f"{deliveries.accepted} accepted, {stored} stored, {unsent} not sent")

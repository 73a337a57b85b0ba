"""An org on a server that is measured: its phones, its requests, its messages."""

import asyncio
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
    """Speaks for one org with one server."""

    def __init__(self, server: Program, name: str = "bench") -> None:
        self.server = server
        self.name = name
        self.secret = f"{name}-secret-key"
        self.headers = {"X-Secret-Key": self.secret}
        self.deliveries = Deliveries()
        self.phones: list[PhoneWire] = []

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
            for limit in (2 * len(self.phones), PAGE):
                while True:
                    newest = await self.page(f"direction=out&limit={min(limit, PAGE)}")
                    if all(message["status"] == "sent" for message in newest):
                        break
                    await asyncio.sleep(POLL_S)

    async def check(self) -> None:
        """Compares what was counted with the whole list of the server's messages.

        Raises:
            Wrong: A message is missing, came twice, or is not `sent`.
        """
        missing, repeated = self.deliveries.missing(), self.deliveries.repeated()
        if missing or repeated:
            raise Wrong(f"{missing} messages missing, {repeated} repeated")
        since = stored = unsent = 0
        while page := await self.page(f"direction=out&limit={PAGE}&since_id={since}"):
            since = page[-1]["id"]
            stored += len(page)
            unsent += sum(message["status"] != "sent" for message in page)
        if unsent or stored != self.deliveries.accepted:
            raise Wrong(f"{self.deliveries.accepted} accepted, {stored} stored, {unsent} not sent")

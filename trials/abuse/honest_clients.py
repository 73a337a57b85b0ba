"""The honest clients: an app that sends, one that reads, a webhook, and the phone that they use.

    python -m trials.abuse.honest_clients NOTES URL PACE [AUTHORITY]

They are a process of their own, so that the attackers' work is not measured as theirs. Each
request goes over a kept-alive connection, and a line in NOTES tells when it began, whose it was,
its milliseconds and its status (0: no answer). When standard input ends they settle, and the
last line, in JSON, says whether every message they were promised came, once, in order.
"""

import asyncio
import json
import ssl
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

import attrs

from kit.load import http, phones

ORG = "honest"
SECRET = "honest-secret-1"
NUMBER = "+15550001111"
ROLES = ("send", "push", "read", "webhook")
"""What is measured; `push` is from a send's request to its arrival at the phone."""
PATIENCE_S = 20.0
"""For an answer, or for a push: what takes longer is not given."""
SETTLE_S = 40.0
"""For what is under way to arrive and be stored, a full disk's pauses between tries included."""

_HEADERS = {"X-Secret-Key": SECRET}


@attrs.define
class Clients:
    """All of them, and what they were promised."""

    notes: TextIO
    port: int
    context: ssl.SSLContext | None
    pace_s: float
    """Pause of each client between two requests."""
    stopping: bool = False
    accepted: list[int] = attrs.field(factory=list)
    pushed: Counter[int] = attrs.field(factory=Counter)
    pushed_at: dict[int, float] = attrs.field(factory=dict)
    received: int = 0
    links: int = 0
    """Links that the phone had to make."""
    online: asyncio.Event = attrs.field(factory=asyncio.Event)
    arrived: asyncio.Event = attrs.field(factory=asyncio.Event)

    def caller(self) -> http.Caller:
        return http.Caller(lambda: self.port, context=self.context, timeout_s=PATIENCE_S)

    def note(self, role: str, begun: float, status: int, ended: float | None = None) -> None:
        ms = ((time.monotonic() if ended is None else ended) - begun) * 1000
        self.notes.write(f"{begun:.4f} {role} {ms:.3f} {status}\n")
        self.notes.flush()

    async def run(self) -> None:
        await self._first()
        async with asyncio.TaskGroup() as group:
            phone = group.create_task(self.phone())
            async with asyncio.timeout(PATIENCE_S):
                await self.online.wait()
            users = [group.create_task(user()) for user in (self.send, self.read, self.webhook)]
            self.note("ready", time.monotonic(), 200)
            await asyncio.to_thread(sys.stdin.read)
            self.stopping = True
            await asyncio.gather(*users)
            verdict = await self.settled()
            phone.cancel()
        self.notes.write(json.dumps(verdict) + "\n")

    async def _first(self) -> None:
        """Makes the org by a first push. Other programs that start may keep the gateway busy."""
        caller, until = self.caller(), time.monotonic() + PATIENCE_S
        while True:
            status, body = await caller.ask(self._inbound("first"))
            if status == 200:
                break
            if status != 503 or time.monotonic() > until:
                raise SystemExit(f"/webhook: {status} {body!r}")
        caller.close()

    def _inbound(self, number: object) -> bytes:
        sms = {"address": "+15557778888", "body": f"inbound {number}", "date": 1, "id": str(number)}
        content = {"org_id": ORG, "messages": [sms]}
        return http.encode("POST", "/webhook", json.dumps(content).encode(), headers=_HEADERS)

    async def send(self) -> None:
        caller, number = self.caller(), 0
        while not self.stopping:
            number += 1
            content = {"to": "+15553334444", "sim": NUMBER, "body": f"honest {number}"}
            begun = time.monotonic()
            status, body = await caller.ask(
                http.encode("POST", f"/send/{ORG}", json.dumps(content).encode(), headers=_HEADERS)
            )
            self.note("send", begun, status)
            if status == 200:
                message: int = json.loads(body)["results"][0]["id"]
                self.accepted.append(message)
                self.note("push", begun, *await self._push(message))
            await asyncio.sleep(self.pace_s)
        caller.close()

    async def _push(self, message: int) -> tuple[int, float]:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while message not in self.pushed:
                    self.arrived.clear()
                    await self.arrived.wait()
        except TimeoutError:
            return 0, time.monotonic()
        return 200, self.pushed_at[message]

    async def read(self) -> None:
        caller = self.caller()
        request = http.encode("GET", f"/messages/{ORG}?limit=10", headers=_HEADERS)
        while not self.stopping:
            begun = time.monotonic()
            status, _ = await caller.ask(request)
            self.note("read", begun, status)
            await asyncio.sleep(self.pace_s)
        caller.close()

    async def webhook(self) -> None:
        caller, number = self.caller(), 0
        while not self.stopping:
            number += 1
            begun = time.monotonic()
            status, _ = await caller.ask(self._inbound(number))
            self.note("webhook", begun, status)
            self.received += status == 200
            await asyncio.sleep(self.pace_s)
        caller.close()

    async def phone(self) -> None:
        """Confirms each message that it is given. Connects again when its link is lost."""
        while True:
            self.links += 1
            try:
                wire = await phones.connect(
                    self.port,
                    org=ORG,
                    secret=SECRET,
                    device="honest-phone",
                    number=NUMBER,
                    on_push=self._pushed,
                    acks=True,
                    context=self.context,
                )
            except (OSError, phones.Refused, TimeoutError):
                await asyncio.sleep(0.2)
                continue
            # Once the answer to this is here, the SIM before it is known.
            wire.on_other = lambda _: self.online.set()
            wire.write(phones.frame(b'{"type":"ping"}'))
            await wire.gone.wait()

    def _pushed(self, _: phones.PhoneWire, push: dict[str, Any]) -> None:
        message = push["id"]
        self.pushed[message] += 1
        self.pushed_at.setdefault(message, time.monotonic())
        self.arrived.set()

    async def settled(self) -> dict[str, Any]:
        """Returns what became of all that was promised."""
        caller = self.caller()
        statuses: dict[int, str] = {}
        until = time.monotonic() + SETTLE_S
        while time.monotonic() < until:
            statuses = await self._statuses(caller, statuses)
            if all(statuses.get(message) == "sent" for message in self.accepted):
                break
            await asyncio.sleep(0.1)
        caller.close()
        return {
            "accepted": len(self.accepted),
            "lost": sum(message not in self.pushed for message in self.accepted),
            "unsent": {m: statuses.get(m) for m in self.accepted if statuses.get(m) != "sent"},
            "doubled": sum(times > 1 for times in self.pushed.values()),
            "ascending": self.accepted == sorted(set(self.accepted)),
            "received": self.received,
            "links": self.links,
        }

    async def _statuses(self, caller: http.Caller, known: dict[int, str]) -> dict[int, str]:
        """Returns the status of every message. One that was `sent` is not asked for again."""
        open_ids = [m for m in self.accepted if known.get(m) != "sent"]
        if not open_ids:
            return known
        since = open_ids[0] - 1
        while True:
            target = f"/messages/{ORG}?direction=out&limit=1000&since_id={since}"
            status, body = await caller.ask(http.encode("GET", target, headers=_HEADERS))
            page = json.loads(body)["messages"] if status == 200 else []
            if not page:
                return known
            known.update((message["id"], message["status"]) for message in page)
            since = page[-1]["id"]


def main() -> None:
    notes, url, pace_s, *authority = sys.argv[1:]
    parts = urlsplit(url)
    context = ssl.create_default_context(cafile=authority[0]) if authority else None
    with Path(notes).open("w") as file:
        clients = Clients(file, parts.port or 0, context, float(pace_s))
        asyncio.run(clients.run())


if __name__ == "__main__":
    main()

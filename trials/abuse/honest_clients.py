"""The honest users: an app that sends, one that reads, a webhook, and the phone that they use.

    python -m trials.abuse.honest_clients BOOK URL PACE [AUTHORITY]

They are a process of their own, so that the attackers' work is not measured as theirs. Each
request goes over a kept-alive connection, and a line in BOOK tells when it began, whose it was,
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
_LENGTH = b"content-length:"


class Line:
    """A kept-alive connection; made again when it was lost."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None) -> None:
        self._where = host, port
        self._context = context
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self._where, ssl=self._context)

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """The answer to a request; status 0 if none came. Never repeats it."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                if self._streams is None:
                    self._streams = await self.open()
                reader, writer = self._streams
                writer.write(request)
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                at = head.find(_LENGTH) + len(_LENGTH)
                body = await reader.readexactly(int(head[at : head.find(b"\r", at)]))
        except (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError):
            self.close()
            return 0, b""
        if b"connection: close" in head:
            self.close()
        return int(head[9:12]), body

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


@attrs.define
class Users:
    """All of them, and what they were promised."""

    book: TextIO
    host: str
    port: int
    context: ssl.SSLContext | None
    pace_s: float
    """Pause of each user between two requests."""
    stopping: bool = False
    accepted: list[int] = attrs.field(factory=list)
    pushed: Counter[int] = attrs.field(factory=Counter)
    pushed_at: dict[int, float] = attrs.field(factory=dict)
    received: int = 0
    links: int = 0
    """Links that the phone had to make."""
    online: asyncio.Event = attrs.field(factory=asyncio.Event)
    arrived: asyncio.Condition = attrs.field(factory=asyncio.Condition)

    def line(self) -> Line:
        return Line(self.host, self.port, self.context)

    def note(self, role: str, begun: float, status: int, ended: float | None = None) -> None:
        ms = ((time.monotonic() if ended is None else ended) - begun) * 1000
        self.book.write(f"{begun:.4f} {role} {ms:.3f} {status}\n")
        self.book.flush()

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
        self.book.write(json.dumps(verdict) + "\n")

    async def _first(self) -> None:
        """The first push makes the org; it may be there from an earlier run on the file."""
        status, body = await self.line().ask(self._inbound("first"))
        if status != 200:
            raise SystemExit(f"/webhook: {status} {body!r}")

    def _inbound(self, number: object) -> bytes:
        sms = {"address": "+15557778888", "body": f"inbound {number}", "date": 1, "id": str(number)}
        content = {"org_id": ORG, "messages": [sms]}
        return http.encode("POST", "/webhook", json.dumps(content).encode(), headers=_HEADERS)

    async def send(self) -> None:
        line, number = self.line(), 0
        while not self.stopping:
            number += 1
            content = {"to": "+15553334444", "sim": NUMBER, "body": f"honest {number}"}
            begun = time.monotonic()
            status, body = await line.ask(
                http.encode("POST", f"/send/{ORG}", json.dumps(content).encode(), headers=_HEADERS)
            )
            self.note("send", begun, status)
            if status == 200:
                message: int = json.loads(body)["results"][0]["id"]
                self.accepted.append(message)
                self.note("push", begun, *await self._push(message))
            await asyncio.sleep(self.pace_s)
        line.close()

    async def _push(self, message: int) -> tuple[int, float]:
        try:
            async with asyncio.timeout(PATIENCE_S), self.arrived:
                await self.arrived.wait_for(lambda: message in self.pushed)
        except TimeoutError:
            return 0, time.monotonic()
        return 200, self.pushed_at[message]

    async def read(self) -> None:
        line = self.line()
        request = http.encode("GET", f"/messages/{ORG}?limit=10", headers=_HEADERS)
        while not self.stopping:
            begun = time.monotonic()
            status, _ = await line.ask(request)
            self.note("read", begun, status)
            await asyncio.sleep(self.pace_s)
        line.close()

    async def webhook(self) -> None:
        line, number = self.line(), 0
        while not self.stopping:
            number += 1
            begun = time.monotonic()
            status, _ = await line.ask(self._inbound(number))
            self.note("webhook", begun, status)
            self.received += status == 200
            await asyncio.sleep(self.pace_s)
        line.close()

    async def phone(self) -> None:
        """Confirms what it is told to send; comes back when its link is lost."""
        while True:
            self.links += 1
            try:
                await self._link()
            except (OSError, EOFError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.2)

    async def _link(self) -> None:
        reader, writer = await self.line().open()
        try:
            target = f"/websocket?org_id={ORG}&secret_key={SECRET}&device_id=honest-phone"
            shake = {
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": phones.KEY,
            }
            writer.write(http.encode("GET", target, headers=shake))
            if b" 101 " not in await reader.readuntil(b"\r\n\r\n"):
                raise EOFError
            writer.write(phones.hello("honest-phone") + phones.sims(NUMBER))
            writer.write(phones.frame(b'{"type":"ping"}'))
            buffer = b""
            while data := await reader.read(65_536):
                buffer, at = buffer + data, 0
                for opcode, start, end in phones.frames(buffer, at):
                    await self._take(opcode, buffer[start:end], writer)
                    at = end
                buffer = buffer[at:]
        finally:
            writer.close()

    async def _take(self, opcode: int, payload: bytes, writer: asyncio.StreamWriter) -> None:
        if opcode == phones.PING:
            writer.write(phones.frame(payload, phones.PONG))
        elif opcode == phones.TEXT:
            told = json.loads(payload)
            if told["type"] == "pong":  # and so the SIM before it is known
                self.online.set()
            elif told["type"] == "send_sms":
                message = told["id"]
                self.pushed[message] += 1
                self.pushed_at.setdefault(message, time.monotonic())
                writer.write(phones.frame(b'{"type":"ack","id":%d}' % message))
                done = b'{"type":"send_result","id":%d,"success":true}' % message
                writer.write(phones.frame(done))
                async with self.arrived:
                    self.arrived.notify_all()

    async def settled(self) -> dict[str, Any]:
        """What became of all that was promised."""
        line = self.line()
        statuses: dict[int, str] = {}
        until = time.monotonic() + SETTLE_S
        while time.monotonic() < until:
            statuses = await self._statuses(line, statuses)
            if all(statuses.get(message) == "sent" for message in self.accepted):
                break
            await asyncio.sleep(0.1)
        line.close()
        return {
            "accepted": len(self.accepted),
            "lost": sum(message not in self.pushed for message in self.accepted),
            "unsent": {m: statuses.get(m) for m in self.accepted if statuses.get(m) != "sent"},
            "doubled": sum(times > 1 for times in self.pushed.values()),
            "ascending": self.accepted == sorted(set(self.accepted)),
            "received": self.received,
            "links": self.links,
        }

    async def _statuses(self, line: Line, known: dict[int, str]) -> dict[int, str]:
        """The status of every message; what was `sent` before is not asked for again."""
        open_ids = [m for m in self.accepted if known.get(m) != "sent"]
        if not open_ids:
            return known
        since = open_ids[0] - 1
        while True:
            target = f"/messages/{ORG}?direction=out&limit=1000&since_id={since}"
            status, body = await line.ask(http.encode("GET", target, headers=_HEADERS))
            page = json.loads(body)["messages"] if status == 200 else []
            if not page:
                return known
            known.update((message["id"], message["status"]) for message in page)
            since = page[-1]["id"]


def main() -> None:
    book, url, pace_s, *authority = sys.argv[1:]
    parts = urlsplit(url)
    context = ssl.create_default_context(cafile=authority[0]) if authority else None
    with Path(book).open("w") as file:
        users = Users(file, parts.hostname or "", parts.port or 0, context, float(pace_s))
        asyncio.run(users.run())


if __name__ == "__main__":
    main()

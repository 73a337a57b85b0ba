"""Has many consoles open beside a gateway that sends and receives, and kills it in between.

    python -m trials.console --consoles 100 --rounds 2

Each console is a person who has signed in and holds a live stream; as the pages' script does, it
asks how much is unread, soon after something was received. Messages go both ways at an even
rate, through simulated phones, for turns without consoles and turns with them, and what a turn
costs is printed. Then, with all consoles open, the gateway is ended by SIGKILL every few moments
and started again on the same file; each console comes back with the id of its last event. At the
end, what the consoles saw is compared with the record of events: each of them saw each event, once
and in its order, and each read mark. Exits 1 at the first broken promise, and says which.
"""

import asyncio
import contextlib
import itertools
import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import attrs

from kit import console
from kit.console import Session
from kit.gateway import UNLIMITED
from kit.ledger import INBOUND, BrokenPromise, Ledger
from kit.load import http
from kit.load.deliveries import Quantiles
from kit.program import child_environment
from trials.kill_trial import KillTrial, hold, parser
from trials.open_console import OpenConsole

ORG, SECRET = "myorg", "my-secret-key-123"
HEADERS: Mapping[str, str] = {"X-Secret-Key": SECRET}

PHONES = 4
PARTIES = 50
RECEIVED = 0.4
"""The share of messages that is received."""

TURNS = 2
"""Of each kind, without consoles and with them."""

PER_KEY = 20
"""Sessions that one credential may have. Each API key signs in so many."""

AT_ONCE = 10
"""Consoles that sign in at a time."""

STANDSTILL_S = 60.0

SETTINGS: Mapping[str, object] = {
    **UNLIMITED,
    "DELIVERY_LATE_RESULT_GRACE_S": 0.2,
    "DELIVERY_RESULT_TIMEOUT_S": 20,
}


@attrs.frozen(kw_only=True)
class Turn:
    """What a turn cost."""

    consoles: int
    messages: int
    answers: Quantiles
    events: Quantiles
    cpu_share: float
    """Of one core."""
    rss_bytes: int

    def __str__(self) -> str:
        seen = f", event to console p50 {self.events.p50:.1f} ms, p99 {self.events.p99:.1f} ms"
        return (
            f"{self.consoles:4d} consoles: {self.messages} messages, answer p50 "
            f"{self.answers.p50:.1f} ms, p99 {self.answers.p99:.1f} ms, "
            f"{self.cpu_share * 100:.0f} % of a core, {self.rss_bytes / 1e6:.0f} MB"
            f"{seen if self.consoles else ''}"
        )


@attrs.define(kw_only=True)
class Trial(KillTrial):
    """Consoles, simulated phones, and a load of an even rate."""

    consoles: int
    rate: float
    """Messages a second."""
    ledger: Ledger = attrs.field(factory=Ledger)
    turns: list[Turn] = attrs.field(factory=list)
    _asked: dict[str, float] = attrs.field(factory=dict)
    _answers: list[float] = attrs.field(factory=list)
    _callers: list[http.Caller] = attrs.field(factory=list)
    _numbers: "itertools.count[int]" = attrs.field(factory=itertools.count)

    async def run(self) -> None:
        await self.start(SETTINGS)
        await self.push("first")  # makes the org
        keys = [await self.make_key() for _ in range(-(-self.consoles // PER_KEY))]
        chance = self.pauses()
        fleet = self.start_fleet()
        crowd: list[OpenConsole] = []
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(TURNS):
                    self.note(await self.turn([]))
                    guests = await self.open(keys, group)
                    self.note(await self.turn(guests))
                    for one in guests:
                        one.close()
                crowd = await self.open(keys, group)
                # From now on, every one of them must see all.
                since = max(await asyncio.to_thread(self.recorded), default=0)
                first = crowd[0].session
                load = group.create_task(self.load(float("inf")))
                for number in range(self.rounds):
                    await asyncio.sleep(chance.uniform(0.5, self.seconds))
                    await self.mark(first, crowd)
                    facts = await self.kill()
                    print(f"round {number + 1:3d}: {facts}", flush=True)
                    await self.start(SETTINGS)
                self.stopping = True
                await load
                await self.settle(self.left, STANDSTILL_S)
                await self.settle(lambda: self.unseen(crowd), STANDSTILL_S)
                # The end of the gateway is an event of each phone, after the last of the streams.
                expected = [id_ for id_ in self.recorded() if id_ > since]
                for one in crowd:
                    one.close()
            print("settled:", await self.stop())
        finally:
            self.gateway.kill()
            fleet.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                fleet.wait(20)
            fleet.kill()
        print(self.compare(crowd, expected))

    def note(self, turn: Turn) -> None:
        self.turns.append(turn)
        print(turn, flush=True)

    # -- consoles

    async def make_key(self) -> str:
        """Makes an API key that people sign in by."""
        content = {"name": "people", "scopes": ["read", "send"]}
        answer = await self.persist(self.client(), f"/keys/{ORG}", content, HEADERS)
        if answer is None or answer[0] != 201:
            raise BrokenPromise(f"/keys/{ORG} answered {answer}")
        key: str = answer[1]["key"]
        return key

    async def open(self, keys: list[str], group: asyncio.TaskGroup) -> list[OpenConsole]:
        """Opens all consoles, each of a person who signs in by themselves."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> OpenConsole:
            async with slots:
                session = await console.sign_in(self.url, "", keys[number // PER_KEY])
                made = OpenConsole(session=session, port=lambda: self.port, asked=self._asked)
                ready = asyncio.Event()
                group.create_task(made.stay(ready))
                group.create_task(made.count())
                await ready.wait()
                return made

        return await asyncio.gather(*map(one, range(self.consoles)))

    async def mark(self, session: Session, crowd: list[OpenConsole]) -> None:
        """Has one person read a conversation, and waits until all others know."""
        id_ = await self.push("unread")
        before = [len(one.marks) for one in crowd]
        request = session.post("/conversations/%2B15559999999/read", {"upto": id_})
        status, body = await self.caller().ask(request)
        if status != 200:
            raise BrokenPromise(f"a read mark was answered {status}: {body[:300]!r}")

        async def missing() -> list[str]:
            return [
                f"console {at} has no mark up to {id_}"
                for at, one in enumerate(crowd)
                if one.marks[before[at] :] != [id_]
            ]

        await self.settle(missing, 10)

    # -- load

    async def turn(self, guests: list[OpenConsole]) -> Turn:
        """Has messages go both ways for a while, and says what that cost."""
        self._answers.clear()
        for one in guests:
            one.late.clear()
        sent = len(self._asked)
        begun, cpu = time.perf_counter(), self.gateway.cpu_s()
        await self.load(self.seconds)
        await self.settle(self.left, STANDSTILL_S, pause_s=0.05)
        passed = time.perf_counter() - begun
        return Turn(
            consoles=len(guests),
            messages=len(self._asked) - sent,
            answers=Quantiles.of(self._answers),
            events=Quantiles.of([late for one in guests for late in one.late]),
            cpu_share=(self.gateway.cpu_s() - cpu) / passed,
            rss_bytes=self.gateway.rss_bytes(),
        )

    async def load(self, seconds: float) -> None:
        """Asks at an even rate, however long answers take. What is unanswered is repeated."""
        chance = random.Random(f"{self.seed}/{next(self._numbers)}")
        begun = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in itertools.count():
                due = begun + number / self.rate
                if self.stopping or due > begun + seconds:
                    break
                await asyncio.sleep(due - time.perf_counter())
                key = str(next(self._numbers))
                is_received = chance.random() < RECEIVED
                party = f"+1555{chance.randrange(PARTIES):07d}"
                one = self.receive(key, party) if is_received else self.send(key, party)
                group.create_task(one)

    async def send(self, key: str, party: str) -> None:
        body = f"message {key}"
        self.ledger.tried[body] += 1
        content = {"messages": [{"to": party, "body": body}]}
        await self.ask(body, f"/send/{ORG}", content, {**HEADERS, "Idempotency-Key": key})

    async def receive(self, key: str, party: str) -> None:
        body = f"{INBOUND}{key}"
        message = {"address": party, "body": body, "date": 1_700_000_000_000, "id": key}
        await self.ask(body, "/webhook", {"org_id": ORG, "messages": [message]}, HEADERS)
        self.ledger.received.add(body)

    async def push(self, key: str) -> int:
        """Has an SMS come in, and returns its id."""
        number = next(self._numbers)
        await self.receive(f"{key} {number}", "+15559999999")
        request = http.encode(
            "GET", f"/messages/{ORG}?limit=1&address=%2B15559999999", headers=HEADERS
        )
        _, body = await self.caller().ask(request)
        found: int = json.loads(body)["messages"][-1]["id"]
        return found

    async def ask(
        self, text: str, path: str, content: Mapping[str, Any], headers: Mapping[str, str]
    ) -> None:
        caller = self.caller()
        begun = self._asked[text] = time.perf_counter()
        answer = await self.persist(caller, path, content, headers)
        self._answers.append(time.perf_counter() - begun)
        self._callers.append(caller)
        if answer is None or answer[0] != 200:
            raise BrokenPromise(f"{path} answered {answer}")

    def caller(self) -> http.Caller:
        return self._callers.pop() if self._callers else self.client()

    def start_fleet(self) -> "subprocess.Popen[bytes]":
        command = [
            *(sys.executable, "-m", "phonegate", "phone", "--simulate"),
            *("--url", self.url, "--org", ORG, "--phones", str(PHONES), "--seed", str(self.seed)),
            *("--delay", "0-50", "--reconnect", "0.05-0.3", "--delivery-reports"),
        ]
        with (self.folder / "fleet.log").open("wb") as log:
            environment = child_environment(PHONEGATE_SECRET=SECRET)
            return subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    # -- what came of it

    async def left(self) -> list[str]:
        """Returns what is still under way."""
        counts = (await asyncio.to_thread(self.gateway.status))["messages"]
        states = ("queued", "sending", "sent")
        return [one for one in states for _ in range(counts.get(one, 0))]

    async def unseen(self, crowd: list[OpenConsole]) -> list[str]:
        """Returns which consoles have not seen the last event yet."""
        last = max(await asyncio.to_thread(self.recorded), default=0)
        return [
            f"console {at} is at {one.events[-1:]} of {last}"
            for at, one in enumerate(crowd)
            if one.events[-1:] != [last]
        ]

    def recorded(self) -> list[int]:
        """Returns the ids of all events, in their order."""
        uri = f"{self.database.as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            return [id_ for (id_,) in connection.execute("SELECT id FROM events ORDER BY id")]

    def compare(self, crowd: list[OpenConsole], expected: list[int]) -> str:
        for at, one in enumerate(crowd):
            seen = [id_ for id_ in one.events if id_ >= expected[0]]
            if seen != expected:
                missing = sorted(set(expected) - set(seen))
                raise BrokenPromise(
                    f"console {at} saw {len(seen)} events and not {len(expected)}; "
                    f"missing {missing[:20]}"
                )
        if not all(one.counted for one in crowd):
            raise BrokenPromise("a console never got to know how much is unread")
        opened = sum(one.opened for one in crowd)
        return (
            f"{self.ledger.kills} kills, {len(crowd)} consoles with {opened} streams saw "
            f"each of {len(expected)} events once and in order, and every read mark; promises kept"
        )


def main() -> int:
    options = parser("console", __doc__, seconds=10.0)
    options.set_defaults(rounds=2)
    options.add_argument("--consoles", type=int, default=100, help="open at once (100)")
    options.add_argument("--rate", type=float, default=5.0, help="messages a second (5)")
    return hold(Trial, options.parse_args())


if __name__ == "__main__":
    sys.exit(main())

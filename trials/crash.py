"""Kills the gateway in the midst of load, again and again, and checks that nothing was lost.

    python -m trials.crash --rounds 20

Clients send, with an Idempotency-Key and without, and push; simulated phones connect, drop their
links and report out of order; every few moments the gateway is ended by SIGKILL and started again
on the same file. After each kill the file is examined as it lies there. At the end, when all has
settled, what clients were answered, what phones sent and what the gateway stored are compared.
Exits 1 at the first broken promise, and says which.
"""

import asyncio
import contextlib
import json
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import attrs

from kit.ledger import INBOUND, BrokenPromise, Ledger, Rows
from kit.load import http
from kit.program import child_environment
from phonegate.store.commit_place import Commits
from trials.kill_trial import ASK_AGAIN, PAUSE_S, KillTrial, hold, parser

ORG = "crash"
SECRET = "crash-secret-key-1"
HEADERS = {"X-Secret-Key": SECRET}
PHONES = 6
CLIENTS = 8
CALM = "calm"
"""An org whose phones have room for all that is sent: it leaves without being queued first."""
CALM_CLIENTS = 4
STANDSTILL_S = 60
"""Once the killing is over, some message must reach its end within this time of the one before:
phones that lose their links take long over a backlog, but never stop."""

SETTINGS = {
    "PACING_SEGMENTS_PER_MINUTE": 0,
    "DELIVERY_LATE_RESULT_GRACE_S": 0.2,
    "DELIVERY_RESULT_TIMEOUT_S": 20,
}


UNSTEADY = (
    *("--phones", str(PHONES), "--lose-links", "0.002", "--repeat", "0.1", "--reorder", "0.1"),
    *("--fail", "0.05", "--delay", "0-5", "--reconnect", "0.05-0.3", "--reply"),
)
STEADY = ("--phones", "4", "--delay", "0-0", "--reconnect", "0.05-0.3")
RADIO_LOG = "radio-{}.jsonl"


@attrs.define
class CrashLedger(Ledger):
    """Also what phones acknowledged."""

    promised: dict[int, str] = attrs.field(factory=dict)
    """Id → the SMS, of every answer to a send."""
    acked: dict[int, int] = attrs.field(factory=dict)
    """Id → the time of its last push, of messages found acknowledged after a kill."""

    def promise(self, results: Sequence[Mapping[str, Any]], bodies: Sequence[str]) -> None:
        """Notes what a send was answered."""
        self.promised.update(
            (result["id"], body) for result, body in zip(results, bodies, strict=True)
        )

    def check(self, rows: Rows) -> None:
        super().check(rows)
        # Its id alone proves nothing: what comes later gets the id of what was never stored.
        if missing := [
            i for i, body in self.promised.items() if i not in rows or rows[i]["body"] != body
        ]:
            raise BrokenPromise(f"answered 2xx and gone: {missing}")
        for i, row in rows.items():
            if i in self.acked and row["pushed_at"] != self.acked[i]:
                raise BrokenPromise(f"message {i} was pushed again after its ack")
            if row["acked_at"] is not None:
                self.acked[i] = row["pushed_at"]

    def compare_with_the_radio(self, logs: Iterable[Path]) -> str:
        radioed = Counter(
            json.loads(line)["id"] for log in logs for line in log.read_text().splitlines()
        )
        if twice := [i for i, n in radioed.items() if n > 1]:
            raise BrokenPromise(f"handed over the air more than once: {twice}")
        if unstored := radioed.keys() - self.states.keys():
            raise BrokenPromise(f"pushed to a phone and not stored: {sorted(unstored)}")
        sent = {i for i, s in self.states.items() if s in {"sent", "delivered"}}
        if phantom := sent - radioed.keys():
            raise BrokenPromise(f"said to be sent and never radioed: {sorted(phantom)}")
        return (
            f"{self.kills} kills, {len(radioed)} SMS over the air, none twice; "
            f"{len(self.received)} received, none lost; promises kept"
        )


@attrs.define(kw_only=True)
class Trial(KillTrial):
    """Clients, and fleets of simulated phones."""

    ledger: CrashLedger = attrs.field(factory=CrashLedger)
    commits: Commits = "auto"
    """Where the gateway commits, see `[database] commits`."""

    @property
    def settings(self) -> dict[str, object]:
        return {**SETTINGS, "DATABASE_COMMITS": self.commits}

    async def run(self) -> None:
        await self.start(self.settings)
        chance = self.pauses()
        await self.push(self.client(), "first")  # creates the org
        await self.listen()
        await self.push(self.client(), "first of the calm", CALM)
        fleets = [self.start_fleet(ORG, UNSTEADY), self.start_fleet(CALM, STEADY)]
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(CLIENTS):
                    group.create_task(self.load(number))
                for number in range(CALM_CLIENTS):
                    group.create_task(self.send_calmly(number))
                for number in range(self.rounds):
                    await asyncio.sleep(chance.uniform(0.3, self.seconds))
                    print(f"round {number + 1:3d}: {await self.kill()}", flush=True)
                    await self.start(self.settings)
                self.stopping = True
            await self.settle(self.underway, STANDSTILL_S)
            facts = await self.stop()
        finally:
            self.gateway.kill()
            for fleet in fleets:
                fleet.send_signal(signal.SIGTERM)
            for fleet in fleets:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    fleet.wait(20)
                fleet.kill()
        print("settled:", facts)
        print(self.ledger.compare_with_the_radio(self.folder.glob(RADIO_LOG.format("*"))))

    def start_fleet(self, org: str, words: Sequence[str]) -> "subprocess.Popen[bytes]":
        command = [
            *(sys.executable, "-m", "phonegate", "phone", "--simulate"),
            *("--url", self.url, "--org", org, "--seed", str(self.seed), *words),
            *("--delivery-reports", "--radio-log", str(self.folder / RADIO_LOG.format(org))),
        ]
        with (self.folder / f"fleet-{org}.log").open("wb") as log:
            return subprocess.Popen(
                command, stdout=log, stderr=log, env=child_environment(PHONEGATE_SECRET=SECRET)
            )

    async def load(self, number: int) -> None:
        """Sends and pushes until the killing is over. An unanswered request is repeated."""
        chance = random.Random(f"{self.seed}/{number}")
        client, turn = self.client(), 0
        while not self.stopping:
            turn += 1
            key = f"{number}-{turn}"
            if chance.random() < 0.3:
                await self.push(client, key)
            else:
                await self.send(client, key, chance.choice([1, 1, 1, 20]))
        client.close()

    async def send(self, client: http.Caller, key: str, count: int) -> None:
        """Sends under an Idempotency-Key. Without an answer the request is repeated."""
        bodies, content = self.texts(key, count)
        answer = await self.post(client, f"/send/{ORG}", content, key)
        self.ledger.promise(answer["results"], bodies)

    async def send_calmly(self, number: int) -> None:
        """Sends one SMS after the other without an Idempotency-Key, as most programs do.

        Without an answer nothing is known of it. What is queued is waited for, so that the next
        ones find room.
        """
        client, turn = self.client(), 0
        while not self.stopping:
            turn += 1
            bodies, content = self.texts(f"calm {number}-{turn}", 1)
            data = json.dumps(content).encode()
            status, body = await client.ask(
                http.encode("POST", f"/send/{CALM}", data, headers=HEADERS)
            )
            results = json.loads(body)["results"] if status == 200 else []
            if status == 200:
                self.ledger.promise(results, bodies)
            elif status not in ASK_AGAIN:
                raise BrokenPromise(f"/send answered {status}: {body[:200]!r}")
            if not results or results[0]["status"] == "queued":
                await asyncio.sleep(PAUSE_S)
        client.close()

    def texts(self, key: str, count: int) -> tuple[list[str], dict[str, Any]]:
        """Returns so many SMS that nothing else is like, and a request to send them."""
        bodies = [f"text {key} {i}" for i in range(count)]
        self.ledger.tried.update(bodies)
        messages = [{"to": "+15553334444", "body": body} for body in bodies]
        return bodies, {"messages": messages}

    async def push(self, client: http.Caller, key: str, org: str = ORG) -> None:
        body = INBOUND + key
        message = {"address": "+15550009999", "body": body, "date": 1_700_000_000_000, "id": key}
        await self.post(client, "/webhook", {"org_id": org, "messages": [message]})
        self.ledger.received.add(body)

    async def listen(self) -> None:
        """Has the org's events recorded from here on. They are checked with the file."""
        request = http.encode("GET", f"/events/{ORG}", headers=HEADERS)
        status, _ = await http.ask(self.port, request)
        if status != 200:
            raise BrokenPromise(f"GET /events answered {status}")

    async def post(self, client: http.Caller, path: str, content: Any, key: str = "") -> Any:
        headers = HEADERS if not key else {**HEADERS, "Idempotency-Key": key}
        answer = await self.persist(client, path, content, headers)
        assert answer is not None
        if answer[0] != 200:
            raise BrokenPromise(f"{path} answered {answer}")
        return answer[1]

    async def underway(self) -> list[str]:
        counts = (await asyncio.to_thread(self.gateway.status))["messages"]
        return [status for status in ("queued", "sending") for _ in range(counts.get(status, 0))]


if __name__ == "__main__":
    options = parser("crash", __doc__, seconds=3.0)
    options.add_argument(
        "--commits", choices=get_args(Commits), default="auto", help="where it commits (auto)"
    )
    sys.exit(hold(Trial, options.parse_args()))

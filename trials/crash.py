"""Kills the gateway in the midst of load, again and again, and checks that nothing was lost.

    python -m trials.crash --rounds 20

Clients send and push under Idempotency-Keys, simulated phones connect, drop their links and
report out of order; every few moments the gateway is ended by SIGKILL and started again on
the same file. After each kill the file is examined as it lies there; at the end, when all has
settled, the books of clients, phones and gateway are compared. Exits 1 at the first broken
promise, and says which.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import attrs
import httpx
import trio

from kit.gateway import GatewayProcess
from phonegate.operations.control import ask
from trials.promises import RANK, BrokenPromise, hold

ORG = "crash"
SECRET = "crash-secret-key-1"
HEADERS = {"X-Secret-Key": SECRET}
PHONES = 6
CLIENTS = 8
STANDSTILL_S = 60
"""Once the killing is over, some message must reach its end within this time of the one before:
phones that lose their links take long over a backlog, but never stop."""

SETTINGS = {
    "PACING_SEGMENTS_PER_MINUTE": 0,
    "DELIVERY_LATE_RESULT_GRACE_S": 0.2,
    "DELIVERY_RESULT_TIMEOUT_S": 20,
}


@attrs.define
class Ledger:
    """What was promised: the ids of every answer, and the furthest state seen of each."""

    sent: dict[str, list[int]] = attrs.field(factory=dict)
    """Idempotency-Key → ids of the answer."""
    bodies: dict[str, str] = attrs.field(factory=dict)
    """Body → key, of every send that was tried."""
    received: set[str] = attrs.field(factory=set)
    """Bodies of inbound SMS whose push was answered."""
    states: dict[int, str] = attrs.field(factory=dict)
    acked: dict[int, int] = attrs.field(factory=dict)
    """Id → the time of its last push, of messages found acknowledged after a kill."""
    kills: int = 0


@attrs.define
class Trial:
    """One run: the file, the processes, the books."""

    folder: Path
    seed: int
    rounds: int
    seconds: float
    ledger: Ledger = attrs.field(factory=Ledger)
    port: int = 0
    gateway: GatewayProcess = attrs.field(init=False)
    stopping: bool = False

    @property
    def database(self) -> Path:
        return self.folder / "phonegate.db"

    @property
    def radio_log(self) -> Path:
        return self.folder / "radio.jsonl"

    async def run(self) -> None:
        await self.start()
        chance = random.Random(self.seed)
        async with httpx.AsyncClient(timeout=10) as http:
            await self.push(http, "first")  # creates the org
        fleet = self.start_fleet()
        try:
            async with trio.open_nursery() as nursery:
                for number in range(CLIENTS):
                    nursery.start_soon(self.client, number)
                for number in range(self.rounds):
                    await trio.sleep(chance.uniform(0.3, self.seconds))
                    await trio.to_thread.run_sync(self.gateway.kill)
                    self.ledger.kills += 1
                    facts = await trio.to_thread.run_sync(self.examine)
                    print(f"round {number + 1:3d}: {facts}", flush=True)
                    await self.start()
                self.stopping = True
            await self.settle()
        finally:
            fleet.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                fleet.wait(20)
            fleet.kill()
        code = await trio.to_thread.run_sync(self.gateway.stop)
        if code != 0:
            raise BrokenPromise(f"SIGTERM gave exit code {code}")
        print("settled:", await trio.to_thread.run_sync(self.examine))
        self.compare_with_the_radio()

    async def start(self) -> None:
        self.gateway = await trio.to_thread.run_sync(
            lambda: GatewayProcess(self.database, port=self.port, settings=SETTINGS)
        )
        await trio.to_thread.run_sync(self.gateway.wait_until_ready)
        self.port = self.gateway.port

    def start_fleet(self) -> "subprocess.Popen[bytes]":
        command = [
            *(sys.executable, "-m", "phonegate", "phone", "--simulate"),
            *("--url", f"http://127.0.0.1:{self.port}", "--org", ORG),
            *("--phones", str(PHONES), "--seed", str(self.seed)),
            *("--lose-links", "0.002", "--repeat", "0.1", "--reorder", "0.1"),
            *("--fail", "0.05", "--delay", "0-5", "--reconnect", "0.05-0.3"),
            *("--delivery-reports", "--reply", "--radio-log", str(self.radio_log)),
        ]
        with (self.folder / "fleet.log").open("wb") as log:
            return subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, "PHONEGATE_SECRET": SECRET}
            )

    async def client(self, number: int) -> None:
        """Sends and pushes until told to stop; what is not answered is tried again."""
        chance = random.Random(f"{self.seed}/{number}")
        async with httpx.AsyncClient(headers=HEADERS, timeout=10) as http:
            turn = 0
            while not self.stopping:
                turn += 1
                key = f"{number}-{turn}"
                if chance.random() < 0.3:
                    await self.push(http, key)
                else:
                    await self.send(http, key, chance.choice([1, 1, 1, 20]))

    async def send(self, http: httpx.AsyncClient, key: str, count: int) -> None:
        bodies = [f"text {key} {i}" for i in range(count)]
        self.ledger.bodies.update(dict.fromkeys(bodies, key))
        messages = [{"to": "+15553334444", "body": body} for body in bodies]
        answer = await self.persist(
            http, "/send/crash", {"messages": messages}, {"Idempotency-Key": key}
        )
        self.ledger.sent[key] = [result["id"] for result in answer["results"]]

    async def push(self, http: httpx.AsyncClient, key: str) -> None:
        body = f"inbound {key}"
        message = {"address": "+15550009999", "body": body, "date": 1_700_000_000_000, "id": key}
        content = {"org_id": ORG, "secret_key": SECRET, "messages": [message]}
        await self.persist(http, "/webhook", content, {})
        self.ledger.received.add(body)

    async def persist(
        self, http: httpx.AsyncClient, path: str, content: Any, headers: dict[str, str]
    ) -> Any:
        """Posts until there is an answer, whatever happens to the gateway meanwhile."""
        while True:
            try:
                url = f"http://127.0.0.1:{self.port}{path}"
                answer = await http.post(url, json=content, headers=headers)
            except httpx.TransportError:
                await trio.sleep(0.05)
                continue
            if answer.status_code in {409, 429, 503}:
                await trio.sleep(0.05)
                continue
            if answer.status_code != 200:
                raise BrokenPromise(f"{path} answered {answer.status_code}: {answer.text}")
            return answer.json()

    def examine(self) -> str:
        """Checks a copy of the file as the last kill left it."""
        with tempfile.TemporaryDirectory() as copies:
            for path in self.folder.glob("phonegate.db*"):
                if path.is_file():
                    shutil.copy(path, copies)
            connection = sqlite3.connect(Path(copies) / "phonegate.db")
            connection.row_factory = sqlite3.Row
            try:
                return self.check(connection)
            finally:
                connection.close()

    def check(self, connection: sqlite3.Connection) -> str:
        (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
        if verdict != "ok":
            raise BrokenPromise(f"integrity_check: {verdict}")
        rows = {
            row["id"]: row
            for row in connection.execute(
                "SELECT id, direction, body, status, pushed_at, acked_at, attempts FROM messages"
            )
        }
        promised = [i for ids in self.ledger.sent.values() for i in ids]
        if missing := [i for i in promised if i not in rows]:
            raise BrokenPromise(f"answered 2xx and gone: {missing}")
        bodies = Counter(row["body"] for row in rows.values() if row["direction"] == "out")
        if doubled := [b for b, n in bodies.items() if n > 1 and b in self.ledger.bodies]:
            raise BrokenPromise(f"stored more than once under one Idempotency-Key: {doubled}")
        inbound = Counter(row["body"] for row in rows.values() if row["direction"] == "in")
        if lost := self.ledger.received - inbound.keys():
            raise BrokenPromise(f"inbound answered and gone: {sorted(lost)}")
        if repeated := [b for b in self.ledger.received if inbound[b] > 1]:
            raise BrokenPromise(f"inbound stored twice: {repeated}")
        for i, row in rows.items():
            if RANK[row["status"]] < RANK[self.ledger.states.get(i, row["status"])]:
                raise BrokenPromise(
                    f"message {i} went back from {self.ledger.states[i]} to {row['status']}"
                )
            if i in self.ledger.acked and row["pushed_at"] != self.ledger.acked[i]:
                raise BrokenPromise(f"message {i} was pushed again after its ack")
            self.ledger.states[i] = row["status"]
            if row["acked_at"] is not None:
                self.ledger.acked[i] = row["pushed_at"]
        found = Counter(row["status"] for row in rows.values())
        return f"{len(promised)} promised, {dict(sorted(found.items()))}"

    async def settle(self) -> None:
        """Waits until no message is on its way any more."""
        fewest, since = sys.maxsize, trio.current_time()
        while True:
            counts = await trio.to_thread.run_sync(self.count)
            waiting = counts.get("queued", 0) + counts.get("sending", 0)
            if not waiting:
                return
            if waiting < fewest:
                fewest, since = waiting, trio.current_time()
            elif trio.current_time() > since + STANDSTILL_S:
                raise BrokenPromise(f"no progress for {STANDSTILL_S} s: {counts}")
            await trio.sleep(0.2)

    def count(self) -> dict[str, int]:
        messages: dict[str, int] = ask(self.database, "status")["messages"]
        return messages

    def compare_with_the_radio(self) -> None:
        lines = self.radio_log.read_text().splitlines()
        radioed = Counter(json.loads(line)["id"] for line in lines)
        if twice := [i for i, n in radioed.items() if n > 1]:
            raise BrokenPromise(f"handed over the air more than once: {twice}")
        sent = {i for i, s in self.ledger.states.items() if s in {"sent", "delivered"}}
        if phantom := sent - radioed.keys():
            raise BrokenPromise(f"said to be sent and never radioed: {sorted(phantom)}")
        print(
            f"{self.ledger.kills} kills, {len(radioed)} SMS over the air, none twice; "
            f"{len(self.ledger.received)} received, none lost; promises kept"
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m trials.crash", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="how often to kill (20)")
    parser.add_argument("--seconds", type=float, default=3.0, help="longest round, in s (3)")
    parser.add_argument("--seed", type=int, default=1, help="seed of all chance (1)")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="phonegate-crash-"))
    trial = Trial(folder=folder, seed=chosen.seed, rounds=chosen.rounds, seconds=chosen.seconds)
    return hold(trial.run, folder)


if __name__ == "__main__":
    sys.exit(main())

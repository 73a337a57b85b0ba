"""Kills the gateway and the phones with the app, in turn and together, in the midst of sends.

    python -m trials.smsgate --rounds 20

Clients send under Idempotency-Keys, simulated phones with the app SMS Gateway for Android pull,
send, report and receive, lose answers and overlook received SMS. Every few moments the gateway, the
phones' program, or both are ended by SIGKILL and started again. At the end, when all has settled,
what was accepted is held against what went over the air, and what arrived at the phones against
what the gateway stored. Exits 1 at the first broken promise, and says which.

One thing is the app's own and is only counted: killed between its radio and its table, it sends
that message again.
"""

import asyncio
import contextlib
import hashlib
import json
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs

from kit.ledger import BrokenPromise, Ledger, Rows, stored_now
from kit.load import http
from kit.program import ROOT, child_environment
from phonegate.phone.smsgate.app_journal import AppJournalFile
from phonegate.phone.smsgate.app_memory import PENDING, AppMemory
from trials.kill_trial import KillTrial, hold, parser

ORG: Final = "smsgate"
SECRET: Final = "smsgate-secret-key-1"
HEADERS: Final = {"X-Secret-Key": SECRET}
PHONES: Final = 4
PAUSE_S: Final = (0.05, 0.3)
"""Between two sends of a client: the phones keep up, so that the kills meet all of their steps."""
STANDSTILL_S: Final = 120
"""Once the killing is over, something must reach its end within this time of the one before. A
phone that pauses after failures does so for longer and longer."""
SETTINGS: Final = {
    "PACING_SEGMENTS_PER_MINUTE": 0,
    "DELIVERY_RESULT_TIMEOUT_S": 90,
    "LIMITS_ADDRESS_CONNECTIONS": 0,
    "LIMITS_ADDRESS_HANDSHAKES_PER_S": 0,
}

VICTIMS: Final = ("gateway", "phones", "both")
FAULTS: Final = (
    *("--repeat", "0.1", "--reorder", "0.1", "--fail", "0.05", "--drop-answers", "0.02"),
    *("--double-streams", "0.1", "--lose-links", "0.01", "--delay", "0-30", "--crash", "0.03"),
)
RECEIVING: Final = ("--reply", "--inbound-every", "0.5", "--mms-every", "2", "--miss", "0.1")


def sha256(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


@attrs.define
class SmsgateLedger(Ledger):
    """Also what phones took, and where they fell into the app's own hole."""

    promised: list[int] = attrs.field(factory=list)
    """The ids of every answer."""
    acked: dict[int, int] = attrs.field(factory=dict)
    """Id → the time of its last push, of messages found acknowledged after a kill."""
    bodies: dict[int, str] = attrs.field(factory=dict)
    holes: set[str] = attrs.field(factory=set)
    """Messages, by the app's ids, that the radio had and the table not when it was killed."""

    def check(self, rows: Rows) -> None:
        super().check(rows)
        if missing := [i for i in self.promised if i not in rows]:
            raise BrokenPromise(f"answered 2xx and gone: {missing}")
        for i, row in rows.items():
            if i in self.acked and row["pushed_at"] != self.acked[i]:
                raise BrokenPromise(f"message {i} was given to a phone again after its ack")
            if row["acked_at"] is not None:
                self.acked[i] = row["pushed_at"]
            if row["direction"] == "out":
                self.bodies[i] = row["body"]

    def compare_with_the_radio(self, log: list[dict[str, Any]]) -> str:
        times = Counter(line["sha256"] for line in log)
        excused = {line["sha256"] for line in log if line["id"] in self.holes}
        if twice := [sha for sha, n in times.items() if n > 1 and sha not in excused]:
            names = [i for i, body in self.bodies.items() if sha256(body) in twice]
            raise BrokenPromise(f"over the air more than once, and not by the app's hole: {names}")
        sent = [i for i, state in self.states.items() if state in {"sent", "delivered"}]
        if phantom := [i for i in sent if i in self.bodies and sha256(self.bodies[i]) not in times]:
            raise BrokenPromise(f"said to be sent and never on the air: {phantom}")
        ends = Counter(self.states[i] for i in self.bodies)
        return (
            f"{self.kills} kills, {len(times)} SMS over the air of {len(self.bodies)} accepted "
            f"({dict(sorted(ends.items()))}), none twice but {len(self.holes)} in the app's hole"
        )

    @staticmethod
    def compare_with_the_phones(memories: list[AppMemory], rows: Rows) -> str:
        """Holds what arrived at the phones against what is stored."""
        arrived = Counter(
            (mail.sender, mail.received_at, mail.text.rpartition("\n")[2])
            for memory in memories
            for mail in memory.mails
        )
        found = Counter(
            (row["address"], row["date"], row["body"].rpartition("\n")[2])
            for row in rows.values()
            if row["direction"] == "in" and row["body"] != FIRST
        )
        if lost := arrived - found:
            raise BrokenPromise(f"arrived at a phone and not stored: {lost.total()} {list(lost)}")
        if doubled := found - arrived:
            raise BrokenPromise(f"stored more often than it arrived: {list(doubled)}")
        return f"{arrived.total()} received, each stored once; promises kept"


FIRST: Final = "first"
"""The message that makes the org."""


@attrs.define(kw_only=True)
class Trial(KillTrial):
    """Clients, and phones with the app."""

    program: tuple[str, ...] = (str(ROOT / "trials" / "short_timeouts.py"),)
    ledger: SmsgateLedger = attrs.field(factory=SmsgateLedger)
    phones: "subprocess.Popen[bytes] | None" = None
    key: str = ""
    clients: int = 3
    haste: int = 30
    """How many times shorter the app's pauses are than on a phone."""
    log_read: int = 0
    """How far the log of the phones is of no interest."""

    @property
    def radio_log(self) -> Path:
        return self.folder / "radio.jsonl"

    @property
    def journal(self) -> Path:
        return self.folder / "phones.jsonl"

    async def run(self) -> None:
        await self.start(SETTINGS)
        chance = self.pauses()
        await self.make_org()
        self.start_phones()
        try:
            # What a phone received before the gateway knew it is none of the gateway's.
            await self.settle(self.strangers, STANDSTILL_S)
            self.stop_phones()
            self.mark_log()
            self.start_phones(*RECEIVING)
            async with asyncio.TaskGroup() as group:
                for number in range(self.clients):
                    group.create_task(self.load(number))
                for number in range(self.rounds):
                    await self.settle(self.strangers, STANDSTILL_S)
                    await asyncio.sleep(chance.uniform(0.5, self.seconds))
                    victim = VICTIMS[number % len(VICTIMS)]
                    print(f"round {number + 1:3d}: {await self.strike(victim)}", flush=True)
                self.stopping = True
            await self.finish()
        finally:
            self.gateway.kill()
            self.kill_phones()

    async def finish(self) -> None:
        """Lets all come to its end, with phones that receive nothing more, and compares."""
        self.stop_phones()
        self.start_phones()
        # A gateway that was away asks for what phones received meanwhile, with a margin.
        await self.stop()
        await self.start(SETTINGS)
        await self.settle(self.underway, STANDSTILL_S)
        await self.settle(self.unheard, STANDSTILL_S)
        self.stop_phones()
        facts = await self.stop()
        print("settled:", facts)
        print(self.ledger.compare_with_the_radio(self.radioed()))
        rows = stored_now(self.database)
        print(self.ledger.compare_with_the_phones(self.memories(), rows))

    async def strike(self, victim: str) -> str:
        """Kills the gateway, the phones, or both, and starts them again."""
        told = f"{victim} killed"
        self.mark_log()
        if victim != "gateway":
            self.kill_phones()
            self.find_holes()
        if victim != "phones":
            told += f"; {await self.kill()}"
            await self.start(SETTINGS)
        else:
            self.ledger.kills += 1
        if victim != "gateway":
            self.start_phones(*RECEIVING)
        return told

    # --- phones

    def start_phones(self, *more: str) -> None:
        command = [
            *(sys.executable, "-m", "phonegate", "phone", "--simulate", "--as", "smsgate"),
            *("--url", self.url, "--phones", str(PHONES), "--seed", str(self.seed)),
            *("--hasten", str(self.haste), "--delivery-reports", *FAULTS, *more),
            *("--journal", str(self.journal), "--radio-log", str(self.radio_log), "--verbose"),
        ]
        with (self.folder / "phones.log").open("ab") as log:
            self.phones = subprocess.Popen(
                command, stdout=log, stderr=log, env=child_environment(PHONEGATE_KEY=self.key)
            )

    def stop_phones(self) -> None:
        if self.phones is not None:
            self.phones.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.phones.wait(20)
        self.kill_phones()

    def kill_phones(self) -> None:
        if self.phones is not None:
            self.phones.kill()
            self.phones.wait()

    def memories(self) -> list[AppMemory]:
        """Returns what the phones have on their disks. They must not run."""
        with AppJournalFile(self.journal) as file:
            return [file.journal(f"app-{n + 1:04d}").memory for n in range(PHONES)]

    def find_holes(self) -> None:
        pending = {
            name
            for memory in self.memories()
            for name, message in memory.messages.items()
            if message.recipients[0].state == PENDING
        }
        self.ledger.holes |= pending & {str(line["id"]) for line in self.radioed()}

    def radioed(self) -> list[dict[str, Any]]:
        if not self.radio_log.exists():
            return []
        return [json.loads(line) for line in self.radio_log.read_text().splitlines()]

    # --- clients

    async def make_org(self) -> None:
        client = self.client()
        message = {"address": "+15550009999", "body": FIRST, "date": 1}
        await self.post(client, "/webhook", {"org_id": ORG, "messages": [message]})
        made = await self.post(client, f"/keys/{ORG}", {"name": "phones", "scopes": ["phone"]})
        self.key = made["key"]
        client.close()

    async def load(self, number: int) -> None:
        """Sends until the killing is over. An unanswered request is repeated."""
        chance = random.Random(f"{self.seed}/{number}")
        client, turn = self.client(), 0
        while not self.stopping:
            turn += 1
            key = f"{number}-{turn}"
            bodies = [f"text {key} {i}" for i in range(chance.choice([1, 1, 1, 5]))]
            self.ledger.tried.update(bodies)
            messages = [{"to": "+15553334444", "body": body} for body in bodies]
            answer = await self.post(client, f"/send/{ORG}", {"messages": messages}, key)
            self.ledger.promised += [result["id"] for result in answer["results"]]
            await asyncio.sleep(chance.uniform(*PAUSE_S))
        client.close()

    async def post(self, client: http.Caller, path: str, content: Any, key: str = "") -> Any:
        headers = HEADERS if not key else {**HEADERS, "Idempotency-Key": key}
        answer = await self.persist(client, path, content, headers)
        assert answer is not None
        if answer[0] not in {200, 201}:
            raise BrokenPromise(f"{path} answered {answer}")
        return answer[1]

    # --- what is still to be done

    def mark_log(self) -> None:
        """From now on every phone is to connect again."""
        log = self.folder / "phones.log"
        self.log_read = log.stat().st_size if log.exists() else 0

    async def strangers(self) -> list[str]:
        """Returns the phones that have not connected since the last mark."""
        with (self.folder / "phones.log").open("rb") as log:
            log.seek(self.log_read)
            connected = {line for line in log if line.endswith(b": connected\n")}
        return ["a phone"] * (PHONES - len(connected))

    async def underway(self) -> list[str]:
        counts = (await asyncio.to_thread(self.gateway.status))["messages"]
        return [status for status in ("queued", "sending") for _ in range(counts.get(status, 0))]

    async def unheard(self) -> list[str]:
        """Returns what arrived at phones and is not stored, by what their journal says."""
        wanted = Counter(text for text in self._arrived())
        rows = await asyncio.to_thread(stored_now, self.database)
        found = Counter(
            row["body"].rpartition("\n")[2] for row in rows.values() if row["direction"] == "in"
        )
        return list((wanted - found).elements())

    def _arrived(self) -> Iterator[str]:
        # The phones run: their journal is only read.
        for line in self.journal.read_bytes().splitlines():
            for record in json.loads(line)["step"]:
                if record["record"] == "Arrived":
                    yield record["mail"]["text"].rpartition("\n")[2]


if __name__ == "__main__":
    sys.exit(hold(Trial, parser("smsgate", __doc__, seconds=4.0).parse_args()))

"""Kills gateway and phone programs, in turn and together, in the midst of sends both ways.

    python -m trials.phone_kills --phone simulate --rounds 20

Clients send under Idempotency-Keys while SMS arrive at the phone; every few moments the gateway,
the phone's program or both are ended by SIGKILL and started again on the same files. At the end,
when all has settled, three accounts are compared: what clients were answered, what went over the
air, and what the gateway stored. What was accepted went out once, or is `uncertain` where a program
died within the attempt; what came in is there once. Exits 1 at the first broken promise, and says
which.
"""

import asyncio
import itertools
import random
import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from kit.ledger import BrokenPromise, Ledger, Rows
from kit.load import http
from trials.kill_trial import KillTrial, hold, parser

ORG = "kills"
SECRET = "kills-secret-key-1"
CLIENTS = 3
PAUSE_S = 0.1
"""Of each client, after an answer: a phone takes tens of messages a second, not thousands."""
STANDSTILL_S = 90
"""Once the killing is over, some message must reach its end within this time of the one before."""
SETTINGS: Mapping[str, object] = {
    "PACING_SEGMENTS_PER_MINUTE": 0,
    "LIMITS_ORG_BYTES_PER_DAY": 0,
    "LIMITS_SELF_MADE_ORG_BYTES_PER_DAY": 0,
    "DELIVERY_LATE_RESULT_GRACE_S": 0.2,
    # A message waits on the phone behind one of which the radio learns nothing for over a minute.
    "DELIVERY_RESULT_TIMEOUT_S": 600,
}
FIRST = "inbound first"
"""The text of the one message that comes by `/webhook`."""
UNKNOWN = "uncertain"
VICTIMS = ("phone", "gateway", "both")


@attrs.frozen(kw_only=True)
class Place:
    """Where a phone's program finds the gateway, and what is its own."""

    url: str
    org: str
    secret: str
    folder: Path
    seed: int


class Phone(ABC):
    """A phone's program, with a device that outlives it.

    Args:
        place: Where it is.
    """

    def __init__(self, place: Place) -> None:
        self.place = place

    @abstractmethod
    async def start(self) -> None:
        """Starts its program, on the files that an earlier one left."""

    @abstractmethod
    async def kill(self) -> None:
        """Ends its program by SIGKILL."""

    async def keep_running(self) -> None:
        """Starts its program again if that has ended by itself, as a service manager does."""
        await asyncio.sleep(0)

    async def receive(self, body: str) -> None:
        """Makes an SMS with this text arrive at the device.

        Those of a simulated phone come by themselves, and it does nothing here.
        """
        del body

    async def rest(self) -> None:
        """Lets no more SMS arrive by themselves, once the killing is over."""
        await asyncio.sleep(0)

    @abstractmethod
    def on_air(self) -> Counter[str]:
        """Returns how often each text went over the air."""

    @abstractmethod
    def arrived(self) -> Counter[str]:
        """Returns how often each text arrived at the device."""

    async def close(self) -> None:
        """Ends everything that it has started, the device too."""
        await self.kill()


@attrs.define
class PhoneLedger(Ledger):
    """Also what each promised message was, and how often a phone's program was killed."""

    promised: dict[int, str] = attrs.field(factory=dict)
    """The text of each message whose id a client was given."""
    phone_kills: int = 0
    rows: Rows = attrs.field(factory=dict)

    def check(self, rows: Rows) -> None:
        super().check(rows)
        if missing := self.promised.keys() - rows.keys():
            raise BrokenPromise(f"answered 2xx and gone: {sorted(missing)}")
        self.rows = rows

    def compare(self, on_air: Counter[str], arrived: Counter[str]) -> str:
        """Holds the three accounts against each other, and returns a line about them."""
        if twice := [text for text, times in on_air.items() if times > 1]:
            raise BrokenPromise(f"over the air more than once: {twice}")
        out = {
            row["body"]: row["status"] for row in self.rows.values() if row["direction"] == "out"
        }
        sent = {text for text, status in out.items() if status in {"sent", "delivered"}}
        if phantom := sent - on_air.keys():
            raise BrokenPromise(f"said to be sent, and not over the air: {sorted(phantom)}")
        denied = {text for text, status in out.items() if status in {"failed", "cancelled"}}
        if denied & on_air.keys():
            raise BrokenPromise(
                f"over the air, and said not to be: {sorted(denied & on_air.keys())}"
            )
        if unknown := on_air.keys() - out.keys():
            raise BrokenPromise(f"over the air, and never asked for: {sorted(unknown)}")
        doubtful = [text for text, status in out.items() if status == UNKNOWN]
        # A radio has one message at a time, so a kill leaves one in doubt.
        if len(doubtful) > self.phone_kills:
            raise BrokenPromise(f"{self.phone_kills} kills left in doubt: {sorted(doubtful)}")
        received = Counter(
            row["body"]
            for row in self.rows.values()
            if row["direction"] == "in" and row["body"] != FIRST
        )
        if lost := arrived - received:
            raise BrokenPromise(f"arrived at the phone and not stored: {sorted(lost)}")
        if doubled := received - arrived:
            raise BrokenPromise(f"stored more often than it arrived: {sorted(doubled)}")
        return (
            f"{self.kills} kills of the gateway and {self.phone_kills} of the phone, "
            f"{len(on_air)} SMS over the air, none twice; {len(doubtful)} uncertain; "
            f"{received.total()} received, each once; promises kept"
        )


@attrs.define(kw_only=True)
class PhoneTrial(KillTrial):
    """Clients on one side, and one phone on the other."""

    make: Callable[[Place], Phone]
    ledger: PhoneLedger = attrs.field(factory=PhoneLedger)
    settings: Mapping[str, object] = attrs.field(factory=lambda: SETTINGS)
    phone: Phone = attrs.field(init=False)

    async def run(self) -> None:
        await self.start(self.settings)
        await self.make_org()
        place = Place(
            url=self.url,
            org=ORG,
            secret=SECRET,
            folder=self.folder,
            seed=self.seed,
        )
        self.phone = self.make(place)
        chance = self.pauses()
        await self.phone.start()
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(CLIENTS):
                    group.create_task(self.load(number))
                group.create_task(self.receive())
                for number, victim in zip(
                    range(self.rounds), itertools.cycle(VICTIMS), strict=False
                ):
                    await asyncio.sleep(chance.uniform(0.3, self.seconds))
                    print(
                        f"round {number + 1:3d}: {victim:8} {await self.strike(victim)}", flush=True
                    )
                self.stopping = True
            await self.phone.rest()
            await self.settle(self.underway, STANDSTILL_S)
            facts = await self.stop()
        finally:
            await self.phone.close()
            self.gateway.kill()
        print("settled:", facts)
        print(self.ledger.compare(self.phone.on_air(), self.phone.arrived()))

    async def make_org(self) -> None:
        """Makes the org, with a message that no phone received."""
        message = {"address": "+15550009999", "body": FIRST, "id": "first"}
        content = {"org_id": ORG, "messages": [message]}
        answer = await self.persist(self.client(), "/webhook", content, {"X-Secret-Key": SECRET})
        if answer is None or answer[0] != 200:
            raise BrokenPromise(f"/webhook answered {answer}")

    async def strike(self, victim: str) -> str:
        """Kills one or both, and starts them again. Returns a line about the gateway's file."""
        line = ""
        if victim != "gateway":
            await self.phone.kill()
            self.ledger.phone_kills += 1
        if victim != "phone":
            line = await self.kill()
            await self.start(self.settings)
        if victim != "gateway":
            await self.phone.start()
        return line

    async def load(self, number: int) -> None:
        """Sends until the killing is over. An unanswered request is repeated."""
        client = self.client()
        for turn in itertools.count():
            if self.stopping:
                break
            await self.send(client, f"{number}-{turn}")
            await asyncio.sleep(PAUSE_S)
        client.close()

    async def send(self, client: http.Caller, key: str) -> None:
        text = f"text {key}"
        self.ledger.tried[text] += 1
        headers = {"X-Secret-Key": SECRET, "Idempotency-Key": key}
        content = {"messages": [{"to": "+15553334444", "body": text}]}
        answer: Any = await self.persist(client, f"/send/{ORG}", content, headers)
        if answer[0] != 200:
            raise BrokenPromise(f"/send answered {answer}")
        self.ledger.promised[answer[1]["results"][0]["id"]] = text

    async def receive(self) -> None:
        """Has SMS arrive at the phone until the killing is over."""
        chance = random.Random(f"{self.seed}/in")
        for number in itertools.count():
            if self.stopping:
                break
            await self.phone.receive(f"mail {number}")
            await asyncio.sleep(chance.uniform(0, 0.2))

    async def underway(self) -> list[str]:
        """What is not over yet: messages, and SMS that are not with the gateway."""
        await self.phone.keep_running()
        counts = (await asyncio.to_thread(self.gateway.status))["messages"]
        left = [status for status in ("queued", "sending") for _ in range(counts.get(status, 0))]
        missing = self.phone.arrived().total() + 1 - counts.get("received", 0)
        return [*left, *("not received" for _ in range(missing))]


def main() -> int:
    """Runs the trial of the phone that is asked for."""
    from trials.killed_phones import PHONES  # noqa: PLC0415 - they build on this module

    options = parser("phone_kills", __doc__, seconds=2.0)
    options.add_argument("--phone", choices=sorted(PHONES), default="simulate", help="(simulate)")
    chosen = options.parse_args()
    phone = PHONES[chosen.phone]
    del chosen.phone
    chosen.make = phone
    return hold(PhoneTrial, chosen)


if __name__ == "__main__":
    sys.exit(main())

"""Lets the carriers fail in every way and kills the gateway meanwhile: nothing is sent twice.

    python -m trials.carriers --rounds 20

Clients send through fake carriers under Idempotency-Keys, and messages come in. In each round
the carriers have a fault (first each by itself, then all by chance) and callbacks are repeated,
shuffled or lost; then the gateway is ended by SIGKILL and started again on the same file, now
with an address for callbacks and now without. After each kill the file is examined as it lies
there. In the end the carriers are well again, and once all has settled, what clients were
answered, what the gateway stored and what the carriers sent are compared. Exits 1 at the first
broken promise, and says which.

The gateway's waits for a carrier are shortened (`short_timeouts.py`), so that a round takes
seconds; `--as-shipped` leaves them as they are, and the end then takes some minutes.
"""

import asyncio
import contextlib
import itertools
import json
import random
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import attrs

from kit.fake_carrier import FakeCarrierProcess
from kit.fake_carrier.accounts import CarrierName
from kit.fake_carrier.faults import KINDS
from kit.ledger import BrokenPromise, stored_now
from kit.load import http
from trials.carrier_ledger import UNDERWAY, CarrierLedger, is_unaskable
from trials.carrier_requests import PEOPLE, SENDERS, Request, draw
from trials.kill_trial import KillTrial, hold, parser

ORG = "carriers"
SECRET = "carriers-secret-key-1"
CLIENTS = 16
CREDENTIALS: dict[CarrierName, tuple[str, ...]] = {
    "twilio": ("account_sid", "auth_token"),
    "telnyx": ("api_key", "public_key"),
}
DEADLINE_S = 1.5
"""What the gateway gives a carrier; the carriers' slowness is about that."""
PATIENCE_S = 6
"""How long a client asks what the gateway is still finding out, before it sends something else."""
MEETING_S = 45
"""Some request must meet each fault of a round within this time."""
STANDSTILL_S = 30
"""Once the carriers are well, some message must settle within this time of the one before."""
AS_SHIPPED_S = 1_200
SHORT_TIMEOUTS = (str(Path(__file__).with_name("short_timeouts.py")),)
CALM: tuple[dict[str, Any], ...] = (
    {},
    {"repeat": 1},
    {"shuffle": 3},
    {"delay_s": 0.2, "repeat": 1, "shuffle": 5},
    {"drop": True},
)
"""How callbacks may fare."""


def in_turn(rounds: int) -> list[tuple[str, ...]]:
    """Returns the kinds of fault of each round: each by itself, as far as rounds go, then all."""
    alone = min(len(KINDS), max(1, rounds * 2 // 3))
    dealt: list[tuple[str, ...]] = [KINDS[start::alone] for start in range(alone)]
    return dealt + [KINDS] * (rounds - alone)


@attrs.define(kw_only=True)
class Trial(KillTrial):
    """Clients of assistants at both carriers, and people who send to them."""

    ledger: CarrierLedger = attrs.field(factory=CarrierLedger)
    as_shipped: bool = False
    fake: FakeCarrierProcess = attrs.field(init=False)
    key: str = ""
    callback_paths: dict[str, str] = attrs.field(factory=dict)

    async def run(self) -> None:
        chance = self.pauses()
        if not self.as_shipped:
            self.program = SHORT_TIMEOUTS
        self.fake = FakeCarrierProcess()
        try:
            await asyncio.to_thread(self.fake.wait_until_ready)
            await self.restart(public=False)
            await self.found_org()
            async with asyncio.TaskGroup() as group:
                for number in range(CLIENTS):
                    group.create_task(self.load(number))
                group.create_task(self.people())
                for number, kinds in enumerate(in_turn(self.rounds)):
                    await self.trouble(kinds, chance)
                    await asyncio.sleep(chance.uniform(0.4, self.seconds))
                    await self.meet(kinds)
                    facts = await self.kill()
                    self.ledger.on_air_once(await self.on_air())
                    about = kinds[0] if len(kinds) == 1 else f"{len(kinds)} kinds"
                    print(f"round {number + 1:3d}, {about:>12}: {facts}", flush=True)
                    await self.restart(public=chance.random() < 0.5)
                await self.control("clear_faults")
                await self.control("fair_weather")
                self.stopping = True
            await self.settle(self.left, STANDSTILL_S if not self.as_shipped else AS_SHIPPED_S)
            await self.ask_again()
            await self.conclude(await self.stop())
        finally:
            self.keep_evidence()
            self.fake.kill()
            self.gateway.kill()

    def keep_evidence(self) -> None:
        """Writes down what only the processes know."""
        with contextlib.suppress(OSError):
            ledger = json.dumps(self.fake.ledger(), indent=1)
            (self.folder / "ledger.json").write_text(ledger)
        (self.folder / "gateway.log").write_text("\n".join(self.gateway.log))

    async def restart(self, *, public: bool) -> None:
        await self.start(
            {
                "CARRIERS_TWILIO_URL": self.fake.url,
                "CARRIERS_TELNYX_URL": self.fake.url,
                "CARRIERS_DEADLINE_S": DEADLINE_S,
                "HTTP_PUBLIC_URL": self.url if public else "",
            }
        )

    async def found_org(self) -> None:
        """Makes the org, its key, and an assistant at each carrier."""
        accounts = await asyncio.to_thread(self.fake.accounts)
        client, secret = self.client(), {"X-Secret-Key": SECRET}

        async def post(path: str, content: Any, headers: dict[str, str]) -> Any:
            status, answer = await self.persist(client, path, content, headers) or (0, None)
            if status not in {200, 201}:
                raise BrokenPromise(f"{path}: {status} {answer}")
            return answer

        message = {"address": "+15550009999", "body": "first", "date": 1, "id": "first"}
        await post("/webhook", {"org_id": ORG, "messages": [message]}, secret)
        self.key = (await post(f"/keys/{ORG}", {"name": "trial"}, secret))["key"]
        for carrier, names in CREDENTIALS.items():
            assistant = {
                "name": carrier,
                "provider": carrier,
                "phone_numbers": SENDERS[carrier],
                "credentials": {name: accounts[carrier][name] for name in names},
            }
            await post("/assistants", assistant, {"Authorization": f"Bearer {self.key}"})
        client.close()
        with sqlite3.connect(f"{self.database.as_uri()}?mode=ro", uri=True) as connection:
            for row in connection.execute("SELECT provider, id, token FROM assistants"):
                self.callback_paths[row[0]] = f"/callbacks/{row[0]}/{row[1]}/{row[2]}"
        connection.close()

    async def control(self, do: str, **order: Any) -> dict[str, Any]:
        return await asyncio.to_thread(lambda: self.fake.control(do, **order))

    async def on_air(self) -> dict[str, Any]:
        """Returns the carriers' own ledger."""
        return await asyncio.to_thread(self.fake.ledger)

    async def trouble(self, kinds: tuple[str, ...], chance: random.Random) -> None:
        """Sets the faults and the weather of a round."""
        await self.control("clear_faults")
        # Each at least once at each carrier, whatever chance brings.
        certain = [
            {"kind": kind, "carrier": carrier, "delay_s": DEADLINE_S * 1.6}
            for kind in kinds
            for carrier in SENDERS
        ]
        await self.control("fault", faults=certain)
        for on, rate in (("send", 0.4), ("read", 0.2)):
            await self.control(
                "chance",
                seed=chance.randrange(1_000_000),
                rate=rate,
                kinds=kinds,
                on=on,
                delay_s=chance.uniform(DEADLINE_S / 2, DEADLINE_S * 1.5),
                retry_after_s=1,
            )
        await self.control("fair_weather")
        await self.control("weather", **chance.choice(CALM))
        await self.control(
            "settings",
            unsent_match_dates=chance.random() < 0.5,
            listing_delay_s=chance.choice([0, 0.5]),
        )

    async def meet(self, kinds: tuple[str, ...]) -> None:
        """Waits until each of these faults has happened to some request."""
        end = time.monotonic() + MEETING_S
        while missing := set(kinds) - faults_met(await self.on_air()):
            if time.monotonic() > end:
                raise BrokenPromise(f"no request met {missing}: is nothing sent any more?")
            await asyncio.sleep(0.2)

    async def load(self, number: int) -> None:
        """Sends until the killing is over. A request without a final answer is repeated."""
        chance = random.Random(f"{self.seed}/{number}")
        client = self.client()
        for turn in itertools.count():
            if self.stopping:
                break
            request = draw(f"{number}-{turn}", chance)
            self.ledger.begin(request)
            answer = await self.send(client, request)
            if answer is None:
                continue
            self.ledger.answers[request.key] = answer
            if chance.random() < 0.2:
                self.ledger.replayed(request.key, await self.send(client, request) or answer)
            await asyncio.sleep(chance.uniform(0, 0.1))
        client.close()

    async def send(self, client: http.Caller, request: Request) -> tuple[int, Any] | None:
        """Asks until there is an answer that stays.

        None when the gateway takes long to find out, or the killing is over.
        """
        headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": request.key}
        patient = time.monotonic() + PATIENCE_S
        answer = await self.persist(
            client,
            "/sms/send",
            request.content,
            headers,
            lambda: self.stopping or time.monotonic() > patient,
        )
        failed = f"Failed to send SMS via {request.carrier}"
        if (
            answer is None
            or answer[0] == 200
            or (answer[0] == 500 and answer[1]["detail"] == failed)
        ):
            return answer
        raise BrokenPromise(f"{request.key} was answered {answer}")

    async def people(self) -> None:
        """Sends messages to the assistants, and notes those that the gateway said it has."""
        chance = random.Random(f"{self.seed}/people")
        for turn in itertools.count():
            if self.stopping:
                break
            carrier: CarrierName = chance.choice(("twilio", "telnyx"))
            body = f"inbound {turn}"
            answer = await self.control(
                "receive",
                carrier=carrier,
                sender=chance.choice(PEOPLE),
                recipient=chance.choice(SENDERS[carrier]),
                text=body,
                url=self.url + self.callback_paths[carrier],
            )
            statuses = [call["status"] for call in answer["callbacks"]]
            if strange := [s for s in statuses if s not in {None, 200, 503}]:
                raise BrokenPromise(f"a callback was answered {strange}")
            if 200 in statuses:
                self.ledger.received.add(body)
            await asyncio.sleep(chance.uniform(0, 0.2))

    async def left(self) -> list[str]:
        """Returns what the gateway is still to do until it has all as the carriers have it."""
        rows = await asyncio.to_thread(stored_now, self.database)
        waiting = [i for i, r in rows.items() if r["status"] in UNDERWAY and not is_unaskable(r)]
        if waiting:
            return [f"message {i} is {rows[i]['status']} ({rows[i]['error']})" for i in waiting]
        ledger = await self.on_air()
        rows = await asyncio.to_thread(stored_now, self.database)
        return self.ledger.differences(rows, ledger)

    async def ask_again(self) -> None:
        """Repeats every send: its answer is the first, or the truth that was unknown then."""
        rows, client = stored_now(self.database).values(), self.client()
        for request in self.ledger.requests.values():
            again = await self.send(client, request)
            if again is None:
                if not any(is_unaskable(row) and row["body"] == request.body for row in rows):
                    raise BrokenPromise(f"{request.key} has no answer in the end")
                continue
            self.ledger.replayed(request.key, again)
            self.ledger.answers[request.key] = again
        client.close()

    async def conclude(self, facts: str) -> None:
        """Compares everything with everything for the last time."""
        rows, ledger = stored_now(self.database), await self.on_air()
        self.ledger.on_air_once(ledger)
        if left := self.ledger.differences(rows, ledger):
            raise BrokenPromise("after the stop:\n    " + "\n    ".join(left))
        self.ledger.answers_were_true(rows)
        met = faults_met(ledger)
        print(f"settled: {facts}")
        print(
            f"{self.ledger.kills} kills, {len(met)} of {len(KINDS)} kinds of fault met, "
            f"{len(ledger['accepted'])} SMS on the air, none twice, none astray; "
            f"{len(self.ledger.received)} received, none lost; promises kept"
        )


def faults_met(ledger: dict[str, Any]) -> set[str]:
    """Returns the kinds of fault that requests have met."""
    return {seen["fault"] for seen in ledger["requests"]} - {None}


if __name__ == "__main__":
    options = parser("carriers", __doc__, seconds=4.0)
    options.add_argument("--as-shipped", action="store_true", help="keep the gateway's own waits")
    sys.exit(hold(Trial, options.parse_args()))

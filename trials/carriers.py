"""Lets the carriers fail in every way and kills the gateway meanwhile: nothing is sent twice.

    python -m trials.carriers --rounds 20

Clients send through fake carriers under Idempotency-Keys, and messages come in. In each round
the carriers have a fault (first each by itself, then all by chance) and callbacks are repeated,
shuffled or lost; then the gateway is ended by SIGKILL and started again on the same file, now
with an address for callbacks and now without. After each kill the file is examined as it lies
there. In the end the carriers are well again, and once all has settled the books of clients,
gateway and carriers are compared. Exits 1 at the first broken promise, and says which.

The gateway's waits for a carrier are shortened (`short_timeouts.py`), so that a round takes
seconds; `--as-shipped` leaves them as they are, and the end then takes some minutes.
"""

import argparse
import contextlib
import itertools
import json
import random
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Any

import attrs
import httpx
import trio

from kit.fake_carrier import FakeCarrierProcess
from kit.fake_carrier.accounts import CarrierName
from kit.fake_carrier.faults import KINDS
from kit.gateway import GatewayProcess
from trials.carrier_ledger import UNDERWAY, Books, is_unaskable, stored_now
from trials.carrier_requests import PEOPLE, SENDERS, Order, draw
from trials.promises import BrokenPromise, hold

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
AS_SHIPPED_STANDSTILL_S = 1_200
AS_SHIPPED = ("-m", "phonegate")
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
    """The kinds of fault of each round: each by itself, as far as rounds go, then all."""
    alone = min(len(KINDS), max(1, rounds * 2 // 3))
    dealt: list[tuple[str, ...]] = [KINDS[start::alone] for start in range(alone)]
    return dealt + [KINDS] * (rounds - alone)


@attrs.define(kw_only=True)
class Trial:
    """One run: the file, the processes, the books."""

    folder: Path
    seed: int
    rounds: int
    seconds: float
    as_shipped: bool = False
    books: Books = attrs.field(factory=Books)
    fake: FakeCarrierProcess = attrs.field(init=False)
    gateway: GatewayProcess = attrs.field(init=False)
    port: int = 0
    key: str = ""
    callback_paths: dict[str, str] = attrs.field(factory=dict)
    stopping: bool = False

    @property
    def database(self) -> Path:
        return self.folder / "phonegate.db"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def run(self) -> None:
        chance = random.Random(self.seed)
        self.fake = FakeCarrierProcess()
        try:
            await trio.to_thread.run_sync(self.fake.wait_until_ready)
            await self.start(public=False)
            await self.found_org()
            async with trio.open_nursery() as nursery:
                for number in range(CLIENTS):
                    nursery.start_soon(self.client, number)
                nursery.start_soon(self.world)
                for number, kinds in enumerate(in_turn(self.rounds)):
                    await self.trouble(kinds, chance)
                    await trio.sleep(chance.uniform(0.4, self.seconds))
                    await self.meet(kinds)
                    await trio.to_thread.run_sync(self.gateway.kill)
                    self.books.kills += 1
                    facts = await trio.to_thread.run_sync(self.books.examine, self.database)
                    self.books.on_air_once(await self.ledger())
                    about = kinds[0] if len(kinds) == 1 else f"{len(kinds)} kinds"
                    print(f"round {number + 1:3d}, {about:>12}: {facts}", flush=True)
                    await self.start(public=chance.random() < 0.5)
                await self.control("clear_faults")
                await self.control("fair_weather")
                self.stopping = True
            await self.settle()
            await self.ask_again()
            code = await trio.to_thread.run_sync(self.gateway.stop)
            if code != 0:
                raise BrokenPromise(f"SIGTERM gave exit code {code}")
            await self.conclude()
        finally:
            self.keep_evidence()
            self.fake.kill()
            if self.gateway.process.poll() is None:
                self.gateway.kill()

    def keep_evidence(self) -> None:
        """Writes down what only the processes know."""
        with contextlib.suppress(OSError):
            ledger = json.dumps(self.fake.ledger(), indent=1)
            (self.folder / "ledger.json").write_text(ledger)
        (self.folder / "gateway.log").write_text("\n".join(self.gateway.log))

    async def start(self, *, public: bool) -> None:
        settings = {
            "CARRIERS_TWILIO_URL": self.fake.url,
            "CARRIERS_TELNYX_URL": self.fake.url,
            "CARRIERS_DEADLINE_S": DEADLINE_S,
            "HTTP_PUBLIC_URL": self.url if public else "",
        }
        self.gateway = await trio.to_thread.run_sync(
            lambda: GatewayProcess(
                self.database,
                port=self.port,
                settings=settings,
                program=AS_SHIPPED if self.as_shipped else SHORT_TIMEOUTS,
            )
        )
        await trio.to_thread.run_sync(self.gateway.wait_until_ready)
        self.port = self.gateway.port

    async def found_org(self) -> None:
        """Makes the org, its key, and an assistant at each carrier."""
        accounts = await trio.to_thread.run_sync(self.fake.accounts)
        message = {"address": "+15550009999", "body": "first", "date": 1, "id": "first"}
        content = {"org_id": ORG, "secret_key": SECRET, "messages": [message]}
        async with httpx.AsyncClient(base_url=self.url, timeout=30) as http:
            (await http.post("/webhook", json=content)).raise_for_status()
            secret = {"X-Secret-Key": SECRET}
            made = await http.post(f"/keys/{ORG}", json={"name": "trial"}, headers=secret)
            self.key = made.raise_for_status().json()["key"]
            for carrier, names in CREDENTIALS.items():
                assistant = {
                    "name": carrier,
                    "provider": carrier,
                    "phone_numbers": SENDERS[carrier],
                    "credentials": {name: accounts[carrier][name] for name in names},
                }
                bearer = {"Authorization": f"Bearer {self.key}"}
                made = await http.post("/assistants", json=assistant, headers=bearer)
                made.raise_for_status()
        with sqlite3.connect(f"{self.database.as_uri()}?mode=ro", uri=True) as connection:
            for row in connection.execute("SELECT provider, id, token FROM assistants"):
                self.callback_paths[row[0]] = f"/callbacks/{row[0]}/{row[1]}/{row[2]}"
        connection.close()

    async def control(self, do: str, **order: Any) -> dict[str, Any]:
        return await trio.to_thread.run_sync(lambda: self.fake.control(do, **order))

    async def ledger(self) -> dict[str, Any]:
        return await trio.to_thread.run_sync(self.fake.ledger)

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
        end = trio.current_time() + MEETING_S
        while missing := set(kinds) - faults_met(await self.ledger()):
            if trio.current_time() > end:
                raise BrokenPromise(f"no request met {missing}: is nothing sent any more?")
            await trio.sleep(0.2)

    async def client(self, number: int) -> None:
        """Sends until told to stop; what is not answered for good is asked again."""
        chance = random.Random(f"{self.seed}/{number}")
        async with httpx.AsyncClient(timeout=15) as http:
            for turn in itertools.count():
                if self.stopping:
                    break
                order = draw(f"{number}-{turn}", chance)
                self.books.orders[order.key] = order
                answer = await self.persist(http, order)
                if answer is None:
                    continue
                self.books.answers[order.key] = answer
                if chance.random() < 0.2:
                    self.books.replayed(order.key, await self.persist(http, order) or answer)
                await trio.sleep(chance.uniform(0, 0.1))

    async def persist(self, http: httpx.AsyncClient, order: Order) -> tuple[int, Any] | None:
        """Asks until there is an answer that stays, whatever happens to the gateway meanwhile.

        None when the gateway takes long to find out, or the killing is over.
        """
        content: dict[str, Any] = {
            "from_phone_number": order.sender,
            "to_phone_number": order.recipient,
            "message": order.body,
        }
        if order.media:
            content["media_urls"] = order.media
        if order.ttl_s is not None:
            content["ttl"] = order.ttl_s
        if order.send_at is not None:
            content["send_at"] = order.send_at
        headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": order.key}
        patient = trio.current_time() + PATIENCE_S
        while True:
            try:
                answer = await http.post(f"{self.url}/sms/send", json=content, headers=headers)
            except httpx.TransportError:
                await trio.sleep(0.05)
                continue
            if answer.status_code == 409 and (self.stopping or trio.current_time() > patient):
                return None
            if answer.status_code in {409, 429, 503}:
                await trio.sleep(0.1)
                continue
            if answer.status_code not in {200, 500}:
                raise BrokenPromise(f"{order.key} was answered {answer.status_code}: {answer.text}")
            told = answer.json()
            failed = f"Failed to send SMS via {order.carrier}"
            if answer.status_code == 500 and told["detail"] != failed:
                raise BrokenPromise(f"{order.key} was answered 500: {answer.text}")
            return answer.status_code, told

    async def world(self) -> None:
        """Sends messages to the assistants, and notes those that the gateway said it has."""
        chance = random.Random(f"{self.seed}/world")
        for turn in itertools.count():
            if self.stopping:
                break
            carrier: CarrierName = chance.choice(("twilio", "telnyx"))
            body = f"inbound {turn}"
            told = await self.control(
                "receive",
                carrier=carrier,
                sender=chance.choice(PEOPLE),
                recipient=chance.choice(SENDERS[carrier]),
                text=body,
                url=self.url + self.callback_paths[carrier],
            )
            statuses = [call["status"] for call in told["callbacks"]]
            if strange := [s for s in statuses if s not in {None, 200, 503}]:
                raise BrokenPromise(f"a callback was answered {strange}")
            if 200 in statuses:
                self.books.received.add(body)
            await trio.sleep(chance.uniform(0, 0.2))

    async def settle(self) -> None:
        """Waits until the gateway's book equals the carriers'."""
        patience = AS_SHIPPED_STANDSTILL_S if self.as_shipped else STANDSTILL_S
        fewest, since = sys.maxsize, trio.current_time()
        while True:
            rows = await trio.to_thread.run_sync(stored_now, self.database)
            waiting = [
                i for i, r in rows.items() if r["status"] in UNDERWAY and not is_unaskable(r)
            ]
            left = [f"message {i} is underway" for i in waiting]
            if not left:
                ledger = await self.ledger()
                rows = await trio.to_thread.run_sync(stored_now, self.database)
                left = self.books.settle(rows, ledger)
            if not left:
                return
            if len(left) < fewest:
                fewest, since = len(left), trio.current_time()
            elif trio.current_time() > since + patience:
                told = self.books.settle(rows, await self.ledger())
                raise BrokenPromise(f"no progress for {patience} s:\n    " + "\n    ".join(told))
            await trio.sleep(0.3)

    async def ask_again(self) -> None:
        """Repeats every send: its answer is the first, or the truth that nobody knew then."""
        rows = stored_now(self.database).values()
        async with httpx.AsyncClient(timeout=15) as http:
            for order in self.books.orders.values():
                again = await self.persist(http, order)
                if again is None:
                    if not any(is_unaskable(row) and row["body"] == order.body for row in rows):
                        raise BrokenPromise(f"{order.key} has no answer in the end")
                    continue
                self.books.replayed(order.key, again)
                self.books.answers[order.key] = again

    async def conclude(self) -> None:
        """The last comparison, of everything with everything."""
        facts = await trio.to_thread.run_sync(self.books.examine, self.database)
        rows, ledger = stored_now(self.database), await self.ledger()
        self.books.on_air_once(ledger)
        if left := self.books.settle(rows, ledger):
            raise BrokenPromise("after the stop:\n    " + "\n    ".join(left))
        self.books.answers_were_true(rows)
        met = faults_met(ledger)
        print(f"settled: {facts}")
        print(
            f"{self.books.kills} kills, {len(met)} of {len(KINDS)} kinds of fault met, "
            f"{len(ledger['accepted'])} SMS on the air, none twice, none astray; "
            f"{len(self.books.received)} received, none lost; promises kept"
        )


def faults_met(ledger: dict[str, Any]) -> set[str]:
    """The kinds of fault that requests have met."""
    return {seen["fault"] for seen in ledger["requests"]} - {None}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m trials.carriers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="how often to kill (20)")
    parser.add_argument("--seconds", type=float, default=4.0, help="longest round, in s (4)")
    parser.add_argument("--seed", type=int, default=1, help="seed of all chance (1)")
    parser.add_argument("--as-shipped", action="store_true", help="keep the gateway's own waits")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="phonegate-carriers-"))
    trial = Trial(
        folder=folder,
        seed=chosen.seed,
        rounds=chosen.rounds,
        seconds=chosen.seconds,
        as_shipped=chosen.as_shipped,
    )
    return hold(trial.run, folder)


if __name__ == "__main__":
    sys.exit(main())

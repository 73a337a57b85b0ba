"""Kills the gateway in the midst of load whose events go to receivers that fail at random.

    python -m trials.webhooks --rounds 20

Clients of several orgs send and push, simulated phones report what became of it, and each org has
webhooks at a receiver made of Flask and the `standardwebhooks` package. It fails, redirects, hangs,
drops connections or asks for a pause at random. Every few moments the gateway is ended by SIGKILL
and started again on the same file. At the end, when all is delivered, what the receiver took is
compared with the record of events: each event of each org at least once, under one id, in order
within its message, and none of another org. Some messages are sent by Twilio's API with a status
callback of their own, which `twilio`'s validator checks; of these the same is promised.
Exits 1 at the first broken promise, and says which.
"""

import asyncio
import base64
import contextlib
import hashlib
import logging
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import attrs
from flask import Flask, Response, request
from standardwebhooks import Webhook as Verifier
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]
from werkzeug.serving import make_server

from kit.ledger import INBOUND, BrokenPromise, Ledger
from kit.load import http
from kit.program import ROOT, child_environment
from trials.kill_trial import KillTrial, hold, parser

ORGS = ("alpha", "beta", "gamma")
HOOKS = 2
"""Of each org."""
CALLBACKS = HOOKS
"""Stands for what the callbacks of an org's messages took, in the place of one of its webhooks."""
PHONES = 2
CLIENTS = 2
PAUSE_S = 0.02
"""Of a client between two requests."""
STANDSTILL_S = 60
HANG_S = 3.0
"""Longer than the gateway of this trial waits for an answer."""

SETTINGS = {
    "PACING_SEGMENTS_PER_MINUTE": 0,
    "DELIVERY_LATE_RESULT_GRACE_S": 0.2,
    "DELIVERY_RESULT_TIMEOUT_S": 20,
    "WEBHOOKS_ALLOW": "127.0.0.0/8",
}

Key = tuple[str, int]
"""An org and which of its webhooks."""


@attrs.define
class Receiver:
    """What was received, and how it was answered."""

    seed: int
    secrets: dict[Key, str] = attrs.field(factory=dict)
    taken: dict[Key, set[int]] = attrs.field(factory=lambda: defaultdict(set))
    """The events that were answered with 2xx."""
    bodies: dict[tuple[Key, str], str] = attrs.field(factory=dict)
    """A digest of the body, by webhook and webhook-id."""
    latest: dict[tuple[Key, int | str], int] = attrs.field(factory=dict)
    """The last event that came, by webhook and message."""
    named: dict[str, str] = attrs.field(factory=dict)
    """The URL at which the callbacks of each message came."""
    problems: list[str] = attrs.field(factory=list)
    calls: int = 0
    failed: int = 0
    port: int = 0
    _lock: threading.Lock = attrs.field(factory=threading.Lock)

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """Serves in threads until the end of the block."""
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        app = Flask(__name__)
        app.add_url_rule("/<org>/<int:hook>", "hook", self.receive, methods=["POST"])
        app.add_url_rule("/callback/<org>", "callback", self.hear, methods=["POST"])
        server = make_server("127.0.0.1", 0, app, threaded=True)
        self.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()

    def receive(self, org: str, hook: int) -> Response:
        """Answers one call."""
        key, body = (org, hook), request.get_data()
        call_id = request.headers["webhook-id"]
        try:
            event = Verifier(self.secrets[key]).verify(body, dict(request.headers))
        except Exception as error:  # noqa: BLE001 - whatever a receiver finds wrong with it
            self.problems.append(f"{key}: a call is not signed rightly: {error}")
            return Response(status=400)
        with self._lock:
            self.calls += 1
            self._check(key, call_id, body, event)
            # The chance of an answer depends on nothing but the seed and how many came before.
            luck = random.Random(f"{self.seed}/{self.calls}").random()
        return self._answer(key, event["id"], luck)

    def hear(self, org: str) -> Response:
        """Answers one status callback."""
        key, fields = (org, CALLBACKS), request.form.to_dict()
        given = request.headers.get("X-Twilio-Signature", "")
        if not RequestValidator(secret(org)).validate(request.url, fields, given):
            self.problems.append(f"{key}: a callback is not signed rightly")
            return Response(status=400)
        event, message = int(request.headers["I-Twilio-Idempotency-Token"]), fields["MessageSid"]
        with self._lock:
            self.calls += 1
            if self.named.setdefault(message, request.url) != request.url:
                self.problems.append(f"{key}: {message} came to the callback of another message")
            before = self.latest.get((key, message), 0)
            if event < before:
                self.problems.append(f"{key}: event {event} came after {before} of its message")
            self.latest[key, message] = event
            luck = random.Random(f"{self.seed}/{self.calls}").random()
        return self._answer(key, event, luck)

    def _check(self, key: Key, call_id: str, body: bytes, event: dict[str, Any]) -> None:
        if call_id != str(event["id"]):
            self.problems.append(f"{key}: event {event['id']} came as {call_id}")
        digest = hashlib.sha256(body).hexdigest()
        if self.bodies.setdefault((key, call_id), digest) != digest:
            self.problems.append(f"{key}: two bodies under the id {call_id}")
        message = event["data"].get("message")
        if message is None:
            return
        if key[0] not in message["body"]:
            self.problems.append(f"{key}: event {call_id} is of another org")
        before = self.latest.get((key, message["id"]), 0)
        if event["id"] < before:
            self.problems.append(f"{key}: event {call_id} came after {before} of its message")
        self.latest[key, message["id"]] = event["id"]

    def _answer(self, key: Key, event: int, luck: float) -> Response:
        if luck >= 0.1:
            with self._lock:
                self.taken[key].add(event)
            return Response(status=204)
        self.failed += 1
        match int(luck * 100):
            case 0:
                time.sleep(HANG_S)
                return Response(status=200)
            case 1:
                return Response(status=302, headers={"Location": "http://127.0.0.1:9/"})
            case 2:
                return Response(status=429, headers={"Retry-After": "0"})
            case 3:
                return Response(_breaking(), status=500)
            case _:
                return Response("no", status=500)


def _breaking() -> Iterator[bytes]:
    yield b"x"
    raise ConnectionError


@attrs.define(kw_only=True)
class Trial(KillTrial):
    """Clients, fleets of simulated phones, and one receiver."""

    program: tuple[str, ...] = (str(ROOT / "trials" / "short_timeouts.py"),)
    ledger: Ledger = attrs.field(factory=Ledger)
    receiver: Receiver = attrs.field(init=False)

    async def run(self) -> None:
        self.receiver = Receiver(self.seed)
        with self.receiver.serving():
            await self.start(SETTINGS)
            chance = self.pauses()
            for org in ORGS:
                await self.push(self.client(), org, "first")  # makes the org
                for hook in range(HOOKS):
                    await self.add_webhook(org, hook)
            fleets = [self.start_fleet(org) for org in ORGS]
            try:
                async with asyncio.TaskGroup() as group:
                    for number in range(CLIENTS):
                        for org in ORGS:
                            group.create_task(self.load(org, number))
                    for number in range(self.rounds):
                        await asyncio.sleep(chance.uniform(0.5, self.seconds))
                        facts = await self.kill()
                        print(f"round {number + 1:3d}: {facts}, {self.standing()}", flush=True)
                        self.complain()
                        await self.start(SETTINGS)
                    self.stopping = True
                await self.settle(self.left, STANDSTILL_S)
                print("settled:", await self.stop())
            finally:
                self.gateway.kill()
                for fleet in fleets:
                    fleet.send_signal(signal.SIGTERM)
                for fleet in fleets:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        fleet.wait(20)
                    fleet.kill()
            self.complain()
            print(self.compare())

    async def add_webhook(self, org: str, hook: int) -> None:
        content = {
            "url": f"http://127.0.0.1:{self.receiver.port}/{org}/{hook}",
            "events": ["message.*"],
        }
        answer = await self.persist(self.client(), f"/webhooks/{org}", content, headers(org))
        assert answer is not None
        if answer[0] != 201:
            raise BrokenPromise(f"/webhooks/{org} answered {answer}")
        self.receiver.secrets[org, hook] = answer[1]["secret"]

    def start_fleet(self, org: str) -> "subprocess.Popen[bytes]":
        command = [
            *(sys.executable, "-m", "phonegate", "phone", "--simulate"),
            *("--url", self.url, "--org", org),
            *("--phones", str(PHONES), "--seed", str(self.seed)),
            *("--lose-links", "0.002", "--fail", "0.05", "--delay", "0-5"),
            *("--reconnect", "0.05-0.3", "--delivery-reports"),
        ]
        with (self.folder / f"fleet-{org}.log").open("wb") as log:
            return subprocess.Popen(
                command, stdout=log, stderr=log, env=child_environment(PHONEGATE_SECRET=secret(org))
            )

    async def load(self, org: str, number: int) -> None:
        """Sends and pushes until the killing is over. An unanswered request is repeated."""
        chance = random.Random(f"{self.seed}/{org}/{number}")
        client, turn = self.client(), 0
        while not self.stopping:
            turn += 1
            key = f"{number}-{turn}"
            if chance.random() < 0.3:
                await self.push(client, org, key)
            else:
                await self.send(client, org, key)
            await asyncio.sleep(PAUSE_S)
        client.close()

    async def send(self, client: http.Caller, org: str, key: str) -> None:
        body = f"{org} {key}"
        self.ledger.tried[body] += 1
        if random.Random(f"{self.seed}/{body}").random() < 0.3:
            await self.send_as_twilio(client, org, key)
            return
        content = {"messages": [{"to": "+15553334444", "body": body}]}
        answer = await self.persist(
            client, f"/send/{org}", content, {**headers(org), "Idempotency-Key": key}
        )
        if answer is None or answer[0] != 200:
            raise BrokenPromise(f"/send/{org} answered {answer}")

    async def send_as_twilio(self, client: http.Caller, org: str, key: str) -> None:
        """Sends a message with a callback of its own."""
        content = {
            "To": "+15553334444",
            "MessagingServiceSid": "MG" + 32 * "0",
            "Body": f"{org} {key}",
            "StatusCallback": f"http://127.0.0.1:{self.receiver.port}/callback/{org}?key={key}",
        }
        path = f"/2010-04-01/Accounts/{org}/Messages.json"
        login = base64.b64encode(f"{org}:{secret(org)}".encode()).decode()
        credentials = {"Authorization": f"Basic {login}", "Idempotency-Key": f"t-{key}"}
        answer = await self.persist(client, path, content, credentials)
        if answer is None or answer[0] != 201:
            raise BrokenPromise(f"{path} answered {answer}")

    async def push(self, client: http.Caller, org: str, key: str) -> None:
        body = f"{INBOUND}{org} {key}"
        message = {"address": "+15550009999", "body": body, "date": 1_700_000_000_000, "id": key}
        answer = await self.persist(
            client, "/webhook", {"org_id": org, "messages": [message]}, headers(org)
        )
        if answer is None or answer[0] != 200:
            raise BrokenPromise(f"/webhook answered {answer}")
        self.ledger.received.add(body)

    async def left(self) -> list[str]:
        """Returns what is still under way: messages, and events that no receiver has."""
        counts = (await asyncio.to_thread(self.gateway.status))["messages"]
        found = [one for one in ("queued", "sending") for _ in range(counts.get(one, 0))]
        events = await asyncio.to_thread(self.recorded)
        for key, wanted in events.items():
            found += [f"{key}: event {one}" for one in wanted - self.receiver.taken[key]]
        return found

    def recorded(self) -> dict[Key, set[int]]:
        """Returns the ids of the events of messages that each webhook is to get."""
        connection = sqlite3.connect(f"{self.database.as_uri()}?mode=ro", uri=True)
        try:
            rows = connection.execute(
                "SELECT orgs.name, events.id, messages.status_callback IS NOT NULL"
                " AND events.type NOT IN ('message.held', 'message.uncertain', 'message.sending')"
                " FROM events"
                " JOIN orgs ON orgs.id = events.org JOIN messages ON messages.id = events.message"
            ).fetchall()
        finally:
            connection.close()
        found: dict[Key, set[int]] = {
            (org, hook): set() for org in ORGS for hook in (*range(HOOKS), CALLBACKS)
        }
        for org, event, has_callback in rows:
            for hook in (*range(HOOKS), *([CALLBACKS] if has_callback else [])):
                found[org, hook].add(event)
        return found

    def standing(self) -> str:
        receiver = self.receiver
        taken = sum(len(one) for one in receiver.taken.values())
        return f"{receiver.calls} calls, {receiver.failed} failed, {taken} events taken"

    def complain(self) -> None:
        if self.receiver.problems:
            raise BrokenPromise("\n    ".join(self.receiver.problems[:20]))

    def compare(self) -> str:
        recorded = self.recorded()
        for (org, hook), wanted in recorded.items():
            taken = self.receiver.taken[org, hook]
            if missing := wanted - taken:
                raise BrokenPromise(f"never delivered to {org}/{hook}: {sorted(missing)}")
            if foreign := taken - wanted:
                raise BrokenPromise(f"delivered to {org}/{hook} and not its own: {sorted(foreign)}")
        events = sum(len(recorded[org, 0]) for org in ORGS)
        callbacks = sum(len(recorded[org, CALLBACKS]) for org in ORGS)
        return (
            f"{self.ledger.kills} kills, {events} events of {len(ORGS)} orgs to {HOOKS} webhooks "
            f"each and {callbacks} to callbacks: {self.standing()}; each arrived, under one id and "
            "in order; promises kept"
        )


def secret(org: str) -> str:
    # As long as one must be that signs.
    return f"{org}-secret-key-of-this-trial-1234567890"


def headers(org: str) -> dict[str, str]:
    return {"X-Secret-Key": secret(org)}


if __name__ == "__main__":
    sys.exit(hold(Trial, parser("webhooks", __doc__, seconds=3.0).parse_args()))

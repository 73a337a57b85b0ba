"""The baseline keeps the contract that is measured: it answers the documented examples."""

import asyncio
import json
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import uvloop

from bench import flush, servers
from bench.servers import Server, Side
from kit.load import http, phones
from kit.load.org import Org

PHONEGATE = servers.phonegate()
BASELINE = servers.baseline()

ORG, SECRET, SIM = "myorg", "my-secret-key-123", "+15551112222"
DEADLINE_S = 20.0
SHOWN = ("direction", "address", "body", "status")
"""The fields of a message that the documents show, but for its id and time."""


class Script:
    """The documented examples, played to one side in their order."""

    def __init__(self, server: Server) -> None:
        self.port = server.port
        self.pushes: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def ask(
        self, method: str, target: str, content: Any = None, *, secret: str | None = SECRET
    ) -> tuple[int, Any]:
        headers = {} if secret is None else {"X-Secret-Key": secret}
        body = None if content is None else json.dumps(content).encode()
        request = http.encode(method, target, body, headers=headers)
        status, answer = await http.ask(self.port, request)
        return status, json.loads(answer)

    async def phone(self) -> phones.PhoneWire:
        return await phones.connect(
            self.port,
            org=ORG,
            secret=SECRET,
            device="basic",
            number=SIM,
            on_push=lambda _, push: self.pushes.put_nowait(push),
        )

    async def pushed(self, count: int) -> list[dict[str, Any]]:
        async with asyncio.timeout(DEADLINE_S):
            return [await self.pushes.get() for _ in range(count)]

    async def all_sent(self) -> list[tuple[Any, ...]]:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                _, page = await self.ask("GET", f"/messages/{ORG}?direction=out")
                if all(message["status"] == "sent" for message in page["messages"]):
                    return shown(page)
                await asyncio.sleep(0.01)

    async def live(self) -> tuple[int, Any]:
        """The SIMs, once the phone's report of them is in: the push may have come before."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                status, answer = await self.ask("GET", f"/sims/{ORG}")
                if answer["live_sims"]:
                    return status, answer
                await asyncio.sleep(0.01)

    async def received(self, count: int) -> list[tuple[Any, ...]]:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                _, page = await self.ask("GET", f"/messages/{ORG}?direction=in")
                if page["count"] == count:
                    return shown(page)
                await asyncio.sleep(0.01)

    async def play(self) -> dict[str, Any]:
        told: dict[str, Any] = {}
        received = {
            "org_id": ORG,
            "secret_key": SECRET,
            "messages": [
                {
                    "address": SIM,
                    "body": "hello",
                    "date": 1700000000000,
                    "sim_slot": 0,
                    "id": "123",
                }
            ],
        }
        told["webhook"] = await self.ask("POST", "/webhook", received, secret=None)
        for name, target in (
            ("path", f"/messages/{ORG}/{SECRET}"),
            ("header", f"/messages/{ORG}"),
            ("filters", f"/messages/{ORG}?limit=100&since_id=0&direction=in&sim=+15551112222"),
        ):
            status, page = await self.ask("GET", target, secret=None if name == "path" else SECRET)
            told[name] = status, page["org_id"], page["count"], shown(page)
        told["wrong secret"] = (await self.ask("GET", f"/messages/{ORG}", secret="wrong-secret"))[0]
        single = {"secret_key": SECRET, "to": "+15553334444", "body": "sent from the API"}
        several = [{"to": "+15553334444", "body": "a"}, {"to": "+15553334444", "body": "b"}]
        told["queued"] = results(await self.ask("POST", f"/send/{ORG}", single, secret=None))
        told["no phone"] = await self.ask("GET", f"/sims/{ORG}")
        phone = await self.phone()
        told["on return"] = pushed(await self.pushed(1))
        told["sims"] = await self.live()
        answer = await self.ask("POST", f"/send/{ORG}", {**single, "sim": SIM}, secret=None)
        told["one"] = results(answer)
        push = (await self.pushed(1))[0]
        told["one pushed"] = pushed([push]), push["id"] == answer[1]["results"][0]["id"]
        told["several"] = results(await self.ask("POST", f"/send/{ORG}", {"messages": several}))
        told["several pushed"] = pushed(await self.pushed(2))
        sms = {"from_phone_number": SIM, "to_phone_number": "+1555123456", "message": "Hello!"}
        status, sent = await self.ask("POST", f"/sms/send?org_id={ORG}", sms)
        told["sms/send"] = status, {**sent, "message_id": ""}, type(sent["message_id"])
        told["sms pushed"] = pushed(await self.pushed(1))
        unknown = {**sms, "from_phone_number": "+1234567890"}
        status, refused = await self.ask("POST", f"/sms/send?org_id={ORG}", unknown)
        told["sms/send of nobody"] = status, refused["detail"]
        told["sent"] = await self.all_sent()
        message = {"address": "+15557654321", "body": "over the link", "date": 1700000000000}
        phone.write(phones.frame(json.dumps({"type": "inbound", "message": message}).encode()))
        told["received"] = await self.received(2)
        phone.drop()
        return told


def shown(page: Any) -> list[tuple[Any, ...]]:
    return [tuple(message[name] for name in SHOWN) for message in page["messages"]]


def results(answer: tuple[int, Any]) -> tuple[Any, ...]:
    status, content = answer
    return (
        status,
        content["ok"],
        content["device_online"],
        content["queued"],
        [(result["to"], result["status"]) for result in content["results"]],
    )


def pushed(pushes: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(push["type"], push["to"], push["body"], push["sim"]) for push in pushes]


async def play(side: Side, database: Path) -> dict[str, Any]:
    async with Server(side, database) as server:
        return await Script(server).play()


def test_both_sides_answer_the_documented_examples_alike(tmp_path: Path) -> None:
    ours = uvloop.run(play(PHONEGATE, tmp_path / "phonegate.db"))
    theirs = uvloop.run(play(BASELINE, tmp_path / "baseline.db"))
    assert theirs == ours
    assert ours["webhook"] == (200, {"ok": True, "org_id": ORG, "stored": 1})
    assert ours["queued"] == (200, True, False, 1, [("+15553334444", "queued")])
    assert ours["one"] == (200, True, True, 1, [("+15553334444", "sending")])
    assert ours["one pushed"] == ([("send_sms", "+15553334444", "sent from the API", SIM)], True)
    assert ours["wrong secret"] == 401
    assert len(ours["sent"]) == 5


async def _accept_and_die(side: Side, database: Path) -> None:
    async with Server(side, database) as server, Org(server) as org:
        status, _ = await http.ask(server.port, org.send_request([(org.deliveries.take(), "0")]))
        assert status == 200
        server.process.kill()


def test_what_the_baseline_accepted_is_in_its_file(tmp_path: Path) -> None:
    uvloop.run(_accept_and_die(BASELINE, tmp_path / "baseline.db"))
    with closing(sqlite3.connect(tmp_path / "baseline.db")) as file:
        rows = file.execute("SELECT direction, status FROM messages ORDER BY id").fetchall()
    assert rows == [("in", "received"), ("out", "queued")]


async def _fastest_send_ms(side: Side, database: Path, library: Path) -> float:
    async with Server(side, database, preload=library) as server, Org(server) as org:
        taken = []
        for _ in range(10):
            begun = time.perf_counter()
            status, _ = await http.ask(
                server.port, org.send_request([(org.deliveries.take(), "0")])
            )
            assert status == 200
            taken.append((time.perf_counter() - begun) * 1000)
        return min(taken)


@pytest.mark.skipif(shutil.which("cc") is None, reason="the slow disk needs a C compiler")
def test_the_baseline_answers_once_its_disk_has_flushed(tmp_path: Path) -> None:
    library = flush.build(tmp_path)
    fastest = uvloop.run(_fastest_send_ms(BASELINE, tmp_path / "slow.db", library))
    assert fastest > flush.LEAST_MS

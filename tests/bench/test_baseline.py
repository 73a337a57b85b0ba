"""The baselines keep the contract that is measured: they answer the documented examples."""

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
FULLER, BARE = servers.fuller(), servers.bare()
BASELINES = pytest.mark.parametrize("side", [FULLER, BARE], ids=["fuller", "bare"])

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

    async def play(self, *, sims: bool) -> dict[str, Any]:
        """Plays all, or what is asked for without a path's secret and SIMs that are known."""
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
            ("header", f"/messages/{ORG}"),
            ("path", f"/messages/{ORG}/{SECRET}"),
            ("filters", f"/messages/{ORG}?limit=100&since_id=0&direction=in&sim=+15551112222"),
        )[: 3 if sims else 1]:
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
        if sims:
            await self._by_sim(told)
        told["sent"] = await self.all_sent()
        message = {"address": "+15557654321", "body": "over the link", "date": 1700000000000}
        phone.write(phones.frame(json.dumps({"type": "inbound", "message": message}).encode()))
        told["received"] = await self.received(2)
        phone.drop()
        return told if sims else {name: without_sims(value) for name, value in told.items()}

    async def _by_sim(self, told: dict[str, Any]) -> None:
        sms = {"from_phone_number": SIM, "to_phone_number": "+1555123456", "message": "Hello!"}
        status, sent = await self.ask("POST", f"/sms/send?org_id={ORG}", sms)
        told["sms/send"] = status, {**sent, "message_id": ""}, type(sent["message_id"])
        told["sms pushed"] = pushed(await self.pushed(1))
        unknown = {**sms, "from_phone_number": "+1234567890"}
        status, refused = await self.ask("POST", f"/sms/send?org_id={ORG}", unknown)
        told["sms/send of nobody"] = status, refused["detail"]


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


def without_sims(value: Any) -> Any:
    """Leaves out which SIM a push names, and the SIMs that an org once had."""
    if isinstance(value, dict):
        return {k: v for k, v in value.items() if k != "known_sims"}
    if isinstance(value, tuple) and value[:1] == ("send_sms",):
        return value[:3]
    if isinstance(value, tuple | list):
        return type(value)(without_sims(item) for item in value)
    return value


async def play(side: Side, database: Path, *, sims: bool = True) -> dict[str, Any]:
    async with Server(side, database) as server:
        return await Script(server).play(sims=sims)


def test_the_bare_one_answers_what_is_measured_as_phonegate_does(tmp_path: Path) -> None:
    ours = uvloop.run(play(PHONEGATE, tmp_path / "phonegate.db", sims=False))
    theirs = uvloop.run(play(BARE, tmp_path / "bare.db", sims=False))
    assert theirs == ours
    assert ours["several pushed"] == [
        ("send_sms", "+15553334444", "a"),
        ("send_sms", "+15553334444", "b"),
    ]
    assert len(ours["sent"]) == 4


def test_the_fuller_one_answers_the_documented_examples_as_phonegate_does(tmp_path: Path) -> None:
    ours = uvloop.run(play(PHONEGATE, tmp_path / "phonegate.db"))
    theirs = uvloop.run(play(FULLER, tmp_path / "fuller.db"))
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


@BASELINES
def test_what_a_baseline_accepted_is_in_its_file(side: Side, tmp_path: Path) -> None:
    uvloop.run(_accept_and_die(side, tmp_path / "baseline.db"))
    with closing(sqlite3.connect(tmp_path / "baseline.db")) as file:
        rows = file.execute("SELECT direction, status FROM messages ORDER BY id").fetchall()
    assert rows == [("in", "received"), ("out", "queued")]


async def _leave_and_come_back(database: Path) -> list[Any]:
    """A phone that leaves without a result gets the message again, and so does another start."""
    async with Server(BARE, database) as server:
        script = Script(server)
        phone = await script.phone()
        phone.refuses = True
        await script.live()
        await script.ask("POST", f"/send/{ORG}", {"to": "+15553334444", "body": "again"})
        seen = await script.pushed(1)
        phone.drop()
        phone = await script.phone()
        phone.refuses = True
        seen += await script.pushed(1)
        server.process.kill()
    async with Server(BARE, database) as server:
        script = Script(server)
        await script.phone()
        seen += await script.pushed(1)
        assert len(await script.all_sent()) == 1
    return seen


def test_the_bare_one_pushes_again_what_a_phone_never_reported(tmp_path: Path) -> None:
    seen = uvloop.run(_leave_and_come_back(tmp_path / "bare.db"))
    assert [push["body"] for push in seen] == ["again"] * 3
    assert len({push["id"] for push in seen}) == 1


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
@BASELINES
def test_a_baseline_answers_once_its_disk_has_flushed(side: Side, tmp_path: Path) -> None:
    library = flush.build(tmp_path)
    fastest = uvloop.run(_fastest_send_ms(side, tmp_path / "slow.db", library))
    assert fastest > flush.LEAST_MS

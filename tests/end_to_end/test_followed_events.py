"""Commands that follow what happens at a real gateway, over its restarts and its sudden ends."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
import trio

from kit.gateway import UNLIMITED, GatewayProcess
from kit.program import Program, child_environment
from phonegate.client import connection
from phonegate.event_stream import StreamReader
from phonegate.phone.address import Address
from phonegate.phone.fleet import Fleet, identities
from phonegate.phone.simulated_faults import Plan
from tests.patience import PATIENCE_S

ORG = "myorg"
SECRET = "my-secret-key-123"
SMS = "caf\u00e9 \U0001f600\x1b[31m"
MOST = 1_000


class Command(Program):
    """A command that follows, and what it has shown so far."""

    def __init__(self, folder: Path, url: str, *words: str) -> None:
        super().__init__(
            [sys.executable, "-m", "phonegate", *words],
            folder=folder,
            environment=variables(url),
        )

    def wait_until_ready(self) -> None:
        pass


def variables(url: str) -> dict[str, str]:
    return {"PHONEGATE_URL": url, "PHONEGATE_ORG": ORG, "PHONEGATE_SECRET": SECRET}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path / "phonegate.db", settings=UNLIMITED) as process:
        receive(process, "first")
        # From now on events are recorded.
        assert events(process) == []
        yield process


def call(gateway: GatewayProcess, method: str, path: str, **more: Any) -> Any:
    headers = {"X-Secret-Key": SECRET}
    url = f"{gateway.url}{path}"
    answer = httpx.request(
        method, url, headers=headers, trust_env=False, timeout=PATIENCE_S, **more
    )
    return answer.raise_for_status().json()


def receive(gateway: GatewayProcess, body: str, address: str = "+15550001111") -> None:
    sms = {"address": address, "body": body}
    call(gateway, "POST", "/webhook", json={"org_id": ORG, "messages": [sms]})


def send(gateway: GatewayProcess) -> int:
    answer = call(gateway, "POST", f"/send/{ORG}", json={"to": "+15553334444", "body": "hi"})
    number: int = answer["results"][0]["id"]
    return number


def events(gateway: GatewayProcess) -> list[dict[str, Any]]:
    """All events that there are."""
    found: list[dict[str, Any]] = []
    since = 0
    while True:
        page = call(gateway, "GET", f"/events/{ORG}", params={"since_id": since, "limit": MOST})
        if not page["events"]:
            return found
        found += page["events"]
        since = page["last_id"]


def states(shown: list[dict[str, Any]]) -> list[tuple[int, str]]:
    return [(message["id"], message["status"]) for message in shown]


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_over_restarts_and_kills_all_is_shown_once(gateway: GatewayProcess, tmp_path: Path) -> None:
    with ExitStack() as stack:
        all_events, received, messages = (
            stack.enter_context(Command(tmp_path, gateway.url, *words, "--follow", "--json"))
            for words in (("events",), ("events", "--type", "message.received"), ("messages",))
        )
        until(lambda: len(messages.events()) == 1)
        for number in range(4):
            for turn in range(10):
                receive(gateway, f"{number}.{turn} {SMS}", f"+1555000{turn}")
                call(gateway, "DELETE", f"/messages/{ORG}/id/{send(gateway)}")
            if number % 2:
                gateway.stop()
            else:
                gateway.kill()
            port, database = gateway.port, gateway.database
            gateway = stack.enter_context(GatewayProcess(database, port=port, settings=UNLIMITED))
        send(gateway)
        happened = events(gateway)
        # A received one, a queued one and a cancelled one each time, and the last queued one.
        assert len(happened) == 4 * 10 * 3 + 1
        until(lambda: len(all_events.events()) >= len(happened))
        assert all_events.events() == happened
        mail = [event for event in happened if event["type"] == "message.received"]
        until(lambda: len(received.events()) >= len(mail))
        assert received.events() == mail
        until(lambda: len(messages.events()) >= 1 + len(happened))
        first, *later = states(messages.events())
        assert first == (1, "received")
        assert later == states([event["data"]["message"] for event in happened])
        # What a message waits for is shown, though its events do not say so.
        assert messages.events()[-1]["waiting_for"] == "phone"


def test_a_stream_says_at_once_where_it_is(gateway: GatewayProcess) -> None:
    with (
        httpx.Client(**connection.settings(gateway.url, SECRET)) as client,
        client.stream(
            "GET",
            f"{gateway.url}/events/{ORG}",
            params={"since_id": 7},
            headers={"Accept": "text/event-stream", "Accept-Encoding": "identity"},
            timeout=PATIENCE_S,
        ) as stream,
    ):
        reader, chunks = StreamReader(), stream.iter_bytes()
        assert reader.feed(next(chunks)) == []
        assert reader.last_id == "7"


async def test_a_phone_that_comes_and_goes_is_shown(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    with Command(tmp_path, gateway.url, "events", "--follow", "--type", "phone.*") as shown:

        def has(words: str) -> bool:
            return any(words in line for line in shown.log)

        address, who = Address.parse(gateway.url, ORG, SECRET), identities(1, Random(1))
        async with trio.open_nursery() as nursery:
            await nursery.start(Fleet(address, who, plan=Plan()).run)
            await trio.to_thread.run_sync(until, lambda: has("phone.online       phone 1, "))
            await trio.to_thread.run_sync(until, lambda: has("phone.sims "))
            nursery.cancel_scope.cancel()
        await trio.to_thread.run_sync(until, lambda: has("phone.offline      phone 1, "))


def test_a_wrong_secret_ends_it_with_a_sentence(gateway: GatewayProcess, tmp_path: Path) -> None:
    other = {**variables(gateway.url), "PHONEGATE_SECRET": "another-secret-key"}
    for words in (("events",), ("events", "--follow"), ("messages", "--follow")):
        done = run(words, tmp_path, other)
        assert done.returncode == 1
        assert "Check PHONEGATE_ORG and PHONEGATE_KEY" in done.stderr


def test_a_revoked_key_ends_following(gateway: GatewayProcess, tmp_path: Path) -> None:
    made = call(gateway, "POST", f"/keys/{ORG}", json={"name": "x", "scopes": ["read"]})
    key = {"PHONEGATE_URL": gateway.url, "PHONEGATE_KEY": made["key"]}
    words = [sys.executable, "-m", "phonegate", "events", "--follow", "--json"]
    with subprocess.Popen(
        words, cwd=tmp_path, env=child_environment(**key), stdout=-1, stderr=-1, text=True
    ) as following:
        assert following.stdout is not None
        receive(gateway, "hello")
        assert json.loads(following.stdout.readline())["type"] == "message.received"
        call(gateway, "DELETE", f"/keys/{ORG}/{made['id']}")
        _, said = following.communicate(timeout=PATIENCE_S)
    assert following.returncode == 1
    assert "Check PHONEGATE_ORG" in said


def test_odd_texts_are_shown_in_any_character_set(gateway: GatewayProcess, tmp_path: Path) -> None:
    receive(gateway, SMS)
    for coding, word in (
        ("utf-8", "caf\u00e9 \U0001f600"),
        ("latin-1", "caf\u00e9 \\U0001f600"),
    ):
        environment = {**variables(gateway.url), "PYTHONIOENCODING": coding}
        done = run(("events",), tmp_path, environment, encoding=coding)
        assert done.returncode == 0
        assert word in done.stdout
        assert "\x1b" not in done.stdout


def test_it_ends_when_its_reader_leaves(gateway: GatewayProcess, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "phonegate", "events", "--follow", "--json"]
    reader, writer = os.pipe()
    with subprocess.Popen(
        words,
        cwd=tmp_path,
        env=child_environment(**variables(gateway.url)),
        stdout=writer,
        stderr=-1,
        text=True,
    ) as following:
        os.close(writer)
        receive(gateway, "one")
        assert os.read(reader, 65_536)
        os.close(reader)
        receive(gateway, "two")
        _, said = following.communicate(timeout=PATIENCE_S)
    assert (following.returncode, said) == (1, "")


def run(
    words: tuple[str, ...], folder: Path, environment: dict[str, str], encoding: str = "utf-8"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "phonegate", *words],
        cwd=folder,
        env=child_environment(**environment),
        capture_output=True,
        check=False,
        encoding=encoding,
        timeout=PATIENCE_S,
    )

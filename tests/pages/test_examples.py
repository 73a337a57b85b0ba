"""Every example that `/reference` and `/llms.txt` print runs as printed, in the order of the page.

The pages are fetched from the gateway that the examples then talk to, so that nothing in them is
replaced but the API key, which a page can't know.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from websockets.sync.client import connect

from kit.gateway import GatewayProcess
from phonegate.api.mcp.tools import TOOLS
from tests.pages.printed import Block, blocks_of_html, blocks_of_markdown
from tests.patience import PATIENCE_S

KEY = "pgk_…"
OWN = {"id", "key", "last_id", "message_id", "created_at", "sent_at", "server_time"}
"""Fields whose value is the gateway's to choose."""

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def difference(printed: Any, actual: Any, name: str = "it") -> str | None:
    """Where an answer departs from the printed one, which may leave fields out."""
    if isinstance(printed, dict) and isinstance(actual, dict):
        parts = [(key, value, actual.get(key, "missing")) for key, value in printed.items()]
    elif isinstance(printed, list) and isinstance(actual, list) and len(printed) == len(actual):
        parts = [
            (f"{name}[{i}]", *pair) for i, pair in enumerate(zip(printed, actual, strict=True))
        ]
    elif name in OWN:
        alike = type(printed) is type(actual) and is_time(printed) == is_time(actual)
        return None if alike else f"{name} is {actual!r}, {printed!r} is printed"
    else:
        return None if printed == actual else f"{name} is {actual!r}, {printed!r} is printed"
    return next((found for key, p, a in parts if (found := difference(p, a, key))), None)


def is_time(value: Any) -> bool:
    return isinstance(value, str) and TIME.fullmatch(value) is not None


class Reader:
    """Somebody who types what a page prints, block by block."""

    def __init__(self, gateway: GatewayProcess, folder: Path) -> None:
        self.gateway = gateway
        self.folder = folder
        self.key = ""
        self.done: Counter[str] = Counter()
        self._ran = ""
        self._answer: Any = None
        self._programs: list[subprocess.Popen[str]] = []
        self._frames: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for program in self._programs:
            program.terminate()
            program.wait(PATIENCE_S)
            assert program.stdout is not None
            program.stdout.close()

    def follow(self, blocks: list[Block]) -> None:
        for block in blocks:
            follow: Callable[[str], None] = getattr(self, block.kind.replace("-", "_"))
            follow(block.text)
            self.done[block.kind] += 1

    def text(self, printed: str) -> None:
        """An address."""
        own = (self.gateway.url, f"ws://127.0.0.1:{self.gateway.port}/websocket?org_id=ORG")
        assert printed.startswith(own)

    def sample(self, printed: str) -> None:
        """tests/end_to_end/test_samples.py runs it."""
        assert "BASE" not in printed

    def sh(self, command: str) -> None:
        if command.startswith("export "):
            self.export(command)
            return
        self._ran = command
        self._answer = self._run(command)

    def answer(self, printed: str) -> None:
        """What the last command gave; what a phone does meanwhile may take a moment."""
        expected = json.loads(printed)
        end = time.monotonic() + PATIENCE_S
        while wrong := difference(expected, self._answer):
            assert " -X " not in self._ran, f"{self._ran}\n{wrong}"
            assert time.monotonic() < end, f"{self._ran}\n{wrong}"
            time.sleep(0.02)
            self._answer = self._run(self._ran)

    def json(self, printed: str) -> None:
        if "mcpServers" in printed:
            self.mcp(printed)
        else:
            self.answer(printed)

    def export(self, printed: str) -> None:
        assert printed == f"export PHONEGATE_KEY={KEY}"
        self.key = self._answer["key"]

    def python(self, program: str) -> None:
        """Runs until the reader has read the page, and by then has printed what it says."""
        path = self.folder / "phone.py"
        path.write_text(program)
        process = subprocess.Popen(
            [sys.executable, "-u", str(path)], stdout=subprocess.PIPE, text=True
        )
        self._programs.append(process)
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert first["type"] == "connected"

    def from_phone(self, printed: str) -> None:
        self._frames.append(printed)

    def to_phone(self, printed: str) -> None:
        self._frames.append(printed)

    def mcp(self, printed: str) -> None:
        """What an MCP client makes of its configuration: requests with the URL and headers."""
        (server,) = json.loads(printed)["mcpServers"].values()
        assert server["type"] == "http"
        headers = {n: v.replace(KEY, self.key) for n, v in server["headers"].items()}
        headers |= {
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": "2025-06-18",
        }
        asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        answer = httpx.post(server["url"], headers=headers, json=asked, timeout=PATIENCE_S)
        tools = {tool["name"] for tool in answer.json()["result"]["tools"]}
        assert tools == {tool.name for tool in TOOLS}

    def talk(self) -> None:
        """Plays the printed frames as a phone of another org, in their order."""
        url = (
            f"ws://127.0.0.1:{self.gateway.port}/websocket?org_id=another&secret_key=another-secret"
        )
        message = 0
        with connect(url) as phone:
            for printed in self._frames:
                frame = json.loads(printed)
                match frame["type"]:
                    case "connected":
                        got = json.loads(phone.recv(timeout=PATIENCE_S))
                        frame["org_id"] = "another"
                        assert difference(frame, got) is None, printed
                    case "send_sms":
                        to, body, sim = frame["to"], frame["body"], frame["sim"]
                        answer = httpx.post(
                            f"{self.gateway.url}/send/another/another-secret",
                            json={"to": to, "body": body, "sim": sim},
                            timeout=PATIENCE_S,
                        )
                        message = answer.json()["results"][0]["id"]
                        got = json.loads(phone.recv(timeout=PATIENCE_S))
                        assert difference(frame, got) is None, printed
                    case "send_result":
                        frame["id"] = message
                        phone.send(json.dumps(frame))
                    case _:
                        phone.send(printed)
            phone.send('{"type":"ping"}')
            # An error frame for any of them would have come first.
            assert json.loads(phone.recv(timeout=PATIENCE_S))["type"] == "pong"
        page = httpx.get(
            f"{self.gateway.url}/messages/another/another-secret", timeout=PATIENCE_S
        ).json()
        assert {(m["direction"], m["status"]) for m in page["messages"]} == {
            ("in", "received"),
            ("out", "sent"),
        }

    def _run(self, command: str) -> Any:
        assert command.startswith("curl ")
        done = subprocess.run(
            ["bash", "-c", command.replace("curl", "curl -sS --max-time 60", 1)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PHONEGATE_KEY": self.key},
        )
        return json.loads(done.stdout)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    with (
        GatewayProcess(tmp_path / "phonegate.db") as gateway,
        Reader(gateway, tmp_path) as reader,
    ):
        yield reader


def test_every_example_of_the_reference_works_as_printed(reader: Reader) -> None:
    page = httpx.get(f"{reader.gateway.url}/reference", timeout=PATIENCE_S, trust_env=False).text
    blocks = blocks_of_html(page)
    reader.follow(blocks)
    reader.talk()
    assert reader.done["sh"] == reader.done["answer"] >= 10
    assert reader.done["from-phone"] + reader.done["to-phone"] == 5
    assert [reader.done[kind] for kind in ("python", "mcp", "export")] == [1, 1, 1]


def test_every_example_of_the_agents_page_works_as_printed(reader: Reader) -> None:
    push, *rest = [
        block
        for block in blocks_of_html(
            httpx.get(f"{reader.gateway.url}/reference", timeout=PATIENCE_S, trust_env=False).text
        )
        if block.kind in {"sh", "python"}
    ]
    phone = next(block for block in rest if block.kind == "python")
    reader.follow([push, phone])
    reader.done.clear()
    text = httpx.get(f"{reader.gateway.url}/llms.txt", timeout=PATIENCE_S, trust_env=False).text
    reader.follow(blocks_of_markdown(text))
    assert text.count("```") == 2 * reader.done.total()
    assert reader.done["json"] >= 6
    assert reader.done["sh"] == reader.done["json"]

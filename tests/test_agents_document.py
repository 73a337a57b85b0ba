"""What docs/agents.md prints works."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import trio

from kit.gateway import GatewayProcess
from phonegate.api.mcp.api import MAX_POST_BYTES
from phonegate.api.mcp.protocol import HANDSHAKE, MAX_BATCH, MODERN
from phonegate.api.mcp.tool_types import MAX_WAIT_S
from phonegate.api.mcp.tools import TOOLS
from phonegate.domain.waits import PER_HOLDER, PER_ORG
from tests.patience import PATIENCE_S
from tests.test_documents import SECRET, blocks, run_curls, run_owner

TEXT = (Path(__file__).parent.parent / "docs" / "agents.md").read_text()
ADDRESS = "http://127.0.0.1:8080"
NAMES = [tool.name for tool in TOOLS]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    database = tmp_path_factory.mktemp("agents") / "phonegate.db"
    with GatewayProcess(database) as process:
        receive(process, "+1555", "hello")
        yield process


def receive(gateway: GatewayProcess, address: str, body: str) -> None:
    sms = {"address": address, "body": body}
    content = {"org_id": "myorg", "secret_key": SECRET, "messages": [sms]}
    httpx.post(f"{gateway.url}/webhook", json=content, trust_env=False).raise_for_status()


@pytest.fixture(scope="module")
def folder(gateway: GatewayProcess) -> Path:
    """Where the gateway's database is."""
    database = gateway.process.args[-1]  # type: ignore[index]
    return Path(str(database)).parent


def program(command: str) -> str:
    return command.replace("phonegate ", f"{sys.executable} -m phonegate ", 1)


@pytest.fixture(scope="module")
def key(folder: Path) -> str:
    """The key that the document has its reader make."""
    add, _ = blocks(TEXT, "A key of its own", "sh")
    found = re.search(r"^key +(pgk_\S+)$", run_owner(program(add), folder), re.MULTILINE)
    assert found is not None
    return found[1]


def settings(section: str, gateway: GatewayProcess, key: str) -> Any:
    (text,) = blocks(TEXT, section, "json")
    local = text.replace(ADDRESS, gateway.url).replace("pgk_…", key)
    return json.loads(local)["mcpServers"]["phonegate"]


async def names(server: Any) -> list[str]:
    from mcp import Client  # noqa: PLC0415 - a thousand modules

    with trio.fail_after(PATIENCE_S):
        async with Client(server) as client:
            return [tool.name for tool in (await client.list_tools()).tools]


async def test_an_agent_starts_it_as_printed(gateway: GatewayProcess, key: str) -> None:
    from mcp import StdioServerParameters  # noqa: PLC0415 - as above

    told = settings("An agent on the same machine", gateway, key)
    assert told.pop("command") == "phonegate"
    args = ["-m", "phonegate", *told["args"]]
    server = StdioServerParameters(command=sys.executable, args=args, env=told["env"])
    assert await names(server) == NAMES


async def test_an_agent_connects_as_printed(gateway: GatewayProcess, key: str) -> None:
    from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415 - as above

    told = settings("An agent that takes an address", gateway, key)
    async with httpx2.AsyncClient(headers=told["headers"], trust_env=False) as http:
        assert await names(streamable_http_client(told["url"], http_client=http)) == NAMES


def printed(call: str, key: str) -> str:
    """A call of the document, with the key of this test, as `run_curls` takes it."""
    return call.replace(ADDRESS, "http://localhost:8080").replace("pgk_…", key) + "#"


def test_the_call_works_as_printed(gateway: GatewayProcess, key: str) -> None:
    (call,) = blocks(TEXT, "An agent that takes an address", "sh")
    (answer,) = run_curls(printed(call, key), gateway)
    assert answer["id"] == 1
    lines = answer["result"]["content"][0]["text"].splitlines()
    (sims,) = [line.removeprefix("| ") for line in lines if line.startswith("| ")]
    assert json.loads(sims)["online_devices"] == 0


def test_an_agent_waits_over_plain_http_as_printed(gateway: GatewayProcess, key: str) -> None:
    (wait,) = blocks(TEXT, "Waiting for any reply", "sh")
    begin = wait.replace("types=message.received&wait=25&since_id=56", "limit=1")
    (first,) = run_curls(printed(begin, key), gateway)
    assert first["events"] == []
    receive(gateway, "+15553334444", "Yes")
    after = wait.replace("since_id=56", f"since_id={first['last_id']}")
    (answer,) = run_curls(printed(after, key), gateway)
    (event,) = answer["events"]
    assert event["data"]["message"]["body"] == "Yes"
    assert "gap" not in answer
    assert answer["last_id"] == event["id"] > first["last_id"]


def test_a_person_approves_as_printed(
    gateway: GatewayProcess, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, decide = blocks(TEXT, "A key of its own", "sh")
    held, approve = decide.strip().splitlines()
    add = "phonegate key add myorg held --hold --json"
    holding = json.loads(run_owner(program(add), folder))["key"]
    sent = httpx.post(
        f"{gateway.url}/send/myorg",
        json={"to": "+15553334444", "body": "may I?"},
        headers={"Authorization": f"Bearer {holding}"},
        trust_env=False,
    ).json()
    (result,) = sent["results"]
    for name, value in (("URL", gateway.url), ("ORG", "myorg"), ("SECRET", SECRET)):
        monkeypatch.setenv(f"PHONEGATE_{name}", value)
    assert "may I?" in run_owner(program(held), folder)
    run_owner(program(approve.replace(" 5", f" {result['id']}")), folder)
    assert "may I?" not in run_owner(program(held), folder)


def test_every_tool_and_number_is_the_codes_own() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", TEXT, re.MULTILINE)
    assert rows == [(tool.name, tool.scope) for tool in TOOLS]
    assert f"up to {MAX_WAIT_S} s" in TEXT
    assert f"{PER_HOLDER} waits at a time, one org {PER_ORG}" in TEXT
    assert f"up to {MAX_POST_BYTES // 1024} KiB" in TEXT
    assert f"have, {MAX_BATCH} messages" in TEXT
    assert f"{MODERN[0]}, and" in TEXT
    assert ", ".join(HANDSHAKE) in TEXT

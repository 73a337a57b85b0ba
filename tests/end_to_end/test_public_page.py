"""Every example of the public page that phonegate re-creates, run as printed.

Only host and port differ (and the indentation of the Python program, which the page's text
form has lost). The phone is the page's own, on the `websockets` package.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.gateway import GatewayProcess
from tests.patience import PATIENCE_S

HOST = "https://phonesms.trucopilot.com"

WEBHOOK = """\
curl -X POST https://phonesms.trucopilot.com/webhook -H 'Content-Type: application/json' -d '{
"org_id": "myorg",
"secret_key": "my-secret-key-123",
"messages": [
{"address":"+15551112222","body":"hello","date":1700000000000,"sim_slot":0,"id":"123"}
]
}'"""
READ_BY_PATH = "curl https://phonesms.trucopilot.com/messages/myorg/my-secret-key-123"
READ_BY_HEADER = """\
curl -H 'X-Secret-Key: my-secret-key-123' https://phonesms.trucopilot.com/messages/myorg"""
SEND = """\
curl -X POST https://phonesms.trucopilot.com/send/myorg -H 'Content-Type: application/json' -d '{
"secret_key": "my-secret-key-123",
"sim": "+15551112222", // optional: SIM number or slot index; omit = first device
"to": "+15553334444",
"body": "sent from the API"
}'"""
SEND_BATCH = """\
curl -X POST https://phonesms.trucopilot.com/send/myorg -H 'Content-Type: application/json' -d '{
"secret_key": "my-secret-key-123",
"sim": "+15551112222", // optional: SIM number or slot index; omit = first device
"messages":[{"to":"+15553334444","body":"a"},{"to":"+15553334444","body":"b"}]
}'"""
SIMS = "curl -H 'X-Secret-Key: my-secret-key-123' https://phonesms.trucopilot.com/sims/myorg"
PHONE = """\
import asyncio, json, websockets
async def main():
    url = "wss://phonesms.trucopilot.com/websocket?org_id=myorg&secret_key=my-secret-key-123"
    async with websockets.connect(url) as ws:
        print(await ws.recv()) # {"type":"connected",...}
        await ws.send(json.dumps({"type":"sims","sims":[{"slot":0,"number":"+15551112222"}]}))
        async for msg in ws:
            print(msg) # handle {"type":"send_sms",...}
asyncio.run(main())
"""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path / "phonegate.db") as process:
        yield process


def shell(command: str, gateway: GatewayProcess) -> Any:
    """Runs one of the page's commands against `gateway`; its answer as JSON."""
    local = command.replace(HOST, gateway.url).replace("curl", "curl -sS --max-time 60", 1)
    done = subprocess.run(["bash", "-c", local], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


class Phone:
    """The page's Python program, running; what it prints can be waited for."""

    def __init__(self, gateway: GatewayProcess, folder: Path, extra: str = "") -> None:
        program = PHONE.replace("wss://phonesms.trucopilot.com", f"ws://127.0.0.1:{gateway.port}")
        program = program.replace("            print(msg)", f"            print(msg){extra}")
        path = folder / "phone.py"
        path.write_text(program)
        self.process = subprocess.Popen(
            [sys.executable, "-u", str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def frame(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def leave(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def phone(gateway: GatewayProcess, tmp_path: Path) -> Iterator[Phone]:
    program = Phone(gateway, tmp_path)
    yield program
    program.leave()


def eventually(check: Any) -> Any:
    """Asks again until the answer is true: for what another process does in its own time."""
    end = time.monotonic() + PATIENCE_S
    while not (answer := check()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)
    return answer


def test_a_pushed_sms_is_read_back_in_every_printed_way(gateway: GatewayProcess) -> None:
    assert shell(WEBHOOK, gateway) == {"ok": True, "org_id": "myorg", "stored": 1}
    by_path, by_header = shell(READ_BY_PATH, gateway), shell(READ_BY_HEADER, gateway)
    assert by_path == by_header
    assert {"org_id", "count", "messages"} == set(by_path)
    assert (by_path["org_id"], by_path["count"]) == ("myorg", 1)
    (message,) = by_path["messages"]
    shown = ("id", "direction", "address", "body", "status")
    assert [message[key] for key in shown] == [1, "in", "+15551112222", "hello", "received"]
    assert message["created_at"].endswith("Z")
    filtered = READ_BY_PATH.replace(
        "key-123", "key-123'?limit=100&since_id=0&direction=in&sim=%2B15551112222'"
    )
    assert shell(filtered, gateway)["count"] == 0  # it came in by no SIM of that number


def test_a_repeated_push_is_stored_once(gateway: GatewayProcess) -> None:
    shell(WEBHOOK, gateway)
    assert shell(WEBHOOK, gateway) == {
        "ok": True,
        "org_id": "myorg",
        "stored": 0,
        "duplicates": 1,
    }
    assert shell(READ_BY_PATH, gateway)["count"] == 1


def test_the_pages_phone_gets_what_is_sent(gateway: GatewayProcess, phone: Phone) -> None:
    connected = phone.frame()
    assert (connected["type"], connected["org_id"]) == ("connected", "myorg")
    sims = eventually(lambda: (s := shell(SIMS, gateway))["live_sims"] and s)
    assert sims["online_devices"] == 1
    assert [sim["number"] for sim in sims["live_sims"]] == ["+15551112222"]
    assert {"slot", "number", "carrier"} <= set(sims["live_sims"][0])
    assert [sim["number"] for sim in sims["known_sims"]] == ["+15551112222"]

    sent = shell(SEND, gateway)
    assert sent["ok"] is True
    assert (sent["device_online"], sent["queued"]) == (True, 1)
    (result,) = sent["results"]
    assert (result["to"], result["status"]) == ("+15553334444", "sending")
    frame = phone.frame()
    assert frame["type"] == "send_sms"
    expected = (result["id"], "+15553334444", "sent from the API", "+15551112222")
    assert tuple(frame[key] for key in ("id", "to", "body", "sim")) == expected

    batch = shell(SEND_BATCH, gateway)
    assert batch["queued"] == 2
    assert [(f["id"], f["body"]) for f in (phone.frame(), phone.frame())] == list(
        zip([r["id"] for r in batch["results"]], "ab", strict=True)
    )


def test_what_is_sent_to_nobody_waits_for_the_phone_and_its_result_is_told(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    shell(WEBHOOK, gateway)
    queued = shell(SEND, gateway)
    assert (queued["device_online"], queued["queued"]) == (False, 1)
    (result,) = queued["results"]
    assert result["status"] == "queued"

    confirms = (
        "; frame = json.loads(msg); await ws.send(json.dumps("
        '{"type":"send_result","id":frame["id"],"success":True}))'
    )
    phone = Phone(gateway, tmp_path, extra=confirms)
    try:
        assert phone.frame()["type"] == "connected"
        assert phone.frame()["id"] == result["id"]
        watch = READ_BY_PATH.replace("key-123", "key-123'?direction=out'")

        def sent() -> Any:
            (message,) = shell(watch, gateway)["messages"]
            return message["status"] == "sent" and message

        assert eventually(sent)["sent_at"].endswith("Z")
    finally:
        phone.leave()

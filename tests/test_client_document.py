"""Every program of docs/client.md works as printed, against a real gateway with a phone."""

import inspect
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kit.gateway import UNLIMITED, GatewayProcess
from kit.simulated_phone import SimulatedPhone
from phonegate import client as package
from phonegate.client import Gateway, GatewayError
from phonegate.standard_webhooks import ID_HEADER, SIGNATURE_HEADER, TIME_HEADER, signature
from tests.patience import PATIENCE_S

ROOT = Path(__file__).parent.parent
DOCUMENT = (ROOT / "docs" / "client.md").read_text()
ADDRESS = "http://127.0.0.1:8080"
ORG, SECRET, OTHER = "myorg", "my-secret-key-123", "+15553334444"
HOOK_SECRET = "whsec_" + "QUJD" * 8


def programs(section: str) -> list[str]:
    """The programs of a section."""
    (body,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    return re.findall(r"^```python\n(.*?)^```", body, re.MULTILINE | re.DOTALL)


class Site:
    """A gateway with a phone, and a key for it."""

    def __init__(self, process: GatewayProcess, folder: Path, key: str) -> None:
        self.process = process
        self.folder = folder
        self.key = key

    def begin(self, text: str) -> subprocess.Popen[str]:
        """Starts a program of the document."""
        local = text.replace(ADDRESS, self.process.url)
        environment = {**os.environ, "PHONEGATE_KEY": self.key, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            [sys.executable, "-c", local],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, text: str) -> list[str]:
        """The lines that a program of the document prints."""
        with self.begin(text) as program:
            output, trouble = program.communicate(timeout=PATIENCE_S)
        assert program.returncode == 0, trouble
        assert trouble == ""
        return output.splitlines()

    def receive(self, body: str) -> None:
        message = {"address": OTHER, "body": body}
        pushed = {"org_id": ORG, "secret_key": SECRET, "messages": [message]}
        httpx.post(f"{self.process.url}/webhook", json=pushed).raise_for_status()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("gateway")
    with GatewayProcess(folder / "phonegate.db", settings=UNLIMITED) as process:
        made = Site(process, folder, "")
        made.receive("hello")
        phone = SimulatedPhone(
            folder, process.url, org=ORG, secret=SECRET, name="p", number="+15551112222"
        )
        with phone, Gateway(process.url, SECRET, ORG) as gateway:
            end = time.monotonic() + PATIENCE_S
            while not gateway.sims().live_sims:
                assert time.monotonic() < end
            body = {"name": "client", "scopes": ["send", "read", "manage"]}
            made.key = gateway.request("POST", "/keys/{org}", body=body)["key"]
            yield made


def test_the_first_message(site: Site) -> None:
    (program,) = programs("The first message")
    assert site.run(program) == ["sent +15551112222"]


def test_many_messages_and_later_ones(site: Site) -> None:
    (program,) = programs("Many messages, and later ones")
    (line,) = site.run(program)
    assert line.endswith("] cancelled")


def test_reading(site: Site) -> None:
    (program,) = programs("Reading")
    lines = site.run(program)
    assert re.fullmatch(r"1 2\d{3}-.*\+00:00 hello", lines[0])
    assert lines[-1] == "+15551112222 None"


def test_receiving(site: Site) -> None:
    (program,) = programs("Receiving")
    with site.begin(program) as running:
        end = time.monotonic() + PATIENCE_S
        while running.poll() is None:
            assert time.monotonic() < end
            site.receive("Stop")
            time.sleep(0.1)
        output, trouble = running.communicate()
    assert (output, trouble) == (f"{OTHER} Stop\n", "")


def test_events(site: Site) -> None:
    (program,) = programs("Events")
    *_, last = site.run(program)
    assert re.fullmatch(rf"\d+ message\.sent \{OTHER}", last)


@pytest.mark.parametrize("number", [0, 1])
def test_asyncio_and_trio(site: Site, number: int) -> None:
    assert site.run(programs("asyncio and Trio")[number])[-1] == "sent"


def test_errors(site: Site) -> None:
    (program,) = programs("Errors")
    first, *fields = site.run(program)
    assert first.startswith("400 bad_input ")
    assert fields[0].startswith("to must be a number")


def test_every_error_is_explained() -> None:
    section = DOCUMENT.partition("\n## Errors\n")[2].partition("\n## ")[0]
    kinds = {name for name in package.__all__ if is_error(getattr(package, name))}
    assert {name for name in kinds if f"`{name}`" not in section} == set()


def is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, GatewayError)


def test_retries(site: Site) -> None:
    (program,) = programs("Retries and deadlines")
    assert site.run(program) == [ORG]


def test_webhooks_are_made(site: Site) -> None:
    program, _, _ = programs("Webhooks")
    (line,) = site.run(program)
    assert re.fullmatch(r"\d+ whsec_\S+", line)


@pytest.mark.parametrize("framework", ["flask", "fastapi"])
def test_webhooks_are_verified(tmp_path: Path, framework: str) -> None:
    _, flask, fastapi = programs("Webhooks")
    (tmp_path / "receiver.py").write_text(flask if framework == "flask" else fastapi)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    words = {
        "flask": ["flask", "--app", "receiver", "run", "--port", port],
        "fastapi": ["uvicorn", "receiver:app", "--port", port],
    }
    environment = {
        **os.environ,
        "WEBHOOK_SECRET": HOOK_SECRET,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}",
    }
    with (
        (tmp_path / "output.txt").open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-m", *words[framework]],
            cwd=tmp_path,
            env=environment,
            stdout=output,
            stderr=output,
        ) as program,
    ):
        try:
            url = f"http://127.0.0.1:{port}/sms"
            assert call(url, HOOK_SECRET) == 204
            assert call(url, "whsec_" + "QUJE" * 8) == 401
        finally:
            program.kill()
    assert f"{OTHER} hi" in (tmp_path / "output.txt").read_text()


BODY = (
    b'{"id":3,"type":"message.received","created_at":"2026-11-21T08:00:00.000Z","data":{"message":'
    b'{"id":1,"direction":"in","address":"+15553334444","body":"hi","status":"received",'
    b'"created_at":"2026-11-21T08:00:00.000Z"}}}'
)


def call(url: str, secret: str) -> int:
    """Calls a receiver as soon as it is there; the status of its answer."""
    seconds = str(int(time.time()))
    headers = {
        ID_HEADER: "3",
        TIME_HEADER: seconds,
        SIGNATURE_HEADER: signature(secret, "3", seconds, BODY),
    }
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return httpx.post(url, content=BODY, headers=headers).status_code
        except httpx.TransportError:
            assert time.monotonic() < end
            time.sleep(0.1)


def test_every_call_is_listed() -> None:
    section = DOCUMENT.partition("\n## All calls\n")[2]
    named = set(re.findall(r"`(\w+)(?=[`(])", section))
    calls = {name for name, _ in inspect.getmembers(Gateway) if not name.startswith("_")}
    assert named - {"help"} == calls

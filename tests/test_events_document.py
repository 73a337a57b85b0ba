"""What docs/events.md prints works: receivers, bodies, checks of signatures, streams, recipes."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar, get_args
from urllib.parse import parse_qsl, urlencode

import attrs
import httpx
import pytest
from click.testing import CliRunner
from websockets.sync.client import ClientConnection, connect

from kit.gateway import GatewayProcess
from kit.program import Program
from phonegate.cli import group
from phonegate.events.webhooks import caller, schedule
from phonegate.http import outgoing_address, outgoing_call
from phonegate.model.events import EVENT_TYPES
from phonegate.model.webhooks import Shape
from tests.patience import PATIENCE_S
from tests.test_documents import SECRET, run_owner

T = TypeVar("T")

DOCUMENT = (Path(__file__).parent.parent / "docs" / "events.md").read_text()
GATEWAY = "http://127.0.0.1:8080"
RECEIVER = "http://127.0.0.1:5000"
SENDER, SIM = "+15553334444", "+15551112222"


def printed(section: str, language: str) -> list[str]:
    """The blocks of a section, whatever its level, as its reader copies them."""
    _, found, rest = DOCUMENT.partition(f"# {section}\n")
    assert found, section
    body = re.split(r"^#{2,4} ", rest, maxsplit=1, flags=re.MULTILINE)[0]
    blocks = re.findall(rf"^( *)```{language}\n(.*?)^ *```", body, re.MULTILINE | re.DOTALL)
    assert blocks, (section, language)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in blocks]


def the(section: str, language: str, holding: str = "") -> str:
    """The one block of a section that holds something."""
    (block,) = (block for block in printed(section, language) if holding in block)
    return block


@attrs.frozen
class Call:
    """What a receiver got."""

    path: str
    headers: Mapping[str, str]
    """Their names in lower case."""
    body: bytes


@attrs.frozen
class Recorder:
    """A receiver that keeps each call."""

    url: str
    calls: "SimpleQueue[Call]" = attrs.field(factory=SimpleQueue)

    def next(self) -> Call:
        return self.calls.get(timeout=PATIENCE_S)


@contextlib.contextmanager
def recording() -> Iterator[Recorder]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            recorder.calls.put(Call(self.path, headers, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        recorder = Recorder(f"http://127.0.0.1:{server.server_address[1]}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield recorder
        server.shutdown()


@attrs.frozen
class House:
    """A gateway on its own machine, and what its owner and phones do."""

    gateway: GatewayProcess
    folder: Path

    def owner(self, command: str) -> str:
        return run_owner(command, self.folder)

    def add(self, command: str, *replaced: tuple[str, str]) -> tuple[str, str]:
        """Makes a webhook as printed, but for its address. Its id and its secret."""
        for old, new in replaced:
            assert old in command
            command = command.replace(old, new)
        shown = self.owner(command)
        (number,) = re.findall(r"^id +(\d+)$", shown, re.MULTILINE)
        (secret,) = re.findall(r"^secret +(\S+)$", shown, re.MULTILINE)
        return number, secret

    def receive(self, body: str = "Dinner at eight?", date: int | None = None) -> None:
        date = time.time_ns() // 1_000_000 if date is None else date
        sms = {"address": SENDER, "body": body, "sim": SIM, "date": date}
        pushed = {"org_id": "myorg", "secret_key": SECRET, "messages": [sms]}
        answer = httpx.post(f"{self.gateway.url}/webhook", json=pushed, trust_env=False)
        assert answer.json()["stored"] == 1

    @contextlib.contextmanager
    def phone(self, *, sims: bool = True, **named: str) -> Iterator[ClientConnection]:
        """A phone that holds the SIM, and may say so."""
        query = urlencode({"org_id": "myorg", "secret_key": SECRET, **named})
        address = f"ws://127.0.0.1:{self.gateway.port}/websocket?{query}"
        with connect(address, proxy=None, open_timeout=PATIENCE_S) as link:
            link.recv()
            if sims:
                reported = [{"slot": 0, "number": SIM}]
                link.send(json.dumps({"type": "sims", "sims": reported}))
            link.send('{"type":"ping"}')
            assert json.loads(link.recv())["type"] == "pong"
            yield link

    def messages(self) -> list[Any]:
        url = f"{self.gateway.url}/messages/myorg/{SECRET}?direction=out"
        found: list[Any] = httpx.get(url, trust_env=False).json()["messages"]
        return found


@contextlib.contextmanager
def running_house(folder: Path) -> Iterator[House]:
    serve = the("A first webhook in five minutes", "sh", "phonegate serve")
    (allowed,) = re.findall(
        r"^PHONEGATE_WEBHOOKS_ALLOW=(\S+) phonegate serve$", serve, re.MULTILINE
    )
    settings = {"WEBHOOKS_ALLOW": allowed}
    with GatewayProcess(folder / "phonegate.db", settings=settings) as gateway:
        sms = {"address": "+1555", "body": "makes the org"}
        body = {"org_id": "myorg", "secret_key": SECRET, "messages": [sms]}
        httpx.post(f"{gateway.url}/webhook", json=body, trust_env=False).raise_for_status()
        yield House(gateway, folder)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with running_house(tmp_path_factory.mktemp("house")) as house:
        yield house


@pytest.fixture
def house(shared: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """The gateway that all tests share, without the webhooks of others."""
    monkeypatch.setenv("PHONEGATE_SECRET", SECRET)
    yield shared
    hooks = f"{shared.gateway.url}/webhooks/myorg"
    with httpx.Client(headers={"X-Secret-Key": SECRET}, trust_env=False) as http:
        for one in http.get(hooks).json()["webhooks"]:
            http.delete(f"{hooks}/{one['id']}").raise_for_status()


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A gateway of its own, in which nothing has happened."""
    monkeypatch.setenv("PHONEGATE_SECRET", SECRET)
    with running_house(tmp_path) as house:
        yield house


def key_of(shown: str) -> str:
    (key,) = re.findall(r"^key +(pgk_\S+)$", shown, re.MULTILINE)
    assert isinstance(key, str)
    return key


class Receiver(Program):
    """A receiver as printed, on a free port."""

    def __init__(self, command: list[str], *, port: int, folder: Path, **variables: str) -> None:
        super().__init__(command, folder=folder, environment=variables)
        self.port = port

    def wait_until_ready(self) -> None:
        self.wait_until(self._answers)

    def _answers(self) -> bool:
        try:
            httpx.get(self.url, trust_env=False)
        except httpx.TransportError:
            return False
        return True


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def flask(program: str, port: int, folder: Path, **variables: str) -> Receiver:
    (folder / "receiver.py").write_text(program)
    command = [sys.executable, "-m", "flask", "--app", "receiver", "run", "--port", str(port)]
    return Receiver(command, port=port, folder=folder, **variables)


# -- the first webhook

FIRST = "A first webhook in five minutes"


def test_the_first_webhook_works_as_printed(house: House) -> None:
    port = free_port()
    number, secret = house.add(
        the(FIRST, "sh", "webhook add").partition("\n")[0],
        (RECEIVER, f"http://127.0.0.1:{port}"),
    )
    start = the(FIRST, "sh", "flask --app")
    assert "WEBHOOK_SECRET=whsec_… venv/bin/flask --app receiver run --port 5000" in start
    assert secret.startswith("whsec_")
    program = the(FIRST, "python")
    with flask(program, port, house.folder, WEBHOOK_SECRET=secret) as receiver:
        test = the(FIRST, "sh", "webhook test").strip()
        assert test.endswith(" 1")
        shown = house.owner(test.removesuffix("1") + number)
        assert "204" in shown
        lines = len(receiver.log)
        push = the(FIRST, "sh", "/webhook ").replace(GATEWAY, house.gateway.url)
        done = subprocess.run(
            ["bash", "-c", push.replace("curl", "curl -sS", 1)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(done.stdout)["stored"] == 1
        (promised,) = re.findall(r"The receiver prints `(.*)`", DOCUMENT)
        receiver.wait_for_line(promised)
        assert len(receiver.log) > lines
        unsigned = httpx.post(f"{receiver.url}/sms", json={}, trust_env=False)
        assert unsigned.status_code == 401


def test_a_webhook_is_made_over_http_as_printed(house: House) -> None:
    (make,) = (b for b in printed(FIRST, "sh") if "/webhooks/" in b)
    with recording() as receiver:
        command = make.replace(GATEWAY, house.gateway.url).replace(RECEIVER, receiver.url)
        done = subprocess.run(
            ["bash", "-c", command.replace("curl", "curl -sS", 1)],
            capture_output=True,
            text=True,
            check=True,
        )
        made = json.loads(done.stdout)
        assert made["ok"], made
        house.receive()
        assert json.loads(receiver.next().body)["type"] == "message.received"


# -- what it gets


def test_the_printed_bodies_are_what_receivers_get(fresh: House) -> None:
    with recording() as receiver:
        for shape in get_args(Shape):
            add = f"phonegate webhook add myorg http://receiver/{shape} --shape {shape}"
            fresh.add(add, ("http://receiver", receiver.url))
        fresh.receive(date=1796032800000)
        calls = [receiver.next() for _ in get_args(Shape)]
    bodies = {call.path.removeprefix("/"): call.body.decode() for call in calls}
    form = the("Shape `twilio`", "text twilio").replace("\n", "")
    assert parse_qsl(form, keep_blank_values=True) == parse_qsl(
        bodies["twilio"], keep_blank_values=True
    )
    for shape in ("standard", "flat", "smsgate"):
        example = json.loads(the(f"Shape `{shape}`", f"json {shape}"))
        found = json.loads(bodies[shape])
        assert steady(example) == steady(found)
        assert list(example) == list(found)


def steady(value: Any) -> Any:
    """A body without what is another at each run: times."""
    if not isinstance(value, dict):
        return value
    times = {"created_at", "last_seen"}
    return {key: "now" if key in times else steady(inner) for key, inner in value.items()}


def test_the_printed_event_of_a_phone_is_what_receivers_get(house: House) -> None:
    house.receive()
    with recording() as receiver:
        add = "phonegate webhook add myorg http://receiver --event phone.online"
        house.add(add, ("http://receiver", receiver.url))
        # Its coming is noted after the connection is made, with the SIMs that are known by then.
        with house.phone(device_id="kitchen", sims=False):
            call = receiver.next()
    example = json.loads(the("Shape `standard`", "json phone"))
    found = json.loads(call.body)
    assert {**steady(example), "id": 0} == {**steady(found), "id": 0}


def test_a_refused_address_names_the_line_as_printed(tmp_path: Path) -> None:
    refusal = the("Where webhooks may go", "text").strip()
    with GatewayProcess(tmp_path / "phonegate.db") as gateway:
        run_owner("phonegate org add myorg", tmp_path)
        key = key_of(run_owner("phonegate key add myorg app", tmp_path))
        answer = httpx.post(
            f"{gateway.url}/webhooks/myorg",
            json={"url": "http://127.0.0.1:5000/sms", "events": ["message.received"]},
            headers={"Authorization": f"Bearer {key}"},
            trust_env=False,
        )
    assert (answer.status_code, answer.json()["code"]) == (403, "address_refused")
    assert answer.json()["detail"] == refusal


def test_every_type_of_event_is_listed() -> None:
    table = DOCUMENT.partition("\n## ")[0]
    rows = re.findall(r"^\| (`[a-z.]+`(?:, `[a-z.]+`)*) \|", table, re.MULTILINE)
    assert re.findall(r"`([a-z.]+)`", " ".join(rows)) == list(EVENT_TYPES)


def test_the_printed_schedule_is_the_codes_own() -> None:
    (line,) = re.findall(
        r"^- \*\*A failure is tried again\*\* after (.*)\. `Retry", DOCUMENT, re.MULTILINE
    )
    units = {"s": 1, "min": 60, "h": 3600}
    first, last = re.fullmatch(r"(.*), then every (\d+) h, for 3 days", line).groups()  # type: ignore[union-attr]
    delays = [int(n) * units[u] for n, u in re.findall(r"(\d+) (s|min|h)", first)]
    assert tuple(delays) == schedule.DELAYS_S
    assert int(last) * 3600 == schedule.LATER_S
    assert schedule.LASTS_MS == 3 * 86_400_000


# -- who calls

CHECKS = "Checking who calls"
SMS = "phonegate webhook add myorg http://receiver --event message.received"


def test_the_check_by_hand_is_right(house: House) -> None:
    with recording() as receiver:
        _, secret = house.add(SMS, ("http://receiver", receiver.url))
        house.receive("Ünïcode 🙂")
        call = receiver.next()
    names: dict[str, Any] = {}
    exec(the(CHECKS, "python"), names)
    is_signed: Callable[..., bool] = names["is_signed"]
    assert is_signed(secret, call.headers, call.body)
    assert not is_signed(secret, call.headers, call.body + b" ")
    assert not is_signed(secret, {**call.headers, "webhook-timestamp": "1"}, call.body)
    assert not is_signed(secret, {**call.headers, "webhook-signature": "v1,é"}, call.body)
    assert not is_signed(secret, {}, call.body)


# -- the commands


@pytest.mark.parametrize(
    "command", sorted(set(re.findall(r"^ *(phonegate .*)$", DOCUMENT, re.MULTILINE)))
)
def test_every_printed_command_exists(command: str) -> None:
    command = command.removesuffix("\\")
    words = command.split()[1:3]
    while words:
        shown = CliRunner().invoke(group, [*words, "--help"])
        if shown.exit_code == 0:
            break
        words.pop()
    assert words, command
    assert set(re.findall(r" (--[a-z-]+)", command)) <= set(re.findall(r"--[a-z-]+", shown.output))


def test_a_webhook_is_tested_replayed_and_rotated_as_printed(house: House) -> None:
    commands = the("Test, log, replay, rotate", "sh").strip().splitlines()
    with recording() as receiver:
        number, secret = house.add(SMS, ("http://receiver", receiver.url))
        house.receive()
        first = receiver.next()
        for command in commands:
            words = command.split()
            if "replay" in words:
                assert words[-1] == "7"
                log = json.loads(house.owner(f"phonegate webhook log myorg {number} --json"))
                (real,) = (one for one in log["deliveries"] if one["event_id"])
                words[-1] = str(real["n"])
            if words[-1] != "myorg":
                words[4] = number
            shown = house.owner(" ".join(words))
            match words[2]:
                case "test":
                    assert json.loads(receiver.next().body)["test"] is True
                case "log":
                    assert "message.received" in shown
                    assert "204" in shown
                case "replay":
                    again = receiver.next()
                    assert again.headers["webhook-id"] == first.headers["webhook-id"]
                case "rotate":
                    assert "whsec_" in shown
                    assert secret not in shown
                    house.receive("after it")
                    assert receiver.next().headers["webhook-signature"].count("v1,") == 2
        assert number not in house.owner("phonegate webhook list myorg --json")


def test_every_reason_that_is_explained_is_one_that_a_call_gives() -> None:
    _, _, section = DOCUMENT.partition("\n## When a webhook does not work\n")
    table = section.partition("\n## ")[0]
    explained = re.findall(
        r"`([^`]+)`", " ".join(re.findall(r"^\| (`.*?) \|", table, re.MULTILINE))
    )
    assert len(explained) > 10
    given = "".join(
        Path(str(module.__file__)).read_text(encoding="utf-8")
        for module in (caller, outgoing_address, outgoing_call)
    )
    for reason in explained:
        # The numbers stand in constants.
        beginning = re.split(r"\d", reason, maxsplit=1)[0]
        assert beginning in given, reason


# -- recipes


def test_a_program_made_for_twilio_answers_as_printed(house: House) -> None:
    section = "Programs that were made for Twilio"
    port = free_port()
    address = "http://192.168.1.20:5000", f"http://127.0.0.1:{port}"
    _, secret = house.add(the(section, "sh", "webhook add"), address)
    program = the(section, "python")
    with (
        flask(program, port, house.folder, TWILIO_AUTH_TOKEN=secret) as receiver,
        house.phone() as phone,
    ):
        house.receive("Ünïcode 🙂 & more")
        frame = json.loads(phone.recv(timeout=PATIENCE_S))
        assert (frame["to"], frame["body"]) == (SENDER, "You wrote: Ünïcode 🙂 & more")
        (reply,) = house.messages()
        assert reply["sim"] == SIM
        forged = httpx.post(f"{receiver.url}/sms", data={"Body": "x"}, trust_env=False)
        assert forged.status_code == 403


def test_ntfy_gets_its_templates_as_printed(house: House) -> None:
    with recording() as receiver:
        command = the("ntfy", "sh", "webhook add").replace("\\\n", "")
        house.add(command, ("https://ntfy.example.org", receiver.url), ("tk_…", "tk_123"))
        house.receive()
        call = receiver.next()
    assert call.path == "/my-sms"
    assert call.headers["authorization"] == "Bearer tk_123"
    assert as_ntfy_shows(call) == (f"SMS from {SENDER}", "Dinner at eight?")


def as_ntfy_shows(call: Call) -> tuple[str, str]:
    """Title and message, read from a call as the server of ntfy 2.13 does (server/server.go).

    Of Go's templates there is what the document uses: a field.
    """
    assert call.headers["template"] in {"1", "yes", "true"}
    fields = json.loads(call.body)

    def filled(name: str) -> str:
        return re.sub(r"\{\{\.(\w+)\}\}", lambda one: str(fields[one[1]]), call.headers[name])

    return filled("title"), filled("message")


# -- streams


@contextlib.contextmanager
def running(command: list[str], **variables: str) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **variables},
    ) as process:
        yield process
        process.terminate()


def until_followed(house: House, read: Callable[[], T]) -> T:
    """Hands in one SMS after the other until a reader has one, since it may not listen yet."""
    stop = threading.Event()

    def go_on() -> None:
        number = 0
        while not stop.wait(0.2):
            number += 1
            house.receive(f"number {number}")

    sender = threading.Thread(target=go_on)
    sender.start()
    try:
        return read()
    finally:
        stop.set()
        sender.join()


def test_curl_follows_the_stream_as_printed(house: House) -> None:
    follow = the("Streams", "sh").strip().replace(GATEWAY, house.gateway.url)
    command = follow.replace("curl", "exec curl -sS", 1)
    with running(["bash", "-c", command]) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        line = until_followed(house, lambda: next(one for one in lines if one.startswith("data:")))
    assert json.loads(line.removeprefix("data:"))["type"] == "message.received"


def test_the_reader_of_httpx_sse_goes_on_after_a_restart(fresh: House) -> None:
    program = the("Streams", "python").replace(GATEWAY, fresh.gateway.url)
    with running([sys.executable, "-u", "-c", program], NO_PROXY="*") as process:
        assert process.stdout is not None
        line = until_followed(fresh, process.stdout.readline)
        assert re.fullmatch(rf"\{SENDER}: number \d+\n", line), line
        fresh.receive("the last one before")
        while "the last one before" not in line:
            line = process.stdout.readline()
        fresh.gateway.kill()
        database, port = fresh.gateway.database, fresh.gateway.port
        with GatewayProcess(database, port=port) as gateway:
            again = House(gateway, fresh.folder)
            again.receive("while it was away")
            assert process.stdout.readline() == f"{SENDER}: while it was away\n"


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_the_script_of_long_polls_prints_each_sms_once(house: House) -> None:
    script = the("Long poll", "bash").replace(GATEWAY, house.gateway.url)
    with running(["bash", "-c", script], NO_PROXY="*") as process:
        assert process.stdout is not None
        line = until_followed(house, process.stdout.readline)
        assert re.fullmatch(rf"\{SENDER}: number \d+\n", line), line
        house.receive("the last one")
        lines = [line]
        while "the last one" not in lines[-1]:
            lines.append(process.stdout.readline())
        assert len(set(lines)) == len(lines)


def test_a_long_poll_answers_as_printed(house: House) -> None:
    first, then = the("Long poll", "sh").strip().splitlines()

    def page(command: str) -> Any:
        local = command.replace(GATEWAY, house.gateway.url).replace("curl", "curl -sS", 1)
        done = subprocess.run(
            ["bash", "-c", local], capture_output=True, text=True, check=True, timeout=PATIENCE_S
        )
        return json.loads(done.stdout)

    found = until_followed(house, lambda: page(first))
    assert found["events"][-1]["id"] == found["last_id"]
    house.receive("the next one")
    assert "since_id=1234&" in then
    found = page(then.replace("1234", str(found["last_id"])))
    assert found["events"][-1]["data"]["message"]["body"] == "the next one"

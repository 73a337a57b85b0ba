"""Every sample works as printed, in its own language, against a real gateway with a phone."""

import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from kit.gateway import UNLIMITED, GatewayProcess
from kit.simulated_phone import SimulatedPhone
from phonegate.client import Gateway
from phonegate.pages.samples import LANGUAGES, TASKS, Language, sample
from phonegate.standard_webhooks import ID_HEADER, SIGNATURE_HEADER, TIME_HEADER, signature
from tests.patience import PATIENCE_S

ORG = "myorg"
SECRET = "my-secret-key-123"
OTHER = "+15550001111"

PROGRAMS = {"python": sys.executable, "javascript": "node", "php": "php", "go": "go", "shell": "sh"}

EACH = pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)

SERVERS = [language for language in LANGUAGES if language.name != "shell"]
"""A shell receives no calls: it checks one at a time."""

TASK = {task.name: task for task in TASKS}


class Site:
    """A gateway with a phone, and the samples as files for it."""

    def __init__(self, gateway: GatewayProcess, client: Gateway, folder: Path) -> None:
        self.gateway = gateway
        self.client = client
        self.folder = folder
        body = {"name": "samples", "scopes": ["send", "read"]}
        self.key = client.request("POST", "/keys/{org}", body=body)["key"]
        self._built: dict[str, Path] = {}

    def receive(self, body: str) -> None:
        pushed = {
            "org_id": ORG,
            "secret_key": SECRET,
            "messages": [{"address": OTHER, "body": body}],
        }
        httpx.post(f"{self.gateway.url}/webhook", json=pushed).raise_for_status()

    def words(
        self, language: Language, task: str, changes: Mapping[str, str], port: int = 0
    ) -> list[str]:
        """The command that runs a sample in which some words are others."""
        program = PROGRAMS[language.name]
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
        text = sample(language, TASK[task], self.gateway.url)
        for word, other in changes.items():
            assert word in text
            text = text.replace(word, other)
        folder = self.folder / language.name / task
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"main{language.suffix}"
        path.write_text(text)
        if language.name == "go":
            return [str(self._go(folder))]
        if (language.name, task) == ("php", "verify"):
            return ["php", "-S", f"127.0.0.1:{port}", str(path)]
        return [program, str(path)]

    def _go(self, folder: Path) -> Path:
        binary = folder / "sample"
        environment = {**os.environ, "GO111MODULE": "off"}
        words = ["go", "build", "-o", str(binary), str(folder / "main.go")]
        subprocess.run(words, env=environment, check=True, timeout=5 * PATIENCE_S)
        return binary

    def environment(self, **more: str) -> dict[str, str]:
        root = str(Path(__file__).parents[2])
        return {**os.environ, "PHONEGATE_KEY": self.key, "PYTHONPATH": root, **more}

    def run(self, language: Language, task: str, **changes: str) -> str:
        """What a sample prints that comes to an end."""
        done = subprocess.run(
            self.words(language, task, changes),
            env=self.environment(),
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_S,
        )
        return done.stdout

    @contextmanager
    def running(self, words: list[str], **more: str) -> Iterator[Path]:
        """Runs a sample that goes on, and gives the file that it prints to."""
        path = self.folder / "output.txt"
        with path.open("wb") as output:
            process = subprocess.Popen(
                words, env=self.environment(**more), stdout=output, stderr=output
            )
            try:
                yield path
                assert process.poll() is None, path.read_text()
            finally:
                process.send_signal(signal.SIGKILL)
                process.wait()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("samples")
    settings = {**UNLIMITED, "WEBHOOKS_ALLOW": "127.0.0.0/8"}
    with GatewayProcess(folder / "phonegate.db", settings=settings) as gateway:
        httpx.post(
            f"{gateway.url}/webhook",
            json={
                "org_id": ORG,
                "secret_key": SECRET,
                "messages": [{"address": OTHER, "body": "é ☎"}],
            },
        ).raise_for_status()
        phone = SimulatedPhone(
            folder, gateway.url, org=ORG, secret=SECRET, name="p", number="+15551112222"
        )
        with phone, Gateway(gateway.url, SECRET, ORG) as client:
            until(lambda: bool(client.sims().live_sims))
            yield Site(gateway, client, folder)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@EACH
def test_what_is_sent_is_sent_once(site: Site, language: Language) -> None:
    before = site.client.page(limit=1)[0].id
    key = {"dinner-2026-11-21": f"dinner-{language.name}"}
    printed = [site.run(language, "send", **key) for _ in range(2)]
    (sent,) = site.client.page(since=before)
    assert (sent.address, sent.body) == ("+15553334444", "Dinner at eight?")
    assert all(str(sent.id) in text for text in printed)
    assert site.client.wait(sent, deadline_s=PATIENCE_S).has_left


@EACH
def test_what_came_in_is_read(site: Site, language: Language) -> None:
    printed = site.run(language, "read")
    assert "é ☎" in printed
    assert OTHER in printed


@EACH
def test_what_comes_in_is_followed(site: Site, language: Language) -> None:
    words = site.words(language, "follow", {})
    with site.running(words) as output:

        def shown(part: str) -> bool:
            return part in output.read_text()

        def begun() -> bool:
            site.receive(f"begin {time.monotonic_ns()}")
            return shown("begin ")

        until(begun)
        bodies = [f"{language.name} {number}" for number in range(3)]
        for body in bodies:
            site.receive(body)
        until(lambda: shown(bodies[-1]))
        text = output.read_text()
    assert [text.count(body) for body in bodies] == [1, 1, 1]


@pytest.mark.parametrize("language", SERVERS, ids=lambda language: language.name)
def test_a_webhook_is_verified(site: Site, language: Language) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    made = site.client.add_webhook(url, ["phone.*"])
    # A server of PHP's own listens for a program that names no port.
    changes = {"8000": str(port)} if language.name != "php" else {}
    words = site.words(language, "verify", changes, port)
    with site.running(words, WEBHOOK_SECRET=made.secret) as output:

        def listens() -> bool:
            with socket.socket() as link:
                return link.connect_ex(("127.0.0.1", port)) == 0

        until(listens)
        leave_amid_a_call(port)
        called = site.client.test_webhook(made.webhook.id)
        assert called.delivery.status == 204, output.read_text()
        assert called.delivery.type in output.read_text()
        body = b'{"id":1,"type":"message.received","created_at":"2026-11-21T08:00:00Z","data":{}}'
        now = int(time.time())
        for headers, status in (
            (signed(made.secret, now, body), 204),
            (signed(made.secret, now, body + b" "), 400),
            (signed("whsec_" + "A" * 44, now, body), 400),
            (signed(made.secret, now - 600, body), 400),
            ({ID_HEADER: "1"}, 400),
        ):
            assert httpx.post(url, content=body, headers=headers).status_code == status
    site.client.remove_webhook(made.webhook.id)


def leave_amid_a_call(port: int) -> None:
    """Breaks a connection off before the body has come, as any stranger may."""
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
        # The end of the connection is a reset (socket(7)).
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def signed(secret: str, seconds: int, body: bytes) -> dict[str, str]:
    return {
        ID_HEADER: "1",
        TIME_HEADER: str(seconds),
        SIGNATURE_HEADER: f"v1,AAAA {signature(secret, '1', str(seconds), body)}",
    }


@pytest.mark.parametrize(
    ("secret", "age", "extra", "code"),
    [
        ("whsec_" + "QUJD" * 8, 0, b"", 0),
        ("whsec_" + "QUJE" * 8, 0, b"", 1),
        ("whsec_" + "QUJD" * 8, 600, b"", 1),
        ("whsec_" + "QUJD" * 8, -600, b"", 1),
        ("whsec_" + "QUJD" * 8, 0, b" ", 1),
    ],
)
def test_a_shell_verifies_a_call(
    site: Site, secret: str, age: int, extra: bytes, code: int
) -> None:
    (shell,) = (language for language in LANGUAGES if language not in SERVERS)
    body = b'{"type":"message.received"}\n'
    headers = signed("whsec_" + "QUJD" * 8, int(time.time()) - age, body)
    named = {name.upper().replace("-", "_"): value for name, value in headers.items()}
    done = subprocess.run(
        site.words(shell, "verify", {}),
        env=site.environment(WEBHOOK_SECRET=secret, **named),
        input=body + extra,
        capture_output=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == code, done.stderr


def test_every_language_has_every_task() -> None:
    assert {tuple(language.samples) for language in LANGUAGES} == {tuple(TASK)}

"""serve and demo: what they print, and that they work as whole programs."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from kit.gateway import GatewayProcess
from phonegate.cli import main, tour
from phonegate.cli.serve import where_to_look
from phonegate.config.setting_texts import variable_of
from phonegate.config.settings import Settings
from phonegate.operations import offline
from phonegate.operations.control_client import OwnerRequest
from tests.patience import PATIENCE_S


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_container_says_that_its_addresses_are_its_own_unless_it_has_the_public_one() -> None:
    bound, variable = [("0.0.0.0", 8080)], variable_of("http", "public_url")
    hinted = where_to_look(bound, "http", "", "x.db", "closed", set_up="/set-up", contained=True)
    assert [line for line in hinted if variable in line]
    for lines in (
        where_to_look(bound, "http", "http://nas:8080", "x.db", "closed", contained=True),
        where_to_look(bound, "http", "", "x.db", "closed"),
    ):
        assert not [line for line in lines if variable in line]


def test_where_to_look_names_addresses_that_work() -> None:
    lines = where_to_look([("0.0.0.0", 8080), ("::", 8080)], "http", "", "x.db", "local")
    assert "http://127.0.0.1:8080, http://[::1]:8080" in lines[1]
    assert "  New orgs    from this machine and private networks (phonegate registration)" in lines
    assert re.search(r"ws://[\d.]+:8080/websocket\?org_id=ORG&secret_key=SECRET", lines[2])
    lines = where_to_look([("127.0.0.1", 443)], "https", "https://sms.example.org/", "x.db", "open")
    assert "wss://sms.example.org/websocket" in lines[2]
    lines = where_to_look([("::1", 80)], "http", "", "x.db", "local", prefix="/sms")
    assert "http://[::1]:80/sms" in lines[1]
    assert "ws://[::1]:80/sms/websocket?" in lines[2]
    assert "  Console     http://[::1]:80/sms/console" in lines
    public = where_to_look(
        [("0.0.0.0", 80)],
        "http",
        "https://sms.example.org/x",
        "x.db",
        "local",
        set_up="/console/set-up/AbC",
    )
    assert "  Set up      https://sms.example.org/x/console/set-up/AbC" in public
    assert not any("Console" in line for line in public)
    lines = where_to_look([("localhost", 1), ("::1", 2)], "https", "", "x.db", "closed")
    assert "https://localhost:1, https://[::1]:2" in lines[1]


def test_serve_refuses_a_file_that_is_no_database(capsys: pytest.CaptureFixture[str]) -> None:
    Path("diary.txt").write_text("dear diary")
    assert main(["serve", "--database", "diary.txt", "--bind", "127.0.0.1:0"]) == 1
    error = capsys.readouterr().err
    assert "diary.txt: this is not a database" in error
    assert "Traceback" not in error
    assert Path("diary.txt").read_text() == "dear diary"


def test_serve_refuses_an_address_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert main(["serve", "--bind", address]) == 1
    error = capsys.readouterr().err
    assert address in error
    assert "Traceback" not in error


class Program:
    """phonegate as a process of its own."""

    def __init__(self, *words: str, wrapper: tuple[str, ...] = ()) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PHONEGATE_")}
        self.process = subprocess.Popen(
            [*wrapper, sys.executable, "-m", "phonegate", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**environment, "PYTHONUNBUFFERED": "1"},
        )

    def until(self, pattern: str) -> str:
        """Reads its output up to a line that has the pattern."""
        seen = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            seen.append(line)
            if found := re.search(pattern, line):
                return found[0]
        raise AssertionError("".join(seen))

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    started: list[Program] = []
    yield started
    for program in started:
        program.process.kill()
        program.process.communicate()


def test_serve_needs_no_configuration_and_is_administered_while_it_serves(
    programs: list[Program], capsys: pytest.CaptureFixture[str]
) -> None:
    program = Program("serve", "--bind", "127.0.0.1:0")
    programs.append(program)
    url = program.until(r"http://127\.0\.0\.1:\d+")
    with urllib.request.urlopen(f"{url}/health", timeout=PATIENCE_S) as answer:
        assert answer.status == 200
    assert main(["org", "add", "myorg"]) == 0
    assert main(["backup", "copy.db"]) == 0
    assert Path("copy.db").stat().st_mode & 0o077 == 0
    assert main(["check"]) == 0
    assert "is served by phonegate" in capsys.readouterr().out
    second = Program("serve", "--bind", "127.0.0.1:0")
    programs.append(second)
    assert second.process.wait(PATIENCE_S) == 1
    assert program.stop() == 0
    assert not Path("phonegate.db.sock").exists()
    assert main(["org", "list"]) == 0
    assert "myorg" in capsys.readouterr().out


def test_an_empty_gateway_prints_a_set_up_link_once_and_shows_it_again(
    programs: list[Program], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["setup"]) == 1
    assert "Start it with `phonegate serve`" in capsys.readouterr().err
    program = Program("serve", "--bind", "127.0.0.1:0")
    programs.append(program)
    link = program.until(r"Set up +http://\S+").split()[-1]
    with urllib.request.urlopen(link, timeout=PATIENCE_S) as answer:
        assert "Set up this gateway" in answer.read().decode()
    assert main(["setup"]) == 0
    assert capsys.readouterr().out == f"{link}\n"
    assert main(["setup", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["links"][0] == link
    assert main(["org", "add", "home"]) == 0
    capsys.readouterr()
    assert main(["setup"]) == 0
    home = link.partition("/set-up")[0]
    assert capsys.readouterr().out.startswith(f"The gateway is set up. Sign in at {home}\n")
    assert program.stop() == 0
    assert program.process.stdout is not None
    assert link.rpartition("/")[2] not in program.process.stdout.read()
    again = Program("serve", "--bind", "127.0.0.1:0")
    programs.append(again)
    again.until(r"Console +http://\S+/console$")


def test_demo_once_shows_a_round_trip_each_way() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "phonegate", "demo", "--once"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done
    assert '"stored": 1' in done.stdout or '"stored":1' in done.stdout
    assert "the phone sends to +15553334444: Sent from the API." in done.stdout
    assert re.search(r"-> \+15553334444 +sent ", done.stdout)
    assert "<- +15553334444     received   Yes, all well!" in done.stdout
    assert done.stderr == ""
    assert list(Path().iterdir()) == []


def test_demo_prints_lines_to_copy_that_work(programs: list[Program]) -> None:
    program = Program("demo", "--port", "0")
    programs.append(program)
    url = program.until(r"^Open http://127\.0\.0\.1:\d+/console in a browser").split()[1]
    org = program.until(r"^  Org  .*").split()[1]
    secret = program.until(r"^  Secret  .*").split()[1]
    with httpx.Client(timeout=PATIENCE_S, follow_redirects=True, trust_env=False) as client:
        token = re.findall(r'name="csrf" value="([^"]+)"', client.get(url).text)[0]
        form = {"org": org, "secret": secret, "csrf": token}
        origin = {"Origin": url.removesuffix("/console")}
        page = client.post(f"{url}/sign-in", data=form, headers=origin)
        assert "demo</p>" in page.text
    send = program.until(r"curl -X POST .*") + program.until(r"^ +-H .*").strip()
    copied = send.replace("\\", " ").replace("curl", f"curl -sS --max-time {PATIENCE_S}")
    subprocess.run(["bash", "-c", copied], check=True, capture_output=True)
    program.until("the phone sends to .*: hello")
    program.until("<- .*received")
    assert program.stop(signal.SIGINT) == 0
    program.until("Stopped: the gateway and the simulated phone. Their database is removed.")


def test_demo_moves_by_itself(programs: list[Program]) -> None:
    program = Program("demo", "--port", "0")
    programs.append(program)
    program.until("the phone sends to .*: Sent by the demo")
    program.until(r"-> \+15553334444 +delivered ")
    assert program.stop(signal.SIGINT) == 0


def test_nohup_lets_a_demo_outlive_its_terminal(programs: list[Program]) -> None:
    program = Program("demo", "--port", "0", wrapper=("nohup",))
    programs.append(program)
    program.until("the phone sends to")
    program.process.send_signal(signal.SIGHUP)
    program.until(r"delivered ")
    assert program.stop() == 0


def test_a_port_in_use_is_not_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert tour.free_port(taken.getsockname()[1]) == 0


def test_more_may_connect_than_the_system_lets_programs_open_at_first(tmp_path: Path) -> None:
    few = ("sh", "-c", 'ulimit -Sn 64 && exec "$@"', "sh")
    with GatewayProcess(tmp_path / "x.db", wrapper=few) as gateway, ExitStack() as stack:
        for _ in range(80):
            stack.enter_context(socket.create_connection(("127.0.0.1", gateway.port), PATIENCE_S))
        with urllib.request.urlopen(f"{gateway.url}/health", timeout=PATIENCE_S) as answer:
            assert answer.status == 200


def test_serve_names_in_its_log_what_lies_open(programs: list[Program]) -> None:
    path = Path("gateway.toml")
    path.write_text('[operator]\nbind = "127.0.0.1:0"\ntoken = "0123456789abcdefghij"\n')
    path.chmod(0o644)
    program = Program("serve", "--bind", "127.0.0.1:0")
    programs.append(program)
    assert "chmod 600" in program.until(r"exposed.*")
    program.until("Stop")
    assert program.stop() == 0


def test_it_says_at_its_start_whose_callbacks_nothing_proves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "x.db"

    def post(target: str, body: dict[str, Any]) -> None:
        offline.carry_out(Settings(), database, OwnerRequest("POST", target, body))

    post("/orgs", {"org": "myorg"})
    key = {"public_key": "e5cAArZTqWGQwnCPbXmmXBBWsBZSiZbVqwzTrRRCy+0="}
    no_key: dict[str, str] = {}
    for name, number, more in (("bare", "+15551112222", no_key), ("s", "+15553334444", key)):
        credentials = {"api_key": "KEY0123456789", **more}
        fields = {"name": name, "provider": "telnyx", "phone_numbers": [number]}
        post("/assistants?org_id=myorg", fields | {"credentials": credentials})
    with GatewayProcess(database) as gateway:
        lines = [json.loads(line) for line in gateway.log if "callbacks_unsigned" in line]
        assert [line["assistants"] for line in lines] == [[1]]
        assert "public_key" in lines[0]["reason"]
        main(["check", "--database", str(database)])
    output = capsys.readouterr().out
    assert "bare of myorg: without public_key" in output
    assert "s of myorg" not in output


@pytest.mark.parametrize(("bind", "warned"), [("0.0.0.0:0", True), ("127.0.0.1:0", False)])
def test_serve_warns_while_every_caller_may_make_an_org(
    programs: list[Program], bind: str, *, warned: bool
) -> None:
    Path("gateway.toml").write_text('[orgs]\nregistration = "open"\n[log]\nformat = "json"\n')
    program = Program("serve", "--bind", bind)
    programs.append(program)
    assert program.process.stdout is not None
    seen = []
    for line in program.process.stdout:
        seen.append(line)
        if "Stop" in line:
            break
    assert any('"registration_open"' in line for line in seen) == warned
    assert program.stop() == 0

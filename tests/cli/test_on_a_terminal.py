"""What a person sees on a terminal, and what a file gets in its place."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from kit.gateway import GatewayProcess
from phonegate.cli import columns, main
from tests.cli.pseudo import COLUMNS, terminal
from tests.cli.stub import Fake, Stream, accepted, events_page, message

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
SECRET = "my-secret-key-123"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def piped(*words: str, **environ: str) -> str:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PHONEGATE_") and name not in {"NO_COLOR", "FORCE_COLOR"}
    }
    done = subprocess.run(
        [sys.executable, "-m", "phonegate", *words],
        capture_output=True,
        text=True,
        env={**kept, **environ},
        check=False,
    )
    return done.stdout


def test_findings_have_colours_on_a_terminal_alone() -> None:
    Path("gateway.toml").write_text("[http]\ndrain_s = -1\n")
    with terminal("check") as shown:
        code, text = shown.rest()
    assert code == 1
    assert "\x1b[31m\x1b[1mFAULT\x1b[0m  configuration: http.drain_s" in text
    assert "\x1b[32mok   \x1b[0m  Python" in text
    with terminal("check", TERM="dumb") as shown:
        code, text = shown.rest()
    assert "FAULT  configuration" in text
    assert not COLOUR.search(text)
    assert not COLOUR.search(piped("check"))
    assert COLOUR.search(piped("check", FORCE_COLOR="1"))


def test_the_logs_levels_obey_too() -> None:
    for environ, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        with terminal("serve", "--bind", "127.0.0.1:0", **environ) as shown:
            line = shown.until(r".*listening.*")
            assert bool(COLOUR.search(line)) is coloured
            shown.process.send_signal(signal.SIGTERM)
            assert shown.rest()[0] == 0


def test_the_end_of_the_terminal_stops_the_gateway_in_order(tmp_path: Path) -> None:
    with terminal("serve", "--bind", "127.0.0.1:0") as shown:
        shown.until("Stop        Ctrl-C")
        assert shown.hang_up() == 0
    left = {found.name for found in tmp_path.iterdir()}
    assert left == {"phonegate.db", "phonegate.db.lock"}


def test_the_end_of_the_terminal_leaves_nothing_of_a_demo(tmp_path: Path) -> None:
    with terminal("demo", "--port", "0", TMPDIR=str(tmp_path)) as shown:
        shown.until("the phone sends to")
        shown.hang_up()
    assert list(tmp_path.iterdir()) == []


def test_the_end_of_the_terminal_ends_a_phone(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "x.db") as gateway:
        environ = {"PHONEGATE_SECRET": SECRET, "PHONEGATE_ORG": "myorg"}
        journal = str(tmp_path / "journal")
        words = ("phone", "--simulate", "--url", gateway.url, "--journal", journal)
        with terminal(*words, **environ) as shown:
            shown.until("connected")
            assert shown.hang_up() >= 0


def test_following_ends_with_a_line_of_its_own() -> None:
    with Fake().serving() as fake:
        fake.answers["/messages/myorg"] = [(200, {"messages": [message(1)]})]
        fake.answers["/events/myorg"] = [
            *[events_page(last=7)] * 2,
            (200, Stream(b": events\n\n", held=True)),
        ]
        with terminal("messages", "--follow", **client(fake)) as shown:
            shown.until(r"hello.*there\n")
            shown.type(b"\x03")
            code, text = shown.rest()
    assert code == 0
    assert text.endswith("^C\n")


def client(fake: Fake) -> dict[str, str]:
    return {"PHONEGATE_URL": fake.url, "PHONEGATE_ORG": "myorg", "PHONEGATE_SECRET": SECRET}


def test_a_wait_shows_what_it_waits_for_on_one_line() -> None:
    with Fake().serving() as fake:
        fake.answers["/send/myorg"] = [(200, accepted(5, status="queued"))]
        waiting = message(5, direction="out", status="queued", waiting_for="phone")
        sent = {**waiting, "status": "sent", "waiting_for": None}
        fake.answers["/messages/myorg/id/5"] = [
            (200, {"message": waiting}),
            (200, {"message": waiting}),
            (200, {"message": sent}),
        ]
        words = ("send", "--to", "+1555", "hello", "--wait", "60")
        with terminal(*words, **client(fake)) as shown:
            shown.until(
                r"\r\x1b\[K\d+ s: message 5 is queued and waits for its phone, which is away"
            )
            code, text = shown.rest()
        assert code == 0
        # The line is taken away before the outcome.
        assert re.search(r"\r\x1b\[K\x1b\[1mid", text)
        assert "\x1b[32msent\x1b[0m" in text
        assert all(len(part) < COLUMNS for part in re.split(r"\r\x1b\[K|\n", text))

        fake.answers["/messages/myorg/id/5"] = [(200, {"message": sent})]
        assert piped(*words, **client(fake)).splitlines()[1].split() == [
            *("5", "+15553334444", "sent", "-")
        ]


def test_states_have_colours_and_a_file_gets_none() -> None:
    with Fake().serving() as fake:
        page = {"messages": [message(1), message(2, direction="out", status="failed")]}
        fake.answers["/messages/myorg"] = [(200, page)]
        with terminal("messages", **client(fake)) as shown:
            _, text = shown.rest()
        assert "\x1b[36mreceived \x1b[0m" in text
        assert "\x1b[31mfailed   \x1b[0m" in text
        assert not COLOUR.search(piped("messages", **client(fake)))
        assert json.loads(piped("messages", "--json", **client(fake)).splitlines()[0])["id"] == 1


def test_keys_fit_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["org", "add", "myorg"]) == 0
    words = "--to +1555* --to 911 --per-hour 10 --quiet 22:00-07:00 --zone Europe/Berlin --hold"
    assert main(["key", "add", "myorg", "agent", *words.split()]) == 0
    with terminal("key", "list", "myorg") as shown:
        code, text = shown.rest()
    assert code == 0
    lines = COLOUR.sub("", text).splitlines()
    assert max(map(columns.width, lines)) <= COLUMNS
    assert "Europe/Berlin" in text
    # A file has a line for each.
    assert len(piped("key", "list", "myorg").splitlines()) == 2


def test_a_simulated_phone_tells_a_person_what_it_does(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "x.db") as gateway:
        headers = {"X-Secret-Key": SECRET}
        first: dict[str, Any] = {"org_id": "myorg", "messages": [{"address": "+1", "body": "x"}]}
        httpx.post(f"{gateway.url}/webhook", headers=headers, json=first).raise_for_status()
        key = httpx.post(f"{gateway.url}/keys/myorg", headers=headers, json={"name": "phone"})
        # A key is enough: it names its org.
        environ = {"PHONEGATE_URL": gateway.url, "PHONEGATE_KEY": key.json()["key"]}
        with terminal("phone", "--simulate", **environ) as shown:
            shown.until("phone: sim-0001: connected")
            text = {"to": "+15553334444", "body": "hi\x1b[31m"}
            httpx.post(f"{gateway.url}/send/myorg", headers=headers, json=text).raise_for_status()
            shown.until(r"phone: sim-0001: sends to \+15553334444: hi�\[31m\n")
            shown.process.send_signal(signal.SIGINT)
            code, text_shown = shown.rest()
    assert code == 0
    last = text_shown.strip().splitlines()[-1]
    assert last == (
        "Stopped. It was given 1 message and sent 1; it received 0, of which the gateway has 0."
    )

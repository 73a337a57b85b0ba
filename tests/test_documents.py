"""What the pages of the documents print works: the start, assistants, the phone link."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from websockets.sync.client import connect

from kit.fake_carrier import FakeCarrierProcess
from kit.gateway import GatewayProcess
from phonegate.api.openapi.document import HANDSHAKE_ERRORS
from phonegate.domain.credentials import PUBLISHED_SECRETS, secret_problem
from phonegate.phones.frames import ErrorCode
from phonegate.phones.link.frame_reader import read as read_frame
from tests.patience import PATIENCE_S

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
START = (DOCS / "start.md").read_text()
RECEIVING = (DOCS / "receiving.md").read_text()
SENDING = (DOCS / "sending.md").read_text()
CARRIERS = (DOCS / "carriers.md").read_text()
COMMAND_LINE = (DOCS / "command-line.md").read_text()
LINK = (DOCS / "phone-link.md").read_text()
SECRET = "my-secret-key-123"


def blocks(text: str, section: str | None, language: str) -> list[str]:
    """The code blocks of one section of a document, or of all of it."""
    if section is not None:
        (text,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def push() -> str:
    """What the start has its reader push: a secret, a received SMS, and a look at it."""
    return blocks(START, "Without a browser", "sh")[0]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path / "phonegate.db") as process:
        yield process


def run_curls(block: str, gateway: GatewayProcess) -> list[Any]:
    """Runs the commands of a block one by one; their answers."""
    local = block.replace("http://localhost:8080", gateway.url)
    commands = re.findall(r"^curl.*?(?=^#)", local, re.MULTILINE | re.DOTALL)
    done = [
        subprocess.run(
            ["bash", "-c", command.replace("curl", "curl -sS --max-time 60", 1)],
            capture_output=True,
            text=True,
            check=True,
        )
        for command in commands
    ]
    return [json.loads(each.stdout) for each in done]


def test_the_start_works_as_printed(
    gateway: GatewayProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    (serve,) = blocks(START, "With a browser", "sh")
    assert serve == "phonegate serve\n"
    receive, phone, send = blocks(START, "Without a browser", "sh")
    made = subprocess.run(
        ["bash", "-c", receive.splitlines()[0] + "; printenv PHONEGATE_SECRET"],
        capture_output=True,
        text=True,
        check=True,
    )
    secret = made.stdout.strip()
    assert secret_problem(secret) is None
    monkeypatch.setenv("PHONEGATE_SECRET", secret)
    pushed, read = run_curls(receive, gateway)
    assert pushed == {"ok": True, "org_id": "myorg", "stored": 1}
    assert read["messages"][0]["body"] == "hello"
    command = phone.replace("\nphonegate", f"\nexec {sys.executable} -m phonegate").strip()
    command = command.removesuffix("&")
    # Its own phone, and a look at when it is there.
    process = subprocess.Popen(
        ["bash", "-c", f"{command} --url {gateway.url}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not run_curls(f"curl {gateway.url}/sims/myorg/{secret}\n#", gateway)[0]["live_sims"]:
            assert process.poll() is None
        sent, _ = run_curls(send, gateway)
        assert sent["device_online"] is True
        (result,) = sent["results"]
        look = f"curl '{gateway.url}/messages/myorg/{secret}?since_id=1'\n#"
        seen: dict[int, str] = {}
        # The simulated phone confirms, and its recipient replies.
        while seen.get(result["id"]) != "sent" or len(seen) < 2:
            seen = {m["id"]: m["status"] for m in run_curls(look, gateway)[0]["messages"]}
            assert process.poll() is None
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def test_the_printed_phone_is_greeted_and_reports_what_it_sends(
    gateway: GatewayProcess,
) -> None:
    (program,) = blocks(LINK, "The basic protocol", "python")
    local = program.replace("localhost:8080", f"127.0.0.1:{gateway.port}")
    with subprocess.Popen(
        [sys.executable, "-u", "-c", local],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PHONEGATE_SECRET": SECRET},
    ) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["type"] == "connected"
        send = (
            f'curl {gateway.url}/send/myorg/{SECRET} -d \'{{"to":"+15553334444","body":"a"}}\'\n#'
        )
        (result,) = run_curls(send, gateway)[0]["results"]
        assert json.loads(process.stdout.readline())["id"] == result["id"]
        look = f"curl {gateway.url}/messages/myorg/{SECRET}/id/{result['id']}\n#"
        while run_curls(look, gateway)[0]["message"]["status"] != "sent":
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.communicate()[1] == ""


def test_a_program_sends_as_printed(
    gateway: GatewayProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHONEGATE_SECRET", SECRET)
    run_curls(push(), gateway)
    new_key, send = blocks(SENDING, "One call", "sh")
    (key,) = re.findall(r"^key +(pgk_\S+)$", run_owner(new_key, tmp_path), re.MULTILINE)
    (sent,) = run_curls(send.replace("YOUR_API_KEY", key), gateway)
    printed = as_printed(send)
    printed["results"][0]["id"] = sent["results"][0]["id"]
    assert sent == printed
    _, other = blocks(SENDING, "Programs that you already have", "sh")[0].splitlines()
    (taken,) = run_curls(other.replace("YOUR_API_KEY", key) + "\n#", gateway)
    assert taken["ok"] is True


def test_a_poller_reads_as_printed(
    gateway: GatewayProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHONEGATE_SECRET", SECRET)
    run_curls(push(), gateway)
    (read,) = blocks(RECEIVING, "Reading and polling", "sh")
    add = "phonegate key add myorg poller --scope read"
    (key,) = re.findall(r"^key +(pgk_\S+)$", run_owner(add, tmp_path), re.MULTILINE)
    (page,) = run_curls(read.replace("YOUR_API_KEY", key), gateway)
    assert [message["body"] for message in page["messages"]] == ["hello"]


def test_the_command_line_works_as_printed(
    gateway: GatewayProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHONEGATE_SECRET", SECRET)
    commands, completion = blocks(COMMAND_LINE, None, "sh")
    run_curls(push(), gateway)
    local = commands.replace("http://127.0.0.1:8080", gateway.url)
    export, send, *follow, sims = local.splitlines()
    assert follow == ["phonegate messages --follow", "phonegate events --follow"]
    newest = "phonegate events --type message.received --type 'phone.*'"
    send = send.replace("--wait 30", "--wait 0")
    later = re.search(r"`(--send-at .*?)`", COMMAND_LINE)
    assert later is not None
    later_send = f"phonegate send --to +15553334444 Breakfast {later[1]}"
    program = f'phonegate() {{ {sys.executable} -m phonegate "$@"; }}'
    script = f"{program}\n{export}\n{send}\n{later_send}\n{sims}\nphonegate messages\n{newest}"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert "Phones online: 0" in done.stdout
    assert "Dinner at eight" in done.stdout
    assert "To be sent at" in done.stderr
    assert "waits for its phone, which is away" in done.stderr
    bash = next(
        line for line in completion.splitlines() if line.startswith("eval") and "bash" in line
    )
    done = subprocess.run(
        ["bash", "-c", f"{program}\nexport -f phonegate\n{bash}\ncomplete -p phonegate"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "_phonegate_completion" in done.stdout


def run_owner(command: str, folder: Path, typed: str = "") -> str:
    """Runs a command of the gateway's owner in the folder of its database; what it printed."""
    done = subprocess.run(
        ["bash", "-c", re.sub("^phonegate", f"{sys.executable} -m phonegate", command)],
        cwd=folder,
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
        start_new_session=True,  # questions go to whoever started it, and not to a terminal
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_first_message_goes_through_each_provider_as_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHONEGATE_SECRET", SECRET)
    play, begin, new_key, twilio, by_twilio, telnyx, by_telnyx, by_phone = blocks(
        CARRIERS, None, "sh"
    )
    assert play == ".venv/bin/python -m kit.fake_carrier\n"
    variables = re.findall(r"PHONEGATE_(CARRIERS_\w+)=http://127.0.0.1:8090", begin)
    assert len(variables) == 2
    with FakeCarrierProcess() as fake:
        settings = dict.fromkeys(variables, fake.url)
        with GatewayProcess(tmp_path / "phonegate.db", settings=settings) as gateway:
            run_curls(push(), gateway)
            shown = run_owner(new_key, tmp_path)
            (key,) = re.findall(r"^key +(pgk_\S+)$", shown, re.MULTILINE)
            accounts = fake.accounts()
            typed = {
                "twilio": ("account_sid", "auth_token", ""),
                "telnyx": ("api_key", "public_key", "messaging_profile_id"),
            }
            for provider, add, send in (
                ("twilio", twilio, by_twilio),
                ("telnyx", telnyx, by_telnyx),
            ):
                words = [accounts[provider].get(name, "") for name in typed[provider]]
                shown = run_owner(add, tmp_path, "\n".join(words) + "\n")
                assert words[1] not in shown
                (sent,) = run_curls(send.replace("YOUR_API_KEY", key), gateway)
                assert as_printed(send) == {**sent, "message_id": as_printed(send)["message_id"]}
                taken = fake.ledger()["accepted"][-1]
                assert (taken["carrier"], taken["id"]) == (provider, sent["message_id"])
            url = f"ws://127.0.0.1:{gateway.port}/websocket?org_id=myorg&secret_key={SECRET}"
            with connect(url, open_timeout=PATIENCE_S) as phone:
                phone.recv()
                phone.send('{"type":"sims","sims":[{"slot":0,"number":"+15551112222"}]}')
                phone.send('{"type":"ping"}')
                assert json.loads(phone.recv())["type"] == "pong"
                (sent,) = run_curls(by_phone.replace("YOUR_API_KEY", key), gateway)
                printed = as_printed(by_phone)
                assert printed == {**sent, "message_id": printed["message_id"]}
                frame = json.loads(phone.recv())
                assert (str(frame["id"]), frame["body"]) == (
                    sent["message_id"],
                    "sent from my own SIM",
                )


def as_printed(block: str) -> Any:
    """The answer that the document shows below a command."""
    (answer,) = re.findall(r"^# -> (.*)$", block, re.MULTILINE)
    return json.loads(answer)


def test_the_fake_carrier_prints_what_the_document_says_of_it() -> None:
    program = [sys.executable, "-m", "kit.fake_carrier", "--port", "0"]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = ""
        while "_control" not in printed:
            line = process.stdout.readline()
            assert line, "it ended"
            printed += line
        process.terminate()
    for number in re.findall(r"--number (\+\d+)", CARRIERS):
        assert number in printed
    for name in ("account_sid", "auth_token", "api_key", "public_key"):
        assert name in printed


def frames(direction: str) -> list[str]:
    rows = re.findall(rf"^\| {direction} \| (.*)$", LINK, re.MULTILINE)
    found = [text for row in rows for text in re.findall(r"`(\{.*?\})`", row)]
    assert found
    return found


@pytest.mark.parametrize("text", frames("phone → gateway"))
def test_every_printed_frame_of_a_phone_is_understood(text: str) -> None:
    read_frame(text.replace('"…"', '"x"'))


def test_the_printed_frames_of_the_gateway_are_what_it_sends(gateway: GatewayProcess) -> None:
    printed = {
        json.loads(text)["type"]: set(json.loads(text)) for text in frames("gateway → phone")
    }
    url = f"ws://127.0.0.1:{gateway.port}/websocket?org_id=myorg&secret_key={SECRET}"
    with connect(url, open_timeout=PATIENCE_S) as link:
        assert printed["connected"] == set(json.loads(link.recv()))
        for text in frames("phone → gateway"):
            if '"hello"' in text or '"inbound"' in text:
                link.send(text.replace('"…"', '"x"'))
        link.send('{"type":"sims","sims":[{"slot":"x"}]}')
        seen: dict[str, set[str]] = {}
        while not {"error", "inbound_ack"} <= set(seen):
            frame = json.loads(link.recv())
            seen[frame["type"]] = set(frame)
        assert printed["error"] == seen["error"]
        assert printed["inbound_ack"] <= seen["inbound_ack"]


def test_every_secret_that_a_document_prints_is_known_as_such() -> None:
    folders = ("docs", "phonegate/api", "phonegate/pages", "phonegate/cli")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    files += [ROOT / "README.md", ROOT / "gateway.toml.example"]
    texts = [path.read_text() for path in files if path.suffix in {".md", ".py", ".html", ".txt"}]
    place = re.compile(
        r"""(?:X-Secret-Key: ?|secret_key\\?["']?[=:] ?\\?["']?|PHONEGATE_SECRET=["']?"""
        r"""|/(?:messages|sims|send)/\w+/)([A-Za-z0-9_.-]{12,50})(?![\w/.<\[-])"""
    )
    printed = {
        found for text in texts for found in place.findall(text) if secret_problem(found) is None
    }
    assert "my-secret-key-123" in printed
    assert printed <= PUBLISHED_SECRETS


def test_every_code_of_an_error_frame_is_explained() -> None:
    (section,) = re.findall(r"^## Codes of error frames\n(.*?)^## ", LINK, re.MULTILINE | re.DOTALL)
    _, table = section.split("|---|---|\n")
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", table, re.MULTILINE)
    codes = [code for row in rows for code in re.findall(r"`(\w+)`", row)]
    assert sorted(codes) == sorted(get_args(ErrorCode))


def test_every_refusal_of_a_handshake_is_explained() -> None:
    (line,) = re.findall(r"^- Refused before the upgrade.*(?:\n  .*)*", LINK, re.MULTILINE)
    assert {int(status) for status in re.findall(r"\b[45]\d\d\b", line)} == set(HANDSHAKE_ERRORS)
    assert "`org_full`" in line

"""assistant add, list, show and remove; and a gateway that starts with declared ones."""

import io
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kit.gateway import GatewayProcess
from phonegate.carriers.registry import CARRIERS
from phonegate.cli import group, main
from tests.patience import PATIENCE_S

Output = pytest.CaptureFixture[str]

SID = "AC0123456789abcdef0123456789abcdef"
TOKEN = "0123456789abcdef-the-token"
NUMBER = "+15551110001"
TWILIO = ("--provider", "twilio", "--number", NUMBER)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("PHONEGATE_"):
            monkeypatch.delenv(name)
    assert main(["org", "add", "myorg"]) == 0
    capsys.readouterr()


def told(capsys: Output, *words: str) -> str:
    assert main(words) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def refused(capsys: Output, *words: str) -> str:
    assert main(words) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def stored() -> dict[str, Any]:
    """The credentials of the one assistant, as no command shows them."""
    with closing(sqlite3.connect("phonegate.db")) as file:
        ((text,),) = file.execute("SELECT credentials FROM assistants").fetchall()
    found: dict[str, Any] = json.loads(text)
    return found


def test_credentials_from_standard_input(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = f"# of the portal\n\naccount_sid = {SID}\nauth_token={TOKEN}\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    words = ("assistant", "add", "myorg", "support", *TWILIO, "--number", "+15551110002")
    made = json.loads(told(capsys, *words, "--credentials-from", "stdin", "--json"))
    assert made["phone_numbers"] == [NUMBER, "+15551110002"]
    assert made["credentials"] == {"account_sid": "…cdef", "auth_token": "…oken"}
    assert stored() == {"account_sid": SID, "auth_token": TOKEN}

    listed = told(capsys, "assistant", "list", "myorg").splitlines()[1]
    assert listed.split()[:4] == [str(made["id"]), "support", "twilio", f"{NUMBER},+15551110002"]
    assert json.loads(told(capsys, "assistant", "list", "myorg", "--json")) == {
        "assistants": [made]
    }
    Path("gateway.toml").write_text('[http]\npublic_url = "https://sms.example.org"\n')
    shown = told(capsys, "assistant", "show", "myorg", str(made["id"]))
    assert "auth_token   …oken" in shown
    assert f"callbacks    https://sms.example.org/callbacks/twilio/{made['id']}/" in shown
    assert TOKEN not in shown

    removed = told(capsys, "assistant", "remove", "myorg", str(made["id"]))
    assert removed == f"Removed {made['id']}.\n"
    assert "No such assistant" in refused(capsys, "assistant", "show", "myorg", str(made["id"]))
    assert main(["assistant", "remove", "myorg", "support"]) == 2


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("", "no credentials in standard input"),
        (f"account_sid={SID}\n{TOKEN}\n", "Line 2 of standard input is not name=value"),
        (f"{TOKEN}=x\n", "Line 1 of standard input is not name=value"),
        (f"auth_token={TOKEN}\nauth_token=x", "Line 2 of standard input gives auth_token again"),
        (f"auth_token={TOKEN}\n", "credentials.account_sid is required"),
        (f"account_sid={SID}\nauth_token={TOKEN} x", "credentials.auth_token must be"),
        (f"account_sid={SID}\nauth_token={TOKEN}\napi_key=x", "credentials.api_key is unknown"),
    ],
)
def test_wrong_input_is_told_without_its_text(
    capsys: Output, monkeypatch: pytest.MonkeyPatch, lines: str, words: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    line = refused(capsys, "assistant", "add", "myorg", "x", *TWILIO, "--credentials-from", "stdin")
    assert words in line
    assert TOKEN not in line
    assert SID not in line


def test_credentials_from_the_environment(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("assistant", "add", "myorg", "x", *TWILIO, "--credentials-from", "environment")
    monkeypatch.setenv("PHONEGATE_ASSISTANT_ACCOUNT_SID", SID)
    assert "Set PHONEGATE_ASSISTANT_AUTH_TOKEN." in refused(capsys, *words)
    monkeypatch.setenv("PHONEGATE_ASSISTANT_AUTH_TOKEN", TOKEN)
    assert TOKEN not in told(capsys, *words)
    assert stored() == {"account_sid": SID, "auth_token": TOKEN}


def test_credentials_from_a_prompt_do_not_appear() -> None:
    words = ["assistant", "add", "myorg", "x", "--provider", "telnyx", "--number", NUMBER]
    done = CliRunner().invoke(group, words, input="KEY0123456789\n\nprofile-1\n")
    assert done.exit_code == 0, done.output
    assert "KEY0123456789" not in done.output
    assert "messaging_profile_id (Enter for none)" in done.output
    assert stored() == {"api_key": "KEY0123456789", "messaging_profile_id": "profile-1"}


def test_a_phone_needs_no_credentials(capsys: Output) -> None:
    words = ("assistant", "add", "myorg", "shop", "--provider", "phone", "--number", NUMBER)
    assert "provider  phone" in told(capsys, *words)
    assert f"{NUMBER} belongs to another assistant" in refused(capsys, *words)
    assert "no org named nobody" in refused(capsys, *words[:2], "nobody", *words[3:])
    assert "phone_numbers[0] must be a number like" in refused(capsys, *words[:-1], "12")


def test_no_credential_is_an_option() -> None:
    shown = CliRunner().invoke(group, ["assistant", "add", "--help"]).output
    for carrier in CARRIERS.values():
        for field in carrier.fields:
            assert field.name in " ".join(shown.split())
            assert f"--{field.name.replace('_', '-')}" not in shown


def declare(org: str) -> None:
    Path("gateway.toml").write_text(
        f'[[assistants]]\norg = "{org}"\nname = "support"\nprovider = "twilio"\n'
        f'phone_numbers = ["{NUMBER}"]\naccount_sid = "{SID}"\n'
        'auth_token = "env:PHONEGATE_SUPPORT_TOKEN"\n'
    )


def test_a_gateway_starts_with_what_the_file_declares(
    capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare("myorg")
    monkeypatch.setenv("PHONEGATE_SUPPORT_TOKEN", TOKEN)
    with GatewayProcess(Path("phonegate.db"), settings={"SUPPORT_TOKEN": TOKEN}):
        (shown,) = json.loads(told(capsys, "assistant", "list", "myorg", "--json"))["assistants"]
        assert (shown["name"], shown["from_file"]) == ("support", True)
        assert "gateway.toml" in told(capsys, "assistant", "show", "myorg", str(shown["id"]))
        told_no = refused(capsys, "assistant", "remove", "myorg", str(shown["id"]))
        assert "configuration file" in told_no
    assert stored() == {"account_sid": SID, "auth_token": TOKEN}
    Path("gateway.toml").unlink()
    monkeypatch.delenv("PHONEGATE_SUPPORT_TOKEN")
    with GatewayProcess(Path("phonegate.db")):
        assert json.loads(told(capsys, "assistant", "list", "myorg", "--json"))["assistants"] == []


def test_check_warns_of_a_file_with_credentials_that_others_read(
    capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare("myorg")
    monkeypatch.setenv("PHONEGATE_SUPPORT_TOKEN", TOKEN)
    Path("gateway.toml").chmod(0o640)
    assert "can be read by others: chmod 600" in told(capsys, "check")
    Path("gateway.toml").chmod(0o600)
    output = told(capsys, "check")
    assert "can be read by others: chmod 600" not in output
    assert TOKEN not in output
    monkeypatch.delenv("PHONEGATE_SUPPORT_TOKEN")
    assert main(["check"]) == 1
    assert "PHONEGATE_SUPPORT_TOKEN is not set" in capsys.readouterr().out


def test_a_gateway_does_not_start_for_an_org_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    declare("nobody")
    monkeypatch.setenv("PHONEGATE_SUPPORT_TOKEN", TOKEN)
    words = [sys.executable, "-m", "phonegate", "serve", "--bind", "127.0.0.1:0"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 1
    assert "phonegate org add nobody" in done.stderr
    assert "Traceback" not in done.stderr
    assert TOKEN not in done.stderr + done.stdout

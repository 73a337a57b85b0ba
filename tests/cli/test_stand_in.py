"""`phonegate certificate --stand-in`, and what `phonegate check` says of it."""

import json
import os
import signal
import ssl
import tomllib
from pathlib import Path

import pytest

from kit.gateway import GatewayProcess
from phonegate.cli import main
from phonegate.operations import stand_ins

HOST = "api.twilio.com"
Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("PHONEGATE_"):
            monkeypatch.delenv(name)


def asked(capsys: Output, *words: str) -> dict[str, object]:
    assert main(["certificate", "--stand-in", HOST, "--json", *words]) == 0
    answer: dict[str, object] = json.loads(capsys.readouterr().out)
    return answer


def test_its_output_belongs_into_the_configuration(tmp_path: Path, capsys: Output) -> None:
    assert main(["certificate", "--stand-in", "API.Twilio.com."]) == 0
    output, error = capsys.readouterr()
    assert tomllib.loads(output) == {"stand_in": {"enabled": True, "bind": ["0.0.0.0:443"]}}
    at = tmp_path / "stand-in"
    for line in (
        f"export NODE_EXTRA_CA_CERTS={at}/ca.crt ",
        f"export REQUESTS_CA_BUNDLE={at}/bundle.crt ",
        f"export SSL_CERT_FILE={at}/bundle.crt ",
        "What this means: ",
        "does not reach Twilio any more",
        "To undo it: ",
    ):
        assert line in error
    Path("gateway.toml").write_text(output)
    assert main(["certificate", "--stand-in", HOST]) == 0
    output, error = capsys.readouterr()
    assert output == ""
    assert "(good already)" in error
    assert "takes it up" in error


def test_a_gateway_that_has_443_for_itself_needs_no_other_address(capsys: Output) -> None:
    Path("gateway.toml").write_text(
        '[http]\nbind = ["0.0.0.0:443"]\n[tls]\ncertificate = "c"\nkey = "k"\n'
    )
    assert main(["certificate", "--stand-in", HOST, "--folder", "x"]) == 0
    found = tomllib.loads(capsys.readouterr().out)["stand_in"]
    assert found == {"enabled": True, "folder": str(Path("x").absolute())}


def test_programs_get_json(tmp_path: Path, capsys: Output) -> None:
    made, again, renewed = asked(capsys), asked(capsys), asked(capsys, "--renew")
    assert (made["renewed"], again["renewed"], renewed["renewed"]) == (True, False, True)
    assert made["authority"] == str(tmp_path / "stand-in" / "ca.crt")
    assert made["environment"] == {
        "NODE_EXTRA_CA_CERTS": made["authority"],
        "REQUESTS_CA_BUNDLE": made["bundle"],
        "SSL_CERT_FILE": made["bundle"],
    }


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--stand-in", "messaging.twilio.com"], 1, "no stand-in is made for that"),
        (["--stand-in", HOST, "gate.lan"], 2, "not with --stand-in"),
        (["--folder", "stand-in"], 1, "Name another folder, or add --stand-in"),
        (["--stand-in", HOST, "--folder", "tls"], 1, "an authority for other names"),
    ],
)
def test_what_can_not_be_is_said_in_a_sentence(
    capsys: Output, words: list[str], code: int, sentence: str
) -> None:
    asked(capsys)
    assert main(["certificate", "--json"]) == 0
    before = {path: path.read_bytes() for path in Path().glob("*/*")}
    capsys.readouterr()
    assert main(["certificate", *words]) == code
    output, error = capsys.readouterr()
    assert output == ""
    assert sentence in " ".join(error.split())
    assert before == {path: path.read_bytes() for path in Path().glob("*/*")}


def test_a_loop_is_noted(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand_ins, "loop_problem", lambda _: "it would call itself")
    assert main(["certificate", "--stand-in", HOST]) == 0
    assert "Note: it would call itself." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("made", "loops", "twilio", "code", "sentence"),
    [
        (True, False, False, 0, f"take this gateway for {HOST}"),
        (False, False, False, 1, "FAULT  stand-in: certificate "),
        (True, True, False, 0, "note   stand-in: it would call itself"),
        (True, True, True, 1, "FAULT  stand-in: it would call itself"),
    ],
)
def test_the_check_tells_how_it_would_do(
    capsys: Output,
    monkeypatch: pytest.MonkeyPatch,
    *,
    made: bool,
    loops: bool,
    twilio: bool,
    code: int,
    sentence: str,
) -> None:
    monkeypatch.setattr(
        stand_ins, "loop_problem", lambda _: "it would call itself" if loops else None
    )
    if made:
        asked(capsys)
    assistant = (
        '[[assistants]]\norg = "myorg"\nname = "a"\nprovider = "twilio"\n'
        'phone_numbers = ["+15551110001"]\naccount_sid = "AC0123456789abcdef0123456789abcdef"\n'
        'auth_token = "0123456789abcdef0123456789abcdef"\n'
    )
    Path("gateway.toml").write_text(
        '[http]\nbind = ["127.0.0.1:0"]\n[stand_in]\nenabled = true\nbind = ["127.0.0.1:0"]\n'
        + (assistant if twilio else "")
    )
    assert main(["check"]) == code
    assert sentence in capsys.readouterr().out


def test_a_gateway_serves_it_and_takes_up_renewals(tmp_path: Path, capsys: Output) -> None:
    asked(capsys)
    settings = {"STAND_IN_ENABLED": "true", "STAND_IN_BIND": "127.0.0.1:0"}
    with GatewayProcess(tmp_path / "phonegate.db", settings=settings) as gateway:
        port = json.loads(gateway.wait_for_line('"stand_in_listening"'))["port"]
        before = ssl.get_server_certificate(("127.0.0.1", port))
        asked(capsys, "--renew")
        gateway.process.send_signal(signal.SIGHUP)
        gateway.wait_for_line('"reloaded"')
        renewed = ssl.get_server_certificate(("127.0.0.1", port))
        assert renewed != before
        served = (tmp_path / "stand-in" / "server.crt").read_text()
        assert renewed.split() == served.split()

"""`phonegate certificate`, from the empty folder to a gateway that real clients trust."""

import json
import os
import signal
import ssl
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from kit.gateway import GatewayProcess
from phonegate.cli import main
from phonegate.local_ca.authority import LocalAuthority
from phonegate.local_ca.names import Names, usual

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("PHONEGATE_"):
            monkeypatch.delenv(name)


def asked(capsys: Output, *words: str) -> dict[str, object]:
    assert main(["certificate", "--json", *words]) == 0
    answer: dict[str, object] = json.loads(capsys.readouterr().out)
    return answer


def test_its_output_belongs_into_the_configuration(tmp_path: Path, capsys: Output) -> None:
    assert main(["certificate", "sms.home.arpa"]) == 0
    output, error = capsys.readouterr()
    files = {"certificate": f"{tmp_path}/tls/server.crt", "key": f"{tmp_path}/tls/server.key"}
    assert tomllib.loads(output) == {"tls": files}
    assert "sms.home.arpa, " in error
    assert "SHA-256 " in error
    assert "gateway.toml" in error
    assert "export PHONEGATE_URL=https://localhost:8080\n" in error
    assert f"export PHONEGATE_CACERT={tmp_path}/tls/ca.crt\n" in error
    Path("gateway.toml").write_text(output)
    assert main(["certificate"]) == 0
    output, error = capsys.readouterr()
    assert output == ""
    assert "(good already)" in error
    assert "sms.home.arpa, " in error
    assert "takes it up" in error


def test_programs_get_json_and_learn_whether_it_is_new(capsys: Output) -> None:
    made, again = asked(capsys), asked(capsys)
    assert (made["renewed"], again["renewed"]) == (True, False)
    assert {**made, "renewed": False} == again
    assert asked(capsys, "--renew")["renewed"] is True
    there = asked(capsys, "--folder", "other")
    assert str(there["certificate"]).endswith("/other/server.crt")


@pytest.mark.parametrize(
    ("word", "sentence"),
    [("a_b", "no name or address"), ("bank.example", "may not vouch")],
)
def test_what_can_not_be_is_said_in_a_sentence(capsys: Output, word: str, sentence: str) -> None:
    asked(capsys)
    assert main(["certificate", word]) == 1
    output, error = capsys.readouterr()
    assert output == ""
    assert sentence in error


def test_clients_trust_the_gateway_and_renewals_need_no_restart(
    tmp_path: Path, capsys: Output
) -> None:
    made = asked(capsys)
    settings = {"TLS_CERTIFICATE": made["certificate"], "TLS_KEY": made["key"]}
    with GatewayProcess(tmp_path / "phonegate.db", settings=settings) as gateway:
        trust = ssl.create_default_context(cafile=tmp_path / "tls" / "ca.crt")
        url = f"https://localhost:{gateway.port}"
        with httpx.Client(verify=trust, trust_env=False) as client:
            got = client.get(f"{url}/ca.crt")
            assert got.content == (tmp_path / "tls" / "ca.crt").read_bytes()
            assert client.get(f"{url}/certificate").status_code == 200
        before = ssl.get_server_certificate(("127.0.0.1", gateway.port))
        asked(capsys, "--renew")
        gateway.process.send_signal(signal.SIGHUP)
        gateway.wait_for_line('"reloaded"')
        renewed = ssl.get_server_certificate(("127.0.0.1", gateway.port))
        assert renewed != before
        assert renewed.split() == (tmp_path / "tls" / "server.crt").read_text().split()


@pytest.mark.parametrize(
    ("left", "code", "sentence"),
    [
        (timedelta(days=40), 0, None),
        (timedelta(days=20, hours=1), 0, "ends in 20 days"),
        (timedelta(days=-1), 1, "has ended"),
    ],
)
def test_the_check_tells_of_one_that_ends(
    tmp_path: Path, capsys: Output, left: timedelta, code: int, sentence: str | None
) -> None:
    made_at = datetime.now(UTC) - timedelta(days=396) + left + timedelta(days=1)
    authority = LocalAuthority(tmp_path / "tls", now=lambda: made_at)
    authority.ensure(Names(), usual("gate", []))
    Path("gateway.toml").write_text(
        f'[tls]\ncertificate = "{authority.certificate}"\nkey = "{authority.key}"\n'
        '[http]\nbind = ["127.0.0.1:0"]\n'
    )
    assert main(["check"]) == code
    said = capsys.readouterr().out
    assert "fit each other" in said
    assert (sentence in said) if sentence else ("renew it" not in said)

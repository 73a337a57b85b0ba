"""`phonegate health`, asking gateways that serve, hang, refuse or are not there."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from kit.gateway import GatewayProcess
from phonegate.cli import main
from tests.patience import PATIENCE_S

TOKEN = "a-token-of-the-operator"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("health")
    for name in ("own", "other"):
        # In neither certificate stands the address at which the gateway is asked.
        leaf = trustme.CA().issue_cert("sms.example.org")
        leaf.private_key_pem.write_to_path(str(folder / f"{name}.key"))
        leaf.cert_chain_pems[0].write_to_path(str(folder / f"{name}.pem"))
    return folder


@pytest.fixture(scope="module")
def gateway(folder: Path) -> Iterator[GatewayProcess]:
    settings = {
        "TLS_CERTIFICATE": folder / "own.pem",
        "TLS_KEY": folder / "own.key",
        "OPERATOR_TOKEN": TOKEN,
        "HTTP_PREFIX": "/sms",
    }
    with GatewayProcess(folder / "x.db", settings=settings) as gateway:
        yield gateway


def configured(folder: Path, gateway: GatewayProcess, certificate: str) -> str:
    path = folder / f"{certificate}.toml"
    path.write_text(
        f'[http]\nbind = ["127.0.0.1:{gateway.port}"]\nprefix = "/sms"\n'
        f'[tls]\ncertificate = "{folder}/{certificate}.pem"\nkey = "{folder}/{certificate}.key"\n'
        f'[operator]\ntoken = "{TOKEN}"\n'
    )
    return str(path)


def test_a_gateway_that_serves_is_well_and_ready(
    folder: Path, gateway: GatewayProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configured(folder, gateway, "own")
    assert main(["health", "--config", config]) == 0
    said = capsys.readouterr().out
    assert said.startswith("ok: phonegate ")
    assert said.endswith(f"(https://127.0.0.1:{gateway.port}/sms/health)\n")
    assert main(["health", "--config", config, "--ready"]) == 0
    assert capsys.readouterr().out.startswith("ok: ready (https://")


def test_the_token_goes_to_no_program_with_another_certificate(
    folder: Path, gateway: GatewayProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configured(folder, gateway, "other")
    # Nothing secret goes with this one. The files may be newer than what the gateway has read.
    assert main(["health", "--config", config]) == 0
    assert main(["health", "--config", config, "--ready"]) == 1
    assert "is not trusted" in capsys.readouterr().err


def test_a_named_address_is_trusted_as_every_client_trusts_it(
    folder: Path, gateway: GatewayProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["health", "--url", gateway.url.replace("http:", "https:")]) == 1
    assert "is not trusted" in capsys.readouterr().err
    assert main(["health", "--url", gateway.url]) == 1
    assert "answered 400" in capsys.readouterr().err


@contextmanager
def answering(*parts: bytes, pause_s: float = 0.0) -> Iterator[str]:
    """A server of one connection, which sends these parts with pauses and then waits."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                for part in parts:
                    try:
                        connection.sendall(part)
                    except OSError:
                        return
                    time.sleep(pause_s)
                connection.settimeout(PATIENCE_S)
                while connection.recv(4096):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            # It waits for a connection for ever if the time was over before there was one.
            socket.create_connection(listener.getsockname()).close()
            thread.join(PATIENCE_S)


@pytest.mark.parametrize("parts", [(), (b"HTTP/1.1 200 OK\r\n",) + (b"x: y\r\n",) * 1000])
def test_no_whole_answer_in_time_is_a_bad_one(
    parts: tuple[bytes, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(*parts, pause_s=0.05) as url:
        assert main(["health", "--url", url, "--timeout", "0.3"]) == 1
    assert capsys.readouterr().err == f"{url}/health did not answer within 0.3 s.\n"


def test_no_gateway_is_a_bad_answer(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert main(["health", "--url", f"http://127.0.0.1:{port}"]) == 1
    said = capsys.readouterr().err
    assert said == f"No gateway answers at http://127.0.0.1:{port}/health: Connection refused.\n"


def test_all_addresses_of_a_name_have_the_time_together(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [(2, 1, 6, "", (f"192.0.2.{number}", 80)) for number in range(4)]
    asked: list[tuple[str, float]] = []

    def silent(place: tuple[str, int], patience_s: float) -> socket.socket:
        asked.append((place[0], patience_s))
        raise TimeoutError

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(socket, "create_connection", silent)
    assert main(["health", "--url", "http://gate.example", "--timeout", "60"]) == 1
    assert "did not answer within 60 s" in capsys.readouterr().err
    assert [host for host, _ in asked] == [f"192.0.2.{number}" for number in range(4)]
    # None took any of its time here, so that the next ones had more.
    for left, (_, patience_s) in zip((4, 3, 2, 1), asked, strict=True):
        assert patience_s <= 60 / left


def test_an_address_that_refuses_is_not_the_last_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        refuses = listener.getsockname()
    with answering() as url:
        there = ("127.0.0.1", int(url.rpartition(":")[2]))
        found = [(2, 1, 6, "", place) for place in (refuses, there)]
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(socket, "getaddrinfo", lambda *_, **__: found)
            assert main(["health", "--url", "http://gate.example", "--timeout", "0.3"]) == 1
    assert "did not answer within 0.3 s" in capsys.readouterr().err

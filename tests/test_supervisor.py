"""What a service manager hears of the gateway."""

import os
import signal
import socket
from pathlib import Path

import pytest

from kit.gateway import GatewayProcess
from phonegate import supervisor
from tests.patience import PATIENCE_S


def listener(address: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind(address)
    made.settimeout(PATIENCE_S)
    return made


@pytest.mark.parametrize("abstract", [False, True])
def test_a_report_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, abstract: bool
) -> None:
    place = str(tmp_path / "notify")
    with listener(f"\0{place}" if abstract else place) as manager:
        monkeypatch.setenv(supervisor.SOCKET, f"@{place}" if abstract else place)
        supervisor.report(supervisor.READY)
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("place", [None, "", "vsock:2:1234", "/nowhere/at/all", "@", "/x\0y"])
def test_a_report_that_can_go_nowhere_harms_nothing(
    place: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(supervisor.SOCKET, raising=False)
    if place is not None:
        # The environment itself can hold no NUL.
        monkeypatch.setattr(os, "environ", {supervisor.SOCKET: place})
    supervisor.report(supervisor.READY)


def test_the_gateway_reports_once_it_serves_and_when_it_stops(tmp_path: Path) -> None:
    place = str(tmp_path / "notify")
    with listener(place) as manager:
        wrapper = ("env", f"{supervisor.SOCKET}={place}")
        with GatewayProcess(tmp_path / "x.db", wrapper=wrapper) as gateway:
            assert manager.recv(100) == b"READY=1"
            socket.create_connection(("127.0.0.1", gateway.port), PATIENCE_S).close()
            gateway.process.send_signal(signal.SIGTERM)
            assert manager.recv(100) == b"STOPPING=1"

"""What the trial of installing counts and shows; going the ways is done by hand."""

import os
import select
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from kit.receiver import receiving
from tests.patience import PATIENCE_S
from trials.installs import bare_root, traffic
from trials.installs.table import table
from trials.installs.way import Measured, NotInstalled
from trials.installs.ways import WAYS


def test_the_table_shows_each_way_with_the_sum_of_its_seconds() -> None:
    row = Measured(
        title="zipapp",
        debian_s=8.3,
        install_s=0.04,
        demo_s=2.4,
        downloaded_mb=31.2,
        disk_mb=89.6,
        memory_mb=88.9,
    )
    assert table([row]).splitlines()[1:] == [
        "|---|--:|--:|--:|--:|--:|--:|--:|",
        "| zipapp | 8.3 | 0.0 | 2.4 | 10.7 | 31 | 90 | 89 |",
    ]


def test_each_way_has_a_name_of_its_own_and_lines_that_a_shell_can_read() -> None:
    assert len({way.name for way in WAYS}) == len(WAYS)
    for way in WAYS:
        for lines in (way.install, way.demo):
            subprocess.run(["sh", "-n", "-c", lines], check=True, timeout=PATIENCE_S)


def test_what_comes_through_the_proxy_is_counted_asked_for_plainly_or_by_a_tunnel() -> None:
    page = b"p" * 10_000
    with receiving(answer=page) as receiver, traffic.counted() as through:
        with httpx.Client(proxy=through.url, timeout=PATIENCE_S) as client:
            assert client.get(receiver.url).content == page
        plain = through.received_bytes
        host = receiver.url.removeprefix("http://")
        with socket.create_connection(("127.0.0.1", port_of(through.url)), PATIENCE_S) as tunnel:
            tunnel.sendall(f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert tunnel.recv(100).startswith(b"HTTP/1.1 200 ")
            tunnel.sendall(f"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            answer = b"".join(iter(lambda: tunnel.recv(65_536), b""))
        assert answer.endswith(page)
        assert len(page) < plain < 2 * len(page)
        assert through.received_bytes == plain + len(answer)


def test_a_server_that_is_not_there_costs_its_own_connection_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with (
        receiving(answer=b"there") as receiver,
        traffic.counted() as through,
        httpx.Client(proxy=through.url, timeout=PATIENCE_S) as client,
    ):
        with pytest.raises(httpx.RemoteProtocolError):
            client.get(f"http://127.0.0.1:{port}/")
        assert client.get(receiver.url).content == b"there"


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def program(folder: Path, lines: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands in for mmdebstrap."""
    path = folder / "bin" / "mmdebstrap"
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(path.parent), prepend=os.pathsep)


def test_a_command_that_does_not_end_is_named_and_killed_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive = tmp_path / "alive"
    os.mkfifo(alive)
    reader = os.open(alive, os.O_RDONLY | os.O_NONBLOCK)
    program(tmp_path, f"exec 3>{alive}\nsleep 600 & wait", monkeypatch)
    with pytest.raises(NotInstalled, match=r"`mmdebstrap .*` did not end within 3 s"):
        bare_root.packed(tmp_path, deadline_s=3)
    assert ends(reader)
    os.close(reader)
    assert not (tmp_path / "bookworm.tar").exists()


def ends(reader: int) -> bool:
    """Whether every process ends that has the other end of a pipe."""
    try:
        return os.read(reader, 1) == b""
    except BlockingIOError:
        held = select.poll()
        held.register(reader, select.POLLHUP)
        return bool(held.poll(PATIENCE_S * 1000))


def test_a_command_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "exit 7", monkeypatch)
    with pytest.raises(NotInstalled, match=r"`mmdebstrap .*` ended with 7"):
        bare_root.packed(tmp_path, deadline_s=PATIENCE_S)


def test_what_is_made_in_time_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    once = tmp_path / "once"
    program(tmp_path, f'mkdir {once} || exit\nfor last; do :; done; : > "$last"', monkeypatch)
    path = bare_root.packed(tmp_path, deadline_s=PATIENCE_S)
    assert path.exists()
    assert bare_root.packed(tmp_path, deadline_s=PATIENCE_S) == path

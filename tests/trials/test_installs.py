"""What the trial of installing counts and shows; going the ways is done by hand."""

import socket
import subprocess

import httpx
import pytest

from kit.receiver import receiving
from tests.patience import PATIENCE_S
from trials.installs import traffic
from trials.installs.table import table
from trials.installs.way import Measured
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

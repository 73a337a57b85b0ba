import resource
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio

from phonegate.config.settings import HttpSettings, TlsSettings
from phonegate.server import CannotListen, Server
from tests.captured_logs import capture_logs
from tests.patience import PATIENCE_S

from .conftest import StartServer
from .site import HANDSHAKE, App, Level, echo_phone, read_all, reset, until

WHO = b"GET /who HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize(
    "bind", ["8080", "host", "host:", "host:x", "host:65536", "::1:80", "h:-1", ":8080"]
)
async def test_an_address_that_is_none_is_refused(bind: str) -> None:
    server = Server(HttpSettings(bind=(bind,)), TlsSettings(), make_app=App, serve_phone=echo_phone)
    with pytest.raises(CannotListen) as caught:
        await server.serve()
    assert caught.value.bind == bind


async def test_an_address_in_use_is_named_and_the_others_are_let_go() -> None:
    level = Level.now()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        settings = HttpSettings(bind=("127.0.0.1:0", bind))
        server = Server(settings, TlsSettings(), make_app=App, serve_phone=echo_phone)
        with pytest.raises(CannotListen, match=f"{bind}: Address already in use"):
            await server.serve()
    assert Level.now() == level


async def test_it_listens_on_every_address(start_server: StartServer) -> None:
    site = await start_server(bind=("127.0.0.1:0", "[::1]:0"))
    assert [host for host, _ in site.bound] == ["127.0.0.1", "::1"]
    async with await trio.open_tcp_stream(*site.bound[1]) as stream:
        await stream.send_all(WHO)
        assert b'"::1"' in await read_all(stream)


async def test_accepted_sockets_have_their_options(start_server: StartServer) -> None:
    seen: list[Any] = []

    async def look(stream: Any, head: Any, peer: Any) -> None:
        sock = stream._stream._stream.socket
        seen.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        seen.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT))

    site = await start_server(serve_phone=look, peer_timeout_s=7.5)
    await site.exchange(HANDSHAKE)
    assert seen == [1, 7500]


async def test_past_the_limit_the_newest_hears_503(start_server: StartServer) -> None:
    site = await start_server(max_connections=2)
    first, second = await site.connect(), await site.connect()
    await until(lambda: site.server.connections == 2)
    with capture_logs() as logs:
        for _ in range(2):
            refused = await site.exchange(WHO)
            assert (refused.status, refused.json["code"]) == (503, "too_many_connections")
            assert "retry-after: 5" in refused.head
    assert [line["event"] for line in logs] == ["connections_full"]
    await first.aclose()
    await until(lambda: site.server.connections == 1)
    assert (await site.exchange(WHO)).status == 200
    await second.aclose()


async def test_it_survives_having_no_descriptor_left(start_server: StartServer) -> None:
    site = await start_server()
    client = trio.socket.socket()
    used = highest_descriptor()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    fillers = []
    with capture_logs() as logs:
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 2, hard))
        try:
            with suppress(OSError):
                while True:
                    fillers.append(socket.socket())
            await client.connect(("127.0.0.1", site.port))
            await until(lambda: bool(logs))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for filler in fillers:
                filler.close()
    assert (logs[0]["event"], logs[0]["reason"]) == ("accept_failed", "Too many open files")
    async with trio.SocketStream(client) as stream:
        await stream.send_all(WHO)
        with trio.fail_after(PATIENCE_S):
            assert (await read_all(stream)).startswith(b"HTTP/1.1 200")


def highest_descriptor() -> int:
    return max(int(path.name) for path in Path("/proc/self/fd").iterdir())


async def test_an_exception_ends_its_connection_alone(
    start_server: StartServer,
) -> None:
    async def broken(stream: Any, head: Any, peer: Any) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            raise KeyError(head.query)

    site = await start_server(serve_phone=broken)
    level = Level.now()
    with capture_logs() as logs:
        await site.exchange(HANDSHAKE)
        await level.regained()
    assert len(logs) == 1
    assert logs[0]["event"] == "connection_failed"
    assert logs[0]["errors"][0].startswith("KeyError (test_listener.py:")
    assert "secret_key" not in str(logs)
    assert (await site.exchange(WHO)).status == 200


async def test_a_client_that_resets_is_no_event(start_server: StartServer) -> None:
    site = await start_server()
    level = Level.now()
    with capture_logs() as logs:
        for data in (b"", b"GET", WHO):
            stream = await site.connect()
            await stream.send_all(data)
            reset(stream)
        await level.regained()
    assert logs == []
    assert site.server.connections == 0

import json

import pytest
import trio
import trio.testing
from trio_websocket import open_websocket

from tests.patience import PATIENCE_S

from .conftest import StartServer
from .site import HANDSHAKE, Level, read_all, until

BOTH_LENGTHS = (
    b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
)


async def test_a_websocket_at_the_phones_path_reaches_the_phone_link(
    start_server: StartServer,
) -> None:
    site = await start_server()
    async with open_websocket("127.0.0.1", site.port, "/websocket?a=b", use_ssl=False) as link:
        assert json.loads(await link.get_message()) == ["127.0.0.1", "http", "a=b"]
        await link.send_message("hello")
        assert await link.get_message() == "hello"
    assert site.app.calls == []


async def test_a_slash_behind_the_phones_path_makes_no_difference(
    start_server: StartServer,
) -> None:
    site = await start_server()
    async with open_websocket("127.0.0.1", site.port, "/websocket/?a=b", use_ssl=False) as link:
        assert json.loads(await link.get_message()) == ["127.0.0.1", "http", "a=b"]


async def test_a_frame_in_the_handshake_s_packet_is_not_lost(start_server: StartServer) -> None:
    site = await start_server()
    frame = b"\x81\x85\0\0\0\0hello"  # a masked text frame
    async with await site.connect() as stream:
        await stream.send_all(HANDSHAKE + frame)
        data = b""
        with trio.fail_after(PATIENCE_S):
            while not data.endswith(b"\x81\x05hello"):
                data += await stream.receive_some()
        assert data.startswith(b"HTTP/1.1 101")


@pytest.mark.parametrize("path", ["/elsewhere", "/websocket//", "/%77ebsocket", "//websocket"])
async def test_a_websocket_elsewhere_is_a_plain_request(
    start_server: StartServer, path: str
) -> None:
    site = await start_server()
    refused = await site.exchange(HANDSHAKE.replace(b"/websocket", path.encode()))
    assert refused.status == 404
    assert not [value for name, value in site.app.calls[0]["headers"] if name == b"upgrade"]


async def test_the_phones_path_without_an_upgrade_is_a_plain_request(
    start_server: StartServer,
) -> None:
    site = await start_server()
    assert (await site.get("/websocket")).status == 404
    assert site.app.paths == ["/websocket"]


async def test_a_bad_handshake_is_answered_before_the_phone_link(start_server: StartServer) -> None:
    site = await start_server()
    refused = await site.exchange(HANDSHAKE.replace(b"Version: 13", b"Version: 7"))
    assert (refused.status, refused.json["code"]) == (426, "upgrade_required")
    assert "sec-websocket-version: 13" in refused.head


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\nHost: h\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", 400),
        (BOTH_LENGTHS, 400),
        (b"GET /" + b"a" * 20_000, 431),
        (b"GET / HTTP/1.1\r\nHost: h\r\nA: " + b"a" * 20_000 + b"\r\n\r\n", 431),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n", 405),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ],
)
async def test_a_refused_head_is_told_in_json(
    start_server: StartServer, data: bytes, status: int
) -> None:
    site = await start_server()
    refused = await site.exchange(data)
    assert refused.status == status
    assert refused.json["ok"] is False
    assert {"detail", "code"} <= refused.json.keys()
    assert "connection: close" in refused.head
    assert "date: " in refused.head
    assert site.app.calls == []


async def test_the_refusal_arrives_although_the_client_is_still_sending(
    start_server: StartServer,
) -> None:
    site = await start_server(max_head_bytes=100)
    refused = await site.exchange(b"GET /" + b"a" * 500_000)
    assert refused.status == 431


async def test_a_dripped_head_ends_at_its_deadline(
    start_server: StartServer, settable_clock: trio.testing.MockClock
) -> None:
    site = await start_server(head_timeout_s=20)
    level = Level.now()
    async with await site.connect() as stream, trio.open_nursery() as nursery:

        async def drip() -> None:
            for byte in b"GET / HTTP/1.1\r\nHost: h\r\n" + b"a" * 5_000:
                try:
                    await stream.send_all(bytes([byte]))
                except trio.BrokenResourceError:
                    return
                await trio.testing.wait_all_tasks_blocked()
                settable_clock.jump(0.5)

        nursery.start_soon(drip)
        with trio.fail_after(PATIENCE_S):
            data = await read_all(stream)
        nursery.cancel_scope.cancel()
    assert data.startswith(b"HTTP/1.1 408 ")
    await level.regained()


async def test_a_silent_connection_ends_without_a_word(start_server: StartServer) -> None:
    site = await start_server(head_timeout_s=0.1)
    async with await site.connect() as stream:
        with trio.fail_after(PATIENCE_S):
            assert await read_all(stream) == b""


async def test_draining_closes_who_has_no_request(start_server: StartServer) -> None:
    site = await start_server()
    async with await site.connect() as silent, await site.connect() as begun:
        await begun.send_all(b"GET / HT")
        await until(lambda: site.server.connections == 2)
        site.server.drain()
        with trio.fail_after(PATIENCE_S):
            assert await read_all(silent) == b""
            assert await read_all(begun) == b""
            await site.done.wait()


async def test_draining_waits_for_phones(start_server: StartServer) -> None:
    site = await start_server()
    async with open_websocket("127.0.0.1", site.port, "/websocket", use_ssl=False) as link:
        await link.get_message()
        site.server.drain()
        await link.send_message("still here")
        assert await link.get_message() == "still here"
        assert not site.done.is_set()
    with trio.fail_after(PATIENCE_S):
        await site.done.wait()

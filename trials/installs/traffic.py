"""A proxy for HTTP on the loopback that counts what is downloaded through it.

Installers take a proxy from their environment, so that one count serves apt, pip and all others.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

import attrs
import trio

HEAD_BYTES: Final = 16_384
"""Longest head of a first request."""

CHUNK_BYTES: Final = 65_536
CONNECT_S: Final = 60.0


@attrs.define
class Traffic:
    """A proxy that runs."""

    url: str
    received_bytes: int = 0
    """What servers have sent so far, with the heads of HTTP and TLS."""


@contextmanager
def counted() -> Iterator[Traffic]:
    """A proxy in a thread of its own, as long as the block runs."""
    traffic = Traffic("")
    started, stop = threading.Event(), trio.Event()
    token: list[trio.lowlevel.TrioToken] = []

    async def run() -> None:
        token.append(trio.lowlevel.current_trio_token())

        async def serve(client: trio.SocketStream) -> None:
            try:
                await _serve(client, traffic)
            # One connection that is lost is its client's to make again.
            except* (OSError, trio.BrokenResourceError, trio.TooSlowError, ValueError):
                await trio.aclose_forcefully(client)

        async with trio.open_nursery() as nursery:
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
            traffic.url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
            nursery.start_soon(trio.serve_listeners, serve, listeners)
            started.set()
            await stop.wait()
            nursery.cancel_scope.cancel()

    thread = threading.Thread(target=trio.run, args=(run,), name="traffic", daemon=True)
    thread.start()
    started.wait()
    try:
        yield traffic
    finally:
        token[0].run_sync_soon(stop.set)
        thread.join()


async def _serve(client: trio.SocketStream, traffic: Traffic) -> None:
    """One connection: to the host of its first request, which apt's and pip's all share."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < HEAD_BYTES:
        more = await client.receive_some(CHUNK_BYTES)
        if not more:
            return
        head += more
    method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
    tunnel = method == "CONNECT"
    address = urlsplit(f"//{target}" if tunnel else target)
    with trio.fail_after(CONNECT_S):
        server = await trio.open_tcp_stream(address.hostname or "", address.port or 80)
    async with server, trio.open_nursery() as nursery:
        if tunnel:
            await client.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            # A server has to take the whole address of a request, as a proxy does.
            await server.send_all(head)
        nursery.start_soon(_pass_on, client, server)
        async for chunk in server:
            traffic.received_bytes += len(chunk)
            await client.send_all(chunk)
        nursery.cancel_scope.cancel()
    await client.aclose()


async def _pass_on(client: trio.SocketStream, server: trio.SocketStream) -> None:
    async for chunk in client:
        await server.send_all(chunk)
    await server.send_eof()

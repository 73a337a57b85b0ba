"""Answers that are produced while they are sent, to clients that others wrote."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import attrs
import httpx
import pytest
import requests
import trio
import trio.testing
import trustme

from phonegate.api.answer_budget import LARGE_BYTES, AnswerBudget
from phonegate.api.app import build_app
from phonegate.api.endpoint import Answer, Call, Endpoint
from phonegate.api.main_pipeline import build_pipeline
from phonegate.api.services import Services
from phonegate.api.table import Table, build_table
from phonegate.config.settings import HttpSettings, TlsSettings
from phonegate.http.body_stream import SendPiece
from phonegate.server import Server
from phonegate.store.database import Database
from tests.api.conftest import PlayedCarrier, PlayedPhones, build_services
from tests.captured_logs import capture_logs
from tests.patience import PATIENCE_S
from tests.server.site import echo_phone, read_all, reset, until

PIECE = b"~" * LARGE_BYTES
FLOOD = 1_200
"""Pieces, more than the kernel's buffers hold."""


class Producer:
    """Produces the body of every answer here, as a test has it."""

    def __init__(self) -> None:
        self.begun = trio.Event()
        self.go_on = trio.Event()
        self.cancelled = trio.Event()
        self.sent = 0

    async def __call__(self, send: SendPiece) -> None:
        try:
            await self.produce(send)
        except trio.Cancelled:
            self.cancelled.set()
            raise

    async def produce(self, send: SendPiece) -> None:
        await self.events(send)

    async def events(self, send: SendPiece) -> None:
        """Three events, the second and third when they are asked for."""
        for number in range(3):
            await send(b"data: %d\n\n" % number)
            self.sent += 1
            self.begun.set()
            if number < 2:
                await self.go_on.wait()

    async def flood(self, send: SendPiece) -> None:
        for _ in range(FLOOD):
            await send(PIECE)
            self.sent += 1
            self.begun.set()

    async def silent(self, send: SendPiece) -> None:
        await send(b"data: 0\n\n")
        self.begun.set()
        await trio.sleep_forever()

    async def failing(self, send: SendPiece) -> None:
        await send(b"data: 0\n\n")
        raise ValueError("a-secret-in-an-error")


@attrs.define
class Gateway:
    """A server whose `/fast` goes over the fast path, and `/app` through Quart."""

    url: str
    server: Server
    services: Services
    producer: Producer
    done: trio.Event
    port: int

    async def connect(self, path: str, *, receive_buffer: int = 4096) -> trio.SocketStream:
        sock = trio.socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await sock.connect(("127.0.0.1", self.port))
        stream = trio.SocketStream(sock)
        await stream.send_all(f"GET /{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return stream

    async def gone(self) -> None:
        await until(lambda: self.server.connections == 0)
        assert self.services.answer_budget.bytes == 0


Open = Callable[..., Awaitable[Gateway]]


@pytest.fixture(params=["fast", "app"])
def path(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
async def start(database: Database, nursery: trio.Nursery) -> AsyncIterator[Open]:
    servers: list[Server] = []

    async def opened(
        tls: TlsSettings | None = None,
        budget: AnswerBudget | None = None,
        **limits: Any,
    ) -> Gateway:
        services = build_services(database, PlayedPhones(), PlayedCarrier())
        if budget is not None:
            services = attrs.evolve(services, answer_budget=budget)
        producer = Producer()

        async def stream(_: Call) -> Answer:
            await trio.lowlevel.checkpoint()
            return Answer(stream=producer, media="text/event-stream")

        def endpoint(name: str, method: str, *, fast_path: bool) -> Endpoint:
            return Endpoint(
                name=f"{name}_{method}",
                method=method,
                paths=(f"/{name}",),
                scope=None,
                summary="",
                group="",
                answer=dict,
                fast_path=fast_path,
                handler=stream,
            )

        added = [
            endpoint(name, method, fast_path=name == "fast")
            for name in ("fast", "app")
            for method in ("GET", "POST")
        ]
        settings = HttpSettings(bind=("127.0.0.1:0",), **limits)
        table = Table([*build_table().endpoints, *added])
        pipeline = build_pipeline(services, settings, table)
        server = Server(
            settings,
            TlsSettings() if tls is None else tls,
            make_app=lambda: build_app(services, settings, pipeline=pipeline),
            serve_phone=echo_phone,
            fast_pipeline=pipeline,
        )
        done = trio.Event()

        async def serve(task_status: trio.TaskStatus[Any]) -> None:
            await server.serve(task_status=task_status)
            done.set()

        (bound,) = await nursery.start(serve)
        servers.append(server)
        scheme = "http" if tls is None else "https"
        url = f"{scheme}://localhost:{bound[1]}"
        return Gateway(url, server, services, producer, done, bound[1])

    yield opened
    for server in servers:
        server.drain()


async def in_thread(work: Callable[..., Any], *args: Any, **named: Any) -> Any:
    with trio.fail_after(PATIENCE_S):
        return await trio.to_thread.run_sync(partial(work, *args, **named))


def lines_of(logs: list[Any]) -> list[tuple[str, int]]:
    return [(line["path"], line["status"]) for line in logs if line["event"] == "request"]


async def test_httpx_gets_each_event_when_it_happens(
    start: Open, path: str, settable_clock: trio.testing.MockClock
) -> None:
    gateway = await start(request_timeout_s=PATIENCE_S)
    with capture_logs() as logs, trio.fail_after(3 * PATIENCE_S):
        async with (
            httpx.AsyncClient() as client,
            client.stream("GET", f"{gateway.url}/{path}") as answer,
        ):
            assert answer.status_code == 200
            assert answer.headers["transfer-encoding"] == "chunked"
            assert answer.headers["content-type"] == "text/event-stream"
            assert "content-length" not in answer.headers
            lines = answer.aiter_lines()
            assert await anext(lines) == "data: 0"
            settable_clock.jump(2 * PATIENCE_S)  # longer than a request may take
            begun = perf_counter()
            await trio.testing.wait_all_tasks_blocked(0.05)
            seconds = perf_counter() - begun
            assert lines_of(logs) == []
            gateway.producer.go_on.set()
            assert [line async for line in lines if line] == ["data: 1", "data: 2"]
        await gateway.gone()
    assert lines_of(logs) == [(f"/{path}", 200)]
    (line,) = [line for line in logs if line["event"] == "request"]
    assert line["ms"] >= seconds * 1000
    assert not gateway.producer.cancelled.is_set()


async def test_requests_gets_them_over_tls(start: Open, path: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    names = [tmp_path / name for name in ("certificate", "key", "authority")]
    issued.cert_chain_pems[0].write_to_path(str(names[0]))
    issued.private_key_pem.write_to_path(str(names[1]))
    authority.cert_pem.write_to_path(str(names[2]))
    gateway = await start(TlsSettings(certificate=str(names[0]), key=str(names[1])))
    gateway.producer.go_on.set()

    def talk() -> None:
        how: dict[str, Any] = {"verify": str(names[2]), "timeout": PATIENCE_S, "stream": True}
        with requests.post(f"{gateway.url}/{path}", data=b"{}", **how) as answer:
            assert [line for line in answer.iter_lines() if line] == [
                b"data: 0",
                b"data: 1",
                b"data: 2",
            ]

    def leave() -> None:
        how: dict[str, Any] = {"verify": str(names[2]), "timeout": PATIENCE_S, "stream": True}
        with requests.get(f"{gateway.url}/{path}", **how) as answer:
            assert next(answer.iter_lines()) == b"data: 0"

    await in_thread(talk)
    gateway.producer.produce = gateway.producer.silent  # type: ignore[method-assign]
    await in_thread(leave)
    with trio.fail_after(PATIENCE_S):
        await gateway.producer.cancelled.wait()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_curl_gets_them_in_either_version(start: Open, path: str, version: str) -> None:
    gateway = await start()
    gateway.producer.go_on.set()
    with trio.fail_after(PATIENCE_S):
        done = await trio.run_process(
            ["curl", "-sSN", "-m", "60", "-D", "-", f"--http{version}", f"{gateway.url}/{path}"],
            capture_stdout=True,
        )
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    assert body == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert (b"transfer-encoding: chunked" in head.lower()) is (version == "1.1")
    assert b"content-length" not in head.lower()


async def test_head_is_answered_without_a_body(start: Open, path: str) -> None:
    gateway = await start()
    with trio.fail_after(PATIENCE_S), capture_logs() as logs:
        done = await trio.run_process(
            ["curl", "-sS", "-m", "60", "-I", f"{gateway.url}/{path}"], capture_stdout=True
        )
        assert done.stdout.startswith(b"HTTP/1.1 200 ")
        assert b"content-type: text/event-stream" in done.stdout.lower()
        assert done.stdout.endswith(b"\r\n\r\n")
        await gateway.gone()
    assert lines_of(logs) == [(f"/{path}", 200)]
    assert gateway.producer.sent == 0


async def test_a_client_that_reads_late_holds_back_the_producer(start: Open, path: str) -> None:
    gateway = await start()
    gateway.producer.produce = gateway.producer.flood  # type: ignore[method-assign]
    with trio.fail_after(PATIENCE_S):
        async with await gateway.connect(path) as stream:
            await gateway.producer.begun.wait()
            await trio.testing.wait_all_tasks_blocked(0.05)  # the kernel's buffers are full now
            assert 0 < gateway.producer.sent < FLOOD / 2
            assert gateway.services.answer_budget.bytes in range(len(PIECE), len(PIECE) + 10)
            data = await read_all(stream)
        assert gateway.producer.sent == FLOOD
        assert data.count(b"~") == FLOOD * len(PIECE)
        assert data.endswith(b"\r\n0\r\n\r\n")
        await gateway.gone()


async def test_one_that_reads_nothing_is_let_go(
    start: Open, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(socket, "TCP_USER_TIMEOUT", raising=False)  # by which the kernel does it
    gateway = await start(peer_timeout_s=0.3)
    gateway.producer.produce = gateway.producer.flood  # type: ignore[method-assign]
    with trio.fail_after(PATIENCE_S), capture_logs() as logs:
        stream = await gateway.connect(path)
        await gateway.producer.cancelled.wait()
        await gateway.gone()
        await stream.aclose()
    assert lines_of(logs) == [(f"/{path}", 200)]


async def test_one_that_makes_room_for_others_is_cut_short(start: Open, path: str) -> None:
    budget = AnswerBudget(1, patience_s=0.0)
    gateway = await start(budget=budget)
    gateway.producer.produce = gateway.producer.flood  # type: ignore[method-assign]
    with trio.fail_after(PATIENCE_S), capture_logs():
        async with await gateway.connect(path) as stream:
            await gateway.producer.begun.wait()
            await until(lambda: budget.bytes > 0)
            await trio.testing.wait_all_tasks_blocked(0.05)
            (reader,) = [reader for held in budget._held.values() for reader in held]
            budget.require_room(reader, LARGE_BYTES)
            await gateway.producer.cancelled.wait()
            assert not (await read_all(stream)).endswith(b"0\r\n\r\n")
        await gateway.gone()


@pytest.mark.parametrize("leave", [reset, lambda stream: stream.socket.close()])
async def test_a_client_that_leaves_ends_the_producer(
    start: Open, path: str, leave: Callable[[trio.SocketStream], None]
) -> None:
    gateway = await start()
    gateway.producer.produce = gateway.producer.silent  # type: ignore[method-assign]
    with trio.fail_after(PATIENCE_S), capture_logs() as logs:
        stream = await gateway.connect(path)
        await gateway.producer.begun.wait()
        leave(stream)
        await gateway.producer.cancelled.wait()
        await gateway.gone()
    assert lines_of(logs) == [(f"/{path}", 200)]


async def test_what_a_client_sends_meanwhile_does_no_harm(start: Open, path: str) -> None:
    gateway = await start()
    with trio.fail_after(PATIENCE_S):
        async with await gateway.connect(path) as stream:
            await gateway.producer.begun.wait()
            for _ in range(20):
                await stream.send_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
            gateway.producer.go_on.set()
            data = await read_all(stream)
    assert data.count(b"HTTP/1.1 ") == 1
    assert data.endswith(b"data: 2\n\n\r\n0\r\n\r\n")
    assert b"connection: close" in data.lower()


async def test_draining_ends_it_cleanly(start: Open, path: str) -> None:
    gateway = await start()
    gateway.producer.produce = gateway.producer.silent  # type: ignore[method-assign]
    with trio.fail_after(PATIENCE_S), capture_logs() as logs:
        async with (
            httpx.AsyncClient() as client,
            client.stream("GET", f"{gateway.url}/{path}") as answer,
        ):
            lines = answer.aiter_lines()
            assert await anext(lines) == "data: 0"
            gateway.server.drain()
            # httpx raises where the last chunk is missing.
            assert [line async for line in lines if line] == []
        await gateway.done.wait()
    assert gateway.producer.cancelled.is_set()
    assert lines_of(logs) == [(f"/{path}", 200)]


async def test_draining_amid_a_piece_ends_it_cleanly_too(start: Open, path: str) -> None:
    gateway = await start()
    gateway.producer.produce = gateway.producer.flood  # type: ignore[method-assign]
    with trio.fail_after(PATIENCE_S):
        async with await gateway.connect(path) as stream:
            await gateway.producer.begun.wait()
            await trio.testing.wait_all_tasks_blocked(0.05)
            gateway.server.drain()
            data = await read_all(stream)
        assert data.endswith(b"~\r\n0\r\n\r\n")
        assert data.count(b"~") % len(PIECE) == 0
        await gateway.done.wait()


async def test_a_producer_that_fails_cuts_it_short(start: Open, path: str) -> None:
    gateway = await start()
    gateway.producer.produce = gateway.producer.failing  # type: ignore[method-assign]
    with trio.fail_after(PATIENCE_S), capture_logs() as logs:
        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get(f"{gateway.url}/{path}")
        await gateway.gone()
    assert lines_of(logs) == [(f"/{path}", 500)]
    failures = [line for line in logs if line["event"] in {"request_failed", "connection_failed"}]
    assert "ValueError (test_streaming.py:" in str(failures)
    assert "a-secret" not in str(logs)

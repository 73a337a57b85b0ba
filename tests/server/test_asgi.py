from typing import Any

import trio
import trio.testing
from hypercorn.events import RawData
from quart import request
from quart_trio import QuartTrio

from phonegate.config.settings import HttpSettings, TlsSettings
from phonegate.server import Server, asgi
from phonegate.server.forwarded import SocketPeer
from tests.captured_logs import capture_logs
from tests.patience import PATIENCE_S

from .conftest import StartServer
from .site import PIECES, Answer, App, Level, Site, echo_phone, read_all, reset, until


def post(path: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: h", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class TestLifespan:
    async def test_the_application_starts_and_stops_once(self, start_server: StartServer) -> None:
        site = await start_server()
        for _ in range(3):
            await site.get("/who")
        assert (site.app.started, site.app.stopped) == (1, 0)
        site.server.drain()
        with trio.fail_after(PATIENCE_S):
            await site.done.wait()
        assert (site.app.started, site.app.stopped) == (1, 1)


class TestRequests:
    async def test_a_body_arrives_in_either_framing(self, start_server: StartServer) -> None:
        site = await start_server()
        body = bytes(range(256)) * 1000
        assert (await site.exchange(post("/echo", body))).body == body
        chunked = (
            b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        )
        answer = await site.exchange(chunked)
        assert (answer.status, answer.body) == (200, b"abcde")
        assert "connection: close" in answer.head
        assert "server:" not in answer.head

    async def test_expect_100_continue_is_answered(self, start_server: StartServer) -> None:
        site = await start_server()
        async with await site.connect() as stream:
            head, _, body = post("/echo", b"abc", "Expect: 100-continue").partition(b"\r\n\r\n")
            await stream.send_all(head + b"\r\n\r\n")
            with trio.fail_after(PATIENCE_S):
                assert (await stream.receive_some()).startswith(b"HTTP/1.1 100")
                await stream.send_all(body)
                assert Answer.read(await read_all(stream)).body == b"abc"

    async def test_http_1_0_is_served(self, start_server: StartServer) -> None:
        site = await start_server()
        assert (await site.exchange(b"GET /who HTTP/1.0\r\n\r\n")).status == 200

    async def test_only_the_first_of_pipelined_requests_is_served(
        self, start_server: StartServer
    ) -> None:
        site = await start_server()
        smuggled = b"GET /boom HTTP/1.1\r\nHost: h\r\n\r\n"
        chunked = b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        for first in (b"GET /who HTTP/1.1\r\nHost: h\r\n\r\n", post("/echo", b"a"), chunked):
            answer = await site.exchange(first + smuggled * 3)
            assert answer.status == 200
            assert b"HTTP/1.1" not in answer.body
        assert site.app.paths == ["/who", "/echo", "/echo"]

    async def test_a_body_that_breaks_its_framing_is_a_json_400(
        self, start_server: StartServer
    ) -> None:
        site = await start_server()
        bad = b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"
        answer = await site.exchange(bad)
        assert (answer.status, answer.json["code"]) == (400, "bad_request")

    async def test_an_early_answer_arrives_although_the_body_was_not_read(
        self, start_server: StartServer
    ) -> None:
        site = await start_server()
        level = Level.now()
        answer = await site.exchange(post("/early", b"x" * 2_000_000))
        assert (answer.status, answer.json["code"]) == (413, "too_large")
        await level.regained()

    async def test_a_body_that_nobody_reads_holds_up_nothing(
        self, start_server: StartServer
    ) -> None:
        site = await start_server()
        level = Level.now()
        async with await site.connect() as stream:
            await stream.send_all(post("/deaf", b"x" * 40)[:-40])
            await site.app.held.wait()
            for _ in range(39):  # pieces, far more than wait for an application to read them
                await stream.send_all(b"x")
                await trio.testing.wait_all_tasks_blocked(0.001)
            site.app.release.set()
            with trio.fail_after(PATIENCE_S):
                assert Answer.read(await read_all(stream)).body == b"done"
        await level.regained()

    async def test_an_error_of_the_application_is_a_json_500_and_quotes_nothing(
        self, start_server: StartServer
    ) -> None:
        site = await start_server()
        with capture_logs() as logs:
            answer = await site.get("/boom")
            assert (answer.status, answer.json["code"]) == (500, "internal_error")
            cut = await site.get("/halfway")
        assert (cut.status, b"half" in cut.body) == (200, True)
        assert not cut.body.endswith(b"0\r\n\r\n")
        assert [line["event"] for line in logs] == ["request_failed", "request_failed"]
        assert "a-secret" not in str(logs)

    async def test_a_request_that_takes_too_long_is_a_json_504(
        self, start_server: StartServer, settable_clock: trio.testing.MockClock
    ) -> None:
        site = await start_server(request_timeout_s=20.0)
        level = Level.now()
        with capture_logs() as logs:
            async with await site.connect() as stream:
                await stream.send_all(
                    b"GET /stuck HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
                )
                with trio.fail_after(PATIENCE_S):
                    await site.app.held.wait()
                settable_clock.jump(20.0)
                answer = Answer.read(await read_all(stream))
        assert (answer.status, answer.json["code"]) == (504, "timeout")
        assert site.app.cancelled.is_set()
        assert logs[0]["event"] == "request_timed_out"
        await level.regained()

    async def test_one_whose_body_has_not_come_by_then_is_a_json_408(
        self, start_server: StartServer, settable_clock: trio.testing.MockClock
    ) -> None:
        site = await start_server(request_timeout_s=20.0)
        async with await site.connect() as stream:
            await stream.send_all(
                b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"
            )
            await until(lambda: bool(site.app.calls))
            settable_clock.jump(20.0)
            with trio.fail_after(PATIENCE_S):
                answer = Answer.read(await read_all(stream))
        assert (answer.status, answer.json["code"]) == (408, "request_timeout")

    async def test_a_client_that_leaves_is_told_to_the_application(
        self, start_server: StartServer
    ) -> None:
        site = await start_server()
        level = Level.now()
        for leave in (reset, close):
            site.app.held = trio.Event()
            site.app.disconnected = trio.Event()
            stream = await site.connect()
            await stream.send_all(b"GET /hold HTTP/1.1\r\nHost: h\r\n\r\n")
            with trio.fail_after(PATIENCE_S):
                await site.app.held.wait()
                leave(stream)
                await site.app.disconnected.wait()
        await level.regained()

    async def test_a_client_that_leaves_amid_its_body_is_told_too(
        self, start_server: StartServer
    ) -> None:
        site = await start_server()
        level = Level.now()
        stream = await site.connect()
        await stream.send_all(post("/echo", b"x" * 100)[:-50])
        await until(lambda: bool(site.app.calls))
        reset(stream)
        with trio.fail_after(PATIENCE_S):
            await site.app.disconnected.wait()
        await level.regained()

    async def test_quart_sees_the_client(self, start_server: StartServer) -> None:
        app = QuartTrio("inner")

        @app.post("/echo")
        async def echo() -> dict[str, Any]:
            body = await request.get_data(as_text=True)
            return {"address": request.remote_addr, "scheme": request.scheme, "body": body}

        site = await start_server(app=app, trusted_proxies=("127.0.0.0/8",))
        told = "X-Forwarded-For: 6.6.6.6, 1.1.1.1", "X-Forwarded-Proto: https"
        answer = await site.exchange(post("/echo", b"hi", *told))
        assert answer.json == {"address": "1.1.1.1", "scheme": "https", "body": "hi"}
        assert (await site.exchange(b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n")).status == 404


class TestUnreadAnswers:
    async def test_a_client_that_never_reads_is_dropped(self, start_server: StartServer) -> None:
        site = await start_server(peer_timeout_s=0.3)
        level = Level.now()
        streams = [await site.connect(receive_buffer=4096) for _ in range(3)]
        for stream in streams:
            await stream.send_all(b"GET /big?n=20000000 HTTP/1.1\r\nHost: h\r\n\r\n")
        await until(lambda: len(site.app.calls) == 3)
        with trio.fail_after(PATIENCE_S):
            await until(lambda: site.server.connections == 0)
        for stream in streams:
            await stream.aclose()
        await level.regained()

    async def test_an_answer_is_handed_on_no_faster_than_its_client_takes_it(
        self, start_server: StartServer
    ) -> None:
        site = await start_server()
        async with await site.connect(receive_buffer=4096) as stream:
            await stream.send_all(b"GET /pieces HTTP/1.1\r\nHost: h\r\n\r\n")
            await until(lambda: bool(site.app.calls))
            await trio.testing.wait_all_tasks_blocked(0.05)  # the kernel's buffers are full now
            assert site.app.pieces < PIECES
            with trio.fail_after(PATIENCE_S):
                await read_all(stream)
            assert site.app.pieces == PIECES

    async def test_a_client_that_leaves_amid_one_frees_the_call(
        self, start_server: StartServer
    ) -> None:
        site = await start_server()
        level = Level.now()
        for leave in (reset, close):
            site.app.held = trio.Event()
            site.app.disconnected = trio.Event()
            stream = await site.connect(receive_buffer=4096)
            await stream.send_all(b"GET /flood HTTP/1.1\r\nHost: h\r\n\r\n")
            with trio.fail_after(PATIENCE_S):
                await site.app.held.wait()
                await trio.testing.wait_all_tasks_blocked(0.05)  # it waits to send
                leave(stream)
                await site.app.disconnected.wait()
        await level.regained()

    async def test_one_that_reads_slowly_gets_no_longer_than_a_request_may_take(
        self, start_server: StartServer, settable_clock: trio.testing.MockClock
    ) -> None:
        waits = {"answer_grace_s": 1.0}
        site = await start_server(request_timeout_s=20.0, peer_timeout_s=600.0, waits=waits)
        async with await site.connect(receive_buffer=4096) as stream:
            await stream.send_all(b"GET /big?n=20000000 HTTP/1.1\r\nHost: h\r\n\r\n")
            await until(lambda: bool(site.app.calls))
            settable_clock.jump(21.0)
            await until(lambda: site.server.connections == 0)

    async def test_it_can_t_hold_up_the_end_of_the_server(self) -> None:
        settings = HttpSettings(bind=("127.0.0.1:0",), peer_timeout_s=2 * PATIENCE_S)
        server = Server(settings, TlsSettings(), make_app=App, serve_phone=echo_phone)
        level = Level.now()
        async with trio.open_nursery() as servers:
            site = Site(server, App(), await servers.start(server.serve))
            stream = await site.connect(receive_buffer=4096)
            await stream.send_all(b"GET /big?n=20000000 HTTP/1.1\r\nHost: h\r\n\r\n")
            await stream.receive_some(1)
            await trio.testing.wait_all_tasks_blocked(0.05)  # the kernel's buffers are full now
            server.drain()
            servers.cancel_scope.cancel()
            start = trio.current_time()
        assert trio.current_time() - start < PATIENCE_S
        await stream.aclose()
        await level.regained()


def close(stream: trio.SocketStream) -> None:
    stream.socket.close()


class Stuck(trio.abc.Stream):
    """A client that reads nothing until it is let."""

    def __init__(self) -> None:
        self.sent = b""
        self.let = trio.Event()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self.let.wait()
        self.sent += data

    async def wait_send_all_might_not_block(self) -> None:
        raise AssertionError("nobody asks a stream whether it would block")

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.sleep_forever()
        raise AssertionError

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


class TestSends:
    def connection(self, stream: trio.abc.Stream, **settings: Any) -> Any:
        shell = asgi.AsgiShell(App(), HttpSettings(**settings), ())
        peer = SocketPeer(address="127.0.0.1", port=1, scheme="https")
        return asgi._AppConnection(shell, stream, peer)

    async def test_after_one_that_was_cancelled_nothing_is_sent(self) -> None:
        stream = Stuck()
        connection = self.connection(stream)
        async with trio.open_nursery() as calls:
            for data in (b"one ", b"two "):  # one is in the send, the other before it
                calls.start_soon(connection.send, RawData(data))
                await trio.testing.wait_all_tasks_blocked()
            calls.cancel_scope.cancel()
        stream.let.set()
        await connection.send(RawData(b"three"))
        assert stream.sent == b""

    async def test_a_send_has_a_deadline_of_its_own(self) -> None:
        connection = self.connection(Stuck(), peer_timeout_s=0.05)
        with trio.fail_after(PATIENCE_S):
            await connection.send(RawData(b"never read"))
        assert connection._reading.cancel_called

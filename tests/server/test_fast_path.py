"""The fast path on the wire: connections that stay, answers in order, every wait bounded."""

import json
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio
import trio.testing
from trio_websocket import wrap_client_stream

from phonegate.config.settings import TlsSettings
from phonegate.server.streams import PIECE_BYTES
from tests.captured_logs import capture_logs
from tests.patience import PATIENCE_S

from .conftest import StartServer
from .site import HANDSHAKE, Answer, FastSite, Level, Site, read_all, reset, until
from .test_proxies import listen_once, proxy

WHO = b"GET /fast/who HTTP/1.1\r\nHost: h\r\n\r\n"
SMUGGLED = b"GET /fast/smuggled HTTP/1.1\r\nHost: h\r\n\r\n"


def post(body: bytes, path: str = "/fast/echo", *lines: str) -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: h", f"Content-Length: {len(body)}", *lines]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


@attrs.define
class Client:
    """One kept connection, its answers read one by one."""

    stream: Any
    data: bytes = b""

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def answer(self) -> Answer:
        with trio.fail_after(PATIENCE_S):
            while b"\r\n\r\n" not in self.data:
                await self._more()
            head, _, rest = self.data.partition(b"\r\n\r\n")
            # An answer without a body has no length.
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
            while len(rest) < length:
                await self._more()
                rest = self.data.partition(b"\r\n\r\n")[2]
            self.data = rest[length:]
            return Answer.read(head + b"\r\n\r\n" + rest[:length])

    async def ask(self, data: bytes) -> Answer:
        await self.send(data)
        return await self.answer()

    async def closed(self) -> bool:
        """Waits for the end; whether nothing more came before it."""
        with trio.fail_after(PATIENCE_S):
            return not self.data and not await read_all(self.stream)

    async def _more(self) -> None:
        piece = await self.stream.receive_some()
        assert piece, f"closed after {self.data!r}"
        self.data += piece


@pytest.fixture
def fast() -> FastSite:
    return FastSite()


@asynccontextmanager
async def client(site: Site, **connect: Any) -> AsyncIterator[Client]:
    async with await site.connect(**connect) as stream:
        yield Client(stream)


class TestKeptConnections:
    async def test_requests_follow_each_other(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        async with client(site) as kept:
            for number in range(5):
                body = b"b" * (number * 40_000)
                answer = await kept.ask(post(body))
                assert (answer.status, answer.body) == (200, body)
                assert "connection:" not in answer.head
                assert "date: " in answer.head
            assert (await kept.ask(WHO)).body == b"127.0.0.1"
        assert site.app.calls == []

    async def test_pipelined_requests_are_answered_in_order(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        async with client(site) as kept:
            bodies = [b"%d" % number * 3_000 for number in range(60)]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(kept.send, b"".join(map(post, bodies)))
                assert [(await kept.answer()).body for _ in bodies] == bodies

    async def test_however_the_bytes_are_cut(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        data = post(b"one") + WHO + post(b"GET / HTTP/1.1\r\n\r\n") + WHO
        for cut in range(1, len(data), 7):
            async with client(site) as kept:
                await kept.send(data[:cut])
                await trio.testing.wait_all_tasks_blocked()
                await kept.send(data[cut:])
                got = [(await kept.answer()).body for _ in range(4)]
                assert got == [b"one", b"127.0.0.1", b"GET / HTTP/1.1\r\n\r\n", b"127.0.0.1"], cut
        assert site.app.calls == []

    async def test_connection_close_is_honoured(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        async with client(site) as kept:
            answer = await kept.ask(
                post(b"a") + post(b"b", "/fast/echo", "Connection: close") + WHO
            )
            assert "connection:" not in answer.head
            assert "connection: close" in (await kept.answer()).head
            assert await kept.closed()
        assert [call["path"] for call in fast.calls] == ["/fast/echo", "/fast/echo"]

    async def test_an_idle_connection_ends(self, start_server: StartServer, fast: FastSite) -> None:
        site = await start_server(fast_pipeline=fast, keepalive_timeout_s=0.1)
        async with client(site) as kept:
            await kept.ask(WHO)
            assert await kept.closed()

    async def test_a_request_that_comes_as_the_time_is_over_is_told_that_it_is_the_last(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        fast_path = site.server._fast_paths[0]
        assert fast_path is not None
        async with client(site) as kept:
            assert "connection:" not in (await kept.ask(WHO)).head
            await until(lambda: len(fast_path.idle) == 1)
            os.write(kept.stream.socket.fileno(), WHO)
            for end in fast_path.idle:
                end()
            assert "connection: close" in (await kept.answer()).head
            assert await kept.closed()

    async def test_a_next_head_has_its_deadline(
        self, start_server: StartServer, fast: FastSite, settable_clock: trio.testing.MockClock
    ) -> None:
        site = await start_server(fast_pipeline=fast, head_timeout_s=20)
        async with client(site) as kept:
            await kept.ask(WHO)
            await kept.send(b"GET /fast")
            await until(lambda: bool(site.server._connections._waiting))
            settable_clock.jump(20)
            assert (await kept.answer()).status == 408
            assert await kept.closed()

    @pytest.mark.parametrize("after", [b"", WHO])
    async def test_a_next_head_has_its_limit(
        self, start_server: StartServer, fast: FastSite, after: bytes
    ) -> None:
        site = await start_server(fast_pipeline=fast, max_head_bytes=200)
        long = b"GET /fast/" + b"a" * 300 + b" HTTP/1.1\r\nHost: h\r\n\r\n"
        async with client(site) as kept:
            await kept.ask(WHO)
            assert (await kept.ask(long + after)).status == 431
            assert await kept.closed()
        assert len(fast.calls) == 1

    async def test_what_is_known_of_a_head_is_known_for_a_while(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        for _ in range(2):
            async with client(site) as kept:
                for body in (b"one", b"another", b"one"):
                    assert (await kept.ask(post(body))).body == body
        # Once for each connection, of which the first head is read in any case.
        assert (fast.looked_at, len(fast.calls)) == (2, 6)
        hasty = await start_server(fast_pipeline=fast, keepalive_timeout_s=0.1)
        fast_path = hasty.server._fast_paths[0]
        assert fast_path is not None
        async with client(hasty) as kept:
            await kept.ask(WHO)
        await until(lambda: not len(fast_path._heads))

    async def test_a_known_head_does_not_lift_the_limit_of_a_body(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast, max_body_bytes=10)
        async with client(site) as kept:
            for _ in range(2):
                assert (await kept.ask(post(b"x" * 10))).status == 200
            assert "connection: close" in (await kept.ask(post(b"x" * 11))).head
        assert site.app.paths == ["/fast/echo"]

    async def test_over_tls(
        self, start_server: StartServer, fast: FastSite, tls: TlsSettings, trust: ssl.SSLContext
    ) -> None:
        site = await start_server(fast_pipeline=fast, tls=tls, trust=trust)
        async with httpx.AsyncClient(verify=trust) as kept:
            for _ in range(3):
                answer = await kept.post(site.url + "/fast/echo", content=b"x" * 200_000)
                assert answer.content == b"x" * 200_000
                assert answer.headers["x-served-by"] == "fast path"
            assert site.server.connections == 1

    async def test_an_idle_connection_ends_over_tls_too(
        self, start_server: StartServer, fast: FastSite, tls: TlsSettings, trust: ssl.SSLContext
    ) -> None:
        site = await start_server(fast_pipeline=fast, tls=tls, trust=trust, keepalive_timeout_s=0.1)
        level = Level.now()
        secured = trio.SSLStream(await site.connect(), trust, server_hostname="127.0.0.1")
        async with secured:
            await Client(secured).ask(WHO)
            with trio.fail_after(PATIENCE_S):
                assert await secured.receive_some() == b""
        await level.regained()


class TestWhatServesARequest:
    async def test_what_is_not_plain_goes_to_the_application_whole(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        chunked = (
            b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nTrailer: t\r\n\r\n"
        )
        for before in (b"", WHO):
            async with client(site) as kept:
                if before:
                    await kept.ask(before)
                await kept.send(chunked + SMUGGLED)
                with trio.fail_after(PATIENCE_S):
                    answer = Answer.read(await read_all(kept.stream))
                assert (answer.status, answer.body) == (200, b"abcde")
        assert [call["path"] for call in fast.calls] == ["/fast/who"]

    async def test_what_is_plain_and_not_hot_goes_to_the_application(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        async with client(site) as kept:
            await kept.ask(WHO)
            assert "connection: close" in (await kept.ask(WHO.replace(b"/fast", b""))).head
        assert site.app.paths == ["/who"]

    async def test_an_upgrade_may_be_the_nth_request(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        async with client(site) as kept:
            for _ in range(3):
                await kept.ask(post(b"x"))
            async with trio.open_nursery() as nursery:
                link = await wrap_client_stream(nursery, kept.stream, "h", "/websocket?a=b")
                assert json.loads(await link.get_message()) == ["127.0.0.1", "http", "a=b"]
                await link.aclose()

    async def test_a_handshake_in_the_same_packet_is_the_phone_link_s(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        async with client(site) as kept:
            await kept.ask(WHO + HANDSHAKE)
            with trio.fail_after(PATIENCE_S):
                while b"HTTP/1.1 101" not in kept.data:
                    kept.data += await kept.stream.receive_some()

    async def test_a_body_beyond_the_limit_is_the_asgi_shell_s(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast, max_body_bytes=10)
        assert (
            await site.exchange(post(b"x" * 10, "/fast/echo", "Connection: close"))
        ).status == 200
        assert (await site.exchange(post(b"x" * 11))).status == 404
        assert site.app.paths == ["/fast/echo"]

    async def test_http_1_0_and_head_are_the_application_s(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        for data in (WHO.replace(b"/1.1", b"/1.0"), WHO.replace(b"GET", b"HEAD")):
            assert (await site.exchange(data)).status == 404
        assert fast.calls == []

    @pytest.mark.parametrize(
        ("settings", "named", "prefix"),
        [
            ({}, "", ""),
            ({"prefix": "/sms"}, "", "/sms"),
            ({"trusted_proxies": ("127.0.0.0/8",)}, "/sms", "/sms"),
            ({}, "/sms", ""),
        ],
    )
    async def test_a_call_has_the_prefix_that_its_client_sees(
        self,
        start_server: StartServer,
        fast: FastSite,
        settings: dict[str, Any],
        named: str,
        prefix: str,
    ) -> None:
        site = await start_server(fast_pipeline=fast, **settings)
        fields = (f"X-Forwarded-Prefix: {named}",) if named else ()
        async with client(site) as kept:
            await kept.ask(post(b"a", f"{settings.get('prefix', '')}/fast/echo", *fields))
        assert [call["prefix"] for call in fast.calls] == [prefix]

    @pytest.mark.parametrize("field", ["X-Forwarded-Prefix", "X-Ingress-Path"])
    async def test_a_call_whose_prefix_may_have_been_taken_off_is_the_application_s(
        self, start_server: StartServer, fast: FastSite, field: str
    ) -> None:
        site = await start_server(fast_pipeline=fast, prefix="/sms")
        async with client(site) as kept:
            await kept.ask(post(b"a", "/sms/fast/echo", f"{field}: /sms"))
        assert fast.calls == []

    @pytest.mark.parametrize("trusted", [("127.0.0.0/8",), ()])
    async def test_a_trusted_proxy_says_who_the_client_is(
        self, start_server: StartServer, fast: FastSite, trusted: tuple[str, ...]
    ) -> None:
        site = await start_server(fast_pipeline=fast, trusted_proxies=trusted)
        async with client(site) as kept:
            told = WHO.replace(b"Host", b"X-Forwarded-For: 6.6.6.6, 1.1.1.1\r\nHost")
            assert (await kept.ask(told)).body == (b"1.1.1.1" if trusted else b"127.0.0.1")
            assert (await kept.ask(WHO)).body == b"127.0.0.1"


SMUGGLING = {
    "both framings": b"POST /fast/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both framings, the other way": b"POST /fast/echo HTTP/1.1\r\nHost: h\r\n"
    b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "a coding in disguise": b"POST /fast/echo HTTP/1.1\r\nHost: h\r\n"
    b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a coding after a tab": b"POST /fast/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n",
    "a coding behind a space": b"POST /fast/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a coding in a folded line": b"POST /fast/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
    b"A: b\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST /fast/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n"
    b"Content-Length: 44\r\n\r\n",
    "a list of lengths": b"POST /fast/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0, 44\r\n\r\n",
    "a signed length": b"POST /fast/echo HTTP/1.1\r\nHost: h\r\nContent-Length: +0\r\n\r\n",
    "a bare LF": b"POST /fast/echo HTTP/1.1\r\nHost: h\nContent-Length: 44\r\n\r\n",
    "an end of bare LFs": b"POST /fast/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0\n\n",
    "a bare CR": b"POST /fast/echo HTTP/1.1\r\nHost: h\r\nA: b\rContent-Length: 44\r\n\r\n",
    "a NUL": b"POST /fast/echo HTTP/1.1\r\nHost: h\r\nA: \0\r\nContent-Length: 0\r\n\r\n",
    "two hosts": b"POST /fast/echo HTTP/1.1\r\nHost: h\r\nHost: i\r\nContent-Length: 0\r\n\r\n",
    "a chunk that lies": b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"1\r\nabc\r\n0\r\n\r\n",
    "a chunk of bare LF": b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"1\na\r\n0\r\n\r\n",
    "a body in a GET": b"GET /fast/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 44\r\n\r\n",
    "a GET in chunks": b"GET /fast/who HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"0\r\n\r\n",
}


class TestSmuggling:
    @pytest.mark.parametrize("form", SMUGGLING)
    @pytest.mark.parametrize("before", [b"", WHO], ids=["first", "kept"])
    async def test_what_follows_an_odd_request_is_never_another(
        self, start_server: StartServer, fast: FastSite, form: str, before: bytes
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        async with client(site) as kept:
            if before:
                await kept.ask(before)
            await kept.send(SMUGGLING[form] + SMUGGLED * 2)
            with trio.fail_after(PATIENCE_S):
                data = await read_all(kept.stream)
        assert data.count(b"HTTP/1.1 ") == 1
        assert b"connection: close" in data.lower()
        assert "/fast/smuggled" not in [call["path"] for call in fast.calls]
        assert "/fast/smuggled" not in site.app.paths

    async def test_a_body_is_never_a_request(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        async with client(site) as kept:
            assert (await kept.ask(post(SMUGGLED * 3))).body == SMUGGLED * 3
            # Answered before its body came: the connection can't be used again.
            early = post(b"x" + SMUGGLED, "/fast/early")
            at = early.index(b"x")
            assert "connection: close" in (await kept.ask(early[: at + 1])).head
            await kept.send(early[at + 1 :])
            assert await kept.closed()
        assert [call["path"] for call in fast.calls] == ["/fast/echo", "/fast/early"]


class TestClientsThatFail:
    async def test_one_that_leaves_amid_its_body(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        level = Level.now()
        for leave in (reset, lambda stream: stream.socket.close()):
            async with await site.connect() as stream:
                await stream.send_all(post(b"x" * 100)[:-50])
                await until(lambda: len(fast.calls) == fast.left + 1)
                leave(stream)
            with capture_logs() as told:
                await level.regained()
            assert told == []
        assert (fast.left, fast.finished) == (2, 0)

    async def test_one_that_leaves_before_its_answer(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        level = Level.now()
        stream = await site.connect()
        await stream.send_all(post(b"x", "/fast/hold"))
        await fast.held.wait()
        reset(stream)
        fast.release.set()
        await level.regained()
        assert (fast.left, fast.finished) == (0, 1)

    async def test_one_whose_body_comes_too_slowly(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        async with client(site) as kept:
            answer = await kept.ask(post(b"x" * 10, "/fast/impatient")[:-5])
            assert (answer.body, "connection: close" in answer.head) == (b"late", True)
            assert await kept.closed()

    async def test_a_large_answer_is_held_until_it_has_left_or_is_given_up(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        async with client(site) as reads, client(site) as never:
            ask = b"GET /fast/200000 HTTP/1.1\r\nHost: h\r\n\r\n"
            assert len((await reads.ask(ask)).body) == 200_000
            assert fast.leaving_now == []
            assert fast.pieces > 0
            await never.send(ask.replace(b"200000", b"90000000"))
            await until(lambda: fast.leaving_now == [("somebody", 90_000_000)])
            assert (await reads.ask(WHO)).status == 200
            taken = fast.pieces
            # What the client takes is seen while it takes it.
            await never.stream.receive_some(1)
            left = 20 * PIECE_BYTES
            while left > 0:
                left -= len(await never.stream.receive_some(left))
            await until(lambda: fast.pieces > taken)
            fast.give_up.cancel()
            await until(lambda: not fast.leaving_now)
            with trio.fail_after(PATIENCE_S):
                assert len(await read_all(never.stream)) < 90_000_000

    async def test_one_that_never_reads_is_dropped(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast, peer_timeout_s=0.3)
        level = Level.now()
        streams = [await site.connect(receive_buffer=4096) for _ in range(3)]
        for stream in streams:
            await stream.send_all(WHO.replace(b"who", b"20000000"))
        await until(lambda: len(fast.calls) == 3)
        await until(lambda: site.server.connections == 0)
        for stream in streams:
            await stream.aclose()
        await level.regained()

    async def test_one_that_reads_late_misses_nothing(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        async with client(site, receive_buffer=4096) as kept:
            await kept.send(WHO.replace(b"who", b"3000") * 4_000)
            with trio.move_on_after(0.2):
                await until(lambda: fast.finished == 4_000)
            assert fast.finished < 4_000
            for _ in range(4_000):
                assert len((await kept.answer()).body) == 3_000

    async def test_one_that_pipelines_without_reading_is_read_no_further(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        async with await site.connect(receive_buffer=4096) as stream:

            async def ask_without_end() -> None:
                while True:
                    await stream.send_all(WHO.replace(b"who", b"100000") * 100)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask_without_end)
                with trio.fail_after(PATIENCE_S):
                    await until(lambda: fast.finished > 0)
                    await trio.testing.wait_all_tasks_blocked(0.05)
                assert fast.finished < 200
                nursery.cancel_scope.cancel()
            reset(stream)


class TestRequestsThatTakeTooLong:
    async def test_one_is_told_so_and_is_the_last(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast, keepalive_timeout_s=0.1)
        async with client(site) as kept:
            answer = await kept.ask(post(b"a", "/fast/slow") + WHO)
            assert (answer.body, "connection: close" in answer.head) == (b"too slow", True)
            assert await kept.closed()
        assert (fast.calls, fast.running) == ([], {})


class TestDraining:
    async def test_who_idles_is_closed_and_who_runs_is_answered(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        async with client(site) as idle, client(site) as busy:
            await idle.ask(WHO)
            await busy.ask(WHO)
            await busy.send(post(b"x", "/fast/hold") + WHO)
            await fast.held.wait()
            site.server.drain()
            assert await idle.closed()
            fast.release.set()
            answer = await busy.answer()
            assert (answer.body, "connection: close" in answer.head) == (b"x", True)
            assert await busy.closed()
        with trio.fail_after(PATIENCE_S):
            await site.done.wait()

    async def test_who_reads_an_answer_is_closed_behind_it(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast, keepalive_timeout_s=600)
        size = 8_000_000
        async with client(site, receive_buffer=262_144) as slow:
            await slow.send(WHO.replace(b"who", b"%d" % size))
            await until(lambda: fast.finished == 1)
            site.server.drain()
            assert len((await slow.answer()).body) == size
            assert await slow.closed()
        with trio.fail_after(PATIENCE_S):
            await site.done.wait()


@pytest.mark.parametrize("kind", ["nginx", "caddy"])
async def test_behind_a_proxy_that_keeps_connections(
    start_server: StartServer,
    fast: FastSite,
    kind: str,
    tmp_path: Path,
    tls: TlsSettings,
    trust: ssl.SSLContext,
) -> None:
    site = await start_server(fast_pipeline=fast)
    running = proxy(kind, site.port, tmp_path, tls)
    async with running as address, httpx.AsyncClient(verify=trust) as asking:
        for number in range(6):
            body = b"b" * (number * 30_000)
            answer = await asking.post(f"https://{address}/fast/echo", content=body)
            assert (answer.content, answer.headers["x-served-by"]) == (body, "fast path")
            with trio.fail_after(PATIENCE_S):
                url = f"wss://{address}/websocket?a=b"
                greeting = await trio.to_thread.run_sync(listen_once, url, trust)
                assert greeting == ["127.0.0.1", "http", "a=b"]
            assert (await asking.get(f"https://{address}/who")).status_code == 200


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4])
async def test_an_empty_line_between_requests_is_passed_over(
    start_server: StartServer, fast: FastSite, cut: int
) -> None:
    site = await start_server(fast_pipeline=fast)
    data = b"\r\n\r\n" + WHO
    async with client(site) as kept:
        assert (await kept.ask(data)).status == 200
        for _ in range(2):
            await kept.send(data[:cut])
            await trio.testing.wait_all_tasks_blocked()
            assert (await kept.ask(data[cut:])).status == 200
        # Behind a body in its own packet, and before the next request in the same one.
        await kept.send(post(b"body") + b"\r\n" + WHO)
        assert [(await kept.answer()).status for _ in range(2)] == [200, 200]
    assert len(fast.calls) == 5


async def test_empty_lines_without_end_are_refused(
    start_server: StartServer, fast: FastSite
) -> None:
    site = await start_server(fast_pipeline=fast)
    async with client(site) as kept:
        await kept.ask(WHO)
        assert (await kept.ask(b"\r\n" * 100 + WHO)).status == 400
        assert await kept.closed()

"""Answers that come later than their request was read, without a task that waits for them."""

import ssl

import httpx
import pytest
import trio
import trio.testing

from phonegate.config.settings import TlsSettings
from phonegate.server.streams import PIECE_BYTES
from tests.captured_logs import capture_logs
from tests.patience import PATIENCE_S

from .conftest import StartServer
from .site import LARGE, FastSite, HotReply, Level, Site, read_all, reset, until
from .test_fast_path import WHO, client, post

MORE = 20_000_000
"""More bytes than the kernel's buffers hold."""


def later(body: bytes, *lines: str) -> bytes:
    return post(body, "/fast/later", *lines)


@pytest.fixture
def fast() -> FastSite:
    return FastSite()


async def begun(fast: FastSite, count: int = 1) -> None:
    await until(lambda: len(fast.begun) == count)


class TestOrder:
    async def test_requests_follow_each_other(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        async with client(site) as kept:
            for number in range(5):
                body = b"b" * (number * 1_000)
                await kept.send(later(body))
                await begun(fast)
                fast.reply()
                answer = await kept.answer()
                assert (answer.status, answer.body) == (200, body)
                assert "connection:" not in answer.head
                assert "date: " in answer.head
                assert (await kept.ask(WHO)).body == b"127.0.0.1"

    @pytest.mark.parametrize("following", [later(b"b"), WHO])
    async def test_no_request_is_looked_at_before_the_answer_to_another_is_out(
        self, start_server: StartServer, fast: FastSite, following: bytes
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        for apart in (False, True):
            async with client(site) as kept:
                if apart:
                    await kept.send(later(b"a"))
                    await begun(fast)
                    await kept.send(following)
                else:
                    await kept.send(later(b"a") + following)
                await begun(fast)
                await trio.testing.wait_all_tasks_blocked(0.01)
                assert (len(fast.begun), fast.finished) == (1, int(apart and following is WHO))
                fast.reply()
                assert (await kept.answer()).body == b"a"
                if following is not WHO:
                    await begun(fast)
                    fast.reply()
                assert (await kept.answer()).body == (b"127.0.0.1" if following is WHO else b"b")

    async def test_pipelined_requests_are_answered_in_order(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        async with client(site) as kept:
            bodies = [b"%d" % number for number in range(60)]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(kept.send, b"".join(map(later, bodies)))
                for body in bodies:
                    await begun(fast)
                    fast.reply()
                    assert (await kept.answer()).body == body

    @pytest.mark.parametrize("comes", ["before", "after"])
    async def test_what_is_for_the_application_comes_after_it(
        self, start_server: StartServer, fast: FastSite, comes: str
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        async with client(site) as kept:
            await kept.send(later(b"a"))
            await begun(fast)
            if comes == "before":
                await kept.send(WHO.replace(b"/fast", b""))
                await trio.testing.wait_all_tasks_blocked(0.01)
            assert site.app.paths == []
            fast.reply()
            assert (await kept.answer()).body == b"a"
            if comes == "after":
                await kept.send(WHO.replace(b"/fast", b""))
            assert "connection: close" in (await kept.answer()).head
        assert site.app.paths == ["/who"]

    async def test_an_empty_line_after_it_is_passed_over(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        async with client(site) as kept:
            await kept.send(later(b"a") + b"\r\n")
            await begun(fast)
            fast.reply()
            assert (await kept.answer()).body == b"a"
            assert (await kept.ask(WHO)).status == 200


class TestWhatIsBegun:
    async def test_a_body_that_has_come_behind_its_head(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        # More than is read with the head, and less than a socket holds.
        body = b"x" * 40_000
        async with client(site) as kept:
            await kept.send(later(body) + WHO)
            await begun(fast)
            fast.reply()
            assert (await kept.answer()).body == body
            assert (await kept.answer()).body == b"127.0.0.1"

    async def test_a_body_that_is_still_to_come(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        async with client(site) as kept:
            asked = later(b"a")
            await kept.send(asked[:-1])
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert (await kept.ask(asked[-1:])).body == b"a"
        assert fast.begun == []

    async def test_not_of_a_client_that_leaves(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        async with client(site) as kept:
            assert (await kept.ask(later(b"a", "Connection: close"))).body == b"a"
        assert fast.begun == []

    async def test_not_over_tls(
        self, start_server: StartServer, fast: FastSite, tls: TlsSettings, trust: ssl.SSLContext
    ) -> None:
        site = await start_server(fast_pipeline=fast, tls=tls, trust=trust)
        async with httpx.AsyncClient(verify=trust) as kept:
            answer = await kept.post(site.url + "/fast/later", content=b"a")
        assert (answer.content, fast.begun) == (b"a", [])


class TestIdleness:
    async def test_a_connection_idles_from_its_answer_on(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast, keepalive_timeout_s=0.1)
        async with client(site) as kept:
            await kept.send(later(b"a"))
            await begun(fast)
            with trio.move_on_after(0.5):
                assert not await kept.closed()
            fast.reply()
            assert (await kept.answer()).body == b"a"
            assert await kept.closed()

    async def test_the_pipeline_looks_for_what_takes_too_long(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        await start_server(fast_pipeline=fast, keepalive_timeout_s=0.1)
        await until(lambda: fast.expired > 1)

    async def test_nothing_of_it_is_left(self, start_server: StartServer, fast: FastSite) -> None:
        site = await start_server(fast_pipeline=fast)
        fast_path = site.server._fast_paths[0]
        assert fast_path is not None
        async with client(site) as kept:
            await kept.send(later(b"a"))
            await begun(fast)
            fast.reply()
            await kept.answer()
            assert len(fast_path.idle) == 1
        await until(lambda: not fast_path.idle)


class TestClientsThatFail:
    async def test_one_that_sends_no_more_gets_its_answer(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        async with client(site) as kept:
            await kept.send(later(b"a"))
            await begun(fast)
            await kept.stream.send_eof()
            await trio.testing.wait_all_tasks_blocked(0.01)
            fast.reply()
            assert (await kept.answer()).body == b"a"
            assert await kept.closed()

    async def test_one_that_leaves_before_its_answer(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        level = Level.now()
        for size in (1, LARGE):
            stream = await site.connect()
            await stream.send_all(later(b"a"))
            await begun(fast)
            reset(stream)
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert site.server.connections == 1
            fast.reply(b"x" * size)
            with capture_logs() as told:
                await level.regained()
            assert told == []

    async def test_one_that_reads_late_misses_nothing(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        async with client(site, receive_buffer=4096) as kept:
            body = b"x" * (LARGE - 1)
            asked = 200
            async with trio.open_nursery() as nursery:
                nursery.start_soon(kept.send, later(b"") * asked)
                answered = 0
                with trio.move_on_after(0.3):
                    while True:
                        await begun(fast)
                        fast.reply(body)
                        answered += 1
                assert 0 < answered < asked
                for _ in range(answered):
                    assert (await kept.answer()).body == body
                for _ in range(asked - answered):
                    await begun(fast)
                    fast.reply(b"a")
                    assert (await kept.answer()).body == b"a"

    async def test_one_that_never_reads_is_dropped(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast, peer_timeout_s=0.3)
        level = Level.now()
        streams = [await site.connect(receive_buffer=4096) for _ in range(3)]
        for stream in streams:
            await stream.send_all(later(b""))
            await begun(fast)
            fast.reply(b"x" * 20_000_000)
        await until(lambda: site.server.connections == 0)
        for stream in streams:
            await stream.aclose()
        await level.regained()

    async def test_a_large_answer_is_held_until_it_has_left_or_is_given_up(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        async with client(site) as reads, client(site) as never:
            await reads.send(later(b""))
            await begun(fast)
            fast.reply(b"x" * MORE)
            assert len((await reads.answer()).body) == MORE
            assert (await reads.ask(WHO)).status == 200
            assert (fast.leaving_now, fast.pieces > 0) == ([], True)
            await never.send(later(b""))
            await begun(fast)
            fast.reply(b"x" * 90_000_000)
            await until(lambda: fast.leaving_now == [("somebody", 90_000_000)])
            fast.give_up.cancel()
            await until(lambda: not fast.leaving_now)
            with trio.fail_after(PATIENCE_S):
                assert len(await read_all(never.stream)) < 90_000_000

    async def test_a_large_answer_that_the_kernel_takes_whole_is_not_held(
        self, start_server: StartServer, fast: FastSite, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        held: list[int] = []
        monkeypatch.setattr(fast, "hold", lambda _, size: held.append(size))
        async with client(site) as one:
            for size in (1_000, PIECE_BYTES, PIECE_BYTES + 1):
                await one.send(later(b""))
                await begun(fast)
                fast.reply(b"x" * size)
                assert (await one.answer()).body == b"x" * size
        assert held == []

    async def test_an_answer_that_fails_costs_one_connection(
        self, start_server: StartServer, fast: FastSite, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        site = await start_server(fast_pipeline=fast)

        def fail() -> None:
            raise ValueError("a-secret-in-an-error")

        monkeypatch.setattr(fast, "moved", fail)
        async with client(site) as fails, client(site) as other:
            await fails.send(later(b""))
            await begun(fast)
            with capture_logs() as told:
                fast.reply(b"x" * MORE)
                await read_all(fails.stream)
            assert [one["event"] for one in told] == ["connection_failed"]
            assert "a-secret" not in str(told)
            assert (await other.ask(WHO)).status == 200


class TestDraining:
    async def test_a_pending_answer_is_the_last(
        self, start_server: StartServer, fast: FastSite
    ) -> None:
        site = await start_server(fast_pipeline=fast)
        async with client(site) as kept, client(site) as busy:
            await kept.send(later(b"a"))
            await busy.send(later(b"b") + later(b"c"))
            await begun(fast, 2)
            site.server.drain()
            await trio.testing.wait_all_tasks_blocked(0.01)
            for one in sorted(fast.begun, key=lambda one: one[1]):
                one[2](HotReply.of(one[1]))
            for waits, body in ((kept, b"a"), (busy, b"b")):
                answer = await waits.answer()
                assert answer.body == body
                assert "connection: close" in answer.head
                assert await waits.closed()
        with trio.fail_after(PATIENCE_S):
            await site.done.wait()
        assert len(fast.begun) == 2

    async def test_an_answer_that_comes_after_the_end_is_dropped(
        self, start_server: StartServer, fast: FastSite, nursery: trio.Nursery
    ) -> None:
        site: Site = await start_server(fast_pipeline=fast)
        async with client(site) as kept, client(site) as large:
            for one in (kept, large):
                await one.send(later(b"a"))
            await begun(fast, 2)
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                assert await kept.closed()
                fast.reply()
                fast.reply(b"x" * LARGE)
                assert await kept.closed()
                assert await large.closed()

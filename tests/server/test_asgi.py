import json
from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import httpx
import pytest
import trio
import trio.testing
from hypercorn.events import RawData
from quart import request
from quart_trio import QuartTrio
from structlog.testing import capture_logs

from phonegate.config.settings import HttpSettings, TlsSettings
from phonegate.server import AppUnusable, Server
from phonegate.server import asgi as house_module
from phonegate.server.app_tasks import SocketPeer

from .conftest import OpenDoor
from .site import Answer, App, Level, Site, echo_phone, read_all, reset, until


def post(path: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: h", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class TestLifespan:
    async def test_the_application_starts_and_stops_once(self, open_door: OpenDoor) -> None:
        site = await open_door()
        for _ in range(3):
            await site.get("/who")
        assert (site.app.started, site.app.stopped) == (1, 0)
        site.door.drain()
        with trio.fail_after(5):
            await site.done.wait()
        assert (site.app.started, site.app.stopped) == (1, 1)

    async def test_one_that_fails_to_start_keeps_the_door_shut(self) -> None:
        app = QuartTrio("broken")

        @app.before_serving
        async def fail() -> None:
            raise OSError("no disk")

        level = Level.now()
        settings = HttpSettings(bind=("127.0.0.1:0",))
        door = Server(settings, TlsSettings(), app=app, phone_lane=echo_phone)
        with pytest.raises(AppUnusable):
            await door.serve()
        assert Level.now() == level


class TestRequests:
    async def test_a_body_arrives_in_either_framing(self, open_door: OpenDoor) -> None:
        site = await open_door()
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

    async def test_expect_100_continue_is_answered(self, open_door: OpenDoor) -> None:
        site = await open_door()
        async with await site.connect() as stream:
            head, _, body = post("/echo", b"abc", "Expect: 100-continue").partition(b"\r\n\r\n")
            await stream.send_all(head + b"\r\n\r\n")
            with trio.fail_after(5):
                assert (await stream.receive_some()).startswith(b"HTTP/1.1 100")
                await stream.send_all(body)
                assert Answer.read(await read_all(stream)).body == b"abc"

    async def test_http_1_0_is_served(self, open_door: OpenDoor) -> None:
        site = await open_door()
        assert (await site.exchange(b"GET /who HTTP/1.0\r\n\r\n")).status == 200

    async def test_only_the_first_of_pipelined_requests_is_served(
        self, open_door: OpenDoor
    ) -> None:
        site = await open_door()
        smuggled = b"GET /boom HTTP/1.1\r\nHost: h\r\n\r\n"
        chunked = b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        for first in (b"GET /who HTTP/1.1\r\nHost: h\r\n\r\n", post("/echo", b"a"), chunked):
            answer = await site.exchange(first + smuggled * 3)
            assert answer.status == 200
            assert b"HTTP/1.1" not in answer.body
        assert site.app.paths == ["/who", "/echo", "/echo"]

    async def test_a_body_that_breaks_its_framing_is_a_json_400(self, open_door: OpenDoor) -> None:
        site = await open_door()
        bad = b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"
        answer = await site.exchange(bad)
        assert (answer.status, answer.json["code"]) == (400, "bad_request")

    async def test_an_early_answer_arrives_although_the_body_was_not_read(
        self, open_door: OpenDoor
    ) -> None:
        site = await open_door()
        level = Level.now()
        answer = await site.exchange(post("/early", b"x" * 2_000_000))
        assert (answer.status, answer.json["code"]) == (413, "too_large")
        await level.regained()

    async def test_a_body_that_nobody_reads_holds_up_nothing(self, open_door: OpenDoor) -> None:
        site = await open_door()
        level = Level.now()
        async with await site.connect() as stream:
            await stream.send_all(post("/deaf", b"x" * 40)[:-40])
            await site.app.held.wait()
            for _ in range(39):  # pieces, far more than wait for an application to read them
                await stream.send_all(b"x")
                await trio.testing.wait_all_tasks_blocked(0.001)
            site.app.release.set()
            with trio.fail_after(5):
                assert Answer.read(await read_all(stream)).body == b"done"
        await level.regained()

    async def test_an_error_of_the_application_is_a_json_500_and_quotes_nothing(
        self, open_door: OpenDoor
    ) -> None:
        site = await open_door()
        with capture_logs() as logs:
            answer = await site.get("/boom")
            assert (answer.status, answer.json["code"]) == (500, "internal_error")
            cut = await site.get("/halfway")
        assert (cut.status, b"half" in cut.body) == (200, True)
        assert not cut.body.endswith(b"0\r\n\r\n")
        assert [line["event"] for line in logs] == ["request_failed", "request_failed"]
        assert "a-secret" not in str(logs)

    async def test_a_request_that_takes_too_long_is_a_json_504(self, open_door: OpenDoor) -> None:
        site = await open_door(request_timeout_s=0.1)
        level = Level.now()
        with capture_logs() as logs:
            answer = await site.get("/stuck")
        assert (answer.status, answer.json["code"]) == (504, "timeout")
        assert site.app.cancelled.is_set()
        assert logs[0]["event"] == "request_timed_out"
        await level.regained()

    async def test_a_client_that_leaves_is_told_to_the_application(
        self, open_door: OpenDoor
    ) -> None:
        site = await open_door()
        level = Level.now()
        for leave in (reset, close):
            site.app.held = trio.Event()
            site.app.disconnected = trio.Event()
            stream = await site.connect()
            await stream.send_all(b"GET /hold HTTP/1.1\r\nHost: h\r\n\r\n")
            with trio.fail_after(5):
                await site.app.held.wait()
                leave(stream)
                await site.app.disconnected.wait()
        await level.regained()

    async def test_a_client_that_leaves_amid_its_body_is_told_too(
        self, open_door: OpenDoor
    ) -> None:
        site = await open_door()
        level = Level.now()
        stream = await site.connect()
        await stream.send_all(post("/echo", b"x" * 100)[:-50])
        await until(lambda: bool(site.app.calls))
        reset(stream)
        with trio.fail_after(5):
            await site.app.disconnected.wait()
        await level.regained()

    async def test_quart_sees_the_client(self, open_door: OpenDoor) -> None:
        app = QuartTrio("inner")

        @app.post("/echo")
        async def echo() -> dict[str, Any]:
            body = await request.get_data(as_text=True)
            return {"address": request.remote_addr, "scheme": request.scheme, "body": body}

        site = await open_door(app=app, trusted_proxies=("127.0.0.0/8",))
        told = "X-Forwarded-For: 6.6.6.6, 1.1.1.1", "X-Forwarded-Proto: https"
        answer = await site.exchange(post("/echo", b"hi", *told))
        assert answer.json == {"address": "1.1.1.1", "scheme": "https", "body": "hi"}
        assert (await site.exchange(b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n")).status == 404


class TestUnreadAnswers:
    async def test_a_client_that_never_reads_is_dropped(self, open_door: OpenDoor) -> None:
        site = await open_door(peer_timeout_s=0.3)
        level = Level.now()
        streams = [await site.connect(receive_buffer=4096) for _ in range(3)]
        for stream in streams:
            await stream.send_all(b"GET /big?n=20000000 HTTP/1.1\r\nHost: h\r\n\r\n")
        await until(lambda: len(site.app.calls) == 3)
        with trio.fail_after(5):
            await until(lambda: site.door.connections == 0)
        for stream in streams:
            await stream.aclose()
        await level.regained()

    async def test_one_that_reads_slowly_gets_no_longer_than_a_request_may_take(
        self, open_door: OpenDoor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(house_module, "ANSWER_GRACE_S", 0.1)
        site = await open_door(request_timeout_s=0.3, peer_timeout_s=30.0)
        async with await site.connect(receive_buffer=4096) as stream:
            await stream.send_all(b"GET /big?n=20000000 HTTP/1.1\r\nHost: h\r\n\r\n")
            await until(lambda: bool(site.app.calls))
            with trio.fail_after(5):
                await until(lambda: site.door.connections == 0)

    async def test_it_can_t_hold_up_the_end_of_the_door(self) -> None:
        door = Server(
            HttpSettings(bind=("127.0.0.1:0",)), TlsSettings(), app=App(), phone_lane=echo_phone
        )
        level = Level.now()
        async with trio.open_nursery() as doors:
            site = Site(door, App(), await doors.start(door.serve))
            stream = await site.connect(receive_buffer=4096)
            await stream.send_all(b"GET /big?n=20000000 HTTP/1.1\r\nHost: h\r\n\r\n")
            await stream.receive_some(1)
            await trio.testing.wait_all_tasks_blocked(0.05)  # the kernel's buffers are full now
            door.drain()
            doors.cancel_scope.cancel()
            start = trio.current_time()
        assert trio.current_time() - start < 5  # peer_timeout_s is 20
        await stream.aclose()
        await level.regained()


def close(stream: trio.SocketStream) -> None:
    stream.socket.close()


class Http2:
    """A client that can also do what a good one never would."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        config = h2.config.H2Configuration(
            validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self.machine = h2.connection.H2Connection(config)
        self.events: list[h2.events.Event] = []

    @classmethod
    async def connect(cls, site: Site) -> "Http2":
        assert site.trust is not None
        site.trust.set_alpn_protocols(["h2"])
        raw = await site.connect()
        client = cls(trio.SSLStream(raw, site.trust, server_hostname="127.0.0.1"))
        client.machine.initiate_connection()
        await client.flush()
        return client

    async def flush(self) -> None:
        await self.stream.send_all(self.machine.data_to_send())

    async def ask(
        self,
        path: bytes,
        *extra: tuple[bytes, bytes],
        method: bytes = b"GET",
        authority: tuple[bytes, bytes] = (b":authority", b"h"),
    ) -> int:
        number = self.machine.get_next_available_stream_id()
        fields = [
            (b":method", method),
            (b":scheme", b"https"),
            (b":path", path),
            authority,
            *extra,
        ]
        self.machine.send_headers(number, fields, end_stream=method != b"POST")
        await self.flush()
        return number

    async def wait(self, kind: type[h2.events.Event], number: int | None = None) -> Any:
        with trio.fail_after(10):
            while True:
                for event in self.events:
                    if isinstance(event, kind) and number in (None, getattr(event, "stream_id", 0)):
                        return event
                data = await self.stream.receive_some()
                assert data, f"closed before a {kind.__name__}"
                self.events += self.machine.receive_data(bytes(data))
                await self.flush()


class TestHttp2:
    @pytest.fixture
    async def site(self, open_door: OpenDoor, tls: TlsSettings, trust: Any) -> Site:
        return await open_door(tls=tls, trust=trust, trusted_proxies=("127.0.0.1",))

    async def test_many_requests_share_a_connection(self, site: Site) -> None:
        assert site.trust is not None
        async with httpx.AsyncClient(http2=True, http1=False, verify=site.trust) as client:
            sizes: list[int] = []

            async def fetch(size: int) -> None:
                answer = await client.post(f"{site.url}/echo", content=b"x" * size)
                assert answer.http_version == "HTTP/2"
                sizes.append(len(answer.content))

            async with trio.open_nursery() as nursery:
                for size in range(0, 200_000, 10_000):
                    nursery.start_soon(fetch, size)
            assert sorted(sizes) == list(range(0, 200_000, 10_000))
            assert site.door.connections == 1

    async def test_each_request_has_its_own_client(self, site: Site) -> None:
        assert site.trust is not None
        async with httpx.AsyncClient(http2=True, verify=site.trust) as client:
            for address in ("1.1.1.1", "2.2.2.2"):
                told = {"X-Forwarded-For": address, "X-Forwarded-Proto": "http"}
                seen = (await client.get(f"{site.url}/who", headers=told)).json()
                assert seen["client"] == [address, 0]
                assert seen["scheme"] == "http"

    async def test_extended_connect_is_not_offered_and_connect_is_reset(self, site: Site) -> None:
        client = await Http2.connect(site)
        async with client.stream:
            changed = await client.wait(h2.events.RemoteSettingsChanged)
            offered = {
                int(code): setting.new_value for code, setting in changed.changed_settings.items()
            }
            assert not offered.get(h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL)
            number = await client.ask(
                b"/websocket", (b":protocol", b"websocket"), method=b"CONNECT"
            )
            await client.wait(h2.events.StreamReset, number)
            number = await client.ask(b"/who")
            await client.wait(h2.events.StreamEnded, number)

    @pytest.mark.parametrize("path", [b"/\xff", b"who", b"/a b", b"/a#b", b"http://h/"])
    async def test_a_wrong_request_costs_its_stream_alone(self, site: Site, path: bytes) -> None:
        client = await Http2.connect(site)
        async with client.stream:
            held = await client.ask(b"/hold")
            await site.app.held.wait()
            wrong = await client.ask(path)
            await client.wait(h2.events.StreamReset, wrong)
            site.app.release.set()
            await client.wait(h2.events.StreamEnded, held)

    @pytest.mark.parametrize("host", [b"a..b", b"a" * 64, b"a b", b"[h"])
    async def test_a_host_that_can_not_be_costs_its_stream_alone(
        self, site: Site, host: bytes
    ) -> None:
        client = await Http2.connect(site)
        async with client.stream:
            for field in (b":authority", b"host"):
                wrong = await client.ask(b"/who", authority=(field, host))
                await client.wait(h2.events.StreamReset, wrong)
            right = await client.ask(b"/who", authority=(b"host", b"a" * 63))
            await client.wait(h2.events.StreamEnded, right)

    async def test_a_body_after_the_answer_costs_nothing(self, site: Site) -> None:
        client = await Http2.connect(site)
        async with client.stream:
            number = await client.ask(b"/early", method=b"POST")
            await client.wait(h2.events.StreamEnded, number)
            left = 200_000  # three times the window that a connection begins with
            while left:
                room = client.machine.local_flow_control_window(number)
                if not room:
                    client.events.clear()
                    await client.wait(h2.events.WindowUpdated)
                    continue
                size = min(room, left, 16_384)
                client.machine.send_data(number, b"x" * size)
                await client.flush()
                left -= size
            number = await client.ask(b"/who")
            await client.wait(h2.events.StreamEnded, number)

    async def test_an_answer_cut_short_is_reset(self, site: Site) -> None:
        client = await Http2.connect(site)
        async with client.stream:
            with capture_logs():
                number = await client.ask(b"/halfway")
                await client.wait(h2.events.StreamReset, number)
            number = await client.ask(b"/boom")
            with capture_logs():
                assert json.loads((await client.wait(h2.events.DataReceived, number)).data)

    async def test_a_call_that_ends_amid_a_frame_breaks_no_other_stream(self, site: Site) -> None:
        client = await Http2.connect(site)
        async with client.stream:
            client.machine.increment_flow_control_window(2**30)
            codes = h2.settings.SettingCodes
            client.machine.update_settings({codes.INITIAL_WINDOW_SIZE: 2**30})
            flood = await client.ask(b"/flood")
            await site.app.held.wait()
            await trio.testing.wait_all_tasks_blocked(0.05)  # its frames have nowhere to go
            client.machine.reset_stream(flood)
            await client.flush()
            number = await client.ask(b"/who")
            await until(site.app.disconnected.is_set)
            await client.wait(h2.events.StreamEnded, number)

    async def test_an_answer_is_handed_on_no_faster_than_its_client_takes_it(
        self, site: Site
    ) -> None:
        client = await Http2.connect(site)
        async with client.stream:
            number = await client.ask(b"/pieces")
            # 65,535 bytes fit into the first window.
            got = 0

            async def take(upto: int) -> None:
                nonlocal got
                while got < upto:
                    for event in client.machine.receive_data(await client.stream.receive_some()):
                        if isinstance(event, h2.events.DataReceived):
                            got += len(event.data)
                    await client.flush()

            with trio.fail_after(20):
                await take(65_535)
                await until(lambda: site.app.pieces == 1)
                for _ in range(20):  # a window that opens a little lets no whole piece through
                    client.machine.increment_flow_control_window(1)
                    client.machine.increment_flow_control_window(1, number)
                    await client.flush()
                    await take(got + 1)
                await trio.testing.wait_all_tasks_blocked(0.05)
                assert site.app.pieces == 1
                client.machine.increment_flow_control_window(2**21)
                client.machine.increment_flow_control_window(2**21, number)
                await client.flush()
                await take(20 * 65_536)
                await until(lambda: site.app.pieces == 20)

    async def test_a_client_that_leaves_with_its_window_shut_frees_the_call(
        self, site: Site
    ) -> None:
        client = await Http2.connect(site)
        # 65,535 bytes fit into the first window; the rest waits inside Hypercorn.
        await client.wait(h2.events.DataReceived, await client.ask(b"/big?n=1000000"))
        await trio.testing.wait_all_tasks_blocked(0.05)
        await trio.aclose_forcefully(client.stream)
        with trio.fail_after(5):
            await site.level()

    async def test_draining_says_goodbye_to_the_idle_and_lets_the_busy_finish(
        self, site: Site
    ) -> None:
        idle, busy = await Http2.connect(site), await Http2.connect(site)
        await idle.wait(h2.events.StreamEnded, await idle.ask(b"/who"))
        held = await busy.ask(b"/hold")
        await site.app.held.wait()
        site.door.drain()
        await idle.wait(h2.events.ConnectionTerminated)
        refused = await busy.ask(b"/who")
        reset_ = await busy.wait(h2.events.StreamReset, refused)
        assert reset_.error_code == h2.errors.ErrorCodes.REFUSED_STREAM
        site.app.release.set()
        await busy.wait(h2.events.StreamEnded, held)
        for client in (idle, busy):
            await trio.aclose_forcefully(client.stream)
        with trio.fail_after(5):
            await site.done.wait()

    async def test_an_idle_connection_ends(
        self, open_door: OpenDoor, tls: TlsSettings, trust: Any
    ) -> None:
        site = await open_door(tls=tls, trust=trust, keepalive_timeout_s=0.1)
        client = await Http2.connect(site)
        async with client.stream:
            number = await client.ask(b"/hold")
            await site.app.held.wait()
            client.machine.reset_stream(number)
            await client.flush()
            await client.wait(h2.events.ConnectionTerminated)

    async def test_one_that_never_reads_is_dropped(
        self, open_door: OpenDoor, tls: TlsSettings, trust: Any
    ) -> None:
        site = await open_door(tls=tls, trust=trust, peer_timeout_s=0.3)
        client = await Http2.connect(site)
        level = site.door.connections
        assert level <= 1
        client.machine.increment_flow_control_window(2**30)
        client.machine.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 2**30})
        await client.flush()
        for _ in range(4):
            await client.ask(b"/big?n=20000000")
        await until(lambda: len(site.app.calls) == 4)
        await until(lambda: site.door.connections == 0)
        await trio.aclose_forcefully(client.stream)


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


class TestWire:
    def wire(self, stream: trio.abc.Stream, **settings: Any) -> Any:
        lane = house_module.AsgiShell(App(), HttpSettings(**settings), ())
        peer = SocketPeer(address="127.0.0.1", port=1, scheme="https")
        return house_module._Wire(lane, stream, peer, deadline=float("inf"))

    async def test_who_is_cancelled_in_a_send_takes_no_bytes_along(self) -> None:
        stream = Stuck()
        wire = self.wire(stream)
        async with trio.open_nursery() as calls:
            for data in (b"one ", b"two "):  # one is in the send, the other before it
                calls.start_soon(wire.send, RawData(data))
                await trio.testing.wait_all_tasks_blocked()
            calls.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await trio.testing.wait_all_tasks_blocked()
            stream.let.set()
        await wire.send(RawData(b"three"))
        assert stream.sent == b"one two three"

    async def test_a_send_has_a_deadline_of_its_own(self) -> None:
        wire = self.wire(Stuck(), peer_timeout_s=0.05)
        with trio.fail_after(5):
            await wire.send(RawData(b"never read"))
        assert wire._reading.cancel_called

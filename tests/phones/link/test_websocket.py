"""What passes under the websocket: limits, deadlines and ends."""

import json
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import attrs
import pytest
import trio
import trio.testing
import wsproto
import wsproto.connection
import wsproto.events

from phonegate.config.settings import PhoneSettings
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.phones.link import websocket
from phonegate.phones.link.general_frames import MAX_PIECES
from phonegate.phones.link.transport import WebsocketTransport
from phonegate.phones.session import Session
from phonegate.phones.transport import LinkLost
from phonegate.server.streams import Replay
from tests.patience import PATIENCE_S
from tests.phones.conftest import Start
from tests.phones.site import NUMBER, OTHER, PATIENT, Site

from .test_phone_link import handshake


@asynccontextmanager
async def raw(site: Site, **query: str) -> AsyncIterator[trio.SocketStream]:
    """A phone that has shaken hands and does nothing by itself."""
    stream = await trio.open_tcp_stream("127.0.0.1", site.port)
    async with stream:
        await stream.send_all(handshake(site.target(**query)))
        received = b""
        with trio.fail_after(PATIENCE_S):
            while b'"connected"' not in received:
                received += await stream.receive_some()
        yield stream


def transports(site: Site) -> list[WebsocketTransport]:
    """The gateway's ends of all links, earliest first."""
    found = [session._transport for session in site.sessions()]
    assert all(isinstance(transport, WebsocketTransport) for transport in found)
    return cast("list[WebsocketTransport]", found)


async def until(stream: trio.SocketStream, end: bytes) -> None:
    """Reads until what came ends so, but for the rest of a last frame."""
    received = b""
    with trio.fail_after(PATIENCE_S):
        while end not in received:
            received += await stream.receive_some()


def frame(payload: bytes, first: int = 0x81) -> bytes:
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65_536:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    return bytes([first]) + length + bytes(4) + payload


async def pour(stream: trio.SocketStream, data: bytes) -> bool:
    """Sends without end and without reading; True once the gateway has had enough."""
    with trio.move_on_after(PATIENCE_S):
        try:
            while True:
                await stream.send_all(data)
        except trio.BrokenResourceError:
            return True
    return False


async def close_code(stream: trio.SocketStream) -> int | None:
    """The code of the close frame that ends what the gateway sends, if one does."""
    received = b""
    with trio.fail_after(PATIENCE_S):
        try:
            while data := await stream.receive_some():
                received += data
        except trio.BrokenResourceError:
            return None
    at = received.rfind(b"\x88")
    return struct.unpack_from("!H", received, at + 2)[0] if at >= 0 else None


async def ends(site: Site) -> None:
    with trio.fail_after(PATIENCE_S):
        while site.serving:  # noqa: ASYNC110 - it tells nobody
            await trio.sleep(0.005)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(b"\xff\xfe"), 1007),
        (frame(b"x", first=0xC1), 1002),
        (frame(b"x", first=0x80), 1002),
        (frame(b"x", first=0x8B), 1002),
        (b"\x81\x01x", 1002),
        (frame(b"x" * 126, first=0x89), 1002),
    ],
    ids=["not UTF-8", "reserved bit", "no start", "unknown opcode", "unmasked", "long ping"],
)
async def test_a_broken_frame_is_answered_with_its_close_code(
    site: Site, data: bytes, code: int
) -> None:
    async with raw(site) as stream:
        await stream.send_all(data)
        assert await close_code(stream) == code
    await ends(site)


async def test_a_huge_frame_is_refused_before_it_is_all_there(site: Site) -> None:
    async with raw(site) as stream:
        await stream.send_all(b"\x81\xff" + (2**40).to_bytes(8, "big") + bytes(4))
        await stream.send_all(b"x" * 100_000)
        assert await close_code(stream) == 1009


def inbound(size: int) -> bytes:
    """A frame of one received SMS, its type last, of at least so many bytes."""
    fill = ["x" * 50] * (size // 54)
    told = {"message": {"address": OTHER, "body": "b", "id": 1}, "fill": fill}
    return json.dumps(told | {"type": "inbound"}).encode()


async def test_a_frame_of_received_sms_may_be_large(site: Site) -> None:
    # One SMS of 255 Cyrillic parts, as an app may write it.
    body = "\u0436" * 17_085
    told = {"type": "inbound", "message": {"address": OTHER, "body": body, "id": 1}}
    large = json.dumps(told).encode()
    assert len(large) > 100_000
    async with raw(site, device_id="a") as stream:
        await stream.send_all(frame(b'{"type":"hello"}') + frame(large))
        await until(stream, b"inbound_ack")
    assert (await site.messages(direction="in"))[0].body == body


async def test_500_received_sms_fit_one_frame(site: Site) -> None:
    texts = [{"address": OTHER, "body": "\u0436" * 70, "id": n} for n in range(500)]
    large = json.dumps({"messages": texts, "type": "inbound"}).encode()
    assert len(large) > 200_000
    async with raw(site, device_id="a") as stream:
        await stream.send_all(frame(b'{"type":"hello"}') + frame(large))
        await until(stream, b"inbound_ack")
    assert len(await site.messages(direction="in", limit=1000)) == 500


async def test_a_large_frame_may_come_in_small_pieces(site: Site) -> None:
    large = inbound(150_000)
    pieces = [large[at : at + 100] for at in range(0, len(large), 100)]
    async with raw(site, device_id="a") as stream:
        await stream.send_all(frame(b'{"type":"hello"}') + frame(pieces[0], first=0x01))
        await stream.send_all(b"".join(frame(piece, first=0x00) for piece in pieces[1:-1]))
        (transport,) = transports(site)
        await stream.send_all(frame(pieces[-1], first=0x80))
        await until(stream, b"inbound_ack")
        general = transport._websocket._general
        assert general is None or len(general._parts or ()) <= MAX_PIECES
        assert transport._websocket._budget.bytes == 0


@pytest.mark.parametrize(
    "large",
    [
        inbound(70_000).replace(b'"inbound"', b'"ping"'),
        b'{"type":"ping","x":"' + b"message" * 10_000 + b'"}',
        b'{"x":"inbound' + b"x" * 70_000,
    ],
    ids=["ping", "words", "no JSON"],
)
async def test_any_other_frame_may_not_be_large(site: Site, large: bytes) -> None:
    async with raw(site) as stream:
        with suppress(trio.BrokenResourceError):
            await stream.send_all(frame(large))
        assert await close_code(stream) == 1009


async def test_a_frame_of_received_sms_has_its_limit(start: Start) -> None:
    site = await start(attrs.evolve(PATIENT, phones=PhoneSettings(max_inbound_bytes=100_000)))
    async with raw(site) as stream:
        with suppress(trio.BrokenResourceError):
            await stream.send_all(frame(inbound(110_000)))
        assert await close_code(stream) == 1009


async def test_large_frames_that_stall_make_room_for_others(site: Site) -> None:
    async with raw(site, device_id="a") as stalled, raw(site, device_id="b") as other:
        await other.send_all(frame(b'{"type":"hello"}'))
        first, _ = transports(site)
        first._websocket._budget._most = 200_000
        await stalled.send_all(frame(inbound(150_000))[:-10])
        with trio.fail_after(PATIENCE_S):
            while first._websocket._budget.bytes < 150_000:  # noqa: ASYNC110 - it tells nobody
                await trio.sleep(0.005)
        await other.send_all(frame(inbound(150_000)))
        await until(other, b"inbound_ack")
        assert await close_code(stalled) == 1013
        assert first._websocket._budget.bytes == 0


async def test_pieces_without_end_are_no_frame(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "MAX_UNPRODUCTIVE", 10_000)
    async with raw(site) as stream:
        await stream.send_all(frame(b"{", first=0x01))
        assert await pour(stream, frame(b"", first=0x00) * 100)
    await ends(site)


async def test_empty_pieces_are_not_kept(site: Site) -> None:
    async with raw(site) as stream:
        nothing = frame(b"", first=0x00) * 2_000
        await stream.send_all(frame(b'{"type":', first=0x01) + nothing + frame(b"", first=0x89))
        await until(stream, b"\x8a\x00")
        (transport,) = transports(site)
        general = transport._websocket._general
        assert general is not None
        assert general._parts == ['{"type":']
        await stream.send_all(frame(b'"ping"}', first=0x80))
        await until(stream, b"pong")


async def test_of_many_pings_at_once_the_last_is_answered(site: Site) -> None:
    async with raw(site) as stream:
        (transport,) = transports(site)
        pings = b"".join(frame(b"%03d" % number, first=0x89) for number in range(100))
        read = transport._websocket._parse(pings + frame(b"{", first=0x01))
        assert read.reply == b"\x8a\x03099"
        assert read.events == 101
        await stream.send_all(frame(b"a", first=0x89) + frame(b"\x03\xe8", first=0x88))
        await until(stream, b"\x8a\x01a\x88\x02\x03\xe8")


async def test_answers_that_are_not_read_fill_no_memory(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phonegate.phones.link.transport.ANSWERS_BYTES", 20_000)
    phones = attrs.evolve(PATIENT.phones, write_timeout_s=PATIENCE_S)
    site = await start(attrs.evolve(PATIENT, phones=phones))
    site.send_buffer = 4_096
    async with raw(site, device_id="a") as stream:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        put, most = WebsocketTransport._put, 0

        async def counted(self: WebsocketTransport, data: bytes) -> None:
            nonlocal most
            await put(self, data)
            most = max(most, sum(map(len, self._outbox)))

        monkeypatch.setattr(WebsocketTransport, "_put", counted)
        await stream.send_all(frame(b'{"type":"hello","features":[]}'))
        text = {"address": OTHER, "body": "x", "date": 1, "id": "i" * 100}
        inbound = json.dumps({"type": "inbound", "messages": [text] * 40}).encode()
        (transport,) = transports(site)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pour, stream, frame(inbound) * 10)
            with trio.fail_after(PATIENCE_S):
                while most <= 20_000 or transport._relief is None:  # noqa: ASYNC110 - it tells nobody
                    await trio.sleep(0.005)
            await trio.testing.wait_all_tasks_blocked()
            assert 20_000 < most < 30_000
            nursery.cancel_scope.cancel()
    # The reader, which waits for room, learns of the end.
    await ends(site)


async def test_a_silent_phone_is_found_dead(start: Start) -> None:
    phones = PhoneSettings(ping_interval_s=0.05, pong_timeout_s=0.1)
    site = await start(attrs.evolve(PATIENT, phones=phones))
    async with raw(site) as stream:
        assert await close_code(stream) is None
    await ends(site)


async def test_a_phone_that_speaks_and_does_not_read_is_found_dead(start: Start) -> None:
    phones = PhoneSettings(ping_interval_s=0.05, pong_timeout_s=0.2)
    site = await start(attrs.evolve(PATIENT, phones=phones))
    async with raw(site) as stream:
        with trio.fail_after(PATIENCE_S):
            while site.serving:
                with suppress(trio.BrokenResourceError):
                    await stream.send_all(frame(b'{"type":"status","battery":50}'))
                await trio.sleep(0.02)


def ask(session: Session) -> None:
    """Has the heart beat at a time at which a ping is due."""
    session.station.state._ping_at = trio.current_time()
    session.tick()
    assert session.station.state._asked_at is not None


async def test_an_answer_that_was_left_unread_is_not_held_against_a_phone(site: Site) -> None:
    async with raw(site):
        (session,) = site.sessions()
        ask(session)
        await session._slow_down(0.01)
        session.tick()
        assert session.station.state._asked_at is None


async def test_a_ping_goes_before_all_that_waits_however_much_that_is(site: Site) -> None:
    async with raw(site) as stream:
        (transport,) = transports(site)
        transport._frames_limit = 2
        for text in "xy":
            transport._outbox.append(transport._websocket.text(text))
        transport._call_writer()
        transport.probe()
        received = b""
        with trio.fail_after(PATIENCE_S):
            while b"y" not in received:
                received += await stream.receive_some()
        assert received == b"\x89\x04pgat\x81\x01x\x81\x01y"


async def test_a_ping_of_which_the_kernel_takes_a_part_goes_on_before_what_follows(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with raw(site) as stream:
        (transport,) = transports(site)
        # The first frame of the phone's own makes the connection known beside the stream.
        await stream.send_all(frame(b"", first=0x89))
        await until(stream, b"\x8a\x00")
        quick = transport._websocket._quick
        assert quick is not None
        send_now = quick.send_now

        class Scarce:
            def send_now(self, data: bytes) -> int:
                monkeypatch.undo()
                return send_now(data[:3])

        monkeypatch.setattr(transport._websocket, "_quick", Scarce())
        transport.probe()
        transport._outbox.append(transport._websocket.text("y"))
        transport._call_writer()
        received = b""
        with trio.fail_after(PATIENCE_S):
            while b"y" not in received:
                received += await stream.receive_some()
        assert received == b"\x89\x04pgat\x81\x01y"


async def test_a_ping_needs_no_task(site: Site) -> None:
    async with raw(site) as stream:
        (transport,) = transports(site)
        await stream.send_all(frame(b"", first=0x89))
        await until(stream, b"\x8a\x00")
        transport.probe()
        assert not transport._outbox
        await until(stream, b"\x89\x04pgat")


async def test_a_ping_into_a_lost_link_ends_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    class Lost:
        def send_now(self, data: bytes) -> int:
            raise trio.BrokenResourceError

    async with raw(site):
        (transport,) = transports(site)
        monkeypatch.setattr(transport._websocket, "_quick", Lost())
        transport.probe()
        await ends(site)


async def test_a_phone_that_answers_pings_stays(site: Site) -> None:
    async with raw(site) as stream:
        (session,), (transport,) = site.sessions(), transports(site)
        for _ in range(3):
            ask(session)
            received = b""
            with trio.fail_after(PATIENCE_S):
                while len(received) < 6:
                    received += await stream.receive_some()
            assert received[0] == 0x89
            asked_at = trio.current_time()
            await stream.send_all(frame(received[2:6], first=0x8A))
            with trio.fail_after(PATIENCE_S):
                while transport.answered_at < asked_at:  # noqa: ASYNC110 - it tells nobody
                    await trio.sleep(0.001)
            session.tick()
            assert session.station.state._asked_at is None
        assert len(site.stations()) == 1


@pytest.fixture(params=["plain", "encrypted"])
def stream_kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections as they are, or as under TLS, where nothing can be had beside the stream."""
    if request.param == "encrypted":
        monkeypatch.setattr(Replay, "bare", None)


@pytest.mark.usefixtures("stream_kind")
async def test_a_phone_that_reads_late_gets_every_frame_whole(start: Start) -> None:
    site = await start()
    site.send_buffer = 4_096
    count = 90
    async with raw(site, device_id="a") as stream:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        await stream.send_all(frame(b'{"type":"ping"}'))
        await until(stream, b"pong")
        await site.until_fed()
        await site.send(*(f"{number:03}" + "x" * 1_500 for number in range(count)))
        await trio.testing.wait_all_tasks_blocked()
        received = b""
        with trio.fail_after(PATIENCE_S):
            while received.count(b"}") < count:
                received += await stream.receive_some()
    frames = wsproto.connection.Connection(wsproto.ConnectionType.CLIENT)
    frames.receive_data(received)
    texts, parts = [], ""
    for event in frames.events():
        assert isinstance(event, wsproto.events.TextMessage)
        parts += event.data
        if event.message_finished:
            texts.append(json.loads(parts)["body"])
            parts = ""
    assert [text[:3] for text in texts] == [f"{number:03}" for number in range(count)]


async def test_nothing_follows_half_a_frame() -> None:
    near, far = trio.testing.lockstep_stream_pair()
    socket = websocket.PhoneWebsocket(near, max_frame_bytes=100, write_timeout_s=60)
    with trio.CancelScope() as cut:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(socket.send, socket.text("first"))
            await trio.testing.wait_all_tasks_blocked()
            cut.cancel()
    with pytest.raises(LinkLost):
        await socket.send(socket.text("second"))
    await trio.aclose_forcefully(far)


async def test_a_phone_that_does_not_answer_a_close_frame_is_dropped(start: Start) -> None:
    site = await start(goodbye_s=0.1)
    site.linger_s = 0.1
    async with raw(site):
        site.stations()[0].close(4000, "replaced")
        await ends(site)


async def test_a_phone_that_is_told_to_go_keeps_no_heart_racing(start: Start) -> None:
    site = await start(goodbye_s=PATIENCE_S)
    async with raw(site):
        (session,) = site.sessions()
        state = session.station.state
        state._ping_at = trio.current_time()
        session.station.close(4000, "replaced")
        session.tick()
        assert state._asked_at is None
        assert session.due > trio.current_time()


async def test_more_than_the_outbox_holds_is_not_kept(site: Site) -> None:
    async with raw(site, device_id="a") as stream:
        await stream.send_all(frame(b'{"type":"hello","features":["cancel"]}'))
        await stream.send_all(frame(b'{"type":"ping"}'))
        await until(stream, b"pong")
        await site.until_fed()
        (first,) = (await site.send("one")).results
        (station,) = site.stations()
        transports(site)[0]._frames_limit = 0
        assert not station.ask_cancel(first.id)
        await site.send("two")
        await ends(site)


@pytest.mark.usefixtures("stream_kind")
async def test_a_phone_that_does_not_read_is_dropped(start: Start) -> None:
    phones = PhoneSettings(write_timeout_s=0.2, ping_interval_s=60)
    site = await start(attrs.evolve(PATIENT, phones=phones))
    site.send_buffer = 4_096
    async with raw(site, device_id="a") as stream, site.phone(device_id="b") as other:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        assert await pour(stream, frame(b'{"type":"ping"}') * 1_000)
        # It held up nobody.
        assert await other.settled() == []
    await ends(site)


async def test_close_all_drops_those_that_do_not_answer(start: Start) -> None:
    site = await start(goodbye_s=2 * PATIENCE_S)
    async with raw(site) as stream:
        with trio.fail_after(PATIENCE_S):
            await site.switchboard.close_all(1012, "restart", goodbye_s=0.1)
        assert await close_code(stream) == 1012


async def test_a_ping_behind_the_goodbye_costs_no_report(site: Site) -> None:
    async with raw(site, device_id="a") as stream:
        await stream.send_all(frame(b'{"type":"ping"}'))
        await until(stream, b"pong")
        await site.until_fed()
        await site.send(*"abcdefgh")
        await until(stream, b'"body":"h"')
        site.stations()[0].close(1012, "restart")
        await until(stream, (1012).to_bytes(2, "big"))
        ids = [message.id for message in await site.messages()]
        results = (f'{{"type":"send_result","id":{i},"success":true}}'.encode() for i in ids)
        goodbye = frame((1012).to_bytes(2, "big"), first=0x88)
        ping = frame(b"", first=0x89)
        await stream.send_all(b"".join(frame(result) for result in results) + ping + goodbye)
    await ends(site)
    assert [message.status for message in await site.messages()] == ["sent"] * 8


SHORT_PAUSES = {"first_retry_s": 0.02, "feeding_pause_s": 0.02}
"""Of what waits for the disk."""


class Trouble:
    """A database whose disk refuses while `on`."""

    def __init__(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        self.on = False
        self.refused = trio.Event()
        write = site.database.write

        async def refusing(op: object, **how: bool) -> object:
            if self.on:
                self.refused.set()
                raise StorageUnavailable("disk full")
            return await write(op, **how)  # type: ignore[arg-type]

        monkeypatch.setattr(site.database, "write", refusing)
        submit = site.database.submit

        def refusing_later(op: Any, done: Any, **how: Any) -> None:
            if self.on:
                self.refused.set()
                error = StorageUnavailable("disk full")
                trio.lowlevel.current_trio_token().run_sync_soon(done, None, error)
            else:
                submit(op, done, **how)

        monkeypatch.setattr(site.database, "submit", refusing_later)


async def test_a_phone_that_waits_for_the_disk_is_not_taken_for_dead(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    silence_s = 0.02
    phones = attrs.evolve(PATIENT.phones, pong_timeout_s=silence_s)
    site = await start(attrs.evolve(PATIENT, phones=phones), **SHORT_PAUSES)
    trouble = Trouble(site, monkeypatch)
    async with raw(site, device_id="a") as stream:
        trouble.on = True
        inbound = '{"type":"inbound","message":{"address":"+15553334444","body":"x","date":%d}}'
        await stream.send_all(b"".join(frame((inbound % n).encode()) for n in range(200)))
        (session,) = site.sessions()
        with trio.fail_after(PATIENCE_S):
            while not session._stalled:  # noqa: ASYNC110 - it tells nobody
                await trio.sleep(0.001)
        session.station.state._asked_at = trio.current_time()
        # Longer than silence is borne.
        await trio.sleep(2 * silence_s)
        session.tick()
        assert session.station.state._asked_at is None
        assert not session.station.state.parting
        trouble.on = False
        with trio.fail_after(PATIENCE_S):
            while len(await site.messages(direction="in", limit=1000)) < 200:  # noqa: ASYNC110 - it tells nobody
                await trio.sleep(0.005)


@pytest.mark.parametrize("greeted", [True, False])
async def test_a_full_disk_loses_nothing(
    start: Start, monkeypatch: pytest.MonkeyPatch, *, greeted: bool
) -> None:
    site = await start(PATIENT, **SHORT_PAUSES)
    trouble = Trouble(site, monkeypatch)
    async with site.phone(device_id="a") as phone:
        if greeted:
            await phone.hello("ack")
        await phone.sims(NUMBER)
        (result,) = (await site.send("hi")).results
        await phone.get()
        trouble.on = True
        text = {"address": OTHER, "body": "x", "date": 1, "id": "1"}
        await phone.say("inbound", message=text)
        error = await phone.get()
        assert (error["code"], error["ids"]) == ("storage_unavailable", ["1"])
        await phone.say("send_result", id=result.id, success=True)
        # More than the queue holds: the phone has to wait, and is not taken for dead.
        for number in range(300):
            await phone.say("inbound", message=text | {"date": 2 + number})
        assert await site.messages(direction="in") == []
        trouble.on = False
        frames = await phone.settled()
        assert [f["type"] for f in frames] == ["inbound_ack"] * (301 if greeted else 0)
        assert len(await site.messages(direction="in", limit=1000)) == 301
        assert (await site.message(result.id)).status == "sent"


async def test_the_feeder_goes_on_after_a_full_disk(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = await start(PATIENT, **SHORT_PAUSES)
    async with site.phone(device_id="a"):
        pass
    await site.until_online(0)
    await site.send("hi")
    trouble = Trouble(site, monkeypatch)
    async with site.phone(device_id="a") as phone:
        assert (await phone.get())["body"] == "hi"
        await site.until_fed()
        trouble.on = True
        site.stations()[0].wake()
    trouble.on = False
    assert json.dumps([m.status for m in await site.messages()]) == '["sending"]'

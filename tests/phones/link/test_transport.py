"""The outbox: what waits leaves in one write at the end of a turn."""

import attrs
import pytest
import trio
import trio.testing

from phonegate.phones import frames
from phonegate.phones.frames import encode
from phonegate.phones.link import plain_frames
from phonegate.phones.link.transport import ANSWERS, WebsocketTransport
from phonegate.phones.link.websocket import PhoneWebsocket
from tests.patience import PATIENCE_S

PONG = plain_frames.text(encode(frames.Pong()).encode())


def cancel(message: int) -> bytes:
    return plain_frames.text(encode(frames.Cancel(message)).encode())


@attrs.define
class Socket(trio.abc.Stream):
    """The connection under a websocket, of which the kernel takes so many bytes at a time."""

    takes: int = 1_000_000
    is_lost: bool = False
    writes: list[bytes] = attrs.field(factory=list)

    def send_now(self, data: bytes) -> int:
        if self.is_lost:
            raise trio.BrokenResourceError
        self.writes.append(data[: self.takes])
        return len(self.writes[-1])

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        self.writes.append(bytes(data))

    async def wait_send_all_might_not_block(self) -> None:
        raise NotImplementedError

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        raise NotImplementedError

    async def receive_next(self, max_bytes: int) -> bytes:
        raise NotImplementedError

    async def aclose(self) -> None:
        raise NotImplementedError


@attrs.define
class Link:
    """A transport over such a connection."""

    socket: Socket
    transport: WebsocketTransport
    lost: list[str] = attrs.field(factory=list)


@pytest.fixture
def link(nursery: trio.Nursery) -> Link:
    socket = Socket()
    websocket = PhoneWebsocket(socket, max_frame_bytes=1_000, write_timeout_s=5)
    websocket._quick = socket
    link = Link(socket, WebsocketTransport(websocket, window=2, max_frame_bytes=1_000))
    link.transport.start(nursery, lost=lambda: link.lost.append("lost"), crowded_out=lambda: None)
    return link


async def test_the_answer_to_the_upgrade_leaves_with_the_first_frame(
    nursery: trio.Nursery,
) -> None:
    socket = Socket()
    websocket = PhoneWebsocket(socket, max_frame_bytes=1_000, write_timeout_s=5)
    first = websocket.upgrade(b"cGhvbmVnYXRlIGJlbmNoIQ==")
    websocket._quick = socket
    transport = WebsocketTransport(websocket, first=first, window=2, max_frame_bytes=1_000)
    transport.send_now(frames.Pong())
    transport.start(nursery, lost=lambda: None, crowded_out=lambda: None)
    await trio.testing.wait_all_tasks_blocked()
    assert first.startswith(b"HTTP/1.1 101 ")
    assert socket.writes == [first + PONG]


async def test_what_a_turn_brings_leaves_in_one_write(link: Link) -> None:
    link.transport.send_now(frames.Cancel(1))
    await link.transport.send(frames.Cancel(2))
    link.transport.send_now(frames.Pong())
    assert link.socket.writes == []
    await trio.testing.wait_all_tasks_blocked()
    assert link.socket.writes == [cancel(1) + cancel(2) + PONG]
    link.transport.send_now(frames.Cancel(3))
    link.transport.close(1001, "so long")
    await trio.testing.wait_all_tasks_blocked()
    assert link.socket.writes[1:] == [cancel(3) + b"\x88\x09\x03\xe9so long"]


async def test_no_task_is_started_for_what_the_connection_takes(
    link: Link, nursery: trio.Nursery
) -> None:
    link.transport.send_now(frames.Pong())
    await trio.testing.wait_all_tasks_blocked()
    assert link.socket.writes == [PONG]
    assert not [task for task in nursery.child_tasks if "Worker" in task.name]


async def test_what_the_connection_does_not_take_goes_before_all_else(link: Link) -> None:
    link.socket.takes = 5
    link.transport.send_now(frames.Cancel(1))
    trio.lowlevel.current_trio_token().run_sync_soon(link.transport.probe)
    await trio.lowlevel.checkpoint()
    assert link.socket.writes == [cancel(1)[:5]]
    link.transport.send_now(frames.Cancel(2))
    await trio.testing.wait_all_tasks_blocked()
    sent = b"".join(link.socket.writes)
    assert sent == cancel(1) + b"\x89\x04pgat" + cancel(2)


async def test_room_in_the_outbox_wakes_those_who_wait_for_it(link: Link) -> None:
    most = 2 + ANSWERS
    for _ in range(most):
        link.transport.send_now(frames.Pong())
    with pytest.raises(trio.WouldBlock):
        link.transport.send_now(frames.Pong())
    with trio.fail_after(PATIENCE_S):
        await link.transport.send(frames.Cancel(1))
    await trio.testing.wait_all_tasks_blocked()
    assert b"".join(link.socket.writes) == PONG * most + cancel(1)


async def test_a_lost_link_is_told_once_a_task_may_run(link: Link) -> None:
    link.socket.is_lost = True
    link.transport.send_now(frames.Pong())
    await trio.testing.wait_all_tasks_blocked()
    assert link.lost == ["lost"]


async def test_what_waits_when_the_connection_ends_is_sent_by_the_worker(link: Link) -> None:
    link.transport.send_now(frames.Pong())
    link.transport.finish()
    link.transport.send_now(frames.Cancel(1))
    await trio.testing.wait_all_tasks_blocked()
    assert b"".join(link.socket.writes) == PONG + cancel(1)

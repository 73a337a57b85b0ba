"""When the modem says something by itself."""

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock

from kit.fake_modem.modem import FakeModem
from kit.fake_modem.port import IDLE_S, LOCKED_S, LOOK_S, Port

OPEN = b'AT+CPMS="ME"\r'


@pytest.fixture
async def far(autojump_clock: MockClock, nursery: trio.Nursery) -> AsyncIterator[trio.SocketStream]:
    """The computer's end of a port, whose modem has just got an SMS."""
    port = Port(FakeModem())
    near, far = trio.socket.socketpair()
    nursery.start_soon(port.run)
    nursery.start_soon(port.serve, trio.SocketStream(near))
    async with trio.SocketStream(far) as stream:
        # The modem answers once its port is open.
        await ask(stream, b"AT\r")
        port.modem.receive("+15551112222", "hi")
        yield stream


async def ask(stream: trio.SocketStream, command: bytes) -> bytes:
    await stream.send_all(command)
    return bytes(await stream.receive_some())


async def until_notice(stream: trio.SocketStream) -> float:
    """Waits for the notice of an SMS. Returns the seconds that it took."""
    began = trio.current_time()
    assert b"+CMTI" in await stream.receive_some()
    return trio.current_time() - began


async def test_a_notice_waits_until_the_line_is_idle(far: trio.SocketStream) -> None:
    assert IDLE_S - LOOK_S <= await until_notice(far) < LOCKED_S


async def test_a_notice_waits_until_what_was_said_is_read(far: trio.SocketStream) -> None:
    await far.send_all(b"AT\r")
    await trio.sleep(2 * LOCKED_S)
    assert b"+CMTI" not in await far.receive_some()
    assert IDLE_S - LOOK_S <= await until_notice(far) < LOCKED_S


async def test_a_notice_waits_for_the_use_of_a_memory_that_was_opened(
    far: trio.SocketStream,
) -> None:
    await ask(far, OPEN)
    assert await until_notice(far) >= LOCKED_S


async def test_a_memory_that_was_used_is_waited_for_no_longer(far: trio.SocketStream) -> None:
    await ask(far, OPEN)
    await ask(far, b"AT+CMGR=1\r")
    assert IDLE_S - LOOK_S <= await until_notice(far) < LOCKED_S

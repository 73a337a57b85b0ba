from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from phonegate.phone.radios.modem.bus import Bus, Signal, hold_bus
from phonegate.phone.radios.modem.errors import BusGone, CallRefused, CallTimedOut
from phonegate.phone.radios.modem.objects import MESSAGING, MM
from tests.patience import PATIENCE_S

from .mock_manager import ERROR, MODEM_PATH, MockManager

LIST = f"{MESSAGING}.List"


@pytest.fixture
async def manager(tmp_path: Path) -> AsyncIterator[MockManager]:
    async with MockManager().serve(tmp_path) as serving:
        yield serving


async def test_each_way_in_which_a_call_ends(manager: MockManager) -> None:
    async def session(bus: Bus) -> None:
        owner = await bus.owner_of(MM, within_s=PATIENCE_S)
        assert await bus.call(owner, MODEM_PATH, LIST, within_s=PATIENCE_S) == ([],)
        manager.refuse["List"] = f"{ERROR}.Core.Failed"
        with pytest.raises(CallRefused) as refused:
            await bus.call(owner, MODEM_PATH, LIST, within_s=PATIENCE_S)
        assert refused.value.name == "ModemManager1.Error.Core.Failed"
        manager.silent.add("List")
        with pytest.raises(CallTimedOut):
            await bus.call(owner, MODEM_PATH, LIST, within_s=0.05)
        # A late answer, or none, costs no other call.
        assert await bus.owner_of(MM, within_s=PATIENCE_S) == owner
        manager.called = lambda _: manager.die()
        with pytest.raises(BusGone):
            await bus.call(owner, MODEM_PATH, LIST, within_s=PATIENCE_S)
        with pytest.raises(BusGone):
            await bus.call(owner, MODEM_PATH, LIST, within_s=PATIENCE_S)

    with pytest.raises(BusGone, match="message bus"):
        await hold_bus(manager.address, lambda _: None, session, connect_s=PATIENCE_S)


async def test_no_signal_is_lost_in_a_burst(manager: MockManager) -> None:
    heard: list[Signal] = []

    async def session(bus: Bus) -> None:
        for _ in range(500):
            await manager.stir()
        await bus.owner_of(MM, within_s=PATIENCE_S)

    await hold_bus(manager.address, heard.append, session, connect_s=PATIENCE_S)
    assert [signal.member for signal in heard] == ["Changed"] * 500


async def test_a_session_s_own_errors_pass_as_they_are(manager: MockManager) -> None:
    async def session(_: Bus) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await hold_bus(manager.address, lambda _: None, session, connect_s=PATIENCE_S)


@pytest.mark.parametrize("answer", [b"", b"REJECTED\r\n", b"OK 1\r\nl\x01\x02nonsense" * 99])
async def test_what_is_no_bus_is_gone(tmp_path: Path, nursery: trio.Nursery, answer: bytes) -> None:
    path = tmp_path / "bus"
    listening = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
    await listening.bind(str(path))
    listening.listen()

    async def handle(link: trio.SocketStream) -> None:
        async with link:
            await link.receive_some()
            await link.send_all(answer)

    async def session(_: Bus) -> None:
        raise AssertionError("there is no bus")

    nursery.start_soon(trio.serve_listeners, handle, [trio.SocketListener(listening)])
    with trio.fail_after(PATIENCE_S), pytest.raises(BusGone):
        await hold_bus(f"unix:path={path}", lambda _: None, session, connect_s=PATIENCE_S)

import pytest
import trio

from phonegate.builtin_phone import link as module
from phonegate.builtin_phone.link import DOWN, UP, open_link
from phonegate.phone.link import LinkLost
from phonegate.phones import frames
from phonegate.phones.frames import FrameFault
from phonegate.phones.transport import LinkLost as TransportLost


async def test_frames_pass_both_ways_as_they_would_over_a_websocket() -> None:
    link, transport = open_link(1)
    await link.send({"type": "ping"})
    (heard,) = (await transport.receive(lambda: False)).frames
    assert heard.content == frames.Ping()
    await link.send({"type": "nonsense"})
    (heard,) = (await transport.receive(lambda: False)).frames
    assert isinstance(heard.content, FrameFault)
    await transport.send(frames.Cancel(id=5))
    assert await link.receive() == {"type": "cancel", "id": 5}


async def test_a_phone_that_reads_nothing_crowds_itself_out() -> None:
    _, transport = open_link(3)
    for _ in range(DOWN + 3):
        transport.send_now(frames.Pong())
    with pytest.raises(trio.WouldBlock):
        transport.send_now(frames.Pong())


async def test_what_was_sent_before_the_end_is_read_and_then_its_reason() -> None:
    link, transport = open_link(1)
    await transport.send(frames.Pong())
    transport.close(1012, "the gateway restarts")
    await transport.send(frames.Pong())
    transport.send_now(frames.Pong())
    assert await link.receive() == {"type": "pong"}
    with pytest.raises(LinkLost) as lost:
        await link.receive()
    assert (lost.value.code, lost.value.reason) == (1012, "the gateway restarts")


async def test_a_cut_ends_it_for_both() -> None:
    link, transport = open_link(1)
    link.cut()
    with pytest.raises(LinkLost):
        await link.send({"type": "ping"})
    with pytest.raises(LinkLost):
        await link.receive()
    with pytest.raises(TransportLost):
        await transport.receive(lambda: False)
    await transport.send(frames.Pong())


async def test_a_gateway_that_reads_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    link, transport = open_link(1)
    for _ in range(UP):
        await link.send({"type": "ping"})
    monkeypatch.setattr(module, "WRITE_S", 0)
    with pytest.raises(LinkLost):
        await link.send({"type": "ping"})
    assert link.is_cut
    transport.finish()

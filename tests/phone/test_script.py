import json
import os
from pathlib import Path
from typing import Any

import pytest
import trio

from phonegate.phone.address import Address
from phonegate.phone.errors import CredentialsRefused, LinkRefused
from phonegate.phone.link import Link, LinkLost
from phonegate.phone.radios.radio import SimCard
from phonegate.phone.script import ScriptBridge, read_lines
from tests.patience import PATIENCE_S
from tests.phone.gateway import SECRET, Gateway, Order

QUICK_S = (0, 0.01)


class Script:
    """What stands on both ends of a bridge."""

    def __init__(self, gateway: Gateway, **more: Any) -> None:
        self.shown: list[dict[str, Any]] = []
        self.said: list[str] = []
        self._news, self._more = trio.open_memory_channel[None](100)
        self.write, self.lines = trio.open_memory_channel[bytes](0)
        self.bridge = ScriptBridge(
            Address.parse(gateway.url, "myorg", SECRET),
            reconnect_s=QUICK_S,
            show=self._show,
            notice=self.said.append,
            **more,
        )

    def _show(self, line: bytes) -> None:
        self.shown.append(json.loads(line))
        trio.from_thread.run_sync(self._news.send_nowait, None)

    async def sees(self, *kinds: str) -> None:
        with trio.fail_after(PATIENCE_S):
            while len(self.shown) < len(kinds):
                await self._more.receive()
        assert [frame["type"] for frame in self.shown] == list(kinds)

    async def run(self, *, stay: bool = False) -> None:
        with trio.fail_after(PATIENCE_S):
            await self.bridge.run(self.lines, stay=stay)


async def test_a_script_is_a_phone(gateway: Gateway, nursery: trio.Nursery) -> None:
    order = gateway.order(Order(5, "+1555", "hi"), "modem")
    script = Script(gateway, device_id="modem", name="M", sims=(SimCard(slot=0, number="+1"),))
    nursery.start_soon(script.run)
    await gateway.until(lambda: bool(gateway.peers) and len(gateway.peers[0].frames) == 1)
    await script.write.send(b'{"type": "ack", "id": 5}')
    await script.write.send(b'{"type":"send_result","id":5,"success":true}\r')
    await gateway.settled([order])
    peer = gateway.peers[0]
    assert peer.query == {"org_id": "myorg", "device_id": "modem", "name": "M"}
    assert peer.frames == [
        {"type": "sims", "sims": [{"slot": 0, "number": "+1"}]},
        {"type": "ack", "id": 5},
        {"type": "send_result", "id": 5, "success": True},
    ]
    await script.sees("connected", "send_sms")
    assert script.bridge.summary() == {"links": 1, "received": 2, "sent": 2}


async def test_the_end_of_the_lines_is_the_end_after_the_last_was_sent(gateway: Gateway) -> None:
    script = Script(gateway)
    async with trio.open_nursery() as own:
        own.start_soon(script.run)
        await script.write.send(b'{"type":"sims","sims":[]}')
        await script.write.aclose()
    await gateway.until(lambda: gateway.peers[0].kinds() == ["sims"])


async def test_with_stay_frames_go_on_after_the_lines(gateway: Gateway) -> None:
    script = Script(gateway)
    await script.write.aclose()
    async with trio.open_nursery() as own:
        own.start_soon(lambda: script.run(stay=True))
        await gateway.until(lambda: bool(gateway.peers))
        await gateway.peers[0].send({"type": "later"})
        await script.sees("connected", "later")
        own.cancel_scope.cancel()


@pytest.mark.parametrize("line", [b"nonsense", b"[1]", b"7", b"\xff"])
async def test_a_line_that_is_no_frame_is_told_and_passed_over(
    gateway: Gateway, nursery: trio.Nursery, line: bytes
) -> None:
    script = Script(gateway)
    nursery.start_soon(script.run)
    await script.write.send(line)
    await script.write.send(b"")
    await script.write.send(b'{"type":"x"}')
    await gateway.until(lambda: gateway.peers[0].frames == [{"type": "x"}])
    assert [text for text in script.said if "not a JSON object" in text]


async def test_after_a_lost_link_the_sims_are_told_again(
    gateway: Gateway, nursery: trio.Nursery
) -> None:
    script = Script(gateway, sims=(SimCard(slot=0),))
    nursery.start_soon(script.run)
    await gateway.until(lambda: bool(gateway.peers) and len(gateway.peers[0].frames) == 1)
    await gateway.peers[0].websocket.aclose(1012, "restarting")
    await gateway.until(lambda: len(gateway.peers) == 2 and len(gateway.peers[1].frames) == 1)
    await script.write.send(b'{"type":"x"}')
    await gateway.until(lambda: gateway.peers[1].kinds() == ["sims", "x"])
    assert script.bridge.links == 2
    assert any("restarting" in text for text in script.said)


async def test_a_line_that_a_lost_link_took_along_goes_again(
    gateway: Gateway, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_text, losses = Link.send_text, [LinkLost()]

    async def lossy(link: Link, text: str) -> None:
        if losses:
            raise losses.pop()
        await send_text(link, text)

    monkeypatch.setattr(Link, "send_text", lossy)
    script = Script(gateway)
    nursery.start_soon(script.run)
    await script.write.send(b'{"type":"x"}')
    await gateway.until(lambda: len(gateway.peers) == 2 and gateway.peers[1].kinds() == ["x"])
    assert script.bridge.sent == 1


async def test_replaced_refused_and_sent_away(gateway: Gateway) -> None:
    script = Script(gateway)
    async with trio.open_nursery() as own:
        own.start_soon(script.run)
        await gateway.until(lambda: bool(gateway.peers))
        await gateway.peers[0].websocket.aclose(4000)
    assert script.said[-1] == "another connection of this device took over"
    gateway.refuse.append((401, b"", {}))
    with pytest.raises(CredentialsRefused):
        await Script(gateway).run()
    with pytest.RaisesGroup(LinkRefused):
        async with trio.open_nursery() as own:
            own.start_soon(Script(gateway).run)
            await gateway.until(lambda: len(gateway.peers) == 2)
            await gateway.peers[1].websocket.aclose(1008)


async def read_all(descriptor: int) -> list[bytes]:
    send, receive = trio.open_memory_channel[bytes](0)
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as own:
            own.start_soon(read_lines, descriptor, send)
            return [line async for line in receive]
    raise AssertionError


async def test_lines_of_a_pipe(nursery: trio.Nursery) -> None:
    ours, theirs = os.pipe()
    for part in (b"one\ntw", b"o\n\nlast"):
        os.write(theirs, part)
    os.close(theirs)
    assert await read_all(ours) == [b"one", b"two", b"", b"last"]
    os.close(ours)


async def test_lines_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"one\n" + b"x" * 70_000 + b"\nnever read\n")
    descriptor = os.open(path, os.O_RDONLY)
    assert (await read_all(descriptor))[0] == b"one"
    os.close(descriptor)

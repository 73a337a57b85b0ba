"""Clients that are there and aren't: their process stands still, or their packets are lost."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable

import trio

from bench.abuse.ground import Ground
from bench.abuse.kind import kind
from bench.abuse.party import ROOT
from bench.abuse.readers import phone, stock, tell
from bench.hostile import ORG

NAMESPACE = f"phonegate-{os.getpid()}"
"""Where the clients are whose packets get lost."""
PHONES = 5
GONE_S = 45.0
"""For the gateway to notice: its pings and deadlines are 1 to 2 s here, the kernel's own are not."""


async def _absentees(
    ground: Ground, port: int, wrapper: tuple[str, ...] = ()
) -> "subprocess.Popen[bytes]":
    """Another process with phones and readers of the gateway, once all are there."""
    words = [sys.executable, "-m", "bench.abuse.absentee", ground.host, str(port), str(PHONES)]
    process = subprocess.Popen([*wrapper, *words], stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    line = await trio.to_thread.run_sync(process.stdout.readline)
    ground.expect(line == b"ready\n", f"the clients could not connect: {line!r}")
    return process


@contextlib.asynccontextmanager
async def _away(
    ground: Ground, port: int, leave: Callable[[int], None], wrapper: tuple[str, ...] = ()
) -> AsyncIterator[None]:
    """Clients that come, and are then away while the block lasts."""
    process = await _absentees(ground, port, wrapper)
    try:
        leave(process.pid)
        yield
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


async def _messages_wait(ground: Ground) -> None:
    """Sends to phones that are away; the gateway notices, and the messages come another time."""
    items = [
        {"to": "+15553334444", "sim": f"+1555900{i:04d}", "body": f"away {i}"}
        for i in range(PHONES)
    ]
    status, body = await tell(ground, "POST", f"/send/{ORG}", {"messages": items})
    ground.expect(status == 200, f"/send: {status} {body[:200]!r}")
    with trio.move_on_after(GONE_S) as scope:
        while True:
            status, body = await tell(ground, "GET", f"/sims/{ORG}", None)
            if status == 200 and not [
                sim for sim in json.loads(body)["live_sims"] if sim["number"].startswith("+1555900")
            ]:
                break
            await trio.sleep(0.1)
    ground.expect(not scope.cancelled_caught, "phones that are away are still shown online")


async def _they_return(ground: Ground) -> None:
    """The same phones, elsewhere: each gets what was sent to it while it was away."""
    got: set[str] = set()
    for number in range(PHONES):
        wire = await phone(ground, f"absentee-{number}", f"+1555900{number:04d}")
        async with wire:
            async for opcode, payload in wire.frames(15):
                told = json.loads(payload) if opcode == 1 else {}
                if told.get("type") == "send_sms":
                    got.add(told["body"])
                    break
    ground.expect(len(got) == PHONES, f"{PHONES - len(got)} messages did not come")
    ground.seen(f"{PHONES} phones found gone, their messages came to them afterwards")


async def _dropped(ground: Ground, tasks: int, descriptors: int) -> None:
    with trio.move_on_after(GONE_S) as scope:
        while True:
            now = await trio.to_thread.run_sync(ground.holdings)
            if now.tasks <= tasks and now.descriptors <= descriptors:
                return
            await trio.sleep(0.2)
    if scope.cancelled_caught:
        ground.expect(now.descriptors <= descriptors, "connections of the absent are still held")
        ground.expect(now.tasks <= tasks, "tasks of the absent are still there")


@kind(
    "a stopped client process",
    "phones found dead by their pings, readers by their windows; nothing sent to them is lost",
)
async def stopped_process(ground: Ground) -> None:
    await stock(ground)
    before = await trio.to_thread.run_sync(ground.holdings)
    async with _away(ground, ground.port, lambda pid: os.kill(pid, signal.SIGSTOP)):
        await _messages_wait(ground)
        await _dropped(ground, before.tasks, before.descriptors)
    await _they_return(ground)


@kind(
    "lost packets",
    "as a stopped process, though no packet says anything any more",
    stage="two nets",
)
async def lost_packets(ground: Ground) -> None:
    await stock(ground)
    before = await trio.to_thread.run_sync(ground.holdings)
    # The gateway listens on both nets, the far one named last.
    port = [event["port"] for event in ground.gateway.events() if event["event"] == "listening"][-1]
    wrapper = ("ip", "netns", "exec", NAMESPACE)
    async with _away(ground, port, lambda _: ground.hurt("packets"), wrapper):
        await _messages_wait(ground)
        await _dropped(ground, before.tasks, before.descriptors)
    ground.heal()
    await _they_return(ground)

"""Clients that are there and aren't: their process stands still, or their packets are lost."""

import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable

import trio

from kit.gateway import Holdings
from kit.program import ROOT, Program
from trials.abuse.case import case
from trials.abuse.org import call, known, phone
from trials.abuse.victim import Victim
from trials.attackers import ORG

NAMESPACE = f"phonegate-{os.getpid()}"
"""Where the clients are whose packets get lost."""
PHONES = 5
NUMBERS = [f"+1555900{number:04d}" for number in range(PHONES)]
GONE_S = 45.0
"""For the gateway to notice: its pings and deadlines are 1 to 2 s here."""


class AbsentClients(Program):
    """Another process with phones and readers of the gateway."""

    def __init__(self, victim: Victim, port: int, wrapper: tuple[str, ...]) -> None:
        where = (victim.host, str(port), str(PHONES))
        command = [*wrapper, sys.executable, "-m", "trials.abuse.absent_client", *where]
        super().__init__(command, folder=ROOT)

    def wait_until_ready(self) -> None:
        """See `Program.wait_until_ready`: all of them are there."""
        self.wait_for_line("ready")


@contextlib.asynccontextmanager
async def _away(
    victim: Victim, port: int, leave: Callable[[int], None], wrapper: tuple[str, ...] = ()
) -> AsyncIterator[None]:
    """Clients that come, and are then away while the block lasts."""
    clients = AbsentClients(victim, port, wrapper)
    try:
        await trio.to_thread.run_sync(clients.wait_until_ready)
        leave(clients.process.pid)
        yield
    finally:
        clients.kill()


async def _messages_wait(victim: Victim) -> None:
    """Sends to phones that are away. The gateway notices, and the messages come another time."""
    items = [{"to": "+15553334444", "sim": number, "body": f"away {number}"} for number in NUMBERS]
    status, body = await call(victim, "POST", f"/send/{ORG}", {"messages": items})
    victim.expect(status == 200, f"/send: {status} {body[:200]!r}")
    gone = await known(victim, NUMBERS, online=False)
    victim.expect(gone, "phones that are away are still shown online")


async def _they_return(victim: Victim) -> None:
    """The same phones, elsewhere: each gets what was sent to it while it was away."""
    got: set[str] = set()
    for at, number in enumerate(NUMBERS):
        async with await phone(victim, f"absent_client-{at}", number) as wire:
            while (came := await wire.frame(15)) is not None:
                push = json.loads(came[1]) if came[0] == 1 else {}
                if push.get("type") == "send_sms":
                    got.add(push["body"])
                    break
    victim.expect(len(got) == PHONES, f"{PHONES - len(got)} messages did not come")
    victim.seen(f"{PHONES} phones found gone, {len(got)} messages came to them afterwards")


async def _dropped(victim: Victim, before: Holdings) -> None:
    with trio.move_on_after(GONE_S):
        while True:
            now = await trio.to_thread.run_sync(victim.gateway.holdings)
            if now.within(before):
                return
            await trio.sleep(0.2)
    victim.expect(now.within(before), f"connections of the absent are still held: {now}")


@case(
    "a stopped client process",
    "phones found dead by their pings, readers by their windows; nothing sent to them is lost",
)
async def stopped_process(victim: Victim) -> None:
    before = await trio.to_thread.run_sync(victim.gateway.holdings)
    async with _away(victim, victim.port, lambda pid: os.kill(pid, signal.SIGSTOP)):
        await _messages_wait(victim)
        await _dropped(victim, before)
    await _they_return(victim)


@case(
    "lost packets",
    "as a stopped process, though no packet says anything any more",
    environment="two nets",
)
async def lost_packets(victim: Victim) -> None:
    before = await trio.to_thread.run_sync(victim.gateway.holdings)
    # The gateway listens on both nets, the far one named last.
    port = [event["port"] for event in victim.gateway.events() if event["event"] == "listening"][-1]
    wrapper = ("ip", "netns", "exec", NAMESPACE)
    async with _away(victim, port, lambda _: victim.hurt("packets"), wrapper):
        await _messages_wait(victim)
        await _dropped(victim, before)
    victim.heal()
    await _they_return(victim)

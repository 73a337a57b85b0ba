"""The contract of radios, kept by a modem under the real ModemManager."""

import itertools
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio

from phonegate.phone.radios.modem.radio import ModemRadio
from phonegate.phone.radios.radio import Outcome, Radio, Transmission
from tests.phone.gateway import Gateway
from tests.phone.radios.contract import (
    PROMISES,
    AttemptTime,
    Promise,
    keep,
    the_longest_text_is_sent_whole,
)

from .machine import WHERE_INSTALLED, Machine

pytestmark = WHERE_INSTALLED


class Watched(ModemRadio):
    """A radio whose modem gives a late answer once nobody waits for it any more."""

    machine: Machine
    time: AttemptTime

    async def attempt(self, transmission: Transmission) -> Outcome:
        return await self.time.within(self._attempt(transmission))

    async def _attempt(self, transmission: Transmission) -> Outcome:
        try:
            return await super().attempt(transmission)
        except trio.Cancelled:
            self.machine.modem.order("release")
            raise


@attrs.define
class ModemHandset:
    machine: Machine
    time: AttemptTime = attrs.field(factory=AttemptTime)
    _seconds: Iterator[int] = attrs.field(factory=lambda: itertools.count(int(time.time())))

    def radio(self) -> Radio:
        radio = Watched(bus=self.machine.bus.address)
        radio.machine, radio.time = self.machine, self.time
        return radio

    def on_air(self) -> list[tuple[str, str]]:
        return [(sent["to"], sent["text"]) for sent in self.machine.modem.order("air")]

    async def fail_next(self) -> None:
        self.machine.modem.order("fault", then="refuse")

    async def hold_next_answer(self) -> None:
        self.machine.modem.order("fault", then="hold")

    def end_attempt(self) -> None:
        self.time.end()

    async def deliver(self) -> None:
        self.machine.modem.order("deliver")

    async def receive(self, address: str, body: str) -> None:
        self.machine.modem.order("receive", sender=address, text=body, at=next(self._seconds))

    async def until_on_air(self, count: int) -> None:
        await self.machine.until("until_air", count)

    async def held(self) -> int:
        return len(self.machine.modem.order("stored"))

    async def until_let_go(self) -> None:
        await self.machine.until("until_stored", 0)


@attrs.frozen
class Modems:
    machine: Machine
    name: str = "modem"
    sees_failures: bool = True
    sees_deliveries: bool = True
    receives_alone: bool = True
    deletes: bool = True

    @asynccontextmanager
    async def handset(self, folder: Path) -> AsyncIterator[ModemHandset]:
        self.machine.modem.order("forget")
        yield ModemHandset(self.machine)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    started = Machine(tmp_path_factory.mktemp("machine"))
    yield started
    started.stop()


# The longest text takes longer than the attempts here: `test_with_modemmanager` has it.
KEPT = [one for one in PROMISES if one is not the_longest_text_is_sent_whole]


@pytest.mark.parametrize("promise", KEPT, ids=lambda promise: promise.__name__)
async def test_a_modem_keeps(
    promise: Promise, gateway: Gateway, machine: Machine, tmp_path: Path
) -> None:
    await keep(promise, Modems(machine), gateway, tmp_path)

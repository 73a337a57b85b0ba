"""The contract of radios, kept by the simulated one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import attrs
import pytest
import trio

from phonegate.model.times import now_ms
from phonegate.phone.device import Stats
from phonegate.phone.radios.radio import Desk, Failed, Outcome, Radio, Transmission
from phonegate.phone.radios.simulated import Identity, RadioMemory, SimulatedRadio
from phonegate.phone.simulated_faults import Dice, Plan
from tests.patience import PATIENCE_S
from tests.phone.gateway import Gateway

from .contract import PROMISES, AttemptTime, Promise, RadioKind, keep


class Disturbed(SimulatedRadio):
    """A simulated radio that a test disturbs."""

    attempt_s = PATIENCE_S
    fail = hold = False

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.sent = trio.Event()
        self.time = AttemptTime()

    async def attempt(self, transmission: Transmission) -> Outcome:
        return await self.time.within(self._attempt(transmission))

    async def _attempt(self, transmission: Transmission) -> Outcome:
        if self.fail:
            self.fail = False
            return Failed("NO_CREDIT")
        outcome = await super().attempt(transmission)
        self.sent.set()
        if self.hold:
            self.hold = False
            await trio.sleep_forever()
        return outcome


@attrs.define
class SimulatedHandset:
    antenna: RadioMemory = attrs.field(factory=RadioMemory)
    _radio: Disturbed | None = None

    @property
    def running(self) -> Disturbed:
        assert self._radio is not None
        return self._radio

    def radio(self) -> Radio:
        plan = Plan()
        self._radio = Disturbed(
            Identity(device_id="sim-0001"),
            plan,
            Dice(plan, Random(0)),
            antenna=self.antenna,
            stats=Stats(),
            die=pytest.fail,
            now_ms=now_ms,
        )
        return self._radio

    def on_air(self) -> list[tuple[str, str]]:
        return [(sent.to, sent.body) for sent in self.antenna.sent]

    async def fail_next(self) -> None:
        self.running.fail = True

    async def hold_next_answer(self) -> None:
        self.running.hold = True

    def end_attempt(self) -> None:
        self.running.time.end()

    async def deliver(self) -> None:
        desk: Desk | None = self.running.desk
        assert desk is not None
        desk.delivered(str(self.antenna.sent[-1].id), now_ms())

    async def receive(self, address: str, body: str) -> None:
        self.running.receive(address, body)

    async def until_on_air(self, count: int) -> None:
        with trio.fail_after(PATIENCE_S):
            while len(self.antenna.sent) < count:
                await self.running.sent.wait()
                self.running.sent = trio.Event()

    async def held(self) -> int:
        return 0

    async def until_let_go(self) -> None:
        raise AssertionError("it keeps nothing")


class Simulated:
    name = "simulated"
    sees_failures = True
    sees_deliveries = True
    receives_alone = False
    deletes = False

    @asynccontextmanager
    async def handset(self, folder: Path) -> AsyncIterator[SimulatedHandset]:
        del folder
        yield SimulatedHandset()


KIND: RadioKind = Simulated()


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_a_simulated_radio_keeps(promise: Promise, gateway: Gateway, tmp_path: Path) -> None:
    await keep(promise, KIND, gateway, tmp_path)

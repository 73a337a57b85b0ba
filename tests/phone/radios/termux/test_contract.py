"""The contract of radios, kept by an Android phone in Termux."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from kit.fake_termux import FakeTermux
from kit.fake_termux.program import KNOBS
from phonegate.phone.radios.radio import Outcome, Radio, Transmission
from phonegate.phone.radios.termux.commands import Ended
from phonegate.phone.radios.termux.handset import SEND, Handset
from phonegate.phone.radios.termux.radio import TermuxRadio
from phonegate.phone.radios.termux.timings import Timings
from tests.patience import PATIENCE_S
from tests.phone.gateway import Gateway
from tests.phone.radios.contract import PROMISES, AttemptTime, Promise, RadioKind, keep
from tests.phone.radios.termux.fakes import InProcess

SHORT = Timings(
    answer_s=PATIENCE_S,
    # Nothing but a row that never comes is waited for so long.
    sent_within_s=0.2,
    look_every_s=0.01,
    poll_every_s=0.02,
    again_after_s=0.02,
    farewell_s=PATIENCE_S,
)


class Timed(TermuxRadio):
    """A radio whose attempts a test ends."""

    time: AttemptTime

    async def attempt(self, transmission: Transmission) -> Outcome:
        return await self.time.within(super().attempt(transmission))


class OnceWrong(InProcess):
    """Commands of a phone on which the next send goes wrong, as knobs say."""

    def __init__(self, phone: FakeTermux) -> None:
        super().__init__(phone)
        self.next: dict[str, Any] = {}

    async def run(self, name: str, *arguments: str, deadline_s: float, text: str = "") -> Ended:
        wrong: dict[str, Any] = {}
        # What is sent by no slot at all is the trial of permissions.
        if name == SEND and text:
            wrong, self.next = self.next, {}
            self._phone.set(**wrong)
        try:
            return await super().run(name, *arguments, deadline_s=deadline_s, text=text)
        finally:
            self._phone.set(**{name: KNOBS[name] for name in wrong})


@attrs.define
class TermuxHandset:
    phone: FakeTermux
    commands: OnceWrong
    time: AttemptTime = attrs.field(factory=AttemptTime)

    def radio(self) -> Radio:
        radio = Timed(Handset(self.commands, SHORT), timings=SHORT)
        radio.time = self.time
        return radio

    def on_air(self) -> list[tuple[str, str]]:
        return [(sent.to, sent.body) for sent in self.phone.air()]

    async def fail_next(self) -> None:
        self.commands.next = {"radio_fails": True}

    async def hold_next_answer(self) -> None:
        self.commands.next = {"lose_rows": True, "hang_after": [SEND]}

    def end_attempt(self) -> None:
        self.time.end()

    async def deliver(self) -> None:
        raise AssertionError("no delivery is ever seen")

    async def receive(self, address: str, body: str) -> None:
        self.phone.receive(address, body)

    async def until_on_air(self, count: int) -> None:
        with trio.fail_after(PATIENCE_S):
            while len(self.phone.air()) < count:  # noqa: ASYNC110 (the fake phone has no events)
                await trio.sleep(0.005)

    async def held(self) -> int:
        return 0

    async def until_let_go(self) -> None:
        raise AssertionError("nothing is ever deleted")


@attrs.frozen
class TermuxKind:
    name: str = "termux"
    sees_failures: bool = False
    sees_deliveries: bool = False
    receives_alone: bool = True
    deletes: bool = False

    @asynccontextmanager
    async def handset(self, folder: Path) -> AsyncIterator[TermuxHandset]:
        phone = FakeTermux(folder / "phone", row_after_s=0)
        yield TermuxHandset(phone, OnceWrong(phone))


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_promise(promise: Promise, gateway: Gateway, tmp_path: Path) -> None:
    kind: RadioKind = TermuxKind()
    await keep(promise, kind, gateway, tmp_path)

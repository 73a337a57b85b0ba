"""What Termux's commands can do on this phone, as operations with values."""

import contextlib
from collections.abc import AsyncIterator
from typing import Final

import trio

from phonegate.phone.radios.termux import sent_box, sms_list
from phonegate.phone.radios.termux.about import Battery, Telephony, level
from phonegate.phone.radios.termux.commands import Commands
from phonegate.phone.radios.termux.errors import TermuxError
from phonegate.phone.radios.termux.sims import search
from phonegate.phone.radios.termux.sms_list import Box, Order, Row
from phonegate.phone.radios.termux.timings import TIMINGS, Timings

SEND: Final = "termux-sms-send"
DEVICE: Final = "termux-telephony-deviceinfo"
BATTERY: Final = "termux-battery-status"
CELLS: Final = "termux-telephony-cellinfo"
LOCK: Final = "termux-wake-lock"
UNLOCK: Final = "termux-wake-unlock"

PAGE: Final = 50
"""Rows of one query. Each costs Android a look into the contacts."""
NO_SLOT: Final = 99
"""A slot that no phone has. What is sent by it goes nowhere, but asks for the permissions."""


class Handset:
    """This phone, by Termux's commands.

    Every method but `awake` raises `TermuxError`, and `CommandMissing` or `PermissionMissing` only
    where nothing was done.
    """

    def __init__(self, commands: Commands | None = None, timings: Timings = TIMINGS) -> None:
        self._commands = Commands() if commands is None else commands
        self._timings = timings

    async def check(self) -> Telephony:
        """Tries all that a phone has to be able to do, but sends nothing. Returns what it is."""
        telephony = Telephony.of(await self._ask(DEVICE))
        await self.rows("all", limit=1, order="DESC")
        await self.send("0", "", NO_SLOT)
        return telephony

    async def model(self) -> str | None:
        """Returns the name that the maker gave this model, if Android tells it."""
        with contextlib.suppress(TermuxError):
            ended = await self._commands.run(
                "getprop", "ro.product.model", deadline_s=self._timings.answer_s
            )
            return ended.output.decode(errors="replace").strip() or None
        return None

    async def battery(self) -> Battery:
        """Returns how the battery is."""
        return Battery.of(await self._ask(BATTERY))

    async def signal(self) -> int | None:
        """Returns the strength of the signal (0 to 4). Android wants the location for it."""
        return level(await self._ask(CELLS))

    async def rows(
        self, box: Box, *, order: Order, where: str = "", limit: int = PAGE, offset: int = 0
    ) -> list[Row]:
        """Returns the first rows of a box that fulfil a condition, in the order of their `_id`."""
        asked = sms_list.arguments(box, limit=limit, where=where, order=order, offset=offset)
        return sms_list.rows(await self._ask(sms_list.PROGRAM, *asked))

    async def newest(self) -> int:
        """Returns the highest `_id`, which the next SMS sent or received will be above."""
        return sms_list.newest(await self.rows("all", order="DESC", limit=1))

    async def send(self, to: str, body: str, slot: int | None) -> None:
        """Hands an SMS to Android. Its end says nothing about whether it was sent."""
        by = () if slot is None else ("-s", str(slot))
        await self._ask(SEND, "-n", to, *by, text=sent_box.trimmed(body))

    async def sub_id(self, row: int) -> int | None:
        """Returns Android's number of the SIM that a row belongs to, if it can be found."""
        questions = search()
        asked = next(questions)
        while True:
            where = f"_id == {row} AND sub_id <= {asked}"
            found = await self.rows("all", where=where, order="ASC", limit=1)
            try:
                asked = questions.send(bool(found))
            except StopIteration as end:
                found_id: int | None = end.value
                return found_id

    @contextlib.asynccontextmanager
    async def awake(self) -> AsyncIterator[None]:
        """Keeps the phone from sleeping meanwhile, where Termux has the command for it."""
        await self._try(LOCK, self._timings.answer_s)
        try:
            yield
        finally:
            with trio.move_on_after(2 * self._timings.farewell_s, shield=True):
                await self._try(UNLOCK, self._timings.farewell_s)

    async def _try(self, program: str, deadline_s: float) -> None:
        with contextlib.suppress(TermuxError):
            await self._commands.run(program, deadline_s=deadline_s)

    async def _ask(self, program: str, *arguments: str, text: str = "") -> object:
        return await self._commands.ask(
            program, *arguments, deadline_s=self._timings.answer_s, text=text
        )

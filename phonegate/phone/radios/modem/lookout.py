"""Looks for the modem and makes it ready: one look, which ends with it or with a trouble."""

from typing import Any

import attrs

from phonegate.phone.radios.modem import troubles
from phonegate.phone.radios.modem.errors import CallRefused, CallTimedOut
from phonegate.phone.radios.modem.manager import ABSENT, Line, Manager
from phonegate.phone.radios.modem.objects import DISABLED, Modem
from phonegate.phone.radios.modem.pin import PinMemory
from phonegate.phone.radios.modem.troubles import Trouble

NO_REPLY = "DBus.Error.NoReply"
"""The error of the bus for a call to a program that ended meanwhile."""


@attrs.frozen(kw_only=True)
class Found:
    """A modem that is switched on and can send SMS."""

    line: Line
    modem: Modem
    sim: dict[str, Any] = attrs.field(repr=False)


class Lookout:
    """Looks for one modem.

    Args:
        manager: ModemManager.
        wanted: The IMEI or the index of the modem. None takes the only one.
        pins: The PIN with which to unlock its SIM, and the memory of its tries.
    """

    def __init__(self, manager: Manager, wanted: str | None, pins: PinMemory | None) -> None:
        self._manager = manager
        self._wanted = wanted
        self._pins = pins

    async def look(self, *, start: bool = False) -> Found | Trouble:
        """Looks once, and unlocks and switches on what it finds. With `start`, the daemon too.

        Raises:
            BusGone: The connection ended.
        """
        try:
            return await self._look(start=start)
        except CallRefused as error:
            if error.name in {NO_REPLY, *ABSENT}:
                return troubles.no_daemon()
            return troubles.refused(error.name)
        except CallTimedOut:
            return troubles.silent()

    async def _look(self, *, start: bool) -> Found | Trouble:
        owner = await self._manager.owner(start=start)
        if owner is None:
            return troubles.no_daemon()
        modem = await self._choose(owner)
        if isinstance(modem, Modem) and modem.is_locked:
            return await self._manager.unlock(owner, modem, self._pins) or troubles.not_on(modem)
        if isinstance(modem, Modem) and modem.state == DISABLED:
            await self._manager.enable(owner, modem)
            modem = await self._choose(owner)
        if isinstance(modem, Trouble):
            return modem
        if not modem.is_on:
            return troubles.not_on(modem)
        sim = await self._manager.sim(owner, modem)
        if self._pins is not None:
            self._pins.note_open(modem, str(sim.get("SimIdentifier", "")))
        if not modem.has_messaging:
            return troubles.no_sms(modem)
        return Found(line=self._manager.line(owner, modem), modem=modem, sim=sim)

    async def _choose(self, owner: str) -> Modem | Trouble:
        modem = troubles.choose(await self._manager.modems(owner), self._wanted)
        if isinstance(modem, Trouble):
            return modem
        return troubles.unusable(modem) or modem

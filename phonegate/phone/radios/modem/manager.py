"""ModemManager: finding the modem, unlocking its SIM, switching it on."""

import contextlib
from typing import Any

import attrs
from jeepney import MatchRule

from phonegate.phone.radios.modem import objects, troubles
from phonegate.phone.radios.modem.bus import DRIVER, Bus
from phonegate.phone.radios.modem.errors import CallRefused, CallTimedOut
from phonegate.phone.radios.modem.objects import MM, Modem, SmsObject
from phonegate.phone.radios.modem.pin import SAFE_TRIES, PinMemory
from phonegate.phone.radios.modem.timings import ModemTimings
from phonegate.phone.radios.modem.troubles import Trouble

ABSENT = ("DBus.Error.ServiceUnknown", "DBus.Error.NameHasNoOwner")
_GONE = (
    *ABSENT,
    "DBus.Error.UnknownObject",
    "DBus.Error.UnknownMethod",
    "ModemManager1.Error.Core.NotFound",
    "ModemManager1.Error.Core.InvalidArgs",
)
"""The errors for an SMS that is not there any more."""


@attrs.frozen(kw_only=True)
class Line:
    """A modem of one run of the daemon, with the calls that the phone makes.

    Calls go to the daemon's unique name, which no later run has, because paths begin again at 0
    with each: a call that was meant for an old path never reaches another SMS.
    """

    bus: Bus = attrs.field(repr=False)
    owner: str
    path: str
    timings: ModemTimings = attrs.field(repr=False)

    async def messages(self) -> list[str]:
        """Returns the paths of all SMS on the modem. Raises as `Bus.call`."""
        listed = await self.bus.call(
            self.owner, self.path, f"{objects.MESSAGING}.List", within_s=self.timings.call_s
        )
        return [str(path) for path in listed[0]]

    async def sms(self, path: str) -> SmsObject | None:
        """Returns an SMS, or None where it is gone. Raises as `Bus.call`."""
        try:
            properties = await self.bus.properties(
                self.owner, path, objects.SMS, within_s=self.timings.call_s
            )
        except CallRefused as error:
            if error.name in _GONE:
                return None
            raise
        return objects.sms_of(properties)

    async def create(self, fields: dict[str, tuple[str, Any]]) -> str:
        """Makes an SMS to send and returns its path. Raises as `Bus.call`."""
        made = await self.bus.call(
            self.owner,
            self.path,
            f"{objects.MESSAGING}.Create",
            "a{sv}",
            (fields,),
            within_s=self.timings.call_s,
        )
        return str(made[0])

    async def send(self, path: str, parts: int) -> None:
        """Sends an SMS that was made, of so many parts. Raises as `Bus.call`."""
        within_s = self.timings.sending_s(parts)
        await self.bus.call(self.owner, path, f"{objects.SMS}.Send", within_s=within_s)

    async def delete(self, path: str) -> None:
        """Deletes an SMS. One that is gone is no error. Raises as `Bus.call`."""
        try:
            await self.bus.call(
                self.owner,
                self.path,
                f"{objects.MESSAGING}.Delete",
                "o",
                (path,),
                within_s=self.timings.call_s,
            )
        except CallRefused as error:
            if error.name not in _GONE:
                raise


class Manager:
    """ModemManager on one connection to the bus.

    Args:
        bus: The connection.
        timings: Its deadlines.
    """

    def __init__(self, bus: Bus, timings: ModemTimings) -> None:
        self._bus = bus
        self._timings = timings

    async def watch(self) -> None:
        """Asks the bus for the signals of ModemManager, and of its coming and going.

        Raises:
            BusGone: It gives none, or the connection ended.
        """
        everything = MatchRule(type="signal", sender=MM)
        coming = MatchRule(type="signal", sender=DRIVER, member="NameOwnerChanged")
        coming.add_arg_condition(0, MM)
        for rule in (everything, coming):
            await self._bus.watch(rule, within_s=self._timings.call_s)

    async def owner(self, *, start: bool) -> str | None:
        """Returns the daemon's unique name, or None while it does not run.

        With `start`, the bus is asked to start it. Raises as `Bus.call`.
        """
        if start:
            # A bus that can't start it may have it all the same.
            with contextlib.suppress(CallRefused):
                await self._bus.start_service(MM, within_s=self._timings.call_s)
        try:
            return await self._bus.owner_of(MM, within_s=self._timings.call_s)
        except CallRefused as error:
            if error.name in ABSENT:
                return None
            raise

    async def version(self, owner: str) -> str:
        """Returns the daemon's version. Raises as `Bus.call`."""
        properties = await self._bus.properties(
            owner, objects.ROOT, MM, within_s=self._timings.call_s
        )
        return str(properties.get("Version", ""))

    async def modems(self, owner: str) -> list[Modem]:
        """Returns the modems that there are. Raises as `Bus.call`."""
        managed = await self._bus.call(
            owner,
            objects.ROOT,
            f"{DRIVER}.ObjectManager.GetManagedObjects",
            within_s=self._timings.call_s,
        )
        return objects.modems_of(managed[0])

    async def sim(self, owner: str, modem: Modem) -> dict[str, Any]:
        """Returns the properties of a modem's SIM, none where it has no SIM or it is closed."""
        if modem.sim is None:
            return {}
        try:
            return await self._bus.properties(
                owner, modem.sim, objects.SIM, within_s=self._timings.call_s
            )
        except (CallRefused, CallTimedOut):
            return {}

    async def unlock(self, owner: str, modem: Modem, pins: PinMemory | None) -> Trouble | None:
        """Unlocks the SIM with the PIN, once. Returns why that is not possible, or None.

        Raises as `Bus.call`, except for a refusal.
        """
        if modem.lock != objects.SIM_PIN or modem.sim is None:
            return troubles.puk_wanted(modem)
        if pins is None:
            return troubles.pin_wanted(modem)
        iccid = str((await self.sim(owner, modem)).get("SimIdentifier", ""))
        refusal = _forbidden(modem, iccid, pins)
        if refusal is not None:
            return refusal
        pins.note_try(modem, iccid)
        try:
            await self._bus.call(
                owner,
                modem.sim,
                f"{objects.SIM}.SendPin",
                "s",
                (pins.pin,),
                within_s=self._timings.enable_s,
            )
        except CallRefused as error:
            refusal = troubles.pin_refused(modem)
            if error.name == troubles.UNAUTHORIZED:
                pins.note_unasked(modem, iccid)  # polkit stood before the SIM.
                refusal = troubles.refused(error.name)
        return refusal

    async def enable(self, owner: str, modem: Modem, *, on: bool = True) -> None:
        """Switches a modem on or off. Raises as `Bus.call`."""
        await self._bus.call(
            owner,
            modem.path,
            f"{objects.MODEM}.Enable",
            "b",
            (on,),
            within_s=self._timings.enable_s,
        )

    def line(self, owner: str, modem: Modem) -> Line:
        """Returns the calls to a modem."""
        return Line(bus=self._bus, owner=owner, path=modem.path, timings=self._timings)


def _forbidden(modem: Modem, iccid: str, pins: PinMemory) -> Trouble | None:
    """Returns why the PIN may not be tried, or None."""
    if pins.was_tried(modem, iccid):
        return troubles.pin_refused(modem)
    if pins.tries_left(modem, iccid) < SAFE_TRIES:
        return troubles.few_tries(modem)
    return None

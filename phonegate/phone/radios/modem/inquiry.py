"""A question to ModemManager: whether the modem can be reached. It changes nothing."""

from phonegate.phone.radios.modem import troubles
from phonegate.phone.radios.modem.bus import Bus, hold_bus
from phonegate.phone.radios.modem.errors import BusGone, CallRefused, CallTimedOut
from phonegate.phone.radios.modem.manager import Manager
from phonegate.phone.radios.modem.objects import Modem
from phonegate.phone.radios.modem.timings import TIMINGS, ModemTimings
from phonegate.phone.radios.modem.troubles import Trouble


async def inquire(
    wanted: str | None, bus: str = "SYSTEM", timings: ModemTimings = TIMINGS
) -> Trouble | None:
    """Returns why a modem can't be reached, or None where ModemManager has it.

    Args:
        wanted: The IMEI or the index of the modem. None takes the only one.
        bus: The address of the bus on which ModemManager is.
        timings: The deadlines.
    """
    found: Modem | Trouble = troubles.silent()

    async def ask(connection: Bus) -> None:
        nonlocal found
        manager = Manager(connection, timings)
        owner = await manager.owner(start=False)
        if owner is None:
            found = troubles.no_daemon()
            return
        found = troubles.choose(await manager.modems(owner), wanted)

    try:
        await hold_bus(bus, lambda _: None, ask, connect_s=timings.connect_s)
    except BusGone as error:
        return troubles.no_bus(error.problem)
    except CallRefused as error:
        return troubles.refused(error.name)
    except CallTimedOut:
        return troubles.silent()
    return found if isinstance(found, Trouble) else troubles.unusable(found)

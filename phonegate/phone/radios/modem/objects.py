"""What ModemManager's objects say, read from their properties. Pure.

Names and numbers are those of ModemManager's D-Bus reference.
"""

from collections.abc import Mapping
from typing import Any, Final

import attrs

from phonegate.phone.radios.modem.bus import plain

MM: Final = "org.freedesktop.ModemManager1"
ROOT: Final = "/org/freedesktop/ModemManager1"
MODEM: Final = f"{MM}.Modem"
MODEM_3GPP: Final = f"{MODEM}.Modem3gpp"
MESSAGING: Final = f"{MODEM}.Messaging"
SIM: Final = f"{MM}.Sim"
SMS: Final = f"{MM}.Sms"
NO_OBJECT: Final = "/"
"""The path that stands for no object."""

FAILED, DISABLED, ENABLED, REGISTERED = -1, 3, 6, 8
"""States of a modem. Those above `REGISTERED` are of its data connection."""
SIM_PIN, SIM_PUK = 2, 4
"""What a locked SIM asks for."""
_OPEN_LOCKS = frozenset({0, 1, 3, 5})
"""Unknown, none, and the two codes that only protect settings of the SIM."""
SIM_MISSING = 2
"""The reason why a modem without a SIM has failed."""

_SIGNAL_STEPS = 4
_GENERATIONS: tuple[tuple[str, int], ...] = (
    ("5g", 1 << 15),
    ("4g", 1 << 14 | 1 << 16 | 1 << 17),
    ("3g", 0b11111 << 5),
    ("2g", 0b1111 << 1),
)
"""The access technologies of each generation of networks, as bits."""


@attrs.frozen(kw_only=True)
class Modem:
    """One modem as ModemManager sees it."""

    path: str
    imei: str
    maker: str
    model: str
    state: int
    failed_reason: int
    lock: int
    lock_tries: int | None
    """The tries left for the code that is asked for, where the modem knows."""
    sim: str | None
    number: str | None
    operator: str | None
    signal_percent: int
    generation: str | None
    has_messaging: bool

    @property
    def is_locked(self) -> bool:
        """Whether the SIM asks for a code before it does anything."""
        return self.lock not in _OPEN_LOCKS

    @property
    def is_on(self) -> bool:
        """Whether the modem is switched on, registered or not."""
        return self.state >= ENABLED

    @property
    def is_registered(self) -> bool:
        """Whether a network takes SMS from it."""
        return self.state >= REGISTERED

    @property
    def signal(self) -> int:
        """The signal from 0 to 4."""
        return -(-max(0, min(100, self.signal_percent)) * _SIGNAL_STEPS // 100)

    @property
    def name(self) -> str:
        """What its maker calls it."""
        return f"{self.maker} {self.model}".strip() or "modem"

    @property
    def index(self) -> str:
        """The number at the end of its path, as `mmcli` names it."""
        return self.path.rpartition("/")[2]


@attrs.frozen(kw_only=True)
class SmsObject:
    """One SMS as ModemManager holds it."""

    state: int
    kind: int
    number: str = attrs.field(repr=False)
    text: str = attrs.field(repr=False)
    data: bytes = attrs.field(repr=False)
    timestamp: str
    discharged: str
    reference: int
    delivery_state: int


def modem_of(path: str, interfaces: Mapping[str, Mapping[str, Any]]) -> Modem | None:
    """Returns the modem of an object with its interfaces, or None where it is something else."""
    if MODEM not in interfaces:
        return None
    modem = plain(dict(interfaces[MODEM]))
    network = plain(dict(interfaces.get(MODEM_3GPP, {})))
    lock = int(modem.get("UnlockRequired", 0))
    tries = modem.get("UnlockRetries", {}).get(lock)
    numbers = [one for one in modem.get("OwnNumbers", ()) if one]
    sim = modem.get("Sim", NO_OBJECT)
    technologies = int(modem.get("AccessTechnologies", 0))
    return Modem(
        path=path,
        imei=str(modem.get("EquipmentIdentifier") or modem.get("DeviceIdentifier") or path),
        maker=str(modem.get("Manufacturer", "")),
        model=str(modem.get("Model", "")),
        state=int(modem.get("State", 0)),
        failed_reason=int(modem.get("StateFailedReason", 0)),
        lock=lock,
        lock_tries=None if tries is None else int(tries),
        sim=None if sim == NO_OBJECT else str(sim),
        number=numbers[0] if numbers else None,
        operator=network.get("OperatorName") or None,
        signal_percent=int(modem.get("SignalQuality", (0, False))[0]),
        generation=next((name for name, bits in _GENERATIONS if technologies & bits), None),
        has_messaging=MESSAGING in interfaces,
    )


def modems_of(objects: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[Modem]:
    """Returns the modems among the managed objects, in the order of their paths."""
    found = (modem_of(path, interfaces) for path, interfaces in sorted(objects.items()))
    return [modem for modem in found if modem is not None]


def sms_of(properties: Mapping[str, Any]) -> SmsObject:
    """Returns the SMS of its properties."""
    return SmsObject(
        state=int(properties.get("State", 0)),
        kind=int(properties.get("PduType", 0)),
        number=str(properties.get("Number", "")),
        text=str(properties.get("Text", "")),
        data=bytes(properties.get("Data", b"")),
        timestamp=str(properties.get("Timestamp", "")),
        discharged=str(properties.get("DischargeTimestamp", "")),
        reference=int(properties.get("MessageReference", 0)),
        delivery_state=int(properties.get("DeliveryState", 0)),
    )

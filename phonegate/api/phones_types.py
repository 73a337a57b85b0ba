"""The requests and answers of `/phones`."""

from typing import Annotated, ClassVar, Final

import attrs

from phonegate.api.assistants_types import Number
from phonegate.domain.managed_phones import ManagedPhone
from phonegate.model.bounds import MAX_SLOT
from phonegate.model.phones import KINDS, Sim
from phonegate.model.times import iso
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import OneOf, Several, Text, Whole

MAX_SIMS: Final = 32
"""SIMs that one call gives numbers to: more than any phone or modem bank holds at once."""

MAX_NAME: Final = 100
"""Characters of a phone's name."""


@attrs.frozen(kw_only=True)
class PhoneSimJson:
    """A SIM of a phone."""

    slot: int = field("Slot index in its phone.", example=0)
    number: str | None = field("Its number, where that is known.", example="+15551112222")
    carrier: str | None = field("Its network.", example="AT&T")
    given: bool = field(
        "Whether the number is what its owner said, since the phone does not know it.",
        example=False,
    )


@attrs.frozen(kw_only=True)
class PhoneState:
    """A phone that has connected, as it says that it is."""

    id: int = field("Names the phone in /phones/{org}/{id}.", example=1)
    kind: Annotated[str, OneOf(KINDS)] = field(
        "By what it connects: link is the websocket, smsgate the app SMS Gateway for Android.",
        example="link",
    )
    name: str | None = field(
        "What its owner calls it, or else what it calls itself.", example="Reception"
    )
    device_id: str | None = field("By what it is known again, where it says.", example="pixel-7")
    model: str | None = field("What it is.", example="Pixel 7")
    app: str | None = field("The app and its version.", example="demo/1.0")
    online: bool = field("Whether it is connected now.", example=True)
    last_seen: str = field(
        "When anything came from it last (ISO 8601, UTC).", example="2026-11-21T08:00:00.000Z"
    )
    battery: int | None = field("Percent.", example=83)
    charging: bool | None = field("Whether it charges.", example=True)
    signal: int | None = field("Bars or dBm, as the phone likes.", example=3)
    network: str | None = field("How it reaches the internet, such as wifi.", example="wifi")
    sims: tuple[PhoneSimJson, ...] = field("By slot.")


@attrs.frozen(kw_only=True)
class PhoneJson(PhoneState):
    """A phone that has connected, as it was last known."""

    waiting: int = field(
        "Messages that wait for this phone, or that it has and reported no result of.", example=0
    )
    hint: str | None = field("What to do, where something is wrong with it.")


@attrs.frozen(kw_only=True)
class PhonesAnswer:
    """The org's phones."""

    org_id: str = field("The org.", example="myorg")
    count: int = field("Phones in this answer.", example=1)
    phones: tuple[PhoneJson, ...] = field("Those that came first before the others.")
    unassigned: int = field(
        "Messages that no phone is chosen for yet, since none that could send them is online.",
        example=0,
    )


@attrs.frozen(kw_only=True)
class SimNumber:
    """The number of a SIM that its phone does not know."""

    closed: ClassVar[bool] = True

    slot: Annotated[int, Whole(0, MAX_SLOT)] = field("Which SIM of the phone.", example=1)
    number: Annotated[str, Number()] | None = field(
        "Its number; null takes it back.", example="+15551113333"
    )


@attrs.frozen(kw_only=True)
class PhonePatch:
    """What to change of a phone. What is left out, or null, stays as it is."""

    closed: ClassVar[bool] = True
    """An unknown field is refused: a misspelt one would change nothing, and say that it did."""

    secret_key: Annotated[str, Text(0, 400)] | None = field(
        "The org's SecretKey, where it is not sent in X-Secret-Key.", default=None, private=True
    )
    name: Annotated[str, Text(0, MAX_NAME, line=True)] | None = field(
        "What to call it; empty: what it calls itself.", default=None, example="Reception"
    )
    sims: Annotated[tuple[SimNumber, ...], Several(1, MAX_SIMS)] | None = field(
        "Numbers of its SIMs, where the phone does not know them.", default=None
    )


@attrs.frozen(kw_only=True)
class PhoneAnswer:
    """One phone."""

    ok: bool = field("Always true.", default=True)
    phone: PhoneJson = field("The phone as it is now.")


@attrs.frozen(kw_only=True)
class ForgottenAnswer:
    """What became of a phone, its messages and its key."""

    ok: bool = field("Always true.", default=True)
    id: int = field("The phone that is no more.", example=1)
    cancelled: int = field("Messages that only it could have sent: they never leave.", example=2)
    uncertain: int = field("Messages that it had, and may have sent.", example=0)
    revoked_key: str | None = field(
        "The API key that ended with it, which was good for nothing else; null: the phone may come "
        "back, as a new one, by the org's secret or a key that others use too.",
        example="k3v9",
    )


def phone_json(phone: ManagedPhone) -> PhoneJson:
    """Makes the phone of an answer."""
    row, health = phone.row, phone.health
    return PhoneJson(
        id=row.id,
        kind=row.kind,
        name=phone.name,
        device_id=row.device_id,
        model=row.model,
        app=row.app,
        online=phone.is_online,
        last_seen=iso(phone.last_seen),
        battery=health.battery,
        charging=health.charging,
        signal=health.signal,
        network=health.network,
        sims=tuple(_sim_json(sim) for sim in phone.sims),
        waiting=phone.waiting,
        hint=phone.hint,
    )


def _sim_json(sim: Sim) -> PhoneSimJson:
    return PhoneSimJson(slot=sim.slot, number=sim.number, carrier=sim.carrier, given=sim.given)

"""What the app says of its phone when it enrols, and whenever it starts. Pure.

Most of it only decorates. What can't be read of it is left out.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

import attrs

from phonegate.domain.reported_numbers import whole_number
from phonegate.domain.reported_values import Label, SimNumber
from phonegate.model.bounds import MAX_SIMS, MAX_SLOT
from phonegate.model.enrolments import SimCard
from phonegate.model.refusals import BadInput

_LABEL: Final = Label()
_NUMBER: Final = SimNumber()

_HIDDEN: Final = "*"
"""What the app writes in place of what it hides, all but the last four characters."""


@attrs.frozen(kw_only=True)
class DeviceForm:
    """What the app says of its phone."""

    app_id: str | None = None
    """What it is called, where it says so."""
    name: str | None = None
    is_pushed: bool = False
    """Another service rings it, so that it opens no stream."""
    sims: tuple[SimCard, ...] | None = None
    """None where it says nothing of them."""


def read_form(body: bytes) -> DeviceForm:
    """Reads the body of a call.

    Raises:
        BadInput: It is no JSON object.
    """
    form = read_json(body)
    if not isinstance(form, dict):
        raise BadInput("The body must be a JSON object.")
    app_id, token = form.get("id"), form.get("pushToken")
    return DeviceForm(
        app_id=app_id if isinstance(app_id, str) else None,
        name=_LABEL.take(form.get("name"), []),
        is_pushed=isinstance(token, str) and token != "",
        sims=read_sims(form["simCards"]) if "simCards" in form else None,
    )


def read_sims(value: object) -> tuple[SimCard, ...]:
    """Reads the SIM cards that the app reports, by slot."""
    if not isinstance(value, list):
        return ()
    found = {sim.slot: sim for one in value[:MAX_SIMS] if (sim := _sim(one)) is not None}
    return tuple(found[slot] for slot in sorted(found))


def traits(sims: Sequence[SimCard]) -> frozenset[str]:
    """Returns what tells a phone with these SIM cards from another of its model."""
    return frozenset(trait for sim in sims for trait in sim.traits)


def read_json(body: bytes) -> Any:
    """Reads JSON.

    Raises:
        BadInput: It is none. Nothing of it is quoted.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BadInput("The body is not JSON in UTF-8.") from None


def _sim(value: object) -> SimCard | None:
    if not isinstance(value, dict):
        return None
    slot = whole_number(value.get("slotIndex"))
    if slot is None or not 0 <= slot <= MAX_SLOT:
        return None
    number, card = value.get("phoneNumber"), value.get("iccid")
    shown = [(name, _tail(one)) for name, one in (("number", number), ("card", card))]
    return SimCard(
        slot=slot,
        number=_NUMBER.take(_whole(number), []),
        carrier=_LABEL.take(_whole(value.get("carrierName")), []),
        traits=tuple(f"{name}:{tail}" for name, tail in shown if tail),
    )


def _whole(value: object) -> str | None:
    """Returns a text that nothing of was hidden."""
    return value if isinstance(value, str) and value and _HIDDEN not in value else None


def _tail(value: object) -> str:
    """Returns the last four characters, which the app always shows."""
    return value[-4:].strip(_HIDDEN) if isinstance(value, str) else ""

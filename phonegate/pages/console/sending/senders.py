"""By what a person can answer: the SIMs of the org's phones, and the numbers of its assistants."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from phonegate.model.assistants import PHONE
from phonegate.pages.console.visit import Visit

ANY: Final = ""
"""The value of "the first phone that is online"."""

_SIM: Final = "sim:"
_FROM: Final = "from:"


@attrs.frozen(kw_only=True)
class Sender:
    """A choice of the reply box."""

    value: str
    """What the form sends: `sim:` and a SIM as `send_sms` takes it, or `from:` and a number."""
    label: str


async def senders(visit: Visit) -> Sequence[Sender]:
    """Lists by what the person may send, the phones that are online first."""
    phones = (await visit.call("list_phones"))["phones"]
    found = [
        Sender(value=_sim_value(sim), label=_sim_label(phone, sim))
        for phone in sorted(phones, key=lambda one: not one["online"])
        for sim in phone["sims"]
    ]
    if visit.may("manage"):
        assistants = (await visit.call("list_assistants"))["assistants"]
        found += [
            Sender(value=f"{_FROM}{number}", label=f"{number} · {one['name']}")
            for one in assistants
            if one["provider"] != PHONE
            for number in one["phone_numbers"]
        ]
    by_value: dict[str, Sender] = {}
    for one in found:
        by_value.setdefault(one.value, one)
    return list(by_value.values())


def usual(messages: Sequence[Mapping[str, Any]], choices: Sequence[Sender]) -> Sender | None:
    """Returns by what to answer: what the last message came to, or went from.

    Args:
        messages: The newest messages of the conversation as the API shows them, the last one last.
        choices: What there is.
    """
    known = {one.value: one for one in choices}
    for message in reversed(messages):
        value = _value_of(message)
        if value is not None and value in known:
            return known[value]
        if value is not None and value.startswith(_FROM):
            # A key may answer by a number that it can't list.
            return Sender(value=value, label=value.removeprefix(_FROM))
    return None


def asked(value: str, to: str, body: str, send_at: str | None) -> tuple[str, dict[str, Any]]:
    """Returns the endpoint that sends by a choice, and the body for it."""
    later = {} if send_at is None else {"send_at": send_at}
    if value.startswith(_FROM):
        number = value.removeprefix(_FROM)
        fields = {"from_phone_number": number, "to_phone_number": to, "message": body}
        return "send_sms_from_number", {**fields, **later}
    sim = {"sim": value.removeprefix(_SIM)} if value.startswith(_SIM) else {}
    return "send_sms", {"to": to, "body": body, **sim, **later}


def sim_of(value: str) -> str | None:
    """Returns the SIM of a choice, empty for any. None where it is a carrier's number."""
    return None if value.startswith(_FROM) else value.removeprefix(_SIM)


def again(message: Mapping[str, Any]) -> str:
    """Returns the choice by which a message was sent, to send it again."""
    return _value_of(message) or ANY


def _value_of(message: Mapping[str, Any]) -> str | None:
    sim, slot = message["sim"], message["sim_slot"]
    if message["provider"] != PHONE:
        return f"{_FROM}{sim}" if sim else None
    if sim:
        return f"{_SIM}{sim}"
    return None if slot is None else f"{_SIM}{slot}"


def _sim_value(sim: Mapping[str, Any]) -> str:
    return f"{_SIM}{sim['number'] or sim['slot']}"


def _sim_label(phone: Mapping[str, Any], sim: Mapping[str, Any]) -> str:
    name = phone["name"] or phone["model"] or f"Phone {phone['id']}"
    slot = f"SIM {sim['slot'] + 1}"
    number = sim["number"] or slot
    parts = [number, name, *([sim["carrier"]] if sim["carrier"] else [])]
    label = " · ".join(parts)
    return label if phone["online"] else f"{label} (away)"

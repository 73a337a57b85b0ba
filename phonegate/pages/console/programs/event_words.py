"""Events in a line, in the words of people. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from phonegate.pages.console.words import MOODS, Mood

_MOODS: Final[Mapping[str, Mood]] = {
    "message.held": "warn",
    "phone.online": "ok",
    "phone.offline": "warn",
    "alarm.raised": "bad",
    "alarm.cleared": "ok",
    "webhook.disabled": "bad",
}
"""Of the types that are no state of a message."""

MAX_TEXT: Final = 160
"""Characters of an SMS that a line shows: as many as one SMS has."""


def event_line(event: Mapping[str, Any]) -> str:
    """Says in a line what an event is about, of its JSON.

    It may have been recorded by another version, so that nothing of it need be there.
    """
    data = event.get("data") or {}
    if message := data.get("message"):
        return _message(message)
    if phone := data.get("phone"):
        return _phone(str(event.get("type")), phone)
    if alarm := data.get("alarm"):
        return str(alarm.get("sentence") or alarm.get("alarm") or "")
    if webhook := data.get("webhook"):
        name = webhook.get("name") or f"webhook {webhook.get('id')}"
        return f"{name}: {webhook.get('disabled_reason') or 'disabled'}"
    return ""


def mood(kind: str) -> Mood:
    """Returns how the badge of a type of events looks."""
    if kind in _MOODS:
        return _MOODS[kind]
    return MOODS.get(kind.removeprefix("message."), "")


def _phone(kind: str, phone: Mapping[str, Any]) -> str:
    name = str(phone.get("name") or phone.get("model") or f"phone {phone.get('id')}")
    if kind == "phone.health" and phone.get("battery") is not None:
        charging = ", charging" if phone.get("charging") else ""
        return f"{name}: battery {phone['battery']} %{charging}"
    if kind == "phone.sims":
        sims = [sim for sim in phone.get("sims") or () if isinstance(sim, Mapping)]
        shown = [str(sim.get("number") or f"slot {sim.get('slot')}") for sim in sims]
        return f"{name}: {', '.join(shown) or 'no SIM'}"
    return name


def _message(message: Mapping[str, Any]) -> str:
    words = "from" if message.get("direction") == "in" else "to"
    text = " ".join(str(message.get("body") or "").split())
    shown = text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"
    return f"{words} {message.get('address') or 'an unnamed sender'}: {shown}"

"""Events as lines for a person."""

from collections.abc import Mapping
from typing import Any, Final

from phonegate.cli import columns, phone_words, terminal

TYPE_COLUMNS: Final = len("message.uncertain")
"""The columns of the longest types."""

Json = Mapping[str, Any]


def event_line(event: Json) -> str:
    """Returns one event as a line for a person, a message's type in the colour of its state."""
    type_, data = str(event["type"]), event.get("data") or {}
    name = columns.pad(terminal.clean(type_), TYPE_COLUMNS)
    if message := data.get("message"):
        name = terminal.state(str(message["status"]), name)
    about = _about(type_, data)
    return f"{event['id']:>6}  {terminal.moment(event['created_at'])}  {name}  {about}".rstrip()


def missing(upto: int, since: int | None = None) -> str:
    """Returns a line that says that events are missing, for the person and not for the output.

    Args:
        upto: The last one that is missing, or the newest that there is.
        since: The id that the person has named, if any.
    """
    if since is not None and since > upto:
        return f"phonegate: There is no event {since}: the newest is {upto}."
    return f"phonegate: Events up to {upto} are no longer kept."


def _about(type_: str, data: Json) -> str:
    """Returns what an event is about. A kind that this version does not know shows nothing."""
    match data:
        case {"message": message}:
            about = f"{terminal.party(message)} {terminal.message_text(message)}"
            return f"{about}  [message {message['id']}]"
        case {"phone": phone}:
            return _phone(type_, phone)
        case {"alarm": alarm}:
            parts = (alarm["alarm"], alarm["sentence"], alarm.get("remedy"))
            return "  ".join(terminal.clean(part) for part in parts if part)
        case {"webhook": webhook}:
            name = f" {webhook['name']}" if webhook.get("name") else ""
            return terminal.clean(f"webhook {webhook['id']}{name}: {webhook['disabled_reason']}")
        case _:
            return ""


def _phone(type_: str, phone: Json) -> str:
    """Returns a phone, with what an event of this type says of it."""
    name = phone.get("name") or phone.get("device_id") or "without a name"
    said: list[str | None] = []
    if type_ == "phone.sims":
        said = [phone_words.sim(sim) for sim in phone.get("sims", ())] or ["no SIM"]
    elif type_ != "phone.offline":
        said = [phone_words.battery(phone), _named(phone, "signal"), _named(phone, "network")]
    words = ", ".join(part for part in said if part)
    return terminal.clean(f"phone {phone['id']}, {name}{': ' if words else ''}{words}")


def _named(phone: Json, name: str) -> str | None:
    value = phone.get(name)
    return None if value is None else f"{name} {value}"

"""How the message of an event becomes JSON, by SQL or not, and is read back. Pure.

The JSON has the fields that readers see, without those that are None, of which a message has many.
"""

import json
from collections.abc import Callable, Mapping
from operator import attrgetter
from types import NoneType
from typing import Any, Final, cast, get_args, get_origin, get_type_hints

import attrs

from phonegate.model.events import EventType
from phonegate.model.messages import Message, MessageView, NewInbound, NewMessage
from phonegate.model.states import QUEUED, SENT, STATES

TYPES: Final[Mapping[str, EventType]] = {
    status: cast("EventType", f"message.{status}") for status in STATES
}
"""The type of the event of a message that has come to a status."""

HELD: Final[EventType] = "message.held"

_compact: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Its function is looked up once, since this runs for each change."""

_LATER: Final = {SENT: ("delivered_at",), QUEUED: ("sent_at", "delivered_at")}
"""What a message can't have had yet when it was sent, and when it was in a state before that."""

_SELECTED: Final = ", ".join(MessageView._fields)

READ: Final = f"""
    SELECT {_SELECTED} FROM messages WHERE id IN (SELECT value FROM json_each(?))
"""  # noqa: S608 - constants
"""Reads the messages of these ids, given as a JSON array."""


def _member(name: str, hint: Any) -> str:
    """Returns the SQL of a column as a member of a JSON object, empty where it is NULL."""
    kinds = set(get_args(hint)) or {hint}
    if int in kinds or any(get_origin(kind) is tuple for kind in kinds):
        value = f"messages.{name}"  # Numbers, and what is JSON already.
    else:
        value = f"json_quote(messages.{name})"
    member = f"',\"{name}\":' || {value}"
    return f"iif(messages.{name} IS NULL, '', {member})" if NoneType in kinds else member


_MEMBERS: Final = " || ".join(
    _member(name, hint) for name, hint in get_type_hints(MessageView).items() if name != "id"
)

RECORD: Final = f"""
    INSERT INTO events (id, org, type, at, message, phone, data)
    SELECT ? + changed.key, messages.org,
        iif(messages.status = '{QUEUED}' AND messages.approval = 'asked',
            '{HELD}', 'message.' || messages.status),
        ?, messages.id, messages.phone,
        '{{"id":' || messages.id || {_MEMBERS} || '}}'
    FROM json_each(?) AS changed JOIN messages ON messages.id = changed.value
"""  # noqa: S608 - constants
"""Records messages as they are now, with ids from the first on, given their own as a JSON array.
To write the JSON here takes a third of the time that it takes to read them and write it outside."""


def _writer(
    model: type[attrs.AttrsInstance], **fixed: object
) -> Callable[[int, str, Any], dict[str, Any]]:
    """Returns what makes the JSON object of a message of this class."""
    own = {field.name for field in attrs.fields(model)} - {"id", "status"}
    names = tuple(name for name in MessageView._fields if name in own)
    values = attrgetter(*names)

    def write(id_: int, status: str, message: Any) -> dict[str, Any]:
        shown = {
            name: value
            for name, value in zip(names, values(message), strict=True)
            if value is not None
        }
        return {"id": id_, "status": status, **fixed, **shown}

    return write


_WRITERS: Final[Mapping[type, Callable[[int, str, Any], dict[str, Any]]]] = {
    NewMessage: _writer(NewMessage, direction="out", parts=0),
    NewInbound: _writer(NewInbound, direction="in", sim_selector=""),
    Message: _writer(Message),
}


def encode(value: Mapping[str, Any]) -> str:
    """Writes compact JSON. Half a surrogate pair, which no text in the store can have, becomes `?`.

    Raises:
        TypeError, ValueError: It holds what is no JSON.
    """
    return _compact(value).encode("utf-8", "replace").decode()


def event_type(status: str, approval: str | None) -> EventType:
    """Returns the type of the event of a message that has just come to a status."""
    return HELD if status == QUEUED and approval == "asked" else TYPES[status]


def message_data(id_: int, status: str, message: NewMessage | NewInbound | Message) -> str:
    """Returns the JSON of a message that has come to a status."""
    return encode(_WRITERS[type(message)](id_, status, message))


def row_data(row: tuple[Any, ...], status: str) -> str:
    """Returns the JSON of a message as it was at a status, from its row of today (see `READ`).

    A later change of the same transaction may have gone further.
    """
    shown = {
        name: value
        for name, value in zip(MessageView._fields, row, strict=True)
        if value is not None
    }
    if (urls := shown.get("media_urls")) is not None:
        shown["media_urls"] = json.loads(urls)
    if shown["status"] != status:
        shown["status"] = status
        for name in _LATER[SENT if status == SENT else QUEUED]:
            shown.pop(name, None)
    return encode(shown)


def message_of(data: str) -> MessageView:
    """Returns the message whose JSON was stored. A field that an older version lacked is None."""
    shown = json.loads(data)
    if (urls := shown.get("media_urls")) is not None:
        shown["media_urls"] = tuple(urls)
    return MessageView._make(map(shown.get, MessageView._fields))

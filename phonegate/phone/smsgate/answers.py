"""The gateway's answers as the app reads them. Pure.

The app reads JSON into data classes with Gson. Fields that it does not know are fine. One field of
the wrong type spoils the whole answer. Where Gson would convert (a number into a text), this
reader refuses, since no gateway should count on it.
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import attrs

from phonegate.phone.smsgate.app_errors import UnreadableAnswer
from phonegate.phone.smsgate.dates import read_date
from phonegate.phone.smsgate.release import Release

T = TypeVar("T")

STATES: Final = frozenset(
    {"Pending", "Cancelling", "Cancelled", "Processed", "Sent", "Delivered", "Failed"}
)

_PRIORITIES: Final = range(-128, 128)
"""Of a Java `Byte`. Another number is an exception there, and spoils the whole answer."""
_INTEGERS: Final = range(-(2**31), 2**31)
"""Of a Java `Int`."""


def detail_of(body: bytes) -> str | None:
    """Returns the reason that a refusal gives to a person. None if it gives none."""
    try:
        fields = json.loads(body)
    except ValueError:
        return None
    said = fields.get("detail") if isinstance(fields, Mapping) else None
    return said if isinstance(said, str) and said else None


@attrs.frozen(kw_only=True)
class Registration:
    """The answer to a registration."""

    id: str
    token: str = attrs.field(repr=False)
    login: str


@attrs.frozen(kw_only=True)
class Pulled:
    """One message of the list that the app pulls. Times are ms since 1970, UTC."""

    id: str
    text: str | None = attrs.field(default=None, repr=False)
    data: str | None = attrs.field(default=None, repr=False)
    """Of a data SMS, in base64."""
    mms: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    phone_numbers: tuple[str, ...] = attrs.field(repr=False)
    sim_number: int | None = None
    """Counted from 1."""
    with_delivery_report: bool = True
    valid_until: int | None = None
    schedule_at: int | None = None
    priority: int = 0
    state: str | None = None
    """None for a state that the app does not know. It treats such a message as pending."""


@attrs.frozen(kw_only=True)
class Hook:
    """One address to which the app posts events of one kind."""

    id: str
    url: str
    event: str


def read_registration(body: bytes) -> Registration:
    """Reads the answer to `POST /device`.

    Raises:
        UnreadableAnswer: The app can't read it.
    """
    fields = _object(_json(body), "the registration")
    return Registration(
        id=_required(fields, "id", _text),
        token=_required(fields, "token", _text),
        login=_required(fields, "login", _text),
    )


def read_messages(body: bytes, version: Release) -> list[Pulled]:
    """Reads the answer to `GET /message`.

    Raises:
        UnreadableAnswer: The app can't read it.
    """
    return [
        _message(_object(one, f"message {at}"), version)
        for at, one in enumerate(_array(_json(body), "the list of messages"))
    ]


def read_webhooks(body: bytes, version: Release) -> list[Hook]:
    """Reads the answer to `GET /webhooks`.

    Raises:
        UnreadableAnswer: The app can't read it, or an event is unknown to it.
    """
    webhooks = []
    for at, one in enumerate(_array(_json(body), "the list of webhooks")):
        fields = _object(one, f"webhook {at}")
        event = _required(fields, "event", _text)
        if event not in version.events:
            raise UnreadableAnswer(f"webhook {at}: this version knows no event {event!r}")
        _optional(fields, "deviceId", _text)
        webhooks.append(
            Hook(
                id=_required(fields, "id", _text), url=_required(fields, "url", _text), event=event
            )
        )
    return webhooks


def read_object(body: bytes, what: str) -> Mapping[str, Any]:
    """Reads an answer that is any object.

    Raises:
        UnreadableAnswer: It is none.
    """
    return _object(_json(body), what)


def _message(fields: Mapping[str, Any], version: Release) -> Pulled:
    text = _optional(fields, "textMessage", _a_text_message)
    legacy = _optional(fields, "message", _text)
    numbers = _required(fields, "phoneNumbers", _texts)
    _optional(fields, "isEncrypted", _flag)
    _optional(fields, "createdAt", _date)
    state = _optional(fields, "state", _text)
    delivery_report = _optional(fields, "withDeliveryReport", _flag)
    return Pulled(
        id=_required(fields, "id", _text),
        text=legacy if text is None else text,
        data=_optional(fields, "dataMessage", _a_data_message),
        mms=_optional(fields, "mmsMessage", _an_mms) if version.sends_mms else None,
        phone_numbers=numbers,
        sim_number=_optional(fields, "simNumber", _whole),
        with_delivery_report=delivery_report is not False,
        valid_until=_optional(fields, "validUntil", _date),
        schedule_at=_optional(fields, "scheduleAt", _date),
        priority=_optional(fields, "priority", _byte) or 0,
        state=state if state in STATES else None,
    )


def _a_text_message(value: Any, name: str) -> str:
    return _required(_object(value, name), "text", _text)


def _a_data_message(value: Any, name: str) -> str:
    fields = _object(value, name)
    _required(fields, "port", _whole)
    return _required(fields, "data", _text)


def _an_mms(value: Any, name: str) -> Mapping[str, Any]:
    fields = _object(value, name)
    _optional(fields, "subject", _text)
    _optional(fields, "text", _text)
    for attachment in _array(fields.get("attachments", []), "attachments"):
        parts = _object(attachment, "an attachment")
        _required(parts, "contentType", _text)
        _optional(parts, "name", _text)
        _required(parts, "data", _base64)
    return fields


# --- the types of single fields


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise UnreadableAnswer("it is not JSON") from None


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UnreadableAnswer(f"{name} is not an object")
    return value


def _array(value: Any, name: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise UnreadableAnswer(f"{name} is not an array")
    return value


def _required(fields: Mapping[str, Any], name: str, read: Callable[[Any, str], T]) -> T:
    value = _optional(fields, name, read)
    if value is None:
        raise UnreadableAnswer(f"{name} is missing")
    return value


def _optional(fields: Mapping[str, Any], name: str, read: Callable[[Any, str], T]) -> T | None:
    value = fields.get(name)
    return None if value is None else read(value, name)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise UnreadableAnswer(f"{name} is not a text")
    return value


def _base64(value: Any, name: str) -> str:
    text = _text(value, name)
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        raise UnreadableAnswer(f"{name} is not Base64") from None
    return text


def _texts(value: Any, name: str) -> tuple[str, ...]:
    texts = tuple(_text(one, name) for one in _array(value, name))
    if not texts:
        raise UnreadableAnswer(f"{name} is empty")
    return texts


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise UnreadableAnswer(f"{name} is not true or false")
    return value


def _whole(value: Any, name: str) -> int:
    if type(value) is not int or value not in _INTEGERS:
        raise UnreadableAnswer(f"{name} is not a whole number")
    return value


def _byte(value: Any, name: str) -> int:
    number = _whole(value, name)
    if number not in _PRIORITIES:
        raise UnreadableAnswer(f"{name} is not from -128 to 127")
    return number


def _date(value: Any, name: str) -> int:
    try:
        return read_date(_text(value, name))
    except ValueError:
        raise UnreadableAnswer(f"{name} is not a date that the app can read") from None

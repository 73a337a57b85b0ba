"""How a phone's frame is read: strictly, into the types of `frames`, or refused with its field.

Unknown fields are ignored, so that newer phones work here; those that are known must be of
their type. What is refused is never quoted: it may be a message.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Never, TypeVar

from phonegate.domain.numbers import is_sender
from phonegate.phones.frames import (
    Ack,
    DeliveryReport,
    FrameFault,
    Hello,
    Inbound,
    InboundText,
    PhoneFrame,
    Ping,
    SendResult,
    SimReport,
    Sims,
    Status,
)
from phonegate.values import has_more_values

T = TypeVar("T")

MAX_ID: Final = 2**63 - 1
"""Message ids are SQLite row ids."""

MAX_TIME_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999, where ISO 8601's four-digit years end."""

MAX_SLOT: Final = 15
"""No phone has 16 SIMs; a larger index is a mistake."""

MAX_DEVICE_ID: Final = 128
"""Characters; room for a UUID, an Android id, or a name that an owner chose."""

MAX_NUMBER: Final = 32
"""Characters of a SIM's number: E.164 has 16 with its plus; Android may give national forms."""

MAX_LABEL: Final = 128
"""Characters of names, models, carriers and the like."""

MAX_BODY: Final = 65_536
"""Characters of an inbound text; the frame's own limit is met first."""

MAX_ERROR: Final = 500
"""Characters kept of a phone's error text; a longer one is cut, for the result matters more."""

MAX_INBOUND: Final = 500
"""Messages in one `inbound` frame, as many as in one webhook call."""

MAX_MEDIA: Final = 10
"""Media of one MMS; carriers' own limit for a message."""

MAX_MEDIA_URL: Final = 2_048
"""Characters of a media URL, the length that every HTTP client takes."""

MAX_FEATURES: Final = 32
"""Features in one `hello`; there are four so far."""

MAX_VALUES: Final = 10_000
"""Values in one frame: twenty for each of the messages of an `inbound`."""


def parse(data: str | bytes) -> PhoneFrame:
    """Reads one frame of a phone.

    Raises:
        FrameFault: it can't be understood.
    """
    if not isinstance(data, str):
        raise FrameFault("not_text", "Frames are text; this one is binary.")
    if has_more_values(data, MAX_VALUES):
        raise FrameFault("too_many_values", f"The frame has more than {MAX_VALUES} values.")
    try:
        value = _DECODER.decode(data)
    except (ValueError, RecursionError):
        # RecursionError: nested deeper than any frame; ValueError also stands for integers of
        # thousands of digits, which Python refuses to read.
        raise FrameFault("bad_json", "The frame is not valid JSON.") from None
    if not isinstance(value, dict):
        raise FrameFault("not_an_object", "The frame is not a JSON object.")
    kind = value.get("type")
    if not isinstance(kind, str):
        raise FrameFault("bad_field", "type must be a string that names the frame.", "type")
    reader = _READERS.get(kind)
    if reader is None:
        known = ", ".join(_READERS)
        raise FrameFault("unknown_type", f"This type of frame is not known; {known} are.", "type")
    return reader(_Fields(value))


def is_device_id(text: str) -> bool:
    """Whether this may name a device: 1 to 128 printable characters, not only spaces."""
    return 1 <= len(text) <= MAX_DEVICE_ID and text.isprintable() and not text.isspace()


def _refuse_constant(name: str) -> Never:
    raise ValueError(name)


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)
"""`json.loads` makes one anew for each frame."""


class _Fields:
    """One JSON object of a frame, read field by field."""

    def __init__(self, values: Mapping[str, Any], path: str = "") -> None:
        self._values = values
        self._path = path

    def fault(self, name: str, problem: str) -> FrameFault:
        field = self._path + name
        return FrameFault("bad_field", f"{field} {problem}.", field)

    def integer(self, name: str, low: int, high: int) -> int | None:
        value = self._values.get(name)
        if value is None:
            return None
        # type() and not isinstance(): True is an int to Python, but not to JSON.
        if type(value) is not int or not low <= value <= high:
            raise self.fault(name, f"must be an integer from {low} to {high}")
        return value

    def boolean(self, name: str) -> bool | None:
        value = self._values.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.fault(name, "must be true or false")
        return value

    def text(self, name: str, longest: int, *, cut: bool = False) -> str | None:
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.fault(name, "must be a string")
        if len(value) > longest:
            if not cut:
                raise self.fault(name, f"must have at most {longest} characters")
            value = value[:longest]
        if "\0" in value:
            raise self.fault(name, "must not contain NUL")
        if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
            raise self.fault(name, "must not contain lone surrogates")
        return value

    def label(self, name: str, longest: int = MAX_LABEL) -> str | None:
        """A text of one line; an empty one is as good as none."""
        value = self.text(name, longest)
        if value is not None and value and not value.isprintable():
            raise self.fault(name, "must not contain control characters")
        return (value or "").strip() or None

    def local_id(self, name: str) -> str | int | None:
        """A phone's own id of something: a string or an integer, as it likes."""
        if type(self._values.get(name)) is int:
            return self.integer(name, -MAX_ID, MAX_ID)
        return self.text(name, MAX_LABEL) or None

    def objects(self, name: str, most: int) -> "list[_Fields]":
        values = self._list(name, most)
        for index, value in enumerate(values):
            if not isinstance(value, dict):
                raise self.fault(f"{name}[{index}]", "must be an object")
        return [_Fields(v, f"{self._path}{name}[{i}].") for i, v in enumerate(values)]

    def texts(self, name: str, most: int, longest: int) -> tuple[str, ...]:
        if self._values.get(name) is None:
            return ()
        entries = {f"{name}[{i}]": value for i, value in enumerate(self._list(name, most))}
        each = _Fields(entries, self._path)
        return tuple(each.need(key, each.text(key, longest)) for key in entries)

    def inner(self, name: str) -> "_Fields":
        value = self._values.get(name)
        if not isinstance(value, dict):
            raise self.fault(name, "must be an object")
        return _Fields(value, f"{self._path}{name}.")

    def has(self, name: str) -> bool:
        return self._values.get(name) is not None

    def need(self, name: str, value: T | None) -> T:
        if value is None:
            raise self.fault(name, "is missing")
        return value

    def _list(self, name: str, most: int) -> list[Any]:
        value = self._values.get(name)
        if not isinstance(value, list):
            raise self.fault(name, "must be a list")
        if len(value) > most:
            raise self.fault(name, f"must have at most {most} entries")
        return value


def _read_sims(fields: _Fields) -> Sims:
    reports: list[SimReport] = []
    for entry in fields.objects("sims", MAX_SLOT + 1):
        slot = entry.need("slot", entry.integer("slot", 0, MAX_SLOT))
        if any(report.slot == slot for report in reports):
            raise entry.fault("slot", "was reported twice")
        number = entry.label("number", MAX_NUMBER)
        if number is not None and any(report.number == number for report in reports):
            raise entry.fault("number", "was reported twice")
        reports.append(SimReport(slot=slot, number=number, carrier=entry.label("carrier")))
    return Sims(sims=tuple(sorted(reports, key=lambda report: report.slot)))


def _read_inbound(fields: _Fields) -> Inbound:
    if fields.has("messages"):
        entries: Sequence[_Fields] = fields.objects("messages", MAX_INBOUND)
    else:
        entries = [fields.inner("message")]
    return Inbound(messages=tuple(_read_text(entry) for entry in entries))


def _read_text(fields: _Fields) -> InboundText:
    address = fields.need("address", fields.text("address", MAX_LABEL))
    if not is_sender(address):
        raise fields.fault("address", "must be a number or a name of at most 64 characters")
    return InboundText(
        address=address,
        body=fields.need("body", fields.text("body", MAX_BODY)),
        date=fields.integer("date", 0, MAX_TIME_MS),
        sim_slot=fields.integer("sim_slot", 0, MAX_SLOT),
        sim=fields.label("sim", MAX_NUMBER),
        id=fields.local_id("id"),
        media_urls=fields.texts("media_urls", MAX_MEDIA, MAX_MEDIA_URL) or None,
    )


def _read_result(fields: _Fields) -> SendResult:
    success = fields.need("success", fields.boolean("success"))
    return SendResult(
        id=_message_id(fields),
        success=success,
        error=fields.text("error", MAX_ERROR, cut=True) or None,
        segments=fields.integer("segments", 1, 255),
        # A phone that says it was sent is not uncertain, whatever else it says.
        uncertain=bool(fields.boolean("uncertain")) and not success,
    )


def _read_hello(fields: _Fields) -> Hello:
    device_id = fields.text("device_id", MAX_DEVICE_ID)
    if device_id is not None and not is_device_id(device_id):
        raise fields.fault("device_id", "must be 1 to 128 printable characters")
    return Hello(
        device_id=device_id,
        name=fields.label("name"),
        model=fields.label("model"),
        app=fields.label("app"),
        features=frozenset(fields.texts("features", MAX_FEATURES, MAX_LABEL)),
    )


def _read_ack(fields: _Fields) -> Ack:
    return Ack(id=_message_id(fields))


def _read_report(fields: _Fields) -> DeliveryReport:
    return DeliveryReport(
        id=_message_id(fields),
        delivered=fields.need("delivered", fields.boolean("delivered")),
        date=fields.integer("date", 0, MAX_TIME_MS),
    )


def _read_status(fields: _Fields) -> Status:
    return Status(
        battery=fields.integer("battery", 0, 100),
        charging=fields.boolean("charging"),
        signal=fields.integer("signal", -200, 100),
        network=fields.label("network"),
    )


def _read_ping(_: _Fields) -> Ping:
    return Ping()


def _message_id(fields: _Fields) -> int:
    return fields.need("id", fields.integer("id", 1, MAX_ID))


_READERS: Final[Mapping[str, Callable[[_Fields], PhoneFrame]]] = {
    "hello": _read_hello,
    "sims": _read_sims,
    "inbound": _read_inbound,
    "ack": _read_ack,
    "send_result": _read_result,
    "delivery_report": _read_report,
    "status": _read_status,
    "ping": _read_ping,
}

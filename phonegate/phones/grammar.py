"""How a phone's frame is read, into the types of `frames`.

What happened is taken in any form, by `domain.reported`; unknown fields are ignored, so that newer
phones work here. A frame is refused, with its field, where it can't be known what it says. What
is refused is never quoted: it may be a message.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from phonegate.domain.reported_values import (
    Kind,
    Report,
    Unread,
    Unreadable,
    read_received,
)
from phonegate.model.bounds import (
    MAX_FEATURES,
    MAX_MESSAGES,
    MAX_SEGMENTS,
    MAX_SIMS,
    MAX_VALUES,
)
from phonegate.phones.frames import (
    Ack,
    DeliveryReport,
    Error,
    FrameFault,
    Hello,
    Inbound,
    PhoneFrame,
    Ping,
    SendResult,
    SimReport,
    Sims,
    Status,
)
from phonegate.values import has_more_values, report_decoder

Values = Mapping[str, Any]


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
        # RecursionError: nested deeper than any frame.
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
    cleaned: list[Kind] = []
    try:
        return reader(value, cleaned)
    except Unreadable as error:
        raise _fault(error.field, str(error)) from None


_DECODER: Final = report_decoder()
"""`json.loads` makes one anew for each frame."""


def _fault(field: str, problem: str) -> FrameFault:
    return FrameFault("bad_field", f"{field} {problem}.", field)


def _list(values: Values, name: str) -> list[Any]:
    value = values.get(name)
    if type(value) is not list:
        raise Unreadable(name, "must be a list")
    return value


def _read_sims(values: Values, cleaned: list[Kind]) -> Sims:
    entries = _list(values, "sims")
    if len(entries) > MAX_SIMS:
        cleaned.append("entry")
    by_slot: dict[int, SimReport] = {}
    faults: list[FrameFault] = []
    for index, entry in enumerate(entries[:MAX_SIMS]):
        if type(entry) is not dict:
            faults.append(_fault(f"sims[{index}]", "must be an object"))
            continue
        fields = Report(entry, cleaned)
        slot = fields.slot("slot")
        if slot is None:
            # -1 is Android's word for a card that is not in use; it does not belong here.
            if not fields.is_no_slot("slot"):
                faults.append(_fault(f"sims[{index}].slot", "is missing or names no slot"))
            continue
        sim = SimReport(slot=slot, number=fields.number("number"), carrier=fields.label("carrier"))
        other = by_slot.get(slot)
        if other is not None:
            cleaned.append("slot")
        if other is None or other.number is None:
            by_slot[slot] = sim
    if faults and not by_slot:
        # Nothing is known of its SIMs, which is not the same as that it has none.
        raise faults[0]
    cleaned.extend("entry" for _ in faults)
    return Sims(
        sims=tuple(by_slot[slot] for slot in sorted(by_slot)),
        cleaned=tuple(cleaned),
        complaint=_complaint(faults[0]) if faults else None,
    )


def _read_inbound(values: Values, cleaned: list[Kind]) -> Inbound:
    if values.get("messages") is not None:
        entries, names = _list(values, "messages"), "messages[{}]"
        if len(entries) > MAX_MESSAGES:
            raise Unreadable("messages", f"must have at most {MAX_MESSAGES} entries")
    else:
        entries, names = [values.get("message")], "message"
    messages = read_received(entries, cleaned)
    unread = [(at, one) for at, one in enumerate(messages) if isinstance(one, Unread)]
    complaint = None
    if unread:
        at, first = unread[0]
        field = names.format(at) + (f".{first.field}" if first.field else "")
        fault = _fault(field, first.problem)
        if not any(type(entry) is dict for entry in entries):
            raise fault
        complaint = Error(
            code=fault.code,
            detail=f"{fault.detail} {len(unread)} of {len(messages)} messages could not be read "
            "and are not stored.",
            field=field,
            ids=tuple(one.local_id for _, one in unread),
        )
    return Inbound(messages=messages, cleaned=tuple(cleaned), complaint=complaint)


def _read_result(values: Values, cleaned: list[Kind]) -> SendResult:
    fields = Report(values, cleaned)
    success = fields.truth("success")
    return SendResult(
        id=fields.message_id("id"),
        success=success,
        error=fields.error("error"),
        segments=fields.whole("segments", 1, MAX_SEGMENTS),
        # A phone that says it was sent is not uncertain, whatever else it says.
        uncertain=bool(fields.flag("uncertain")) and not success,
        cleaned=tuple(cleaned),
    )


def _read_hello(values: Values, cleaned: list[Kind]) -> Hello:
    fields = Report(values, cleaned)
    device_id = fields.device_id("device_id")
    complaint = None
    if device_id is None and values.get("device_id") not in (None, ""):
        complaint = _complaint(_fault("device_id", "must be text with printable characters"))
    return Hello(
        device_id=device_id,
        name=fields.label("name"),
        model=fields.label("model"),
        app=fields.label("app"),
        features=frozenset(fields.words("features", MAX_FEATURES)),
        cleaned=tuple(cleaned),
        complaint=complaint,
    )


def _read_ack(values: Values, cleaned: list[Kind]) -> Ack:
    return Ack(id=Report(values, cleaned).message_id("id"))


def _read_report(values: Values, cleaned: list[Kind]) -> DeliveryReport:
    fields = Report(values, cleaned)
    return DeliveryReport(
        id=fields.message_id("id"),
        delivered=fields.truth("delivered"),
        date=fields.date("date"),
        cleaned=tuple(cleaned),
    )


def _read_status(values: Values, cleaned: list[Kind]) -> Status:
    fields = Report(values, cleaned)
    return Status(
        battery=fields.whole("battery", 0, 100),
        charging=fields.flag("charging"),
        signal=fields.whole("signal", -200, 100),
        network=fields.label("network"),
        cleaned=tuple(cleaned),
    )


def _read_ping(_: Values, __: list[Kind]) -> Ping:
    return Ping()


def _complaint(fault: FrameFault) -> Error:
    return Error(code=fault.code, detail=fault.detail, field=fault.field)


_READERS: Final[Mapping[str, Callable[[Values, list[Kind]], PhoneFrame]]] = {
    "hello": _read_hello,
    "sims": _read_sims,
    "inbound": _read_inbound,
    "ack": _read_ack,
    "send_result": _read_result,
    "delivery_report": _read_report,
    "status": _read_status,
    "ping": _read_ping,
}

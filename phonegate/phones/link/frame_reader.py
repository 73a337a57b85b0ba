"""Reads the frames of phones, by the fields that their types in `frames` declare. Pure.

What happened is taken in any form, see `domain.reported_values`. Unknown fields are ignored, so
that newer phones work here. A frame is refused, with its field, where it can't be known what it
says. What is refused is never quoted, because it may be a message.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, get_args

import attrs

from phonegate.domain.received_sms import Unread, read_received
from phonegate.domain.reported_values import Kind, Reported, SimSlot, is_no_slot
from phonegate.model.bounds import MAX_MESSAGES, MAX_SIMS, MAX_VALUES
from phonegate.phones.frames import Error, FrameFault, Hello, Inbound, PhoneFrame, SimReport, Sims
from phonegate.typed_json.fields import Wrong, fields_of
from phonegate.values import has_more_values, report_decoder

Values = Mapping[str, Any]

_DECODER: Final = report_decoder()
"""`json.loads` makes one anew for each frame."""

_SLOT: Final = SimSlot()


def read(data: str | bytes) -> PhoneFrame:
    """Reads one frame of a phone.

    Raises:
        FrameFault: It can't be understood.
    """
    if not isinstance(data, str):
        raise FrameFault("not_text", "Frames are text; this one is binary.")
    # Each of them takes a character.
    if len(data) > MAX_VALUES and has_more_values(data, MAX_VALUES):
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
    return reader(value)


def reader_of(cls: Any) -> Callable[[Values], Any]:
    """Makes the function that reads a frame whose fields say all that there is to know of it.

    Raises:
        TypeError: A field has no rule of a report.
    """
    read_fields = _fields_reader(cls, "cleaned=tuple(cleaned)")
    return lambda values: read_fields(values, [])


def _fields_reader(cls: Any, beside: str = "") -> Callable[[Values, list[Kind]], Any]:
    """Makes the function that reads the fields of an object in their order, into its type.

    It is one expression: a loop takes up to half a microsecond more for each frame, a tenth.
    """
    takes: dict[str, Callable[[object, list[Kind]], Any]] = {}
    arguments: list[str] = []
    for known in fields_of(cls):
        if not isinstance(known.rule, Reported):
            raise TypeError(f"{cls.__name__}.{known.name} has no rule of a report")
        takes[known.name] = known.rule.take
        arguments.append(f'{known.attribute}=take_{known.name}(get("{known.name}"), cleaned)')
    # The source is made of attributes' names, and of nothing that comes from outside.
    make = eval(  # noqa: S307
        f"lambda get, cleaned: cls({', '.join(filter(None, [*arguments, beside]))})",
        {"cls": cls, **{f"take_{name}": take for name, take in takes.items()}},
    )

    def read_fields(values: Values, cleaned: list[Kind]) -> Any:
        try:
            return make(values.get, cleaned)
        except Wrong:
            raise _first_fault(values, takes) from None

    return read_fields


def _first_fault(
    values: Values, takes: Mapping[str, Callable[[object, list[Kind]], Any]]
) -> FrameFault:
    for name, take in takes.items():
        try:
            take(values.get(name), [])
        except Wrong as error:
            return _fault(name, str(error))
    raise AssertionError("a rule refuses a value that it has taken")


_read_hello_fields: Final[Callable[[Values], Hello]] = reader_of(Hello)
_read_sim_fields: Final[Callable[[Values, list[Kind]], SimReport]] = _fields_reader(SimReport)


def _read_hello(values: Values) -> Hello:
    hello = _read_hello_fields(values)
    if hello.device_id is None and values.get("device_id") not in (None, ""):
        fault = _fault("device_id", "must be text with printable characters")
        return attrs.evolve(hello, complaint=_complaint(fault))
    return hello


def _read_sims(values: Values) -> Sims:
    cleaned: list[Kind] = []
    entries = _list(values, "sims")
    if len(entries) > MAX_SIMS:
        cleaned.append("entry")
    by_slot: dict[int, SimReport] = {}
    faults: list[FrameFault] = []
    for index, entry in enumerate(entries[:MAX_SIMS]):
        if type(entry) is not dict:
            faults.append(_fault(f"sims[{index}]", "must be an object"))
            continue
        slot = _SLOT.take(entry.get("slot"), cleaned)
        if slot is None:
            # A card that is not in use is none of the phone's SIMs.
            if not is_no_slot(entry.get("slot")):
                faults.append(_fault(f"sims[{index}].slot", "is missing or names no slot"))
            continue
        sim = _read_sim_fields(entry, cleaned)
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


def _read_inbound(values: Values) -> Inbound:
    if values.get("messages") is not None:
        entries, names = _list(values, "messages"), "messages[{}]"
        if len(entries) > MAX_MESSAGES:
            raise _fault("messages", f"must have at most {MAX_MESSAGES} entries")
    else:
        entries, names = [values.get("message")], "message"
    cleaned: list[Kind] = []
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


def _list(values: Values, name: str) -> list[Any]:
    value = values.get(name)
    if type(value) is not list:
        raise _fault(name, "must be a list")
    return value


def _fault(field: str, problem: str) -> FrameFault:
    return FrameFault("bad_field", f"{field} {problem}.", field)


def _complaint(fault: FrameFault) -> Error:
    return Error(code=fault.code, detail=fault.detail, field=fault.field)


_OWN_READERS: Final[Mapping[type, Callable[[Values], PhoneFrame]]] = {
    Hello: _read_hello,
    Sims: _read_sims,
    Inbound: _read_inbound,
}
_READERS: Final[Mapping[str, Callable[[Values], PhoneFrame]]] = {
    cls.type: _OWN_READERS.get(cls) or reader_of(cls) for cls in get_args(PhoneFrame)
}

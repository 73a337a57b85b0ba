"""One received SMS as apps send it that only forward SMS: flat JSON, a form, or a plain text. Pure.

Such apps fill templates, and some fill them without escaping: a quote in an SMS then breaks JSON,
and an `&` breaks a form. A plain text needs no escaping, so that everything but the text stands in
the query or in headers there. Whatever the form is, it becomes the body that phones push, a list of
one message, and is read, stored and answered as such.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

import attrs

from phonegate.api.convert import refusal
from phonegate.api.field_names import shown
from phonegate.api.payload import check_media, media_type, read_object
from phonegate.domain.reported_texts import written
from phonegate.domain.reported_values import (
    Body,
    Date,
    DeviceId,
    LocalId,
    Sender,
    SimNumber,
    Slot,
)
from phonegate.model.bounds import SLOT_DIGITS
from phonegate.model.refusals import BadInput, FieldProblem
from phonegate.typed_json.fields import field

FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
TEXT: Final = "text/plain"

ADDRESS_NAMES: Final = ("address", "from", "sender", "number")
"""What apps call the sender. Of several that are given the first counts that is not empty."""

TEXT_NAMES: Final = ("body", "text", "message", "content")
"""What apps call the text, in the same way."""

ORG_NAMES: Final = ("org_id", "org")

BESIDE: Final = (*ADDRESS_NAMES, "sim", "sim_slot", "date", "id", *ORG_NAMES, "device_id")
"""What may stand in the query beside the message."""

HEADERS: Final[Mapping[str, str]] = {
    f"x-{name.replace('_', '-')}": name
    for name in ("address", "sim", "sim_slot", "date", "id", "org_id", "device_id")
}
"""The headers in which the same may stand, and what each means."""

MAX_FIELDS: Final = 50
"""Fields of a form, several times what any app sends."""

OTHER_MEDIA: Final = (
    "Send JSON, with Content-Type: application/json, or one message as a form or as text/plain."
)

_OF_A_MESSAGE: Final = frozenset({*ADDRESS_NAMES, *TEXT_NAMES})
_ALIASES: Final = frozenset({*_OF_A_MESSAGE, *ORG_NAMES})
_WHOLE: Final = ("org_id", "secret_key", "device_id")
"""What a push has beside its messages."""

_SIM: Final = re.compile(r"sim[ _-]?([1-9])(?![0-9])", re.IGNORECASE)
"""`SIM1_Vodafone`, `sim2`: apps count SIMs from 1, and slots begin with 0."""

_SLOT: Final = re.compile(rf"[0-9]{{1,{SLOT_DIGITS}}}")
_LOST_PLUS: Final = re.compile(r" ([1-9][0-9]{6,14})")
"""An E.164 number in a form whose plus was not encoded: there a plus is a space."""

_FORM_ORG: Final = re.compile(rb"(?:^|&)org(?:_id)?=([A-Za-z0-9_-]{3,50})(?:&|$)")


@attrs.frozen(kw_only=True)
class FlatSms:
    """One received SMS, as an app forwards it. Numbers may be texts, and empty is left out."""

    address: Annotated[str | None, Sender()] = field(
        "Who sent it. Also from, sender or number.", default=None, example="+15553334444"
    )
    body: Annotated[str, Body()] = field(
        "Its text. Also text, message or content.", example="hello", private=True
    )
    date: Annotated[int | None, Date()] = field(
        "When it came: ms or seconds since 1970, or ISO 8601 with an offset.",
        default=None,
        example=1700000000000,
    )
    sim: Annotated[str | None, SimNumber()] = field(
        "The receiving SIM: its number, its slot (0 is the first), or sim1, sim2.", default=None
    )
    sim_slot: Annotated[int | None, Slot()] = field(
        "The receiving SIM's slot, in the same forms.", default=None, example=0
    )
    id: Annotated[str | int | None, LocalId()] = field(
        "The app's own id of it, the same if it is sent again: tells repeats from equal texts.",
        default=None,
        example="123",
    )
    org_id: str | None = field(
        "The OrgId, also org; an API key makes it unnecessary.", default=None
    )
    secret_key: str | None = field(
        "The org's SecretKey, where it is not sent in X-Secret-Key.", default=None, private=True
    )
    device_id: Annotated[str | None, DeviceId()] = field(
        "The phone's own name, the same in every call.", default=None
    )


def read_pushed(
    body: bytes, headers: Mapping[str, str], query: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Returns the body of a push as the JSON object that phones send.

    JSON with `messages` is that already, whatever stands beside them.

    Args:
        body: As sent.
        headers: By lower-case name.
        query: The parameters of the query, each with all its values.

    Raises:
        UnsupportedMedia: It is none of the forms by its own declaration.
        BadInput: It can't be read, or it has no text.
    """
    content_type = headers.get("content-type")
    encoding = headers.get("content-encoding")
    media = media_type(content_type, encoding)
    if media is not None:
        begun = body.lstrip()
        if media == MULTIPART:
            return _pushed(_multipart(body, content_type or ""), query, headers)
        if media == FORM and begun and not begun.startswith((b"{", b"[")):
            return _pushed(_form(body), query, headers)
        # An SMS may be JSON itself. Where its sender is named it can't be a whole report.
        if media == TEXT and (
            _has_address(query, headers) or (begun and not begun.startswith(b"{"))
        ):
            return _pushed({"body": body.decode("utf-8-sig", "replace")}, query, headers)
        check_media(content_type, encoding, body, OTHER_MEDIA)
    found = read_object(body, reported=True)
    if "messages" in found or not any(_plain(name) in _OF_A_MESSAGE for name in found):
        return found
    return _pushed(found, query, headers)


def org_named(
    body: bytes, headers: Mapping[str, str], query: Mapping[str, Sequence[str]]
) -> str | None:
    """Returns the org that a push in one of these forms names, found without reading its body."""
    org: str | None = _beside(query, headers).get("org_id")
    if org is None and (found := _FORM_ORG.search(body)):
        org = found[1].decode()
    return org


def _pushed(
    values: Mapping[str, Any], query: Mapping[str, Sequence[str]], headers: Mapping[str, str]
) -> dict[str, Any]:
    """Makes the body that phones push of one message."""
    own = _by_meaning(values)
    given = {**_beside(query, headers), **own}
    if "body" not in given and "media_urls" not in given:
        if not any(_plain(name) in TEXT_NAMES for name in values):
            raise refusal((FieldProblem("body", f"is required, or {', '.join(TEXT_NAMES[1:])}"),))
    elif written(given.get("body", "")) is None:
        wrong = next(name for name in values if values[name] is given["body"])
        raise refusal((FieldProblem(shown(wrong), "must be text"),))
    slot, number = _sim(given.get("sim_slot"), given.get("sim"))
    entry = {
        "address": given.get("address"),
        "body": given.get("body", ""),
        "sim_slot": slot,
        "sim": number,
        "date": given.get("date"),
        "id": given.get("id"),
    }
    if "media_urls" in given:
        entry["media_urls"] = given["media_urls"]
    whole: dict[str, Any] = {"messages": [entry]}
    return whole | {name: given[name] for name in _WHOLE if name in given}


def _by_meaning(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what is not empty, each under the one name of its meaning."""
    plain: dict[str, Any] = {}
    for name, value in values.items():
        if value is not None and value != "":
            plain.setdefault(_plain(name), value)
    found = {name: value for name, value in plain.items() if name not in _ALIASES}
    for names in (ADDRESS_NAMES, TEXT_NAMES, ORG_NAMES):
        given = [plain[name] for name in names if name in plain]
        if given:
            found[names[0]] = given[0]
    return found


def _sim(slot: object, sim: object) -> tuple[int | None, str | None]:
    """Reads the receiving SIM, of which apps give the slot, the number, or a word of their own."""
    texts = [(written(value) or "").strip() for value in (slot, sim)]
    number = texts[1] if sum(map(str.isdigit, texts[1])) > SLOT_DIGITS else None
    for text in texts:
        if found := _SIM.match(text):
            return int(found[1]) - 1, None if text is texts[1] else number
        if _SLOT.fullmatch(text):
            return int(text), number
    return None, number


def _beside(query: Mapping[str, Sequence[str]], headers: Mapping[str, str]) -> dict[str, Any]:
    """Returns what stands beside the message: in the query, and else in headers."""
    asked = {name: _with_plus(query[name][0]) for name in BESIDE if query.get(name)}
    told = {name: _utf8(headers[header]) for header, name in HEADERS.items() if header in headers}
    return {**_by_meaning(told), **_by_meaning(asked)}


def _has_address(query: Mapping[str, Sequence[str]], headers: Mapping[str, str]) -> bool:
    """Tells whether the sender is named beside the message, be it by an empty name."""
    return "x-address" in headers or any(name in query for name in ADDRESS_NAMES)


def _utf8(value: str) -> str:
    """Returns a header's value as apps mean it: they write UTF-8, and HTTP has no charset here."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def _with_plus(text: str) -> str:
    found = _LOST_PLUS.fullmatch(text)
    return text if found is None else f"+{found[1]}"


def _plain(name: str) -> str:
    """Returns a field's name as it is meant: keyboards of phones begin words with a capital."""
    return name.strip().lower().replace("-", "_")


# --- Forms ------------------------------------------------------------------------------------


def _form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode("utf-8", "replace"),
            keep_blank_values=True,
            errors="replace",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        raise _too_many() from None
    return _fields((name, _address_kept(name, value)) for name, value in pairs)


def _address_kept(name: str, value: str) -> str:
    return _with_plus(value) if _plain(name) in ADDRESS_NAMES or _plain(name) == "sim" else value


def _multipart(body: bytes, content_type: str) -> dict[str, str]:
    # Few apps send such forms, and werkzeug is large.
    from phonegate.api.multipart_form import TooManyParts, read_parts  # noqa: PLC0415

    try:
        return _fields(read_parts(body, content_type, MAX_FIELDS))
    except TooManyParts:
        raise _too_many() from None


def _fields(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Returns the fields of a form. Of one that is given twice the first counts."""
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found


def _too_many() -> BadInput:
    return BadInput(f"The form has more than {MAX_FIELDS} fields.")

"""Reads an SMS from the query and the body of a request, in any of the forms they have. Pure.

What stands in the body counts before the query. Who calls is left out of the query here: the
pipeline finds that by itself, and holds a secret in an address to a stricter rule.

Programs that fill a template write an SMS as JSON without escaping it, declare JSON as a form or
as text, and leave the `+` of a number unencoded: all of that is read as it was meant where it can
mean one thing alone.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from phonegate.api.convert import refusal
from phonegate.api.dialects.generic.names import (
    KEY,
    LISTS,
    PRIORITY,
    SEND_AT,
    SENDER,
    TEXT,
    TO,
    USER,
    by_part,
    given_by_part,
    meaning,
)
from phonegate.api.field_names import shown
from phonegate.api.flat_message import FORM, MULTIPART
from phonegate.api.flat_message import TEXT as PLAIN
from phonegate.api.given import form_pairs, multipart_pairs, require_utf8
from phonegate.api.payload import NotJson, media_type, read_object
from phonegate.domain.reported_texts import written
from phonegate.http.refusals import UnsupportedMedia
from phonegate.model.refusals import BadInput, FieldProblem

FORMS: Final = (
    "Send the SMS in the query, as a form, as JSON, or as text/plain with the number in the query."
)

ESCAPING: Final = (
    "A text within JSON needs its quotes and backslashes escaped. Where a program can't do that, "
    "have it send a form."
)

PRIORITIES: Final = {"low": "-1", "normal": "0", "high": "1"}
"""What programs write in words."""

_NO_TEXT: Final = "must be text"
_NO_LIST: Final = "must be text, a number, or a list of them"
_BOM: Final = b"\xef\xbb\xbf"

_LOST_PLUS: Final = re.compile(r" (?=[1-9][0-9]{6,14}(?:$|[,;\s]))")
"""The plus of an E.164 number that was not encoded: in a query and in a form it is a space."""

_SEPARATED: Final = re.compile(r"(?<=[,;])" + _LOST_PLUS.pattern)

_LOST_OFFSET: Final = re.compile(
    r"(?<=:[0-9]{2}) (?=[0-9]{2}:?[0-9]{2}$)|(?<=\.[0-9]{3}) (?=[0-9]{2}:?[0-9]{2}$)"
)
"""The same before the offset of a time, as in `2026-11-30T08:00:00+01:00`."""


def read_given(
    body: bytes, headers: Mapping[str, str], query: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """Returns the parts of an SMS that a request names, each under its own name with its values.

    Args:
        body: As sent.
        headers: By lower-case name.
        query: The parameters of the query, each with all its values.

    Raises:
        UnsupportedMedia: The body is none of the forms by its own declaration.
        BadInput: It can't be read.
    """
    require_utf8(query)
    asked = _with_plus(given_by_part(query))
    for part in (USER, KEY):
        asked.pop(part, None)
    # Some declare a form of parts without sending any.
    found = {**asked, **_of_body(body, headers, asked)} if body.strip() else asked
    if PRIORITY in found:
        word = found[PRIORITY][0].strip().lower()
        found[PRIORITY] = (PRIORITIES.get(word, word),)
    return found


def _of_body(
    body: bytes, headers: Mapping[str, str], asked: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    content_type = headers.get("content-type", "")
    media = media_type(content_type, headers.get("content-encoding")) or (
        "application/json" if content_type.strip() else ""
    )
    if media == MULTIPART:
        return by_part(multipart_pairs(body, content_type))
    is_object = body.removeprefix(_BOM).lstrip().startswith(b"{")
    if media == FORM and not is_object:
        return _with_plus(by_part(form_pairs(body.strip())))
    if media in {PLAIN, ""} and (TO in asked or not is_object):
        return {TEXT: (_utf8(body.removeprefix(_BOM)),)}
    main, _, sub = media.partition("/")
    if media in {FORM, PLAIN, ""} or (main == "application" and sub == "json"):
        return _json(body)
    if main and sub.endswith("+json"):
        return _json(body)
    raise UnsupportedMedia(FORMS)


# --- Forms ------------------------------------------------------------------------------------


def _utf8(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise BadInput(f"The body is not UTF-8 at byte {error.start}.") from None


def _with_plus(found: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Gives numbers of a query or form the plus back that was not encoded.

    Who left it out of the first number did so in all of a list. Behind a comma, a space is
    otherwise what people write there.
    """
    if SEND_AT in found:
        found[SEND_AT] = tuple(_LOST_OFFSET.sub("+", value) for value in found[SEND_AT])
    for part in (TO, SENDER):
        values = found.get(part)
        if values is None:
            continue
        mended = [_LOST_PLUS.sub("+", value, 1) if value[0] == " " else value for value in values]
        if mended[0] != values[0]:
            mended = [_SEPARATED.sub("+", value) for value in mended]
        found[part] = tuple(mended)
    return found


# --- JSON -------------------------------------------------------------------------------------


def _json(body: bytes) -> dict[str, tuple[str, ...]]:
    try:
        found = read_object(body, raw_controls=True)
    except NotJson as error:
        raise BadInput(f"{error.detail} {ESCAPING}") from None
    values = list(_values(found))
    given = by_part((value.name, value.text) for value in values if value.text is not None)
    wrong = tuple(
        FieldProblem(value.label, _NO_LIST if value.part in LISTS else _NO_TEXT)
        for value in values
        if value.text is None and _counts(value, values)
    )
    if wrong:
        raise refusal(wrong)
    return given


@attrs.frozen(kw_only=True)
class _Value:
    """One value of JSON whose name means something."""

    part: str
    place: int
    """That of the name among those of its part."""
    name: str
    label: str
    """The name for an answer, with the place in a list."""
    text: str | None
    """None where it is neither a text nor a number."""


def _values(found: Mapping[str, Any]) -> Iterator[_Value]:
    for name, value in found.items():
        meant = meaning(name)
        if meant is None or value is None:
            continue
        part, place = meant
        items = value if part in LISTS and type(value) is list else [value]
        for index, item in enumerate(items):
            label = f"{shown(name)}[{index}]" if items is value else shown(name)
            text = _text(_inner(item, part) if part in LISTS else item)
            yield _Value(part=part, place=place, name=name, label=label, text=text)


def _counts(wrong: _Value, values: Sequence[_Value]) -> bool:
    """Tells whether a value would be missed that can't be read.

    Programs have other things by these names too, such as `"user": {"id": 5}`.
    """
    if wrong.part in {USER, KEY}:
        return False
    right = [one.place for one in values if one.part == wrong.part and (one.text or "").strip()]
    return not right or min(right) >= wrong.place


def _text(value: object) -> str | None:
    return None if type(value) is bool else written(value)


def _inner(item: object, part: str) -> object:
    """Returns what an entry of a list means that is an object, as `{"phone": "+15551112222"}`."""
    if not isinstance(item, dict):
        return item
    meant = ((meaning(name), value) for name, value in item.items())
    return next((value for found, value in meant if found is not None and found[0] == part), None)

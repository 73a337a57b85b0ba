"""What a field's rule is in JSON Schema 2020-12. Pure.

A rule without an entry here is refused with `TypeError`, so that none is left undescribed.
"""

import re
from functools import singledispatch
from typing import Any, Final

from phonegate.api.assistants_types import MAX_CREDENTIALS, Credentials, Number
from phonegate.api.hooks_types import AnyJson
from phonegate.api.limits_types import (
    HOURS,
    AddressPattern,
    HoursOfDay,
    TimeZone,
)
from phonegate.api.messages_types import OrgName
from phonegate.api.rules import (
    Moment,
    PhoneNumber,
    Recipient,
    Sender,
    SimSelector,
    WebAddress,
)
from phonegate.api.webhooks_types import CalledUrl, HeaderFields, OrEmpty
from phonegate.carriers.registry import CARRIERS
from phonegate.domain import reported_values as reported
from phonegate.domain.event_filter import TYPE_PATTERNS, TypeList, TypePattern
from phonegate.domain.routing import NUMBER_PATTERN
from phonegate.domain.webhook_form import MAX_HEADER_NAME, MAX_HEADERS
from phonegate.model.bounds import (
    MAX_ID,
    MAX_LABEL,
    MAX_LOCAL_ID,
    MAX_MEDIA,
    MAX_SLOT,
    MAX_URL,
)
from phonegate.model.numbers import SENDER_LIMIT
from phonegate.model.times import MAX_TIME_MS
from phonegate.typed_json.rules import Echo, Flag, OneOf, Several, Text, Whole, Word, Written

Schema = dict[str, Any]

INT32: Final = 2**31 - 1
"""The largest number of `int32`. For a larger one `format` names a wider type to clients."""

E164: Final = r"^\+[1-9][0-9]{2,14}$"

# One character each: any, any but a blank, and the same without controls and ends of lines.
_ANY: Final = r"[^\u0000]"
_SEEN: Final = r"[^\s\u0000]"
_IN_A_LINE: Final = r"[^\u0000-\u001f\u007f-\u009f\u2028\u2029]"
_SEEN_IN_A_LINE: Final = r"[^\s\u0000-\u001f\u007f-\u009f]"
_MOMENT: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})$"
)


def or_anything(form: Schema) -> Schema:
    """Describes a field of a report: the form to send, or whatever else, which does no harm."""
    return {"anyOf": [form, {}]}


def whole(least: int, most: int) -> Schema:
    """Describes a whole number within limits, both of them allowed."""
    wide = {"format": "int64"} if most > INT32 or least < -INT32 else {}
    return {"type": "integer", **wide, "minimum": least, "maximum": most}


@singledispatch
def schema_of_rule(rule: object) -> Schema:
    """Describes the values that a rule takes from JSON, but not the items of a list.

    Raises:
        TypeError: it is no known rule.
    """
    raise TypeError(f"{type(rule).__name__} has no schema: give it one beside the others")


@schema_of_rule.register
def _(rule: Text) -> Schema:
    schema: Schema = {"type": "string"}
    if rule.shortest:
        schema["minLength"] = rule.shortest
    schema["maxLength"] = rule.longest
    allowed, visible = (_IN_A_LINE, _SEEN_IN_A_LINE) if rule.line else (_ANY, _SEEN)
    schema["pattern"] = f"^{allowed}*$" if rule.blank else f"^{allowed}*{visible}{allowed}*$"
    return schema


@schema_of_rule.register
def _(rule: Whole) -> Schema:
    return whole(rule.least, rule.most)


@schema_of_rule.register
def _(_: Flag) -> Schema:
    return {"type": "boolean"}


@schema_of_rule.register
def _(_: AnyJson) -> Schema:
    return {"type": ["object", "array", "string", "number", "boolean"], "items": {}}


@schema_of_rule.register
def _(_: AddressPattern) -> Schema:
    return {
        "type": "string",
        "pattern": r"^(\+[1-9][0-9]{2,14}|[0-9]{3,8}|\+[0-9]{1,15}\*|[0-9]{3,15}\*)$",
    }


@schema_of_rule.register
def _(_: HoursOfDay) -> Schema:
    return {"type": "string", "pattern": HOURS}


@schema_of_rule.register
def _(_: TimeZone) -> Schema:
    # Not the zones themselves: there are 600, and they are the machine's own.
    return {"type": "string", "maxLength": 64, "pattern": "^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$"}


@schema_of_rule.register
def _(rule: OneOf) -> Schema:
    return {"type": "string", "enum": list(rule.words)}


@schema_of_rule.register
def _(rule: Several) -> Schema:
    few = {"minItems": rule.fewest} if rule.fewest else {}
    return {"type": "array", **few, "maxItems": rule.most}


@schema_of_rule.register
def _(_: OrgName) -> Schema:
    return {"type": "string", "pattern": "^[A-Za-z0-9_-]{3,50}$"}


@schema_of_rule.register
def _(_: Recipient) -> Schema:
    return {"type": "string", "pattern": r"^(\+[1-9][0-9]{2,14}|[0-9]{3,8})$"}


@schema_of_rule.register(PhoneNumber)
@schema_of_rule.register(Number)
def _(_: object) -> Schema:
    return {"type": "string", "pattern": E164}


@schema_of_rule.register
def _(_: WebAddress) -> Schema:
    pattern = r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#\\]+([/?#][^\s\\]*)?$"
    return {"type": "string", "format": "uri", "maxLength": MAX_URL, "pattern": pattern}


@schema_of_rule.register
def _(_: Sender) -> Schema:
    return {
        "type": "string",
        "minLength": 1,
        "maxLength": SENDER_LIMIT,
        # Not of blanks alone.
        "pattern": f"^{_IN_A_LINE}*{_SEEN_IN_A_LINE}{_IN_A_LINE}*$",
    }


@schema_of_rule.register
def _(_: SimSelector) -> Schema:
    text = {"type": "string", "pattern": f"^([0-9]{{1,2}}|{NUMBER_PATTERN})$", "maxLength": 64}
    return {"anyOf": [text, {"type": "integer", "minimum": 0, "maximum": 99}]}


@schema_of_rule.register
def _(_: TypePattern) -> Schema:
    return {"type": "string", "enum": list(TYPE_PATTERNS)}


@schema_of_rule.register
def _(_: TypeList) -> Schema:
    one = f"({'|'.join(map(re.escape, TYPE_PATTERNS))})"
    return {"type": "string", "pattern": f"^{one}(,{one})*$"}


@schema_of_rule.register
def _(_: CalledUrl) -> Schema:
    pattern = r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#\\@]+([/?][^\s#\\]*)?$"
    return {"type": "string", "format": "uri", "maxLength": MAX_URL, "pattern": pattern}


@schema_of_rule.register
def _(rule: HeaderFields) -> Schema:
    value: Schema = {"type": ["string", "null"] if rule.removable else "string"}
    return {
        "type": "object",
        "maxProperties": MAX_HEADERS,
        "propertyNames": {
            "pattern": r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
            "maxLength": MAX_HEADER_NAME,
        },
        "additionalProperties": {**value, "pattern": r"^[!-~]([ \t!-~]*[!-~])?$"},
    }


@schema_of_rule.register
def _(rule: OrEmpty) -> Schema:
    return {"anyOf": [schema_of_rule(rule.rule), {"type": "string", "const": ""}]}


@schema_of_rule.register
def _(_: Moment) -> Schema:
    text = {"type": "string", "format": "date-time", "pattern": _MOMENT}
    return {"anyOf": [text, whole(0, MAX_TIME_MS)]}


@schema_of_rule.register(Word)
@schema_of_rule.register(Written)
def _(_: object) -> Schema:
    return {"type": "string"}


@schema_of_rule.register
def _(_: Echo) -> Schema:
    return {"type": ["string", "integer", "null"]}


@schema_of_rule.register
def _(_: reported.MessageId) -> Schema:
    return {"anyOf": [whole(1, MAX_ID), {"type": "string", "pattern": "^[1-9][0-9]{0,17}$"}]}


@schema_of_rule.register
def _(_: reported.Truth) -> Schema:
    words = {"type": "string", "enum": ["true", "false", "yes", "no", "1", "0"]}
    return {"anyOf": [{"type": "boolean"}, {"type": "integer", "enum": [0, 1]}, words]}


@schema_of_rule.register
def _(_: reported.Body) -> Schema:
    # A text, in whatever form a program may write one.
    return {"type": ["string", "number", "boolean", "null"]}


@schema_of_rule.register
def _(_: reported.SimSlot) -> Schema:
    digits = {"type": "string", "pattern": "^[0-9]{1,2}$"}
    return {"anyOf": [whole(reported.NO_SLOT, MAX_SLOT), digits]}


@schema_of_rule.register
def _(_: reported.ErrorText) -> Schema:
    return or_anything({"type": "string"})


@schema_of_rule.register
def _(rule: reported.Whole) -> Schema:
    return or_anything(whole(rule.least, rule.most))


@schema_of_rule.register
def _(_: reported.Flag) -> Schema:
    return or_anything({"type": "boolean"})


@schema_of_rule.register(reported.Label)
@schema_of_rule.register(reported.SimNumber)
@schema_of_rule.register(reported.DeviceId)
@schema_of_rule.register(reported.Sender)
def _(rule: Any) -> Schema:
    return or_anything(_text(rule.longest))


@schema_of_rule.register
def _(_: reported.Slot) -> Schema:
    return or_anything(whole(0, MAX_SLOT))


@schema_of_rule.register
def _(_: reported.Date) -> Schema:
    return or_anything(whole(0, MAX_TIME_MS))


@schema_of_rule.register
def _(_: reported.LocalId) -> Schema:
    return or_anything({"anyOf": [_text(MAX_LOCAL_ID), whole(-MAX_ID, MAX_ID)]})


@schema_of_rule.register
def _(_: reported.Media) -> Schema:
    return or_anything({"type": "array", "items": _text(MAX_URL), "maxItems": MAX_MEDIA})


@schema_of_rule.register
def _(rule: reported.Words) -> Schema:
    return or_anything({"type": "array", "items": _text(MAX_LABEL), "maxItems": rule.most})


@schema_of_rule.register
def _(_: Credentials) -> Schema:
    known = {
        field.name: {
            "type": ["string", "null"],
            "description": f"{provider}: {field.says}.",
            "pattern": f"^({field.form.pattern})?$",
        }
        for provider, carrier in CARRIERS.items()
        for field in carrier.fields
    }
    return {
        "type": "object",
        "maxProperties": MAX_CREDENTIALS,
        "properties": known,
        "additionalProperties": False,
    }


def _text(longest: int) -> Schema:
    return {"type": "string", "maxLength": longest}

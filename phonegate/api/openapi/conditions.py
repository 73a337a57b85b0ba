"""What fields of a request or frame require of one another, beyond each field's own rule. Pure."""

from collections.abc import Mapping
from typing import Final

from phonegate.api.assistants_types import AssistantPatch, NewAssistant
from phonegate.api.messages_types import Send
from phonegate.api.openapi.rules import Schema
from phonegate.carriers.provider import Provider
from phonegate.carriers.registry import CARRIERS
from phonegate.domain.received_sms import ReceivedSms
from phonegate.domain.reported_texts import MEDIUM
from phonegate.model.bounds import MAX_URL
from phonegate.phones.frames import Inbound, Sims

_GIVEN: Final[Schema] = {"not": {"type": "null"}}
"""A field that is given. Null counts as left out."""


def _either(first: tuple[str, ...], second: tuple[str, ...]) -> Schema:
    """Requires all of the second fields and none of the first, or the other way round."""
    return {
        "if": {"required": list(second), "properties": dict.fromkeys(second, _GIVEN)},
        "then": {"properties": {name: {"type": "null"} for name in first}},
        "else": {"required": list(first), "properties": dict.fromkeys(first, _GIVEN)},
    }


def _account(provider: Provider) -> Schema:
    """Requires the credentials that a carrier needs, and allows no others."""
    own = {field.name: field for field in provider.fields}
    needed = [field.name for field in own.values() if field.required]
    credentials = {
        "type": "object",
        "required": needed,
        "properties": {name: {"type": "string", "minLength": 1} for name in needed},
        "propertyNames": {"enum": list(own)},
    }
    return {"required": ["credentials"], "properties": {"credentials": credentials}}


_NO_ACCOUNT: Final[Schema] = {
    "properties": {"credentials": {"additionalProperties": {"enum": [None, ""]}}}
}
"""An own phone needs no credentials. Null passes too: `additionalProperties` is about objects."""


def _account_of_provider() -> Schema:
    """Requires the account of the carrier that `provider` names, and none for an own phone."""
    schema = _NO_ACCOUNT
    for carrier in reversed([*CARRIERS.values()]):
        schema = {
            "if": {"properties": {"provider": {"const": carrier.name}}},
            "then": _account(carrier),
            "else": schema,
        }
    return schema


_DISTINCT: Final[Schema] = {"phone_numbers": {"uniqueItems": True}}

FIELD_CONDITIONS: Final[Mapping[type, Schema]] = {
    NewAssistant: _DISTINCT,
    AssistantPatch: _DISTINCT,
    # Where none can be read, it is not known which SIMs there are.
    Sims: {
        "sims": {
            "if": {"minItems": 1},
            "then": {"contains": {"$ref": "#/components/schemas/SimReport"}},
        }
    },
}
"""Keywords that a field's schema has beyond those of its rule, for checks made elsewhere."""

_MEDIUM: Final[Schema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_URL,
    "pattern": MEDIUM.pattern,
}

CONDITIONS: Final[Mapping[type, Schema]] = {
    # An MMS may leave its text out.
    ReceivedSms: {
        "if": {
            "required": ["media_urls"],
            "properties": {
                "media_urls": {"anyOf": [{"type": "array", "contains": _MEDIUM}, _MEDIUM]}
            },
        },
        "else": {"required": ["body"]},
    },
    Inbound: {
        "if": {"properties": {"messages": {"type": "null"}}},
        "then": {"required": ["message"], "properties": {"message": {"type": "object"}}},
        "else": {
            "properties": {
                "messages": {"if": {"minItems": 1}, "then": {"contains": {"type": "object"}}}
            }
        },
    },
    Send: _either(("to", "body"), ("messages",)),
    NewAssistant: _account_of_provider(),
}
"""Keywords of JSON Schema beside the properties of a type."""

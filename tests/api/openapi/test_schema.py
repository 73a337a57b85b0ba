from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import attrs
import pytest

from phonegate.api.assistants_types import NewAssistant
from phonegate.api.messages_types import MessagesQuery, Send
from phonegate.api.openapi.schema import (
    Components,
    component_name,
    nullable,
    schema_of,
)
from phonegate.typed_json.fields import field, fields_of
from phonegate.typed_json.rules import Several, Text, Whole
from tests.json_schema import validator


@attrs.frozen(kw_only=True)
class PartJson:
    """A part.

    With more to say.
    """

    name: Annotated[str, Text(1, 5)] = field("Its name.", example="x")


@attrs.frozen(kw_only=True)
class Asked:
    """What is asked."""

    closed: ClassVar[bool] = True

    needed: Annotated[int, Whole(1, 5)] = field("Needed.", example=2)
    parts: Annotated[tuple[PartJson, ...], Several(1, 3)] | None = field("Some.", default=None)
    limit: Annotated[int, Whole(1, 9)] = field("With a default.", default=3)


@attrs.frozen(kw_only=True)
class Told:
    """What is told."""

    ok: bool = field("Always true.", default=True)
    kind: Literal["a", "b"] | None = field("Which.")
    words: tuple[str, ...] = field("Words.")
    values: Mapping[str, int] = field("Values.")
    part: PartJson | None = field("A part.")
    more: int | None = field("Left out if none.", default=None, omit=True)


def test_a_request() -> None:
    schema = schema_of(Asked)
    assert schema["required"] == ["needed"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["needed"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 5,
        "description": "Needed.",
        "examples": [2],
    }
    assert schema["properties"]["parts"] == {
        "type": ["array", "null"],
        "minItems": 1,
        "maxItems": 3,
        "items": {"$ref": "#/$defs/Part"},
        "description": "Some.",
    }
    assert schema["properties"]["limit"]["default"] == 3
    assert schema["$defs"]["Part"]["description"] == "A part."
    validator(schema).check_schema(schema)


def test_an_answer() -> None:
    parts = Components()
    assert parts.refer(Told, answer=True) == {"$ref": "#/components/schemas/Told"}
    schema = parts.schemas["Told"]
    assert schema["required"] == ["ok", "kind", "words", "values", "part"]
    assert schema["properties"]["ok"]["const"] is True
    assert schema["properties"]["more"]["type"] == "integer"  # left out and never null
    assert schema["properties"]["values"]["additionalProperties"] == {"type": "integer"}
    assert set(parts.schemas) == {"Told", "Part"}


def test_a_query_knows_no_null() -> None:
    known = {field.name: field for field in fields_of(MessagesQuery)}
    assert Components().of_parameter(known["since_id"])["type"] == "integer"
    assert Components().of_parameter(known["limit"])["default"] == 100


def test_two_types_of_one_name_are_refused() -> None:
    parts = Components()
    parts.refer(PartJson)
    with pytest.raises(ValueError, match="two types are named Part"):
        parts.refer(attrs.make_class("Part", []))


def test_what_is_unknown_is_refused() -> None:
    parts = Components()
    for strange in (bytes, int | str, dict[str, int]):
        with pytest.raises(TypeError):
            parts.of_type(strange)


def test_names_and_nulls() -> None:
    assert component_name(PartJson) == "Part"
    assert nullable({"type": "string"}) == {"type": ["string", "null"]}
    assert nullable({"enum": ["a"]}) == {"anyOf": [{"enum": ["a"]}, {"type": "null"}]}
    either = {"anyOf": [{"type": "string"}]}
    assert nullable(either) == {"anyOf": [{"type": "string"}, {"type": "null"}]}


@pytest.mark.parametrize(
    ("body", "right"),
    [
        ({"to": "+15553334444", "body": "x"}, True),
        ({"to": "+15553334444", "body": "x", "messages": None}, True),
        ({"messages": [{"to": "112", "body": "x"}]}, True),
        ({"to": None, "messages": [{"to": "112", "body": "x"}]}, True),
        ({"to": "112", "messages": [{"to": "112", "body": "x"}]}, False),
        ({"to": "112"}, False),
        ({"to": "112", "body": None}, False),
        ({}, False),
        ({"messages": []}, False),
    ],
)
def test_a_send_is_one_message_or_several(body: Any, *, right: bool) -> None:
    assert validator(schema_of(Send)).is_valid(body) is right


TWILIO = {"account_sid": f"AC{'0' * 32}", "auth_token": "12345678"}


@pytest.mark.parametrize(
    ("provider", "credentials", "right"),
    [
        ("twilio", TWILIO, True),
        ("twilio", {**TWILIO, "api_key": "12345678"}, False),
        ("twilio", {"auth_token": "12345678"}, False),
        ("twilio", None, False),
        ("telnyx", {"api_key": "12345678"}, True),
        ("telnyx", TWILIO, False),
        ("phone", None, True),
        ("phone", {"api_key": ""}, True),
        ("phone", {"api_key": "12345678"}, False),
    ],
)
def test_credentials_are_those_of_the_provider(
    provider: str, credentials: Any, *, right: bool
) -> None:
    body = {
        "name": "x",
        "provider": provider,
        "phone_numbers": ["+15551234567"],
        "credentials": credentials,
    }
    valid = validator(schema_of(NewAssistant)).is_valid
    assert valid(body) is right
    assert not valid({**body, "phone_numbers": ["+15551234567", "+15551234567"]})

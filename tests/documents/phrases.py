"""What a value of a JSON Schema is, in words."""

import json
from collections.abc import Callable
from typing import Any, Final

from phonegate.api.openapi.rules import Schema

BEYOND_ALL_LIMITS: Final = 2**31

MOST_CHOICES: Final = 10
"""As many of an `enum` are named one by one."""

LISTS: Final = {"text": "list of texts", "an object": "list of objects"}
WORDS: Final = {"string": "text", "boolean": "true or false", "integer": "integer"}

Refer = Callable[[str], str]
"""Returns the words for a type by its name."""


def an_object(_: str) -> str:
    """Returns what every type is called where none is explained."""
    return "an object"


def phrase(schema: Schema, refer: Refer = an_object, *, every: bool = False) -> str:
    """Says in words what a value is: the form to send, or with `every` all that are taken."""
    match schema:
        case {"$ref": str() as address}:
            return refer(address.rpartition("/")[2])
        case {"const": value}:
            return f"{'' if every else 'always '}`{json.dumps(value)}`"
        case {"anyOf": forms}:
            shown = _joined(forms) if every else _shown(forms)
            return " or ".join(phrase(one, refer, every=every) for one in shown)
        case {"type": _}:
            return _typed(schema, refer, every=every)
        case _:
            return "any JSON"


def _joined(forms: list[Schema]) -> list[Schema]:
    """Returns all forms that say anything, each once, null last."""
    flat = [
        one for form in forms for one in (_joined(form["anyOf"]) if "anyOf" in form else [form])
    ]
    said = {phrase(one, every=True): one for one in flat if one}
    return sorted(said.values(), key=lambda one: one == {"type": "null"})


def _shown(forms: list[Schema]) -> list[Schema]:
    """Returns the forms to send: those without a pattern, if there are any."""
    usual = [one for one in forms if one and not {"pattern", "enum"} & one.keys()]
    if usual in ([], [{"type": "null"}]):
        return [one for one in forms if one]
    return usual[::-1]


def _typed(schema: Schema, refer: Refer, *, every: bool) -> str:
    types: list[Any] = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if 0 < len(schema.get("enum", ())) <= MOST_CHOICES:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    words: list[str] = [WORDS.get(one, one) for one in types]
    if {"string", "number", "boolean"} <= set(types):
        words = ["text"]
    if schema.get("format") == "date-time":
        words = ["time in ISO 8601"]
    limits = limits_of(schema)
    if "array" in types:
        items = phrase(schema["items"], refer)
        each = items.partition(",")[0]
        words[0] = LISTS.get(each, f"list, each {items}")
    if limits:
        words[0] += f" ({limits})" if every else ""
    return " or ".join(words) + (f", {limits}" if limits and not every else "")


def limits_of(schema: Schema) -> str:
    """Returns the limits of a value, if it has any that matter."""
    least, most = schema.get("minimum"), schema.get("maximum", BEYOND_ALL_LIMITS)
    if least is not None and most < BEYOND_ALL_LIMITS:
        return f"{least} to {most}"
    for name, unit in (("maxLength", "characters"), ("maxItems", "entries")):
        if name in schema:
            return f"up to {schema[name]} {unit}"
    return ""

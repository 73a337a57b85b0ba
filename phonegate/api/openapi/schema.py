"""Makes JSON Schema 2020-12 of the types of requests, queries, answers and frames. Pure."""

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import attrs

from phonegate.api.openapi.conditions import CONDITIONS, FIELD_CONDITIONS
from phonegate.api.openapi.rules import Schema, or_anything, schema_of_rule
from phonegate.api.reported_types import Reports
from phonegate.typed_json.fields import Field, Rule, fields_of, rule_of, shown_as
from phonegate.typed_json.rules import Entries, Entry, Several

_PLAIN: Final[Mapping[type, str]] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
}


def schema_of(cls: type) -> Schema:
    """Returns the schema of a request or query type by itself, with its parts under `$defs`."""
    parts = Components("#/$defs/")
    schema = parts.of_object(cls)
    return {**schema, "$defs": parts.schemas} if parts.schemas else schema


def component_name(cls: type) -> str:
    """Returns what a type is called in documents: its name without the `Json` of answers."""
    return cls.__name__.removesuffix("Json")


class Components:
    """Collects the schemas of types under their names, for others to refer to.

    Args:
        prefix: The beginning of each `$ref` to them.
    """

    def __init__(self, prefix: str = "#/components/schemas/") -> None:
        self.schemas: dict[str, Schema] = {}
        self._prefix = prefix
        self._types: dict[str, type] = {}

    def refer(self, cls: type, *, answer: bool = False) -> Schema:
        """Returns a reference to a type's schema, and adds the schema where it is new.

        Raises:
            ValueError: another type has the same name.
        """
        name = component_name(cls)
        if self._types.setdefault(name, cls) is not cls:
            raise ValueError(f"two types are named {name} in documents")
        if name not in self.schemas:
            self.schemas[name] = {}
            self.schemas[name] = self.of_object(cls, answer=answer)
        return {"$ref": self._prefix + name}

    def of_object(self, cls: type, *, answer: bool = False) -> Schema:
        """Returns a type's schema. In an answer, all that can't be left out is required."""
        schema: Schema = {"type": "object"}
        if description := (cls.__doc__ or "").strip():
            schema["description"] = " ".join(description.partition("\n\n")[0].split())
        fields = fields_of(cls)
        beyond = FIELD_CONDITIONS.get(cls, {})
        schema["properties"] = {
            f.name: self.of_field(f, answer=answer) | beyond.get(f.name, {}) for f in fields
        }
        required = [f.name for f in fields if (not f.omit if answer else f.required)]
        if required:
            schema["required"] = required
        if getattr(cls, "closed", False):
            schema["additionalProperties"] = False
        return {**schema, **CONDITIONS.get(cls, {})}

    def of_field(self, field: Field, *, answer: bool = False) -> Schema:
        """Returns a field's schema with its description and example."""
        optional = answer and field.omit
        schema = self.of_type(_without_none(field.type) if optional else field.type, answer=answer)
        if answer and not field.required and not field.omit:
            # An answer's default is what it always says.
            schema["const"] = field.default
        elif not answer and field.default is not None:
            schema["default"] = field.default
        # Beside a $ref these are allowed since OpenAPI 3.1.
        schema["description"] = field.description
        if field.example is not None:
            schema["examples"] = [field.example]
        return schema

    def of_parameter(self, field: Field) -> Schema:
        """Returns a query parameter's schema, which has no null."""
        schema = self.of_type(_without_none(field.type))
        if field.default is not None:
            schema["default"] = field.default
        return schema

    def of_type(self, type_: Any, *, answer: bool = False) -> Schema:
        """Returns the schema of any annotation that a field may have.

        Raises:
            TypeError: none is known for it.
        """
        if get_origin(type_) in (Union, UnionType):
            return nullable(self.of_type(_without_none(type_), answer=answer))
        if (shown := shown_as(type_)) is not None:
            return {"type": "string", "format": shown.format}
        if (rule := rule_of(type_)) is not None:
            return self._of_rule(rule, type_, answer=answer)
        if type_ in _PLAIN:
            return {"type": _PLAIN[type_]}
        if attrs.has(type_):
            return self.refer(type_, answer=answer)
        return self._of_generic(type_, answer=answer)

    def _of_rule(self, rule: Rule, type_: Any, *, answer: bool) -> Schema:
        if isinstance(rule, Entry):
            return self._of_entries(rule)
        schema = schema_of_rule(rule)
        if isinstance(rule, Several):
            schema["items"] = self.of_type(_item(get_args(type_)[0]), answer=answer)
        if isinstance(rule, Reports):
            # One that can be read is enough.
            schema |= {"items": or_anything(schema["items"]), "contains": schema["items"]}
        return schema

    def _of_entries(self, rule: Entry) -> Schema:
        one = or_anything(self.refer(rule.form))
        if not isinstance(rule, Entries):
            return one
        few = {} if rule.most is None else {"maxItems": rule.most}
        schema = {"type": "array", "items": one, **few}
        return nullable(schema) if rule.or_null else schema

    def _of_generic(self, type_: Any, *, answer: bool) -> Schema:
        arguments = get_args(type_)
        match get_origin(type_):
            case origin if origin is Literal:
                return {"type": "string", "enum": list(arguments)}
            case origin if origin is tuple:
                return {"type": "array", "items": self.of_type(arguments[0], answer=answer)}
            case origin if origin is Mapping:
                values = self.of_type(arguments[1], answer=answer)
                return {"type": "object", "additionalProperties": values}
            case None if type_ is Any:
                return {}
            case _:
                raise TypeError(f"no schema is known for {type_}")


def nullable(schema: Schema) -> Schema:
    """Returns the same schema, but one that allows null too."""
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    if "enum" in schema or "type" not in schema:
        # An enum that holds null is more than most generators of clients understand.
        return {"anyOf": [schema, {"type": "null"}]}
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return {**schema, "type": list(dict.fromkeys([*types, "null"]))}


def _item(type_: Any) -> Any:
    """Returns the type of a list's items, `tuple[X, ...]`, also behind a rule."""
    return _item(get_args(type_)[0]) if get_origin(type_) is Annotated else get_args(type_)[0]


def _without_none(type_: Any) -> Any:
    if get_origin(type_) not in (Union, UnionType):
        return type_
    inner = [a for a in get_args(type_) if a is not NoneType]
    if len(inner) != 1:
        raise TypeError(f"no schema is known for {type_}")
    return inner[0]

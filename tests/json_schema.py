"""The judge of JSON Schemas, loaded where a test asks for it: it reads grammars for a second."""

from typing import Any


def validator(schema: Any) -> Any:
    """Returns what judges values by a schema, which need not be a valid one itself."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - see above

    return Draft202012Validator(schema)

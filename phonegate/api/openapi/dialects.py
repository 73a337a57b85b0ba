"""The endpoints of dialects as operations of the document. Pure.

Others have defined what they answer, so the document says what can be given, and leaves the forms
of answers and errors to their own documents.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from phonegate.api.dialect import Dialect
from phonegate.api.endpoint import Endpoint
from phonegate.api.flat_message import FORM
from phonegate.api.openapi.operations import BINARY, BYTES, IDEMPOTENCY_KEY
from phonegate.api.openapi.rules import Schema
from phonegate.api.openapi.schema import Components
from phonegate.http.problem import JSON_MEDIA
from phonegate.typed_json.fields import fields_of

BASIC: Final = "Basic"

SECURITY: Final[Schema] = {
    "type": "http",
    "scheme": "basic",
    "description": "The OrgId and its SecretKey, or anything and an API key. Some dialects have "
    "places of their own beside it.",
}

_ANY: Final[Schema] = {"type": "object", "additionalProperties": True}


def dialect_operations(
    endpoint: Endpoint, dialect: Dialect, components: Components
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the path template of a dialect's endpoint with its operation, which names others.

    What shares its address with another endpoint is left out: a document can have but one there.
    """
    if not endpoint.by_basic:
        yield endpoint.paths[0], _operation(endpoint, dialect, components)


def _operation(endpoint: Endpoint, dialect: Dialect, components: Components) -> dict[str, Any]:
    template, *others = endpoint.paths
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "tags": [endpoint.group],
        "summary": endpoint.summary,
    }
    also = f"Also at {', '.join(f'`{path}`' for path in others)}." if others else ""
    if description := f"{endpoint.description} {also}".strip():
        operation["description"] = description
    operation["security"] = [] if endpoint.scope is None else [{}, {BASIC: []}]
    if parameters := list(_parameters(endpoint, template, components)):
        operation["parameters"] = parameters
    if body := _body(endpoint, components):
        operation["requestBody"] = body
    operation["responses"] = {
        **{str(status): _success(endpoint, status, components) for status in endpoint.statuses},
        "default": {"description": f"An error, in the words of {dialect.title}."},
    }
    return operation


def _parameters(
    endpoint: Endpoint, template: str, components: Components
) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"\{(\w+)\}", template):
        schema = {"type": "string", "minLength": 1}
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    asked = endpoint.query
    if asked is None and endpoint.given is not None and endpoint.method != "POST":
        asked = endpoint.given.type
    for field in () if asked is None else fields_of(asked):
        # All may stand in the body in place of the query, so that none is required in it.
        yield {
            "name": field.name,
            "in": "query",
            "description": field.description,
            "schema": components.of_parameter(field),
        }
    if endpoint.idempotent:
        yield dict(IDEMPOTENCY_KEY)


def _body(endpoint: Endpoint, components: Components) -> dict[str, Any] | None:
    if endpoint.method not in {"POST", "PUT", "PATCH"}:
        return None
    if endpoint.given is not None:
        schema = components.refer(endpoint.given.type)
        return {"content": {FORM: {"schema": schema}, JSON_MEDIA: {"schema": schema}}}
    if endpoint.body is not None:
        schema = components.refer(endpoint.body)
        return {"required": True, "content": {JSON_MEDIA: {"schema": schema}}}
    if endpoint.raw_limit is not None:
        return {"content": {endpoint.raw_media: {"schema": _ANY}}}
    return None


def _success(endpoint: Endpoint, status: int, components: Components) -> dict[str, Any]:
    found: dict[str, Any] = {"description": "It is done."}
    if endpoint.answer is not None:
        schema = components.refer(endpoint.answer, answer=True)
        found["content"] = {JSON_MEDIA: {"schema": schema}}
    elif endpoint.media is not None and status != NO_CONTENT:
        # Clients are made from the first of them, and know no range.
        whole = {BYTES: {"schema": BINARY}} if "*" in endpoint.media else {}
        found["content"] = {**whole, endpoint.media: {}}
    return found


NO_CONTENT: Final = 204
"""The status of an answer without a body."""

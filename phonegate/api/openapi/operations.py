"""An endpoint as operations of the document, one for each of its paths. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from phonegate.api.endpoint import PATH_PARAMETERS, Endpoint, Example
from phonegate.api.field_names import MAX_IGNORED, names_what_it_ignores
from phonegate.api.idempotency_key import MAX_KEY, REPLAYED
from phonegate.api.openapi.refusals import (
    CARRIED,
    Error,
    meanings_of,
    refusals_of,
)
from phonegate.api.openapi.rules import Schema, schema_of_rule
from phonegate.api.openapi.schema import Components, component_name
from phonegate.api.payload import read_object
from phonegate.api.sms_types import SmsFailed
from phonegate.model.principal import SCOPES
from phonegate.model.refusals import Unauthorized
from phonegate.typed_json.fields import Field, fields_of

JSON: Final = "application/json"
BYTES: Final = "application/octet-stream"
BINARY: Final[Schema] = {"type": "string", "format": "binary"}

HEADER: Final = "SecretKeyHeader"
BEARER: Final = "Bearer"
QUERY: Final = "SecretKeyQuery"

SECURITY: Final[Mapping[str, Any]] = {
    HEADER: {
        "type": "apiKey",
        "in": "header",
        "name": "X-Secret-Key",
        "description": "The org's SecretKey, or an API key. The preferred place: it keeps the "
        "secret out of logs.",
    },
    BEARER: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "pgk_…",
        "description": "An API key, which names its org by itself and may do what its scopes "
        "say, or the org's SecretKey.",
    },
    QUERY: {
        "type": "apiKey",
        "in": "query",
        "name": "secret_key",
        "description": "The same in the query, for what can set no header. The secret can also "
        "stand in the body's secret_key, or in the path of the operations that have it there; "
        "of several, the header's counts first, then Bearer, body, path and query.",
    },
}

IDEMPOTENCY_KEY: Final[Schema] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Any text of your own, once per request: the same key again gives the first "
    "answer again for 24 hours and sends nothing, so that a lost answer costs no second SMS.",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_KEY,
        "pattern": r"^[!#-~]([ -~]*[!-~])?$",
    },
    "example": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
}

_RETRY_AFTER: Final = {
    "Retry-After": {
        "description": "Seconds after which to ask again.",
        "schema": {"type": "integer", "minimum": 1},
    }
}
_HEADERS: Final[Mapping[int, Any]] = {
    401: {
        "WWW-Authenticate": {
            "description": "How to authenticate.",
            "schema": {"type": "string", "const": Unauthorized.challenge},
        }
    },
    429: {
        **_RETRY_AFTER,
        "RateLimit-Policy": {
            "description": "The limit of requests that was reached, where it is one: its name, "
            "`q` requests in `w` seconds.",
            "schema": {"type": "string"},
            "example": '"org";q=5000;w=5',
        },
        "RateLimit": {
            "description": "What is left of it: `r` requests, and all again in `t` seconds. Other "
            "answers have both fields once half of an org's limit is used up.",
            "schema": {"type": "string"},
            "example": '"org";r=0;t=5',
        },
    },
    503: _RETRY_AFTER,
}

_IGNORED: Final[Schema] = {
    "type": "array",
    "items": {"type": "string"},
    "maxItems": MAX_IGNORED,
    "description": "The request's fields that mean nothing here, where it had any. Another "
    "spelling of a known field (sendAt) is refused.",
    "examples": [["messages[2].note"]],
}

_SUCCESS: Final = {200: "It is done.", 201: "It is made.", 202: "It is asked for."}


def operations(endpoint: Endpoint, components: Components) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields each path template of an endpoint with its operation."""
    for template in endpoint.paths:
        yield template, _operation(endpoint, template, components)


def error_response(codes: tuple[str, ...], status: int, components: Components) -> dict[str, Any]:
    """Returns a response of the one form that errors have."""
    response: dict[str, Any] = {"description": meanings_of(codes) + "."}
    if status in _HEADERS:
        response["headers"] = _HEADERS[status]
    schema = components.refer(Error, answer=True)
    if set(codes) & set(CARRIED):
        schema = {"anyOf": [components.refer(SmsFailed, answer=True), schema]}
    response["content"] = {JSON: {"schema": schema}}
    return {**response, "x-error-codes": list(codes)}


def _operation(endpoint: Endpoint, template: str, components: Components) -> dict[str, Any]:
    in_path = "{secret}" in template
    operation: dict[str, Any] = {
        "operationId": f"{endpoint.name}_by_path_secret" if in_path else endpoint.name,
        "tags": [endpoint.group],
        "summary": f"{endpoint.summary} (secret in the path)" if in_path else endpoint.summary,
    }
    description = endpoint.description
    if in_path:
        preferred = f"The same as `{endpoint.name}`, which keeps the secret out of logs."
        description = f"{description} {preferred}".strip()
    if description:
        operation["description"] = description
    operation["security"] = _security(endpoint, in_path=in_path)
    examples = {_slug(e): e for e in endpoint.examples if _fits(template, e.path)}
    if parameters := _parameters(endpoint, template, examples, components):
        operation["parameters"] = parameters
    if body := _body(endpoint, examples, components):
        operation["requestBody"] = body
    operation["responses"] = _responses(endpoint, examples, components)
    return operation


def _security(endpoint: Endpoint, *, in_path: bool) -> list[dict[str, list[str]]]:
    if endpoint.scope is None:
        return []
    role: list[str] = [endpoint.scope] if endpoint.scope in SCOPES else []
    needs: list[dict[str, list[str]]] = [{HEADER: []}, {BEARER: role}, {QUERY: []}]
    # The body or the path can hold the secret: then there need be none elsewhere.
    return [{}, *needs] if in_path or "body" in endpoint.credential_places else needs


# --- Parameters -------------------------------------------------------------------------------


def _parameters(
    endpoint: Endpoint, template: str, examples: Mapping[str, Example], components: Components
) -> list[dict[str, Any]]:
    found = [
        _path_parameter(endpoint, name, template, examples)
        for name in re.findall(r"\{(\w+)\}", template)
    ]
    if endpoint.query is not None:
        found += [_query_parameter(f, examples, components) for f in fields_of(endpoint.query)]
    if endpoint.idempotent:
        found.append(dict(IDEMPOTENCY_KEY))
    return found


def _path_parameter(
    endpoint: Endpoint, name: str, template: str, examples: Mapping[str, Example]
) -> dict[str, Any]:
    known = next(p for p in PATH_PARAMETERS if p.name == name)
    rule = endpoint.id if name == "id" else known.rule
    shown = {slug: _values(template, e.path)[name] for slug, e in examples.items()}
    schema = schema_of_rule(rule) if rule is not None else {"type": "string", "minLength": 1}
    if schema["type"] == "integer":
        sample: Any = int(known.example)
        shown_values: dict[str, Any] = {slug: int(text) for slug, text in shown.items()}
    else:
        sample, shown_values = known.example, dict(shown)
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": known.description,
        "schema": schema,
        **_shown(shown_values, sample),
    }


def _query_parameter(
    field: Field, examples: Mapping[str, Example], components: Components
) -> dict[str, Any]:
    schema = components.of_parameter(field)
    shown: dict[str, Any] = {}
    for slug, example in examples.items():
        # A plus stands for itself in the documented examples, as the gateway understands it.
        query = example.path.partition("?")[2].replace("+", "%2B")
        for name, value in parse_qsl(query):
            if name == field.name:
                shown[slug] = int(value) if schema.get("type") == "integer" else value
    return {
        "name": field.name,
        "in": "query",
        **({"required": True} if field.required and field.default is None else {}),
        "description": field.description,
        "schema": schema,
        **_shown(shown, None),
    }


def _shown(values: Mapping[str, Any], sample: Any) -> dict[str, Any]:
    if values:
        return {"examples": {slug: {"value": value} for slug, value in values.items()}}
    return {} if sample is None else {"example": sample}


# --- Bodies -----------------------------------------------------------------------------------


def _body(
    endpoint: Endpoint, examples: Mapping[str, Example], components: Components
) -> dict[str, Any] | None:
    if endpoint.raw_limit is not None:
        meanings_of = "As the carrier sends it, with its signature in the headers."
        schema = {"type": "object", "additionalProperties": True}
        return {"description": meanings_of, "content": {endpoint.raw_media: {"schema": schema}}}
    if endpoint.body is None:
        return None
    media: dict[str, Any] = {"schema": components.refer(endpoint.body)}
    shown = {
        slug: {"summary": e.title, "value": read_object(e.body.encode())}
        for slug, e in examples.items()
        if e.body is not None
    }
    if shown:
        media["examples"] = shown
    content = {JSON: media}
    if endpoint.forms is not None:
        for name, cls in endpoint.forms.media.items():
            text = {"type": "string", "pattern": r"^[^\s{]", "description": endpoint.forms.text}
            content[name] = {"schema": text if cls is None else components.refer(cls)}
    return {"required": True, "content": content}


def _responses(
    endpoint: Endpoint, examples: Mapping[str, Example], components: Components
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status in endpoint.statuses:
        if endpoint.answer is None:
            # The first for generators of clients, which know bytes by no range.
            content: dict[str, Any] = {BYTES: {"schema": BINARY}, str(endpoint.media): {}}
            found[str(status)] = {"description": _SUCCESS[status], "content": content}
            continue
        media: dict[str, Any] = {"schema": components.refer(endpoint.answer, answer=True)}
        if names_what_it_ignores(endpoint.body):
            answer = components.schemas[component_name(endpoint.answer)]
            answer["properties"]["ignored"] = _IGNORED
        shown = {
            slug: {"summary": e.title, "value": json.loads(e.whole or e.answer)}
            for slug, e in examples.items()
            if e.status == status
        }
        if shown:
            media["examples"] = shown
        found[str(status)] = {"description": _SUCCESS[status], "content": {JSON: media}}
        if endpoint.media is not None:
            found[str(status)]["content"][endpoint.media] = _stream(endpoint.streamed, components)
        if endpoint.idempotent:
            found[str(status)]["headers"] = {
                REPLAYED[0]: {
                    "description": "The answer is that of an earlier request with the same key.",
                    "schema": {"type": "string", "const": REPLAYED[1]},
                }
            }
    for code, codes in refusals_of(endpoint).items():
        found[str(code)] = error_response(codes, code, components)
    return found


def _stream(event: type | None, components: Components) -> Schema:
    """Describes an answer that is text. Of a stream of events, each event too.

    OpenAPI 3.2 has `itemSchema` for it. A document of 3.1 may have it as an extension.
    """
    if event is None:
        return {"schema": {"type": "string"}}
    data = {
        "type": "string",
        "contentMediaType": JSON,
        "contentSchema": components.refer(event, answer=True),
    }
    fields = {"id": {"type": "string"}, "event": {"type": "string"}, "data": data}
    return {
        "schema": {"type": "string", "description": "Server-sent events (HTML standard, 9.2)."},
        "x-itemSchema": {"type": "object", "properties": fields, "required": ["event", "data"]},
    }


# --- Examples ---------------------------------------------------------------------------------


def _slug(example: Example) -> str:
    return re.sub(r"[^a-z0-9]+", "-", example.title.lower()).strip("-")


def _fits(template: str, path: str) -> bool:
    wanted, given = template.split("/"), path.partition("?")[0].split("/")
    return len(wanted) == len(given) and all(
        a == b or a.startswith("{") for a, b in zip(wanted, given, strict=True)
    )


def _values(template: str, path: str) -> dict[str, str]:
    parts = zip(template.split("/"), path.partition("?")[0].split("/"), strict=True)
    return {name[1:-1]: unquote(part) for name, part in parts if name.startswith("{")}

"""The page of the API: endpoints by group and the objects that they speak of."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from phonegate.api.endpoint import Endpoint, Example
from phonegate.api.idempotency_key import MAX_KEY
from phonegate.api.openapi.document import TAGS, document
from phonegate.api.openapi.refusals import ALWAYS, refusals_of
from phonegate.api.table import build_table
from phonegate.http.credentials import SECRET_FIELD
from phonegate.model.dialects import DIALECTS
from phonegate.pages.commands import command
from tests.documents.markdown import code, link, linked, table
from tests.documents.phrases import phrase
from tests.documents.reference.beginning import beginning

GATEWAY: Final = "http://localhost:8080"

ERRORS: Final = "errors.md"


_LINK_OF_PHONES: Final = """\
Phones themselves connect by websocket at `/websocket`: see [the phone link](../phone-link.md).
"""

_OTHERS: Final = """\
## Beside the API

`GET /metrics` and `GET /ready` are for [operators](../operations.md#watching-it);
[metrics](metrics.md) lists what they measure. Pages for people are `/`, `/docs` and `/console`.
`/llms.txt` is for agents.
"""

Schema = Mapping[str, Any]


def page() -> str:
    """Returns the page."""
    return "\n".join(_Page().lines()).rstrip() + "\n"


class _Page:
    def __init__(self) -> None:
        everything = build_table()
        self._endpoints = [one for one in everything.endpoints if one.dialect or one.listed]
        self._document = document(everything, server="", version="")
        self._schemas: Mapping[str, Schema] = self._document["components"]["schemas"]
        self._objects: dict[str, None] = {}
        """The types that an endpoint's tables refer to, in that order."""

    def lines(self) -> Iterator[str]:
        always = ", ".join(_error(name) for name in ALWAYS)
        yield beginning("api", always=always, max_key=MAX_KEY)
        own = [one for one in self._endpoints if one.dialect is None]
        groups = [name for name in TAGS if any(one.group == name for one in own)]
        groups += [one.group for one in own if one.group not in groups]
        groups = list(dict.fromkeys(groups))
        for group in groups:
            members = [one for one in own if one.group == group]
            rows = ((link(code(_title(one)), _title(one)), one.summary) for one in members)
            yield f"**{group.capitalize()}**\n"
            yield from table(("endpoint", ""), rows)
        for group in groups:
            yield f"## {group.capitalize()}\n"
            if group in TAGS:
                yield f"{TAGS[group]}\n"
            if group == "phones":
                yield _LINK_OF_PHONES
            for endpoint in own:
                if endpoint.group == group:
                    yield from self._endpoint(endpoint)
        yield from self._dialects()
        yield _OTHERS
        yield "## Objects\n"
        done: set[str] = set()
        while waiting := [name for name in self._objects if name not in done]:
            for name in waiting:
                done.add(name)
                yield from self._object(name)

    def _endpoint(self, endpoint: Endpoint) -> Iterator[str]:
        yield f"### {_title(endpoint)}\n"
        yield f"{endpoint.summary}. {endpoint.description}".strip() + "\n"
        yield from _facts(endpoint)
        operation = self._operation(endpoint)
        rows = [*_parameters(operation), *self._body(operation)]
        yield from table(("takes", "", "form", "meaning"), rows)
        answer = self._answer(endpoint, operation)
        yield from table(("answers", "form", "meaning"), answer)
        own = [name for codes in refusals_of(endpoint).values() for name in codes]
        if errors := [_error(name) for name in own if name not in ALWAYS]:
            yield f"Errors: {', '.join(errors)}.\n"
        if endpoint.examples:
            yield from _example(endpoint, endpoint.examples[0])

    def _operation(self, endpoint: Endpoint) -> Schema:
        if endpoint.protocol:
            return {"responses": {}}
        found: Schema = self._document["paths"][endpoint.paths[0]][endpoint.method.lower()]
        return found

    def _body(self, operation: Schema) -> Iterator[tuple[str, str, str, str]]:
        content = operation.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        if "$ref" not in schema:
            return
        described = self._schemas[_name(schema)]
        for name, form, about in self._fields(described, answer=False):
            if name != SECRET_FIELD:
                yield code(name), "body", form, about

    def _answer(self, endpoint: Endpoint, operation: Schema) -> Iterator[tuple[str, str, str]]:
        if endpoint.answer is None or endpoint.protocol:
            return
        response = operation["responses"][str(endpoint.statuses[0])]
        schema = response["content"]["application/json"]["schema"]
        for name, form, about in self._fields(self._schemas[_name(schema)], answer=True):
            yield code(name), form, about

    def _fields(self, schema: Schema, *, answer: bool) -> Iterator[tuple[str, str, str]]:
        required = schema.get("required", ())
        for name, field in schema["properties"].items():
            form = phrase(field, self._refer, every=not answer)
            if not answer and name in required:
                form = f"**{form}**"
            if answer and name not in required:
                form += ", or left out"
            yield name, form, _about(field, answer=answer)

    def _refer(self, name: str) -> str:
        self._objects.setdefault(name)
        return link(name, name)

    def _object(self, name: str) -> Iterator[str]:
        schema = self._schemas[name]
        yield f"### {name}\n"
        if about := schema.get("description"):
            yield f"{about}\n"
        # What is answered has no defaults: `of_object` gives them to requests alone.
        fields = self._fields(schema, answer=name not in _TAKEN)
        yield from table(("field", "form", "meaning"), ((code(n), *rest) for n, *rest in fields))

    def _dialects(self) -> Iterator[str]:
        yield "## Dialects\n"
        yield (
            "The APIs of other gateways, for programs that speak one of them already. "
            "[Dialects](../dialects.md) explains how each is used, and [recipes](../recipes.md) "
            "what to enter in which program. Many are answered at other spellings of their "
            "address too, which `/openapi.json` names.\n"
        )
        for name in DIALECTS:
            found = [(one, one.dialect) for one in self._endpoints if one.dialect is not None]
            members = [one for one, dialect in found if dialect.name == name]
            title = next(dialect.title for _, dialect in found if dialect.name == name)
            yield f"### {title[0].upper()}{title[1:]} (`{name}`)\n"
            # Some stand there twice: at addresses of their own, and beside the API's.
            rows = {(one.method, one.summary): one for one in reversed(members)}
            yield from table(
                ("endpoint", "scope", ""),
                ((code(_title(one)), _scope(one), one.summary) for one in reversed(rows.values())),
            )


_TAKEN: Final = frozenset(
    {
        "ReceivedSms",
        "SendItem",
        "SimNumber",
        "NewLimits",
        "QuietHours",
        "HookMapping",
        "Verification",
    }
)
"""Objects of requests. All others stand in answers."""


def _title(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.paths[0]}"


def _name(schema: Schema) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _error(name: str) -> str:
    return link(code(name), name, ERRORS)


def _scope(endpoint: Endpoint) -> str:
    if endpoint.scope is None:
        return "none"
    return "any" if endpoint.scope == "any" else code(endpoint.scope)


def _facts(endpoint: Endpoint) -> Iterator[str]:
    scope = endpoint.scope
    needs = {None: "Needs no secret", "any": "Any right credential"}.get(scope, f"Scope `{scope}`")
    facts = [needs]
    if endpoint.knows_caller:
        facts = ["Known by the token in its path, and what it is signed with"]
    if endpoint.idempotent:
        facts.append("takes an `Idempotency-Key`")
    if endpoint.creates_org:
        facts.append(
            "makes an unknown org, where [registration](settings.md#orgsregistration) allows it"
        )
    if len(endpoint.paths) > 1:
        facts.append(f"also at {', '.join(map(code, endpoint.paths[1:]))}")
    if endpoint.raw_limit is not None:
        facts.append(f"a body of up to {endpoint.raw_limit:,} bytes")
    if endpoint.statuses != (200,):
        facts.append(f"answers {' or '.join(map(str, endpoint.statuses))}")
    if endpoint.media is not None:
        facts.append(f"or `{endpoint.media}`" if endpoint.answer else f"answers `{endpoint.media}`")
    yield f"{'; '.join(facts)}.\n"


def _parameters(operation: Schema) -> Iterator[tuple[str, str, str, str]]:
    for one in operation.get("parameters", ()):
        if one["in"] == "header" or one["name"] == "secret":
            continue  # which the beginning of the page explains
        form = phrase(one["schema"], every=True)
        about = _about({**one["schema"], "description": one["description"]}, answer=False)
        yield code(one["name"]), one["in"], f"**{form}**" if one.get("required") else form, about


def _about(field: Schema, *, answer: bool) -> str:
    text = str(field.get("description", ""))
    if not answer and field.get("default") is not None:
        text += f" Default: `{json.dumps(field['default'])}`."
    return linked(text)


def _example(endpoint: Endpoint, example: Example) -> Iterator[str]:
    made = command(endpoint, example, GATEWAY)
    answer = made.answer if made.answer.startswith(("{", "[")) else ""
    yield f"```sh\n{made.text}\n```\n"
    language = "json" if answer and not example.whole else "text"
    yield f"```{language}\n{made.answer}\n```\n"

"""What the pages say, gathered from the code that makes it true.

Numbers and names are read where they are enforced. The sentences about states stand here, one for
each that there is.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from phonegate.api.endpoint import Endpoint
from phonegate.api.limits_types import NewLimits
from phonegate.api.messages_types import (
    DEFAULT_PAGE,
    MAX_AHEAD_MS,
    MAX_TTL_S,
)
from phonegate.api.presenters import MessageJson
from phonegate.api.table import Table
from phonegate.carriers.registry import alternatives, titles
from phonegate.domain.credentials import KEY_PREFIX, org_problem, secret_problem
from phonegate.domain.idempotency import KEPT_MS
from phonegate.domain.registration import Mode
from phonegate.http.refusals import CODES
from phonegate.model.bounds import MAX_BODY, MAX_MEDIA, MAX_MESSAGES, MAX_PAGE, MAX_SEGMENTS
from phonegate.model.principal import SCOPES
from phonegate.model.states import (
    CANCELLED,
    DELIVERED,
    EXPIRED,
    FAILED,
    FINAL_STATES,
    QUEUED,
    RECEIVED,
    SENDING,
    SENT,
    STATES,
    UNCERTAIN,
)
from phonegate.pages.commands import Command, command
from phonegate.pages.examples import (
    FRAMES,
    MCP_SETUP,
    MORE,
    PHONE_PROGRAM,
)
from phonegate.pages.samples import LANGUAGES, TASKS, sample
from phonegate.typed_json.fields import Rule, fields_of
from phonegate.typed_json.rules import OneOf, Several, Text, Whole

DAY_S: Final = 24 * 60 * 60

GROUPS: Final = {
    "messages": "Messages",
    "events": "Events",
    "phones": "Phones",
    "keys": "API keys",
    "assistants": "Assistants",
    "webhooks": "Webhooks",
    "hooks": "Hooks",
    "agents": "Agents",
    "gateway": "The gateway itself",
}
"""The groups of endpoints that a page lists, in order. Carriers' callbacks are left out: their
addresses are given to the carrier, and no person calls them."""


@attrs.frozen(kw_only=True)
class StateText:
    """A state of a message: what it means, and what its sender does about it."""

    name: str
    meaning: str
    advice: str
    final: bool
    finality: str
    """That it is final and what may change it after all, or nothing."""


@attrs.frozen(kw_only=True)
class Parameter:
    """A field or parameter with the limits that it is held to."""

    name: str
    description: str
    limits: str
    required: bool


_STATES: Final[Mapping[str, tuple[str, str]]] = {
    QUEUED: (
        "Stored, and not yet with a phone; waiting_for says what it waits for.",
        "Wait. It leaves by itself; don't send it again.",
    ),
    SENDING: ("A phone or carrier has it; its result is awaited.", "Wait; look again in seconds."),
    SENT: ("The phone's radio or the carrier took it; sent_at says when.", "Done."),
    DELIVERED: ("The recipient's phone confirmed it; delivered_at says when.", "Done."),
    FAILED: (
        "The phone, the carrier or the network refused it; error says why.",
        "Mend what error names, or tell a person. A new send is a new message.",
    ),
    EXPIRED: (
        "Its ttl ran out, or its API key's quiet hours began, before it left.",
        "It was not sent. Send a new one if it still matters.",
    ),
    CANCELLED: (
        "Its sender withdrew it before it left, as far as its phone has said.",
        "It was not sent; if a phone that was away says otherwise later, it is sent after all.",
    ),
    UNCERTAIN: (
        "A phone or carrier took it and never said what became of it; a late report can still "
        "settle it.",
        "It may have been sent: don't send it again without asking a person.",
    ),
    RECEIVED: ("It came in.", "Read it. Its text is someone else's words."),
}

_FINALITY: Final[Mapping[str, str]] = {
    FAILED: "final, unless a delivery is reported after all",
}
"""Of the final states those that a late report can still change."""


def states() -> Sequence[StateText]:
    """Returns every state that a message can have, with its sentences."""
    return [
        StateText(
            name=name,
            meaning=_STATES[name][0],
            advice=_STATES[name][1],
            final=_final(name),
            finality=_FINALITY.get(name, "final") if _final(name) else "",
        )
        for name in STATES
    ]


def parameters(type_: type) -> Sequence[Parameter]:
    """Returns the fields of a request or query type, without credentials."""
    return [
        Parameter(
            name=field.name,
            description=field.description,
            limits=_limits(field.rule, field.default),
            required=field.required,
        )
        for field in fields_of(type_)
        if field.name not in {"secret_key", "org_id"}
    ]


def page_context(
    table: Table, base: str, *, version: str, max_body_bytes: int, registration: Mode
) -> dict[str, Any]:
    """Returns all that the templates need to know."""
    endpoints = {endpoint.name: endpoint for endpoint in table.endpoints}
    link = "ws" + base.removeprefix("http")
    return {
        "base": base,
        "host": base.partition("://")[2],
        "link": link,
        "version": version,
        "registration": registration,
        "groups": _groups(table.endpoints),
        "commands": _commands(endpoints, base),
        "parameters": {
            name: parameters(kind)
            for name, endpoint in endpoints.items()
            if endpoint.dialect is None and (kind := endpoint.body or endpoint.query) is not None
        },
        "dialects": table.dialects,
        "key_limits": parameters(NewLimits),
        "message_fields": fields_of(MessageJson),
        "mcp_setup": MCP_SETUP.replace("BASE", base),
        "frames": FRAMES,
        "languages": LANGUAGES,
        "tasks": TASKS,
        "sample": sample,
        "phone_program": PHONE_PROGRAM.replace("LINK", link),
        "states": states(),
        "codes": CODES,
        "scopes": SCOPES,
        "key_prefix": KEY_PREFIX,
        "org_form": org_problem(""),
        "secret_form": secret_problem(""),
        "max_messages": MAX_MESSAGES,
        "max_text": MAX_BODY,
        "max_segments": MAX_SEGMENTS,
        "max_media": MAX_MEDIA,
        "carriers": alternatives(titles()),
        "max_page": MAX_PAGE,
        "default_page": DEFAULT_PAGE,
        "max_ttl_days": MAX_TTL_S // DAY_S,
        "max_ahead_days": MAX_AHEAD_MS // (DAY_S * 1000),
        "max_body_kib": max_body_bytes // 1024,
        "kept_hours": KEPT_MS // (60 * 60 * 1000),
    }


def _final(name: str) -> bool:
    return name in FINAL_STATES or name == RECEIVED


def _groups(endpoints: Sequence[Endpoint]) -> dict[str, list[Endpoint]]:
    return {
        title: [endpoint for endpoint in endpoints if endpoint.group == group]
        for group, title in GROUPS.items()
    }


def _commands(endpoints: Mapping[str, Endpoint], base: str) -> dict[str, list[Command]]:
    """Returns the commands by their endpoint: the table's examples, then those of the pages."""
    return {
        name: [
            command(endpoint, example, base)
            for example in (*endpoint.examples, *MORE.get(name, ()))
        ]
        for name, endpoint in endpoints.items()
    }


def _limits(rule: Rule | None, default: Any) -> str:
    match rule:
        case Whole(least, most):
            text = f"{least} to {most}" if most < 10**12 else f"from {least}"
        case Text(shortest, longest):
            text = f"{shortest} to {longest} characters" if shortest else f"up to {longest}"
        case OneOf(words):
            text = "one of " + ", ".join(words)
        case Several(fewest, most):
            text = f"{fewest} to {most} of them"
        case _:
            text = ""
    if default is not None:
        text += f"; {default} without"
    return text

"""The errors that an endpoint can answer, by status, as the documents tell them. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from phonegate.api.endpoint import Endpoint
from phonegate.api.errors import status_of
from phonegate.api.presenters import FieldError
from phonegate.model.refusals import Refused
from phonegate.typed_json import fields

MEANINGS: Final[Mapping[str, str]] = {
    "bad_input": "the request is wrong in itself; `errors` names every wrong field",
    "bad_request": "it is no well-formed HTTP request",
    "unauthorized": "no credential, or a wrong one",
    "forbidden": "the credential does not reach this far",
    "foreign_page": "a web page of another site asked, and its owner has let none in",
    "recipient_not_allowed": "the API key may not send to that recipient",
    "batch_over_key_limit": "more messages at once than the API key may send in an hour or day",
    "not_found": "there is no such thing in this org",
    "unknown_sim": "the selected SIM is none of the org's; `detail` lists those that are",
    "request_timeout": "the request did not arrive in time",
    "conflict": "it can't be done in the state that the thing is in",
    "org_full": "the org has as many of these as it may; `detail` says how many that is",
    "too_large": "the body is larger than the gateway takes",
    "unsupported_media_type": "the body is not JSON in UTF-8",
    "idempotency_key_reused": "this Idempotency-Key came before with another request",
    "upgrade_required": "this address speaks the websocket protocol alone",
    "too_many_requests": "too many requests, or wrong secrets; come again after Retry-After",
    "queue_full": "as many messages of the org wait as may; `detail` says how many that is",
    "storage_spent": "the org has stored as much of late as it may in a day; see Retry-After",
    "disk_low": "what room is left on the disk is kept for the orgs that the owner made",
    "key_limit_reached": "the API key has sent as much as it may; `detail` says which limit",
    "quiet_hours": "it would leave in the API key's quiet hours; they end after Retry-After",
    "head_too_large": "the request line and headers together are too long",
    "internal_error": "the gateway failed; `detail` names the event in its log",
    "provider_failed": "the provider did not take it: it did not leave",
    "outcome_unknown": "the provider may have taken it; it is looked up there, never sent twice",
    "unavailable": "the gateway could not answer now: it did not finish in time, or too much is on "
    "its way; ask again after Retry-After",
    "storage_unavailable": "the storage can't take it now, and usually nothing was kept; see "
    "Retry-After",
}
"""What each code says, for who meets it."""

ALWAYS: Final[Mapping[int, tuple[str, ...]]] = {
    400: ("bad_request",),
    403: ("foreign_page",),
    408: ("request_timeout",),
    429: ("too_many_requests",),
    431: ("head_too_large",),
    500: ("internal_error",),
    503: ("unavailable", "storage_unavailable"),
}
"""What any request may meet, whatever it asks for."""

CARRIED: Final = ("provider_failed", "outcome_unknown")
"""Codes of a carrier's refusal, which has an answer type of its own, `SmsFailed`."""


@attrs.frozen(kw_only=True)
class Error:
    """Why a request was refused, or failed: every error of every route has this form."""

    ok: bool = fields.field("Always false.", default=False)
    detail: str = fields.field(
        "What happened and what to do, for people.", example="to is required."
    )
    code: str = fields.field("What happened, for programs.", example="bad_input")
    errors: tuple[FieldError, ...] | None = fields.field(
        "The wrong fields, where some are.", default=None, omit=True
    )


def refusals_of(endpoint: Endpoint) -> dict[int, tuple[str, ...]]:
    """The codes of an endpoint's errors by status, in ascending order."""
    found = {status: list(codes) for status, codes in ALWAYS.items()}
    for status, code in _own(endpoint):
        codes = found.setdefault(status, [])
        if code not in codes:
            codes.append(code)
    return {status: tuple(found[status]) for status in sorted(found)}


def told(codes: tuple[str, ...]) -> str:
    """Codes with what each says, as Markdown."""
    return "; ".join(f"`{code}`: {MEANINGS[code]}" for code in codes)


def _own(endpoint: Endpoint) -> Iterator[tuple[int, str]]:
    parameters = any("{" in path for path in endpoint.paths)
    if endpoint.scope or parameters or endpoint.query or endpoint.body:
        yield 400, "bad_input"
    if endpoint.scope is not None:
        yield from ((401, "unauthorized"), (403, "forbidden"))
    if endpoint.body is not None:
        yield 415, "unsupported_media_type"
    if endpoint.body is not None or endpoint.raw_limit is not None:
        yield 413, "too_large"
    statuses = _statuses()
    yield from ((statuses[code], code) for code in endpoint.error_codes)


def _statuses() -> dict[str, int]:
    """The status of every code that there is."""
    known = {kind.code: status_of(kind) for kind in _kinds(Refused)}
    # What is answered before all else goes last: another part may refuse by the same code.
    known |= {code: status for status, codes in ALWAYS.items() for code in codes}
    return known | dict.fromkeys(CARRIED, 500)


def _kinds(kind: type[Refused]) -> Iterator[type[Refused]]:
    yield kind
    for inner in kind.__subclasses__():
        yield from _kinds(inner)

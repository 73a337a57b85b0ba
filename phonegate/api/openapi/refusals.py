"""The errors that an endpoint can answer, by status, as the documents tell them. Pure."""

from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from phonegate.api.endpoint import Endpoint
from phonegate.api.presenters import FieldError
from phonegate.http.refusals import CODES
from phonegate.typed_json import fields

ALWAYS: Final = (
    "bad_request",
    "foreign_page",
    "request_timeout",
    "too_many_requests",
    "head_too_large",
    "internal_error",
    "unavailable",
    "org_suspended",
    "storage_unavailable",
)
"""The codes that any request may meet, whatever it asks for."""

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
    """Returns the codes of an endpoint's errors by status, in ascending order."""
    return by_status((*ALWAYS, *_own(endpoint)))


def by_status(codes: Iterable[str]) -> dict[int, tuple[str, ...]]:
    """Groups codes by their status, in ascending order. One that comes again is left out."""
    found: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        found.setdefault(CODES[code].status, []).append(code)
    return {status: tuple(found[status]) for status in sorted(found)}


def meanings_of(codes: Iterable[str]) -> str:
    """Returns codes with what each means, as Markdown."""
    return "; ".join(f"`{code}`: {CODES[code].meaning}" for code in codes)


def _own(endpoint: Endpoint) -> Iterator[str]:
    parameters = any("{" in path for path in endpoint.paths)
    if endpoint.scope or parameters or endpoint.query or endpoint.body:
        yield "bad_input"
    if endpoint.scope is not None:
        yield from ("unauthorized", "forbidden")
    if endpoint.body is not None:
        yield "unsupported_media_type"
    if endpoint.body is not None or endpoint.raw_limit is not None:
        yield "too_large"
    yield from endpoint.error_codes

"""Errors in the words of a dialect. Pure."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import attrs

from phonegate.api.dialect import Dialect, Refusal
from phonegate.api.endpoint import Answer, Request
from phonegate.http.login import BASIC_CHALLENGE
from phonegate.model.refusals import FieldProblem

CHALLENGE: Final = "WWW-Authenticate"

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})

_COMMON: Final = frozenset({"ok", "detail", "code", "errors"})
"""What the JSON of every error has, beside which a limit has words of its own."""


def in_dialect(
    answer: Answer,
    dialect: Dialect,
    request: Request,
    endpoint: str | None = None,
    given: Mapping[str, Sequence[str]] = _NOTHING,
) -> Answer:
    """Returns an error as a dialect words it. Its headers stay.

    Args:
        answer: The error as the gateway's own API answers it.
        dialect: Whose address it is.
        request: The request.
        endpoint: The name of the endpoint. None where nothing is at the address.
        given: Its parameters, as far as they were read.
    """
    content = answer.content
    worded = dialect.refuse(
        Refusal(
            status=answer.status,
            code=content["code"],
            detail=content["detail"],
            problems=[
                FieldProblem(one["field"], one["problem"]) for one in content.get("errors", ())
            ],
            endpoint=endpoint,
            given=given,
            headers=request.headers,
            limit={name: value for name, value in content.items() if name not in _COMMON},
        )
    )
    headers = answer.headers
    if dialect.login.basic:
        headers = tuple(
            (name, BASIC_CHALLENGE if name == CHALLENGE else value) for name, value in headers
        )
    return attrs.evolve(
        answer, status=worded.status, content=worded.body, media=worded.media, headers=headers
    )

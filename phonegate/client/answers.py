"""Reads the answers of a gateway, and the errors in place of them. Pure."""

import json
from collections.abc import Mapping
from typing import Any, Final

from phonegate.client.effects import Answer, Request
from phonegate.client.errors import (
    CarrierFailed,
    FieldError,
    Forbidden,
    NotAGateway,
    NotFound,
    Refusal,
    Refused,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from phonegate.client.retries import is_transient, retry_after

_OK: Final = 200
_REDIRECT: Final = 300
_CLIENT_FAULT: Final = 400
_CONFLICT: Final = 409

_KINDS: Final[Mapping[int, type[Refused]]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    429: TooManyRequests,
}


def understood(answer: Answer, request: Request, url: str) -> dict[str, Any]:
    """Returns the object of JSON that a gateway answered with.

    Args:
        answer: The answer.
        request: What was asked.
        url: The gateway's address.

    Raises:
        Refused: The gateway refused.
        Unavailable: A proxy answered in its place.
        NotAGateway: It is no gateway.
    """
    status = answer.status
    try:
        body = json.loads(answer.content)
    except (ValueError, RecursionError):
        body = None
    if _REDIRECT <= status < _CLIENT_FAULT and "location" in answer.headers:
        target = answer.headers["location"]
        raise NotAGateway(f"{url} redirects to {target}; use the address that answers itself.")
    if _OK <= status < _REDIRECT and isinstance(body, dict):
        return body
    wait = retry_after(answer.headers.get("retry-after"))
    if not isinstance(body, dict):
        said = f"{url} answered HTTP {status} without JSON"
        if is_transient(status):
            sentence = f"{said}, as a proxy does while its gateway is away."
            raise Unavailable(sentence, status, wait)
        raise NotAGateway(f"{said}. Is it a phonegate gateway?")
    # The gateway is still working on the same request, whose answer was lost.
    is_running = request.idempotency_key is not None and status == _CONFLICT
    refusal = Refusal(
        status=status,
        code=str(body.get("code") or ""),
        detail=str(body.get("detail") or f"HTTP {status}"),
        errors=_errors(body),
        retry_after_s=wait,
        is_transient=is_transient(status) or is_running,
    )
    if "provider" in body and "reason" in body:
        raise _carrier_failed(refusal, body)
    raise _KINDS.get(status, Refused)(refusal)


def _carrier_failed(refusal: Refusal, body: Mapping[str, Any]) -> CarrierFailed:
    id_, code = body.get("id"), body.get("provider_code")
    return CarrierFailed(
        refusal,
        id_=id_ if type(id_) is int else None,
        provider=str(body["provider"]),
        code=None if code is None else str(code),
        reason=str(body["reason"]),
    )


def _errors(body: Mapping[str, Any]) -> tuple[FieldError, ...]:
    errors = body.get("errors")
    return tuple(
        FieldError(str(one.get("field")), str(one.get("problem")))
        for one in (errors if isinstance(errors, list) else ())
        if isinstance(one, dict)
    )

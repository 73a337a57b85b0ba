"""From refusals to answers, in one place: every error of every route is the same kind of JSON."""

import json
import traceback
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import attrs
import trio
from werkzeug.exceptions import HTTPException

from phonegate import log
from phonegate.api.endpoint import JSON_MEDIA, Answer
from phonegate.model.refusals import (
    BadInput,
    BatchOverLimit,
    Busy,
    Conflict,
    DiskLow,
    FieldProblem,
    Forbidden,
    KeyLimitReached,
    KeyReused,
    NotFound,
    QueueFull,
    QuietHoursBegun,
    RateExceeded,
    RecipientNotAllowed,
    Refused,
    StorageSpent,
    Throttled,
    Unauthorized,
)
from phonegate.model.storage_errors import StoreError
from phonegate.model.times import iso
from phonegate.rates import Rate, Standing

RETRY_STORAGE_S: Final = 5
"""A full disk or a restart is rarely over sooner, and a waiting client should not hammer."""

FIRST_ERROR: Final = 400
"""The lowest status of an error (RFC 9110, 15.5)."""

MAX_FRAMES: Final = 12
"""Places of a traceback that the log keeps: enough to lead from the handler to the fault."""

_log = log.get("api")


class MethodNotAllowed(Refused):
    """The address exists, for other methods; `allowed` names them."""

    code = "method_not_allowed"

    def __init__(self, allowed: Sequence[str]) -> None:
        self.allowed = tuple(allowed)
        super().__init__(f"This address takes only: {', '.join(allowed)}.")


class UnsupportedMedia(Refused):
    """The body is of a kind that this gateway does not read."""

    code = "unsupported_media_type"


class TooLarge(Refused):
    """The body is larger than `limit` bytes."""

    code = "too_large"

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"The body is larger than {limit} bytes, the most this gateway takes.")


class BodyTimeout(Refused):
    """The rest of the body did not come in time."""

    code = "request_timeout"


class UpgradeRequired(Refused):
    """This address speaks another protocol than HTTP: that of websockets."""

    code = "upgrade_required"

    def __init__(self) -> None:
        super().__init__(
            "Phones connect here by websocket (wss://). Send a websocket handshake, as "
            "/openapi.json describes."
        )


ROOM_CODES: Final = (StorageSpent.code, DiskLow.code)
"""What a route may refuse that stores messages, because of its caller's org."""

LIMIT_CODES: Final = (
    *ROOM_CODES,
    QueueFull.code,
    RecipientNotAllowed.code,
    KeyLimitReached.code,
    BatchOverLimit.code,
    QuietHoursBegun.code,
)
"""What a sending route may refuse because of its caller's org or API key."""

NOT_ALLOWED: Final = "is none that this API key may send to"


class FieldsRefused(Refused):
    """Another refusal, of known fields: `cause` decides how it is answered."""

    def __init__(self, cause: Refused, problems: Sequence[FieldProblem]) -> None:
        self.cause = cause
        self.problems = tuple(problems)
        super().__init__(cause.detail)


_STATUS: Final[dict[type[Refused], int]] = {
    BadInput: 400,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    MethodNotAllowed: 405,
    BodyTimeout: 408,
    Conflict: 409,
    TooLarge: 413,
    UnsupportedMedia: 415,
    KeyReused: 422,
    UpgradeRequired: 426,
    Throttled: 429,
    DiskLow: 503,
    Busy: 503,
}

_NAMES: Final = {
    400: ("bad_input", "The request could not be understood."),
    401: ("unauthorized", "This needs a credential."),
    403: ("forbidden", "This is not allowed."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take that method."),
    408: ("request_timeout", "The request did not arrive in time."),
    413: ("too_large", "The request is too large."),
    415: ("unsupported_media_type", "Send JSON, with Content-Type: application/json."),
    429: ("too_many_requests", "Too many requests."),
    503: ("unavailable", "The gateway can't answer now."),
}

NO_SUCH_ADDRESS: Final = _NAMES[404][1]


def answer_for(error: BaseException) -> Answer:
    """The answer to a request that ended in `error`; logs it when it is a fault of ours."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, FieldsRefused):
        return _refused(error.cause, error.problems)
    if isinstance(error, Refused):
        return _refused(error, getattr(error, "problems", ()))
    if isinstance(error, StoreError):
        _log.error("storage_unavailable", error=type(error).__name__)
        return _answer(
            503,
            "storage_unavailable",
            "The storage can't take this now, and usually nothing of it was kept. Try again later, "
            "with the same Idempotency-Key where there was one.",
            headers=(("Retry-After", str(RETRY_STORAGE_S)),),
        )
    if isinstance(error, trio.TooSlowError):
        return _refused(Busy("The gateway did not finish in time. Ask again later."), ())
    if isinstance(error, HTTPException) and error.code is not None:
        return _of_quart(error)
    return _fault(error)


def code_of(answer: Answer) -> str | None:
    """The code of an answer that is an error; None of any other."""
    if answer.status < FIRST_ERROR:
        return None
    content = answer.content
    if isinstance(content, bytes) and answer.media == JSON_MEDIA:
        # An answer that is kept for its Idempotency-Key was encoded when it was made.
        content = json.loads(content)
    code = content.get("code") if isinstance(content, dict) else None
    return code if isinstance(code, str) else None


def status_of(kind: type[Refused]) -> int:
    """The status that a kind of refusal is answered with."""
    return next((_STATUS[c] for c in kind.__mro__ if c in _STATUS), 400)


def rate_limit_fields(policy: str, rate: Rate, standing: Standing) -> list[tuple[str, str]]:
    """A limit and how much of it is left (draft-ietf-httpapi-ratelimit-headers-10)."""
    quota = f'"{policy}";q={int(rate.burst)};w={max(1, round(rate.seconds))}'
    left = f'"{policy}";r={standing.left};t={standing.full_in_s}'
    return [("RateLimit-Policy", quota), ("RateLimit", left)]


def with_standing(answer: Answer, rate: Rate | None, standing: Standing) -> Answer:
    """An answer that tells an org how near it is to its limit."""
    if rate is None or any(name == "RateLimit" for name, _ in answer.headers):
        return answer
    fields = rate_limit_fields("org", rate, standing)
    return attrs.evolve(answer, headers=(*answer.headers, *fields))


def _refused(error: Refused, problems: Sequence[FieldProblem]) -> Answer:
    status = status_of(type(error))
    headers: list[tuple[str, str]] = []
    if isinstance(error, Unauthorized):
        # RFC 9110, 15.5.2: a 401 must say how to authenticate.
        headers.append(("WWW-Authenticate", error.challenge))
    if isinstance(error, MethodNotAllowed):
        headers.append(("Allow", ", ".join(error.allowed)))
    if isinstance(error, UpgradeRequired):
        # RFC 9110, 15.5.22: a 426 must name the protocol.
        headers.append(("Upgrade", "websocket"))
    if isinstance(error, Throttled):
        headers.append(("Retry-After", str(max(1, error.retry_after_s))))
    if isinstance(error, RateExceeded):
        headers += rate_limit_fields(error.policy, error.rate, error.standing)
    if isinstance(error, Busy):
        headers.append(("Retry-After", str(RETRY_STORAGE_S)))
    return _answer(status, error.code, error.detail, problems, headers, extra=_limit_of(error))


def _limit_of(error: Refused) -> Mapping[str, Any]:
    """Which limit of an API key refused, and when it ends, for programs."""
    if not isinstance(error, KeyLimitReached | BatchOverLimit | QuietHoursBegun):
        return {}
    if isinstance(error, BatchOverLimit):
        return {"limit": error.limit}
    return {"limit": error.limit, "ends_at": iso(error.ends_at_ms)}


def _of_quart(error: HTTPException) -> Answer:
    """An error that Quart or Werkzeug made up, without its words: they may quote the request."""
    status = error.code if error.code is not None and error.code >= 400 else 500  # noqa: PLR2004 - the first error status
    code, detail = _NAMES.get(
        status,
        ("refused", "The request could not be served.") if status < 500 else _INTERNAL,  # noqa: PLR2004 - RFC 9110, 15.6
    )
    allowed = getattr(error, "valid_methods", None)
    headers = (("Allow", ", ".join(sorted(allowed))),) if allowed else ()
    return _answer(status, code, detail, headers=headers)


_INTERNAL: Final = ("internal_error", "The gateway failed at this.")


def _fault(error: BaseException) -> Answer:
    """A 500, with an event id that leads to its line in the log.

    The line names the kinds of error and the places in the code. It leaves out their texts,
    which may quote a message body or a secret.
    """
    event = uuid.uuid4().hex[:12]
    frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    _log.error(
        "request_failed",
        event_id=event,
        error=_kinds(error),
        places=[f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames],
    )
    code, detail = _INTERNAL
    return _answer(500, code, f"{detail} Its log has more under event {event}.")


def _kinds(error: BaseException) -> list[str]:
    kinds: list[str] = []
    current = error
    while current is not None and len(kinds) < MAX_FRAMES:
        kinds.append(type(current).__qualname__)
        if isinstance(current, BaseExceptionGroup):
            kinds += [type(inner).__qualname__ for inner in current.exceptions[:MAX_FRAMES]]
        following = current.__cause__ or current.__context__
        if following is None:
            break
        current = following
    return kinds


def _answer(
    status: int,
    code: str,
    detail: str,
    problems: Sequence[FieldProblem] = (),
    headers: Sequence[tuple[str, str]] = (),
    *,
    extra: Mapping[str, Any] = MappingProxyType({}),
) -> Answer:
    content: dict[str, Any] = {"ok": False, "detail": detail, "code": code, **extra}
    if problems:
        content["errors"] = [{"field": p.field, "problem": p.problem} for p in problems]
    return Answer(status=status, content=content, headers=tuple(headers))

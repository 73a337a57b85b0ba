"""From refusals to answers, in one place: every error of every route is the same kind of JSON."""

import json
import traceback
import uuid
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import attrs
import trio

from phonegate import log
from phonegate.api.endpoint import Answer
from phonegate.http.problem import JSON_MEDIA, Problem, rate_limit_fields
from phonegate.http.refusals import FIRST_ERROR, FIRST_FAULT, MethodNotAllowed, code_for
from phonegate.model.refusals import (
    BatchOverLimit,
    Busy,
    DiskLow,
    FieldProblem,
    KeyLimitReached,
    QueueFull,
    QuietHoursBegun,
    RecipientNotAllowed,
    Refused,
    StorageSpent,
)
from phonegate.model.storage_errors import StoreError
from phonegate.model.times import iso
from phonegate.rates import Rate, Standing

MAX_FRAMES: Final = 12
"""Lines of a traceback that the log keeps: enough to lead from the handler to the fault."""

NO_SUCH_ADDRESS: Final = "There is nothing at this address."

_log = log.get("api")


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


class StatusRaised(Exception):
    """An error that a web framework made, without its words, which may quote the request."""

    def __init__(self, status: int, allowed: Collection[str] = ()) -> None:
        self.status = status
        self.allowed = allowed
        """The methods that are allowed, where another was used."""
        super().__init__(str(status))


def answer_for(error: BaseException) -> Answer:
    """Returns the answer to a request that ended in `error`, and logs what is a fault of ours."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, FieldsRefused):
        return _answer(Problem.of(error.cause, error.problems), _limit_of(error.cause))
    if isinstance(error, Refused):
        return _answer(Problem.of(error), _limit_of(error))
    if isinstance(error, StoreError):
        _log.error("storage_unavailable", error=type(error).__name__)
        return _answer(
            Problem.storage_unavailable(
                "The storage can't take this now, and usually nothing of it was kept. Try again "
                "later, with the same Idempotency-Key where there was one."
            )
        )
    if isinstance(error, trio.TooSlowError):
        return _answer(Problem.of(Busy("The gateway did not finish in time. Ask again later.")))
    if isinstance(error, StatusRaised):
        return _of_status(error)
    return _fault(error)


def code_of(answer: Answer) -> str | None:
    """Returns the code of an answer that is an error, and None for any other."""
    if answer.status < FIRST_ERROR:
        return None
    content = answer.content
    if isinstance(content, bytes) and answer.media == JSON_MEDIA:
        # An answer that is kept for its Idempotency-Key was encoded when it was made.
        content = json.loads(content)
    code = content.get("code") if isinstance(content, dict) else None
    return code if isinstance(code, str) else None


def with_standing(answer: Answer, rate: Rate | None, standing: Standing) -> Answer:
    """Returns an answer that tells an org how near it is to its limit."""
    if rate is None or any(name == "RateLimit" for name, _ in answer.headers):
        return answer
    fields = rate_limit_fields("org", rate, standing)
    return attrs.evolve(answer, headers=(*answer.headers, *fields))


def _limit_of(error: Refused) -> Mapping[str, Any]:
    """Returns which limit of an API key refused, and when it ends, for programs."""
    if not isinstance(error, KeyLimitReached | BatchOverLimit | QuietHoursBegun):
        return {}
    if isinstance(error, BatchOverLimit):
        return {"limit": error.limit}
    return {"limit": error.limit, "ends_at": iso(error.ends_at_ms)}


def _of_status(error: StatusRaised) -> Answer:
    if error.allowed:
        return _answer(Problem.of(MethodNotAllowed(sorted(error.allowed))))
    status = error.status if error.status >= FIRST_ERROR else FIRST_FAULT
    detail = "The request could not be served." if status < FIRST_FAULT else FAULT
    return _answer(Problem(status=status, code=code_for(status), detail=detail))


FAULT: Final = "The gateway failed at this."


def _fault(error: BaseException) -> Answer:
    """Answers 500, with an event id that leads to its line in the log.

    The line names the kinds of error and the lines of code. It leaves out their texts, which may
    quote a message body or a secret.
    """
    event = uuid.uuid4().hex[:12]
    frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    _log.error(
        "request_failed",
        event_id=event,
        error=_kinds(error),
        places=[f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames],
    )
    return _answer(
        Problem.named("internal_error", f"{FAULT} Its log has more under event {event}.")
    )


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


def _answer(problem: Problem, extra: Mapping[str, Any] = MappingProxyType({})) -> Answer:
    headers = tuple(problem.headers)
    return Answer(status=problem.status, content=problem.content(extra), headers=headers)

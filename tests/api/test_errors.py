import json

import pytest
import trio

from phonegate.api import errors
from phonegate.api.endpoint import Answer
from phonegate.http import refusals
from phonegate.model import refusals as domain
from phonegate.model.refusals import FieldProblem
from phonegate.model.storage_errors import StorageUnavailable, StoreClosed
from tests.captured_logs import capture_logs

SECRET = "my-secret-key-123"


@pytest.mark.parametrize(
    ("error", "status", "code", "header"),
    [
        (domain.BadInput("x"), 400, "bad_input", None),
        (domain.Unauthorized("x"), 401, "unauthorized", ("WWW-Authenticate", "Bearer")),
        (domain.Forbidden("x"), 403, "forbidden", None),
        (domain.NotFound("x"), 404, "not_found", None),
        (domain.UnknownSim("5", ["0"]), 404, "unknown_sim", None),
        (refusals.MethodNotAllowed(["GET"]), 405, "method_not_allowed", ("Allow", "GET")),
        (refusals.BodyTimeout("x"), 408, "request_timeout", None),
        (domain.Conflict("x"), 409, "conflict", None),
        (refusals.TooLarge(5), 413, "too_large", None),
        (refusals.UnsupportedMedia("x"), 415, "unsupported_media_type", None),
        (domain.KeyReused("x"), 422, "idempotency_key_reused", None),
        (domain.Throttled("x", 7), 429, "too_many_requests", ("Retry-After", "7")),
        (StorageUnavailable("disk full"), 503, "storage_unavailable", ("Retry-After", "5")),
        (StoreClosed(), 503, "storage_unavailable", ("Retry-After", "5")),
        (trio.TooSlowError(), 503, "unavailable", ("Retry-After", "5")),
        (errors.StatusRaised(404), 404, "not_found", None),
        (errors.StatusRaised(405, ["GET"]), 405, "method_not_allowed", ("Allow", "GET")),
        (errors.StatusRaised(400), 400, "bad_input", None),
        (ExceptionGroup("", [domain.Conflict("x")]), 409, "conflict", None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_every_refusal_has_its_status(
    error: Exception, status: int, code: str, header: tuple[str, str] | None
) -> None:
    answer = errors.answer_for(error)
    assert (answer.status, answer.content["code"]) == (status, code)
    assert answer.content["ok"] is False
    assert answer.content["detail"]
    assert SECRET not in str(answer.content)
    assert answer.headers == (() if header is None else (header,))


def test_wrong_fields_are_listed() -> None:
    answer = errors.answer_for(domain.BadInput("x", [FieldProblem("to", "is required")]))
    assert answer.content["errors"] == [{"field": "to", "problem": "is required"}]


def test_a_refusal_can_be_tied_to_fields() -> None:
    cause = domain.UnknownSim("5", ["0"])
    answer = errors.answer_for(errors.FieldsRefused(cause, [FieldProblem("sim", "unknown")]))
    assert (answer.status, answer.content["code"]) == (404, "unknown_sim")
    assert answer.content["detail"] == cause.detail
    assert answer.content["errors"] == [{"field": "sim", "problem": "unknown"}]


def failed(error: Exception) -> Exception:
    def fail() -> None:
        try:
            int(SECRET)
        except ValueError as inner:
            raise error from inner

    with pytest.raises(type(error)) as caught:
        fail()
    return caught.value


@pytest.mark.parametrize(
    "error",
    [KeyError(SECRET), RuntimeError(SECRET), ExceptionGroup(SECRET, [OSError(SECRET)] * 2)],
    ids=repr,
)
def test_a_fault_of_ours_is_a_500_whose_secrets_stay_here(error: Exception) -> None:
    with capture_logs() as lines:
        answer = errors.answer_for(failed(error))
    (line,) = lines
    assert (answer.status, answer.content["code"]) == (500, "internal_error")
    assert line["event_id"] in answer.content["detail"]
    assert type(error).__qualname__ in line["error"]
    assert "ValueError" in line["error"]
    assert any(place.startswith("test_errors.py:") for place in line["places"])
    assert SECRET not in str(lines) + str(answer.content)


def test_an_http_error_without_words_of_ours_gets_some() -> None:
    for code, status in ((418, 418), (502, 502), (304, 500)):
        answer: Answer = errors.answer_for(errors.StatusRaised(code))
        assert answer.status == status
        assert json.dumps(answer.content)

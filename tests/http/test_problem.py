"""An error as HTTP: what every edge of the gateway answers."""

import json

import pytest

from phonegate.http.origins import ForeignPage
from phonegate.http.problem import Problem
from phonegate.http.refusals import MethodNotAllowed, UpgradeRequired
from phonegate.model.refusals import (
    BadInput,
    Busy,
    DiskLow,
    FieldProblem,
    OrgFull,
    RateExceeded,
    Refused,
    Throttled,
    Unauthorized,
)
from phonegate.rates import Rate, Standing

EXCEEDED = RateExceeded(
    "x", 0, policy="org", rate=Rate(2.0, 10.0), standing=Standing(left=0, full_in_s=5)
)


@pytest.mark.parametrize(
    ("refused", "status", "headers"),
    [
        (BadInput("x"), 400, []),
        (Unauthorized("x"), 401, [("WWW-Authenticate", "Bearer")]),
        (ForeignPage(), 403, []),
        (MethodNotAllowed(["GET", "HEAD"]), 405, [("Allow", "GET, HEAD")]),
        (OrgFull(3, "phones"), 409, []),
        (UpgradeRequired(), 426, [("Upgrade", "websocket")]),
        (Throttled("x", 7), 429, [("Retry-After", "7")]),
        (
            EXCEEDED,
            429,
            [
                ("Retry-After", "1"),
                ("RateLimit-Policy", '"org";q=10;w=5'),
                ("RateLimit", '"org";r=0;t=5'),
            ],
        ),
        (DiskLow(9), 503, [("Retry-After", "9")]),
        (Busy("x"), 503, [("Retry-After", "5")]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_a_refusal_has_its_status_and_headers(
    refused: Refused, status: int, headers: list[tuple[str, str]]
) -> None:
    problem = Problem.of(refused)
    assert (problem.status, list(problem.headers)) == (status, headers)
    assert problem.content() == {"ok": False, "detail": refused.detail, "code": refused.code}


def test_it_is_written_as_json_with_its_length() -> None:
    written = Problem.named("timeout", "It took — too long.", [("Retry-After", "5")])
    headers, body = written.written()
    assert headers == [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Retry-After", "5"),
    ]
    assert json.loads(body) == {"ok": False, "detail": "It took — too long.", "code": "timeout"}
    assert written.status == 504


def test_wrong_fields_are_listed_whoever_knows_them() -> None:
    wrong = [FieldProblem("to", "is required")]
    listed = [{"field": "to", "problem": "is required"}]
    assert Problem.of(BadInput("x", wrong)).content()["errors"] == listed
    assert Problem.of(OrgFull(1, "API keys"), wrong).content()["errors"] == listed
    assert "errors" not in Problem.of(BadInput("x", wrong), ()).content()


def test_members_of_one_error_alone_stand_before_the_wrong_fields() -> None:
    content = Problem.of(BadInput("x", [FieldProblem("a", "b")])).content({"limit": "per_hour"})
    assert list(content) == ["ok", "detail", "code", "limit", "errors"]

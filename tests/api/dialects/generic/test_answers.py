"""The answers as JSON and as lines of text."""

import json

import pytest

from phonegate.api.convert import CONVERTER
from phonegate.api.dialects.generic.answers import (
    SmsAccepted,
    SmsResult,
    json_refused,
    text_accepted,
    text_refused,
    wants_text,
)


def test_one_answer_is_right_for_readers_of_text_and_of_json() -> None:
    body = CONVERTER.encode(SmsAccepted.of([SmsResult(id=7, to="+1555", status="queued")]))
    assert b"OK" in body
    assert json.loads(body) == {
        "ok": True,
        "status": "queued",
        "id": 7,
        "ids": [7],
        "results": [{"id": 7, "to": "+1555", "status": "queued"}],
        "message": "OK",
    }


def test_what_became_of_each_recipient_is_said() -> None:
    results = [
        SmsResult(id=None, to="+1", status="failed", error="no credit"),
        SmsResult(id=8, to="+2", status="sending"),
        SmsResult(id=9, to="+3", status="queued", waiting_for="approval"),
    ]
    answer = json.loads(CONVERTER.encode(SmsAccepted.of(results)))
    assert (answer["status"], answer["id"], answer["ids"]) == ("sending", 8, [8, 9])
    assert answer["results"] == [
        {"id": None, "to": "+1", "status": "failed", "error": "no credit"},
        {"id": 8, "to": "+2", "status": "sending"},
        {"id": 9, "to": "+3", "status": "queued", "waiting_for": "approval"},
    ]
    assert text_accepted(results) == b"OK; ID=8,9; FAILED=1"
    assert text_accepted(results[1:2]) == b"OK; ID=8"


@pytest.mark.parametrize(
    ("given", "accept", "is_text"),
    [
        ({}, "", False),
        ({}, "*/*", False),
        ({}, "application/json, text/plain, */*", False),
        ({}, "text/plain, text/html, */*", True),
        ({}, "Text/Plain;q=0.9", True),
        ({"responsetype": ["text"]}, "application/json", True),
        ({"ResponseType": ["TEXT"]}, "", True),
        ({"format": ["plain"]}, "", True),
        ({"format": ["json"]}, "text/plain", False),
        ({"format": ["xml"]}, "text/plain", True),
        ({"format": ["unicode"]}, "", False),
        ({"text": ["text"]}, "", False),
    ],
)
def test_a_line_of_text_is_for_those_who_ask_for_it(
    given: dict[str, list[str]], accept: str, *, is_text: bool
) -> None:
    assert wants_text(given, {"accept": accept}) is is_text


def test_an_error_never_looks_like_success() -> None:
    assert text_refused("to is required.") == b"ERROR: to is required."
    body = json_refused("bad_input", "to is required.", [("to", "is required")], {"limit": "to"})
    assert json.loads(body) == {
        "ok": False,
        "status": "failed",
        "error": "to is required.",
        "code": "bad_input",
        "limit": "to",
        "errors": [{"field": "to", "problem": "is required"}],
    }
    assert "errors" not in json.loads(json_refused("unauthorized", "No.", [], {}))
    assert b"OK" not in body

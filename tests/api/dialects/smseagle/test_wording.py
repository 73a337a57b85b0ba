"""SMSEagle's words."""

import json
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.dialect import Refusal
from phonegate.api.dialects.smseagle.parameters import FORMS
from phonegate.api.dialects.smseagle.wording import RPC, V2, accepted, media_of, queued, refuse
from phonegate.api.dialects.wanted import Accepted
from phonegate.http.refusals import CODES

FRIEND, OTHER = "+15553334444", "+15559990000"
GOOD = Accepted(id=7, to=FRIEND, status="sending", segments=1)
FAILED = Accepted(id=0, to=OTHER, status="failed", segments=0, error="No such number")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("endpoint", [None, "smseagle_send_sms_get", RPC, V2])
def test_no_error_looks_like_success(form: str, endpoint: str | None) -> None:
    for code, known in CODES.items():
        worded = refuse(
            Refusal(
                status=known.status,
                code=code,
                detail="No number in BROOKLYN.",
                endpoint=endpoint,
                given={"responsetype": [form]},
            )
        )
        assert worded.status == known.status
        assert endpoint == V2 or b"OK" not in worded.body
        if worded.media == "application/json":
            assert list(json.loads(worded.body)) == ["message" if endpoint == V2 else "result"]
        elif worded.media.startswith("text/xml"):
            assert ET.fromstring(worded.body).findtext("status") == "error"
        else:
            assert worded.media.startswith("text/plain")


def test_what_was_accepted_of_a_list_and_what_not() -> None:
    done = [GOOD, FAILED]
    assert accepted(done, "text") == b"OK; ID=7; failed: +15559990000"
    assert json.loads(accepted(done, "extended")) == {
        "result": [
            {"message_id": "7", "status": "ok"},
            {"error_text": "No such number", "status": "error"},
        ]
    }
    assert json.loads(queued(done)) == [
        {"status": "queued", "message": "OK", "number": FRIEND, "id": 7},
        {"status": "error", "message": "No such number", "number": OTHER},
    ]


@given(st.sampled_from([f for f in FORMS if f != "json"]), st.lists(st.just(GOOD), min_size=1))
def test_the_type_of_an_answer_is_known_by_its_beginning(form: str, done: list[Accepted]) -> None:
    media = media_of(accepted(done, form))
    assert media.startswith({"text": "text/plain", "xml": "text/xml"}.get(form, "application/json"))

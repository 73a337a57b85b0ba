"""Errors in Twilio's form."""

import json
from typing import Any

import pytest

from phonegate.api.dialect import Refusal
from phonegate.api.dialects.twilio.errors import DELETE, NUMBERS, UPDATE, refuse
from phonegate.http.refusals import CODES
from phonegate.model.refusals import FieldProblem


def refused(code: str, **fields: Any) -> dict[str, Any]:
    refusal = Refusal(status=CODES[code].status, code=code, detail="So it is.", **fields)
    worded = refuse(refusal)
    content: dict[str, Any] = json.loads(worded.body)
    assert (worded.media, worded.status) == ("application/json", content["status"])
    return content


def test_every_code_has_a_number() -> None:
    assert set(NUMBERS) == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_every_error_has_twilios_form_and_the_gateways_sentence(code: str) -> None:
    content = refused(code, endpoint="twilio_list_messages")
    number = NUMBERS[code].code
    assert content == {
        "code": number,
        "message": "So it is.",
        "more_info": f"https://www.twilio.com/docs/errors/{number}",
        "status": NUMBERS[code].status or CODES[code].status,
    }


@pytest.mark.parametrize("code", CODES)
def test_what_is_refused_for_good_is_not_tried_again(code: str) -> None:
    """Twilio's clients try again what is 429 or 5xx, and nothing else."""
    again = refused(code)["status"]
    if code in {"bad_input", "unknown_sim", "recipient_not_allowed", "provider_failed"}:
        assert again == 400
    if CODES[code].status in {429, 503}:
        assert again == CODES[code].status


@pytest.mark.parametrize(
    ("field", "text", "number"),
    [
        ("To", "", 21604),
        ("To", "x", 21211),
        ("From", "", 21603),
        ("From", "x", 21212),
        ("From", "WhatsApp:+1555", 63007),
        ("Body", "", 21602),
        ("Body", "x" * 1601, 21617),
        ("Body", "\0", 20001),
        ("SendAt", "", 35111),
        ("SendAt", "x", 35114),
        ("Else", "x", 20001),
    ],
)
def test_a_wrong_field_has_a_number_of_its_own(field: str, text: str, number: int) -> None:
    given = {field: [text]} if text else {}
    problems = [FieldProblem(field, "is wrong")]
    assert refused("bad_input", problems=problems, given=given)["code"] == number


def test_fields_of_the_act_of_sending_have_twilios_names() -> None:
    for name, number in (("send_at", 35111), ("ttl", 21624), ("media_urls", 21620)):
        assert refused("bad_input", problems=[FieldProblem(name, "is wrong")])["code"] == number


def test_an_address_that_may_not_be_called_names_its_field() -> None:
    problems = [FieldProblem("StatusCallback", "is private")]
    content = refused("address_refused", problems=problems)
    assert (content["code"], content["status"]) == (21609, 400)


def test_a_conflict_depends_on_what_was_asked() -> None:
    cancelled = refused("conflict", endpoint=UPDATE, given={"Status": ["canceled"]})
    assert (cancelled["code"], cancelled["status"]) == (30409, 409)
    assert refused("conflict", endpoint=UPDATE, given={"Body": [""]})["code"] == 20009
    assert refused("conflict", endpoint=DELETE)["code"] == 20009
    assert refused("conflict", endpoint="twilio_create_message")["code"] == 20001

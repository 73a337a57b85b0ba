"""Jasmin's words."""

import json

import pytest

from phonegate.api.dialect import Refusal
from phonegate.api.dialects.jasmin.wording import refuse
from phonegate.http.refusals import CODES
from phonegate.model.refusals import FieldProblem


@pytest.mark.parametrize("endpoint", [None, "jasmin_send", "jasmin_rate", "jasmin_secure_send"])
def test_every_error_has_its_form(endpoint: str | None) -> None:
    for code, known in CODES.items():
        worded = refuse(
            Refusal(status=known.status, code=code, detail="Why {user}.", endpoint=endpoint)
        )
        assert worded.status >= 400
        if endpoint == "jasmin_secure_send":
            assert list(json.loads(worded.body)) == ["message"]
        elif endpoint == "jasmin_rate":
            assert isinstance(json.loads(worded.body), str)
        else:
            assert worded.body.startswith(b'Error "')
            assert worded.body.endswith(b'"')


@pytest.mark.parametrize(
    ("field", "name"),
    [("to", "to"), ("from_", "from"), ("hex_content", "hex-content"), ("send_at", "sdt")],
)
def test_a_wrong_argument_has_jasmins_name(field: str, name: str) -> None:
    problem = FieldProblem(field, "is wrong")
    worded = refuse(Refusal(status=400, code="bad_input", detail="x", problems=[problem]))
    assert worded.body.decode() == f'Error "Argument [{name}] has an invalid value: [is wrong]."'


@pytest.mark.parametrize("user", ["pgk_" + "a" * 41, 'a"b', "x" * 51, ""])
def test_what_may_be_a_secret_is_not_repeated(user: str) -> None:
    worded = refuse(
        Refusal(status=401, code="unauthorized", detail="x", given={"username": [user]})
    )
    assert worded.body == b'Error "Authentication failure for username:"'

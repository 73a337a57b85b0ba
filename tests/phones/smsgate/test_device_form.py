import json

import pytest

from phonegate.model.enrolments import SimCard
from phonegate.model.refusals import BadInput
from phonegate.phones.smsgate.device_form import read_form, read_sims, traits

HIDDEN = {
    "slotIndex": 0,
    "simNumber": 1,
    "phoneNumber": "*******4567",
    "carrierName": "***cell",
    "iccid": "****************1234",
}


def test_a_form_is_read() -> None:
    form = read_form(
        json.dumps(
            {"name": "Google/panther", "pushToken": "x", "simCards": [HIDDEN], "new": 1}
        ).encode()
    )
    assert (form.name, form.is_pushed, form.app_id) == ("Google/panther", True, None)
    assert form.sims == (SimCard(slot=0, traits=("number:4567", "card:1234")),)


def test_what_it_says_nothing_of_is_not_known() -> None:
    form = read_form(b'{"id":"V1"}')
    assert (form.app_id, form.name, form.is_pushed, form.sims) == ("V1", None, False, None)


def test_an_empty_push_token_is_none() -> None:
    assert not read_form(b'{"pushToken":""}').is_pushed


def test_what_the_app_hides_is_not_taken_for_a_number() -> None:
    (sim,) = read_sims([HIDDEN])
    assert (sim.number, sim.carrier) == (None, None)
    (sim,) = read_sims([{**HIDDEN, "phoneNumber": "+15551114567", "carrierName": "Cell"}])
    assert (sim.number, sim.carrier) == ("+15551114567", "Cell")


def test_a_card_is_known_again_hidden_or_not() -> None:
    whole = {**HIDDEN, "phoneNumber": "+15551114567", "iccid": "89010000000000001234"}
    assert traits(read_sims([HIDDEN])) == traits(read_sims([whole]))


def test_odd_cards_are_left_out() -> None:
    odd = [None, {}, {"slotIndex": -1}, {"slotIndex": "x"}, {**HIDDEN, "slotIndex": 1.0}]
    assert [sim.slot for sim in read_sims(odd)] == [1]
    assert read_sims("x") == ()


@pytest.mark.parametrize("body", [b"", b"[]", b"5", b"\xff", b"{", b"[" * 100_000])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadInput):
        read_form(body)

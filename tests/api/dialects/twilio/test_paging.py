from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.dialects.twilio.paging import Place, message_before, page, token_before
from phonegate.model.bounds import MAX_ID

PLACE = Place(path="/x.json", filters=[("DateSent>", "2027-01-15"), ("To", "+1555")], size=2)


def test_a_page_leads_to_the_next_one_with_its_filters() -> None:
    found = page("things", [{"a": 1}, {"a": 2}], PLACE, "PAx")
    assert found["next_page_uri"] == (
        "/x.json?PageSize=2&Page=1&PageToken=PAx&DateSent%3E=2027-01-15&To=%2B1555"
    )
    assert (found["start"], found["end"], found["page"], found["page_size"]) == (0, 1, 0, 2)
    assert page("things", [], PLACE, None)["next_page_uri"] is None


@given(st.integers(1, MAX_ID))
def test_a_token_is_read_as_it_was_written(message: int) -> None:
    assert message_before(token_before(message)) == message


@given(st.text())
def test_what_is_no_token_is_none(text: str) -> None:
    assert message_before(text) is None

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.idempotency_key import fingerprint, read_key
from phonegate.api.send_request import asked
from phonegate.domain.sending import Outgoing
from phonegate.model.refusals import BadInput

PRINTABLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255)


@given(PRINTABLE.filter(lambda key: not key.startswith('"')))
def test_a_bare_key_is_taken_as_it_is(key: str) -> None:
    assert read_key(key) == key


@given(PRINTABLE)
def test_a_quoted_key_is_the_same_key(key: str) -> None:
    quoted = key.replace("\\", "\\\\").replace('"', '\\"')
    assert read_key(f' "{quoted}" ') == key


def test_no_header_is_no_key() -> None:
    assert read_key(None) is None


@pytest.mark.parametrize("value", ["", " ", '""', '"a', '"a"b', "k" * 256, "é", "a\x00"])
def test_a_malformed_key_is_refused_by_its_name(value: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_key(value)
    assert [p.field for p in caught.value.problems] == ["Idempotency-Key"]


def test_requests_differ_by_anything_they_ask_for() -> None:
    base = {"to": "+15553334444", "body": "a"}
    others: list[dict[str, object]] = [
        {},
        {"to": "+15553334445"},
        {"body": "b"},
        {"sim_selector": "0"},
        {"ttl_s": 1},
        {"send_at": 1},
        {"priority": 1},
        {"on_uncertain": "hold"},
    ]
    marks = {fingerprint(asked([Outgoing(**{**base, **other})])) for other in others}  # type: ignore[arg-type]
    assert len(marks) == len(others)
    single = Outgoing(to="+15553334444", body="a")
    assert fingerprint(asked([single])) == fingerprint(asked([single]))
    assert fingerprint(asked([single])) != fingerprint(asked([single, single]))

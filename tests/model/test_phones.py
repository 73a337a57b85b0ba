import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.model.phones import number_form


@pytest.mark.parametrize(
    "written",
    [
        "+15550000001",
        "15550000001",
        "0015550000001",
        "+1 (555) 000-0001",
        "+1-555-000-0001",
        "1.555.000.0001",
        " +1\u00a0555 0000001",
    ],
)
def test_a_number_has_one_form(written: str) -> None:
    assert number_form(written) == "+15550000001"


@pytest.mark.parametrize(
    ("written", "form"),
    [
        # Of which country it is, nobody here knows.
        ("0170 1234567", "01701234567"),
        ("112", "+112"),
        ("carrier", "carrier"),
    ],
)
def test_forms_of_others(written: str, form: str) -> None:
    assert number_form(written) == form


@given(st.one_of(st.text(max_size=20), st.from_regex(r"\+?[0-9 ()./-]{1,20}", fullmatch=True)))
def test_a_form_has_itself_for_a_form(written: str) -> None:
    assert number_form(number_form(written)) == number_form(written)

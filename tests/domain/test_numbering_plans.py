"""Countries, and what their plans say of digits without +."""

import pytest

from phonegate.domain.numbering_plans import (
    read_country,
    read_country_or_code,
    read_digits,
    read_international,
)


@pytest.mark.parametrize(
    ("text", "country"), [("DE", "DE"), ("de", "DE"), ("Us", "US"), ("XK", "XK")]
)
def test_countries(text: str, country: str) -> None:
    assert read_country(text) == read_country_or_code(text) == (country, "")


@pytest.mark.parametrize("text", ["", "D", "ZZ", "001", "Germany", "AQ", "49", "ﬁ"])
def test_what_is_no_country(text: str) -> None:
    assert read_country(text)[0] == read_country_or_code(text)[0] == ""
    assert read_country(text)[1]
    assert "+49" in read_country_or_code(text)[1]


@pytest.mark.parametrize(
    ("code", "country"), [("+49", "DE"), ("+1", "US"), ("+7", "RU"), ("+44", "GB"), ("+423", "LI")]
)
def test_codes_of_countries(code: str, country: str) -> None:
    assert read_country_or_code(code) == (country, "")
    assert read_country(code)[0] == ""


@pytest.mark.parametrize("code", ["+0", "+999", "+883", "+4a", "+1234", "+"])
def test_what_is_no_code(code: str) -> None:
    country, problem = read_country_or_code(code)
    assert (country, bool(problem)) == ("", True)


def test_an_s_m_s_goes_to_mobile_numbers_first() -> None:
    # 04520 is an area of Germany, and +45 20 a mobile number of Denmark.
    assert read_digits("4520123456", "DE") == ("+4520123456", "")
    assert read_digits("04520123456", "DE") == ("+494520123456", "")
    # Both are mobile numbers: the org's country counts.
    assert read_digits("15202345678", "DE") == ("+4915202345678", "")
    assert read_digits("15202345678", "US") == ("+15202345678", "")


def test_ranges_that_no_plan_has_yet_are_taken() -> None:
    assert read_digits("5551234567", "US") == ("+15551234567", "")
    assert read_digits("014955501", "FR") == ("", "FR has no such number")
    assert read_digits("0612345", "IT") == ("+390612345", "")
    assert read_digits("015500000", "DE") == ("+4915500000", "")


def test_where_no_country_is_set() -> None:
    assert read_international("15551110001") == ("+15551110001", "")
    assert read_international("5551110001") == ("", "")
    assert read_international("01555111000") == ("", "")
    assert read_international("1" * 16) == ("", "")
    assert read_international("99912345678")[1] == "no country has the code that it begins with"

"""The numbering plans of countries, by the package phonenumberslite. Pure.

They choose between the readings of a number that is written without its country. They refuse none
that could be one: new ranges are in use long before a plan has them.
"""

import re
from typing import Final

from phonenumbers import (
    SUPPORTED_REGIONS,
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberType,
    ValidationResult,
    country_code_for_region,
    format_number,
    is_possible_number_with_reason,
    is_possible_short_number_for_region,
    is_valid_number,
    ndd_prefix_for_region,
    number_type,
    parse,
    region_code_for_country_code,
)

from phonegate.model.numbers import is_e164, is_short_code

INTERNATIONAL_DIGITS: Final = 11
"""Digits from which on a number without + is taken as an international one, where no country is
set. Fewer are national as often."""

_CODE: Final = re.compile(r"\+[1-9][0-9]{0,2}")
"""The code of a country (ITU-T E.164, 6.2.1)."""

_MISNAMED: Final = {"UK": "GB", "EL": "GR"}
"""Countries that people name otherwise than ISO 3166 does."""

_GETS_SMS: Final = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})

_POSSIBLE: Final = ValidationResult.IS_POSSIBLE


def read_country(text: str) -> tuple[str, str]:
    """Returns a country in capital letters, and what is wrong where there is no such.

    Args:
        text: Its two letters of ISO 3166, such as `DE`.
    """
    country = text.upper()
    if text.isascii() and country in SUPPORTED_REGIONS:
        return country, ""
    if country in _MISNAMED:
        return "", f"must be {_MISNAMED[country]} for that country, as ISO 3166 has it"
    return "", "must be a country in the two letters of ISO 3166, such as DE or US"


def read_country_or_code(text: str) -> tuple[str, str]:
    """Returns a country as `read_country` does, by its letters or by its code, such as `+49`.

    A code that several countries share is that of the largest.
    """
    if _CODE.fullmatch(text) is None:
        country, problem = read_country(text)
        return country, problem and "must be a country, such as DE, or its code, such as +49"
    country = region_code_for_country_code(int(text))
    if country in SUPPORTED_REGIONS:
        return country, ""
    return "", "must be the code of a country, such as +49"


def read_digits(digits: str, country: str) -> tuple[str, str]:
    """Returns the number that digits without + stand for, or what is wrong with them.

    In this order: a mobile number of the country; a number with the country's own code before it;
    a mobile number of another country, with its code; any number of the country that its plan
    has; a short code; what could be a number of the country, or else of another.

    Args:
        digits: Digits of ASCII, at least three.
        country: Two letters.
    """
    here, abroad = _parsed(digits, country), _parsed("+" + digits, None)
    if not is_e164("+" + digits):
        abroad = None
    national = "" if here is None else _form(here)
    international = "+" + digits
    code = str(country_code_for_region(country))
    # A 0 that is left where one dials a 0 first is of a number that has too few digits.
    cut = here is not None and here.italian_leading_zero and _dials_zero(country)
    length = None if here is None or cut else is_possible_number_with_reason(here)
    service = here is not None and is_possible_short_number_for_region(here, country)
    local = length == ValidationResult.IS_POSSIBLE_LOCAL_ONLY
    readings = (
        (here is not None and _gets_sms(here), national),
        (digits.startswith(code) and _possible(abroad), international),
        (abroad is not None and _gets_sms(abroad), international),
        (here is not None and is_valid_number(here), national),
        (service and is_short_code(digits) and not digits.startswith("0"), digits),
        (length == _POSSIBLE, national),
        (not local and _possible(abroad), international),
    )
    number = next((number for is_so, number in readings if is_so), "")
    if number:
        return number, ""
    return "", "it lacks its area code" if local else f"{country} has no such number"


def read_international(digits: str) -> tuple[str, str]:
    """Returns the number that digits without + stand for where no country is set.

    Returns:
        A number with +, or what is wrong. Both are empty where the digits may as well be national.
    """
    if len(digits) < INTERNATIONAL_DIGITS or not is_e164("+" + digits):
        return "", ""
    if _parsed("+" + digits, None) is None:
        return "", "no country has the code that it begins with"
    return "+" + digits, ""


def without_trunk(text: str) -> str | None:
    """Returns a number that was written with country code and (0) without what is too much of it.

    Italy and a few others keep the 0.

    Args:
        text: `+` and digits, the 0 among them.
    """
    found = _parsed(text, None)
    return _form(found) if found is not None and is_valid_number(found) else None


def _parsed(text: str, country: str | None) -> PhoneNumber | None:
    try:
        return parse(text, country)
    except NumberParseException:
        return None


def _form(number: PhoneNumber) -> str:
    return format_number(number, PhoneNumberFormat.E164)


def _gets_sms(number: PhoneNumber) -> bool:
    return number_type(number) in _GETS_SMS


def _possible(number: PhoneNumber | None) -> bool:
    return number is not None and is_possible_number_with_reason(number) == _POSSIBLE


def _dials_zero(country: str) -> bool:
    return ndd_prefix_for_region(country, True) == "0"

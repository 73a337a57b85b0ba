"""Recipients as people and programs write them."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.recipients import (
    MAX_WRITINGS,
    MAX_WRITTEN,
    Recipient,
    TooManyWritings,
    read_recipient,
    read_recipients,
    written_form,
)
from phonegate.model.bounds import MAX_MESSAGES
from phonegate.model.numbers import is_recipient

COUNTRIES = (None, "DE", "US", "IT", "RU", "HU", "IN", "GB", "BR", "DK")


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+1 (555) 111-0001", "+15551110001"),
        ("+1.555.111.0001", "+15551110001"),
        ("+1 555 111 0001", "+15551110001"),
        ("0049 171 55501", "+4917155501"),
        ("+49 (0)171/555.01", "+4917155501"),
        ("0049(0)171-55501", "+4917155501"),
        ("+44 (0)20 7946 0958", "+442079460958"),
        # Italy keeps its 0, in brackets or not.
        ("+39 (0)6 1234 5678", "+390612345678"),
        ("+39 06 1234 5678", "+390612345678"),
        ("tel:+1-555-111-0001", "+15551110001"),
        ("TEL:+1-555-111-0001;ext=5", "+15551110001"),
        ("\u202a+1\u00a0555\u202c 1110001", "+15551110001"),
        ("\u200e+15551110001\u200f", "+15551110001"),
        ("+1\u2011555\u2013111\u20120001", "+15551110001"),
        (
            "\uff0b\uff11\uff15\uff15\uff15\uff11\uff11\uff11\uff10\uff10\uff10\uff11",
            "+15551110001",
        ),
        ("٠٠٤٩١٧١٥٥٥٠١", "+4917155501"),
        # Without +, as courier, Supabase and a + that a query makes a blank of leave it.
        (" 491715550100", "+491715550100"),
        ("79161234567", "+79161234567"),
        ("12345", "12345"),
        ("112", "112"),
    ],
)
@pytest.mark.parametrize("country", [None, "DE"])
def test_numbers_that_need_no_country(written: str, number: str, country: str | None) -> None:
    assert read_recipient(written, country) == Recipient(written=written, number=number)


@pytest.mark.parametrize(
    ("country", "written", "number"),
    [
        # Where no country is set, nothing is a national number.
        (None, "15551110001", "+15551110001"),
        (None, "15202345678", "+15202345678"),
        (None, "56161123", "56161123"),
        (None, "0171555", "0171555"),
        ("DE", "0171 5550100", "+491715550100"),
        ("DE", "(0171) 555-0100", "+491715550100"),
        ("DE", "0171 55501", "+4917155501"),
        # Without its 0, as a table leaves it that takes numbers for quantities.
        ("DE", "1715550100", "+491715550100"),
        ("DE", "15202345678", "+4915202345678"),
        ("DE", "4917155501", "+4917155501"),
        ("DE", "491715550100", "+491715550100"),
        ("DE", "00491715550100", "+491715550100"),
        ("DE", "33612345678", "+33612345678"),
        ("DE", "4520123456", "+4520123456"),
        ("DE", "030 12345678", "+493012345678"),
        ("DE", "22333", "22333"),
        ("DE", "012", "012"),
        ("AT", "0664 1234567", "+436641234567"),
        ("CH", "079 123 45 67", "+41791234567"),
        ("FR", "06 12 34 56 78", "+33612345678"),
        ("FR", "33 6 12 34 56 78", "+33612345678"),
        ("GB", "07911 123456", "+447911123456"),
        ("GB", "7911123456", "+447911123456"),
        ("IE", "085 012 3456", "+353850123456"),
        ("NL", "06-12345678", "+31612345678"),
        ("BE", "0470 12 34 56", "+32470123456"),
        ("DK", "20 12 34 56", "+4520123456"),
        ("DK", "4520123456", "+4520123456"),
        ("DK", "12345678", "+4512345678"),
        ("DK", "1204", "1204"),
        ("NO", "406 12 345", "+4740612345"),
        ("SE", "070-123 45 67", "+46701234567"),
        ("FI", "041 2345678", "+358412345678"),
        ("PL", "512 345 678", "+48512345678"),
        ("CZ", "601 123 456", "+420601123456"),
        ("ES", "612 34 56 78", "+34612345678"),
        ("ES", "34612345678", "+34612345678"),
        ("PT", "912 345 678", "+351912345678"),
        # Keeps the 0 of its landlines, and never had one before mobile numbers.
        ("IT", "06 1234 5678", "+390612345678"),
        ("IT", "331 234 5678", "+393312345678"),
        ("IT", "391 234 5678", "+393912345678"),
        ("IT", "39 331 234 5678", "+393312345678"),
        ("SM", "0549 886377", "+3780549886377"),
        ("RU", "8 (916) 123-45-67", "+79161234567"),
        ("RU", "916 123-45-67", "+79161234567"),
        ("RU", "7 916 123-45-67", "+79161234567"),
        ("KZ", "8 701 234 5678", "+77012345678"),
        ("HU", "06 20 123 4567", "+36201234567"),
        ("HU", "20 123 4567", "+36201234567"),
        ("HU", "36 20 123 4567", "+36201234567"),
        ("TR", "0532 123 45 67", "+905321234567"),
        ("TR", "532 123 45 67", "+905321234567"),
        ("US", "(555) 111-0001", "+15551110001"),
        ("US", "1 555 111 0001", "+15551110001"),
        ("US", "011 49 171 5550100", "+491715550100"),
        ("US", "72345", "72345"),
        ("CA", "506-234-5678", "+15062345678"),
        ("MX", "55 1234 5678", "+525512345678"),
        ("BR", "(11) 91234-5678", "+5511912345678"),
        ("BR", "011 91234-5678", "+5511912345678"),
        ("AR", "011 15-2345-6789", "+5491123456789"),
        ("AU", "0412 345 678", "+61412345678"),
        ("NZ", "021 123 4567", "+64211234567"),
        ("CN", "138 1234 5678", "+8613812345678"),
        ("JP", "090-1234-5678", "+819012345678"),
        ("KR", "010-2000-0000", "+821020000000"),
        ("IN", "098765 43210", "+919876543210"),
        ("IN", "9876543210", "+919876543210"),
        ("IN", "9198765432", "+919198765432"),
        ("IN", "919876543210", "+919876543210"),
        ("IN", "56161123", "56161123"),
        ("SG", "8123 4567", "+6581234567"),
        ("ZA", "071 123 4567", "+27711234567"),
        ("NG", "0802 123 4567", "+2348021234567"),
        ("KE", "0712 123456", "+254712123456"),
        ("CI", "01 23 45 67 89", "+2250123456789"),
    ],
)
def test_national_numbers(country: str, written: str, number: str) -> None:
    assert read_recipient(written, country) == Recipient(written=written, number=number)


@pytest.mark.parametrize(
    ("country", "written", "problem"),
    [
        (None, "0171 55501", "write + and the country code in place of the 0 that it begins with"),
        (None, "4520123456", "it lacks the + before its country code"),
        (None, "89161234567", "no country has the code that it begins with"),
        (None, "1", "it has 1 digits, and 3 to 15 are right"),
        (None, "+1234567890123456", "it has 16 digits, and 3 to 15 are right"),
        (None, "+0171555", "no country code begins with 0"),
        (None, "---", "it has no number"),
        (None, "1-800-FLOWERS", "it may hold digits alone, and a + before them"),
        (None, "whatsapp:+15551110001", "it may hold digits alone, and a + before them"),
        (None, "anna@example.org", "it may hold digits alone, and a + before them"),
        ("DE", "AMAZON", "it may hold digits alone, and a + before them"),
        ("US", "555-0100", "it lacks its area code"),
        ("FR", "0431 123", "FR has no such number"),
        ("DE", "1" * 40, "it has 40 digits, and 3 to 15 are right"),
        ("DE", "1 " * MAX_WRITTEN, "it has 200 characters, and 100 are the most"),
    ],
)
def test_what_is_no_recipient_says_why(country: str | None, written: str, problem: str) -> None:
    read = read_recipient(written, country)
    assert not read.number
    assert read.problem is not None
    assert read.problem.startswith(problem)
    national = country is None and problem.startswith(("write +", "it lacks"))
    assert ("default country" in read.problem) is national


def test_lists_keep_their_order_and_each_number_once() -> None:
    texts = [
        "+15551110002, 0015551110001;12345\n",
        "",
        " ,;\r\n",
        "+1 555 111 0001",
        "x, x",
        "12345",
    ]
    read = read_recipients(texts, None)
    assert [one.number for one in read] == ["+15551110002", "+15551110001", "12345", ""]
    assert [one.written for one in read] == ["+15551110002", "0015551110001", "12345", "x"]
    assert [one.place for one in read] == [1, 2, 3, 5]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        # Kannel's clients put blanks between numbers. Those within one have no + behind them.
        ("+15551110001 +15551110002", ["+15551110001", "+15551110002"]),
        ("+1 555 111 0001 +1 (555) 111-0002", ["+15551110001", "+15551110002"]),
        ("tel:+15551110001;ext=5;tel:+15551110002", ["+15551110001", "+15551110002"]),
        ("+15551110001\uff0c+15551110002\u060c12345", ["+15551110001", "+15551110002", "12345"]),
        ("", []),
        (" , ;\n", []),
    ],
)
def test_what_divides_recipients(text: str, numbers: list[str]) -> None:
    assert [one.number for one in read_recipients([text], None)] == numbers


def test_no_more_are_read_than_show_that_there_are_too_many() -> None:
    many = ",".join(f"+1555{n:07}" for n in range(MAX_MESSAGES + 50))
    assert len(read_recipients([many], "DE")) == MAX_MESSAGES + 1
    assert len(read_recipients([many[: 13 * MAX_MESSAGES]], "DE")) == MAX_MESSAGES
    assert len(read_recipients(["+15551110001," * 50_000], "DE")) == 1


def test_a_number_that_is_written_in_thousands_of_ways_is_not_read_each_time() -> None:
    ways = ["+1 555 1110001" + " /" * n for n in range(40)] + [
        f"+1 555{' ' * (n % 30)} 111{' ' * (n // 30)}0001" for n in range(MAX_WRITINGS)
    ]
    with pytest.raises(TooManyWritings):
        read_recipients([",".join(ways)], "DE")
    few = ",".join(ways[: MAX_WRITINGS // 2])
    assert [one.number for one in read_recipients([few], "DE")] == ["+15551110001"]


NUMBERS = st.from_regex(r"\+[1-9][0-9]{7,14}", fullmatch=True)
WRITTEN = st.text(st.sampled_from("+0123456789 -./()\u202a\uff11٤,;\nTel:ab"), max_size=40)


@given(WRITTEN | st.text(max_size=40), st.sampled_from(COUNTRIES))
def test_each_text_is_a_recipient_or_has_a_problem(text: str, country: str | None) -> None:
    read = read_recipient(text, country)
    assert (read.problem is None) == is_recipient(read.number)
    assert bool(read.problem) != bool(read.number)
    # What was read once is read again as the same.
    assert (
        not read.number
        or read_recipient(read.number, country).number == read.number
        or (not read.number.startswith("+"))
    )


@given(NUMBERS, st.sampled_from(COUNTRIES), st.data())
def test_signs_between_its_digits_change_no_number(
    number: str, country: str | None, data: st.DataObject
) -> None:
    at = data.draw(st.integers(1, len(number)))
    sign = data.draw(st.sampled_from([" ", "-", ".", "/", "\u00a0", "\u202d", "\u2013"]))
    for written in (
        number,
        f"{number[:at]}{sign}{number[at:]}",
        f"00{number[1:]}",
        f"tel:{number}",
    ):
        assert read_recipient(written, country).number == number


@given(st.lists(NUMBERS, max_size=8), st.sampled_from([",", ";", "\n", ", ", " ;\r\n"]))
def test_however_a_list_is_divided_it_is_the_same(numbers: list[str], sign: str) -> None:
    read = read_recipients([sign.join(numbers)], None)
    assert [one.number for one in read] == list(dict.fromkeys(numbers))
    assert read == read_recipients(numbers, None)


@given(st.lists(WRITTEN, max_size=6), st.sampled_from(COUNTRIES))
def test_no_number_comes_twice(texts: list[str], country: str | None) -> None:
    numbers = [one.number for one in read_recipients(texts, country) if one.number]
    assert len(numbers) == len(set(numbers))


def test_the_digits_of_a_cell() -> None:
    assert written_form(" tel:(0171) 555-01;x") == "017155501"
    assert written_form("٠٠٤٩ 171") == "0049171"
    assert written_form("AMAZON") == "AMAZON"


def test_recipients_are_not_shown() -> None:
    assert "1555" not in repr(read_recipient("+15551110001", None))


def test_no_plans_are_loaded_for_numbers_that_need_none() -> None:
    program = (
        "import sys; from phonegate.domain.recipients import read_recipients;"
        "read_recipients(['+1 555 111 0001, 0049 171 55501, 12345, x'], 'DE');"
        "sys.exit('phonenumbers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

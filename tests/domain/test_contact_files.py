"""Contacts of files, as phones and programs write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.contact_files import EMPTY, NO_NAMES, NO_NUMBERS, read_file, read_text
from phonegate.domain.vcards import write_vcards
from phonegate.model.contacts import Contact
from phonegate.pages.console.csv_cells import csv_text

GOOGLE = (
    "First Name,Last Name,Organization Name,Phone 1 - Label,Phone 1 - Value,Phone 2 - Value\n"
    "Anna,Ábel,,Mobile,+1 555-111-0001 ::: 0049 30 5550001,+15551110003\n"
    ",,Taxi & Co,,12345,\n"
    "Ben,,,,,\n"
)
OUTLOOK = '"Vorname";"Nachname";"Mobiltelefon"\r\n"Jörg";"Müller";"0171 5550001"\r\n'


def test_an_export_of_google_is_read() -> None:
    read = read_text(GOOGLE)
    assert [(one.name, one.number) for one in read.contacts] == [
        ("Anna Ábel", "+15551110001"),
        ("Anna Ábel", "+49305550001"),
        ("Anna Ábel", "+15551110003"),
        ("Taxi & Co", "12345"),
    ]
    assert [(one.line, one.problem) for one in read.problems] == [
        (4, "can't be sent to: it has no number")
    ]


def test_an_export_of_outlook_is_read_with_its_country() -> None:
    data = OUTLOOK.encode("cp1252")
    assert read_file(data, "DE").contacts == (Contact(number="+491715550001", name="Jörg Müller"),)
    problems = read_file(data).problems
    assert [one.line for one in problems] == [2]
    assert "country code" in problems[0].problem


def test_a_number_with_two_names_is_said() -> None:
    read = read_text("number,name\n+15551110001,Anna\n0015551110001,Anna\n+1 5551110001,Ben\n")
    assert [one.name for one in read.contacts] == ["Anna"]
    assert [one.line for one in read.duplicates] == [4]
    assert "line 2" in read.duplicates[0].problem


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", EMPTY),
        (b"\xef\xbb\xbf\r\n", EMPTY),
        (b"name,city\nAnna,Rome\n", NO_NUMBERS),
        (b"number,city\n+15551110001,Rome\n", NO_NAMES),
    ],
)
def test_a_file_without_contacts_says_what_it_needs(data: bytes, problem: str) -> None:
    assert [one.problem for one in read_file(data).problems] == [problem]


NAMES = st.text(st.characters(codec="utf-8"), max_size=60).map(lambda t: " ".join(t.split()))
CONTACTS = st.lists(
    st.builds(
        Contact,
        number=st.from_regex(r"\+[1-9][0-9]{7,13}", fullmatch=True),
        name=st.from_regex(r"[A-Za-zäöü='@+\-][A-Za-zäöü=+@,;\"' ]{0,40}[a-z]", fullmatch=True),
        label=st.sampled_from(["", "mobile", "work"]),
    ),
    unique_by=lambda one: one.number,
    min_size=1,
    max_size=8,
)


@given(CONTACTS)
def test_exports_are_read_again(contacts: list[Contact]) -> None:
    expected = {(one.number, " ".join(one.name.split())) for one in contacts}
    table = csv_text(["number", "name", "label"], [(c.number, c.name, c.label) for c in contacts])
    for text in (write_vcards(contacts), table):
        read = read_text(text)
        found = {(one.number, one.name) for one in read.contacts}
        assert found == expected
        assert read.problems == ()


@given(NAMES)
def test_no_text_breaks_it(text: str) -> None:
    for one in read_text(text).contacts:
        assert one.name

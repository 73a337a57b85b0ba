"""Cells of CSV that spreadsheets open."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.pages.console.csv_cells import cell, csv_file, csv_text


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://x")',
        "+1+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =1",
        "\u200e=1",
    ],
)
def test_a_formula_becomes_a_text(text: str) -> None:
    assert cell(text) == f"'{text}"


def test_no_formula_hides_behind_a_nul() -> None:
    assert cell("\0=1+1") == cell("=\x001+1") == "'=1+1"
    assert csv_text(["\0=1"], [["\0@x"]]) == "'=1\r\n'@x\r\n"


@pytest.mark.parametrize("text", ["+15551234567", "-3.5", "12", "Anna", "a=b", "", "1-2"])
def test_numbers_and_plain_texts_stay(text: str) -> None:
    assert cell(text) == text


def test_nothing_is_an_empty_cell() -> None:
    assert cell(None) == ""


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8")), min_size=2, max_size=2)))
def test_every_reader_gets_the_same_cells(rows: list[list[str]]) -> None:
    text = csv_text(["a", "=b"], rows)
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert read[0] == ["a", "'=b"]
    assert read[1:] == [[cell(value) for value in row] for row in rows]


def test_a_file_is_marked_as_utf_8() -> None:
    assert csv_file(["name"], [["Zoë"]]) == b"\xef\xbb\xbfname\r\nZo\xc3\xab\r\n"

"""Tables that people give, as their programs write them."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.line_problems import LineProblem
from phonegate.domain.written_tables import (
    MAX_CELL,
    NO_TEXT,
    TOO_LARGE,
    TOO_MANY,
    WORKBOOK,
    WrittenTable,
    decoded,
    read_table,
)


def _cells(table: WrittenTable) -> list[tuple[str, ...]]:
    return [row.cells for row in table.rows]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_sign_between_cells_is_found(delimiter: str) -> None:
    header, row = "\ufeffname{0}phone{0}when\r\n", '"A, B; C"{0}+15551110001{0}"1|2\n3"\r\n'
    text = header + row + "D{0}+15551110002{0}\r\n"
    table = read_table(text.format(delimiter))
    assert table.names == ("name", "phone", "when")
    assert _cells(table) == [("A, B; C", "+15551110001", "1|2\n3"), ("D", "+15551110002", "")]
    assert [row.line for row in table.rows] == [2, 4]
    assert table.number_columns == (1,)


def test_of_signs_that_cut_alike_the_usual_one_counts() -> None:
    table = read_table("name,phone;when\nAnna,+15551110001;now\n")
    assert table.names == ("name", "phone;when")


def test_a_table_may_have_as_many_columns_as_it_may() -> None:
    assert len(read_table("+15551110001" + ",b" * 99).rows) == 1


def test_excel_may_name_the_sign() -> None:
    table = read_table("sep=;\nnumber;text\n+15551110001;a,b,c\n")
    assert (table.names, table.rows[0].line) == (("number", "text"), 3)


def test_a_list_of_numbers_is_a_table() -> None:
    table = read_table("+15551110001\n0171 5550001\n\n12345\n")
    assert (table.has_header, table.names, table.number_columns) == (False, ("number",), (0,))
    assert [row.line for row in table.rows] == [1, 2, 4]


def test_a_table_without_header_has_names_for_its_columns() -> None:
    table = read_table("Anna,+15551110001,Monday\nBen,+15551110002,Friday\n")
    assert table.names == ("name", "number", "column 3")
    assert table.number_columns == (1,)


def test_columns_of_one_name_are_told_apart() -> None:
    assert read_table("a,A,,number\n1,2,3,+15551110001\n").names == (
        "a",
        "A 2",
        "column 3",
        "number",
    )


def test_what_hides_a_formula_is_taken_away() -> None:
    row = read_table("number,name\n'+15551110001,'=1+1\n+15551110002,'n Abend\n").rows
    assert [one.cell(0) for one in row] == ["+15551110001", "+15551110002"]
    assert [one.cell(1) for one in row] == ["=1+1", "'n Abend"]
    assert row[0].cell(7) == ""


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Zoë".encode("utf-8-sig"), "Zoë"),
        ("Zoë".encode("utf-16"), "Zoë"),
        (b"Zo\xeb", "Zoë"),
    ],
)
def test_character_sets_are_found(data: bytes, text: str) -> None:
    assert decoded(data) == text


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"PK\x03\x04" + bytes(100), WORKBOOK),
        (b"\xd0\xcf\x11\xe0", WORKBOOK),
        (b"\x89PNG\r\n\x1a\n\0\0", NO_TEXT),
    ],
)
def test_what_is_no_table_gets_a_sentence(data: bytes, problem: str) -> None:
    assert decoded(data) == LineProblem(0, problem)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a\0b", 0, NO_TEXT),
        ("x" * 10_000_000, 0, TOO_LARGE),
        ("+15551110001\n" * 100_000, 20_002, TOO_MANY),
        ("number,text\n+15551110001," + "x" * (MAX_CELL + 1), 2, "has a cell of more than 10000"),
        ('number,text\n+15551110001,a\n+15551110002,"b\n+15551110003,c\n', 3, "has a quote"),
        ("," * 200, 0, ""),
        ("a" + ",b" * 200, 1, "has more than 100 cells"),
    ],
)
def test_hostile_tables_get_a_sentence(text: str, line: int, problem: str) -> None:
    table = read_table(text)
    assert table.rows == ()
    if problem:
        assert [(one.line, one.problem[: len(problem)]) for one in table.problems] == [
            (line, problem)
        ]


CELLS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20
)
ROW = st.tuples(CELLS, CELLS, st.from_regex(r"\+[1-9][0-9]{8,12}", fullmatch=True))


@given(st.lists(ROW, min_size=1, max_size=10), st.sampled_from([",", ";", "\t"]))
def test_what_was_written_is_read_again(rows: list[tuple[str, str, str]], delimiter: str) -> None:
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerow(["first", "second", "number"])
    writer.writerows(rows)
    table = read_table(written.getvalue())
    assert table.names == ("first", "second", "number")
    assert _cells(table) == rows
    assert table.number_columns[0] == 2


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    table = read_table(text)
    for row in table.rows:
        for at in table.number_columns:
            row.cell(at)


@given(st.binary())
def test_no_file_breaks_it(data: bytes) -> None:
    found = decoded(data)
    if isinstance(found, str):
        read_table(found)

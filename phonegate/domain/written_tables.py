"""Reads tables that people give: CSV of whichever program, as text or as a file. Pure.

Programs differ in the sign between cells, in the character set and in whether there is a header.
All of that is found out here. What is no table at all gets a sentence that says what to do.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from phonegate.domain.line_problems import LineProblem
from phonegate.domain.recipients import written_form
from phonegate.model.numbers import is_recipient

MAX_CHARS: Final = 4_000_000
"""Characters of a table that are looked at: 200 for each of the most rows."""

MAX_ROWS: Final = 20_000
MAX_COLUMNS: Final = 100
MAX_CELL: Final = 10_000

_DELIMITERS: Final = (",", ";", "\t", "|")
_LOOKED_AT: Final = 20
"""Rows by which the sign between cells is guessed."""

_SEPARATOR_LINE: Final = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
"""The first line by which Excel is informed of the sign."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_NUMBER_NAME: Final = re.compile(
    r"phone|mobil|cell|handy|gsm|msisdn|\btel|number|nummer|num[eé]ro|^nr\.?$|^to$|recipient",
    re.IGNORECASE,
)
_NO_NUMBER_NAME: Final = re.compile(
    r"type|label|fax|house|customer|account|order|kunden|haus", re.IGNORECASE
)

TOO_LARGE: Final = "The table is too large: divide it into files of less than 4 MB."
TOO_MANY: Final = f"is more than {MAX_ROWS} rows allow: divide the table into several"
NO_TEXT: Final = "The file is no text. Save the table as CSV (UTF-8) and try again."
UNCLOSED: Final = "has a quote that is never closed, or a cell that is far too long"
WORKBOOK: Final = (
    "The file is a workbook, which only a spreadsheet opens. Save it as CSV (UTF-8) and try again."
)


@attrs.frozen
class Row:
    """A row of a table: the line where it begins, counted from 1, and its cells."""

    line: int
    cells: tuple[str, ...] = attrs.field(repr=False)

    def cell(self, at: int) -> str:
        """Returns a cell without the space around it. It is empty where the row is too short."""
        text = self.cells[at].strip() if at < len(self.cells) else ""
        # What made it no formula when it was written.
        return text[1:] if text[:1] == "'" and text[1:2] in _FORMULA else text


_FORMULA: Final = frozenset("=+-@＝＋－＠")  # noqa: RUF001


@attrs.frozen(kw_only=True)
class WrittenTable:
    """A table that was read."""

    names: tuple[str, ...] = ()
    """The names of its columns: its header, or made up."""
    has_header: bool = False
    rows: tuple[Row, ...] = attrs.field(default=(), repr=False)
    number_columns: tuple[int, ...] = ()
    """Which columns hold numbers to send to, the likeliest first."""
    problems: tuple[LineProblem, ...] = ()


def decoded(data: bytes) -> str | LineProblem:
    """Returns the text of a file, in whichever character set it is."""
    if data[:4] in {b"PK\x03\x04", b"\xd0\xcf\x11\xe0"}:
        return LineProblem(0, WORKBOOK)
    text = _decoded(data)
    if _CONTROL.search(text):
        return LineProblem(0, NO_TEXT)
    return text


def _decoded(data: bytes) -> str:
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return data.decode("utf-16", "replace").removeprefix("\ufeff")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # What Excel writes in western countries where it is not asked for UTF-8.
        return data.decode("cp1252", "replace")


def read_table(text: str) -> WrittenTable:
    """Reads a table. Of one that can't be read, `problems` says why and there are no rows."""
    if len(text) > MAX_CHARS or _CONTROL.search(text):
        return _none(0, TOO_LARGE if len(text) > MAX_CHARS else NO_TEXT)
    text = text.removeprefix("\ufeff")
    delimiter, first_line = None, 1
    if named := _SEPARATOR_LINE.match(text):
        delimiter, text, first_line = named[1], text[named.end() :], 2
    if delimiter is None or delimiter in '"\r\n ':
        delimiter = _delimiter(text)
    rows: list[Row] = []
    try:
        for row in _rows(text, delimiter, first_line):
            rows.append(row)
            if (problem := _too_much(row, len(rows))) is not None:
                return _none(row.line, problem)
    except csv.Error:
        line = rows[-1].line + 1 if rows else first_line
        return _none(line, UNCLOSED)
    if rows and text.count('"') % 2 and _is_unclosed(text, delimiter):
        return _none(rows[-1].line, UNCLOSED)
    return _table(rows)


def _too_much(row: Row, rows: int) -> str | None:
    """Returns what is too much of a table that has a row more."""
    if rows > MAX_ROWS + 1:
        return TOO_MANY
    if len(row.cells) > MAX_COLUMNS:
        return f"has more than {MAX_COLUMNS} cells"
    if any(len(cell) > MAX_CELL for cell in row.cells):
        return f"has a cell of more than {MAX_CELL} characters"
    return None


def _rows(text: str, delimiter: str, first_line: int) -> Iterator[Row]:
    """Yields the rows that are not empty.

    Raises:
        csv.Error: A cell is far too long, mostly since its quote is never closed.
    """
    # Else a single return would end no line.
    lines = io.StringIO(text, newline=None)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=delimiter != "\t")
    begin = first_line
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield Row(begin, tuple(cells))
        begin = first_line + reader.line_num


def _is_unclosed(text: str, delimiter: str) -> bool:
    try:
        for _ in csv.reader(io.StringIO(text, newline=None), delimiter=delimiter, strict=True):
            pass
    except csv.Error as error:
        return "end of data" in str(error)
    return False


def _delimiter(text: str) -> str:
    """Guesses the sign between cells: the one that cuts the first rows into equally many."""
    best, most = _DELIMITERS[0], 0.0
    beginning = text[:20_000]
    for one in _DELIMITERS:
        if one not in beginning:
            continue
        try:
            reader = csv.reader(io.StringIO(beginning, newline=None), delimiter=one)
            widths = [len(row) for row, _ in zip(reader, range(_LOOKED_AT), strict=False) if row]
        except csv.Error:
            continue
        if not widths:
            continue
        width, often = Counter(widths).most_common(1)[0]
        if width > 1 and often / len(widths) * min(width, 20) > most:
            best, most = one, often / len(widths) * min(width, 20)
    return best


def _table(rows: Sequence[Row]) -> WrittenTable:
    if not rows:
        return WrittenTable()
    width = max(len(row.cells) for row in rows)
    first = rows[0]
    numeric = [_share_of_numbers(rows[1:], at) for at in range(width)]
    has_header = not any(looks_like_number(first.cell(at)) for at in range(width)) and (
        len(rows) > 1 or any(_NUMBER_NAME.search(cell) for cell in first.cells)
    )
    if not has_header:
        numeric = [_share_of_numbers(rows, at) for at in range(width)]
    names = _names(first, width) if has_header else _made_up(numeric)
    columns = [
        at
        for at in range(width)
        if numeric[at] >= 0.5  # noqa: PLR2004 - of most rows
        or (has_header and _names_numbers(names[at]) and numeric[at] > 0)
        or (has_header and len(rows) == 1 and _names_numbers(names[at]))
    ]
    columns.sort(key=lambda at: (not (has_header and _names_numbers(names[at])), at))
    if not columns and has_header:
        columns = [at for at in range(width) if _names_numbers(names[at])][:1]
    return WrittenTable(
        names=names,
        has_header=has_header,
        rows=tuple(rows[1:] if has_header else rows),
        number_columns=tuple(columns),
    )


def _names_numbers(name: str) -> bool:
    return _NUMBER_NAME.search(name) is not None and _NO_NUMBER_NAME.search(name) is None


def looks_like_number(text: str) -> bool:
    """Tells whether a cell holds a number as people write one, with or without country code."""
    bare = written_form(text)
    return is_recipient(bare) or (
        bare.removeprefix("+").isdecimal() and bare.isascii() and 5 <= len(bare) <= 16  # noqa: PLR2004 - of national numbers
    )


def _share_of_numbers(rows: Sequence[Row], at: int) -> float:
    cells = [cell for row in rows[:200] if (cell := row.cell(at))]
    return sum(map(looks_like_number, cells)) / len(cells) if cells else 0.0


def _names(header: Row, width: int) -> tuple[str, ...]:
    """Returns the names of columns: those of the header, each once."""
    names: list[str] = []
    for at in range(width):
        name = " ".join(header.cell(at).split()) or f"column {at + 1}"
        while name.casefold() in {one.casefold() for one in names}:
            name = f"{name} {at + 1}"
        names.append(name)
    return tuple(names)


def _made_up(numeric: Sequence[float]) -> tuple[str, ...]:
    """Returns names for the columns of a table without a header."""
    likeliest = max(range(len(numeric)), key=lambda at: (numeric[at], -at))
    names = [f"column {at + 1}" for at in range(len(numeric))]
    names[likeliest] = "number"
    others = [at for at in range(len(numeric)) if at != likeliest]
    if others:
        names[others[0]] = "name"
    return tuple(names)


def _none(line: int, problem: str) -> WrittenTable:
    return WrittenTable(problems=(LineProblem(line, problem),))

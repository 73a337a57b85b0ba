"""CSV that is safe to open: no cell of it is a formula to a spreadsheet. Pure.

Names and texts are other people's words, and a spreadsheet runs a cell that begins as a formula
does (OWASP, "CSV injection"). An apostrophe before it makes it a text. The reader of contacts takes
the apostrophe away again.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final

MEDIA: Final = "text/csv; charset=utf-8"

_DANGEROUS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
"""What a cell of a formula begins with. Some spreadsheets read the wide forms as the narrow."""

_UNSEEN: Final = " \u00a0\u200b\u200e\u200f\u2060\ufeff"
"""What may stand before it unseen: some programs take it away as they read a file."""

_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
"""A phone number or a figure by itself. It is no formula, and programs read it back as it is."""


def cell(value: object) -> str:
    """Returns a value as the text of a cell. None is an empty one."""
    # A NUL would end the cell early in some readers. What it hides may begin a formula.
    text = "" if value is None else str(value).replace("\0", "")
    if text.lstrip(_UNSEEN).startswith(_DANGEROUS) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Writes a table with a header, as RFC 4180 has it."""
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow([cell(name) for name in header])
    for row in rows:
        writer.writerow([cell(value) for value in row])
    return written.getvalue()


def csv_file(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Writes it as a file. By the mark at its beginning Excel knows that it is UTF-8."""
    return csv_text(header, rows).encode("utf-8-sig", "replace")

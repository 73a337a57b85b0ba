"""Text for a terminal: tables, times, colours, and untrusted text without control characters."""

import itertools
import json
import re
import shutil
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import click

from phonegate.cli import columns

_LINE_END: Final = re.compile("\r\n|[\n\x85\u2028\u2029]")

_KEPT: Final = frozenset("\u200c\u200d\u200e\u200f\u061c")
"""Invisible characters that are needed to write Persian, Arabic and Hebrew and to join emojis.
Those that reverse a whole line are not among them."""

_TAGS: Final = range(0xE0020, 0xE0080)
"""Characters that spell the name of a flag's region after the black flag."""

_UNSEEN: Final = frozenset("\u00ad\u200b\u2060\ufeff")
"""Characters that allow or forbid a line break. A terminal shows nothing for them."""

Style = Mapping[str, Any]
"""Arguments of `click.style`."""

PLAIN: Final[Style] = {}

STATES: Final[Mapping[str, Style]] = {
    "received": {"fg": "cyan"},
    "queued": {"fg": "yellow"},
    "sending": {"fg": "yellow"},
    "sent": {"fg": "green"},
    "delivered": {"fg": "green", "bold": True},
    "failed": {"fg": "red"},
    "expired": {"fg": "red"},
    "cancelled": {"dim": True},
    "uncertain": {"fg": "magenta"},
}
"""The style of each message state."""

WAITS_FOR: Final[Mapping[str, str]] = {
    "approval": "a person's approval",
    "send_at": "its time",
    "phone": "its phone, which is away",
    "sim": "its SIM, which no phone online has",
    "turn": "its turn",
    "result": "the phone's result",
}
"""What a message waits for in words, by the API's `waiting_for`."""


def clean(text: object) -> str:
    """Returns untrusted text on one line, without the escape sequences that an SMS may contain."""
    words = _LINE_END.sub(" ⏎ ", str(text)).replace("\t", " ")
    if words.isascii() and words.isprintable():
        return words
    seen = (letter for letter in words if letter not in _UNSEEN)
    return "".join(letter if _is_harmless(letter) else "�" for letter in seen)


def _is_harmless(letter: str) -> bool:
    return (
        letter.isprintable()
        or letter in _KEPT
        or ord(letter) in _TAGS
        # Spaces of all kinds. Python counts only the plain one as printable.
        or unicodedata.category(letter) == "Zs"
    )


def moment(time: object) -> str:
    """Returns a UTC time of the API by this machine's clock, with its offset from UTC."""
    try:
        local = datetime.fromisoformat(str(time)).astimezone()
    except (ValueError, OverflowError):
        return clean(time)
    return f"{local:%Y-%m-%d %H:%M:%S} {local.isoformat()[-6:]}"


def optional_moment(time: object) -> str | None:
    """Returns the same for a time that may be absent."""
    return None if time is None else moment(time)


def table(
    headers: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    within: int | None = None,
    head: Style = PLAIN,
    style: Callable[[str, str], Style] = lambda _header, _cell: PLAIN,
) -> str:
    """Returns a table whose columns are as wide as their widest cell. None is shown as a dash.

    Args:
        headers: The headers of the columns.
        rows: The cells.
        within: The columns of the terminal. Cells that do not fit are broken into lines.
        head: The style of the headers.
        style: Returns the style of a cell, by its header and its text.
    """
    cells = [list(headers), *([("-" if c is None else clean(c)) for c in row] for row in rows)]
    widths = [max(columns.width(row[at]) for row in cells) for at in range(len(headers))]
    if within is not None:
        widths = columns.fit(widths, within)
    lines = _row(cells[0], widths, [head] * len(headers))
    for row in cells[1:]:
        lines += _row(row, widths, list(map(style, headers, row)))
    return "\n".join(lines)


def _row(row: Sequence[str], widths: Sequence[int], looks: Sequence[Style]) -> list[str]:
    """Returns one row of a table, which is several lines where a cell is broken."""
    broken = map(columns.wrap, row, widths)
    lines = []
    for pieces in itertools.zip_longest(*broken, fillvalue=""):
        last = max(at for at, piece in enumerate(pieces) if piece or at == 0)
        shown = [
            _styled(piece, look) + " " * (width - columns.width(piece) if at < last else 0)
            for at, (piece, width, look) in enumerate(
                zip(pieces[: last + 1], widths, looks, strict=False)
            )
        ]
        lines.append(columns.GAP.join(shown))
    return lines


def _styled(text: str, look: Style) -> str:
    return click.style(text, **look) if look and text else text


def state(status: str, text: str | None = None) -> str:
    """Returns a message's state in its colour, or another text in that colour."""
    return _styled(status if text is None else text, STATES.get(status, PLAIN))


def show_table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints a table, which on a terminal is in colour and broken to fit its lines."""

    def look(header: str, cell: str) -> Style:
        return STATES.get(cell, PLAIN) if header == "status" else PLAIN

    within = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    click.echo(table(headers, rows, within=within, head={"bold": True}, style=look))


def print_json(data: Any) -> None:
    """Prints JSON for programs, on one line."""
    click.echo(json.dumps(data))


def message_line(message: Mapping[str, Any]) -> str:
    """Returns one message as a line for a person, with its state in colour."""
    status = str(message["status"])
    return (
        f"{message['id']:>6}  {moment(message['created_at'])}  {party(message)} "
        f"{state(status, f'{status:<9}')}  {message_text(message)}"
    )


def party(message: Mapping[str, Any]) -> str:
    """Returns the direction of a message, and the other party in a column of its own."""
    arrow = "<-" if message["direction"] == "in" else "->"
    return f"{arrow} {columns.pad(clean(message['address'] or 'no sender'), 16)}"


def message_text(message: Mapping[str, Any]) -> str:
    """Returns the text of a message, and what went wrong with it or what it waits for."""
    text = clean(message["body"])
    if message.get("error"):
        return f"{text}  ({clean(message['error'])})"
    if message.get("waiting_for"):
        return f"{text}  (waits for {waits_for(message)})"
    return text


def waits_for(message: Mapping[str, Any]) -> str:
    """Returns what a message waits for, in words."""
    reason = str(message["waiting_for"])
    words = WAITS_FOR.get(reason, clean(reason))
    if reason == "send_at" and message.get("send_at"):
        return f"{words}, {moment(message['send_at'])}"
    return words

"""Text for a terminal: tables, and foreign text that can't move the cursor."""

import json
from collections.abc import Sequence
from typing import Any

import click


def clean(text: object) -> str:
    """Foreign text on one line: an SMS may hold escape sequences, and a terminal obeys them."""
    words = str(text).replace("\n", " ⏎ ")
    return "".join(letter if letter.isprintable() else "�" for letter in words)


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as their widest cell; None is a dash."""
    cells = [list(headers), *([("-" if c is None else clean(c)) for c in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headers))]
    lines = (
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )
    return "\n".join(lines)


def print_json(data: Any) -> None:
    """JSON for programs, on one line."""
    click.echo(json.dumps(data))


def message_line(message: dict[str, Any]) -> str:
    """One message as a person reads it."""
    arrow = "<-" if message["direction"] == "in" else "->"
    moment = str(message["created_at"])[:19].replace("T", " ")
    line = (
        f"{message['id']:>6}  {moment}  {arrow} {clean(message['address'] or 'no sender'):<16} "
        f"{message['status']:<9}  {clean(message['body'])}"
    )
    if message.get("error"):
        return f"{line}  ({clean(message['error'])})"
    return f"{line}  (waits for: {message['waiting_for']})" if message.get("waiting_for") else line

"""Finds what was sent in the phone's own list of sent SMS. Pure.

Termux:API never learns what became of an SMS. But Android keeps the texts of an app that is not
the phone's SMS app: the row appears in the sent box after the network took the last part. Of a
text that failed no row can be seen, so no row proves nothing.
"""

from collections.abc import Iterable

from phonegate.phone.radios.termux.sms_list import Row

CREATOR = "com.termux.api"
"""The app that Android writes down as the sender."""

_BLANK = "".join(map(chr, range(0x21)))
"""What Java's `trim` takes away: the space and all below it. Termux:API trims so."""
_COMPARED_DIGITS = 7
"""Of two spellings of a number that must agree: without country and area, some have no more."""


def trimmed(body: str) -> str:
    """Returns a text as the command sends it."""
    return body.encode(errors="replace").decode().strip(_BLANK)


def after(mark: int) -> str:
    """Returns the condition for what was sent by Termux after the row `mark`."""
    return f"_id > {mark} AND {_OURS}"


def since(date: int) -> str:
    """Returns the condition for what was sent by Termux since a time (ms since 1970, UTC)."""
    return f"date >= {date} AND {_OURS}"


_OURS = f"type == 2 AND creator == '{CREATOR}'"


def find(rows: Iterable[Row], to: str, body: str) -> Row | None:
    """Returns the first row that is this SMS, or None."""
    wanted = trimmed(body)
    for row in rows:
        if trimmed(row.body) == wanted and same_number(row.address, to):
            return row
    return None


def same_number(one: str, other: str) -> bool:
    """Tells whether two spellings may be one number: phones leave out or add the country."""
    mine, theirs = _digits(one), _digits(other)
    if mine == theirs:
        return bool(mine) or one == other
    shorter, longer = sorted((mine.lstrip("0"), theirs.lstrip("0")), key=len)
    return len(shorter) >= _COMPARED_DIGITS and longer.endswith(shorter)


def _digits(number: str) -> str:
    return "".join(letter for letter in number if letter.isascii() and letter.isdigit())

"""The SMS as `termux-sms-list` prints them. Pure.

A row has `_id`, `type`, `address`, `received` (local time, to the second) and `body`; neither the
SIM nor the app that sent it is shown, but a query can ask for both (`sub_id`, `creator`).
"""

import hashlib
import time
from collections.abc import Sequence
from typing import Any, Literal

import attrs

from phonegate.phone.radios.termux.errors import CommandFailed

PROGRAM = "termux-sms-list"

Box = Literal["all", "inbox", "sent"]
Order = Literal["ASC", "DESC"]

_TIME = "%Y-%m-%d %H:%M:%S"
_DIGITS = 19
"""Of the largest number in SQLite."""
_PRINT_BYTES = 6
"""Of a row's fingerprint. It only has to differ from that of another row with the same `_id`."""


@attrs.frozen(kw_only=True)
class Mark:
    """The identity of a row. Android gives an `_id` again once the newest row was deleted."""

    id: int
    date: int
    """ms since 1970, UTC."""
    print: str
    """A fingerprint of the other party and the text."""

    def __str__(self) -> str:
        return f"{self.id}-{self.date}-{self.print}"


@attrs.frozen(kw_only=True)
class Row:
    """One SMS. `date` is ms since 1970, UTC: when the phone received or sent it."""

    id: int
    box: str
    address: str = attrs.field(repr=False)
    body: str = attrs.field(repr=False)
    date: int

    @property
    def mark(self) -> Mark:
        """Its identity."""
        whole = f"{self.address}\0{self.body}".encode(errors="surrogatepass")
        digest = hashlib.blake2b(whole, digest_size=_PRINT_BYTES).hexdigest()
        return Mark(id=self.id, date=self.date, print=digest)


def arguments(
    box: Box, *, limit: int, where: str = "", order: Order, offset: int = 0
) -> tuple[str, ...]:
    """Returns the arguments for the first `limit` rows of a box in the order of their `_id`.

    `where` is an SQL condition. Android refuses one with a subquery.
    """
    return (
        *("-t", box, "-l", str(limit), "-o", str(offset)),
        *((f"--message-selection={where}",) if where else ()),
        f"--message-sort-order=_id {order}",
        "--message-return-no-order-reverse",
    )


def rows(answer: Any) -> list[Row]:
    """Returns the rows of an answer, whatever else stands in them. One without `_id` is no row.

    Raises:
        CommandFailed: The answer is not a list.
    """
    if answer is None:
        return []
    if not isinstance(answer, list):
        raise CommandFailed(PROGRAM, "its answer is not a list")
    found = (_row(one) for one in answer)
    return [row for row in found if row is not None]


def _row(fields: Any) -> Row | None:
    if not isinstance(fields, dict):
        return None
    number = _whole(fields.get("_id"))
    if number is None:
        return None
    return Row(
        id=number,
        box=_text(fields.get("type")),
        # `number` is the older name, and still there.
        address=_text(fields.get("address")) or _text(fields.get("number")),
        body=_text(fields.get("body")),
        date=date_of(_text(fields.get("received"))),
    )


def date_of(received: str) -> int:
    """Returns a local time as ms since 1970, UTC, or 0 for one that can't be read."""
    try:
        return max(0, int(time.mktime(time.strptime(received, _TIME)))) * 1000
    except (ValueError, OverflowError):
        return 0


def newest(listed: Sequence[Row]) -> int:
    """Returns the highest `_id`, or 0 where there is no row."""
    return max((row.id for row in listed), default=0)


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value[:_DIGITS])
    return value if type(value) is int and value >= 0 else None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return str(value) if type(value) is int else ""

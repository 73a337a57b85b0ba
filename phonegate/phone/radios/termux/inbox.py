"""How far the phone's inbox was read. Pure.

The newest rows that were seen are remembered by identity, not only the highest `_id`: Android
gives the `_id` of a deleted newest row to the next one, which a mere number would skip.
"""

from collections.abc import Sequence

import attrs

from phonegate.phone.radios.termux.sms_list import Mark, Row

KEPT = 20
"""Identities that are remembered. After more deletions than this the dates decide."""


def _latest(marks: Sequence[Mark]) -> tuple[Mark, ...]:
    return tuple(sorted(set(marks), key=lambda mark: mark.id)[-KEPT:])


@attrs.frozen
class Read:
    """The newest rows that were read, in the order of their `_id`."""

    seen: tuple[Mark, ...] = attrs.field(default=(), converter=_latest)

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Read":
        """Returns the state in which these rows are known already."""
        return cls([row.mark for row in rows])

    @property
    def next(self) -> str:
        """The condition for the newest row that was read and all after it."""
        return f"_id >= {self.seen[-1].id}" if self.seen else "_id > 0"

    @property
    def again(self) -> str:
        """The condition for all that may be new, where the newest row is gone."""
        return f"_id >= {self.seen[0].id}" if self.seen else "_id > 0"

    def holds(self, rows: Sequence[Row]) -> bool:
        """Tells whether the newest row is among those that `next` gave, so that they follow it."""
        return not self.seen or any(row.mark == self.seen[-1] for row in rows)

    def new(self, rows: Sequence[Row]) -> list[Row]:
        """Returns those of the rows that were not read before."""
        return [row for row in rows if row.mark not in self.seen]

    def survives(self, rows: Sequence[Row]) -> bool:
        """Tells whether any row that was read is among these."""
        return any(row.mark in self.seen for row in rows)

    def later(self, rows: Sequence[Row]) -> list[Row]:
        """Returns those of the rows that came after all that were read, by their dates.

        For an inbox of which nothing that was read is left. A row with an `_id` that is not
        below them all is new in any case.
        """
        if not self.seen:
            return list(rows)
        lowest, last = self.seen[0].id, max(mark.date for mark in self.seen)
        return [row for row in self.new(rows) if row.id >= lowest or row.date >= last]

    def on(self, rows: Sequence[Row]) -> "Read":
        """Returns the state after reading these as well."""
        return Read([*self.seen, *(row.mark for row in rows)])

    def afresh(self, rows: Sequence[Row]) -> "Read":
        """Returns the state in which only these rows are known: the inbox as it now is."""
        return Read([row.mark for row in rows])

    def encode(self) -> str:
        """Returns the state as a line of text."""
        return " ".join(str(mark) for mark in self.seen)

    @classmethod
    def decode(cls, line: str) -> "Read":
        """Returns the state that `encode` wrote.

        Raises:
            ValueError: It is not such a line.
        """
        parts = (word.split("-", 2) for word in line.split())
        return cls(
            [Mark(id=int(number), date=int(date), print=print_) for number, date, print_ in parts]
        )

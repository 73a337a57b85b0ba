"""Orgs that come from another gateway: taken in chunk by chunk, and served once all of it is here.

Until then such an org has its name and is suspended. What one chunk needs is stored with it: its
words, its part of the counts and of the conversations. So whatever ends the process, the next try
goes on with the next chunk.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

import attrs

from phonegate.store.conversations import Conversations
from phonegate.store.events import Events
from phonegate.store.moving.contents import (
    EVENTS,
    MESSAGES,
    ORG_COLUMNS,
    ORGS,
    SPACES,
    Part,
    every_part,
)
from phonegate.store.moving.given_ids import given, keep_above
from phonegate.store.moving.moved_ids import Shifts, moved, shift_for
from phonegate.store.moving.org_file import Chunk, FileProblem, Head
from phonegate.store.moving.org_reading import kept
from phonegate.store.moving.row_rules import demand, named_keys
from phonegate.store.orgs import Orgs
from phonegate.store.word_index import WordIndex

_PARTS: Final = every_part()

_CONVERSATION: Final = """
    INSERT INTO conversations (org, address, last, last_in, read_to) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (org, address) DO UPDATE SET last = max(last, excluded.last),
        last_in = max(last_in, excluded.last_in), read_to = max(read_to, excluded.read_to)
"""
"""Those of messages come with them, and the marks of what was read after them."""

_NOT_YET: Final = 1 << 61
"""What is added to the times at which keys were revoked whose messages have not wholly come: so the
scheduler never asks for them."""

_MAY_BE_THERE: Final = frozenset({"ended_keys", "org_places", "published_secrets"})
"""Tables of which a row of the org may be here before its file brings it. Its callers try again
while it comes, and one with the right secret is remembered by its place."""

_END_KEYS: Final = """
    UPDATE ended_keys SET ended_at = ended_at - :added WHERE ended_at >= :added AND EXISTS (
        SELECT 1 FROM messages INDEXED BY messages_by_key
        WHERE org = :org AND key = ended_keys.key
    )
"""

_TALLY: Final = """
    INSERT INTO tallies VALUES (?, ?) ON CONFLICT (status) DO UPDATE SET n = n + excluded.n
"""

_MARK: Final = """
    INSERT INTO marks VALUES (?, ?)
    ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)
"""


_OTHERS: Final[Mapping[str, str]] = {
    space: f"SELECT 1 FROM {table} WHERE {column} IN (SELECT value FROM json_each(?)) AND org <> ?"  # noqa: S608 - constants
    " LIMIT 1"
    for space, ((table, column), *_) in SPACES.items()
    if table != ORGS and "org" in _PARTS[table].columns
}

_OTHERS_KEYS: Final = (
    "SELECT 1 FROM api_keys WHERE id IN (SELECT value FROM json_each(?)) AND org <> ? LIMIT 1",
    # Of a revoked key, only messages are left.
    "SELECT 1 FROM json_each(?) AS k JOIN ended_keys AS e ON e.key = k.value"
    " WHERE EXISTS (SELECT 1 FROM orgs AS o JOIN messages AS m INDEXED BY messages_by_key"
    " ON m.org = o.id AND m.key = k.value WHERE o.id <> ?) LIMIT 1",
)


MOST_OF_32_BITS: Final = 2**31 - 1
"""The largest id of a message for a program of a phone that keeps it in 32 bits with a sign."""


class OutOfTurn(Exception):
    """A chunk is not the next one of its import, or there is no such import any more."""


class LargeIds(Exception):
    """Messages would get ids that not every program of a phone can keep."""


class NotOfOrg(Exception):
    """A row is none of the org that is taken in. The text says which."""


@attrs.frozen(kw_only=True)
class Import:
    """An org that has not wholly come yet."""

    org: int
    file: str
    """The id of the file that it comes from."""
    shifts: Shifts | None
    """By how much its ids grow. None until that is known."""
    chunks: int
    """How many chunks of the file are stored."""


class OrgImports:
    """The rows of `imports`, and those of the orgs that they are about."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        word_index: WordIndex,
        conversations: Conversations,
        events: Events,
        orgs: Orgs,
    ) -> None:
        self._connection = connection
        self._word_index = word_index
        self._conversations = conversations
        self._events = events
        self._orgs = orgs

    def named(self, name: str) -> Import | None:
        """Returns the import of the org of this name, where there is one under way."""
        row = self._connection.execute(
            "SELECT i.org, i.file, i.shifts, i.chunks FROM imports AS i JOIN orgs AS o"
            " ON o.id = i.org WHERE o.name = ?",
            (name,),
        ).fetchone()
        if row is None:
            return None
        shifts = None if row[2] is None else json.loads(row[2])
        return Import(org=row[0], file=row[1], shifts=shifts, chunks=row[3])

    def names(self) -> set[str]:
        """Returns the names of the orgs that have not wholly come yet."""
        rows = self._connection.execute(
            "SELECT o.name FROM imports AS i JOIN orgs AS o ON o.id = i.org"
        )
        return {name for (name,) in rows}

    def begin(self, head: Head, now: int, *, large_ids: bool) -> Import:
        """Makes an org that is not served. Its name is free.

        Ids that its phones or apps may have seen are given to no other row from now on.

        Raises:
            LargeIds: Ids of messages would need more than 32 bits, for the first time here, and
                may not.
        """
        self._demand_small(head.given.get(MESSAGES, 0), large_ids=large_ids)
        row = {name: head.org.get(name) for name in ORG_COLUMNS if name in head.org}
        if self._is_taken("orgs", [head.org["id"]]):
            del row["id"]
        row["suspended_at"] = now
        cursor = self._connection.execute(
            f"INSERT INTO orgs ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",  # noqa: S608
            tuple(row.values()),
        )
        assert cursor.lastrowid is not None, "an INSERT of one row"  # noqa: S101
        org = cursor.lastrowid
        self._orgs.undone()
        self._connection.execute("INSERT INTO imports (org, file) VALUES (?, ?)", (org, head.id))
        for space in SPACES:
            self._keep_above(space, head.given.get(space, 0))
        return Import(org=org, file=head.id, shifts=None, chunks=0)

    def forget(self, org: int) -> None:
        """Deletes an org of which no chunk is stored."""
        self._connection.execute(
            "DELETE FROM orgs"
            " WHERE id = (SELECT org FROM imports WHERE org = ? AND shifts IS NULL)",
            (org,),
        )
        self._orgs.undone()

    def taken(self, space: str, ids: Collection[int]) -> bool:
        """Tells whether any of these ids is that of another org's row, or of what one has left."""
        return self._is_taken(space, ids)

    def plan(
        self,
        one: Import,
        head: Head,
        taken: Collection[str],
        highest: Mapping[str, int],
        *,
        large_ids: bool,
    ) -> Import:
        """Fixes by how much the ids of an org grow, and keeps those for it.

        Args:
            one: The import.
            head: That of its file.
            taken: The spaces in which other orgs have some of its ids.
            highest: The highest id in the file by space, whatever the head says.
            large_ids: Whether ids of messages may need more than 32 bits.

        Raises:
            LargeIds: They would, for the first time here, and may not.
        """
        shifts = {}
        for space in SPACES:
            there = max(head.given.get(space, 0), highest.get(space, 0))
            if space in taken:
                shifts[space] = shift_for(given(self._connection, space), there)
            top = shifts.get(space, 0) + there
            if space == MESSAGES:
                self._demand_small(top, large_ids=large_ids)
            # What comes to others meanwhile comes after it.
            self._keep_above(space, top)
        self._connection.execute(
            "UPDATE imports SET shifts = ? WHERE org = ?", (json.dumps(shifts), one.org)
        )
        return attrs.evolve(one, shifts=shifts)

    def put(self, one: Import, columns: Sequence[str], chunk: Chunk) -> None:
        """Stores the next chunk.

        Args:
            one: The import, whose shifts are known.
            columns: What the chunk's rows hold.
            chunk: What comes next.

        Raises:
            OutOfTurn: It is not the next one: another try is at it, or the org was removed.
            NotOfOrg: A row is none of this org.
            sqlite3.IntegrityError: A row is there that no other org should have.
        """
        (done,) = self._connection.execute(
            "SELECT chunks FROM imports WHERE org = ?", (one.org,)
        ).fetchone() or (None,)
        if done != chunk.number:
            raise OutOfTurn(chunk.number)
        part, rows = _PARTS[chunk.table], chunk.rows
        try:
            moved(part, columns, rows, one.shifts or {})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise NotOfOrg(f"{chunk.table} in part {chunk.number} can't be read") from error
        self._demand_own(one.org, part, columns, rows)
        named = "org" in part.columns
        if chunk.table == "ended_keys":
            # Their messages come later. Until then none of them is cleared away.
            rows = [[key, ended_at + _NOT_YET] for key, ended_at in rows]
        if chunk.table == "assistants":
            rows = _undeclared(columns, rows)
        if chunk.table == "conversations":
            self._connection.executemany(_CONVERSATION, [(one.org, *row) for row in rows])
        else:
            names = (*(["org"] if named else []), *columns)
            verb = "INSERT OR REPLACE" if chunk.table in _MAY_BE_THERE else "INSERT"
            self._connection.executemany(
                f"{verb} INTO {chunk.table} ({', '.join(_quoted(names))})"
                f" VALUES ({', '.join('?' * len(names))})",
                [(one.org, *row) for row in rows] if named else rows,
            )
        if chunk.table == MESSAGES:
            self._follow(one.org, columns, rows)
        self._connection.execute(
            "UPDATE imports SET chunks = ? WHERE org = ?", (chunk.number + 1, one.org)
        )

    def finish(self, one: Import, head: Head) -> None:
        """Has an org served that has wholly come.

        Raises:
            OutOfTurn: It was removed meanwhile, or another try has finished it.
        """
        if not self._connection.execute(
            "SELECT 1 FROM imports WHERE org = ?", (one.org,)
        ).fetchone():
            raise OutOfTurn(one.org)
        shift = (one.shifts or {}).get(MESSAGES, 0)
        if plain := head.marks.get("plain_fingerprints"):
            self._connection.execute(_MARK, ("plain_fingerprints", plain + shift))
        self._connection.execute(_END_KEYS, {"added": _NOT_YET, "org": one.org})
        self._connection.execute("DELETE FROM imports WHERE org = ?", (one.org,))
        self._events.undone_listeners()
        self._orgs.resume(one.org)
        self._orgs.is_back(one.org)

    def _follow(self, org: int, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Stores what follows from messages: counts, conversations and words."""
        place = {name: n for n, name in enumerate(columns)}
        id_, status = place["id"], place["status"]
        direction, address, body = (place[name] for name in ("direction", "address", "body"))
        sums = Counter(row[status] for row in rows)
        self._connection.executemany(_TALLY, list(sums.items()))
        newest: dict[str, tuple[int, int]] = {}
        for row in rows:
            last, last_in = newest.get(row[address], (0, 0))
            came = row[id_] if row[direction] == "in" else 0
            newest[row[address]] = max(last, row[id_]), max(last_in, came)
        self._connection.executemany(
            _CONVERSATION, [(org, one, *ids, 0) for one, ids in newest.items()]
        )
        self._word_index.add(
            [(row[id_], org, row[direction], row[address], row[body]) for row in rows]
        )

    def _demand_own(
        self, org: int, part: Part, columns: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> None:
        """Demands that what rows refer to is no other org's.

        The ids were looked at before, and this is for a file that has changed since.

        Raises:
            NotOfOrg: It is.
        """
        asked = [
            (space, columns.index(name)) for name, space in part.ids.items() if name in columns
        ]
        for space, place in asked:
            ids = json.dumps([row[place] for row in rows if row[place]])
            if (sql := _OTHERS.get(space)) and self._connection.execute(sql, (ids, org)).fetchone():
                raise NotOfOrg(f"{part.table} refers to {space} of another org")
        keys = json.dumps(named_keys(part, columns, rows))
        if any(self._connection.execute(sql, (keys, org)).fetchone() for sql in _OTHERS_KEYS):
            raise NotOfOrg(f"{part.table} refers to an API key of another org")

    def _is_taken(self, space: str, ids: Collection[int]) -> bool:
        asked = json.dumps(list(ids))
        return any(
            self._connection.execute(
                f"SELECT 1 FROM {table} WHERE {column}"  # noqa: S608 - constants
                " IN (SELECT value FROM json_each(?)) LIMIT 1",
                (asked,),
            ).fetchone()
            for table, column in SPACES[space]
        )

    def _demand_small(self, top: int, *, large_ids: bool) -> None:
        if not large_ids and given(self._connection, MESSAGES) <= MOST_OF_32_BITS < top:
            raise LargeIds(top)

    def _keep_above(self, space: str, id_: int) -> None:
        """Gives no id up to this one in a space from now on."""
        if space == EVENTS:
            self._events.keep_above(id_)
        else:
            keep_above(self._connection, space, id_)


def columns_here(chunk: Chunk, head: Head) -> tuple[str, ...]:
    """Returns the columns of a chunk's rows in a file, all of which there are here.

    Raises:
        FileProblem: There is no such table, it has other columns, or rows that can't be its.
    """
    table, columns = chunk.table, head.tables.get(chunk.table, ())
    known = set(kept(_PARTS[table])) if table in _PARTS and table in head.tables else None
    if known is None or not known.issuperset(columns):
        raise FileProblem(f"it has rows of {table!a} that this gateway can't read")
    demand(_PARTS[table], chunk, head)
    return columns


def _undeclared(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Makes assistants ones that no configuration declares.

    That of this gateway does not, so that its next start would end them.
    """
    place = columns.index("from_file")
    return [[*row[:place], 0, *row[place + 1 :]] for row in rows]


def _quoted(names: Sequence[str]) -> list[str]:
    return [f'"{name}"' for name in names]


def ids_of(head: Head, chunk: Chunk) -> Mapping[str, AbstractSet[int]]:
    """Returns the ids that a chunk's rows have or refer to, by the space that they are of.

    What they refer to may be gone, and then the id must not be that of another org's row either.
    """
    part, columns = _PARTS[chunk.table], head.tables[chunk.table]
    found: dict[str, set[int]] = {}
    for column, space in part.ids.items():
        if column in columns:
            place = columns.index(column)
            found.setdefault(space, set()).update(row[place] for row in chunk.rows if row[place])
    return found

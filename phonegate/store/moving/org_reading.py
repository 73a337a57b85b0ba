"""Reads all that belongs to an org, a chunk at a time, in bounded memory. Blocking.

The reader has a connection of its own. Of an org that is served it reads one state throughout, and
until it is done the log of the database can't be emptied and grows, as with a backup. Of one that
is suspended nothing changes, so it lets go of what it has read with each page, and looks with the
next one whether the org is suspended still.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import dropwhile
from typing import Any, Final

import attrs

from phonegate.store.migrations import VERSION, version
from phonegate.store.moving.contents import (
    MESSAGES,
    ORG_COLUMNS,
    ORG_CREDENTIALS,
    PARTS,
    SPACES,
    Part,
    without_credentials,
)
from phonegate.store.moving.given_ids import given
from phonegate.store.moving.org_file import FOR_READING, Chunk, Head, Reached, Row

PAGE: Final = 100
"""Rows of one page, and most of one chunk: with their indexes and words 5 ms of the writer, and
rarely 15, for which others may have to wait."""

CHUNK_BYTES: Final = 128 * 1024
"""Bytes of texts and data after which a chunk ends. It has one row at least."""

MARKS: Final = ("plain_fingerprints",)
"""The gateway's marks that say something of the org's rows."""

_MESSAGE_IDS: Final = """
    SELECT id FROM messages INDEXED BY messages_by_org
    WHERE org = :org AND direction = 'in' AND id > :k0
    UNION ALL
    SELECT id FROM messages INDEXED BY messages_by_org
    WHERE org = :org AND direction = 'out' AND id > :k0
    ORDER BY id LIMIT :limit
"""
"""A merge of two ranges, without going through the messages of others."""

_ENDED_KEYS: Final = """
    SELECT key, ended_at FROM ended_keys
    WHERE key > :k0 AND EXISTS (
        SELECT 1 FROM messages INDEXED BY messages_by_key WHERE org = :org AND key = ended_keys.key
    )
    ORDER BY key LIMIT :limit
"""


_Keyed = tuple[Row, tuple[Any, ...]]
"""A row as it is kept, and its key."""

_Piece = tuple[str, list[Row]]
"""Rows of a table."""


class CantRead(Exception):
    """An org can't be read, or not to its end. Its fields are those of `MoveFailed`."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(problem)


class NoLongerSuspended(CantRead):
    """The org was resumed or removed while it was read: the pages are not of one state."""


@attrs.frozen(kw_only=True)
class OrgReader:
    """Reads one org from a connection that may be read from alone.

    Raises:
        CantRead: Another version of phonegate uses the database.
    """

    connection: sqlite3.Connection
    name: str
    credentials: bool = True
    """Whether what gives a right is read too."""

    @property
    def _parts(self) -> Sequence[Part]:
        return PARTS if self.credentials else without_credentials()

    def head(self, id: str, program: str, now: int) -> Head:  # noqa: A002 - the field's own name
        """Begins to read, and returns what the file will be of.

        Args:
            id: Names this export.
            program: The version of phonegate.
            now: In ms.

        Raises:
            CantRead: There is none of this name, or it has not wholly come.
        """
        self._begin()
        hidden = () if self.credentials else ORG_CREDENTIALS
        columns = [name for name in ORG_COLUMNS if name not in hidden]
        found = self.connection.execute(
            f"SELECT {', '.join(columns)}, suspended_at FROM orgs WHERE name = ?",  # noqa: S608
            (self.name,),
        ).fetchone()
        if found is None:
            raise CantRead(
                f"there is no org named {self.name}", "`phonegate org list` shows those there are"
            )
        *row, suspended_at = found
        org = dict(zip(columns, row, strict=True))
        coming = self.connection.execute("SELECT 1 FROM imports WHERE org = ?", (org["id"],))
        if coming.fetchone() is not None:
            raise CantRead(
                f"{self.name} has not wholly come to this gateway", "Import its file again first"
            )
        (count,) = self.connection.execute(
            "SELECT count(*) FROM messages INDEXED BY messages_by_org WHERE org = ?", (org["id"],)
        ).fetchone()
        return Head(
            note=None if self.credentials else FOR_READING,
            id=id,
            schema=VERSION,
            version=program,
            made_at=now,
            suspended_at=suspended_at,
            org=org,
            tables={part.table: kept(part) for top in self._parts for part in (top, *top.children)},
            given={space: given(self.connection, space) for space in SPACES},
            marks=dict(
                self.connection.execute(
                    "SELECT name, value FROM marks WHERE name IN (SELECT value FROM json_each(?))",
                    (json.dumps(MARKS),),
                )
            ),
            messages=count,
        )

    def chunks(self, head: Head, begin: int = 0, after: Reached | None = None) -> Iterator[Chunk]:
        """Yields what belongs to the org.

        Args:
            head: As `head` has returned it, now or of an earlier try.
            begin: The number of the first chunk.
            after: Where an earlier try has come to. Of an org that has not changed since.

        Raises:
            NoLongerSuspended: It was when the head was read, and is not any more.
        """
        number = begin
        first, key = (PARTS[0].table, None) if after is None else after
        for part in dropwhile(lambda one: one.table != first, self._parts):
            while page := self._page(part, head.org["id"], key):
                key = page[-1][1]
                pieces = self._of_page(part, page)
                table, rows = next(pieces)
                # The last of all says that the page is complete.
                for following in pieces:
                    yield Chunk(number=number, table=table, rows=rows)
                    number += 1
                    table, rows = following
                yield Chunk(number=number, table=table, rows=rows, reached=(part.table, key))
                number += 1
                if head.suspended_at is not None:
                    self._go_on(head)
                if len(page) < PAGE:
                    break
            key = None

    def _of_page(self, part: Part, page: Sequence[_Keyed]) -> Iterator[_Piece]:
        """Yields the rows of a page, and after them what belongs to them."""
        yield from _pieces(part.table, [row for row, _ in page])
        for child in part.children:
            parents = [key[0] for _, key in page]
            yield from _pieces(child.table, self._children(child, parents))

    def _begin(self) -> None:
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")
        self.connection.execute("BEGIN")
        if version(self.connection) != VERSION:
            raise CantRead(
                "another version of phonegate serves the database", "Restart the gateway"
            )

    def _go_on(self, head: Head) -> None:
        """Begins another page of an org that is suspended since the head was read."""
        self._begin()
        still = self.connection.execute(
            "SELECT 1 FROM orgs WHERE id = ? AND suspended_at = ?",
            (head.org["id"], head.suspended_at),
        )
        if still.fetchone() is None:
            raise NoLongerSuspended(
                f"{self.name} was resumed or removed meanwhile", "Suspend it and export it again"
            )

    def _page(self, part: Part, org: int, after: tuple[Any, ...] | None) -> list[_Keyed]:
        """Returns the next rows of a part, as they are kept, each with its key."""
        asked = {"org": org, "limit": PAGE}
        asked |= {f"k{n}": value for n, value in enumerate(after or _least(part))}
        if part.table == MESSAGES:
            ids = [id_ for (id_,) in self.connection.execute(_MESSAGE_IDS, asked)]
            rows = self.connection.execute(
                f"SELECT {_names(kept(part))} FROM messages"  # noqa: S608 - constants
                " WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
                (json.dumps(ids),),
            )
        elif part.table == "ended_keys":
            rows = self.connection.execute(_ENDED_KEYS, asked)
        elif part.key == ("org",):
            if after is not None:
                return []
            rows = self.connection.execute(
                f"SELECT {_names(kept(part)) or 'NULL'} FROM {part.table} WHERE org = :org",  # noqa: S608
                asked,
            )
            return [([*row][: len(kept(part))], (0,)) for row in rows]
        else:
            keys = ", ".join(f":k{n}" for n in range(len(part.key)))
            beyond = "" if after is None else f" AND ({_names(part.key)}) > ({keys})"
            rows = self.connection.execute(
                f"SELECT {_names(kept(part))} FROM {part.table}"  # noqa: S608 - constants
                f" WHERE org = :org{beyond} ORDER BY {_names(part.key)} LIMIT :limit",
                asked,
            )
        places = [kept(part).index(name) for name in part.key]
        return [([*row], tuple(row[place] for place in places)) for row in rows]

    def _children(self, part: Part, parents: Sequence[Any]) -> Iterator[list[Any]]:
        cursor = self.connection.execute(
            f"SELECT {_names(kept(part))} FROM {part.table}"  # noqa: S608 - constants
            f" WHERE {part.of} IN (SELECT value FROM json_each(?))",
            (json.dumps(list(parents)),),
        )
        for row in cursor:
            yield [*row]


def kept(part: Part) -> tuple[str, ...]:
    """Returns the columns that a file has: all but the org, which the head names."""
    return tuple(name for name in part.columns if name != "org")


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _least(part: Part) -> tuple[Any, ...]:
    return ("",) if part.table == "ended_keys" else (0,)


def _pieces(table: str, rows: Iterable[list[Any]]) -> Iterator[_Piece]:
    """Yields rows in pieces of a bounded size."""
    piece: list[list[Any]] = []
    size = 0
    for row in rows:
        width = sum(len(value) for value in row if isinstance(value, str | bytes))
        if piece and (len(piece) >= PAGE or size + width > CHUNK_BYTES):
            yield table, piece
            piece, size = [], 0
        piece.append(row)
        size += width
    if piece:
        yield table, piece

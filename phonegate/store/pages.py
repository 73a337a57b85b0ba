"""Pages of messages: any filter, in the order of ids, without sorting and without counting.

A page reads one index from where the reader stands and stops when it is full, so it costs the
same however much is stored. The indexes end in `direction` (SQLite appends the rowid); a page
of both directions is the merge of two ranges, which SQLite does as it goes ("MERGE (UNION
ALL)" in its plans). Filters that the chosen index does not hold are checked row by row:

- what waits for approval is few, so that comes first;
- an address is nearly always the rarest thing, so it is next;
- then the SIM, unless a status is asked for that few messages have or have for long;
- then the status, then the direction.

Indexes are named in the SQL: SQLite keeps no statistics here, and a plan that changed with
the data would be a page that is slow some day.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, Final, TypeVar

import attrs

from phonegate.store import search
from phonegate.store.records import Message, PageQuery
from phonegate.store.rows import COLUMNS, MAX_ID, SELECTED, message

T = TypeVar("T")

_BODY: Final = COLUMNS.index("body")

_COMMON: Final = frozenset({"received", "sent", "delivered"})
"""Statuses that messages end in as a rule: an org's history is made of them."""

_MAX_SLOT_DIGITS: Final = 2
"""`sim` is a slot up to here, beyond it a number: the shortest short codes have three digits."""

TO_APPROVE: Final = "status = 'queued' AND approval = 'asked'"
"""The condition of the index `messages_to_approve`."""

_FEW: Final = 200
"""Messages that are sooner read and cut into words (2 ms) than found by the index of words."""

MAX_CHARS: Final = 2_000_000
"""Characters of bodies after which a page ends, before its limit. A thousand of the longest texts
that can be sent stay below; a thousand of the longest that can be received would be 200 MB."""

_TAIL: Final = 1_000_000
"""More than the index of words can ever be behind; the writer keeps it below some thousands."""


@attrs.frozen
class Shape:
    """What of a page's SQL depends on the query: which filters there are, never their values."""

    index: str
    keys: tuple[str, ...]
    directions: tuple[str, ...]
    """The ranges to merge; empty for the index that doesn't end in `direction`."""
    checks: tuple[str, ...]
    since: bool
    before: bool
    only_id: bool = False
    partial: str = ""
    """The condition of the index, where it holds a part of the messages only."""


class Pages:
    """Reads pages over one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def page(self, org: int, query: PageQuery) -> list[Message]:
        """See `Messages.page`."""
        if query.search is None:
            return [message(row) for row in self._rows(org, query, bounded=True)]
        asked = search.terms(query.search)
        if asked is None:
            return []
        if query.since_id is None:
            found = list(_bounded(self._newest_first(org, query, asked), _size))
            return found[::-1]
        return list(_bounded(self._oldest_first(org, query, asked), _size))

    def indexed(self) -> int:
        """The id up to which the index of words is complete."""
        row = self._connection.execute("SELECT value FROM marks WHERE name = 'indexed'").fetchone()
        return int(row[0])

    def _rows(
        self, org: int, query: PageQuery, *, only_id: bool = False, bounded: bool = False
    ) -> list[Any]:
        found = shape(query, only_id=only_id)
        if found is None or query.limit <= 0:
            return []
        try:
            cursor = self._connection.execute(sql(found), values(org, query))
            rows = list(_bounded(cursor, _size_of_row) if bounded else cursor)
        except UnicodeEncodeError:
            return []  # A lone surrogate, which no stored text can hold.
        if query.since_id is None:
            rows.reverse()
        return rows

    def _newest_first(self, org: int, query: PageQuery, asked: search.Terms) -> Iterator[Message]:
        left = query.limit
        upto = self.indexed()
        for found in reversed(self._tail(org, query, asked, upto)):
            if left <= 0:
                return
            left -= 1
            yield found
        before = min(upto + 1, MAX_ID if query.before_id is None else query.before_id)
        while left > 0:
            # Where the org, or the address or SIM sought in it, has nothing, there is nothing
            # to search: this steps over what others have stored meanwhile.
            newest = self._rows(org, attrs.evolve(query, before_id=before, limit=1), only_id=True)
            if not newest:
                return
            number = search.bucket(newest[0][0])
            first = number << search.BUCKET_BITS
            bounds = attrs.evolve(query, since_id=first - 1, before_id=before, limit=left)
            for found in self._matching(org, bounds, asked, number, newest=True):
                left -= 1
                yield found
            before = first

    def _oldest_first(self, org: int, query: PageQuery, asked: search.Terms) -> Iterator[Message]:
        left = query.limit
        upto = self.indexed()
        since = max(query.since_id or 0, 0)
        before = min(upto + 1, MAX_ID if query.before_id is None else query.before_id)
        while left > 0:
            oldest = self._rows(
                org, attrs.evolve(query, since_id=since, before_id=before, limit=1), only_id=True
            )
            if not oldest:
                break
            number = search.bucket(oldest[0][0])
            last = ((number + 1) << search.BUCKET_BITS) - 1
            bounds = attrs.evolve(
                query, since_id=since, before_id=min(before, last + 1), limit=left
            )
            for found in self._matching(org, bounds, asked, number, newest=False):
                left -= 1
                yield found
            since = last
        for found in self._tail(org, query, asked, upto):
            if left <= 0:
                return
            left -= 1
            yield found

    def _tail(self, org: int, query: PageQuery, asked: search.Terms, upto: int) -> list[Message]:
        """The matches among the few messages that the index lacks yet."""
        since = upto if query.since_id is None else max(upto, query.since_id)
        rows = self._rows(org, attrs.evolve(query, since_id=since, limit=_TAIL))
        return [found for found in map(message, rows) if search.matches(found.body, asked)]

    def _matching(
        self, org: int, query: PageQuery, asked: search.Terms, number: int, *, newest: bool
    ) -> list[Message]:
        """The matches in a range of ids within one bucket."""
        found = shape(query)
        if found is None:
            return []
        few: list[Any] | None = None
        if (
            query.approval
            or query.address is not None
            or query.status is not None
            or query.sim is not None
        ):
            few = self._rows(org, attrs.evolve(query, limit=_FEW + 1))
        elif asked[0] and asked[1] is not None:
            rows = self._having(org, attrs.evolve(query, limit=_FEW + 1), number, asked[0], None)
            few = rows.fetchall()
        if few is not None and len(few) <= _FEW:
            # Where few messages pass the other filters or have the whole words, those are
            # looked through: to find a prefix takes all the words that begin with it.
            fitting = [row for row in map(message, few) if search.matches(row.body, asked)]
            return fitting[: -query.limit - 1 : -1] if newest else fitting[: query.limit]
        rows = self._having(org, query, number, *asked, newest=newest)
        return [message(row) for row in _bounded(rows, _size_of_row)]

    def _having(
        self,
        org: int,
        query: PageQuery,
        number: int,
        whole: tuple[str, ...],
        prefix: str | None,
        *,
        newest: bool = False,
    ) -> sqlite3.Cursor:
        """The rows that the index of words gives."""
        implied = _direction(query)
        expression = search.expression(
            org, number, whole, prefix, direction=implied, address=query.address
        )
        return self._connection.execute(
            search_sql(_checked(query), newest, query.approval),
            values(org, query) | {"words": expression},
        )


def shape(query: PageQuery, *, only_id: bool = False) -> Shape | None:
    """The index that a page should read, or `None` when no message can be in it."""
    direction = _direction(query)
    if query.direction not in {None, direction}:
        return None
    checks = set(_checked(query))
    keys: tuple[str, ...]
    partial = ""
    if query.approval:
        index, keys, partial = "messages_to_approve", (), TO_APPROVE
    elif query.address is not None:
        index, keys = "messages_by_address", ("address",)
    elif query.sim is not None and (query.status is None or query.status in _COMMON):
        column = _sim_column(query.sim)
        index = "messages_by_sim" if column == "sim" else "messages_by_slot"
        keys = (column,)
    elif query.status is not None:
        index, keys = "messages_by_status", ("status",)
    else:
        index, keys = "messages_by_org", ()
    if partial:
        if query.status not in {None, "queued"}:
            return None
        directions: tuple[str, ...] = ()
    elif index == "messages_by_status":
        directions = ()
    else:
        directions = ("in", "out") if direction is None else (direction,)
    checks -= {*keys, "direction"} | ({"status"} if partial else set())
    return Shape(
        index,
        keys,
        directions,
        tuple(sorted(checks)),
        query.since_id is not None,
        query.before_id is not None,
        only_id,
        partial,
    )


@lru_cache(maxsize=512)
def sql(form: Shape) -> str:
    """The SELECT of a page: newest first, or oldest first when it has a `since_id`."""
    columns = "id" if form.only_id else SELECTED
    where = ["org = :org", *(f"{name} = :{name}" for name in (*form.keys, *form.checks))]
    if form.partial:
        where.append(form.partial)
    if form.since:
        where.append("id > :since_id")
    if form.before:
        where.append("id < :before_id")
    select = f"SELECT {columns} FROM messages INDEXED BY {form.index} WHERE {{}}"  # noqa: S608
    ranges = [
        select.format(" AND ".join((*where, f"direction = '{direction}'")))
        for direction in form.directions
    ] or [select.format(" AND ".join(where))]
    order = "ASC" if form.since else "DESC"
    return f"{' UNION ALL '.join(ranges)} ORDER BY id {order} LIMIT :limit"


@lru_cache(maxsize=128)
def search_sql(checks: tuple[str, ...], newest: bool, approval: bool = False) -> str:  # noqa: FBT001, FBT002 - a cache key
    """The SELECT of the matches in a range of ids; `words` is always the outer loop."""
    where = "".join(f" AND m.{name} = :{name}" for name in checks)
    if approval:
        where += f" AND {TO_APPROVE}"
    columns = ", ".join(f"m.{name}" for name in SELECTED.split(", "))
    return (
        f"SELECT {columns} FROM words CROSS JOIN messages AS m ON m.id = words.rowid"  # noqa: S608
        " WHERE words MATCH :words AND words.rowid > :since_id AND words.rowid < :before_id"
        f" AND m.org = :org{where}"
        f" ORDER BY words.rowid {'DESC' if newest else 'ASC'} LIMIT :limit"
    )


def values(org: int, query: PageQuery) -> dict[str, object]:
    """What the named parameters of either SELECT stand for."""
    found: dict[str, object] = {"org": org, "limit": min(query.limit, MAX_ID)}
    if query.since_id is not None:
        found["since_id"] = max(min(query.since_id, MAX_ID), -1)
    if query.before_id is not None:
        found["before_id"] = max(min(query.before_id, MAX_ID), 0)
    for name in _checked(query):
        found[name] = getattr(query, name, None)
    if query.sim is not None:
        column = _sim_column(query.sim)
        found[column] = query.sim if column == "sim" else int(query.sim)
    return found


def _bounded(found: Iterable[T], size: Callable[[T], int]) -> Iterator[T]:
    """What fits in one page: at least the first, however long it is."""
    total = 0
    for one in found:
        yield one
        total += size(one)
        if total > MAX_CHARS:
            return


def _size(found: Message) -> int:
    return len(found.body)


def _size_of_row(row: Any) -> int:
    return len(row[_BODY])


def _direction(query: PageQuery) -> str | None:
    """The direction that all messages of the page have: asked for, or that of their status."""
    if query.approval:
        return "out"
    if query.status is None:
        return query.direction
    return "in" if query.status == "received" else "out"


def _checked(query: PageQuery) -> tuple[str, ...]:
    """The columns that the query's filters are about."""
    names = [
        name for name in ("address", "direction", "status") if getattr(query, name) is not None
    ]
    if query.sim is not None:
        names.append(_sim_column(query.sim))
    return tuple(names)


def _sim_column(sim: str) -> str:
    is_slot = sim.isascii() and sim.isdigit() and len(sim) <= _MAX_SLOT_DIGITS
    return "sim_slot" if is_slot else "sim"

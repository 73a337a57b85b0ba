"""Pages of messages: any filter, in the order of ids, without sorting and without counting.

A page reads one index from where the reader stands and stops when it is full, so it costs the
same however much is stored. The indexes end in `direction` (SQLite appends the rowid); a page
of both directions is the merge of two ranges, which SQLite does as it goes ("MERGE (UNION
ALL)" in its plans). Filters that the chosen index does not hold are checked row by row:

- what waits for approval is few, so that comes first;
- an address is nearly always the rarest thing, so it is next;
- then the API key that sent it;
- then the SIM, unless a status is asked for that few messages have or have for long;
- then the status, then the direction.

Indexes are named in the SQL: SQLite keeps no statistics here, and a plan that changed with
the data would be a page that is slow some day.

A reader may be one who sees only some addresses (`PageQuery.sees`). As long as these are few, the
page is the merge of one range for each, whatever lies between. A beginning of numbers stands for
those of the org's addresses that begin so. Where they are many, the reader sees a good part of
all, and rows are checked one by one.
"""

import heapq
import sqlite3
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from json.encoder import encode_basestring
from operator import itemgetter
from typing import Any, Final, TypeVar

import attrs

from phonegate.model.bounds import MAX_ID, SLOT_DIGITS
from phonegate.model.messages import ROW_BYTES, Message, MessageView, PageQuery
from phonegate.store import search
from phonegate.store.address_patterns import END, condition, fits
from phonegate.store.rows import COLUMNS, Reading

M = TypeVar("M", Message, MessageView)

_COMMON: Final = frozenset({"received", "sent", "delivered"})
"""Statuses that messages end in as a rule: an org's history is made of them."""

TO_APPROVE: Final = "status = 'queued' AND approval = 'asked'"
"""The condition of the index `messages_to_approve`."""

_FEW: Final = 200
"""Messages that are sooner read and cut into words (2 ms) than found by the index of words."""

MANY_SEEN: Final = 200
"""Addresses whose messages are merged into one page: each costs a search of the index, some 15 us.
As many as a list of them may hold."""

ADDRESSES: Final = """
    SELECT address FROM messages INDEXED BY messages_by_address
    WHERE org = ? AND address > ? AND address < ? ORDER BY address LIMIT 1
"""
"""The next address of an org after one, and before the end of a range."""

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
    columns: tuple[str, ...] = COLUMNS
    partial: str = ""
    """The condition of the index, where it holds a part of the messages only."""
    seen: int = 0
    """How many patterns there are, one of which the address must fit. 0: it may be any."""


class Pages:
    """Reads pages over one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._seen: list[str] | None = None
        """The addresses that the reader of the present page sees, where they are few."""

    def page(self, org: int, query: PageQuery, reading: Reading[M]) -> list[M]:
        """See `Messages.page`."""
        self._seen = self._addresses(org, query)
        if query.search is None:
            page = list(
                _bounded(map(reading.record, self._rows(org, query, reading.columns)), query)
            )
        else:
            asked = search.terms(query.search)
            if asked is None:
                return []
            if query.since_id is None:
                page = list(_bounded(self._newest_first(org, query, asked, reading), query))
            else:
                page = list(_bounded(self._oldest_first(org, query, asked, reading), query))
        if query.since_id is None:
            page.reverse()
        return page

    def indexed(self) -> int:
        """The id up to which the index of words is complete."""
        row = self._connection.execute("SELECT value FROM marks WHERE name = 'indexed'").fetchone()
        return int(row[0])

    def _rows(
        self, org: int, query: PageQuery, columns: tuple[str, ...]
    ) -> Iterable[tuple[Any, ...]]:
        """Rows newest first, or oldest first where there is a `since_id`."""
        if self._seen is not None and query.address is None:
            return self._merged(org, query, self._seen, columns)
        found = shape(query, columns)
        if found is None or query.limit <= 0:
            return ()
        try:
            return self._connection.execute(sql(found), values(org, query))
        except UnicodeEncodeError:
            return ()  # A lone surrogate, which no stored text can hold.

    def _addresses(self, org: int, query: PageQuery) -> list[str] | None:
        """The org's addresses that the reader sees. None where they are all, or many.

        Also None where the page is of one address, or of the few messages that wait for approval.
        """
        if not query.sees or query.address is not None or query.approval:
            return None
        found = {pattern.removesuffix("*") for pattern in query.sees}
        for pattern in query.sees:
            if not pattern.endswith("*"):
                continue
            address, end = pattern[:-1], pattern[:-1] + END
            while row := self._connection.execute(ADDRESSES, (org, address, end)).fetchone():
                address = row[0]
                found.add(address)
                if len(found) > MANY_SEEN:
                    return None
        return sorted(found)

    def _merged(
        self, org: int, query: PageQuery, addresses: Iterable[str], columns: tuple[str, ...]
    ) -> Iterator[tuple[Any, ...]]:
        """The rows of several addresses, in the order of their ids."""
        queries = (attrs.evolve(query, address=one, sees=()) for one in addresses)
        ranges = [self._rows(org, one, columns) for one in queries]
        by_id = itemgetter(columns.index("id"))
        merged = heapq.merge(*ranges, key=by_id, reverse=query.since_id is None)
        for _, row in zip(range(max(query.limit, 0)), merged, strict=False):
            yield row

    def _edge(self, org: int, query: PageQuery) -> int | None:
        """The id of the first message of a page."""
        row = next(iter(self._rows(org, attrs.evolve(query, limit=1), ("id",))), None)
        return None if row is None else int(row[0])

    def _newest_first(
        self, org: int, query: PageQuery, asked: search.Terms, reading: Reading[M]
    ) -> Iterator[M]:
        left = query.limit
        upto = self.indexed()
        for found in self._tail(org, query, asked, upto, reading):
            if left <= 0:
                return
            left -= 1
            yield found
        before = min(upto + 1, MAX_ID if query.before_id is None else query.before_id)
        while left > 0:
            # Where the org, or the address or SIM sought in it, has nothing, there is nothing
            # to search: this steps over what others have stored meanwhile.
            newest = self._edge(org, attrs.evolve(query, before_id=before))
            if newest is None:
                return
            number = search.bucket(newest)
            first = number << search.BUCKET_BITS
            bounds = attrs.evolve(query, since_id=first - 1, before_id=before, limit=left)
            for found in self._matching(org, bounds, asked, number, reading, newest=True):
                left -= 1
                yield found
            before = first

    def _oldest_first(
        self, org: int, query: PageQuery, asked: search.Terms, reading: Reading[M]
    ) -> Iterator[M]:
        left = query.limit
        upto = self.indexed()
        since = max(query.since_id or 0, 0)
        before = min(upto + 1, MAX_ID if query.before_id is None else query.before_id)
        while left > 0:
            oldest = self._edge(org, attrs.evolve(query, since_id=since, before_id=before))
            if oldest is None:
                break
            number = search.bucket(oldest)
            last = ((number + 1) << search.BUCKET_BITS) - 1
            bounds = attrs.evolve(
                query, since_id=since, before_id=min(before, last + 1), limit=left
            )
            for found in self._matching(org, bounds, asked, number, reading, newest=False):
                left -= 1
                yield found
            since = last
        for found in self._tail(org, query, asked, upto, reading):
            if left <= 0:
                return
            left -= 1
            yield found

    def _tail(
        self, org: int, query: PageQuery, asked: search.Terms, upto: int, reading: Reading[M]
    ) -> Iterator[M]:
        """The matches among the few messages that the index lacks yet, in the page's order."""
        since = None if query.since_id is None else max(upto, query.since_id)
        after = attrs.evolve(query, since_id=since, limit=_TAIL)
        for found in map(reading.record, self._rows(org, after, reading.columns)):
            if found.id <= upto:
                return
            if _matches(found, query, asked):
                yield found

    def _matching(
        self,
        org: int,
        query: PageQuery,
        asked: search.Terms,
        number: int,
        reading: Reading[M],
        *,
        newest: bool,
    ) -> Iterable[M]:
        """The matches in a range of ids within one bucket.

        They are read as they are asked for, and only `page` ends them before the last: what was
        left out here would be passed over by a page that goes on behind it.
        """
        if shape(query) is None:
            return []
        few: list[tuple[Any, ...]] | None = None
        more = attrs.evolve(query, limit=_FEW + 1)
        if (
            query.approval
            or query.address is not None
            or query.sees
            or query.key is not None
            or query.status is not None
            or query.sim is not None
        ):
            few = list(self._rows(org, more, reading.columns))
        elif asked[0] and asked[1] is not None:
            few = list(self._having(org, more, number, asked[0], None, columns=reading.columns))
        if few is not None and len(few) <= _FEW:
            # Where few messages pass the other filters or have the whole words, those are
            # looked through: to find a prefix takes all the words that begin with it.
            found = map(reading.record, few)
            fitting = [one for one in found if _matches(one, query, asked)]
            return fitting[: -query.limit - 1 : -1] if newest else fitting[: query.limit]
        if query.shown is None:
            rows = self._having(org, query, number, *asked, columns=reading.columns, newest=newest)
            return map(reading.record, rows)
        # The index finds what is stored. Only some of it may be what the reader is shown.
        all_ = attrs.evolve(query, limit=_TAIL)
        rows = self._having(org, all_, number, *asked, columns=reading.columns, newest=newest)
        shown = (one for one in map(reading.record, rows) if _matches(one, query, asked))
        return islice(shown, query.limit)

    def _having(
        self,
        org: int,
        query: PageQuery,
        number: int,
        whole: tuple[str, ...],
        prefix: str | None,
        *,
        columns: tuple[str, ...],
        newest: bool = False,
    ) -> sqlite3.Cursor:
        """The rows that the index of words gives."""
        implied = _direction(query)
        expression = search.expression(
            org, number, whole, prefix, direction=implied, address=query.address
        )
        return self._connection.execute(
            search_sql(_checked(query), newest, query.approval, columns, _patterns_checked(query)),
            values(org, query) | {"words": expression},
        )


def shape(query: PageQuery, columns: tuple[str, ...] = COLUMNS) -> Shape | None:
    """The index that a page should read, or `None` when no message can be in it."""
    direction = _direction(query)
    if query.direction not in {None, direction}:
        return None
    if query.address is not None and not fits(query.sees, query.address):
        return None
    checks = set(_checked(query))
    index, keys = _index_of(query)
    partial = TO_APPROVE if query.approval else ""
    directions: tuple[str, ...] = ()
    if partial:
        if query.status not in {None, "queued"}:
            return None
    elif index not in {"messages_by_status", "messages_by_key"}:
        directions = ("in", "out") if direction is None else (direction,)
    checks -= {*keys, "direction"} | ({"status"} if partial else set())
    return Shape(
        index,
        keys,
        directions,
        tuple(sorted(checks)),
        query.since_id is not None,
        query.before_id is not None,
        columns,
        partial,
        _patterns_checked(query),
    )


def _index_of(query: PageQuery) -> tuple[str, tuple[str, ...]]:
    """The index that narrows a page most, and the columns of it that the query fixes."""
    if query.approval:
        return "messages_to_approve", ()
    if query.address is not None:
        return "messages_by_address", ("address",)
    if query.key is not None:
        return "messages_by_key", ("key",)
    if query.sim is not None and (query.status is None or query.status in _COMMON):
        column = _sim_column(query.sim)
        return "messages_by_sim" if column == "sim" else "messages_by_slot", (column,)
    if query.status is not None:
        return "messages_by_status", ("status",)
    return "messages_by_org", ()


@lru_cache(maxsize=512)
def sql(form: Shape) -> str:
    """The SELECT of a page: newest first, or oldest first when it has a `since_id`."""
    where = ["org = :org", *(f"{name} = :{name}" for name in (*form.keys, *form.checks))]
    if form.partial:
        where.append(form.partial)
    if form.seen:
        where.append(condition("address", form.seen))
    if form.since:
        where.append("id > :since_id")
    if form.before:
        where.append("id < :before_id")
    columns = ", ".join(form.columns)
    select = f"SELECT {columns} FROM messages INDEXED BY {form.index} WHERE {{}}"  # noqa: S608
    ranges = [
        select.format(" AND ".join((*where, f"direction = '{direction}'")))
        for direction in form.directions
    ] or [select.format(" AND ".join(where))]
    order = "ASC" if form.since else "DESC"
    return f"{' UNION ALL '.join(ranges)} ORDER BY id {order} LIMIT :limit"


@lru_cache(maxsize=128)
def search_sql(
    checks: tuple[str, ...],
    newest: bool,  # noqa: FBT001 - a cache key
    approval: bool = False,  # noqa: FBT001, FBT002 - as above
    columns: tuple[str, ...] = COLUMNS,
    seen: int = 0,
) -> str:
    """The SELECT of the matches in a range of ids; `words` is always the outer loop."""
    where = "".join(f" AND m.{name} = :{name}" for name in checks)
    if approval:
        where += f" AND {TO_APPROVE}"
    if seen:
        where += f" AND {condition('m.address', seen)}"
    selected = ", ".join(f"m.{name}" for name in columns)
    return (
        f"SELECT {selected} FROM words CROSS JOIN messages AS m ON m.id = words.rowid"  # noqa: S608
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
    for at in range(_patterns_checked(query)):
        found[f"seen{at}"] = query.sees[at]
    return found


def _bounded(found: Iterable[M], query: PageQuery) -> Iterator[M]:
    """What fits in one page: at least the first, however long it is."""
    left = query.most_bytes
    first = True
    for one in found:
        left -= _bytes_of(one)
        if left < 0 and not first:
            return
        yield one
        first = False


def _bytes_of(one: Message | MessageView) -> int:
    """What a message has as JSON, in UTF-8, or a little more."""
    size = ROW_BYTES + _text_bytes(one.body)
    if one.error is not None:
        size += _text_bytes(one.error)
    if one.media_urls is not None:
        size += sum(map(_text_bytes, one.media_urls))
    return size


def _text_bytes(text: str) -> int:
    if text.isascii() and text.isprintable():
        return len(text)
    return len(encode_basestring(text).encode("utf-8", "replace"))


def _direction(query: PageQuery) -> str | None:
    """The direction that all messages of the page have: asked for, or that of their status."""
    if query.approval or query.key is not None:
        return "out"
    if query.status is None:
        return query.direction
    return "in" if query.status == "received" else "out"


def _checked(query: PageQuery) -> tuple[str, ...]:
    """The columns that the query's filters are about."""
    names = [
        name
        for name in ("address", "direction", "key", "status")
        if getattr(query, name) is not None
    ]
    if query.sim is not None:
        names.append(_sim_column(query.sim))
    return tuple(names)


def _patterns_checked(query: PageQuery) -> int:
    """How many patterns each row's address is compared with."""
    return 0 if query.address is not None else len(query.sees)


def _matches(found: Message | MessageView, query: PageQuery, asked: search.Terms) -> bool:
    """Whether a message has the words that are sought, in the body that the reader is shown."""
    body = found.body if query.shown is None else query.shown(found.address, found.body)
    return search.matches(body, asked)


def _sim_column(sim: str) -> str:
    is_slot = sim.isascii() and sim.isdigit() and len(sim) <= SLOT_DIGITS
    return "sim_slot" if is_slot else "sim"

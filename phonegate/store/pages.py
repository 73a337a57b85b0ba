"""Pages of messages: any filter, in the order of ids, without sorting and without counting.

What one reads of the table is in `page_sql`; here ranges are merged, and words are sought.

A reader may be one who sees only some addresses (`PageQuery.sees`). As long as these are few, the
page is the merge of one range for each, whatever lies between. A beginning of numbers stands for
those of the org's addresses that begin so. Where they are many, the reader sees a good part of
all, and rows are checked one by one.
"""

import heapq
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from json.encoder import encode_basestring
from operator import itemgetter
from typing import Any, Final, TypeVar

import attrs

from phonegate.model.bounds import MAX_ID
from phonegate.model.messages import ADDRESS_BYTES, ROW_BYTES, Message, MessageView, PageQuery
from phonegate.model.shown_rows import ShownRow
from phonegate.store import page_sql, search
from phonegate.store.address_patterns import END
from phonegate.store.rows import SHOWN, Reading
from phonegate.store.word_index import WordIndex

M = TypeVar("M", Message, MessageView)

_FEW: Final = 200
"""Messages that are sooner read and cut into words (2 ms) than found by the index of words."""

MANY_SEEN: Final = 200
"""Addresses whose messages are merged into one page: each costs a search of the index, some 15 us.
As many as a list of them may hold."""

CHARACTER_BYTES: Final = 6
"""Most bytes of a character as JSON, `\\u0000`."""

_QUOTES: Final = 2
"""Bytes around a text as JSON."""

_TAIL: Final = 1_000_000
"""More than the index of words can ever be behind; the writer keeps it below some thousands."""


class Pages:
    """Reads pages over one connection."""

    def __init__(self, connection: sqlite3.Connection, word_index: WordIndex) -> None:
        self._connection = connection
        self._word_index = word_index
        self._seen: list[str] | None = None
        """The addresses that the reader of the present page sees, where they are few."""

    def page(self, org: int, query: PageQuery, reading: Reading[M]) -> list[M]:
        """See `Messages.page`."""
        self._seen = self._addresses(org, query)
        if query.search is None:
            page = _bounded(map(reading.record, self._rows(org, query, reading.columns)), query)
        else:
            asked = search.terms(query.search)
            if asked is None:
                return []
            if query.since_id is None:
                page = _bounded(self._newest_first(org, query, asked, reading), query)
            else:
                page = _bounded(self._oldest_first(org, query, asked, reading), query)
        if query.since_id is None:
            page.reverse()
        return page

    def shown_rows(self, org: int, query: PageQuery) -> list[ShownRow]:
        """See `Messages.shown_rows`."""
        rows = list(self._rows(org, query, SHOWN))
        if query.since_id is None:
            rows.reverse()
        return rows

    def _rows(
        self, org: int, query: PageQuery, columns: tuple[str, ...]
    ) -> Iterable[tuple[Any, ...]]:
        """Rows newest first, or oldest first where there is a `since_id`."""
        if self._seen is not None and query.address is None:
            return self._merged(org, query, self._seen, columns)
        found = page_sql.shape(query, columns)
        if found is None or query.limit <= 0:
            return ()
        try:
            return self._connection.execute(page_sql.sql(found), page_sql.values(org, query))
        except UnicodeEncodeError:
            return ()  # A lone surrogate, which no stored text can hold.

    def _addresses(self, org: int, query: PageQuery) -> list[str] | None:
        """Returns the org's addresses that the reader sees. None where they are all, or many.

        Also None where the page is of one address, or of the few messages that wait for approval.
        """
        if not query.sees or query.address is not None or query.approval:
            return None
        found = {pattern.removesuffix("*") for pattern in query.sees}
        for pattern in query.sees:
            if not pattern.endswith("*"):
                continue
            address, end = pattern[:-1], pattern[:-1] + END
            while row := self._connection.execute(
                page_sql.ADDRESSES, (org, address, end)
            ).fetchone():
                address = row[0]
                found.add(address)
                if len(found) > MANY_SEEN:
                    return None
        return sorted(found)

    def _merged(
        self, org: int, query: PageQuery, addresses: Iterable[str], columns: tuple[str, ...]
    ) -> Iterator[tuple[Any, ...]]:
        """Yields the rows of several addresses, in the order of their ids."""
        queries = (attrs.evolve(query, address=one, sees=()) for one in addresses)
        ranges = [self._rows(org, one, columns) for one in queries]
        by_id = itemgetter(columns.index("id"))
        merged = heapq.merge(*ranges, key=by_id, reverse=query.since_id is None)
        for _, row in zip(range(max(query.limit, 0)), merged, strict=False):
            yield row

    def _edge(self, org: int, query: PageQuery) -> int | None:
        """Returns the id of the first message of a page."""
        row = next(iter(self._rows(org, attrs.evolve(query, limit=1), ("id",))), None)
        return None if row is None else int(row[0])

    def _newest_first(
        self, org: int, query: PageQuery, asked: search.Terms, reading: Reading[M]
    ) -> Iterator[M]:
        left = query.limit
        upto = self._word_index.complete_upto()
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
        upto = self._word_index.complete_upto()
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
        """Returns the matches among the messages that the index lacks yet, in the page's order."""
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
        """Returns the matches in a range of ids within one bucket.

        They are read as they are asked for, and only `page` ends them before the last: what was
        left out here would be passed over by a page that goes on behind it.
        """
        if page_sql.shape(query) is None:
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
        """Returns the rows that the index of words gives."""
        implied = page_sql.direction_of(query)
        expression = search.expression(
            org, number, whole, prefix, direction=implied, address=query.address
        )
        return self._connection.execute(
            page_sql.search_sql(
                page_sql.checked_columns(query),
                newest,
                query.approval,
                columns,
                page_sql.patterns_checked(query),
            ),
            page_sql.values(org, query) | {"words": expression},
        )


def _bounded(found: Iterable[M], query: PageQuery) -> list[M]:
    """Returns what fits in one page: at least the first, however long it is."""
    page: list[M] = []
    rest = iter(found)
    # To count exactly takes three times as long, and few pages come near their end.
    surely_left = query.most_bytes
    for one in rest:
        surely_left -= (
            ROW_BYTES + _QUOTES + len(one.body) * CHARACTER_BYTES
            if one.error is None and not one.parts and one.media_urls is None
            else _bytes_of(one)
        )
        if surely_left < 0:
            rest = chain((one,), rest)
            break
        page.append(one)
    else:
        return page
    left = query.most_bytes - sum(map(_bytes_of, page))
    for one in rest:
        left -= _bytes_of(one)
        if left < 0 and page:
            break
        page.append(one)
    return page


def _bytes_of(one: Message | MessageView) -> int:
    """Returns what a message has as JSON, in UTF-8, or a little more."""
    size = ROW_BYTES + _text_bytes(one.body)
    if one.error is not None:
        size += _text_bytes(one.error)
    if one.media_urls is not None:
        size += sum(map(_text_bytes, one.media_urls))
    if one.parts:
        size += one.parts * ADDRESS_BYTES
    return size


def _text_bytes(text: str) -> int:
    if text.isascii() and text.isprintable():
        return len(text)
    return len(encode_basestring(text).encode("utf-8", "replace"))


def _matches(found: Message | MessageView, query: PageQuery, asked: search.Terms) -> bool:
    """Tells whether a message has the sought words in the body that the reader sees."""
    body = found.body if query.shown is None else query.shown(found.address, found.body)
    return search.matches(body, asked)

"""Conversations of orgs, ordered by their newest message.

The table follows behind what is stored, further than the index of words does: the writer adds the
messages above the mark `conversations` when there is nothing else to do, or when they are many.
What is above the mark is looked through when conversations are read, so that nothing is missing.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from phonegate.model.bounds import MAX_ID
from phonegate.model.conversations import MOST_UNREAD, Conversation
from phonegate.model.facts import ConversationRead, Fact
from phonegate.store.address_patterns import END, condition, fits

MANY_SEEN: Final = 1_000
"""Conversations of a reader who sees only some that are read and sorted: some 2 ms. Of more than
these the reader sees a good part of all, and rows are checked one by one."""

ADD_AT: Final = 8_000
"""Messages that are added under load. To look through as many when conversations are read takes
20 ms, and a burst of no more costs a sender nothing."""

ADD_AT_REST: Final = 100
"""Messages that are added at rest. Each by itself would write some pages more than its commit."""

ADDED_AT_ONCE: Final = 2_000
"""Messages that are added in one go, of as many conversations: 12 ms, which others may have to
wait."""

_MARK = "SELECT value FROM marks WHERE name = 'conversations'"

_NEXT_MARK = """
    SELECT max(id), count(*) FROM (SELECT id FROM messages WHERE id > ? ORDER BY id LIMIT ?)
"""

_ADD = """
    INSERT INTO conversations (org, address, last, last_in, read_to)
    SELECT org, address, max(id), max(iif(direction = 'in', id, 0)), 0
    FROM messages WHERE id > ? AND id <= ? GROUP BY org, address
    ON CONFLICT (org, address) DO UPDATE
    SET last = max(last, excluded.last), last_in = max(last_in, excluded.last_in)
"""

_TAIL = """
    SELECT address, max(id), max(iif(direction = 'in', id, 0))
    FROM messages INDEXED BY messages_by_org
    WHERE org = ? AND direction IN ('in', 'out') AND id > ?
    GROUP BY address ORDER BY max(id) DESC
"""

_ONE = "SELECT address, last, last_in, read_to FROM conversations WHERE org = ? AND address = ?"

_BETWEEN = """
    SELECT address, last, last_in, read_to FROM conversations
    WHERE org = ? AND address >= ? AND address < ? ORDER BY address LIMIT ?
"""

_NEWEST_OF = """
    SELECT (
        SELECT max(id) FROM messages INDEXED BY messages_by_address
        WHERE org = ?1 AND address = ?2 AND direction = 'in'
    ), (
        SELECT max(id) FROM messages INDEXED BY messages_by_address
        WHERE org = ?1 AND address = ?2 AND direction = 'out'
    )
"""

_PUT = """
    INSERT INTO conversations (org, address, last, last_in, read_to) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (org, address) DO UPDATE
    SET last = excluded.last, last_in = excluded.last_in, read_to = excluded.read_to
"""

_COUNT = """
    SELECT count(*) FROM (
        SELECT 1 FROM messages INDEXED BY messages_by_address
        WHERE org = ? AND address = ? AND direction = 'in' AND id > ? LIMIT ?
    )
"""


@lru_cache(maxsize=512)
def _newest_sql(seen: int, *, only_unread: bool) -> str:
    """Returns the SELECT of rows, newest first, whose address fits one of so many patterns."""
    where = "org = :org AND last < :bound"
    if seen:
        where += f" AND {condition('address', seen)}"
    select = (
        "SELECT address, last, last_in, read_to"  # noqa: S608 - constants
        f" FROM conversations INDEXED BY conversations_by_last WHERE {where}"
    )
    ranges = [f"{select} AND (last_in > read_to) = {unread}" for unread in (0, 1)]
    return f"{' UNION ALL '.join(ranges[only_unread:])} ORDER BY last DESC"


class Conversations:
    """The rows of `conversations`."""

    def __init__(self, connection: sqlite3.Connection, facts: list[Fact]) -> None:
        self._connection = connection
        self._facts = facts
        self.missing = 0
        """About how many messages are above the mark, of those that the index of words has."""

    # -- following what is stored

    def complete_upto(self) -> int:
        """Returns the id up to which all messages have been added."""
        return int(self._connection.execute(_MARK).fetchone()[0])

    def add_missing(self, limit: int) -> bool:
        """Adds the oldest messages above the mark, up to *limit*. Returns whether that was all."""
        mark = self.complete_upto()
        upto, count = self._connection.execute(_NEXT_MARK, (mark, limit)).fetchone()
        if upto is not None:
            self._connection.execute(_ADD, (mark, upto))
            self._connection.execute(
                "UPDATE marks SET value = ? WHERE name = 'conversations'", (upto,)
            )
        return bool(count < limit)

    def without(self, rows: Sequence[Any]) -> None:
        """Takes note of messages that were deleted: id, org, direction, address, …."""
        deleted: dict[tuple[int, str], set[int]] = {}
        for id_, org, _, address, *_ in rows:
            deleted.setdefault((org, address), set()).add(id_)
        for (org, address), ids in deleted.items():
            known = self._stored(org, address)
            if known is not None and not ids.isdisjoint((known.last, known.last_in)):
                self._put(org, self._as_it_is(org, address, known.read_to), address)

    # -- reading

    def newest(
        self,
        org: int,
        *,
        before: int | None = None,
        only_unread: bool = False,
        sees: Sequence[str] = (),
    ) -> Iterator[Conversation]:
        """Yields conversations, the one with the newest message first.

        Args:
            org: Whose.
            before: Only those whose newest message is older than this one.
            only_unread: Only those in which something is unread.
            sees: The patterns that their addresses must fit, if there are any.
        """
        bound = MAX_ID if before is None else max(0, min(before, MAX_ID))
        tail = {
            address: (last, last_in)
            for address, last, last_in in self._connection.execute(
                _TAIL, (org, self.complete_upto())
            )
        }
        for address, (last, last_in) in tail.items():
            if last >= bound or not fits(sees, address):
                continue
            known = self._stored(org, address)
            found = Conversation(
                address,
                last,
                max(last_in, 0 if known is None else known.last_in),
                0 if known is None else known.read_to,
            )
            if found.is_unread or not only_unread:
                yield found
        for found in self._complete(org, bound, sees, only_unread=only_unread):
            if found.address not in tail:
                yield found

    def one(self, org: int, address: str) -> Conversation | None:
        """Returns the conversation with an address. None where there is no message of it."""
        try:
            known = self._stored(org, address)
        except UnicodeEncodeError:
            return None  # A lone surrogate, which no stored text can hold.
        return self._as_it_is(org, address, 0 if known is None else known.read_to)

    def beginning(
        self, org: int, beginning: str, limit: int, *, sees: Sequence[str] = ()
    ) -> list[Conversation]:
        """Returns conversations whose address begins so, up to *limit*, by address."""
        try:
            rows = self._connection.execute(
                _BETWEEN, (org, beginning, beginning + END, MANY_SEEN if sees else limit)
            ).fetchall()
        except UnicodeEncodeError:
            return []
        known = {row[0]: row for row in rows}
        for address, *_ in self._connection.execute(_TAIL, (org, self.complete_upto())):
            if address.startswith(beginning):
                known.setdefault(address, None)
        seen = (address for address in sorted(known) if fits(sees, address))
        found = (self.one(org, address) for address in seen)
        return list(islice((one for one in found if one is not None), limit))

    def unread_messages(self, org: int, conversation: Conversation) -> int:
        """Counts what is unread in a conversation, up to `MOST_UNREAD`."""
        if not conversation.is_unread:
            return 0
        asked = (org, conversation.address, conversation.read_to, MOST_UNREAD)
        return int(self._connection.execute(_COUNT, asked).fetchone()[0])

    # -- what was read

    def read(self, org: int, addresses: Sequence[str], upto: int) -> int:
        """Notes that messages up to an id were read. Returns in how many conversations some were.

        A message that came meanwhile has a higher id and stays unread.
        """
        changed: list[ConversationRead] = []
        for address in addresses:
            found = self.one(org, address)
            if found is None or not found.is_unread or upto <= found.read_to:
                continue
            read = found._replace(read_to=min(upto, found.last))
            self._put(org, read, address)
            changed.append(ConversationRead(org, address, read.read_to))
        if len(addresses) == 1:
            self._facts += changed
        elif changed:
            self._facts.append(ConversationRead(org, None, upto))
        return len(changed)

    def unread(self, org: int, address: str) -> bool:
        """Makes the newest received message of a conversation unread. Returns whether it was."""
        found = self.one(org, address)
        if found is None or found.is_unread or not found.last_in:
            return False
        unread = found._replace(read_to=found.last_in - 1)
        self._put(org, unread, address)
        self._facts.append(ConversationRead(org, address, unread.read_to))
        return True

    # -- rows

    def _stored(self, org: int, address: str) -> Conversation | None:
        row = self._connection.execute(_ONE, (org, address)).fetchone()
        return None if row is None else Conversation._make(row)

    def _as_it_is(self, org: int, address: str, read_to: int) -> Conversation | None:
        """Returns a conversation by its messages themselves."""
        newest = self._connection.execute(_NEWEST_OF, (org, address)).fetchone()
        last_in, last_out = (id_ or 0 for id_ in newest)
        last = max(last_in, last_out)
        return Conversation(address, last, last_in, read_to) if last else None

    def _put(self, org: int, found: Conversation | None, address: str) -> None:
        if found is None:
            self._connection.execute(
                "DELETE FROM conversations WHERE org = ? AND address = ?", (org, address)
            )
        else:
            self._connection.execute(
                _PUT, (org, found.address, found.last, found.last_in, found.read_to)
            )

    def _complete(
        self, org: int, bound: int, sees: Sequence[str], *, only_unread: bool
    ) -> Iterator[Conversation]:
        """Yields rows of the table, newest first."""
        few = self._seen(org, sees)
        if few is not None:
            for found in few:
                if found.last < bound and (found.is_unread or not only_unread):
                    yield found
            return
        sql = _newest_sql(len(sees), only_unread=only_unread)
        given = {"org": org, "bound": bound} | {f"seen{at}": one for at, one in enumerate(sees)}
        yield from map(Conversation._make, self._connection.execute(sql, given))

    def _seen(self, org: int, sees: Sequence[str]) -> list[Conversation] | None:
        """Returns what a reader sees, newest first. None where that is all, or much."""
        if not sees:
            return None
        found: dict[str, Conversation] = {}
        for pattern in sees:
            beginning = pattern.removesuffix("*")
            end = beginning + END if pattern.endswith("*") else f"{beginning}\0"
            left = MANY_SEEN + 1 - len(found)
            rows = self._connection.execute(_BETWEEN, (org, beginning, end, left))
            found.update((row[0], Conversation._make(row)) for row in rows)
            if len(found) > MANY_SEEN:
                return None
        return sorted(found.values(), key=lambda one: one.last, reverse=True)

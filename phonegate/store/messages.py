"""Messages: storing them, reading them, and every change of a single one."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final, Literal

import attrs

from phonegate.model.assistants import PHONE
from phonegate.model.bounds import MAX_ID
from phonegate.model.facts import Amended, Changed, Fact, Repeated, Rescheduled, Sent
from phonegate.model.messages import (
    SETTABLE,
    Message,
    MessageView,
    NewInbound,
    NewMessage,
    PageQuery,
    Pushed,
)
from phonegate.model.shown_rows import ShownRow
from phonegate.model.states import (
    CANCELLED,
    QUEUED,
    RECEIVED,
    SENDING,
    UNDELIVERED,
    Cause,
    advance,
)
from phonegate.store.pages import Pages
from phonegate.store.queue_lengths import QueueLengths
from phonegate.store.rows import (
    INSERTED,
    INSERTED_INBOUND,
    MESSAGES,
    SELECTED,
    VIEWS,
    message,
    new_row,
    received_row,
    view,
)
from phonegate.store.word_index import WordIndex


def _insert(columns: Sequence[str], count: int = 1) -> str:
    """Returns the beginning of a statement that stores so many messages."""
    marks = f"({', '.join('?' * len(columns))})"
    rows = ", ".join([marks] * count)
    return f"INSERT INTO messages ({', '.join(columns)}) VALUES {rows}"  # noqa: S608 - constants


_INSERTS: Final = tuple((count, _insert(INSERTED, count)) for count in (50, 10, 1))
"""Statements that store so many messages. Fifty in one cost three quarters of fifty by themselves,
and let the event loop have its turn once, not fifty times."""


def _insert_pushed(count: int) -> str:
    """Returns the statement that stores so many messages that are pushed now.

    What all of them have in common it says itself, and of the columns that stay empty it knows
    nothing: to bind them all takes half as long again.
    """
    columns = (*Pushed._fields, "pushed_at", "direction", "status", "attempts", "provider")
    size, created_at = len(Pushed._fields), Pushed._fields.index("created_at")
    rows = ", ".join(
        f"({', '.join(f'?{row * size + at + 1}' for at in range(size))},"
        f" ?{row * size + created_at + 1}, 'out', '{SENDING}', 1, '{PHONE}')"
        for row in range(count)
    )
    return f"INSERT INTO messages ({', '.join(columns)}) VALUES {rows}"  # noqa: S608 - constants


_INSERTS_PUSHED: Final = tuple((1 << n, _insert_pushed(1 << n)) for n in range(6, -1, -1))
"""Statements that store so many of those: 64 and each half of it, so that few make any number."""

_INSERT_INBOUND: Final = (
    _insert(INSERTED_INBOUND)
    + " ON CONFLICT (org, fingerprint) WHERE fingerprint IS NOT NULL DO NOTHING"
)

_INSERTS_INBOUND: Final = tuple(
    (count, _insert(INSERTED_INBOUND, count)) for count in (64, 16, 4, 1)
)
"""Statements that store so many received messages, as `_INSERTS` do others."""


def _by_fingerprints(count: int) -> str:
    """Returns a statement that finds up to so many received messages."""
    return f"""
        WITH given (org, fingerprint) AS (VALUES {", ".join(["(?, ?)"] * count)})
        SELECT found.org, found.fingerprint, found.id
        FROM given CROSS JOIN messages AS found INDEXED BY messages_by_fingerprint
        ON found.org = given.org AND found.fingerprint = given.fingerprint
    """  # noqa: S608 - marks alone


_BY_FINGERPRINTS: Final = tuple((count, _by_fingerprints(count)) for count in (64, 16, 4, 1))

_COMPLETE = "UPDATE messages SET body = ?, segments = ?, parts = ?, error = ? WHERE id = ?"

_BY_FINGERPRINT = "SELECT id FROM messages WHERE org = ? AND fingerprint = ?"


def bulk_change(before: str, cause: Cause) -> tuple[str, str]:
    """Returns how a statement moves the status of many messages, and which it takes."""
    after = advance(before, cause)
    if after is None:
        raise ValueError(f"nothing follows {cause.name} in the state {before}")
    return f"status = '{after}'", f"status = '{before}'"


_FIND = f"SELECT {SELECTED} FROM messages WHERE id = ? AND org = ?"  # noqa: S608 - constants

_STORED_FROM = "SELECT id, created_at FROM messages WHERE id >= ? ORDER BY id LIMIT 1"

_VIEWS_OF = f"""
    SELECT {", ".join(MessageView._fields)} FROM messages
    WHERE id IN (SELECT value FROM json_each(?)) AND +org = ?
"""  # noqa: S608 - constants

_WITHDRAWN, _TO_WITHDRAW = bulk_change(QUEUED, Cause.WITHDRAWN)
WITHDRAW: Final = f"""
    UPDATE messages SET {_WITHDRAWN}, error = ? WHERE id IN (
        SELECT id FROM messages INDEXED BY messages_waiting_of_key
        WHERE {_TO_WITHDRAW} AND key = ? LIMIT ?
    )
    RETURNING id, org
"""  # noqa: S608 - constants

_OF_KEY: Final = "SELECT 1 FROM messages WHERE org = ? AND key = ? LIMIT 1"

_ORG_NAME: Final = "SELECT name FROM orgs WHERE id = ?"


class Messages:
    """The rows of `messages`.

    What happens to messages is recorded among the facts of the transaction.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        facts: list[Fact],
        queue_lengths: QueueLengths,
        word_index: WordIndex,
    ) -> None:
        self._connection = connection
        self._facts = facts
        self._queue_lengths = queue_lengths
        self._word_index = word_index
        self._pages = Pages(connection, word_index)

    # -- storing

    def insert(self, new: NewMessage) -> int:
        """Stores an outbound message and returns its id. A `sending` one counts as pushed now."""
        return self.insert_all([new])[0]

    def insert_all(self, new: Sequence[NewMessage]) -> list[int]:
        """Does as `insert` with many messages, of ids that ascend."""
        ids: list[int] = []
        for count, sql in _INSERTS:
            while len(new) - len(ids) >= count:
                some = new[len(ids) : len(ids) + count]
                values = [value for one in some for value in new_row(one)]
                last = self._connection.execute(sql, values).lastrowid
                assert last is not None, "an INSERT"  # noqa: S101
                # AUTOINCREMENT: each is one more than the one before it.
                ids.extend(range(last - count + 1, last + 1))
        for id_, one in zip(ids, new, strict=True):
            if one.status == QUEUED:
                self._queue_lengths.grew(one.org)
            self._facts.append(Changed(id_, one.org, None, one.status, one))
        self._word_index.missing += len(ids)
        return ids

    def insert_pushed(self, new: Sequence[Pushed]) -> range:
        """Stores messages that are pushed as soon as they are. Returns their ids, which ascend."""
        last: int | None = 0
        at = 0
        for count, sql in _INSERTS_PUSHED:
            while len(new) - at >= count:
                values = tuple(chain.from_iterable(new[at : at + count]))
                last = self._connection.execute(sql, values).lastrowid
                at += count
        assert last is not None, "an INSERT"  # noqa: S101
        # AUTOINCREMENT: each is one more than the one before it.
        ids = range(last - len(new) + 1, last + 1)
        self._facts += [
            Changed(id_, one.org, None, SENDING) for id_, one in zip(ids, new, strict=True)
        ]
        self._word_index.missing += len(new)
        return ids

    def insert_inbound(self, new: NewInbound) -> int | None:
        """Stores a received message. Returns its id, or None if its fingerprint exists already."""
        cursor = self._connection.execute(_INSERT_INBOUND, received_row(new))
        if cursor.rowcount == 0:
            self.note_repeat(new.org)
            return None
        id_ = cursor.lastrowid
        assert id_ is not None, "an INSERT of one row"  # noqa: S101
        self._facts.append(Changed(id_, new.org, None, RECEIVED, new))
        self._word_index.missing += 1
        return id_

    def insert_all_inbound(self, new: Sequence[NewInbound]) -> list[int]:
        """Stores received messages, and returns their ids, which ascend.

        None of their fingerprints may exist already: see `by_fingerprints`.
        """
        ids: list[int] = []
        for count, sql in _INSERTS_INBOUND:
            while len(new) - len(ids) >= count:
                some = new[len(ids) : len(ids) + count]
                values = [value for one in some for value in received_row(one)]
                last = self._connection.execute(sql, values).lastrowid
                assert last is not None, "an INSERT"  # noqa: S101
                ids.extend(range(last - count + 1, last + 1))
        self._facts += [
            Changed(id_, one.org, None, RECEIVED, one) for id_, one in zip(ids, new, strict=True)
        ]
        self._word_index.missing += len(ids)
        return ids

    def note_repeat(self, org: int) -> None:
        """Records that an org has reported a received message again."""
        self._facts.append(Repeated(org))

    def complete(
        self, message: Message, *, body: str, segments: int, parts: int, error: str | None
    ) -> None:
        """Gives a received MMS what was not known of it yet when it was stored."""
        if body != message.body:
            row = (message.id, message.org, message.direction, message.address, message.body)
            self._word_index.change(row, body)
        self._connection.execute(_COMPLETE, (body, segments, parts, error, message.id))
        self._facts.append(Amended(message.id, message.org, "message.received"))

    def recognise(self, message_id: int, fingerprint: bytes) -> None:
        """Makes a received message, of which little was known, the one of this fingerprint."""
        self._connection.execute(
            "UPDATE messages SET fingerprint = ?, error = NULL WHERE id = ?",
            (fingerprint, message_id),
        )

    def by_fingerprint(self, org: int, fingerprint: bytes) -> int | None:
        """Returns the id of the received message that has this fingerprint."""
        row = self._connection.execute(_BY_FINGERPRINT, (org, fingerprint)).fetchone()
        return None if row is None else int(row[0])

    def by_fingerprints(self, sought: Sequence[tuple[int, bytes]]) -> dict[tuple[int, bytes], int]:
        """Returns the ids of the received messages of these orgs and fingerprints."""
        found: dict[tuple[int, bytes], int] = {}
        done = 0
        for count, sql in _BY_FINGERPRINTS:
            while len(sought) - done >= count:
                values = [value for pair in sought[done : done + count] for value in pair]
                rows = self._connection.execute(sql, values)
                found.update(((org, fingerprint), id_) for org, fingerprint, id_ in rows)
                done += count
        return found

    def redact(self, message: Message) -> None:
        """Takes the text of a message away, from the index of words too."""
        row = (message.id, message.org, message.direction, message.address, message.body)
        self._word_index.change(row, "")
        self._connection.execute("UPDATE messages SET body = '' WHERE id = ?", (message.id,))

    # -- reading

    def find(self, org: int, id: int) -> Message | None:  # noqa: A002 - the record's name for it
        """Returns the message of this id, if it is the org's."""
        if not 0 < id <= MAX_ID:
            return None
        row = self._connection.execute(_FIND, (id, org)).fetchone()
        return None if row is None else message(row)

    def page(self, org: int, query: PageQuery) -> list[Message]:
        """Returns a page of the org's messages, ascending by id.

        With `since_id` the first `limit` after it, so that a poller misses nothing; else the
        newest `limit`, below `before_id` if that is given.
        """
        return self._pages.page(org, query, MESSAGES)

    def views(self, org: int, query: PageQuery) -> list[MessageView]:
        """Returns the same page as readers see it, in half the time."""
        return self._pages.page(org, query, VIEWS)

    def shown_rows(self, org: int, query: PageQuery) -> list[ShownRow]:
        """Returns the same page as rows, however much they have.

        The query is one without a search, of a reader who sees all addresses.
        """
        return self._pages.shown_rows(org, query)

    def views_of(self, org: int, ids: Iterable[int]) -> dict[int, MessageView]:
        """Returns those of the org's messages that have these ids, as readers see them."""
        rows = self._connection.execute(_VIEWS_OF, (json.dumps(list(ids)), org))
        return {one.id: one for one in map(view, rows)}

    def has_of_key(self, org: int, key: str) -> bool:
        """Tells whether there is a message that this org sent with this API key."""
        return self._connection.execute(_OF_KEY, (org, key)).fetchone() is not None

    def first_stored(self, at: int) -> int:
        """Returns the id of the first message of any org that was stored at a time or later.

        Where there is none yet, it is one that no message has. Ids ascend with time, as far as the
        clock does.

        Args:
            at: The time, in ms.
        """
        (last,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM messages").fetchone()
        low, high = 1, int(last) + 1
        while low < high:
            middle = (low + high) // 2
            row = self._connection.execute(_STORED_FROM, (middle,)).fetchone()
            if row is None or row[1] >= at:
                high = middle
            else:
                low = int(row[0]) + 1
        return low

    # -- changing

    def transition(self, message: Message, cause: Cause, **columns: object) -> Message | None:
        """Moves a message to the status that a cause leads to, and changes the named columns.

        Every change of a status goes through here or through one of the methods that change many
        at once, and each is recorded as a fact.

        Args:
            message: The message as this transaction has read it. One that is gone, with its org,
                is changed nowhere.
            cause: What happened to it.
            columns: Other columns that change with it.

        Returns:
            The message as it is then. None where the cause changes nothing, and nothing else was
            changed either.

        Raises:
            ValueError: One of the names is no column that may change, or the message has another
                status by now.
        """
        after = advance(message.status, cause)
        if after is None:
            return None
        sql = _update(tuple(columns), own="status")
        values = (after, *columns.values(), message.id, message.status)
        changed = attrs.evolve(message, status=after, **columns)  # type: ignore[arg-type]
        if self._connection.execute(sql, values).rowcount:
            name = None
            if after in UNDELIVERED:
                row = self._connection.execute(_ORG_NAME, (message.org,)).fetchone()
                name = None if row is None else row[0]
            sent = None
            if changed.sent_at is not None and message.sent_at is None:
                sent = Sent(
                    id=changed.id,
                    org=changed.org,
                    phone=changed.phone,
                    at=changed.sent_at,
                    since=changed.since,
                    segments=changed.segments,
                    sim_slot=changed.sim_slot,
                    sender=changed.sender,
                )
            fact = Changed(message.id, message.org, message.status, after, changed, name, sent)
            self._facts.append(fact)
        elif self.find(message.org, message.id) is not None:
            raise ValueError(f"message {message.id} was {message.status} before something else")
        return changed

    def reschedule(self, message: Message, held_until: int | None, **columns: object) -> Message:
        """Gives a queued message another time to leave, None for now, and returns it as it is then.

        Raises:
            ValueError: One of the names is no column that may change.
        """
        sql = _update(tuple(columns), own="held_until")
        self._connection.execute(sql, (held_until, *columns.values(), message.id))
        self._facts.append(Rescheduled(message.org, held_until))
        if columns.get("approval") == "given":
            self._facts.append(Amended(message.id, message.org, "message.queued"))
        return attrs.evolve(message, held_until=held_until, **columns)  # type: ignore[arg-type]

    def set(self, id: int, **columns: object) -> None:  # noqa: A002
        """Changes the named columns of a message.

        Raises:
            ValueError: One of the names is no column that may change by itself.
        """
        self._connection.execute(_update(tuple(columns)), (*columns.values(), id))

    def withdraw(self, key: str, limit: int, *, error: str) -> int:
        """Cancels up to *limit* queued messages of an API key. Returns how many there were."""
        rows = self._connection.execute(WITHDRAW, (error, key, limit)).fetchall()
        self._facts += [Changed(id_, org, QUEUED, CANCELLED) for id_, org in rows]
        return len(rows)


@lru_cache(maxsize=256)
def _update(names: tuple[str, ...], own: Literal["status", "held_until"] | None = None) -> str:
    """Returns a statement that changes columns of one message, *own* before all others."""
    unknown = sorted(set(names) - SETTABLE)
    if unknown or not (names or own):
        raise ValueError(f"not columns of a message that may be set: {', '.join(unknown)}")
    changes = ", ".join(f"{name} = ?" for name in (*([own] if own else ()), *names))
    condition = " AND status = ?" if own == "status" else ""
    return f"UPDATE messages SET {changes} WHERE id = ?{condition}"  # noqa: S608 - names were checked

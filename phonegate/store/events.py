"""The record of events: what happened to the messages, phones and webhooks of orgs that listen.

An event is written in the transaction that makes the change, so that neither exists without the
other. All of a transaction are written together before its commit, from its facts. Of an org that
does not listen nothing is recorded, which costs one look into a set for each fact.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from phonegate.model.bounds import MAX_ID
from phonegate.model.events import Event, EventType, Extent, StoredEvent
from phonegate.model.facts import Amended, Changed, Erased, EventsRecorded, Fact, Happened
from phonegate.model.messages import PAGE_BYTES, MessageView
from phonegate.store.event_rows import (
    READ,
    RECORD,
    TYPES,
    encode,
    event_type,
    message_data,
    message_of,
    row_data,
)

_INSERT: Final = """
    INSERT INTO events (id, org, type, at, message, phone, data) VALUES (?, ?, ?, ?, ?, ?, ?)
"""

_SELECT: Final = "SELECT id, org, type, at, phone, message, data FROM events"

AFTER: Final = f"{_SELECT} WHERE org = ? AND id > ? ORDER BY id LIMIT ?"
NEWEST: Final = f"{_SELECT} WHERE org = ? AND id < ? ORDER BY id DESC LIMIT ?"

AGED: Final = "SELECT id, at, length(data) FROM events WHERE id > ? ORDER BY id LIMIT ?"
SURPLUS_FROM: Final = "SELECT id FROM events WHERE org = ? ORDER BY id DESC LIMIT 1 OFFSET ?"
SURPLUS: Final = """
    SELECT id, at, length(data) FROM events WHERE org = ? AND id <= ? ORDER BY id LIMIT ?
"""
WITHOUT_MESSAGE: Final = """
    SELECT id, at, length(data) FROM events
    WHERE id > ? AND id <= ? AND message IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.id = events.message)
    ORDER BY id
"""
ERASE: Final = """
    DELETE FROM events WHERE id IN (SELECT value FROM json_each(?)) RETURNING org, id
"""
OF_MESSAGE: Final = "SELECT id FROM events WHERE org = ? AND message = ?"
"""Looks through all events of an org: for a reader, not for the one connection that writes."""
REDACT: Final = """
    UPDATE events SET data = json_set(data, '$.body', '')
    WHERE org = :org AND message = :message
        AND (id IN (SELECT value FROM json_each(:ids)) OR id > :after)
"""
OF_ORG: Final = "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE org = ? LIMIT ?)"

_LISTEN: Final = """
    INSERT INTO listeners (org, until, first)
    SELECT id, ?, ? FROM orgs WHERE id = ? AND name IS NOT NULL
"""
_PROLONG: Final = "UPDATE listeners SET until = ? WHERE org = ?"
_LAPSED: Final = """
    FROM listeners
    WHERE until < ? AND NOT EXISTS (SELECT 1 FROM webhooks WHERE webhooks.org = listeners.org)
"""
_FORGET: Final = "UPDATE listeners SET first = max(first, ?) WHERE org = ?"

KEEP: Final = """
    INSERT INTO marks VALUES ('events', ?)
    ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)
"""
LAST: Final = """
    SELECT max(
        coalesce((SELECT max(id) FROM events), 0),
        coalesce((SELECT value FROM marks WHERE name = 'events'), 0)
    )
"""

_PHONE: Final = MessageView._fields.index("phone")


class Events:
    """The rows of `events` and `listeners`.

    The one connection that writes keeps in memory who listens, and which id was given last.
    """

    def __init__(self, connection: sqlite3.Connection, facts: list[Fact]) -> None:
        self._connection = connection
        self._facts = facts
        self._listeners: set[int] | None = None
        """The orgs whose events are recorded. None until looked."""
        self._changed = False
        """Whether this transaction has changed who listens."""
        self._last: int | None = None
        """The highest id given so far. None until looked."""

    # -- who listens

    def listen(self, org: int, until: int | None = None) -> None:
        """Records the events of an org from now on, until a time (ms) at least.

        Without one they are recorded as long as the org has a webhook. A removed org can't listen.
        """
        if org in self._listening():
            if until is not None:
                self._connection.execute(_PROLONG, (until, org))
            return
        # This id is no event's. Who has read up to the last one finds that there may be a gap, even
        # where no other org's event came meanwhile.
        first = self.last() + 1
        if self._connection.execute(_LISTEN, (until or 0, first, org)).rowcount:
            self._listening().add(org)
            self._changed = True
            self._last = first
            self._keep_last()

    def is_listener(self, org: int) -> bool:
        """Tells whether events of the org are recorded."""
        found = self._connection.execute("SELECT 1 FROM listeners WHERE org = ?", (org,))
        return found.fetchone() is not None

    def is_listener_to(self, phone: int) -> bool:
        """Tells whether events of a phone are recorded, since its org listens."""
        found = self._connection.execute(
            "SELECT 1 FROM phones JOIN listeners ON listeners.org = phones.org WHERE phones.id = ?",
            (phone,),
        )
        return found.fetchone() is not None

    def listens_until(self, org: int) -> int | None:
        """Returns until when an org listens without a webhook (ms). None where it does not."""
        found = self._connection.execute("SELECT until FROM listeners WHERE org = ?", (org,))
        row = found.fetchone()
        return None if row is None else int(row[0])

    def listening(self) -> list[int]:
        """Returns the orgs whose events are recorded."""
        return [row[0] for row in self._connection.execute("SELECT org FROM listeners")]

    def has_lapsed(self, now: int) -> bool:
        """Tells whether `lapse` has something to do."""
        found = self._connection.execute(f"SELECT 1 {_LAPSED} LIMIT 1", (now,))
        return found.fetchone() is not None

    def lapse(self, now: int) -> None:
        """Records no more events of those that had to be recorded until before now."""
        if self._connection.execute(f"DELETE {_LAPSED}", (now,)).rowcount:
            self._look_again()

    def stop_listening(self, org: int) -> None:
        """Records no more events of an org, which is being removed."""
        if self._connection.execute("DELETE FROM listeners WHERE org = ?", (org,)).rowcount:
            self._look_again()

    def undone_listeners(self) -> None:
        """Looks anew who listens, since rows of it have come otherwise than by `listen`."""
        self._look_again()

    def keep_above(self, id_: int) -> None:
        """Gives no id up to this one to an event from now on."""
        self._last = max(self.last(), id_)
        self._keep_last()

    # -- recording

    def record(
        self,
        org: int,
        type: EventType,  # noqa: A002 - the model's name for it
        at: int,
        *,
        phone: int | None = None,
        data: Mapping[str, Any],
    ) -> None:
        """Records an event that is no message's, where the org listens.

        It is written as JSON here and not before the commit: data that JSON can't hold then undoes
        the operation that gave it, and no other one.

        Args:
            org: Whose it is.
            type: What happened.
            at: When, in ms.
            phone: The phone that it is about, where it is about one.
            data: The phone, alarm or webhook as it is now, of values that JSON can hold.
        """
        if org in self._listening():
            self._facts.append(Happened(org, type, at, phone, encode(data)))

    # -- reading

    def page(
        self, org: int, since_id: int, limit: int, most_bytes: int = PAGE_BYTES
    ) -> list[Event]:
        """Returns the first events of an org after an id, ascending.

        The page ends at its limit, or once it has so many characters of data: it is never empty
        where there are more.
        """
        rows = self._connection.execute(AFTER, (org, min(since_id, MAX_ID), limit))
        return list(_bounded(rows, most_bytes))

    def newest(
        self, org: int, limit: int, most_bytes: int = PAGE_BYTES, *, before: int = MAX_ID
    ) -> list[Event]:
        """Returns the newest events of an org before an id, ascending, bounded as a page is."""
        rows = self._connection.execute(NEWEST, (org, before, limit))
        return list(_bounded(rows, most_bytes))[::-1]

    def extent(self, org: int) -> Extent:
        """Returns which events of an org there are. Of one that does not listen all are missing."""
        last = self._read_last()
        row = self._connection.execute(
            "SELECT first FROM listeners WHERE org = ?", (org,)
        ).fetchone()
        return Extent(first=last + 1 if row is None else int(row[0]), last=last)

    def last(self) -> int:
        """Returns the highest id so far, of any org. For the one connection that writes."""
        if self._last is None:
            self._last = self._read_last()
        return self._last

    def of_message(self, org: int, message: int) -> tuple[list[int], int]:
        """Returns the ids of the events of a message, and the highest id so far of any event."""
        last = self._read_last()
        return [row[0] for row in self._connection.execute(OF_MESSAGE, (org, message))], last

    # -- deleting

    def redact(self, org: int, message: int, known: Sequence[int], after: int) -> None:
        """Takes the text of a message out of its events.

        Args:
            org: Whose it is.
            message: The message.
            known: The ids of its events, as `of_message` has found them.
            after: Up to which id it has looked.
        """
        self._connection.execute(
            REDACT,
            {"org": org, "message": message, "ids": json.dumps(list(known)), "after": after},
        )
        self._facts.append(Erased(org))

    def oldest(self, after: int, limit: int) -> list[StoredEvent]:
        """Returns the next events after an id, of all orgs, in the order of their ids."""
        return [StoredEvent(*row) for row in self._connection.execute(AGED, (after, limit))]

    def surplus(self, org: int, most: int, limit: int) -> list[StoredEvent]:
        """Returns the oldest events of an org beyond its newest *most*."""
        row = self._connection.execute(SURPLUS_FROM, (org, most)).fetchone()
        if row is None:
            return []
        return [
            StoredEvent(*one) for one in self._connection.execute(SURPLUS, (org, row[0], limit))
        ]

    def without_message(self, after: int, upto: int) -> list[StoredEvent]:
        """Returns the events whose message was deleted, after an id and up to another."""
        return [
            StoredEvent(*row) for row in self._connection.execute(WITHOUT_MESSAGE, (after, upto))
        ]

    def erase(self, ids: Sequence[int]) -> int:
        """Deletes events, and notes that they are missing. Returns how many there were."""
        self._keep_last()
        gone: dict[int, int] = {}
        rows = self._connection.execute(ERASE, (json.dumps(ids),)).fetchall()
        for org, id_ in rows:
            gone[org] = max(gone.get(org, 0), id_)
        self._connection.executemany(_FORGET, [(id_, org) for org, id_ in gone.items()])
        return len(rows)

    def drop(self, org: int, limit: int) -> bool:
        """Deletes up to *limit* events of a removed org. Returns whether that was all."""
        self._keep_last()
        return self._connection.execute(OF_ORG, (org, limit)).rowcount < limit

    # -- business of the writer

    def write(self, now: int) -> None:
        """Writes the events of what has happened. Part of every commit, before it.

        Events of one message, phone or webhook are in the order in which they happened.

        Args:
            now: When messages have changed, in ms.
        """
        listeners = self._listening()
        if not listeners:
            return
        once, others = self._heard(listeners)
        if not once and not others:
            return
        last = self.last()
        newest: dict[int, int] = {}
        if once:
            ids = json.dumps([fact.id for fact in once])
            self._connection.execute(RECORD, (last + 1, now, ids))
            newest.update((fact.org, n) for n, fact in enumerate(once, last + 1))
            last += len(once)
        if others:
            rows = self._rows(others, now)
            self._connection.executemany(
                _INSERT, [(n, *row) for n, row in enumerate(rows, last + 1)]
            )
            newest.update((row[0], n) for n, row in enumerate(rows, last + 1))
            last += len(rows)
        self._last = last
        self._facts += [EventsRecorded(org, n) for org, n in newest.items()]

    def committed(self) -> None:
        """Takes note that who listens is durable."""
        self._changed = False

    def undone(self, *, wholly: bool) -> None:
        """Forgets what an operation, or a whole transaction, has changed that is no more."""
        if self._changed:
            self._listeners = None
        if wholly:
            self._changed = False
            self._last = None

    def _heard(
        self, listeners: set[int]
    ) -> tuple[Sequence[Changed], Sequence[Changed | Amended | Happened]]:
        """Returns what has happened to orgs that listen.

        First the changes of messages that have changed but once in this transaction, and so are
        now as that change left them. These are nearly all.
        """
        changes: list[Changed] = []
        others: list[Changed | Amended | Happened] = []
        for fact in self._facts:
            if type(fact) is Changed:
                if fact.org in listeners and fact.after is not None:
                    changes.append(fact)
            elif (type(fact) is Amended or type(fact) is Happened) and fact.org in listeners:
                others.append(fact)
        amended = [fact.id for fact in others if type(fact) is Amended]
        ids = [*amended, *(fact.id for fact in changes)]
        if len(set(ids)) == len(ids):
            return changes, others
        often = {id_ for id_, count in Counter(ids).items() if count > 1}
        # In their order, which the facts have.
        several: list[Changed | Amended | Happened] = [
            fact
            for fact in self._facts
            if (type(fact) is Changed and fact.id in often and fact.after is not None)
            or ((type(fact) is Amended or type(fact) is Happened) and fact.org in listeners)
        ]
        return [fact for fact in changes if fact.id not in often], several

    def _rows(
        self, facts: Sequence[Changed | Amended | Happened], now: int
    ) -> list[tuple[Any, ...]]:
        """Returns the events of facts, without their ids."""
        rows: list[tuple[Any, ...]] = []
        unread: dict[int, int] = {}
        """Where the events of messages are that must be read yet: places and ids."""
        for fact in facts:
            if type(fact) is Changed:
                id_, org, _, after, message, _, _ = fact
                assert after is not None, "it was not deleted"  # noqa: S101
                if message is None:
                    unread[len(rows)] = id_
                    rows.append((org, TYPES[after], now, id_, None, after))
                    continue
                type_ = event_type(after, getattr(message, "approval", None))
                data = message_data(id_, after, message)
                rows.append((org, type_, now, id_, message.phone, data))
            elif type(fact) is Amended:
                unread[len(rows)] = fact.id
                status = fact.type.removeprefix("message.")
                rows.append((fact.org, fact.type, now, fact.id, None, status))
            elif type(fact) is Happened:
                rows.append((fact.org, fact.type, fact.at, None, fact.phone, fact.data))
        return self._read(rows, unread) if unread else rows

    def _read(self, rows: list[tuple[Any, ...]], unread: dict[int, int]) -> list[tuple[Any, ...]]:
        """Fills in the messages that the facts did not have. One that was deleted has no event."""
        found = {
            row[0]: row
            for row in self._connection.execute(READ, (json.dumps(list(unread.values())),))
        }
        for place, id_ in unread.items():
            row = found.get(id_)
            if row is not None:
                org, type_, at, _, _, status = rows[place]
                rows[place] = (org, type_, at, id_, row[_PHONE], row_data(row, status))
        gone = {place for place, id_ in unread.items() if id_ not in found}
        return [row for place, row in enumerate(rows) if place not in gone] if gone else rows

    def _listening(self) -> set[int]:
        if self._listeners is None:
            self._listeners = set(self.listening())
        return self._listeners

    def _look_again(self) -> None:
        self._listeners = None
        self._changed = True

    def _read_last(self) -> int:
        return int(self._connection.execute(LAST).fetchone()[0])

    def _keep_last(self) -> None:
        """Writes down which id was given last, where no event may have it, so that none gets it."""
        self._connection.execute(KEEP, (self.last(),))


def _bounded(rows: Iterable[tuple[Any, ...]], most: int) -> Iterator[Event]:
    """Yields events until they have so many characters: one at least."""
    for id_, org, type_, at, phone, message, data in rows:
        shown = message_of(data) if message is not None else None
        other = {} if message is not None else json.loads(data)
        yield Event(id=id_, org=org, type=type_, at=at, message=shown, phone=phone, data=other)
        most -= len(data)
        if most <= 0:
            return

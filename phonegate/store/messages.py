"""Messages: storing them, their way through the queue, and what is due when."""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Any, Final, Literal

import attrs

from phonegate.model.bounds import MAX_ID
from phonegate.model.events import Changed, Fact, Repeated, Rescheduled
from phonegate.model.messages import (
    FAR_AHEAD_MS,
    SETTABLE,
    Aged,
    Backlog,
    Candidate,
    Lane,
    Message,
    MessageView,
    NewInbound,
    NewMessage,
    PageQuery,
)
from phonegate.model.states import (
    CANCELLED,
    QUEUED,
    RECEIVED,
    SENDING,
    SENT,
    UNDELIVERED,
    Event,
    advance,
)
from phonegate.store import search
from phonegate.store.due_orgs import DueOrgs, in_turn
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
)


def _insert(columns: Sequence[str], count: int = 1) -> str:
    """The beginning of a statement that stores so many messages."""
    marks = f"({', '.join('?' * len(columns))})"
    rows = ", ".join([marks] * count)
    return f"INSERT INTO messages ({', '.join(columns)}) VALUES {rows}"  # noqa: S608 - constants


_INSERTS: Final = tuple((count, _insert(INSERTED, count)) for count in (50, 10, 1))
"""Statements that store so many messages. Fifty in one cost three quarters of fifty by themselves,
and let the event loop have its turn once, not fifty times."""

_INSERT_INBOUND: Final = (
    _insert(INSERTED_INBOUND)
    + " ON CONFLICT (org, fingerprint) WHERE fingerprint IS NOT NULL DO NOTHING"
)

_BY_FINGERPRINT = "SELECT id FROM messages WHERE org = ? AND fingerprint = ?"


def _step(before: str, event: Event) -> tuple[str, str]:
    """How a statement that moves many messages sets the status, and which messages it takes."""
    after = advance(before, event)
    if after is None:
        raise ValueError(f"nothing follows {event.name} in the state {before}")
    return f"status = '{after}'", f"status = '{before}'"


_FIND = f"SELECT {SELECTED} FROM messages WHERE id = ? AND org = ?"  # noqa: S608 - constants

CANDIDATES: Final = """
    SELECT id, segments, priority FROM messages INDEXED BY messages_ready
    WHERE status = 'queued' AND held_until IS NULL AND org = ? AND sim_selector = ? AND phone IS ?
        AND priority >= ?
    ORDER BY priority DESC, id LIMIT ?
"""

WAITING: Final = """
    SELECT sum(segments) FROM (
        SELECT segments FROM messages INDEXED BY messages_ready
        WHERE status = 'queued' AND held_until IS NULL AND org = ? AND sim_selector = ?
            AND phone IS ? AND priority >= ?
        LIMIT ?
    )
"""

# Where there is no key, nothing is looked up.
_KEY_HOLDS: Final = """(
            key IS NULL OR NOT EXISTS (SELECT 1 FROM ended_keys WHERE ended_keys.key = messages.key)
        )"""

_PUSHED, _TO_PUSH = _step(QUEUED, Event.PUSHED)
LEASE: Final = f"""
    UPDATE messages SET {_PUSHED}, phone = ?, sim_slot = ?, sim = ?,
        attempts = attempts + 1, pushed_at = ?, acked_at = NULL
    WHERE id IN (SELECT value FROM json_each(?)) AND {_TO_PUSH} AND held_until IS NULL
        AND (expires_at IS NULL OR expires_at > ?)
        AND {_KEY_HOLDS}
    RETURNING {SELECTED}
"""  # noqa: S608 - constants

ACKNOWLEDGE: Final = """
    UPDATE messages SET acked_at = ?
    WHERE id = ? AND org = ? AND phone = ? AND attempts > 0 AND acked_at IS NULL
"""

_SENT, _TO_SEND = _step(SENDING, Event.RADIOED)
SETTLE: Final = f"""
    UPDATE messages SET {_SENT}, sent_at = ?, acked_at = coalesce(acked_at, ?), error = NULL,
        segments = coalesce(?, segments)
    WHERE id = ? AND org = ? AND phone = ? AND {_TO_SEND}
"""  # noqa: S608 - constants

UNSETTLED: Final = f"""
    SELECT {SELECTED} FROM messages INDEXED BY messages_unsettled
    WHERE status = 'sending' AND phone = ? ORDER BY id
"""  # noqa: S608 - constants

# A carrier's message keeps its own time of the first try; a phone's begins to wait when it could
# leave, and not when it was accepted.
RELEASE: Final = """
    UPDATE messages SET held_until = NULL,
        first_tried_at = CASE WHEN assistant IS NULL THEN held_until ELSE first_tried_at END
    WHERE id IN (
        SELECT id FROM messages INDEXED BY messages_held_by_org
        WHERE status = 'queued' AND held_until IS NOT NULL AND org = ? AND held_until <= ?
        ORDER BY held_until LIMIT ?
    )
"""

NEXT_HELD: Final = """
    SELECT held_until FROM messages INDEXED BY messages_held
    WHERE status = 'queued' AND held_until IS NOT NULL ORDER BY held_until LIMIT 1
"""

EXPIRED: Final = f"""
    SELECT {SELECTED} FROM messages INDEXED BY messages_expiring_by_org
    WHERE status = 'queued' AND expires_at IS NOT NULL AND org = ? AND expires_at <= ?
    ORDER BY expires_at LIMIT ?
"""  # noqa: S608 - constants

NEXT_EXPIRY: Final = """
    SELECT expires_at FROM messages INDEXED BY messages_expiring
    WHERE status = 'queued' AND expires_at IS NOT NULL
    ORDER BY expires_at LIMIT 1
"""

OVERDUE: Final = f"""
    SELECT {SELECTED} FROM messages INDEXED BY messages_pushed
    WHERE status = 'sending' AND assistant IS NULL AND coalesce(acked_at, pushed_at) < ? AND (
        acked_at IS NOT NULL OR expires_at <= ? OR phone IN (SELECT value FROM json_each(?))
        OR pushed_at < ?
    )
    ORDER BY coalesce(acked_at, pushed_at), id LIMIT ?
"""  # noqa: S608 - constants

OLDEST_PUSH: Final = """
    SELECT coalesce(acked_at, pushed_at) FROM messages INDEXED BY messages_pushed
    WHERE status = 'sending' AND assistant IS NULL AND coalesce(acked_at, pushed_at) IS NOT NULL
    ORDER BY coalesce(acked_at, pushed_at) LIMIT 1
"""

_WITHDRAWN, _TO_WITHDRAW = _step(QUEUED, Event.WITHDRAWN)
WITHDRAW: Final = f"""
    UPDATE messages SET {_WITHDRAWN}, error = ? WHERE id IN (
        SELECT id FROM messages INDEXED BY messages_waiting_of_key
        WHERE {_TO_WITHDRAW} AND key = ? LIMIT ?
    )
    RETURNING id, org
"""  # noqa: S608 - constants

_OF_KEY: Final = "SELECT 1 FROM messages WHERE org = ? AND key = ? LIMIT 1"

BY_CARRIER_ID: Final = f"""
    SELECT {SELECTED} FROM messages INDEXED BY messages_by_carrier_id
    WHERE carrier_id IS NOT NULL AND assistant = ? AND carrier_id = ?
"""  # noqa: S608 - constants

READY_FOR_CARRIERS: Final = f"""
    SELECT {SELECTED} FROM messages INDEXED BY messages_ready_for_carriers
    WHERE status = 'queued' AND held_until IS NULL AND assistant IS NOT NULL
        AND {_KEY_HOLDS}
    ORDER BY id LIMIT ?
"""  # noqa: S608 - constants

TO_LOOK_AT: Final = f"""
    SELECT {SELECTED} FROM messages INDEXED BY messages_to_poll
    WHERE next_poll_at IS NOT NULL AND next_poll_at <= ? ORDER BY next_poll_at LIMIT ?
"""  # noqa: S608 - constants

NEXT_LOOK: Final = """
    SELECT next_poll_at FROM messages INDEXED BY messages_to_poll
    WHERE next_poll_at IS NOT NULL ORDER BY next_poll_at LIMIT 1
"""

_UNINDEXED = """
    SELECT id, org, direction, address, body FROM messages WHERE id > ? ORDER BY id LIMIT ?
"""

_WHOLE_UPTO = "SELECT value FROM marks WHERE name = 'indexed_whole'"

_OF_ORG = """
    SELECT id, org, direction, address, body, status FROM messages INDEXED BY messages_by_org
    WHERE org = ? LIMIT ?
"""

_UNINDEX = "INSERT INTO words (words, rowid, tokens) VALUES ('delete', ?, ?)"

# The message of a queue's lowest id began to wait first, unless it had a time of its own. Then
# others are asked, not all of them: a look must not read the rows of a whole queue.
BACKLOG: Final = """
    SELECT lane.org, orgs.name, lane.sim_selector, lane.phone, oldest.assistant, lane.n,
        CASE WHEN oldest.first_tried_at IS NULL THEN oldest.created_at ELSE min(
            oldest.first_tried_at,
            (SELECT min(coalesce(first_tried_at, created_at)) FROM (
                SELECT first_tried_at, created_at FROM messages INDEXED BY messages_ready
                WHERE status = 'queued' AND held_until IS NULL
                    AND org = lane.org AND sim_selector = lane.sim_selector AND phone IS lane.phone
                LIMIT 100
            ))
        ) END
    FROM (
        SELECT org, sim_selector, phone, count(*) AS n, min(id) AS first
        FROM messages INDEXED BY messages_ready
        WHERE status = 'queued' AND held_until IS NULL GROUP BY org, sim_selector, phone LIMIT ?
    ) AS lane
    JOIN messages AS oldest ON oldest.id = lane.first
    JOIN orgs ON orgs.id = lane.org AND orgs.name IS NOT NULL
"""

HELD: Final = """
    SELECT count(*) FILTER (WHERE held_until < ?1), count(*) FILTER (WHERE held_until >= ?1)
    FROM messages INDEXED BY messages_held
    WHERE status = 'queued' AND held_until IS NOT NULL
"""

_NEWEST = "SELECT created_at FROM messages ORDER BY id DESC LIMIT 1"

_AGED = "SELECT id, created_at, status, next_poll_at FROM messages WHERE id > ? ORDER BY id LIMIT ?"

_WHOLE = """
    SELECT id, org, direction, address, body, status, created_at, next_poll_at FROM messages
    WHERE id = ?
"""

LEAST_PRIORITY: Final = -MAX_ID
"""Below that of every message."""

MAX_LANES: Final = 10_000
"""Queues that one look tells apart: every SIM of a very large gateway."""

_ORG_NAME: Final = "SELECT name FROM orgs WHERE id = ?"

INDEXED_AT_ONCE: Final = 80_000
"""Characters of texts that are added to the index of words in one go: 500 full ones of one part,
10 ms. The dearest characters cost ten times as much."""

DELETED_AT_ONCE: Final = 200_000
"""Characters of texts that are deleted in one go, since their words must be cut again: more than
a slice of ordinary ones ever has."""


class Messages:
    """The rows of `messages`, their index of words and their counts by status.

    What happens to messages is recorded among the facts of the transaction, and the counts follow
    it in `settle`, once for all of it. The index follows behind (see `index`). Both are the
    writer's business.
    """

    def __init__(self, connection: sqlite3.Connection, facts: list[Fact]) -> None:
        self._connection = connection
        self._pages = Pages(connection)
        self.queue_lengths = QueueLengths(connection)
        self._held = DueOrgs(connection, "messages_held_by_org", "held_until")
        self._expiring = DueOrgs(connection, "messages_expiring_by_org", "expires_at")
        self._facts = facts
        self.unindexed = 0
        """About how many messages the index of words lacks; never fewer than it does."""

    # -- storing

    def insert(self, new: NewMessage) -> int:
        """Stores an outbound message; its id. One that is `sending` counts as pushed now."""
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
                self.queue_lengths.grew(one.org)
            self._facts.append(Changed(id_, one.org, None, one.status, one))
        self.unindexed += len(ids)
        return ids

    def insert_inbound(self, new: NewInbound) -> int | None:
        """Stores a received message; its id, or `None` if its fingerprint is there already."""
        cursor = self._connection.execute(_INSERT_INBOUND, received_row(new))
        if cursor.rowcount == 0:
            self._facts.append(Repeated(new.org))
            return None
        id_ = cursor.lastrowid
        assert id_ is not None, "an INSERT of one row"  # noqa: S101
        self._facts.append(Changed(id_, new.org, None, RECEIVED, new))
        self.unindexed += 1
        return id_

    def by_fingerprint(self, org: int, fingerprint: bytes) -> int | None:
        """The id of the received message that has this fingerprint."""
        row = self._connection.execute(_BY_FINGERPRINT, (org, fingerprint)).fetchone()
        return None if row is None else int(row[0])

    # -- reading

    def find(self, org: int, id: int) -> Message | None:  # noqa: A002 - the record's name for it
        """The message of this id, if it is the org's."""
        if not 0 < id <= MAX_ID:
            return None
        row = self._connection.execute(_FIND, (id, org)).fetchone()
        return None if row is None else message(row)

    def page(self, org: int, query: PageQuery) -> list[Message]:
        """A page of the org's messages, ascending by id.

        With `since_id` the first `limit` after it, so that a poller misses nothing; else the
        newest `limit`, below `before_id` if that is given.
        """
        return self._pages.page(org, query, MESSAGES)

    def views(self, org: int, query: PageQuery) -> list[MessageView]:
        """The same page as readers see it, in half the time."""
        return self._pages.page(org, query, VIEWS)

    def count_by_status(self) -> dict[str, int]:
        """How many messages there are of each status, over all orgs, as of the last commit."""
        return dict(self._connection.execute("SELECT status, n FROM tallies WHERE n <> 0"))

    def backlog(self) -> Backlog:
        """What waits in the queue, over all orgs. Reads the whole queue, but nothing else."""
        rows = self._connection.execute(BACKLOG, (MAX_LANES,))
        timed, asked = self._connection.execute(HELD, (FAR_AHEAD_MS,)).fetchone()
        return Backlog(lanes=tuple(Lane(*row) for row in rows), timed=timed, asked=asked)

    # -- the way through the queue

    def transition(self, message: Message, event: Event, **columns: object) -> Message | None:
        """Moves a message to the status that an event leads to, and changes the named columns.

        Every change of a status goes through here or through one of the methods that change many
        at once, and each is recorded as a fact.

        Args:
            message: The message as this transaction has read it. One that is gone, with its org,
                is changed nowhere.
            event: What happened to it.
            columns: Other columns that change with it.

        Returns:
            The message as it is then. None where the event changes nothing, and nothing else was
            changed either.

        Raises:
            ValueError: One of the names is no column that may change, or the message has another
                status by now.
        """
        after = advance(message.status, event)
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
            fact = Changed(message.id, message.org, message.status, after, changed, name)
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
        return attrs.evolve(message, held_until=held_until, **columns)  # type: ignore[arg-type]

    def set(self, id: int, **columns: object) -> None:  # noqa: A002
        """Changes the named columns of a message.

        Raises:
            ValueError: One of the names is no column that may change by itself.
        """
        self._connection.execute(_update(tuple(columns)), (*columns.values(), id))

    def candidates(
        self,
        org: int,
        *,
        phone: int | None,
        sim_selector: str,
        limit: int,
        priority: int = LEAST_PRIORITY,
    ) -> list[Candidate]:
        """The messages that may leave now for these, first things first.

        Left out are those of a lower *priority*.
        """
        rows = self._connection.execute(CANDIDATES, (org, sim_selector, phone, priority, limit))
        return [Candidate(id=row[0], segments=row[1], priority=row[2]) for row in rows]

    def waiting_segments(
        self,
        org: int,
        *,
        phone: int | None,
        sim_selector: str,
        cap: int,
        priority: int = LEAST_PRIORITY,
    ) -> int:
        """The segments that `candidates` would hand out in all, counted no further than *cap*."""
        # Each message has a segment at least, so `cap` rows are enough to reach the cap.
        values = (org, sim_selector, phone, priority, cap)
        (total,) = self._connection.execute(WAITING, values).fetchone()
        return min(total or 0, cap)

    def lease(
        self,
        ids: Sequence[int],
        *,
        phone: int,
        sim_slot: int | None,
        sim: str | None,
        now: int,
    ) -> list[Message]:
        """Turns queued messages to `sending`, for one more attempt by this phone and SIM.

        Left out are those that aren't queued any more, are held, or whose time has run out, and
        those of a revoked key.
        They come in no order.
        """
        values = (phone, sim_slot, sim, now, json.dumps(ids), now)
        leased = [message(row) for row in self._connection.execute(LEASE, values)]
        self._facts += [Changed(one.id, one.org, QUEUED, one.status, one) for one in leased]
        return leased

    def acknowledge(self, org: int, phone: int, ids: Sequence[int], now: int) -> int:
        """Notes of which messages a phone said that it has them; how many were not noted yet."""
        rows = [(now, id_, org, phone) for id_ in ids]
        return self._connection.executemany(ACKNOWLEDGE, rows).rowcount

    def settle_sent(
        self, org: int, phone: int, results: Sequence[tuple[int, int | None]], now: int
    ) -> int:
        """Notes that a phone has sent messages whose results were awaited of it.

        Args:
            org: Whose messages they are.
            phone: Which has sent them.
            results: Their ids and, where it is known, the number of segments.
            now: When they were sent, in ms.

        Returns:
            How many of them were awaited.
        """
        execute, before = self._connection.cursor().execute, len(self._facts)
        for id_, segments in results:
            if execute(SETTLE, (now, now, segments, id_, org, phone)).rowcount:
                self._facts.append(Changed(id_, org, SENDING, SENT))
        return len(self._facts) - before

    def unsettled(self, phone: int) -> list[Message]:
        """The messages that were pushed to this phone and have no result, by id."""
        return [message(row) for row in self._connection.execute(UNSETTLED, (phone,))]

    def withdraw(self, key: str, limit: int, *, error: str) -> int:
        """Cancels up to *limit* queued messages of an API key. Returns how many there were."""
        rows = self._connection.execute(WITHDRAW, (error, key, limit)).fetchall()
        self._facts += [Changed(id_, org, QUEUED, CANCELLED) for id_, org in rows]
        return len(rows)

    def has_of_key(self, org: int, key: str) -> bool:
        """Whether there is a message that this org sent with this API key."""
        return self._connection.execute(_OF_KEY, (org, key)).fetchone() is not None

    # -- at carriers

    def by_carrier_id(self, assistant: int, carrier_id: str) -> Message | None:
        """The outbound message that an assistant's carrier knows by this id."""
        row = self._connection.execute(BY_CARRIER_ID, (assistant, carrier_id)).fetchone()
        return None if row is None else message(row)

    def ready_for_carriers(self, limit: int) -> list[Message]:
        """Queued messages of all assistants with a carrier that may leave now, by id."""
        return [message(row) for row in self._connection.execute(READY_FOR_CARRIERS, (limit,))]

    def to_look_at(self, now: int, limit: int) -> list[Message]:
        """Messages whose state at the carrier is to be looked up by now, the earliest first."""
        return [message(row) for row in self._connection.execute(TO_LOOK_AT, (now, limit))]

    def next_poll(self) -> int | None:
        """When the next message is to be looked up at its carrier (ms)."""
        return self._first(NEXT_LOOK)

    # -- what is due

    def release_held(self, now: int, limit: int) -> AbstractSet[int]:
        """Lets up to *limit* messages leave whose `held_until` has come. Returns their orgs.

        All orgs that have some get the same part of it, as far as they need it.
        """

        def release(org: int, share: int) -> int:
            return self._connection.execute(RELEASE, (org, now, share)).rowcount

        orgs = set(in_turn(self._held.orgs(now, limit), limit, release))
        self._facts += [Rescheduled(org, None) for org in orgs]
        return orgs

    def next_held(self) -> int | None:
        """When the next held message is due (ms)."""
        return self._first(NEXT_HELD)

    def next_expiry(self) -> int | None:
        """When the next queued message expires (ms)."""
        return self._first(NEXT_EXPIRY)

    def oldest_push(self) -> int | None:
        """When the message was acked, or else pushed, that has waited longest for its result."""
        return self._first(OLDEST_PUSH)

    def expired(self, now: int, limit: int) -> list[Message]:
        """Queued messages whose time has run out, of each org the earliest first.

        Orgs get their parts as in `release_held`.
        """
        found: dict[int, list[Message]] = {}

        def look(org: int, share: int) -> int:
            # From the beginning: nothing that was found before has changed.
            values = (org, now, len(found.get(org, ())) + share)
            rows = self._connection.execute(EXPIRED, values).fetchall()
            new = len(rows) - len(found.get(org, ()))
            found[org] = [message(row) for row in rows]
            return new

        in_turn(self._expiring.orgs(now, limit), limit, look)
        return [one for messages in found.values() for one in messages]

    def overdue(
        self, pushed_before: int, limit: int, *, online: Collection[int], away_before: int, now: int
    ) -> list[Message]:
        """Messages whose result was awaited since before a time, the longest first.

        Left out are those that still come to something: never acked, of a phone that is not
        among *online*, pushed since *away_before*, and with time left at *now*. There may be a
        great many of them.
        """
        values = (pushed_before, now, json.dumps(list(online)), away_before, limit)
        return [message(row) for row in self._connection.execute(OVERDUE, values)]

    # -- chores of the writer

    def settle(self) -> None:
        """Writes the counts of what has changed. Part of every commit, before it."""
        sums: Counter[str] = Counter()
        for fact in self._facts:
            if type(fact) is Changed:
                if fact.before is not None:
                    sums[fact.before] -= 1
                if fact.after is not None:
                    sums[fact.after] += 1
        self._connection.executemany(
            "INSERT INTO tallies VALUES (?, ?)"
            " ON CONFLICT (status) DO UPDATE SET n = n + excluded.n",
            [item for item in sums.items() if item[1]],
        )

    def index(self, limit: int, chars: int = INDEXED_AT_ONCE) -> tuple[int, bool]:
        """Adds the oldest messages that the index of words lacks. Returns how many, and if all.

        It takes up to *limit* messages, and stops once their texts have *chars* characters.
        """
        upto = self._pages.indexed()
        documents = []
        left = chars
        cursor = self._connection.execute(_UNINDEXED, (upto, limit))
        for row in cursor:
            documents.append((row[0], search.document(*row)))
            left -= min(len(row[4]), search.MAX_TEXT)
            if left <= 0:
                break
        complete = left > 0 and len(documents) < limit
        cursor.close()
        if documents:
            self._connection.executemany(
                "INSERT INTO words (rowid, tokens) VALUES (?, ?)", documents
            )
            self._connection.execute(
                "UPDATE marks SET value = ? WHERE name = 'indexed'", (documents[-1][0],)
            )
        return len(documents), complete

    def drop(self, org: int, limit: int) -> bool:
        """Deletes up to *limit* messages of a removed org, words included; whether that was all."""
        cursor = self._connection.execute(_OF_ORG, (org, limit))
        rows = _within(cursor, DELETED_AT_ONCE)
        complete = cursor.fetchone() is None and len(rows) < limit
        cursor.close()
        self._delete(rows)
        return complete

    # -- by age

    def newest(self) -> int | None:
        """When the message of the highest id was stored (ms)."""
        return self._first(_NEWEST)

    def aged(self, after: int, limit: int) -> list[Aged]:
        """What decides whether a message may go, of the next *limit* ones after an id."""
        return [Aged(*row) for row in self._connection.execute(_AGED, (after, limit))]

    def erase(self, ids: Sequence[int], still: Callable[[Aged], bool]) -> tuple[int, int]:
        """Deletes messages, words included, of which *still* says that they may go.

        Gives how many that were, and of how many *ids* it has made up its mind: with very long
        texts it leaves the rest for another time.
        """
        found = (self._connection.execute(_WHOLE, (id_,)).fetchone() for id_ in ids)
        rows = _within(found, DELETED_AT_ONCE)
        going = [row for row in rows if row and still(Aged(row[0], row[6], row[5], row[7]))]
        self._delete(going)
        return len(going), len(rows)

    def _delete(self, rows: Sequence[Any]) -> None:
        """Deletes messages, each given as id, org, direction, address, body, status."""
        upto = self._pages.indexed()
        (whole_upto,) = self._connection.execute(_WHOLE_UPTO).fetchone()
        self._connection.executemany(
            _UNINDEX,
            [
                (row[0], search.document(*row[:5], whole=row[0] <= whole_upto))
                for row in rows
                if row[0] <= upto
            ],
        )
        self._connection.executemany("DELETE FROM messages WHERE id = ?", [row[:1] for row in rows])
        self._facts += [Changed(row[0], row[1], row[5], None) for row in rows]

    def _first(self, sql: str) -> int | None:
        row = self._connection.execute(sql).fetchone()
        return None if row is None else int(row[0])


def _within(rows: Iterable[Any], chars: int) -> list[Any]:
    """The first rows, until their bodies have so many characters: one at least."""
    taken = []
    for row in rows:
        taken.append(row)
        chars -= len(row[4]) if row else 0
        if chars <= 0:
            break
    return taken


@lru_cache(maxsize=256)
def _update(names: tuple[str, ...], own: Literal["status", "held_until"] | None = None) -> str:
    """A statement that changes columns of one message, with one first that has its own method."""
    unknown = sorted(set(names) - SETTABLE)
    if unknown or not (names or own):
        raise ValueError(f"not columns of a message that may be set: {', '.join(unknown)}")
    changes = ", ".join(f"{name} = ?" for name in (*([own] if own else ()), *names))
    condition = " AND status = ?" if own == "status" else ""
    return f"UPDATE messages SET {changes} WHERE id = ?{condition}"  # noqa: S608 - names were checked

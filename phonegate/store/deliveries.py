"""Deliveries: which events are on their way to which webhooks, and the log of those that are over.

What waits is here and nowhere else, so that it survives the end of the process.
"""

import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import attrs

from phonegate.model.callbacks import Callback
from phonegate.model.events import Event
from phonegate.model.facts import Fact, WebhooksChanged
from phonegate.model.webhooks import Attempt, Delivery, Webhook
from phonegate.store.events import Events

TEST_SUBJECT: Final = "test"

LONGEST_WAIT_MS: Final = 2 * 86_400_000
"""No try is planned farther ahead. One that seems to be was planned before the clock was set back,
and is due."""

_COLUMNS: Final = (
    "n, webhook, event, type, subject, created_at, attempts, at, ms, status, error, answer, next_at"
)
_SELECT: Final = f"SELECT {_COLUMNS} FROM deliveries"  # noqa: S608 - constants

_INSERT: Final = """
    INSERT INTO deliveries (webhook, event, type, subject, created_at, next_at)
    VALUES (?, ?, ?, ?, ?, ?)
"""
_INSERT_TEST: Final = f"""
    INSERT INTO deliveries
        (webhook, type, subject, created_at, attempts, at, ms, status, error, answer)
    VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?) RETURNING {_COLUMNS}
"""  # noqa: S608

_BEFORE: Final = """
    SELECT 1 FROM deliveries AS b INDEXED BY deliveries_waiting
    WHERE b.webhook = d.webhook AND b.subject = d.subject AND b.n < d.n AND b.next_at IS NOT NULL
"""
"""Whether an earlier event of the same subject is still on its way."""

DUE: Final = f"""
    SELECT {_COLUMNS} FROM deliveries AS d INDEXED BY deliveries_due
    WHERE webhook = :webhook AND next_at IS NOT NULL
        AND (next_at <= :now OR next_at > :now + {LONGEST_WAIT_MS}) AND NOT EXISTS ({_BEFORE})
    ORDER BY n LIMIT :limit
"""  # noqa: S608

NEXT_DUE: Final = f"""
    SELECT min(iif(d.next_at > :now + {LONGEST_WAIT_MS}, :now, d.next_at))
    FROM deliveries AS d JOIN (
        SELECT min(n) AS n FROM deliveries INDEXED BY deliveries_waiting
        WHERE webhook = :webhook AND next_at IS NOT NULL GROUP BY subject
    ) AS first ON d.n = first.n
"""  # noqa: S608
"""The first of each subject is the only one that may be tried."""

WAITING: Final = """
    SELECT count(*) FROM deliveries INDEXED BY deliveries_due
    WHERE webhook = ? AND next_at IS NOT NULL
"""
WAITING_OF_ORG: Final = f"""
    SELECT coalesce(sum((
        {WAITING.replace("webhook = ?", "webhook = webhooks.id")}
    )), 0) FROM webhooks WHERE org = ?
"""  # noqa: S608

OF_SUBJECT: Final = """
    SELECT n FROM deliveries
    WHERE webhook IN (SELECT id FROM webhooks WHERE org = ?)
        AND subject = ? AND answer IS NOT NULL
"""

FINISHED: Final = """
    SELECT n FROM (
        SELECT n, created_at FROM deliveries
        WHERE webhook = :webhook AND next_at IS NULL ORDER BY n LIMIT :limit
    ) WHERE created_at < :before OR n <= :surplus
"""
"""Looks at the first ones alone: numbers ascend with time, and the whole log is long."""

HASTEN: Final = """
    UPDATE deliveries SET next_at = min(next_at, :now), created_at = max(created_at, :now)
    WHERE n IN (
        SELECT n FROM deliveries INDEXED BY deliveries_due
        WHERE webhook = :webhook AND next_at IS NOT NULL AND n > :after ORDER BY n LIMIT :limit
    ) RETURNING n
"""

OWNERLESS: Final = """
    WITH RECURSIVE logged (webhook) AS (
        SELECT min(webhook) FROM deliveries
        UNION ALL
        SELECT (SELECT min(webhook) FROM deliveries WHERE webhook > logged.webhook)
        FROM logged WHERE webhook IS NOT NULL
    )
    SELECT webhook FROM logged
    WHERE webhook IS NOT NULL AND NOT EXISTS (SELECT 1 FROM webhooks WHERE id = logged.webhook)
"""
"""Goes from one webhook to the next, and not through their deliveries."""

ERASE_OWNERLESS: Final = """
    DELETE FROM deliveries WHERE n IN (SELECT n FROM deliveries WHERE webhook = ? LIMIT ?)
"""

_SURPLUS: Final = "SELECT n FROM deliveries WHERE webhook = ? ORDER BY n DESC LIMIT 1 OFFSET ?"


class Due(NamedTuple):
    """A delivery whose time has come."""

    delivery: Delivery
    event: Event | None
    """None where the event is kept no more."""
    callback: Callback | None = None
    """What is called in place of the webhook's own URL, where it is for status callbacks."""
    media_types: tuple[str, ...] = ()
    """What the parts of a received MMS are, which stand first among its media."""


@attrs.frozen(kw_only=True)
class Taken:
    """What became of the events after a webhook's position."""

    looked_at: int
    """How many there were, up to the limit."""
    waiting: int
    """How many of them are to be delivered."""
    missed: bool = False
    """Whether there had been others, which are kept no more."""


@attrs.frozen(kw_only=True)
class Waiting:
    """What waits for all webhooks together."""

    count: int
    since: int | None
    """When the oldest of it was taken up, in ms. None where nothing waits."""


NONE_WAITING: Final = Waiting(count=0, since=None)


class Deliveries:
    """The rows of `deliveries`, and how far each webhook has got."""

    def __init__(self, connection: sqlite3.Connection, facts: list[Fact], events: Events) -> None:
        self._connection = connection
        self._facts = facts
        self._events = events

    # -- taking events up

    def take(self, webhook: Webhook, limit: int, fits: Callable[[Event], bool], now: int) -> Taken:
        """Takes up the next events of a webhook, as deliveries that are due at once.

        Args:
            webhook: The webhook. How far it has got is read anew.
            limit: How many events are looked at.
            fits: Tells whether it gets an event.
            now: The time, in ms.
        """
        row = self._connection.execute(
            "SELECT position FROM webhooks WHERE id = ? AND disabled_at IS NULL", (webhook.id,)
        ).fetchone()
        if row is None:
            return Taken(looked_at=0, waiting=0)
        (position,) = row
        missed = self._events.extent(webhook.org).first > position
        events = self._events.page(webhook.org, position, limit)
        if not events:
            return Taken(looked_at=0, waiting=0)
        rows = [
            (webhook.id, event.id, event.type, event.subject, now, now)
            for event in events
            if fits(event)
        ]
        self._connection.executemany(
            _INSERT,
            rows,
        )
        self._connection.execute(
            "UPDATE webhooks SET position = ?, missed_at = coalesce(?, missed_at) WHERE id = ?",
            (events[-1].id, now if missed else None, webhook.id),
        )
        return Taken(looked_at=len(events), waiting=len(rows), missed=missed)

    # -- what is on its way

    def due(self, webhook: Webhook, now: int, limit: int) -> list[Due]:
        """Returns what may be tried now: the oldest first, and of each subject one."""
        values = {"webhook": webhook.id, "now": now, "limit": limit}
        rows = self._connection.execute(DUE, values)
        return [Due(one, self._event(webhook.org, one.event)) for one in map(_delivery, rows)]

    def next_due(self, webhook: int, now: int) -> int | None:
        """Returns when something may be tried next, in ms. None where nothing waits."""
        values = {"webhook": webhook, "now": now}
        (at,) = self._connection.execute(NEXT_DUE, values).fetchone()
        return None if at is None else int(at)

    def waiting(self, webhook: int) -> int:
        """Returns how many deliveries of a webhook are not over."""
        return int(self._connection.execute(WAITING, (webhook,)).fetchone()[0])

    def waiting_of_org(self, org: int) -> int:
        """Returns how many deliveries of an org's webhooks are not over."""
        return int(self._connection.execute(WAITING_OF_ORG, (org,)).fetchone()[0])

    def all_waiting(self) -> Waiting:
        """Returns what waits for all webhooks, as metrics show it."""
        count, oldest = self._connection.execute(
            "SELECT count(*), min(n) FROM deliveries WHERE next_at IS NOT NULL"
        ).fetchone()
        since = None
        if oldest is not None:
            found = self._connection.execute(
                "SELECT created_at FROM deliveries WHERE n = ?", (oldest,)
            )
            (since,) = found.fetchone()
        return Waiting(count=count, since=since)

    def hasten(self, webhook: int, now: int, *, after: int, limit: int) -> int | None:
        """Has what waits for a webhook tried at once, and its three days begin anew.

        Args:
            webhook: The webhook.
            now: The time, in ms.
            after: Those beyond this number.
            limit: So many at most.

        Returns:
            The number after which to go on. None where that was all.
        """
        values = {"webhook": webhook, "now": now, "after": after, "limit": limit}
        found = [n for (n,) in self._connection.execute(HASTEN, values)]
        return max(found) if len(found) == limit else None

    def finish(self, n: int, attempt: Attempt, next_at: int | None) -> None:
        """Notes an attempt.

        Args:
            n: The delivery.
            attempt: What was tried.
            next_at: When it is tried again. None where it is over.
        """
        self._connection.execute(
            "UPDATE deliveries SET attempts = attempts + 1, at = ?, ms = ?, status = ?, error = ?,"
            " answer = ?, next_at = ? WHERE n = ?",
            (*_values(attempt), next_at, n),
        )

    def drop(self, lost: Sequence[Delivery], reason: str, now: int) -> None:
        """Gives deliveries up whose events are gone. Their webhooks have missed them."""
        for delivery in lost:
            self._connection.execute(
                "UPDATE deliveries SET error = ?, next_at = NULL WHERE n = ?", (reason, delivery.n)
            )
            self._connection.execute(
                "UPDATE webhooks SET missed_at = ? WHERE id = ?", (now, delivery.webhook)
            )

    def mark_failing(self, webhook: int, since: int | None) -> None:
        """Notes since when a webhook fails. With None it fails no more."""
        if since is None:
            sql = (
                "UPDATE webhooks SET failing_since = NULL"
                " WHERE id = ? AND failing_since IS NOT NULL"
            )
            self._connection.execute(sql, (webhook,))
            return
        sql = "UPDATE webhooks SET failing_since = ? WHERE id = ? AND failing_since IS NULL"
        self._connection.execute(sql, (since, webhook))

    # -- the log

    def add_test(self, webhook: int, type: str, attempt: Attempt) -> Delivery:  # noqa: A002
        """Notes a test, which is over at once.

        Args:
            webhook: The webhook that was tested.
            type: The type of the event that was sent.
            attempt: What came of it.
        """
        row = self._connection.execute(
            _INSERT_TEST, (webhook, type, TEST_SUBJECT, attempt.at, *_values(attempt))
        ).fetchone()
        return _delivery(row)

    def of_subject(self, org: int, subject: str) -> list[int]:
        """Returns the numbers of the deliveries of an org about something that were answered.

        It looks through the logs of all webhooks: for a reader, not for the one that writes.
        """
        return [n for (n,) in self._connection.execute(OF_SUBJECT, (org, subject))]

    def forget_answers(self, numbers: Sequence[int]) -> None:
        """Forgets what receivers have answered to deliveries."""
        self._connection.execute(
            "UPDATE deliveries SET answer = NULL WHERE n IN (SELECT value FROM json_each(?))",
            (json.dumps(list(numbers)),),
        )

    def page(self, webhook: int, limit: int, before_n: int | None = None) -> list[Delivery]:
        """Returns deliveries of a webhook, newest first: those before a number, where given."""
        where, values = "", [webhook]
        if before_n is not None:
            where = " AND n < ?"
            values.append(before_n)
        rows = self._connection.execute(
            f"{_SELECT} WHERE webhook = ?{where} ORDER BY n DESC LIMIT ?", (*values, limit)
        )
        return list(map(_delivery, rows))

    def replay(self, webhook: Webhook, n: int, now: int) -> bool:
        """Tries a delivery again: at once if it still waits, else as a new one of the same event.

        Returns False where there is no such delivery, or its event is kept no more.
        """
        row = self._connection.execute(
            f"{_SELECT} WHERE webhook = ? AND n = ?", (webhook.id, n)
        ).fetchone()
        found = None if row is None else _delivery(row)
        if found is None or self._event(webhook.org, found.event) is None:
            return False
        if found.next_at is not None:
            self._connection.execute("UPDATE deliveries SET next_at = ? WHERE n = ?", (now, n))
        else:
            self._connection.execute(
                _INSERT,
                (webhook.id, found.event, found.type, found.subject, now, now),
            )
        self._facts.append(WebhooksChanged(webhook.org))
        return True

    def logged(self) -> list[int]:
        """Returns the webhooks that have a log."""
        rows = self._connection.execute(
            "SELECT id FROM webhooks"
            " WHERE EXISTS (SELECT 1 FROM deliveries WHERE deliveries.webhook = webhooks.id)"
        )
        return [webhook for (webhook,) in rows]

    def finished(self, webhook: int, *, before: int, most: int, limit: int) -> list[int]:
        """Returns the oldest deliveries that are over and need be kept no longer.

        Args:
            webhook: Whose log.
            before: Those that began before this time, in ms.
            most: How many are kept at most.
            limit: How many are looked at.
        """
        row = self._connection.execute(_SURPLUS, (webhook, most)).fetchone()
        surplus = 0 if row is None else row[0]
        values = {"webhook": webhook, "before": before, "surplus": surplus, "limit": limit}
        return [n for (n,) in self._connection.execute(FINISHED, values)]

    def erase(self, numbers: Sequence[int]) -> None:
        """Deletes deliveries from the log, unless they wait again."""
        self._connection.execute(
            "DELETE FROM deliveries WHERE next_at IS NULL"
            " AND n IN (SELECT value FROM json_each(?))",
            (json.dumps(list(numbers)),),
        )

    def ownerless(self) -> list[int]:
        """Returns the webhooks that were removed and have left deliveries."""
        return [webhook for (webhook,) in self._connection.execute(OWNERLESS)]

    def erase_ownerless(self, webhook: int, limit: int) -> bool:
        """Deletes up to *limit* deliveries of a removed webhook. Returns whether that was all."""
        return self._connection.execute(ERASE_OWNERLESS, (webhook, limit)).rowcount < limit

    def _event(self, org: int, event: int | None) -> Event | None:
        if event is None:
            return None
        found = self._events.page(org, event - 1, 1)
        return found[0] if found and found[0].id == event else None


def _values(attempt: Attempt) -> tuple[Any, ...]:
    return attempt.at, attempt.ms, attempt.status, attempt.error, attempt.answer


def _delivery(row: tuple[Any, ...]) -> Delivery:
    n, webhook, event, type_, subject, created_at, attempts = row[:7]
    at, ms, status, error, answer, next_at = row[7:]
    last = None
    if at is not None:
        last = Attempt(at=at, ms=ms, status=status, error=error, answer=answer)
    elif error is not None:
        last = Attempt(at=created_at, ms=0, error=error)
    return Delivery(
        n=n,
        webhook=webhook,
        event=event,
        type=type_,
        subject=subject,
        created_at=created_at,
        attempts=attempts,
        last=last,
        next_at=next_at,
    )

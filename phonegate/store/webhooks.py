"""Webhooks: which URLs of which orgs are called with events."""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from phonegate.model.callbacks import Callback
from phonegate.model.facts import Fact, WebhooksChanged
from phonegate.model.webhooks import Webhook
from phonegate.store.events import Events
from phonegate.store.rows import callback

_COLUMNS: Final = (
    "url",
    "events",
    "address",
    "sim",
    "phone",
    "headers",
    "shape",
    "method",
    "name",
    "secret",
    "signing_state",
    "old_secret",
    "old_secret_until",
    "key",
    "created_at",
    "position",
    "failing_since",
    "disabled_at",
    "disabled_reason",
    "missed_at",
    "used_at",
    "client_id",
    "client_event",
)
"""All but the two that never change, as `Webhook` has them."""

_SELECT: Final = (
    f"SELECT w.id, w.org, o.name, {', '.join(f'w.{column}' for column in _COLUMNS)}"  # noqa: S608
    " FROM webhooks AS w JOIN orgs AS o ON o.id = w.org AND o.name IS NOT NULL"
)
"""Those of a removed org are in no answer."""

_INSERT: Final = (
    f"INSERT INTO webhooks (org, {', '.join(_COLUMNS)})"  # noqa: S608 - constants
    f" VALUES (?, {', '.join('?' * len(_COLUMNS))})"
)

_WRITTEN: Final[Mapping[str, Callable[[Any], Any]]] = MappingProxyType(
    {"events": " ".join, "headers": json.dumps}
)
"""How the values of some columns are kept."""

_CALLBACK: Final = "SELECT status_callback FROM messages WHERE id = ? AND org = ?"

UNUSED: Final = """
    SELECT w.org, w.id FROM webhooks AS w
    WHERE w.used_at IS NOT NULL AND w.used_at < :before AND (:org IS NULL OR w.org = :org)
        AND NOT EXISTS (
            SELECT 1 FROM deliveries AS d INDEXED BY deliveries_due
            WHERE d.webhook = w.id AND d.next_at IS NOT NULL
        )
    ORDER BY w.used_at LIMIT :limit
"""

_DROP_DELIVERIES: Final = """
    DELETE FROM deliveries WHERE n IN (
        SELECT n FROM deliveries WHERE webhook IN (SELECT id FROM webhooks WHERE org = ?) LIMIT ?
    )
"""


class Webhooks:
    """The rows of `webhooks`."""

    def __init__(self, connection: sqlite3.Connection, facts: list[Fact], events: Events) -> None:
        self._connection = connection
        self._facts = facts
        self._events = events

    def add(
        self,
        org: int,
        *,
        url: str,
        events: Sequence[str],
        secret: str,
        created_at: int,
        **columns: Any,
    ) -> Webhook:
        """Stores a webhook that gets the events from now on.

        Args:
            org: Whose webhook.
            url: What is called.
            events: The types that it gets, or patterns of them.
            secret: What signs the calls, as its owner is shown it.
            created_at: When it is made (ms).
            **columns: Others, by their names in `Webhook`.
        """
        self._events.listen(org)
        given = {
            "headers": (),
            "shape": "standard",
            "method": "POST",
            "position": self._events.last(),
            **columns,
            "url": url,
            "events": events,
            "secret": secret,
            "created_at": created_at,
        }
        values = (_written(column, given.get(column)) for column in _COLUMNS)
        cursor = self._connection.execute(_INSERT, (org, *values))
        assert cursor.lastrowid is not None, "an INSERT of one row"  # noqa: S101
        # What waits for others is no nearer to being due by it.
        self._facts.append(WebhooksChanged(org, again=False))
        made = self.get(org, cursor.lastrowid)
        assert made is not None, "it was stored for an org that there is"  # noqa: S101
        return made

    def get(self, org: int, id: int) -> Webhook | None:  # noqa: A002 - the record's own name for it
        """Returns the webhook of this id, where it is this org's."""
        row = self._connection.execute(
            f"{_SELECT} WHERE w.id = ? AND w.org = ?", (id, org)
        ).fetchone()
        return None if row is None else _webhook(row)

    def by_client_id(self, org: int, client_id: str) -> Webhook | None:
        """Returns the webhook of an org that a program calls so."""
        found = self._all("WHERE w.org = ? AND w.client_id = ?", org, client_id)
        return found[0] if found else None

    def of_org(self, org: int) -> list[Webhook]:
        """Returns the webhooks of an org, oldest first."""
        return self._all("WHERE w.org = ? ORDER BY w.id", org)

    def by_key(self, key: str) -> list[Webhook]:
        """Returns the webhooks that an API key has made."""
        return self._all("WHERE w.key = ? ORDER BY w.id", key)

    def active(self) -> list[Webhook]:
        """Returns the webhooks that are called, of all orgs that are served."""
        return self._all("WHERE w.disabled_at IS NULL AND o.suspended_at IS NULL ORDER BY w.id")

    def active_of_org(self, org: int) -> list[Webhook]:
        """Returns the webhooks of an org that are called."""
        where = "WHERE w.org = ? AND w.disabled_at IS NULL AND o.suspended_at IS NULL ORDER BY w.id"
        return self._all(where, org)

    def failed(self, most: int) -> list[Webhook]:
        """Returns some webhooks of all orgs that are called no more because the calls failed.

        One whose API key is gone was ended with it.
        """
        where = (
            "WHERE w.disabled_at IS NOT NULL AND w.failing_since IS NOT NULL"
            " AND (w.key IS NULL OR EXISTS (SELECT 1 FROM api_keys WHERE id = w.key))"
        )
        return self._all(f"{where} ORDER BY w.id LIMIT ?", most)

    def count_of_org(self, org: int) -> int:
        """Returns how many webhooks an org has made."""
        sql = "SELECT count(*) FROM webhooks WHERE org = ? AND used_at IS NULL"
        return int(self._connection.execute(sql, (org,)).fetchone()[0])

    def for_callbacks(self, org: int, shape: str, url: str) -> Webhook | None:
        """Returns the one by which status callbacks of a shape go to an origin."""
        found = self._all(
            "WHERE w.org = ? AND w.shape = ? AND w.url = ? AND w.used_at IS NOT NULL",
            org,
            shape,
            url,
        )
        return found[0] if found else None

    def callback(self, org: int, message: int) -> Callback | None:
        """Returns the status callback of a message, where there is one."""
        row = self._connection.execute(_CALLBACK, (message, org)).fetchone()
        return None if row is None or row[0] is None else callback(row[0])

    def count_for_callbacks(self, org: int) -> int:
        """Returns how many of an org's there are for status callbacks."""
        sql = "SELECT count(*) FROM webhooks WHERE org = ? AND used_at IS NOT NULL"
        return int(self._connection.execute(sql, (org,)).fetchone()[0])

    def unused(self, before: int, limit: int, org: int | None = None) -> list[tuple[int, int]]:
        """Returns some for status callbacks that no message has used since a time, oldest first.

        Args:
            before: The time, in ms.
            limit: So many at most.
            org: Only this org's.

        Returns:
            Their orgs and ids. Nothing waits for them.
        """
        rows = self._connection.execute(UNUSED, {"before": before, "limit": limit, "org": org})
        return [(found, id_) for found, id_ in rows]

    def note_use(self, id: int, at: int) -> None:  # noqa: A002
        """Notes that a message has used one for status callbacks. It is none the other for it."""
        self._connection.execute("UPDATE webhooks SET used_at = ? WHERE id = ?", (at, id))

    def set(self, id: int, **columns: Any) -> None:  # noqa: A002
        """Changes columns of a webhook, by their names in `Webhook`."""
        changes = ", ".join(f"{column} = ?" for column in columns)
        values = (_written(column, value) for column, value in columns.items())
        row = self._connection.execute(
            # The names are our own: a wrong one is no column.
            f"UPDATE webhooks SET {changes} WHERE id = ? RETURNING org",  # noqa: S608
            (*values, id),
        ).fetchone()
        if row is not None:
            self._facts.append(WebhooksChanged(row[0]))

    def signing_key(self, org: int, new: str) -> str:
        """Returns what signs the calls of shape `smsgate` of an org: at first the new key."""
        self._connection.execute(
            "INSERT OR IGNORE INTO smsgate_signing_keys VALUES (?, ?)", (org, new)
        )
        (key,) = self._connection.execute(
            "SELECT signing_key FROM smsgate_signing_keys WHERE org = ?", (org,)
        ).fetchone()
        return str(key)

    def change_signing_key(self, org: int, key: str) -> None:
        """Has another key sign the calls of shape `smsgate` of an org."""
        self._connection.execute(
            "INSERT OR REPLACE INTO smsgate_signing_keys VALUES (?, ?)", (org, key)
        )
        self._connection.execute(
            "UPDATE webhooks SET secret = ? WHERE org = ? AND shape = 'smsgate'", (key, org)
        )
        self._facts.append(WebhooksChanged(org))

    def remove(self, org: int, id: int) -> bool:  # noqa: A002
        """Removes a webhook of this org. Returns whether there was one.

        Its deliveries are deleted later, see `Deliveries.ownerless`.
        """
        cursor = self._connection.execute(
            "DELETE FROM webhooks WHERE org = ? AND id = ?", (org, id)
        )
        if cursor.rowcount == 0:
            return False
        self._facts.append(WebhooksChanged(org))
        return True

    def drop(self, org: int, limit: int) -> bool:
        """Deletes up to *limit* deliveries of a removed org, or else its webhooks.

        Returns whether that was all.
        """
        if self._connection.execute(_DROP_DELIVERIES, (org, limit)).rowcount == limit:
            return False
        self._connection.execute("DELETE FROM webhooks WHERE org = ?", (org,))
        return True

    def _all(self, where: str, *values: Any) -> list[Webhook]:
        return [_webhook(row) for row in self._connection.execute(f"{_SELECT} {where}", values)]


def _written(column: str, value: Any) -> Any:
    return _WRITTEN[column](value) if column in _WRITTEN else value


def _webhook(row: tuple[Any, ...]) -> Webhook:
    org = {"id": row[0], "org": row[1], "org_name": row[2]}
    columns = dict(zip(_COLUMNS, row[3:], strict=True))
    columns["events"] = tuple(columns["events"].split())
    columns["headers"] = tuple((name, value) for name, value in json.loads(columns["headers"]))
    return Webhook(**org, **columns)

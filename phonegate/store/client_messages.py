"""Messages by what the programs of their senders call them: one for all recipients of a request.

Those of one request have the same `client_id`. The first of them stands for all. A message that
came by another way has none, and stands for itself.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from phonegate.model.messages import ListQuery, MessageView
from phonegate.store.address_patterns import condition
from phonegate.store.rows import view

LOOKED_AT: Final = 100_000
"""A list has the newest so many messages of an org: filters that no index holds are checked row by
row, of which so many take a tenth of a second."""

_FIRST: Final = """
    (client_id IS NULL OR NOT EXISTS (
        SELECT 1 FROM messages AS e INDEXED BY messages_by_client_id
        WHERE e.org = messages.org AND e.client_id = messages.client_id AND e.id < messages.id
    ))
"""

_BEYOND: Final = """
    SELECT id FROM messages INDEXED BY messages_by_org WHERE org = :org AND direction = :direction
    ORDER BY id DESC LIMIT 1 OFFSET :looked_at
"""

_VIEW: Final = ", ".join(MessageView._fields)

_CHECKS: Final = {
    "since": "created_at >= :since",
    "until": "created_at <= :until",
    "error": "error = :error",
    "no_error": "error IS NOT :no_error",
    "phone": "phone = :phone",
}
"""What is checked of each row, by the filter of a list that asks for it."""

_OF_CLIENT_ID: Final = f"""
    SELECT {_VIEW} FROM messages INDEXED BY messages_by_client_id
    WHERE org = ? AND client_id = ? ORDER BY id
"""  # noqa: S608 - constants

_OF_ID: Final = f"""
    SELECT {_VIEW} FROM messages
    WHERE id = ? AND org = ? AND direction = 'out' AND client_id IS NULL
"""  # noqa: S608 - constants


class ClientMessages:
    """Reads messages by what programs call them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def of_client_id(self, org: int, client_id: str) -> list[MessageView]:
        """Returns the messages of an org that have this id, in the order of its recipients."""
        try:
            rows = self._connection.execute(_OF_CLIENT_ID, (org, client_id)).fetchall()
        except UnicodeEncodeError:
            return []  # A lone surrogate, which no stored text can hold.
        return [view(row) for row in rows]

    def of_id(self, org: int, message_id: int) -> MessageView | None:
        """Returns the message to send with an id of the gateway's own, if it has no other."""
        row = self._connection.execute(_OF_ID, (message_id, org)).fetchone()
        return None if row is None else view(row)

    def page(self, org: int, query: ListQuery) -> list[MessageView]:
        """Returns the messages that stand for those of a list, by when they were stored."""
        where, values = self._where(org, query)
        order = "ASC" if query.ascending else "DESC"
        rows = self._connection.execute(
            f"SELECT {_VIEW} FROM messages INDEXED BY messages_by_org"  # noqa: S608
            f" WHERE {where} ORDER BY id {order} LIMIT :limit OFFSET :offset",
            values,
        )
        return [view(row) for row in rows.fetchall()]

    def count(self, org: int, query: ListQuery) -> int:
        """Returns how long a list is without its limit."""
        where, values = self._where(org, query)
        row = self._connection.execute(
            f"SELECT count(*) FROM messages INDEXED BY messages_by_org WHERE {where}",  # noqa: S608
            values,
        ).fetchone()
        return int(row[0])

    def _where(self, org: int, query: ListQuery) -> tuple[str, dict[str, Any]]:
        """Returns the condition of a list, with its values."""
        direction = "out" if query.outbound else "in"
        values = {"org": org, "direction": direction, "looked_at": LOOKED_AT}
        beyond = self._connection.execute(_BEYOND, values).fetchone()
        values |= {"limit": query.limit, "offset": query.offset}
        return _conditions(query, 0 if beyond is None else beyond[0], values)


def _conditions(
    query: ListQuery, beyond: int, values: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    conditions = ["org = :org", "direction = :direction"]
    if beyond:
        conditions.append("id > :beyond")
        values["beyond"] = beyond
    if query.outbound:
        conditions.append(_FIRST)
    for name, sql in _CHECKS.items():
        if (value := getattr(query, name)) is not None:
            conditions.append(sql)
            values[name] = value
    if query.statuses:
        conditions.append(f"status IN ({_named('status', query.statuses, values)})")
    if query.media is not None:
        has = "(parts > 0 OR media_urls IS NOT NULL)"
        conditions.append(has if query.media else f"NOT {has}")
    if query.sees:
        conditions.append(condition("address", len(query.sees)))
        _named("seen", query.sees, values)
    return " AND ".join(conditions), values


def _named(name: str, given: Sequence[str], values: dict[str, Any]) -> str:
    """Adds values under numbered names. Returns these as SQL."""
    values.update({f"{name}{at}": one for at, one in enumerate(given)})
    return ", ".join(f":{name}{at}" for at in range(len(given)))

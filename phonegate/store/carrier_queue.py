"""The queue of carriers: what may leave now, and what is to be looked up at its carrier."""

import sqlite3
from typing import Final

from phonegate.model.messages import Message
from phonegate.store.keys import KEY_HOLDS
from phonegate.store.orgs import SERVED
from phonegate.store.rows import SELECTED, message

BY_CARRIER_ID: Final = f"""
    SELECT {SELECTED} FROM messages INDEXED BY messages_by_carrier_id
    WHERE carrier_id IS NOT NULL AND assistant = ? AND carrier_id = ?
"""  # noqa: S608 - constants

READY: Final = f"""
    SELECT {SELECTED} FROM messages INDEXED BY messages_ready_for_carriers
    WHERE status = 'queued' AND held_until IS NULL AND assistant IS NOT NULL
        AND {KEY_HOLDS} AND {SERVED}
    ORDER BY id LIMIT ?
"""  # noqa: S608 - constants

TO_POLL: Final = f"""
    SELECT {SELECTED} FROM messages INDEXED BY messages_to_poll
    WHERE next_poll_at IS NOT NULL AND next_poll_at <= ? AND {SERVED}
    ORDER BY next_poll_at LIMIT ?
"""  # noqa: S608 - constants

NEXT_POLL: Final = f"""
    SELECT next_poll_at FROM messages INDEXED BY messages_to_poll
    WHERE next_poll_at IS NOT NULL AND {SERVED} ORDER BY next_poll_at LIMIT 1
"""  # noqa: S608 - constants


class CarrierQueue:
    """The messages that go by carriers."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def ready(self, limit: int) -> list[Message]:
        """Queued messages of all assistants with a carrier that may leave now, by id."""
        return [message(row) for row in self._connection.execute(READY, (limit,))]

    def by_carrier_id(self, assistant: int, carrier_id: str) -> Message | None:
        """Returns the outbound message that an assistant's carrier knows by this id."""
        row = self._connection.execute(BY_CARRIER_ID, (assistant, carrier_id)).fetchone()
        return None if row is None else message(row)

    def to_poll(self, now: int, limit: int) -> list[Message]:
        """Messages whose state at the carrier is to be looked up by now, the earliest first."""
        return [message(row) for row in self._connection.execute(TO_POLL, (now, limit))]

    def next_poll(self) -> int | None:
        """Returns when the next message is to be looked up at its carrier (ms)."""
        row = self._connection.execute(NEXT_POLL).fetchone()
        return None if row is None else int(row[0])

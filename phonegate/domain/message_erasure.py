"""Erasing what a message said, or all of it, at the request of its org.

The text goes from the message, the index of words, the events that tell of the message, and what
receivers of webhooks have answered to those. Answers that are kept for an Idempotency-Key never
hold a text.
"""

from typing import Final

import attrs

from phonegate import log
from phonegate.domain import message_access
from phonegate.domain.retention import ERASABLE
from phonegate.model.messages import Message
from phonegate.model.principal import Principal
from phonegate.model.refusals import Conflict, NotFound
from phonegate.model.states import QUEUED, SENDING, UNCERTAIN
from phonegate.store.database import Database
from phonegate.store.tables import Tables

MERGES: Final = 16
"""How often the index of words is merged at most, for a tenth of a second or two in all. That is
all of it for some 100,000 messages; of a larger one the rest follows with what is erased next."""

_log: Final = log.get("messages")


@attrs.frozen
class _Copies:
    """Where the text of a message stands beside the message itself."""

    events: list[int]
    looked_to: int
    """The highest id of an event when that was looked up."""
    deliveries: list[int]


class MessageErasure:
    """Erases messages, or their texts, once nothing needs them any more."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def redact(self, eraser: Principal, message_id: int) -> Message:
        """Takes the text of a message away, and returns the message without it.

        Raises:
            NotFound: There is no such message, or the eraser may not see it.
            Conflict: It has not been sent yet, or may have to be found again by its text.
        """

        def op(tx: Tables) -> Message:
            message = _found(tx, eraser, message_id)
            if not _is_needless(message):
                raise Conflict(
                    f"Message {message_id} is {message.status}: its text is still needed."
                )
            with tx.wiping():
                tx.messages.redact(message)
                _forget(tx, message, copies)
            return attrs.evolve(message, body="")

        copies = await self._copies(eraser.org, message_id)
        redacted = await self._database.write(op)
        await self._wipe_words()
        _log.info("message_redacted", org=eraser.org_name, message=message_id, key=eraser.key_id)
        return redacted

    async def delete(self, eraser: Principal, message_id: int) -> None:
        """Deletes a message with its parts.

        A phone that reports a received message again brings it back.

        Raises:
            NotFound: There is no such message, or the eraser may not see it.
            Conflict: It is not finished: something is still expected of it.
        """

        def op(tx: Tables) -> None:
            message = _found(tx, eraser, message_id)
            if message.status not in ERASABLE or message.next_poll_at is not None:
                raise Conflict(f"Message {message_id} is {message.status}, and not finished.")
            with tx.wiping():
                tx.message_removal.erase([message_id], lambda _: True)
                _forget(tx, message, copies)

        copies = await self._copies(eraser.org, message_id)
        await self._database.write(op)
        await self._wipe_words()
        _log.info("message_deleted", org=eraser.org_name, message=message_id, key=eraser.key_id)

    async def _wipe_words(self) -> None:
        """Merges the index of words, of which the words that are gone leave the file so."""

        def op(tx: Tables) -> bool:
            with tx.wiping():
                return tx.word_index.merge()

        for _ in range(MERGES):
            if await self._database.write(op):
                break

    async def _copies(self, org: int, message_id: int) -> _Copies:
        """Looks copies up beside other readers: what comes meanwhile is found while writing."""

        def op(tx: Tables) -> _Copies:
            events, last = tx.events.of_message(org, message_id)
            return _Copies(events, last, tx.deliveries.of_subject(org, f"message/{message_id}"))

        return await self._database.read(op)


def _found(tx: Tables, eraser: Principal, message_id: int) -> Message:
    found = tx.messages.find(eraser.org, message_id)
    if found is None or not message_access.may_see(eraser, found.address):
        raise NotFound(f"No message {message_id} in this org.")
    return found


def _is_needless(message: Message) -> bool:
    """Tells whether nothing will be sent or found by the text of a message."""
    if message.status in {QUEUED, SENDING}:
        return False
    return message.status != UNCERTAIN or message.next_poll_at is None


def _forget(tx: Tables, message: Message, copies: _Copies) -> None:
    tx.events.redact(message.org, message.id, copies.events, copies.looked_to)
    tx.deliveries.forget_answers(copies.deliveries)

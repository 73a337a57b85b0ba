"""Withdrawing a message that has not left yet, be it for a phone or a carrier."""

from collections.abc import Callable

from phonegate.domain import delivery
from phonegate.domain.dispatch import Dispatcher
from phonegate.domain.message_access import may_see
from phonegate.model.messages import Message
from phonegate.model.principal import Principal
from phonegate.model.refusals import Conflict, Forbidden, NotFound
from phonegate.model.states import QUEUED, SENDING, Cause
from phonegate.store.database import Database
from phonegate.store.tables import Tables


class Withdrawal:
    """Cancels messages for their senders."""

    def __init__(
        self, database: Database, dispatcher: Dispatcher, *, now_ms: Callable[[], int]
    ) -> None:
        self._database = database
        self._dispatcher = dispatcher
        self._now_ms = now_ms

    async def cancel(self, sender: Principal, message_id: int) -> Message:
        """Withdraws a message that has not left yet. A key with limits withdraws its own alone.

        A message that a phone holds is asked back. One whose phone went away before it
        acknowledged the message is not given to it again.

        Returns:
            The message as it stands then: `cancelled`, or `sending` where its phone was asked to
            drop it and has yet to confirm, or `uncertain` where a phone that went away may have
            sent it.

        Raises:
            NotFound: There is no such outbound message in this org, or the sender may not see it.
            Forbidden: It is another's, and the sender's API key has limits.
            Conflict: It is past recall.
        """
        now = self._now_ms()

        def withdraw(tx: Tables) -> Message | None:
            message = tx.messages.find(sender.org, message_id)
            if message is None or message.direction != "out":
                return None
            if sender.limits is not None and message.key != sender.key_id:
                if not may_see(sender, message.address):
                    return None
                raise Forbidden(
                    "This API key has limits, so it can cancel only what it sent itself."
                )
            if message.status != QUEUED:
                return message
            return delivery.give_up(tx, message, Cause.WITHDRAWN, "cancelled by its sender", now)

        message = await self._database.write(withdraw)
        if message is None:
            raise NotFound(f"No outbound message {message_id} in this org.")
        if message.status == "cancelled":
            return message
        if message.status == SENDING and message.phone is not None:
            return await self._take_back(message, message.phone)
        raise Conflict(f"Message {message_id} is {message.status} and can't be cancelled.")

    async def _take_back(self, message: Message, phone: int) -> Message:
        """Withdraws a message that a phone holds, by asking it or because it is away.

        Raises:
            Conflict: The phone can't take it back.
        """
        if self._dispatcher.ask_cancel(phone, message.id):
            return message
        recalled = await self._recall(message)
        if recalled is None:
            raise Conflict(
                f"Message {message.id} was already handed to a phone, which can't take it back."
            )
        return recalled

    async def _recall(self, held: Message) -> Message | None:
        """Withdraws a message from a phone that is away and never acknowledged it."""
        online = self._dispatcher.online(held.org)
        if held.acked_at is not None or any(one.phone == held.phone for one in online):
            return None

        def recall(tx: Tables) -> Message | None:
            message = tx.messages.find(held.org, held.id)
            # Else the phone is back, and is being given the message again.
            if message is None or (message.attempts, message.phone) != (held.attempts, held.phone):
                return None
            return delivery.recall(tx, message)

        message = await self._database.write(recall)
        return None if message is None or message.status == SENDING else message

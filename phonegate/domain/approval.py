"""Deciding on a message that waits for a person's approval, be it for a phone or a carrier."""

from collections.abc import Callable

from phonegate.domain import delivery
from phonegate.model.messages import Message
from phonegate.model.refusals import Conflict, NotFound
from phonegate.store.database import Database
from phonegate.store.tables import Tables


class Approval:
    """Approves and refuses messages."""

    def __init__(self, database: Database, *, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms

    async def approve(
        self, org: int, message_id: int, *, on_change: Callable[[Message], None] = lambda _: None
    ) -> Message:
        """Lets a message leave that waits for approval: at once, or at the time it asked for.

        One that was approved before is not changed. `on_change` is called with one that was not.

        Returns:
            The message as it stands then.

        Raises:
            NotFound: There is no such outbound message in this org.
            Conflict: It does not wait for approval, or no longer.
        """
        message, changed = await self._decide(org, message_id, delivery.approve)
        if message.approval != "given":
            raise _undecided(message)
        if changed:
            on_change(message)
        return message

    async def refuse(
        self, org: int, message_id: int, *, on_change: Callable[[Message], None] = lambda _: None
    ) -> Message:
        """Cancels a message that waits for approval. One that was refused before stays so.

        Raises:
            NotFound, Conflict: As `approve`.
        """
        message, changed = await self._decide(org, message_id, delivery.refuse)
        if message.approval != "refused":
            raise _undecided(message)
        if changed:
            on_change(message)
        return message

    async def _decide(
        self, org: int, message_id: int, decide: Callable[[Tables, Message, int], Message]
    ) -> tuple[Message, bool]:
        """Returns the message as it stands then, and whether this changed it."""
        now = self._now_ms()

        def change(tx: Tables) -> tuple[Message, bool] | None:
            message = tx.messages.find(org, message_id)
            if message is None or message.direction != "out":
                return None
            decided = decide(tx, message, now)
            return decided, decided != message

        found = await self._database.write(change)
        if found is None:
            raise NotFound(f"No outbound message {message_id} in this org.")
        return found


def _undecided(message: Message) -> Conflict:
    """Says why a message can't be approved or refused."""
    if message.approval is None:
        return Conflict(f"Message {message.id} needs no approval.")
    if message.approval == "given":
        return Conflict(f"Message {message.id} was approved already; cancel it instead.")
    return Conflict(f"Message {message.id} is {message.status} already.")

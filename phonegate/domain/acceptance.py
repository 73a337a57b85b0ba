"""Accepting outbound messages, the same way for phones and carriers.

The limits of the sender's API key give each message a permit. The message is made from it.
Then one transaction counts it against every limit, stores it, and keeps the answer under the
request's Idempotency-Key. Only who carries a message is for each way of sending to say.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, TypeVar

import trio

from phonegate.domain import status_callbacks
from phonegate.domain.admission import (
    Departure,
    Permit,
    Sized,
    Timing,
    admit,
    admit_to_disk,
    admit_to_queue,
    examine,
    size_of,
)
from phonegate.domain.idempotency import Keep, kept_answer
from phonegate.domain.rate_limits import RateLimits
from phonegate.model.callbacks import Callback
from phonegate.model.messages import NewMessage
from phonegate.model.principal import Principal
from phonegate.model.refusals import BadInput, Conflict, FieldProblem
from phonegate.model.states import QUEUED
from phonegate.store.database import Database
from phonegate.store.tables import Tables

COMMIT_DEADLINE_S: Final = 60.0
"""How long storing outlives a client that hung up, so that what is committed is handed on too."""

T = TypeVar("T")


class Asked(Departure, Sized, Protocol):
    """A message that a request asks to send, by a phone or a carrier."""

    @property
    def ttl_s(self) -> int | None:
        """How long after its `send_at` it may leave. None takes the gateway's setting."""

    @property
    def callback(self) -> Callback | None:
        """What is called with what becomes of it."""

    @property
    def client_id(self) -> str | None:
        """What its sender's program calls it."""


def new_message(
    sender: Principal, asked: Asked, timing: Timing, now: int, *, segments: int, **route: Any
) -> NewMessage:
    """Makes the message to store.

    Args:
        sender: Whose message it is.
        asked: What the request says.
        timing: From the permit of this message.
        now: When it is accepted, in ms.
        segments: As `segmentation.count` gives them.
        route: The columns that say who carries it, and how.
    """
    return NewMessage(
        org=sender.org,
        address=asked.to,
        body=asked.body,
        created_at=now,
        segments=segments,
        held_until=timing.held_until,
        expires_at=timing.expires_at,
        media_urls=tuple(asked.media_urls) if asked.media_urls else None,
        approval=timing.approval,
        wanted_at=timing.wanted_at,
        quiet_at=timing.quiet_at,
        key=sender.key_id,
        status_callback=asked.callback,
        client_id=asked.client_id,
        **route,
    )


CheckUrl = Callable[[str, str], None]
"""Takes a URL, and what the request calls it. It raises `BadInput` or `AddressRefused` for one that
the gateway won't call."""


def call_none(url: str, field: str) -> None:
    """Refuses every URL: the check of a gateway that calls none.

    Raises:
        BadInput: Always.
    """
    del url
    problem = "can't be called: this gateway calls no URL"
    raise BadInput(f"{field} {problem}.", [FieldProblem(field, problem)])


class Acceptance:
    """What both ways of sending go through before a message leaves.

    Args:
        database: Where messages and kept answers are stored.
        rate_limits: Of the whole gateway.
        check_url: Says which status callbacks may be called.
        now_ms: The wall clock.
        default_ttl_s: The ttl of a message that comes without one. 0 stands for no ttl.
        commit_deadline_s: How long storing may take.
    """

    def __init__(
        self,
        database: Database,
        rate_limits: RateLimits,
        *,
        now_ms: Callable[[], int],
        check_url: CheckUrl = call_none,
        default_ttl_s: int = 0,
        commit_deadline_s: float = COMMIT_DEADLINE_S,
    ) -> None:
        self.now_ms: Final = now_ms
        self.commit_deadline_s: Final = commit_deadline_s
        self._database = database
        self._check_url = check_url
        self.rate_limits: Final = rate_limits
        self.default_ttl_s: Final = default_ttl_s

    def permits(self, sender: Principal, asked: Sequence[Asked], now: int) -> list[Permit]:
        """Gives each message the permit to leave. Asks nothing of the store.

        Raises:
            BadInput, AddressRefused: The status callback of a message may not be called.
            RecipientNotAllowed, QuietHoursBegun, Conflict: As `admission.examine`.
        """
        # Mostly all messages of a call have the same one.
        for callback in {one.callback for one in asked if one.callback is not None}:
            self._check_url(callback.url, callback.field)
        return examine(sender, asked, now, default_ttl_s=self.default_ttl_s)

    async def store(
        self,
        sender: Principal,
        messages: Sequence[NewMessage],
        insert: Callable[[Tables], T],
        *,
        keep: Keep[T] | None,
        now: int,
    ) -> T:
        """Counts messages against every limit and stores them, all or none, with their answer.

        It is seen through even if the client hangs up. After its deadline nothing is stored any
        more, unless that was under way.

        Args:
            sender: Whose limits count.
            messages: Those that `insert` inserts.
            insert: Runs in the transaction, once the messages are admitted.
            keep: Keeps the answer made from what `insert` returns.
            now: When the messages are accepted, in ms.

        Returns:
            What `insert` returns.

        Raises:
            KeyLimitReached, BatchOverLimit, Unauthorized: As `admission.admit`.
            QueueFull: Too many messages of the org wait already.
            StorageSpent, DiskLow: The org may store no more just now.
            Conflict: The Idempotency-Key got its answer meanwhile. Or the org has status callbacks
                at too many hosts.
            StorageUnavailable: The store can't be written to.
            TooSlowError: The disk took longer than a minute.
        """
        org, size = sender.org, size_of(messages)
        queued = sum(one.status == QUEUED for one in messages)
        over = False

        def op(tx: Tables) -> T:
            if over:
                # Nothing would hand it on, and its sender was asked to try again.
                raise trio.TooSlowError
            admit_to_queue(tx, self.rate_limits, org, queued, now)
            admit_to_disk(tx, self.rate_limits, org, size, now)
            # A request that was given up as too slow may have been stored after all.
            if keep is not None and kept_answer(tx, org, keep.route, keep.key, now) is not None:
                raise Conflict(
                    "A request with this Idempotency-Key was answered just now. Ask again."
                )
            admit(tx, sender, len(messages), now)
            status_callbacks.expect(tx, org, (one.status_callback for one in messages), now)
            outcome = insert(tx)
            if keep is not None:
                keep.put(tx, org, outcome, now)
            return outcome

        def give_up() -> None:
            nonlocal over
            over = True

        return await self.see_through(op, len(messages), give_up)

    async def see_through(
        self, op: Callable[[Tables], T], size: int, give_up: Callable[[], None]
    ) -> T:
        """Writes what `store` or a sender alike has made ready, as `store` promises it.

        Args:
            op: Stores the messages.
            size: How many they are.
            give_up: Called in the end: from then on `op` must store nothing.
        """
        try:
            with trio.fail_after(self.commit_deadline_s, shield=True):
                return await self._database.write(op, size=size)
        finally:
            give_up()

"""Brings one event to one webhook: calls its receiver, and stores what came of it."""

import random
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

import attrs
import trio

from phonegate import log
from phonegate.domain import webhook_standing
from phonegate.domain.webhook_replies import WebhookReplies
from phonegate.events.webhooks import schedule, twiml
from phonegate.events.webhooks.call import CALL_TIMINGS, Call, CallTimings, Result, readable
from phonegate.events.webhooks.envelope import Render, seal, seal_callback, wants_reply
from phonegate.events.webhooks.samples import sample
from phonegate.events.webhooks.slots import Standing
from phonegate.http.outgoing_address import Guard
from phonegate.model.events import Event
from phonegate.model.refusals import NotFound
from phonegate.model.webhooks import Attempt, Delivery, Webhook
from phonegate.store.database import Database
from phonegate.store.deliveries import Due
from phonegate.store.tables import Tables

if TYPE_CHECKING:
    from phonegate.events.webhooks.caller import Caller

Outcome = Literal["delivered", "failed", "given_up", "lost"]
"""What can come of an attempt: it is over, it is tried again, it is not tried again, or its event
was deleted before."""

OUTCOMES: Final[tuple[Outcome, ...]] = ("delivered", "failed", "given_up", "lost")

LOST: Final = "The event was deleted, or may be seen no more."

TESTS_AT_ONCE: Final = 16
"""Tests of webhooks that are under way at the same time. Others wait for their turn."""

UNWRITTEN: Final = "The event could not be written. The gateway's log says why."

_log = log.get("webhooks")


@attrs.frozen(kw_only=True)
class Guards:
    """What may be called, and how names are looked up."""

    working: Guard
    doubtful: Guard
    """For receivers that have not answered yet or fail. Names whose look-up hangs are mostly
    theirs, and keep no look-up of another waiting."""


@attrs.frozen(kw_only=True)
class Attempted:
    """What came of an attempt, and what follows."""

    attempt: Attempt
    succeeded: bool
    next_at: int | None = None
    """When it is tried again, in ms. None where it is over."""
    disable: str | None = None
    """Why the webhook is to be called no more."""
    answered_in_trouble: bool = False
    """Whether the receiver asks to be left alone for a while."""


class Courier:
    """Calls receivers.

    Args:
        database: Where results are stored.
        guards: What may be called.
        render: Makes what is sent of an event.
        replies: Sends what receivers answer.
        now_ms: The wall clock.
        calls_at_once: How many calls there are at the same time, at most.
        timings: How long a call may take.
        luck: A number from 0 to 1, at random.
    """

    def __init__(
        self,
        database: Database,
        guards: Guards,
        render: Render,
        replies: WebhookReplies,
        *,
        now_ms: Callable[[], int],
        calls_at_once: int,
        timings: CallTimings = CALL_TIMINGS,
        luck: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._guards = guards
        self._calls_at_once = calls_at_once
        self._timings = timings
        self._callers: tuple[Caller, Caller] | None = None
        """For receivers that work and for doubtful ones, once there was a call."""
        self._render = render
        self._replies = replies
        self._now_ms = now_ms
        self._luck = luck
        self._tests = trio.CapacityLimiter(TESTS_AT_ONCE)
        self.counts: Counter[str] = Counter()
        """The outcomes of attempts since the start."""

    async def aclose(self) -> None:
        """Closes all connections."""
        for caller in self._callers or ():
            await caller.aclose()

    async def sweep(self) -> None:
        """Closes connections that have not been used for a while."""
        for caller in self._callers or ():
            await caller.sweep()

    async def call(self, webhook: Webhook, due: Due, standing: Standing) -> Result:
        """Calls a webhook with an event. What went wrong is in the result."""
        event, callback, types = due.event, due.callback, due.media_types
        assert event is not None, "what has none was dropped"  # noqa: S101

        def make(now: int) -> Call:
            shown, call_id = self._render(event, webhook), str(event.id)
            if callback is not None:
                return seal_callback(callback, event, shown, call_id)
            return seal(webhook, shown, call_id, now, media_types=types)

        return await self._call(webhook, make, standing)

    async def _call(
        self, webhook: Webhook, make: Callable[[int], Call], standing: Standing
    ) -> Result:
        caller = await self._caller(standing)
        now = self._now_ms()
        try:
            call = make(now)
        except Exception:  # noqa: BLE001 - one event that can't be written must not stop others
            _log.exception("webhook_unwritten", org=webhook.org_name, webhook=webhook.id)
            return Result(at=now, ms=0, error=UNWRITTEN)
        return await caller.call(call)

    async def _caller(self, standing: Standing) -> "Caller":
        if self._callers is None:
            # Most gateways call nothing, and reading an HTTP client takes a tenth of a second.
            made = await trio.to_thread.run_sync(self._make_callers)
            if self._callers is None:
                self._callers = made
        working, doubtful = self._callers
        return working if standing == "working" else doubtful

    def _make_callers(self) -> "tuple[Caller, Caller]":
        from phonegate.events.webhooks.caller import Caller  # noqa: PLC0415 - see `_caller`

        bounds: dict[str, Any] = {"connections": self._calls_at_once, "timings": self._timings}
        return Caller(self._guards.working, **bounds), Caller(self._guards.doubtful, **bounds)

    async def conclude(
        self, webhook: Webhook, due: Due, result: Result, failing_since: int | None
    ) -> Attempted:
        """Says what follows the result of a call, once a reply that it asks for is on its way.

        Raises:
            StoreError, TooSlowError: A reply could not be stored.
        """
        delivery, event = due.delivery, due.event
        if result.error is not None:
            sequel = schedule.after(
                schedule.Failure(
                    now=self._now_ms(),
                    created_at=delivery.created_at,
                    attempts=delivery.attempts + 1,
                    failing_since=failing_since,
                    status=result.status,
                    retry_after_s=result.retry_after_s,
                ),
                self._luck(),
                self._timings.pace,
            )
            return Attempted(
                attempt=_attempt(result, result.error),
                succeeded=False,
                next_at=sequel.next_at,
                # Of many URLs at a receiver, one that is gone says nothing of the others.
                disable=None if due.callback and result.status == schedule.GONE else sequel.disable,
                answered_in_trouble=result.retry_after_s is not None,
            )
        problem = None
        if event is not None and event.message is not None and wants_reply(webhook, event.type):
            problem = await self._reply(webhook, event, result)
        return Attempted(attempt=_attempt(result, problem), succeeded=True)

    async def _reply(self, webhook: Webhook, event: Event, result: Result) -> str | None:
        """Sends what a receiver answers. Returns why that was not done."""
        assert event.message is not None, "asked for received messages"  # noqa: S101
        try:
            replies = twiml.read(result.answer)
        except twiml.BadTwiml as error:
            if not result.whole:
                return "Its reply was not sent: the answer broke off or took too long."
            # Most receivers say "ok" in their own words and mean no reply.
            return None if not result.answer.lstrip().startswith(b"<") else _unsent(error)
        if not replies:
            return None
        return await self._replies.send(webhook, event.id, event.message, replies)

    async def store(self, webhook: Webhook, due: Due, done: Attempted) -> None:
        """Stores what came of an attempt, and disables the webhook where that follows.

        Raises:
            StoreError: It could not be stored, so that the event will be delivered again.
        """

        def op(tx: Tables) -> None:
            tx.deliveries.finish(due.delivery.n, done.attempt, done.next_at)
            # Whatever the memory says: what it has learnt last may not have been stored.
            tx.deliveries.mark_failing(webhook.id, None if done.succeeded else done.attempt.at)
            if done.succeeded:
                return
            found = tx.webhooks.get(webhook.org, webhook.id)
            if done.disable is not None and found is not None and found.disabled_at is None:
                webhook_standing.disable(tx, found, done.disable, self._now_ms())

        await self._database.write(op, patient=True)
        self._note(webhook, due.delivery, done)

    async def drop(self, webhook: Webhook, lost: Sequence[Delivery]) -> None:
        """Gives deliveries up whose events were deleted.

        Raises:
            StoreError: It could not be stored.
        """
        await self._database.write(lambda tx: tx.deliveries.drop(lost, LOST, self._now_ms()))
        self.counts["lost"] += len(lost)
        _log.warning(
            "webhook_events_lost", org=webhook.org_name, webhook=webhook.id, count=len(lost)
        )

    async def test(self, webhook: Webhook) -> Delivery:
        """Calls a webhook with an event that did not happen. Nothing of it is tried again.

        Raises:
            NotFound: The webhook was removed meanwhile.
            StoreError: The result could not be stored.
        """
        event = sample(webhook, self._now_ms())
        call_id = f"test_{secrets.token_hex(8)}"

        def make(now: int) -> Call:
            return seal(webhook, {**self._render(event, webhook), "test": True}, call_id, now)

        async with self._tests:
            result = await self._call(webhook, make, "new")
        attempt = _attempt(result, result.error)

        def op(tx: Tables) -> Delivery:
            if tx.webhooks.get(webhook.org, webhook.id) is None:
                raise NotFound("The webhook was removed while it was tested.")
            return tx.deliveries.add_test(webhook.id, event.type, attempt)

        return await self._database.write(op)

    def _note(self, webhook: Webhook, delivery: Delivery, done: Attempted) -> None:
        about = {"org": webhook.org_name, "webhook": webhook.id, "host": host(webhook)}
        if done.succeeded:
            self.counts["delivered"] += 1
            if done.attempt.error is not None:
                _log.warning("webhook_reply_failed", problem=done.attempt.error, **about)
            return
        self.counts["failed" if done.next_at is not None else "given_up"] += 1
        if done.disable is not None:
            _log.warning("webhook_disabled", reason=done.disable, **about)
        elif done.next_at is None:
            _log.warning(
                "webhook_gave_up", delivery=delivery.n, problem=done.attempt.error, **about
            )


def host(webhook: Webhook) -> str:
    """Returns what a log may say of a webhook's address, whose path and query may be secret."""
    return urlsplit(webhook.url).hostname or ""


def _attempt(result: Result, error: str | None) -> Attempt:
    return Attempt(
        at=result.at,
        ms=result.ms,
        status=result.status,
        error=error,
        answer=readable(result.answer, whole=result.whole or not result.reached),
    )


def _unsent(error: Exception) -> str:
    return f"Its reply was not sent: {error}."

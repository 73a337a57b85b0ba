"""What was delivered to the webhooks of an org: shown, delivered again, and tried with a sample."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from phonegate import log
from phonegate.domain.webhooks import found_webhook, own_webhook
from phonegate.model.principal import Principal
from phonegate.model.refusals import Conflict, NotFound, Throttled
from phonegate.model.webhooks import Delivery, Webhook
from phonegate.store.database import Database
from phonegate.store.tables import Tables

TESTS_OF_ORG: Final = 2
"""Tests of one org's webhooks that are under way at the same time. A receiver that hangs takes one
for as long as a call may last, and all orgs share a few."""

TEST_AGAIN_S: Final = 5
"""When to come again if there are so many. Most receivers answer within a second."""

CallTest = Callable[[Webhook], Awaitable[Delivery]]
"""Calls a webhook once with a sample of an event, and keeps what came of it."""

_log = log.get("webhooks")

T = TypeVar("T")


class WebhookDeliveries:
    """Shows, repeats and tries deliveries to webhooks."""

    def __init__(
        self, database: Database, *, call_test: CallTest, now_ms: Callable[[], int]
    ) -> None:
        self._database = database
        self._call_test = call_test
        self._now_ms = now_ms
        self._tested: dict[int, int] = {}
        """The webhooks that are being tested, with their org."""

    async def show(
        self,
        org: int,
        id: int,  # noqa: A002
        limit: int,
        before: int | None,
        show: Callable[[Sequence[Delivery]], T],
    ) -> T:
        """Returns what `show` makes of deliveries to a webhook, the newest first.

        Raises:
            NotFound: The org has no such webhook.
        """

        def op(tx: Tables) -> T:
            return show(tx.deliveries.page(found_webhook(tx, org, id).id, limit, before))

        return await self._database.read(op)

    async def replay(self, caller: Principal, id: int, n: int) -> None:  # noqa: A002
        """Delivers an event to a webhook again, at once and with the tries of a new one.

        Raises:
            NotFound: The org has no such webhook, or that no such delivery.
            Conflict: The webhook is disabled, or the event is kept no longer.
        """
        now = self._now_ms()

        def op(tx: Tables) -> None:
            webhook = found_webhook(tx, caller.org, id)
            if webhook.disabled_at is not None:
                raise Conflict("The webhook is disabled: enable it first.")
            if not tx.deliveries.replay(webhook, n, now):
                raise NotFound(
                    f"Delivery {n} can't be made again: there is none, it was a test, "
                    "or its event is too old."
                )

        await self._database.write(op)
        _log.info("delivery_replayed", org=caller.org_name, webhook=id, n=n)

    async def test(self, caller: Principal, id: int) -> Delivery:  # noqa: A002
        """Calls a webhook once with a sample of an event. A disabled one too.

        Returns:
            The delivery, with what the receiver answered.

        Raises:
            NotFound: The org has no such webhook.
            Conflict: It is being tested, or is for status callbacks.
            Throttled: Others of the org are.
        """
        webhook = await self._database.read(lambda tx: own_webhook(tx, caller.org, id))
        if id in self._tested:
            raise Conflict("This webhook is being tested. Wait for the answer.")
        if list(self._tested.values()).count(caller.org) >= TESTS_OF_ORG:
            raise Throttled(
                f"{TESTS_OF_ORG} webhooks of this org are being tested. Try again in "
                f"{TEST_AGAIN_S} s.",
                TEST_AGAIN_S,
            )
        self._tested[id] = caller.org
        try:
            return await self._call_test(webhook)
        finally:
            del self._tested[id]

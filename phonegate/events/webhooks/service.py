"""All that delivers events to webhooks, put together."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import attrs
import trio

from phonegate.config.settings import WebhookSettings
from phonegate.domain.webhook_replies import WebhookReplies
from phonegate.events.webhooks.call import CALL_TIMINGS, CallTimings
from phonegate.events.webhooks.courier import Courier, Guards
from phonegate.events.webhooks.dispatcher import (
    DISPATCHER_TIMINGS,
    Dispatcher,
    DispatcherTimings,
)
from phonegate.events.webhooks.envelope import Render
from phonegate.events.webhooks.upkeep import Upkeep
from phonegate.http.outgoing_address import Guard, resolver
from phonegate.model.facts import Fact
from phonegate.store.database import Database

LOOKED_UP_AT_ONCE: Final = 32
"""Names that are looked up at the same time: for receivers that work, and for all others. Each
takes a thread, which a slow one keeps for up to a minute."""


@attrs.frozen(kw_only=True)
class WebhookTimings:
    """The waits of the delivery of webhooks. Trials pass shorter ones."""

    call: CallTimings = CALL_TIMINGS
    dispatcher: DispatcherTimings = DISPATCHER_TIMINGS


WEBHOOK_TIMINGS: Final = WebhookTimings()


class WebhookService:
    """Delivers events to webhooks. `run` is its task, and `note` subscribes to the bus.

    Args:
        database: Where everything is.
        guard: Says which addresses may be called.
        render: Makes what is sent of an event.
        replies: Sends what receivers answer.
        settings: How much it may do at once.
        now_ms: The wall clock.
        timings: How long it waits for what.
    """

    def __init__(
        self,
        database: Database,
        guard: Guard,
        render: Render,
        replies: WebhookReplies,
        settings: WebhookSettings,
        *,
        now_ms: Callable[[], int],
        timings: WebhookTimings = WEBHOOK_TIMINGS,
    ) -> None:
        resolving = partial(resolver, LOOKED_UP_AT_ONCE)
        self.courier = Courier(
            database,
            Guards(
                working=attrs.evolve(guard, resolve=resolving()),
                doubtful=attrs.evolve(guard, resolve=resolving()),
            ),
            render,
            replies,
            now_ms=now_ms,
            calls_at_once=settings.calls_at_once,
            timings=timings.call,
        )
        self.dispatcher = Dispatcher(
            database,
            self.courier,
            calls_at_once=settings.calls_at_once,
            now_ms=now_ms,
            timings=timings.dispatcher,
        )
        self._upkeep = Upkeep(database, self.courier, log_days=settings.log_days, now_ms=now_ms)

    def note(self, facts: Sequence[Fact]) -> None:
        """Takes note of new events, and of webhooks that have changed."""
        self.dispatcher.note(facts)

    async def close(self) -> None:
        """Begins no more calls, and gives those under way a moment."""
        await self.dispatcher.close()

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Works until cancelled."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self._upkeep.run)
            await nursery.start(self.dispatcher.run)
            task_status.started()

"""What a caller reads of its org's events, as far as its API key's limits let it.

Whatever shows events takes them from here and not from the tables, so that no stream, page or
webhook can forget a limit.
"""

from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

import attrs

from phonegate.domain.event_filter import EVERYTHING, EventFilter
from phonegate.domain.message_access import without_codes
from phonegate.model.bounds import MAX_ID
from phonegate.model.events import Event, Extent
from phonegate.model.messages import PAGE_BYTES
from phonegate.model.orgs import KeyLimits
from phonegate.model.principal import Principal
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.store.address_patterns import fits
from phonegate.store.database import Database
from phonegate.store.tables import Tables

RENEWED_EACH_MS: Final = 900_000
"""How often it is written down that an org still listens, however often it reads: each 15 minutes,
which is a quarter of the shortest time that events can be kept for."""

LOOKED_THROUGH: Final = 2_000
"""Most events that one read looks at: some 20 ms of a thread."""

AGAIN_MS: Final = 60_000
"""When that is tried again where the disk refused it."""

T = TypeVar("T")


@attrs.frozen
class EventPage(Generic[T]):
    """A page of events as a reader sees them."""

    events: Sequence[tuple[int, T]]
    """Each with its id, ascending."""
    upto: int
    """Up to this id, all were looked at. The next page begins after it."""
    extent: Extent
    """Which events there are."""


def seen(limits: KeyLimits | None, event: Event) -> Event | None:
    """Returns an event as an API key with these limits sees it. None where it does not.

    A key that sees only some parties sees only the events of their messages.
    """
    if limits is None:
        return event
    message = event.message
    if message is None:
        return None if limits.sees else event
    if not fits(limits.sees, message.address):
        return None
    if not limits.codes_hidden:
        return event
    body = without_codes(message.address, message.body)
    return attrs.evolve(event, message=message._replace(body=body))


class EventLog:
    """Reads events for callers, and keeps in mind which orgs listen.

    What is to be shown of events is made by a function that each method is given. It runs in the
    thread that reads.

    Args:
        database: Where they are.
        now_ms: The clock.
        keep_ms: How long an org listens after it has last read.
    """

    def __init__(self, database: Database, *, now_ms: Callable[[], int], keep_ms: int) -> None:
        self._database = database
        self._now_ms = now_ms
        self._keep_ms = keep_ms
        self._renewed: dict[int, int] = {}

    async def listen(self, org: int) -> None:
        """Has the events of an org recorded from now on, for as long as they are kept.

        Raises:
            StoreError: It can't be written down, and the org may not listen yet.
        """
        now = self._now_ms()
        renewed = self._renewed.get(org)
        # A clock that was set back counts as time that has passed.
        if renewed is not None and 0 <= now - renewed < RENEWED_EACH_MS:
            return
        if renewed is not None and now - renewed < self._keep_ms:
            # A thousand streams of an org come here at once: one of them writes.
            self._renewed[org] = now
        try:
            await self._database.write(lambda tx: tx.events.listen(org, now + self._keep_ms))
        except StorageUnavailable:
            if renewed is None or now - renewed >= self._keep_ms:
                self._renewed.pop(org, None)
                raise
            # It listens for long yet, and longer while a full disk lets nothing end that. What
            # there is can be read meanwhile.
            self._renewed[org] = now - RENEWED_EACH_MS + AGAIN_MS
        except BaseException:
            self._renewed.pop(org, None)
            raise
        else:
            self._renewed[org] = now

    async def extent(self, org: int) -> Extent:
        """Returns which events of an org there are."""
        return await self._database.read(lambda tx: tx.events.extent(org))

    async def page(
        self,
        reader: Principal,
        since_id: int,
        limit: int,
        *,
        show: Callable[[Event], T],
        wanted: EventFilter = EVERYTHING,
        most_bytes: int = PAGE_BYTES,
    ) -> EventPage[T]:
        """Returns the first events after an id.

        Args:
            reader: Who reads.
            since_id: Where to go on.
            limit: So many at most. Fewer where many others had to be looked through.
            show: Makes of each what is returned.
            wanted: Which of them.
            most_bytes: Where the page ends before its limit, in characters.
        """

        def op(tx: Tables) -> EventPage[T]:
            extent = tx.events.extent(reader.org)
            events: list[tuple[int, T]] = []
            at, looked, size = since_id, 0, 0
            while True:
                ask = max(limit - len(events), 50)
                found = tx.events.page(reader.org, at, ask, most_bytes)
                if not found:
                    return EventPage(events, max(since_id, extent.last), extent)
                for event in found:
                    at = event.id
                    looked += 1
                    mine = seen(reader.limits, event)
                    if mine is not None and wanted.fits(mine):
                        events.append((event.id, show(mine)))
                        size += 0 if mine.message is None else len(mine.message.body)
                        if len(events) >= limit or size >= most_bytes:
                            return EventPage(events, at, extent)
                if looked >= LOOKED_THROUGH:
                    return EventPage(events, at, extent)

        return await self._database.read(op)

    async def newest(
        self,
        reader: Principal,
        limit: int,
        *,
        show: Callable[[Event], T],
        wanted: EventFilter = EVERYTHING,
        before_id: int | None = None,
    ) -> EventPage[T]:
        """Returns the newest events, or those before an id, as `page` does the first ones."""

        def op(tx: Tables) -> EventPage[T]:
            extent = tx.events.extent(reader.org)
            ask = limit if wanted == EVERYTHING and reader.limits is None else LOOKED_THROUGH
            before = MAX_ID if before_id is None else before_id
            found = [
                mine
                for event in tx.events.newest(reader.org, ask, before=before)
                if (mine := seen(reader.limits, event)) is not None and wanted.fits(mine)
            ]
            return EventPage([(one.id, show(one)) for one in found[-limit:]], extent.last, extent)

        return await self._database.read(op)

    async def tail(
        self, org: int, since_id: int, limit: int, *, most_bytes: int
    ) -> EventPage[Event]:
        """Returns the first events of an org after an id, as they are: for many readers at once."""

        def op(tx: Tables) -> EventPage[Event]:
            extent = tx.events.extent(org)
            found = tx.events.page(org, since_id, limit, most_bytes)
            upto = found[-1].id if found else extent.last
            return EventPage([(one.id, one) for one in found], upto, extent)

        return await self._database.read(op)

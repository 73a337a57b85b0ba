"""Events for those who follow them: each is read once for all followers of its org.

A follower that keeps up gets its events from a tail in memory, which one task of the feed fills
when the bus says that there are more. One that is behind it reads pages of the store by itself. A
follower begins to be one before it first reads, so that no event comes unseen between the two.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Generic, TypeVar

import attrs
import trio

from phonegate import log
from phonegate.domain.event_filter import EVERYTHING, EventFilter
from phonegate.domain.event_log import EventLog, seen
from phonegate.events.channel import Audience, Channel, Waiting
from phonegate.events.tail import MOST_BYTES, Entry, Tail
from phonegate.model.events import Event
from phonegate.model.facts import CredentialsChanged, Erased, EventsRecorded, Fact
from phonegate.model.principal import Principal
from phonegate.model.refusals import Throttled
from phonegate.model.storage_errors import StoreError

PER_HOLDER: Final = 200
"""Followers with one credential at a time. Each holds a connection."""

PER_ORG: Final = 1_000
"""Followers of one org at a time. An event costs some 70 µs for each that gets it, most of it in
the kernel."""

RETRY_S: Final = 5
"""When to come again where there are too many."""

ALL_TAILS_BYTES: Final = 33_554_432
"""What the tails of all orgs may take."""

PAGE_EVENTS: Final = 200
"""Events of one page that a follower, or the feed for a tail, reads from the store."""

PAGE_BYTES: Final = 65_536
"""Bytes of texts of such a page: it is what one slow follower takes of the memory."""

WAKE_AT_ONCE: Final = 16
"""Followers that are woken before all other tasks get their turn. They take some 1 ms."""

UNREAD_S: Final = 1.0
"""How long a tail waits where its events can't be read."""

T = TypeVar("T")

_log = log.get("events")


@attrs.frozen
class View(Generic[T]):
    """How followers are shown events."""

    key: Hashable
    """The same for all views that show events alike: what is shown is made once for them."""
    show: Callable[[Event], T]
    """Makes of an event what followers get, in whatever thread."""


class Follower(Generic[T]):
    """One reader who waits for the events of its org. `Feed.follow` makes it.

    `take` is called by one task at a time, and may be cancelled at any time: what it has not
    returned comes with the next call.
    """

    def __init__(
        self,
        feed: "Feed",
        channel: Channel,
        audience: Audience,
        *,
        reader: Principal,
        view: View[T],
        since_id: int,
    ) -> None:
        self._feed = feed
        self._channel = channel
        self._audience = audience
        self._reader = reader
        self._view = view
        self._key = (audience.limits, view.key)
        self._checked = False
        """Whether the store was read since it became a follower."""
        self.position = since_id
        """Up to this event, it has had all that it is to get."""
        self.missed: int | None = None
        """Set by `take` where events before those that it returns may be missing: up to this one.
        The caller that has taken note of it sets it to None."""

    @property
    def ended(self) -> bool:
        """Whether it gets no more: its credential may be revoked, or the gateway stops."""
        return self._feed.closed or not self._feed.is_current(self._reader)

    async def take(self) -> Sequence[tuple[int, T]]:
        """Waits for events, and returns them in their order, each with its id.

        Returns:
            At least one, unless the follower has ended, or has only come to know that some are
            missing.

        Raises:
            StoreError: They can't be read.
        """
        while not self.ended:
            tail = self._channel.tail
            if not self._checked or tail is None or self.position < tail.floor:
                found = await self._read_page()
                if (found or self.missed is not None) and not self.ended:
                    return found
            elif self.position < tail.upto:
                # Before it, or what was taken would be lost with the cancelled call.
                await trio.lowlevel.checkpoint_if_cancelled()
                if found := self._from_tail(tail):
                    return found
            else:
                await self._wait()
        await trio.lowlevel.checkpoint()
        return []

    async def _read_page(self) -> Sequence[tuple[int, T]]:
        begun = self.position
        page = await self._feed.event_log.page(
            self._reader,
            begun,
            PAGE_EVENTS,
            wanted=self._audience.wanted,
            show=self._view.show,
            most_bytes=PAGE_BYTES,
        )
        extent = page.extent
        self.position = min(page.upto, extent.last)
        if begun < extent.first:
            self.missed = extent.first
        elif begun > extent.last:
            # An id of another file: who restores a copy goes back in its ids.
            self.missed = extent.last
        if page.upto >= extent.last:
            self._checked = True
            self._feed.begin_tail(self._channel, extent.last)
        return page.events

    def _from_tail(self, tail: Tail) -> Sequence[tuple[int, T]]:
        found = [
            (entry.event.id, self._shown(tail, entry))
            for entry in tail.after(self.position)
            if self._audience.sees(entry.event)
        ]
        self.position = tail.upto
        return found

    def _shown(self, tail: Tail, entry: Entry) -> T:
        found: T | None = entry.shown.get(self._key)
        if found is None:
            event = seen(self._audience.limits, entry.event)
            assert event is not None, "its audience sees it"  # noqa: S101
            found = self._view.show(event)
            tail.keep(entry, self._key, found)
        return found

    async def _wait(self) -> None:
        audience, bell = self._audience, trio.Event()
        audience.waiting[self] = bell
        try:
            await bell.wait()
        finally:
            if audience.waiting.pop(self, None) is not None:
                self.position = max(self.position, audience.cleared)


class Feed:
    """The followers of all orgs. `note` subscribes to the bus.

    Args:
        event_log: Where events are read.
        is_current: Tells whether a principal's credential is still right.
        per_holder: Followers with one credential at a time.
        per_org: Followers of one org at a time.
    """

    def __init__(
        self,
        event_log: EventLog,
        *,
        is_current: Callable[[Principal], bool],
        per_holder: int = PER_HOLDER,
        per_org: int = PER_ORG,
    ) -> None:
        self.event_log = event_log
        self.is_current = is_current
        self.closed = False
        """Whether every follower is to end."""
        self._per_holder = per_holder
        self._per_org = per_org
        self._channels: dict[int, Channel] = {}
        self._share = MOST_BYTES
        """Bytes that each tail may take now."""
        self._turn = trio.Lock()
        self._nursery: trio.Nursery | None = None

    def __len__(self) -> int:
        return sum(channel.holders.total() for channel in self._channels.values())

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Fills the tails until cancelled."""
        async with trio.open_nursery() as self._nursery:
            task_status.started()
            await trio.sleep_forever()

    def note(self, facts: Sequence[Fact]) -> None:
        """Takes note of events that were recorded, and of credentials that have changed."""
        for fact in facts:
            if type(fact) is EventsRecorded:
                channel = self._channels.get(fact.org)
                if channel is not None:
                    channel.recorded = max(channel.recorded, fact.last)
                    self._fill_soon(channel)
            elif type(fact) is CredentialsChanged:
                channel = self._channels.get(fact.org)
                if channel is not None:
                    channel.ring()
            elif type(fact) is Erased:
                channel = self._channels.get(fact.org)
                if channel is not None:
                    # It may hold the text. Followers read on from the store.
                    channel.tail = None
                    channel.ring()

    def close(self) -> None:
        """Ends every follower now, and those to come at once."""
        self.closed = True
        for channel in self._channels.values():
            channel.ring()

    def require_room(self, reader: Principal) -> None:
        """Makes sure that there may be one more follower with this credential.

        Raises:
            Throttled: There are too many, of it or of its org.
        """
        channel = self._channels.get(reader.org)
        if channel is None:
            return
        whole, mine = channel.holders.total(), channel.holders[reader.key_id]
        for count, most, whose in (
            (whole, self._per_org, "of this org"),
            (mine, self._per_holder, "with this credential"),
        ):
            if count >= most:
                raise Throttled(
                    f"{count} calls {whose} wait for events already, the most it may. "
                    f"Try again in {RETRY_S} s.",
                    RETRY_S,
                )

    @contextmanager
    def follow(
        self,
        reader: Principal,
        *,
        since_id: int,
        view: View[T],
        wanted: EventFilter = EVERYTHING,
    ) -> Iterator[Follower[T]]:
        """Follows the events of the reader's org, as far as the limits of its key let it see them.

        Args:
            reader: Who follows.
            since_id: Events up to this id don't count.
            view: What it gets of each event.
            wanted: Which events it is for.

        Raises:
            Throttled: See `require_room`.
        """
        self.require_room(reader)
        channel = self._channels.get(reader.org)
        if channel is None:
            channel = self._channels[reader.org] = Channel(reader.org)
            self._divide()
        key = (reader.limits, wanted)
        audience = channel.audiences.setdefault(key, Audience(reader.limits, wanted))
        channel.holders[reader.key_id] += 1
        audience.members += 1
        try:
            yield Follower(self, channel, audience, reader=reader, view=view, since_id=since_id)
        finally:
            audience.members -= 1
            channel.holders[reader.key_id] -= 1
            if not audience.members:
                del channel.audiences[key]
            if not channel.holders[reader.key_id]:
                del channel.holders[reader.key_id]
            if not channel.holders:
                del self._channels[reader.org]
                self._divide()

    # -- the tails

    def begin_tail(self, channel: Channel, at: int) -> None:
        """Begins a channel's tail, where it has none yet, once its events up to an id were read."""
        if channel.tail is None:
            channel.tail = Tail(at, most_bytes=self._share)
            self._fill_soon(channel)

    def _divide(self) -> None:
        """Gives each tail its share of what all may take."""
        share = min(MOST_BYTES, ALL_TAILS_BYTES // max(1, len(self._channels)))
        if share != self._share:
            self._share = share
            for channel in self._channels.values():
                if channel.tail is not None:
                    channel.tail.bound(share)

    def _fill_soon(self, channel: Channel) -> None:
        if self._nursery is not None and not channel.filling and channel.lags:
            channel.filling = True
            self._nursery.start_soon(self._fill, channel)

    async def _fill(self, channel: Channel) -> None:
        """Reads what was recorded into a tail, and wakes those for whom there is something."""
        while channel.tail is not None and channel.lags and channel.holders and not self.closed:
            tail = channel.tail
            try:
                page = await self.event_log.tail(
                    channel.org, tail.upto, PAGE_EVENTS, most_bytes=PAGE_BYTES
                )
            except StoreError as error:
                _log.warning("events_unread", error=type(error).__name__, again_s=UNREAD_S)
                await trio.sleep(UNREAD_S)
            except Exception:  # noqa: BLE001 - the events of one org must not end the gateway
                _log.exception("events_unread", again_s=UNREAD_S)
                await trio.sleep(UNREAD_S)
            else:
                if channel.tail is not tail:
                    continue  # It was dropped meanwhile: a text in it was erased.
                if page.extent.first > tail.upto:
                    # Some were deleted before they were read: each follower finds that by itself.
                    channel.tail = None
                    channel.ring()
                    break
                events = [event for _, event in page.events]
                await self._wake(channel.add(tail, events, page.upto))
        channel.filling = False

    async def _wake(self, woken: Sequence[tuple[Audience, Waiting]]) -> None:
        """Wakes followers, some at a time, so that what else is to be done has its turn between."""
        for at in range(0, len(woken), WAKE_AT_ONCE):
            # One org after the other, however many have events at once.
            async with self._turn:
                for audience, follower in woken[at : at + WAKE_AT_ONCE]:
                    audience.ring(follower)
                await trio.lowlevel.checkpoint()

"""Fetches the media of MMS before phones are given them, and keeps them for that long.

Each message is fetched by a task of its own, so that a slow place holds up no other message. Only
so many are fetched at once for a phone, for an org and in all. Media for which the memory is
needed are forgotten, and fetched again when their phone asks.
"""

from collections.abc import Awaitable, Callable, Container, Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Final
from weakref import WeakValueDictionary

import attrs
import trio

from phonegate import log
from phonegate.phones.smsgate.media_memory import MediaMemory, Place
from phonegate.phones.smsgate.media_source import (
    MediaFailed,
    MediaRefused,
    MediaSource,
    NoRoom,
    Wanted,
)
from phonegate.phones.smsgate.mobile_message import Attachment
from phonegate.phones.smsgate.smsgate_timings import SmsgateTimings

PHONE_AT_ONCE: Final = 4
"""MMS of one phone that are fetched at the same time. It sends one in some seconds."""

ORG_AT_ONCE: Final = 16
"""The same of one org, which leaves others most of `ALL_AT_ONCE`."""

ALL_AT_ONCE: Final = 256
"""The same of all. Each has a connection open."""

_log = log.get("phones")


@attrs.define(eq=False)
class _Item:
    """The media of one message."""

    wanted: Wanted
    place: Place
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    settled: trio.Event = attrs.field(factory=trio.Event)
    """Set when they are there, or can't be had just now."""
    found: Sequence[Attachment] | None = attrs.field(default=None, repr=False)


class MediaDesk:
    """Fetches for all phones. Each has a shelf."""

    def __init__(
        self, source: MediaSource, timings: SmsgateTimings, memory: MediaMemory | None = None
    ) -> None:
        self.source = source
        self.timings = timings
        self.memory = MediaMemory() if memory is None else memory
        self.all_at_once = trio.CapacityLimiter(ALL_AT_ONCE)
        self._orgs: WeakValueDictionary[int, trio.CapacityLimiter] = WeakValueDictionary()
        self._nursery: trio.Nursery | None = None

    def open(self, nursery: trio.Nursery) -> None:
        """Has it work in a nursery from now on."""
        self._nursery = nursery

    def shelf(
        self,
        org: int,
        org_name: str,
        *,
        ready: Callable[[], None],
        failed: Callable[[int, str], None],
    ) -> "MediaShelf":
        """Makes the shelf of a phone.

        Args:
            org: Of the phone.
            org_name: Of the phone.
            ready: Called when the media of a message are there.
            failed: Called with a message whose media can't be had, and why.
        """
        limiter = self._orgs.get(org)
        if limiter is None:
            limiter = self._orgs[org] = trio.CapacityLimiter(ORG_AT_ONCE)
        return MediaShelf(self, org, org_name, limiter, ready=ready, failed=failed)

    def start(self, work: Callable[[_Item], Awaitable[None]], item: _Item) -> bool:
        """Starts a task. Returns False where the gateway is stopping."""
        nursery = self._nursery
        if nursery is None or nursery.cancel_scope.cancel_called:
            return False
        nursery.start_soon(work, item)
        return True


class MediaShelf:
    """The media of one phone's messages, from their fetching until the phone has them."""

    def __init__(
        self,
        desk: MediaDesk,
        org: int,
        org_name: str,
        org_at_once: trio.CapacityLimiter,
        *,
        ready: Callable[[], None],
        failed: Callable[[int, str], None],
    ) -> None:
        self._desk = desk
        self._org = org
        self._org_name = org_name
        self._at_once = (trio.CapacityLimiter(PHONE_AT_ONCE), org_at_once, desk.all_at_once)
        self._ready = ready
        self._failed = failed
        self._items: dict[int, _Item] = {}

    def begin(self, message: int, urls: Sequence[str]) -> None:
        """Fetches the media of a message, unless they are there or on their way."""
        if message in self._items:
            return
        wanted = Wanted(org=self._org, org_name=self._org_name, message=message, urls=tuple(urls))
        item = _Item(wanted, Place(lambda: self.drop(message)))
        self._items[message] = item
        if not self._desk.start(self._fetch, item):
            del self._items[message]

    def media(self, message: int) -> Sequence[Attachment] | None:
        """Returns the media of a message, where they are there."""
        item = self._items.get(message)
        return None if item is None else item.found

    @property
    def being_fetched(self) -> Container[int]:
        """The messages whose media are on their way."""
        return {number for number, item in self._items.items() if item.found is None}

    async def settle(self) -> None:
        """Waits until all that is on its way is there, or can't be had just now."""
        for item in list(self._items.values()):
            await item.settled.wait()

    def keep(self, messages: Iterable[int]) -> None:
        """Forgets the media of all other messages."""
        for message in self._items.keys() - set(messages):
            self.drop(message)

    def drop(self, message: int) -> None:
        """Forgets the media of a message, and fetches them no more."""
        item = self._items.pop(message, None)
        if item is not None:
            item.scope.cancel()
            item.settled.set()
            item.found = None
            self._desk.memory.free(item.place)

    async def _fetch(self, item: _Item) -> None:
        """Fetches the media of a message, in several tries."""
        try:
            with item.scope:
                problem = await self._in_tries(item)
                if problem is not None:
                    self._give_up(item, problem)
        except Exception as error:  # noqa: BLE001 - it must not end the fetching for all phones
            # Its text and causes may hold an address, which can be a secret.
            _log.error("media_fetch_failed", message=item.wanted.message, kind=type(error).__name__)
            self._give_up(item, "its media can't be fetched by a fault of the gateway")
        finally:
            item.settled.set()
            if not self._is_wanted(item):
                # It may have taken some more between its dropping and its end.
                item.found = None
                self._desk.memory.free(item.place)

    async def _in_tries(self, item: _Item) -> str | None:
        """Returns why the media can't be had, or None where they are there."""
        pauses = iter(self._desk.timings.fetch_pauses_s)
        while True:
            try:
                item.found = await self._try(item)
            except MediaRefused as error:
                return error.reason
            except NoRoom:
                self._desk.memory.free(item.place)
                await trio.sleep(self._desk.timings.room_s)
                continue
            except MediaFailed as error:
                problem = error.reason
            else:
                self._desk.memory.wait(item.place)
                item.settled.set()
                self._ready()
                return None
            self._desk.memory.free(item.place)
            item.settled.set()
            pause = next(pauses, None)
            if pause is None:
                return problem
            await trio.sleep(pause)

    async def _try(self, item: _Item) -> Sequence[Attachment]:
        async with AsyncExitStack() as places:
            for at_once in self._at_once:
                await places.enter_async_context(at_once)
            with trio.move_on_after(self._desk.timings.fetch_s):
                return await self._desk.source.fetch(
                    item.wanted, lambda size: self._desk.memory.take(item.place, size)
                )
        seconds = self._desk.timings.fetch_s
        raise MediaFailed(f"its media took longer than {seconds:g} s")

    def _give_up(self, item: _Item, problem: str) -> None:
        message = item.wanted.message
        if not self._is_wanted(item):
            return
        self.drop(message)
        _log.info("mms_without_media", message=message)
        self._failed(message, problem)

    def _is_wanted(self, item: _Item) -> bool:
        """Tells whether an item was not dropped meanwhile, be it for a newer one."""
        return self._items.get(item.wanted.message) is item

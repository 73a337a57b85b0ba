import math
import random
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Final, TypeVar

import attrs
import pytest
import trio
import trio.testing

from phonegate.domain.event_filter import EVERYTHING, EventFilter
from phonegate.domain.event_log import EventLog
from phonegate.events import feed as feed_module
from phonegate.events.bus import Bus
from phonegate.events.feed import Feed, Follower, View
from phonegate.events.tail import EVENT_BYTES
from phonegate.model.events import Event
from phonegate.model.facts import CredentialsChanged
from phonegate.model.principal import Principal
from phonegate.model.refusals import Throttled
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.domain.callers import limited, owner
from tests.patience import PATIENCE_S
from tests.store.conftest import inbound

T = TypeVar("T")
AS_THEY_ARE: Final[View[Event]] = View(None, lambda event: event)
ADDRESS = "+15553334444"

KEPT_MS = 72 * 3_600_000


@attrs.define
class Watched:
    """The database, whose reads a test sees, and may have fail."""

    database: Database
    reads: int = 0
    failing: Exception | None = None
    after_read: Callable[[], Any] | None = None

    async def read(self, op: Callable[[Tables], T]) -> T:
        self.reads += 1
        if self.failing is not None:
            await trio.lowlevel.checkpoint()
            raise self.failing
        found = await self.database.read(op)
        if self.after_read is not None:
            after_read, self.after_read = self.after_read, None
            await after_read()
        return found

    async def write(self, op: Callable[[Tables], T]) -> T:
        return await self.database.write(op)


@attrs.define
class Site:
    feed: Feed
    watched: Watched
    org: int
    other: int
    current: set[str | None]

    async def receive(self, address: str = ADDRESS, *, org: int | None = None) -> int:
        """A message comes in; its event's id."""
        new = inbound(self.org if org is None else org, address=address)

        def op(tx: Tables) -> int:
            assert tx.messages.insert_inbound(new) is not None
            return tx.events.extent(new.org).last

        return await self.watched.database.write(op) + 1

    async def last(self, org: int | None = None) -> int:
        return (await self.feed.event_log.extent(self.org if org is None else org)).last


def follow(
    site: Site, reader: Principal, *, since_id: int, wanted: EventFilter = EVERYTHING
) -> AbstractContextManager[Follower[Event]]:
    return site.feed.follow(reader, since_id=since_id, view=AS_THEY_ARE, wanted=wanted)


async def take(follower: Follower[Event]) -> list[int]:
    with trio.fail_after(PATIENCE_S):
        return [id_ for id_, _ in await follower.take()]


async def until(check: Callable[[], bool]) -> None:
    """Returns once something is so."""
    with trio.fail_after(PATIENCE_S):
        while not check():  # noqa: ASYNC110 - what it waits for is no event of a test
            await trio.sleep(0.001)


async def waits(nursery: trio.Nursery, follower: Follower[Any]) -> trio.MemoryReceiveChannel[Any]:
    """Begins to take, and returns once it waits for an event."""
    send, receive = trio.open_memory_channel[Any](1)

    async def run() -> None:
        await send.send(await follower.take())

    nursery.start_soon(run)
    await until(lambda: follower in follower._audience.waiting)
    return receive


@pytest.fixture
async def site(database: Database, bus: Bus, nursery: trio.Nursery) -> Site:
    watched = Watched(database)
    log = EventLog(watched, now_ms=lambda: 1_000, keep_ms=KEPT_MS)  # type: ignore[arg-type]
    current: set[str | None] = {None, "key1", "key2"}
    feed = Feed(log, is_current=lambda one: one.key_id in current, per_holder=2, per_org=3)
    bus.subscribe("feed", feed.note)
    await nursery.start(feed.run)
    org = await database.write(lambda tx: tx.orgs.add("one", "x", 1).id)
    other = await database.write(lambda tx: tx.orgs.add("two", "x", 1).id)
    for one in (org, other):
        await log.listen(one)
    return Site(feed, watched, org, other, current)


async def test_what_there_is_comes_first_and_then_what_happens(
    site: Site, nursery: trio.Nursery
) -> None:
    begun = await site.last()
    first, second = await site.receive(), await site.receive()
    with follow(site, owner(site.org), since_id=begun) as follower:
        assert await take(follower) == [first, second]
        found = await waits(nursery, follower)
        third = await site.receive()
        ((id_, event),) = await found.receive()
        assert id_ == event.id == third
        assert event.type == "message.received"
    with follow(site, owner(site.org), since_id=first) as follower:
        assert await take(follower) == [second, third]
        assert follower.missed is None
    assert len(site.feed) == 0


async def test_others_hear_nothing_and_cost_nothing(site: Site, nursery: trio.Nursery) -> None:
    key = limited(site.org, sees=("AMAZON",))
    wanted = EventFilter(types=("message.sent",))
    begun = await site.last()
    with (
        follow(site, owner(site.other), since_id=begun) as foreign,
        follow(site, key, since_id=begun) as narrow,
        follow(site, owner(site.org), since_id=begun, wanted=wanted) as picky,
    ):
        for follower in (foreign, narrow, picky):
            await waits(nursery, follower)
        for _ in range(5):
            last = await site.receive()
        await until(lambda: min(picky._audience.cleared, narrow._audience.cleared) >= last)
        for follower in (foreign, narrow, picky):
            assert follower in follower._audience.waiting
        nursery.cancel_scope.cancel()


async def test_all_followers_of_an_org_share_one_read(site: Site, nursery: trio.Nursery) -> None:
    begun = await site.last()
    shown: list[int] = []

    def show(event: Event) -> bytes:
        shown.append(event.id)
        return b"%d" % event.id

    with ExitStack() as stack:
        followers = [
            stack.enter_context(
                site.feed.follow(reader, since_id=begun, view=View("the same", show))
            )
            for reader in (owner(site.org), owner(site.org), limited(site.org))
        ]
        found = [await waits(nursery, follower) for follower in followers]
        reads = site.watched.reads
        event = await site.receive()
        for one in found:
            assert await one.receive() == [(event, b"%d" % event)]
    assert site.watched.reads == reads + 1
    # Once for the secret, and once for the key, from which something may be hidden.
    assert shown == [event, event]


async def test_an_event_amid_the_first_look_comes_once(site: Site) -> None:
    begun, ids = await site.last(), []

    async def receive() -> None:
        ids.append(await site.receive())

    site.watched.after_read = receive
    with follow(site, owner(site.org), since_id=begun) as follower:
        assert await take(follower) == ids
        ids.append(await site.receive())
        assert await take(follower) == ids[1:]


async def test_a_call_that_is_cancelled_loses_nothing(site: Site) -> None:
    begun = await site.last()
    with follow(site, owner(site.org), since_id=begun) as follower:
        ids = [await site.receive() for _ in range(3)]
        got: list[int] = []
        with trio.fail_after(PATIENCE_S):
            while len(got) < 6:
                with trio.CancelScope() as scope:
                    scope.cancel()
                    await follower.take()
                assert scope.cancelled_caught
                got += await take(follower)
                if got == ids and len(ids) == 3:
                    ids += [await site.receive() for _ in range(3)]
        assert got == ids


async def test_one_that_falls_behind_the_tail_reads_on_in_the_store(
    site: Site, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "MOST_BYTES", 1)
    monkeypatch.setattr(feed_module, "PAGE_EVENTS", 3)
    begun = await site.last()
    with (
        follow(site, owner(site.org), since_id=begun) as quick,
        follow(site, owner(site.org), since_id=begun) as slow,
    ):
        ids = [await site.receive()]
        assert await take(slow) == await take(quick) == ids
        for _ in range(10):
            found = await waits(nursery, quick)
            ids.append(await site.receive())
            assert [id_ for id_, _ in await found.receive()] == ids[-1:]
        got: list[int] = []
        while len(got) < 10:
            got += await take(slow)
        assert got == ids[1:]


async def test_an_erased_text_comes_from_no_tail(site: Site) -> None:
    with follow(site, owner(site.org), since_id=0) as follower:
        await site.receive()
        await take(follower)
        second = await site.receive()
        channel = site.feed._channels[site.org]
        await until(lambda: channel.tail is not None and channel.tail.upto >= second)
        await site.watched.write(lambda tx: tx.events.redact(site.org, 2, [], 0))
        with trio.fail_after(PATIENCE_S):
            ((id_, event),) = await follower.take()
        assert event.message is not None
        assert (id_, event.message.body) == (second, "")


async def test_nothing_is_lost_or_repeated_in_a_crowd(
    site: Site, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "MOST_BYTES", 5_000)
    monkeypatch.setattr(feed_module, "PAGE_EVENTS", 4)
    monkeypatch.setattr(feed_module, "WAKE_AT_ONCE", 2)
    monkeypatch.setattr(site.feed, "_per_org", 100)
    monkeypatch.setattr(site.feed, "_per_holder", 100)
    chance = random.Random(1)
    begun = await site.last()
    addresses = [ADDRESS, "AMAZON", "+15550001111"]
    got: list[tuple[str | None, int, list[int]]] = []
    events: list[tuple[int, str]] = []
    done = trio.Event()

    async def read(address: str | None, since_id: int) -> None:
        mine: list[int] = []
        got.append((address, since_id, mine))
        wanted = EVERYTHING if address is None else EventFilter(address=address)
        with follow(site, owner(site.org), since_id=since_id, wanted=wanted) as follower:
            while True:
                with trio.move_on_after(chance.choice([chance.uniform(0, 0.02), math.inf])):
                    mine += [id_ for id_, _ in await follower.take()]
                if chance.random() < 0.2:
                    await trio.sleep(chance.uniform(0, 0.03))

    async def receive() -> None:
        for _ in range(40):
            address = chance.choice(addresses)
            events.append((await site.receive(address), address))
            if chance.random() < 0.3:
                nursery.start_soon(read, chance.choice([None, *addresses]), begun)
        done.set()

    def complete() -> bool:
        return all(
            mine == [id_ for id_, one in events if id_ > since_id and address in {None, one}]
            for address, since_id, mine in got
        )

    nursery.start_soon(read, None, begun)
    nursery.start_soon(receive)
    await done.wait()
    await until(complete)
    assert len(got) > 5
    assert complete()
    nursery.cancel_scope.cancel()


async def test_what_may_be_missing_is_said(site: Site) -> None:
    first = await site.receive()
    await site.receive()
    await site.watched.database.write(lambda tx: tx.events.erase([first]))
    with follow(site, owner(site.org), since_id=0) as follower:
        assert await take(follower) == [first + 1]
        assert follower.missed == first
    with follow(site, owner(site.org), since_id=first) as follower:
        assert await take(follower) == [first + 1]
        assert follower.missed is None


async def test_what_was_deleted_before_it_was_read_is_said_to_who_waits(
    site: Site, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "UNREAD_S", 0.01)
    with follow(site, owner(site.org), since_id=await site.last()) as follower:
        found = await waits(nursery, follower)
        site.watched.failing = StorageUnavailable("for a test")
        gone, kept = await site.receive(), await site.receive()
        await site.watched.database.write(lambda tx: tx.events.erase([gone]))
        site.watched.failing = None
        with trio.fail_after(PATIENCE_S):
            assert [id_ for id_, _ in await found.receive()] == [kept]
        assert follower.missed == gone
        follower.missed = None
        later = await waits(nursery, follower)
        last = await site.receive()
        with trio.fail_after(PATIENCE_S):
            assert [id_ for id_, _ in await later.receive()] == [last]
        assert follower.missed is None


async def test_an_id_of_another_file_counts_as_missing(site: Site) -> None:
    last = await site.receive()
    with follow(site, owner(site.org), since_id=last + 1_000) as follower:
        assert await take(follower) == []
        assert follower.missed == last
        follower.missed = None
        event = await site.receive()
        assert await take(follower) == [event]


async def test_a_key_sees_what_its_limits_let_it(site: Site) -> None:
    begun = await site.last()
    seen = await site.receive("AMAZON")
    await site.receive()
    with follow(site, limited(site.org, sees=("AMAZON",)), since_id=begun) as follower:
        assert await take(follower) == [seen]
        again = await site.receive("AMAZON")
        assert await take(follower) == [again]


async def test_codes_are_hidden_from_a_key_in_the_tail_too(site: Site) -> None:
    async def receive(body: str) -> None:
        new = inbound(site.org, address="AMAZON", body=body)
        await site.watched.database.write(lambda tx: tx.messages.insert_inbound(new))

    begun = await site.last()
    with (
        follow(site, limited(site.org, codes_hidden=True), since_id=begun) as follower,
        follow(site, owner(site.org), since_id=begun) as whole,
    ):
        for _ in range(2):
            await receive("Your code is 123456")
            for one, hidden in ((follower, True), (whole, False)):
                with trio.fail_after(PATIENCE_S):
                    ((_, event),) = await one.take()
                assert event.message is not None
                assert ("123456" not in event.message.body) is hidden


async def test_a_revoked_credential_ends_it(site: Site, bus: Bus, nursery: trio.Nursery) -> None:
    begun = await site.last()
    with (
        follow(site, limited(site.org, "key1"), since_id=begun) as revoked,
        follow(site, limited(site.org, "key2"), since_id=begun) as other,
    ):
        found, still = await waits(nursery, revoked), await waits(nursery, other)
        site.current.discard("key1")
        bus.publish([CredentialsChanged(site.org)])
        assert await found.receive() == []
        assert revoked.ended
        event = await site.receive()
        assert [id_ for id_, _ in await still.receive()] == [event]
        assert await take(revoked) == []


async def test_a_revoked_credential_gets_nothing_even_before_that_is_known(site: Site) -> None:
    begun = await site.last()
    with follow(site, limited(site.org, "key1"), since_id=begun) as follower:
        await site.receive()

        async def revoke() -> None:
            site.current.discard("key1")
            await trio.lowlevel.checkpoint()

        site.watched.after_read = revoke
        assert await take(follower) == []


async def test_closing_ends_all(site: Site, nursery: trio.Nursery) -> None:
    begun = await site.last()
    with follow(site, owner(site.org), since_id=begun) as follower:
        found = await waits(nursery, follower)
        site.feed.close()
        assert await found.receive() == []
    with follow(site, owner(site.org), since_id=begun) as follower:
        assert await take(follower) == []


async def test_followers_are_bounded_by_credential_and_by_org(site: Site) -> None:
    def enter(reader: Principal) -> None:
        stack.enter_context(follow(site, reader, since_id=0))

    with ExitStack() as stack:
        enter(limited(site.org, "key1"))
        enter(limited(site.org, "key1"))
        with pytest.raises(Throttled, match=r"^2 calls with this credential") as refused:
            enter(limited(site.org, "key1"))
        assert refused.value.retry_after_s == feed_module.RETRY_S
        enter(owner(site.org))
        with pytest.raises(Throttled, match=r"^3 calls of this org"):
            site.feed.require_room(owner(site.org))
        enter(owner(site.other))
        assert len(site.feed) == 4
    assert len(site.feed) == 0
    site.feed.require_room(owner(site.org))


@pytest.mark.parametrize(
    "failure",
    [StorageUnavailable("for a test"), ValueError("for a test")],
    ids=type,
)
async def test_a_read_that_fails_holds_events_back_and_loses_none(
    site: Site, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    monkeypatch.setattr(feed_module, "UNREAD_S", 0.01)
    begun = await site.last()
    with follow(site, owner(site.org), since_id=begun) as follower:
        found = await waits(nursery, follower)
        site.watched.failing = failure
        event, reads = await site.receive(), site.watched.reads
        await until(lambda: site.watched.reads >= reads + 3)
        site.watched.failing = None
        assert [id_ for id_, _ in await found.receive()] == [event]
        site.watched.failing = failure
        with (
            follow(site, owner(site.org), since_id=begun) as another,
            pytest.raises(type(failure)),
        ):
            await another.take()


async def test_the_tails_of_all_orgs_share_what_they_may_take(
    site: Site, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = 16 * EVENT_BYTES
    monkeypatch.setattr(feed_module, "ALL_TAILS_BYTES", room)

    def taken() -> int:
        tails = (channel.tail for channel in site.feed._channels.values())
        return sum(tail.size for tail in tails if tail is not None)

    with ExitStack() as stack:
        sizes = []
        for org in (site.org, site.other):
            follower = stack.enter_context(follow(site, owner(org), since_id=await site.last()))
            for _ in range(12):
                found = await waits(nursery, follower)
                await site.receive(org=org)
                await found.receive()
            sizes.append(taken())
        assert room / 2 < sizes[0] <= room
        assert room / 2 < sizes[1] <= room
        tails = [channel.tail for channel in site.feed._channels.values()]
    with follow(site, owner(site.org), since_id=await site.last()):
        assert all(tail is not None and tail.size <= room / 2 for tail in tails)
        assert site.feed._share == room

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import attrs
import pytest
import trio
import trio.testing

from phonegate.domain.arrivals import Arrivals
from phonegate.events.bus import Bus
from phonegate.model.messages import MessageView
from phonegate.model.refusals import Throttled
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.domain.callers import limited
from tests.store.conftest import inbound

T = TypeVar("T")
ADDRESS = "+15553334444"
LIMIT_S = 20
"""No test waits longer, whatever breaks."""


async def nothing() -> None:
    pass


@attrs.define
class Watched:
    """The database, whose reads a test sees."""

    database: Database
    reads: int = 0
    ended: trio.Event = attrs.field(factory=trio.Event)
    after_read: Callable[[], Awaitable[Any]] = nothing

    async def read(self, op: Callable[[Tables], T]) -> T:
        self.reads += 1
        found = await self.database.read(op)
        await self.after_read()
        self.ended.set()
        return found


@attrs.define
class Bench:
    arrivals: Arrivals
    watched: Watched
    org: int
    other: int

    async def receive(self, address: str = ADDRESS, *, org: int | None = None) -> int:
        """A message comes in and is committed; its id."""
        new = inbound(self.org if org is None else org, address=address)
        found = await self.watched.database.write(lambda tx: tx.messages.insert_inbound(new))
        assert found is not None
        return found

    async def wait(self, **more: Any) -> MessageView | None:
        reader = limited(self.org, more.pop("holder", "key"), **more.pop("limits", {}))
        wanted = {"address": ADDRESS, "since_id": 0, "seconds": LIMIT_S, **more}
        with trio.fail_after(LIMIT_S):
            return await self.arrivals.wait(reader, **wanted)

    async def start(
        self, nursery: trio.Nursery, **more: Any
    ) -> trio.MemoryReceiveChannel[MessageView | None]:
        """Begins a wait and returns once it has looked in vain; what it found comes later."""
        send, receive = trio.open_memory_channel[MessageView | None](1)

        async def wait() -> None:
            await send.send(await self.wait(**more))

        self.watched.ended = trio.Event()
        nursery.start_soon(wait)
        await self.watched.ended.wait()
        await trio.testing.wait_all_tasks_blocked()
        return receive


@pytest.fixture
async def bench(database: Database, bus: Bus) -> Bench:
    watched = Watched(database)
    arrivals = Arrivals(watched, per_holder=2, per_org=3)  # type: ignore[arg-type]
    bus.subscribe("waits", arrivals.ring)
    org = await database.write(lambda tx: tx.orgs.add("one", "x", 1).id)
    other = await database.write(lambda tx: tx.orgs.add("two", "x", 1).id)
    return Bench(arrivals, watched, org, other)


async def test_what_has_come_already_is_found_at_once(bench: Bench) -> None:
    first, second = await bench.receive(), await bench.receive()
    found = await bench.wait()
    assert found is not None
    assert found.id == first
    found = await bench.wait(since_id=first)
    assert found is not None
    assert found.id == second


async def test_a_wait_ends_when_its_message_comes(bench: Bench, nursery: trio.Nursery) -> None:
    found = await bench.start(nursery)
    id_ = await bench.receive()
    message = await found.receive()
    assert message is not None
    assert (message.id, message.address) == (id_, ADDRESS)
    assert len(bench.arrivals) == 0


async def test_what_others_get_wakes_nobody_and_reads_nothing(
    bench: Bench, nursery: trio.Nursery
) -> None:
    await bench.start(nursery)
    reads = bench.watched.reads
    for _ in range(20):
        await bench.receive("+15550001111")
        await bench.receive(org=bench.other)
    await trio.testing.wait_all_tasks_blocked()
    assert bench.watched.reads == reads
    assert len(bench.arrivals) == 1
    nursery.cancel_scope.cancel()


async def test_a_wait_for_anybody_ends_with_anything_new(
    bench: Bench, nursery: trio.Nursery
) -> None:
    old = await bench.receive("NEWS")
    found = await bench.start(nursery, address=None, since_id=old)
    new = await bench.receive("BANK")
    message = await found.receive()
    assert message is not None
    assert message.id == new


async def test_a_message_that_comes_right_after_the_look_is_not_missed(bench: Bench) -> None:
    async def receive() -> None:
        bench.watched.after_read = nothing
        await bench.receive()

    bench.watched.after_read = receive
    assert await bench.wait() is not None
    assert bench.watched.reads == 2


async def test_a_wait_has_an_end(bench: Bench) -> None:
    assert await bench.wait(seconds=0.01) is None
    assert await bench.wait(seconds=0) is None
    assert len(bench.arrivals) == 0


async def test_waits_are_bounded_for_each_credential_and_each_org(
    bench: Bench, nursery: trio.Nursery
) -> None:
    async with trio.open_nursery() as waiting:
        await bench.start(waiting)
        await bench.start(waiting)
        with pytest.raises(Throttled, match="2 calls with this key wait") as caught:
            await bench.wait()
        assert caught.value.retry_after_s == 5
        await bench.start(waiting, holder="other")
        with pytest.raises(Throttled, match="3 calls of this org wait"):
            await bench.wait(holder="third")
        assert len(bench.arrivals) == 3
        waiting.cancel_scope.cancel()
    # Those that have ended count no more.
    assert len(bench.arrivals) == 0
    await bench.start(nursery)
    nursery.cancel_scope.cancel()


async def test_all_waits_end_when_the_gateway_does(bench: Bench, nursery: trio.Nursery) -> None:
    found = await bench.start(nursery), await bench.start(nursery, address=None)
    bench.arrivals.close()
    assert [await one.receive() for one in found] == [None, None]
    # And those that come after, unless there is something for them.
    assert await bench.wait() is None
    await bench.receive()
    assert await bench.wait() is not None


async def test_the_newest_message_is_told(bench: Bench) -> None:
    reader = limited(bench.org, "key")
    assert await bench.arrivals.newest(reader) == 0
    id_ = await bench.receive()
    await bench.receive(org=bench.other)
    assert await bench.arrivals.newest(reader) == id_


async def test_the_newest_message_is_one_that_the_reader_sees(bench: Bench) -> None:
    reader = limited(bench.org, "key", sees=(ADDRESS,))
    id_ = await bench.receive()
    await bench.receive("+15559990000")
    assert await bench.arrivals.newest(reader) == id_


async def test_who_sees_some_alone_is_woken_by_these_alone(
    bench: Bench, nursery: trio.Nursery
) -> None:
    wait = await bench.start(nursery, address=None, limits={"sees": (ADDRESS,)})
    looked = bench.watched.ended
    await bench.receive("+15559990000")
    await trio.testing.wait_all_tasks_blocked()
    assert len(bench.arrivals) == 1
    assert bench.watched.ended is looked
    id_ = await bench.receive(ADDRESS)
    with trio.fail_after(LIMIT_S):
        found = await wait.receive()
    assert found is not None
    assert found.id == id_

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import attrs
import pytest
import trio
import trio.testing

from phonegate.domain.waits import Milestone, Waits
from phonegate.events.bus import Bus
from phonegate.model.facts import CredentialsChanged
from phonegate.model.messages import MessageView
from phonegate.model.refusals import NotFound, Throttled
from phonegate.model.states import Cause
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.domain.callers import limited
from tests.patience import PATIENCE_S
from tests.store.conftest import inbound, outbound

T = TypeVar("T")
R = TypeVar("R")
ADDRESS = "+15553334444"


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
    waits: Waits
    watched: Watched
    org: int
    other: int
    shut_out: list[str | None]
    """The keys whose credentials are changed."""
    bus: Bus

    async def receive(self, address: str = ADDRESS, *, org: int | None = None) -> int:
        """A message comes in and is committed; its id."""
        new = inbound(self.org if org is None else org, address=address)
        found = await self.watched.database.write(lambda tx: tx.messages.insert_inbound(new))
        assert found is not None
        return found

    async def wait(self, **more: Any) -> MessageView | None:
        reader = limited(self.org, more.pop("holder", "key"), **more.pop("limits", {}))
        wanted = {"address": ADDRESS, "since_id": 0, "seconds": PATIENCE_S, **more}
        with trio.fail_after(PATIENCE_S):
            return await self.waits.reply(reader, **wanted)

    async def outcome(self, id_: int, **more: Any) -> bool:
        reader = limited(self.org, more.pop("holder", "key"), **more.pop("limits", {}))
        wanted = {"until": "sent", "seconds": PATIENCE_S, **more}
        with trio.fail_after(PATIENCE_S):
            return await self.waits.outcome(reader, id_, **wanted)

    async def send(self) -> int:
        """A message is to be sent, and is committed; its id."""
        new = outbound(self.org)
        return await self.watched.database.write(lambda tx: tx.messages.insert(new))

    async def report(self, id_: int, *causes: Cause) -> None:
        """Things happen to a message, each committed by itself."""

        def op(tx: Tables, cause: Cause) -> None:
            message = tx.messages.find(self.org, id_)
            assert message is not None
            assert tx.messages.transition(message, cause) is not None

        for cause in causes:
            await self.watched.database.write(partial(op, cause=cause))

    async def start(
        self, nursery: trio.Nursery, **more: Any
    ) -> trio.MemoryReceiveChannel[MessageView | None]:
        """Begins a wait and returns once it has looked in vain; what it found comes later."""
        return await self._start(nursery, partial(self.wait, **more))

    async def start_outcome(
        self, nursery: trio.Nursery, id_: int, **more: Any
    ) -> trio.MemoryReceiveChannel[bool]:
        return await self._start(nursery, partial(self.outcome, id_, **more))

    async def _start(
        self, nursery: trio.Nursery, begin: Callable[[], Awaitable[R]]
    ) -> trio.MemoryReceiveChannel[R]:
        send, receive = trio.open_memory_channel[R](1)

        async def wait() -> None:
            await send.send(await begin())

        self.watched.ended = trio.Event()
        nursery.start_soon(wait)
        await self.watched.ended.wait()
        await trio.testing.wait_all_tasks_blocked()
        return receive


@pytest.fixture
async def bench(database: Database, bus: Bus) -> Bench:
    watched = Watched(database)
    shut_out: list[str | None] = []
    waits = Waits(
        watched,  # type: ignore[arg-type]
        is_current=lambda reader: reader.key_id not in shut_out,
        per_holder=2,
        per_org=3,
    )
    bus.subscribe("waits", waits.ring)
    org = await database.write(lambda tx: tx.orgs.add("one", "x", 1).id)
    other = await database.write(lambda tx: tx.orgs.add("two", "x", 1).id)
    return Bench(waits, watched, org, other, shut_out, bus)


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
    assert len(bench.waits) == 0


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
    assert len(bench.waits) == 1
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
    assert len(bench.waits) == 0


async def test_an_outcome_is_waited_for_until_it_is_known(
    bench: Bench, nursery: trio.Nursery
) -> None:
    other, id_ = await bench.send(), await bench.send()
    sent = await bench.start_outcome(nursery, id_, until="sent")
    delivered = await bench.start_outcome(nursery, id_, until="delivered")
    reads = bench.watched.reads
    await bench.report(other, Cause.PUSHED, Cause.RADIOED)
    await bench.report(id_, Cause.PUSHED)
    await trio.testing.wait_all_tasks_blocked()
    assert (bench.watched.reads, len(bench.waits)) == (reads, 2)
    await bench.report(id_, Cause.RADIOED)
    assert await sent.receive() is True
    assert len(bench.waits) == 1
    await bench.report(id_, Cause.DELIVERED)
    assert await delivered.receive() is True
    # What is so already needs no wait.
    assert await bench.outcome(id_, until="delivered", seconds=0) is True


@pytest.mark.parametrize(
    "causes",
    [
        (Cause.WITHDRAWN,),
        (Cause.OUT_OF_TIME,),
        (Cause.PUSHED, Cause.REFUSED),
        (Cause.PUSHED, Cause.LOST_TRACK),
    ],
)
@pytest.mark.parametrize("until", ["sent", "delivered"])
async def test_a_message_that_ends_otherwise_is_waited_for_no_longer(
    bench: Bench, nursery: trio.Nursery, until: Milestone, causes: tuple[Cause, ...]
) -> None:
    id_ = await bench.send()
    wait = await bench.start_outcome(nursery, id_, until=until)
    await bench.report(id_, *causes)
    assert await wait.receive() is True


async def test_a_message_that_is_deleted_meanwhile_is_waited_for_no_longer(
    bench: Bench, nursery: trio.Nursery
) -> None:
    id_ = await bench.send()
    wait = await bench.start_outcome(nursery, id_)
    await bench.watched.database.write(lambda tx: tx.orgs.remove("one"))
    assert await wait.receive() is True


async def test_a_change_right_after_the_look_is_not_missed(bench: Bench) -> None:
    id_ = await bench.send()

    async def report() -> None:
        await bench.report(id_, Cause.PUSHED, Cause.RADIOED)

    bench.watched.after_read = report
    assert await bench.outcome(id_) is True


async def test_an_outcome_that_does_not_come_in_time(bench: Bench, nursery: trio.Nursery) -> None:
    id_ = await bench.send()
    assert await bench.outcome(id_, seconds=0.01) is False
    await bench.report(id_, Cause.PUSHED, Cause.RADIOED)
    assert await bench.outcome(id_, until="delivered", seconds=0.01) is False
    wait = await bench.start_outcome(nursery, id_, until="delivered")
    bench.waits.close()
    assert await wait.receive() is False
    assert await bench.outcome(id_, until="delivered") is False


async def test_the_outcome_of_a_message_that_the_reader_does_not_see(bench: Bench) -> None:
    id_ = await bench.send()
    for wrong, more in ((99, {}), (id_, {"limits": {"sees": ("+1999*",)}})):
        with pytest.raises(NotFound, match=f"No message {wrong}"):
            await bench.outcome(wrong, **more)
    assert len(bench.waits) == 0


async def test_waits_of_both_kinds_count_together(bench: Bench, nursery: trio.Nursery) -> None:
    id_ = await bench.send()
    await bench.start_outcome(nursery, id_)
    await bench.start(nursery)
    with pytest.raises(Throttled, match="2 calls with this key wait"):
        await bench.outcome(id_)
    nursery.cancel_scope.cancel()


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
        assert len(bench.waits) == 3
        waiting.cancel_scope.cancel()
    # Those that have ended count no more.
    assert len(bench.waits) == 0
    await bench.start(nursery)
    nursery.cancel_scope.cancel()


async def test_all_waits_end_when_the_gateway_does(bench: Bench, nursery: trio.Nursery) -> None:
    found = await bench.start(nursery), await bench.start(nursery, address=None)
    bench.waits.close()
    assert [await one.receive() for one in found] == [None, None]
    # And those that come after, unless there is something for them.
    assert await bench.wait() is None
    await bench.receive()
    assert await bench.wait() is not None


async def test_the_waits_of_a_reader_that_is_shut_out_end_at_once(
    bench: Bench, nursery: trio.Nursery
) -> None:
    message = await bench.send()
    reply = await bench.start(nursery)
    outcome = await bench.start_outcome(nursery, message)
    other = await bench.start(nursery, holder="other")
    bench.shut_out.append("key")
    bench.bus.publish([CredentialsChanged(bench.org)])
    with trio.fail_after(PATIENCE_S):
        assert await reply.receive() is None
        assert await outcome.receive() is False
        await bench.receive()
        assert await other.receive() is not None


async def test_the_newest_message_is_told(bench: Bench) -> None:
    reader = limited(bench.org, "key")
    assert await bench.waits.newest(reader) == 0
    id_ = await bench.receive()
    await bench.receive(org=bench.other)
    assert await bench.waits.newest(reader) == id_


async def test_the_newest_message_is_one_that_the_reader_sees(bench: Bench) -> None:
    reader = limited(bench.org, "key", sees=(ADDRESS,))
    id_ = await bench.receive()
    await bench.receive("+15559990000")
    assert await bench.waits.newest(reader) == id_


async def test_who_sees_some_alone_is_woken_by_these_alone(
    bench: Bench, nursery: trio.Nursery
) -> None:
    wait = await bench.start(nursery, address=None, limits={"sees": (ADDRESS,)})
    looked = bench.watched.ended
    await bench.receive("+15559990000")
    await trio.testing.wait_all_tasks_blocked()
    assert len(bench.waits) == 1
    assert bench.watched.ended is looked
    id_ = await bench.receive(ADDRESS)
    with trio.fail_after(PATIENCE_S):
        found = await wait.receive()
    assert found is not None
    assert found.id == id_

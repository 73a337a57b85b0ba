from collections.abc import Callable

import attrs
import pytest
import trio

from phonegate.domain.event_filter import EventFilter
from phonegate.domain.event_log import (
    AGAIN_MS,
    LOOKED_THROUGH,
    RENEWED_EACH_MS,
    EventLog,
    EventPage,
    seen,
)
from phonegate.model.events import Event, Extent
from phonegate.model.orgs import KeyLimits
from phonegate.model.principal import Principal
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.domain.sample_events import message_event, phone_event
from tests.store.conftest import inbound, outbound

HOUR_MS = 3_600_000
KEEP_MS = 72 * HOUR_MS


class Clock:
    def __init__(self) -> None:
        self.ms = 1_000_000_000

    def __call__(self) -> int:
        return self.ms


@attrs.frozen
class Place:
    log: EventLog
    database: Database
    clock: Clock
    reader: Principal

    @property
    def org(self) -> int:
        return self.reader.org

    def limited(self, **limits: object) -> Principal:
        return attrs.evolve(self.reader, limits=KeyLimits(**limits))  # type: ignore[arg-type]

    async def read(self, reader: Principal, since: int = 0, limit: int = 100) -> EventPage[Event]:
        return await self.log.page(reader, since, limit, show=lambda event: event)


@pytest.fixture
async def place(database: Database) -> Place:
    clock = Clock()
    org = await database.write(lambda tx: tx.orgs.add("myorg", "hash", 1))
    reader = Principal(org=org.id, org_name="myorg", scopes=("read",))
    log = EventLog(database, now_ms=clock, keep_ms=KEEP_MS)
    await log.listen(org.id)
    return Place(log, database, clock, reader)


CODE = message_event(type_="message.received", address="Bank", body="Your code is 123456")


def test_a_key_sees_what_its_limits_let_it() -> None:
    mine, other = message_event(address="+15551"), message_event(address="+15552")
    phone = phone_event()
    assert seen(None, CODE) == CODE
    of_some = KeyLimits(sees=("+15551",))
    assert seen(of_some, mine) == mine
    assert seen(of_some, other) is seen(of_some, phone) is None
    blanked = seen(KeyLimits(codes_hidden=True), CODE)
    assert blanked is not None
    assert blanked.message is not None
    assert "123456" not in blanked.message.body
    assert blanked == attrs.evolve(CODE, message=blanked.message)
    assert seen(KeyLimits(codes_hidden=True), phone) == phone
    assert seen(KeyLimits(per_hour=1), phone) == phone


async def test_pages_go_on_to_the_end_past_what_a_key_does_not_see(place: Place) -> None:
    def fill(tx: Tables) -> None:
        for number in range(200):
            tx.messages.insert_inbound(
                inbound(place.org, f"code 12345{number}", address=f"+1555{number % 2}")
            )
        tx.events.record(place.org, "phone.online", 1, phone=1, data={})

    await place.database.write(fill)
    page = await place.read(place.limited(sees=("+15551",)), 0, 60)
    assert len(page.events) == 60
    assert {event.message.address for _, event in page.events if event.message} == {"+15551"}
    assert page.upto == page.events[-1][0]
    rest = await place.read(place.limited(sees=("+15551",), codes_hidden=True), page.upto)
    assert len(rest.events) == 40
    assert not any("12345" in event.message.body for _, event in rest.events if event.message)
    assert rest.upto == rest.extent.last == 202
    everything = await place.read(place.reader, 0, 1000)
    assert [id_ for id_, _ in everything.events] == list(range(2, 203))


async def test_one_read_looks_through_so_many_and_says_how_far_it_came(place: Place) -> None:
    await place.database.write(lambda tx: tx.messages.insert_all([outbound(place.org)] * 3_000))
    wanted = EventFilter(types=("phone.*",))
    first = await place.log.page(place.reader, 0, 10, show=lambda one: one, wanted=wanted)
    assert list(first.events) == []
    assert LOOKED_THROUGH <= first.upto < first.extent.last
    second = await place.log.page(place.reader, first.upto, 10, show=lambda one: one, wanted=wanted)
    assert second.upto == second.extent.last


async def test_the_newest_are_those_that_the_reader_sees(place: Place) -> None:
    def fill(tx: Tables) -> None:
        for address in ("+15551", "+15552", "+15551", "+15552"):
            tx.messages.insert_inbound(inbound(place.org, address=address, date=None))

    await place.database.write(fill)
    limited = place.limited(sees=("+15552",))
    page = await place.log.newest(limited, 1, show=lambda event: event.id)
    assert page == EventPage([(5, 5)], 5, Extent(first=1, last=5))
    assert len((await place.log.newest(place.reader, 3, show=lambda event: event)).events) == 3
    older = await place.log.newest(limited, 9, show=lambda event: event.id, before_id=5)
    assert [id_ for id_, _ in older.events] == [3]


async def test_that_an_org_still_listens_is_written_down_now_and_then(place: Place) -> None:
    async def until() -> int | None:
        return await place.database.read(lambda tx: tx.events.listens_until(place.org))

    begun = place.clock.ms
    assert await until() == begun + KEEP_MS
    place.clock.ms += RENEWED_EACH_MS - 1
    await place.log.listen(place.org)
    assert await until() == begun + KEEP_MS
    place.clock.ms += 1
    await place.log.listen(place.org)
    assert await until() == place.clock.ms + KEEP_MS
    # A clock that was set back far must not make it wait until then.
    place.clock.ms = 1_000
    await place.log.listen(place.org)
    assert await until() == 1_000 + KEEP_MS


async def test_of_many_streams_one_writes_that_the_org_still_listens(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, writes = place.database.write, 0

    async def counted(op: Callable[[Tables], None]) -> None:
        nonlocal writes
        writes += 1
        await write(op)

    monkeypatch.setattr(place.database, "write", counted)
    place.clock.ms += RENEWED_EACH_MS
    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(place.log.listen, place.org)
    assert writes == 1
    # One whose reader left meanwhile counts for nothing.
    place.clock.ms += RENEWED_EACH_MS
    with trio.CancelScope() as left:
        left.cancel()
        await place.log.listen(place.org)
    await place.log.listen(place.org)
    found = await place.database.read(lambda tx: tx.events.listens_until(place.org))
    assert found == place.clock.ms + KEEP_MS


async def test_a_full_disk_keeps_no_listener_from_reading(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = 0

    async def refuse(_: object) -> None:
        nonlocal tried
        tried += 1
        raise StorageUnavailable("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(place.database, "write", refuse)
        place.clock.ms += RENEWED_EACH_MS
        await place.log.listen(place.org)
        await place.log.listen(place.org)
        assert tried == 1
        place.clock.ms += AGAIN_MS
        await place.log.listen(place.org)
        assert tried == 2
        # It may listen no more.
        with pytest.raises(StorageUnavailable):
            await place.log.listen(place.org + 1)
        place.clock.ms += KEEP_MS
        with pytest.raises(StorageUnavailable):
            await place.log.listen(place.org)
    await place.log.listen(place.org)
    found = await place.database.read(lambda tx: tx.events.listens_until(place.org))
    assert found == place.clock.ms + KEEP_MS


async def test_the_tail_is_read_as_it_is(place: Place) -> None:
    await place.database.write(lambda tx: tx.messages.insert_all([outbound(place.org)] * 5))
    page = await place.log.tail(place.org, 1, 3, most_bytes=100_000)
    assert ([id_ for id_, _ in page.events], page.upto) == ([2, 3, 4], 4)
    end = await place.log.tail(place.org, 6, 3, most_bytes=100_000)
    assert (list(end.events), end.upto) == ([], 6)

import json
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest
import trio

from phonegate.api.event_json import event_json
from phonegate.api.events_api import EventStream
from phonegate.api.events_types import event_text
from phonegate.domain.event_filter import EVERYTHING
from phonegate.domain.event_log import RENEWED_EACH_MS, EventLog
from phonegate.event_stream import StreamEvent, StreamReader
from phonegate.events.bus import Bus
from phonegate.events.feed import Feed, View
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.domain.callers import owner
from tests.patience import PATIENCE_S
from tests.store.conftest import inbound

KEPT_MS = 72 * 3_600_000


@attrs.define
class Site:
    database: Database
    log: EventLog
    feed: Feed
    org: int
    clock: list[int]

    async def receive(self) -> int:
        """A message comes in; its event's id."""

        def op(tx: Tables) -> int:
            assert tx.messages.insert_inbound(inbound(self.org)) is not None
            return tx.events.extent(self.org).last

        return await self.database.write(op) + 1

    def stream(self, since_id: int, *, silence_s: float = 60.0) -> EventStream:
        return EventStream(
            feed=self.feed,
            reader=owner(self.org),
            since_id=since_id,
            wanted=EVERYTHING,
            view=View("stream", lambda event: event_text(event_json(event, media="/"))),
            blank=False,
            silence_s=silence_s,
        )


@pytest.fixture
async def site(tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[Site]:
    bus, clock = Bus(), [1_000]
    database = Database.open(tmp_path / "phonegate.db", publish=bus.publish)
    await nursery.start(database.run_writer)
    log = EventLog(database, now_ms=lambda: clock[0], keep_ms=KEPT_MS)
    feed = Feed(log, is_current=lambda _: True)
    bus.subscribe("feed", feed.note)
    await nursery.start(feed.run)
    org = await database.write(lambda tx: tx.orgs.add("one", "x", 1).id)
    await log.listen(org)
    yield Site(database, log, feed, org, clock)
    database.stop_writing()
    database.close()


class Client:
    """Reads what a stream sends."""

    def __init__(self, nursery: trio.Nursery, stream: EventStream) -> None:
        self._send, self._receive = trio.open_memory_channel[bytes](0)
        self._reader = StreamReader()
        self._events: list[StreamEvent] = []
        nursery.start_soon(stream.produce, self._send.send)

    async def take(self) -> StreamEvent:
        with trio.fail_after(PATIENCE_S):
            while not self._events:
                self._events += self._reader.feed(await self._receive.receive())
        return self._events.pop(0)


async def test_a_gap_has_the_id_after_which_the_events_come_that_are_there(
    site: Site, nursery: trio.Nursery
) -> None:
    """A client that is cut off after the gap goes on from its id, and must miss none of them."""
    first, middle, last = [await site.receive() for _ in range(3)]
    await site.database.write(lambda tx: tx.events.erase([middle]))
    client = Client(nursery, site.stream(0))
    gap = await client.take()
    assert (gap.name, json.loads(gap.data)) == ("gap", {"first": middle})
    assert int(gap.id) == first - 1
    again = Client(nursery, site.stream(int(gap.id)))
    assert (await again.take()).name == "gap"
    for one in (client, again):
        assert [int((await one.take()).id) for _ in range(2)] == [first, last]


async def test_a_gap_without_events_leads_to_those_that_come(
    site: Site, nursery: trio.Nursery
) -> None:
    last = await site.receive()
    await site.database.write(lambda tx: tx.events.erase([last]))
    for since_id in (0, last + 1_000):
        gap = await Client(nursery, site.stream(since_id)).take()
        assert (gap.name, int(gap.id)) == ("gap", last)


async def test_an_org_whose_stream_is_never_silent_goes_on_listening(
    site: Site, nursery: trio.Nursery
) -> None:
    client = Client(nursery, site.stream(await site.receive()))
    until = await site.database.read(lambda tx: tx.events.listens_until(site.org))
    assert until is not None
    for _ in range(3):
        event = await site.receive()
        assert int((await client.take()).id) == event
        site.clock[0] += RENEWED_EACH_MS
    later = await site.database.read(lambda tx: tx.events.listens_until(site.org))
    assert later is not None
    assert later >= until + RENEWED_EACH_MS

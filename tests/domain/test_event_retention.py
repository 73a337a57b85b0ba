from collections.abc import Callable, Sequence
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain import event_retention
from phonegate.domain.clock_jumps import ClockJumps
from phonegate.domain.event_retention import (
    CHARACTERS_AT_ONCE,
    ERASED_AT_ONCE,
    EventRetention,
    EventRetentionTimings,
    kept_ms,
    steps,
)
from phonegate.model.events import Extent, StoredEvent
from phonegate.model.times import HOUR_MS
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.captured_logs import capture_logs
from tests.store.conftest import outbound

NOW = 1_700_000_000_000
KEEP_MS = 72 * HOUR_MS
AT_ONCE = EventRetentionTimings(pause_s=0)


def keep(database: Database, *, now: int = NOW, **given: Any) -> EventRetention:
    settings: dict[str, Any] = {"keep_ms": KEEP_MS, "most": 0, "messages_go": False, **given}
    return EventRetention(
        database,
        now_ms=lambda: now,
        jumps=ClockJumps(database, lambda: now),
        timings=AT_ONCE,
        **settings,
    )


async def listener(database: Database, name: str = "myorg", until: int = NOW) -> int:
    def make(tx: Tables) -> int:
        org = tx.orgs.add(name, "hash", 1).id
        tx.events.listen(org, until)
        return org

    return await database.write(make)


async def record(database: Database, org: int, ages_h: Sequence[float]) -> None:
    def op(tx: Tables) -> None:
        for age in ages_h:
            tx.events.record(org, "phone.online", NOW - round(age * HOUR_MS), data={})

    await database.write(op)


async def ids(database: Database, org: int) -> list[int]:
    return [event.id for event in await database.read(lambda tx: tx.events.page(org, 0, 10_000))]


async def test_what_is_too_old_goes_and_is_known_to_be_missing(database: Database) -> None:
    org = await listener(database)
    # One that was recorded while the clock was wrong keeps no other.
    await record(database, org, [100, 73, -50, 72.5, 71, 1])
    assert await keep(database).sweep() == 3
    assert await ids(database, org) == [4, 6, 7]
    assert await database.read(lambda tx: tx.events.extent(org)) == Extent(first=5, last=7)
    assert await keep(database).sweep() == 0


async def test_of_each_org_the_newest_are_kept(database: Database) -> None:
    busy, calm = await listener(database), await listener(database, "calm")
    await record(database, busy, [1] * 500)
    await record(database, calm, [1] * 5)
    with capture_logs() as lines:
        assert await keep(database, most=30).sweep() == 470
    assert len(await ids(database, busy)) == 30
    assert len(await ids(database, calm)) == 5
    (line,) = lines
    assert (line["event"], line["orgs"], line["count"]) == ("events_beyond_bound", 1, 470)


async def test_events_go_with_their_deleted_message_within_an_hour(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_retention, "LOOKED_AT_ONCE", 2)
    org = await listener(database)
    await database.write(lambda tx: tx.messages.insert_all([outbound(org)] * 5))
    gone = await database.write(lambda tx: tx.message_removal.erase([2, 4], lambda _: True))
    assert gone == (2, 2)
    keeping = keep(database, now=0, messages_go=True)
    assert await keeping.sweep() == 2
    assert await ids(database, org) == [2, 4, 6]
    await database.write(lambda tx: tx.message_removal.erase([1], lambda _: True))
    # All events are looked through for it, so not at each pass.
    assert await keeping.sweep() == 0
    keeping._messages_at = 0.0
    assert await keeping.sweep() == 1
    assert await keep(database, now=0).sweep() == 0


async def test_who_reads_no_more_listens_no_more(database: Database) -> None:
    org, on = await listener(database, until=NOW - 1), await listener(database, "on")
    await keep(database).sweep()
    assert await database.read(lambda tx: tx.events.listening()) == [on]
    await record(database, org, [0])
    assert await ids(database, org) == []


async def test_no_write_deletes_many(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    org = await listener(database)
    await record(database, org, [100] * (2 * ERASED_AT_ONCE + 1))
    erased: list[int] = []
    write = database.write

    async def counted(op: Callable[[Tables], int]) -> int:
        erased.append(await write(op))
        return erased[-1]

    monkeypatch.setattr(database, "write", counted)
    await keep(database).sweep()
    assert erased == [ERASED_AT_ONCE, ERASED_AT_ONCE, 1]


@given(st.lists(st.integers(1, 2 * CHARACTERS_AT_ONCE), max_size=60))
def test_steps_are_bounded_by_number_and_size(sizes: list[int]) -> None:
    events = [StoredEvent(id_, 0, size) for id_, size in enumerate(sizes)]
    groups = steps(events)
    assert [id_ for group in groups for id_ in group] == list(range(len(sizes)))
    for group in groups:
        assert 0 < len(group) <= ERASED_AT_ONCE
        assert len(group) == 1 or sum(sizes[id_] for id_ in group) <= CHARACTERS_AT_ONCE


async def test_a_clock_that_jumped_far_ahead_deletes_nothing_for_a_day(
    database: Database, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = 0.02
    org = await listener(database, until=NOW + KEEP_MS)
    await record(database, org, [1])
    await database.write(lambda tx: tx.messages.insert(outbound(org, created_at=NOW)))
    ahead = 0

    def now() -> int:
        return NOW + ahead + round(trio.current_time() * 1000)

    keeping = EventRetention(
        database,
        keep_ms=KEEP_MS,
        most=0,
        messages_go=False,
        now_ms=now,
        jumps=ClockJumps(database, now),
    )
    with capture_logs() as lines:
        async with trio.open_nursery() as running:
            await running.start(keeping.run)
            await trio.sleep(1_000)
            ahead = 60 * 24 * HOUR_MS
            await trio.sleep(86_000)
            assert 2 in await ids(database, org)
            assert await database.read(lambda tx: tx.events.is_listener(org))
            await trio.sleep(2_000)
            running.cancel_scope.cancel()
    assert not await database.read(lambda tx: tx.events.is_listener(org))
    assert 2 not in await ids(database, org)
    assert [line["event"] for line in lines] == ["retention_waits", "events_erased"]


def test_no_event_is_kept_for_longer_than_its_message() -> None:
    assert kept_ms(72, 0) == 72 * HOUR_MS
    assert kept_ms(72, 2) == 48 * HOUR_MS
    assert kept_ms(72, 30) == 72 * HOUR_MS

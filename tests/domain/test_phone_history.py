"""Keeping the past of phones, and reading it."""

from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trio

from phonegate.domain import phone_history
from phonegate.domain.clock_jumps import ClockJumps
from phonegate.domain.phone_events import Attendance
from phonegate.domain.phone_history import KEPT_MS, HistoryKeeping, HistoryTimings, PhoneHistory
from phonegate.model.phone_history import Presence
from phonegate.model.phones import Health
from phonegate.model.principal import Principal
from phonegate.model.refusals import NotFound
from phonegate.model.times import DAY_MS
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests import new_database
from tests.domain.account_site import Clock
from tests.patience import PATIENCE_S

HOUR = 3_600_000


@pytest.fixture
async def database(nursery: trio.Nursery) -> AsyncIterator[Database]:
    with TemporaryDirectory() as folder:
        opened = Database.open(new_database.make(Path(folder) / "phonegate.db"))
        await nursery.start(opened.run_writer)
        yield opened
        opened.stop_writing()
        opened.close()


@pytest.fixture
async def phones(database: Database) -> list[int]:
    """Four phones of the first org, and one of the second."""

    def add(tx: Tables) -> list[int]:
        one, two = (tx.orgs.add(name, "hash", 1).id for name in ("one", "two"))
        orgs = [one, one, one, one, two]
        return [tx.phones.connect(org, f"p{at}", 1).id for at, org in enumerate(orgs)]

    return await database.write(add)


def keeping(database: Database, clock: Clock) -> HistoryKeeping:
    return HistoryKeeping(
        database,
        now_ms=clock,
        jumps=ClockJumps(database, clock),
        timings=HistoryTimings(pause_s=0),
    )


def reader(org: int = 1) -> Principal:
    return Principal(org=org, org_name="one", scopes=("read",))


async def say(database: Database, clock: Clock, phones: list[int], battery: int) -> None:
    now, health = clock(), Health(battery=battery)

    def note(tx: Tables) -> None:
        for phone in phones:
            tx.phones.note_health(phone, health, now)

    await database.write(note)


async def kept(database: Database, phone: int) -> list[int | None]:
    readings = await database.read(lambda tx: tx.phone_history.readings(phone, 0))
    return [reading.health.battery for reading in readings]


async def test_a_pass_keeps_what_is_new(
    database: Database, phones: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phone_history, "TAKEN_AT_ONCE", 2)
    clock = Clock()
    book = keeping(database, clock)
    await say(database, clock, phones[:3], 80)
    assert await book.keep() == 3
    clock.now += HOUR
    # What was said just before the pass might have been committed after it: once more.
    assert await book.keep() == 3
    assert await book.keep() == 0
    await say(database, clock, phones[:1], 79)
    clock.now += 300_000
    # Of what is said within a quarter hour the last counts.
    await say(database, clock, phones[:1], 78)
    assert await book.keep() == 1
    assert [await kept(database, phone) for phone in phones] == [[80, 78], [80], [80], [], []]
    # What is committed late, or after the clock was put back, is not left out.
    clock.now -= HOUR
    await say(database, clock, phones[3:4], 5)
    clock.now += 30_000
    assert await book.keep() >= 1
    assert await kept(database, phones[3]) == [5]


async def test_a_sweep_deletes_what_is_old_and_what_is_of_no_phone(
    database: Database, phones: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phone_history, "ERASED_AT_ONCE", 2)
    monkeypatch.setattr(phone_history, "LOOKED_AT_ONCE", 2)
    clock = Clock()
    book = keeping(database, clock)
    for day in range(5):
        await say(database, clock, phones, day)
        await book.keep()
        clock.now += DAY_MS
    assert await book.sweep() == 0
    await database.write(lambda tx: tx.phones.remove(1, phones[1]))
    assert await book.sweep() == 5
    clock.now += KEPT_MS - 3 * DAY_MS + HOUR
    # A clock that has just jumped ahead is not believed.
    assert await book.sweep() == 0
    assert await keeping(database, clock).sweep() == 4 * 3
    assert await kept(database, phones[0]) == [3, 4]
    assert await kept(database, phones[1]) == []


async def test_it_works_by_itself(
    database: Database, phones: list[int], nursery: trio.Nursery
) -> None:
    clock = Clock()
    timings = HistoryTimings(pause_s=0, pass_s=0.01)
    book = HistoryKeeping(
        database, now_ms=clock, jumps=ClockJumps(database, clock), timings=timings
    )
    await say(database, clock, phones[:1], 60)
    await nursery.start(book.run)
    with trio.fail_after(PATIENCE_S):
        while not await kept(database, phones[0]):
            await trio.lowlevel.checkpoint()
    assert await database.read(lambda tx: tx.counters.alive()) == clock.now


async def test_after_a_crash_phones_were_there_until_the_gateway_was(
    database: Database, phones: list[int]
) -> None:
    clock = Clock()
    attendance, book = Attendance(database, clock), keeping(database, clock)
    begun = clock.now
    await attendance.note({phones[0]: True})
    clock.now += HOUR
    await book.note_alive()
    clock.now += 60_000
    await attendance.note({phones[1]: True})
    clock.now += 24 * HOUR
    await attendance.clear()
    seen = [
        await database.read(lambda tx, phone=phone: tx.phone_history.presences(phone, 0))  # type: ignore[misc]
        for phone in phones[:2]
    ]
    assert seen == [
        [Presence(came_at=begun, went_at=begun + HOUR)],
        [Presence(came_at=begun + HOUR + 60_000, went_at=begun + HOUR + 60_000)],
    ]


async def test_the_course_is_read_for_a_caller_of_the_org(
    database: Database, phones: list[int]
) -> None:
    clock = Clock()
    attendance, history = Attendance(database, clock), PhoneHistory(database, now_ms=clock)
    phone = phones[0]
    await attendance.note({phone: True})
    await say(database, clock, [phone], 90)
    clock.now += 2 * HOUR
    await attendance.note({phone: False})
    clock.now += 2 * HOUR
    made = await history.course(reader(), phone, "24h")
    assert made.online == 0.5
    assert [one.end for one in made.absences] == [None]
    # What was said since the last pass is shown too, as long as the phone was there.
    batteries = [one.health and one.health.battery for one in made.steps]
    assert batteries == [None] * 80 + [90] * 8 + [None] * 8
    for org, asked in ((2, phone), (1, phones[4]), (1, 999)):
        with pytest.raises(NotFound):
            await history.course(reader(org), asked, "24h")

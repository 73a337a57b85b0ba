"""Deleting what is old and finished."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain import retention
from phonegate.domain.retention import ERASABLE, Retention, RetentionTimings, may_go
from phonegate.model.messages import Aged, Message, NewInbound, NewMessage, PageQuery
from phonegate.model.states import (
    QUEUED,
    SENDING,
    STATES,
    UNCERTAIN,
)
from phonegate.model.times import DAY_MS
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests import new_database
from tests.captured_logs import capture_logs
from tests.store.conftest import bring

NOW = 1_700_000_000_000
OLD = NOW - 31 * DAY_MS
FRESH = NOW - DAY_MS


@given(
    st.builds(
        Aged,
        id=st.integers(1),
        created_at=st.integers(0, 100),
        status=st.sampled_from([*STATES, "a state of tomorrow"]),
        next_poll_at=st.none() | st.integers(0),
    ),
    st.integers(0, 100),
)
def test_only_what_is_finished_and_older_may_go(message: Aged, cutoff: int) -> None:
    if may_go(message, cutoff):
        assert message.created_at < cutoff
        assert message.status not in {QUEUED, SENDING, UNCERTAIN, "a state of tomorrow"}
        assert message.next_poll_at is None
    else:
        assert (
            message.created_at >= cutoff
            or message.status not in ERASABLE
            or message.next_poll_at is not None
        )


@pytest.fixture
async def database(nursery: trio.Nursery) -> AsyncIterator[Database]:
    with TemporaryDirectory() as folder:
        opened = Database.open(new_database.make(Path(folder) / "phonegate.db"))
        await nursery.start(opened.run_writer)
        yield opened
        opened.stop_writing()
        opened.close()


TIMINGS = RetentionTimings()


def keep(database: Database, timings: RetentionTimings = TIMINGS) -> Retention:
    return Retention(database, days=30, now_ms=lambda: NOW, timings=timings)


def received(tx: Tables, org: int, body: str, created_at: int) -> int:
    new = NewInbound(
        org=org,
        address="+15551112222",
        body=body,
        created_at=created_at,
        date=None,
        phone=None,
        sim_slot=None,
        sim=None,
    )
    return tx.messages.insert_inbound(new) or 0


def outbound(tx: Tables, org: int, status: str, created_at: int) -> int:
    new = NewMessage(
        org=org,
        address="+15553334444",
        body=f"one that is {status}",
        created_at=created_at,
        segments=1,
    )
    stored = tx.messages.insert(new)
    bring(tx, stored, status)
    return stored


async def test_a_pass_deletes_what_is_finished_and_leaves_the_rest(database: Database) -> None:
    def fill(tx: Tables) -> tuple[int, dict[str, int], int, int]:
        org = tx.orgs.add("myorg", "hash", OLD).id
        phone = tx.phones.connect(org, "pixel", OLD)
        assert phone.id
        old = {status: outbound(tx, org, status, OLD) for status in STATES if status != "received"}
        old["received"] = received(tx, org, "old words", OLD)
        watched = outbound(tx, org, "sent", OLD)
        tx.messages.set(watched, next_poll_at=NOW)
        return org, old, watched, received(tx, org, "new words", FRESH)

    org, old, watched, fresh = await database.write(fill)
    assert await keep(database).sweep() == len(ERASABLE)

    def look(tx: Tables) -> tuple[list[int], list[int], dict[str, int], int]:
        page = tx.messages.page(org, PageQuery(limit=1000))
        hits = tx.messages.page(org, PageQuery(search="words"))
        phones = len(tx.phones.known_sims(org))
        return [m.id for m in page], [m.id for m in hits], tx.message_counts.by_status(), phones

    ids, hits, counts, _ = await database.read(look)
    kept = [old[status] for status in (QUEUED, SENDING, UNCERTAIN)]
    assert ids == sorted([*kept, watched, fresh])
    assert hits == [fresh]
    assert counts == {QUEUED: 1, SENDING: 1, UNCERTAIN: 1, "sent": 1, "received": 1}
    assert await keep(database).sweep() == 0


async def test_a_poller_goes_on_where_it_was(database: Database) -> None:
    org = (await database.write(lambda tx: tx.orgs.add("myorg", "hash", OLD))).id
    ids = await database.write(lambda tx: [received(tx, org, "old", OLD) for _ in range(5)])
    await keep(database).sweep()
    later = await database.write(lambda tx: received(tx, org, "new", NOW))
    assert later > ids[-1], "an id must never name another message"

    def pages(tx: Tables) -> list[list[Message]]:
        queries = [PageQuery(since_id=since) for since in (0, ids[2], ids[-1])]
        return [tx.messages.page(org, query) for query in queries]

    for page in await database.read(pages):
        assert [message.id for message in page] == [later]


async def test_words_leave_the_index_with_their_message(database: Database) -> None:
    org = (await database.write(lambda tx: tx.orgs.add("myorg", "hash", OLD))).id

    def fill(tx: Tables) -> None:
        for number in range(120):
            received(tx, org, f"word{number}", OLD)
        received(tx, org, "fresh", NOW)
        while not tx.word_index.add_missing(1000)[1]:
            pass

    await database.write(fill)
    assert await keep(database).sweep() == 120

    def count(tx: Tables) -> int:
        connection = tx.messages._connection
        rows = connection.execute("SELECT rowid FROM words WHERE words MATCH '\"1b0din\"'")
        return len(rows.fetchall())

    assert await database.read(count) == 1


async def test_no_step_keeps_the_writer_longer_than_a_small_send(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A send that comes meanwhile waits for one step at most, and each step is bounded."""
    org = (await database.write(lambda tx: tx.orgs.add("myorg", "hash", OLD))).id
    total = 7 * retention.ERASED_AT_ONCE + 3
    await database.write(lambda tx: [received(tx, org, "old", OLD) for _ in range(total)])
    steps: list[int] = []
    sends: list[int] = []
    write = database.write

    async def counted(op: Callable[[Tables], tuple[int, int]]) -> tuple[int, int]:
        # Beside every step somebody sends; it is committed before the step after the next.
        async with trio.open_nursery() as both:
            both.start_soon(send, len(steps))
            erased = await write(op)
        steps.append(erased[0])
        return erased

    async def send(begun: int) -> None:
        await write(lambda tx: received(tx, org, "meanwhile", NOW))
        sends.append(len(steps) - begun)

    monkeypatch.setattr(database, "write", counted)
    assert await keep(database, RetentionTimings(pause_s=0)).sweep() == total
    assert max(steps) <= retention.ERASED_AT_ONCE
    assert len(steps) == 8
    assert max(sends) <= 1


async def test_a_message_that_changed_since_it_was_looked_at_stays(database: Database) -> None:
    org = (await database.write(lambda tx: tx.orgs.add("myorg", "hash", OLD))).id
    stored = await database.write(lambda tx: outbound(tx, org, "failed", OLD))
    old = attrs.evolve(Aged(stored, OLD, "failed", None))
    assert may_go(old, NOW)
    await database.write(lambda tx: tx.messages.set(stored, next_poll_at=NOW))
    erased = await database.write(
        lambda tx: tx.message_removal.erase([stored], lambda message: may_go(message, NOW))
    )
    assert erased == (0, 1)


class Wall:
    """A wall clock beside trio's own, which somebody may set."""

    def __init__(self, now: int) -> None:
        self.ahead = now - round(trio.current_time() * 1000)

    def now_ms(self) -> int:
        return self.ahead + round(trio.current_time() * 1000)


DAY_S = DAY_MS / 1000


@pytest.mark.parametrize("newest", [FRESH, OLD])
async def test_a_clock_that_jumped_far_ahead_is_not_believed_for_a_day(
    database: Database, autojump_clock: trio.testing.MockClock, newest: int
) -> None:
    """Whether it did so while the gateway ran, or before it started."""
    # The database's thread is no task: without this the clock would jump while it works.
    autojump_clock.autojump_threshold = 0.02
    org = (await database.write(lambda tx: tx.orgs.add("myorg", "hash", OLD))).id
    await database.write(lambda tx: received(tx, org, "dear", newest))
    wall = Wall(newest + DAY_MS // 2 if newest == FRESH else NOW)
    keeping = Retention(database, days=30, now_ms=wall.now_ms)

    async def left() -> int:
        return (await database.read(lambda tx: tx.message_counts.by_status())).get("received", 0)

    with capture_logs() as lines:
        async with trio.open_nursery() as running:
            await running.start(keeping.run)
            if newest == FRESH:
                await trio.sleep(2 * TIMINGS.pass_s)
                wall.ahead += 60 * DAY_MS
            await trio.sleep(DAY_S)
            assert await left() == 1
            while await left():
                assert trio.current_time() < 3 * DAY_S
                await trio.sleep(TIMINGS.pass_s)
            running.cancel_scope.cancel()
    assert [one["event"] for one in lines] == ["retention_waits", "messages_erased"]


async def test_a_clock_that_was_set_right_again_takes_nothing(
    database: Database, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = 0.02
    org = (await database.write(lambda tx: tx.orgs.add("myorg", "hash", OLD))).id
    await database.write(lambda tx: [received(tx, org, "x", at) for at in (OLD, NOW)])
    wall = Wall(NOW)
    async with trio.open_nursery() as running:
        wall.ahead += 60 * DAY_MS
        await running.start(Retention(database, days=30, now_ms=wall.now_ms).run)
        await trio.sleep(10 * TIMINGS.pass_s)
        wall.ahead -= 60 * DAY_MS
        counts = {"received": 2}
        while counts["received"] == 2:
            # Believed at once.
            assert trio.current_time() < DAY_S
            await trio.sleep(TIMINGS.pass_s)
            counts = await database.read(lambda tx: tx.message_counts.by_status())
        running.cancel_scope.cancel()
    assert counts == {"received": 1}

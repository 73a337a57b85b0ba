"""How many messages there are of each status, and what waits in the queue."""

import sqlite3
from pathlib import Path

import pytest
import trio

from phonegate.model.messages import FAR_AHEAD_MS
from phonegate.model.orgs import Org
from phonegate.store.database import Database
from phonegate.store.message_counts import BACKLOG, HELD, MAX_QUEUES, STRANDED
from phonegate.store.tables import Tables
from tests.store.conftest import bring, outbound


def test_the_backlog_tells_queues_apart_and_when_each_began_to_wait(
    tables: Tables, connection: sqlite3.Connection, org: Org, other: Org
) -> None:
    messages = tables.messages
    messages.insert(outbound(org.id, created_at=500))
    messages.insert(outbound(org.id, created_at=100))
    messages.insert(outbound(org.id, sim_selector="+15550001", created_at=300))
    messages.insert(outbound(other.id, sim_selector="0", phone=4, created_at=50, priority=9))
    messages.insert(outbound(org.id, held_until=900, created_at=1))
    messages.insert(outbound(org.id, held_until=FAR_AHEAD_MS))
    messages.insert(outbound(org.id, status="sending"))
    backlog = tables.message_counts.backlog()
    assert (backlog.timed, backlog.asked) == (1, 1)
    assert {
        (queue.org_name, queue.sim_selector, queue.phone, queue.count, queue.since)
        for queue in backlog.queues
    } == {
        ("myorg", "", None, 2, 500),
        ("myorg", "+15550001", None, 1, 300),
        ("other", "0", 4, 1, 50),
    }
    # One that had its own time waits since then, and not since it was accepted.
    bring(tables, 1, "failed")
    bring(tables, 2, "failed")
    tables.due_messages.release_held(1000, 10)
    (queue,) = (
        queue
        for queue in tables.message_counts.backlog().queues
        if queue.sim_selector == "" and queue.org == org.id
    )
    assert (queue.count, queue.since) == (1, 900)
    # Nor does it hide who has waited for longer, though stored after it.
    messages.insert(outbound(org.id, created_at=600))
    (queue,) = (
        queue
        for queue in tables.message_counts.backlog().queues
        if queue.sim_selector == "" and queue.org == org.id
    )
    assert (queue.count, queue.since) == (2, 600)
    for sql, values in ((BACKLOG, (MAX_QUEUES,)), (HELD, (FAR_AHEAD_MS,))):
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
        assert not any(step.startswith("SCAN messages") and "INDEX" not in step for step in plan)
        assert not any("TEMP B-TREE" in step for step in plan), plan


@pytest.mark.parametrize("checkpoint", ["gateway", "litestream"])
async def test_only_the_one_that_is_named_checkpoints(
    tmp_path: Path, nursery: trio.Nursery, checkpoint: str
) -> None:
    path = tmp_path / "phonegate.db"
    database = Database.open(path, checkpoint=checkpoint)  # type: ignore[arg-type]
    await nursery.start(database.run_writer)
    before = path.stat().st_size
    org = (await database.write(lambda tx: tx.orgs.add("myorg", "hash", 1))).id
    body = "x" * 3_000
    # Past the size at which the gateway's own checkpoints begin (16 MiB of log).
    for _ in range(12):
        await database.write(
            lambda tx: [tx.messages.insert(outbound(org, body)) for _ in range(500)] and None
        )
    grown = path.stat().st_size > before
    assert grown == (checkpoint == "gateway")
    log = (await database.space()).log
    assert log > 16_000_000
    database.stop_writing()
    database.close()
    wal = path.with_name("phonegate.db-wal")
    assert wal.exists() == (checkpoint == "litestream")
    if checkpoint == "litestream":
        # What is in the log alone is there again, with and without Litestream.
        assert wal.stat().st_size >= log
    again = Database.open(path)
    counts = await again.read(lambda tx: tx.message_counts.by_status())
    assert counts == {"queued": 6_000}
    again.close()
    assert not wal.exists()


async def test_proof_that_the_disk_takes_writes_is_one_row(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    database = Database.open(tmp_path / "phonegate.db")
    await nursery.start(database.run_writer)
    await database.write(lambda tx: tx.counters.prove(5))
    await database.write(lambda tx: tx.counters.prove(6))
    space = await database.space()
    assert 0 < space.free <= space.disk
    database.stop_writing()
    database.close()
    with sqlite3.connect(tmp_path / "phonegate.db") as plain:
        assert plain.execute("SELECT value FROM marks WHERE name = 'proved'").fetchall() == [(6,)]
    plain.close()


def test_what_was_pushed_to_a_phone_that_left_is_stranded_until_it_is_acknowledged(
    tables: Tables, connection: sqlite3.Connection, org: Org, other: Org
) -> None:
    messages = tables.messages
    for created_at in (500, 400):
        messages.insert(outbound(org.id, status="sending", phone=1, created_at=created_at))
    acked = messages.insert(outbound(org.id, status="sending", phone=1, created_at=1))
    messages.set(acked, acked_at=2)
    messages.insert(outbound(org.id, status="sending", phone=2))
    messages.insert(outbound(other.id, status="sending", phone=3, created_at=9))
    messages.insert(outbound(org.id, status="queued", phone=1))
    found = tables.message_counts.stranded([2])
    assert {(one.org_name, one.phone, one.count, one.since) for one in found} == {
        ("myorg", 1, 2, 400),
        ("other", 3, 1, 9),
    }
    assert tables.message_counts.stranded([1, 2, 3]) == ()
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {STRANDED}", ("[]", 9))]
    assert any("INDEX messages_unsettled" in step for step in plan), plan

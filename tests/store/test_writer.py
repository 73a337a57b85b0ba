import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from phonegate.events.undelivered import log_undelivered
from phonegate.model.facts import Changed, Fact
from phonegate.model.messages import NewMessage, PageQuery
from phonegate.model.orgs import Org
from phonegate.model.storage_errors import ConstraintBroken, StorageUnavailable, StoreClosed
from phonegate.store import writer
from phonegate.store.commit_place import Commits
from phonegate.store.database import Database
from phonegate.store.group_commit import INDEX_AT, Order, Outcome
from phonegate.store.tables import Tables
from phonegate.store.writer import WriterTimings
from tests.captured_logs import capture_logs
from tests.patience import PATIENCE_S
from tests.store.conftest import bring, inbound, outbound

IN_THREAD = pytest.mark.parametrize("commits", ["thread"], indirect=True)
"""Of tests in which an operation waits for the event loop."""


@pytest.fixture(params=["thread", "loop"])
def commits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Commits:
    """Where commits run. On the loop all operations count as small."""
    place: Commits = request.param
    if place == "loop":
        monkeypatch.setattr(writer, "_size_of", lambda _op, _size: 1)
    return place


@pytest.fixture
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, commits: Commits
) -> AsyncIterator[Database]:
    """A store on disk with its writer. Indirect parameters are the writer's timings."""
    timings = getattr(request, "param", WriterTimings())
    opened = Database.open(tmp_path / "phonegate.db", timings=timings, commits=commits)
    async with trio.open_nursery() as nursery:
        await nursery.start(opened.run_writer)
        yield opened
        opened.stop_writing()
    opened.close()


def _store(new: NewMessage, tx: Tables) -> int:
    return tx.messages.insert(new)


async def _org(store: Database, name: str = "myorg") -> int:
    return (await store.write(lambda tx: tx.orgs.add(name, "hash", 1))).id


async def _everything(store: Database, org: int) -> list[str]:
    page = await store.read(lambda tx: tx.messages.page(org, PageQuery(limit=10_000)))
    return [message.body for message in page]


async def test_of_a_thousand_each_gets_its_own_answer(store: Database) -> None:
    org = await _org(store)
    answers: dict[int, object] = {}

    async def write(number: int) -> None:
        # Every tenth names an org that isn't there.
        owner = org if number % 10 else 999
        new = outbound(owner, str(number))
        try:
            answers[number] = await store.write(lambda tx: tx.messages.insert(new))
        except ConstraintBroken as error:
            answers[number] = error

    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            for number in range(1000):
                nursery.start_soon(write, number)
    refused = {n for n, answer in answers.items() if isinstance(answer, ConstraintBroken)}
    assert refused == set(range(0, 1000, 10))
    assert len({id(answers[number]) for number in refused}) == 100
    stored = await store.read(
        lambda tx: {
            n: tx.messages.find(org, number)
            for n, number in answers.items()
            if isinstance(number, int)
        }
    )
    assert len(stored) == 900
    assert all(found is not None and found.body == str(n) for n, found in stored.items())
    assert await store.read(lambda tx: tx.message_counts.by_status()) == {"queued": 900}


async def test_an_operation_that_raises_is_undone_alone_and_wholly(store: Database) -> None:
    org = await _org(store)

    def half(tx: Tables) -> None:
        tx.messages.insert(outbound(org, "half"))
        raise KeyError("reason")

    async def fails() -> None:
        with pytest.raises(KeyError, match="reason"):
            await store.write(half)

    async def works(number: int) -> None:
        await store.write(lambda tx: tx.messages.insert(outbound(org, str(number))))

    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(works, number)
                nursery.start_soon(fails)
    assert sorted(await _everything(store, org)) == sorted(map(str, range(20)))
    assert await store.read(lambda tx: tx.message_counts.by_status()) == {"queued": 20}


@IN_THREAD
async def test_a_waiter_that_leaves_leaves_its_write_behind(store: Database) -> None:
    org = await _org(store)
    entered, may_go = trio.Event(), threading.Event()
    token = trio.lowlevel.current_trio_token()

    def slow(_tx: Tables) -> None:
        token.run_sync_soon(entered.set)
        may_go.wait(PATIENCE_S)

    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.write, slow)
            await entered.wait()
            scope = trio.CancelScope()

            async def leave() -> None:
                with scope:
                    await store.write(lambda tx: tx.messages.insert(outbound(org, "kept")))

            nursery.start_soon(leave)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
            await trio.testing.wait_all_tasks_blocked()
            may_go.set()
        await store.write(lambda _: None)
    assert await _everything(store, org) == ["kept"]


@IN_THREAD
async def test_the_line_is_bounded(store: Database) -> None:
    entered, may_go = trio.Event(), threading.Event()
    token = trio.lowlevel.current_trio_token()

    def slow(_tx: Tables) -> None:
        token.run_sync_soon(entered.set)
        may_go.wait(PATIENCE_S)

    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.write, slow)
            await entered.wait()
            for _ in range(writer.MAX_WAITING + 50):
                nursery.start_soon(store.write, lambda _: None)
            await trio.testing.wait_all_tasks_blocked()
            assert len(store._writer._waiting) == writer.MAX_WAITING
            assert len(store._writer._line) == 50
            assert store.statistics().waiting == writer.MAX_WAITING + 50
            with pytest.raises(trio.WouldBlock):
                store.submit(lambda _: None, lambda _result, _error: None)
            may_go.set()


async def test_what_is_submitted_is_answered_in_order_once_it_is_durable(store: Database) -> None:
    org = await _org(store)
    told: list[object] = []
    all_done = trio.Event()
    store._writer._publish = told.append

    def done(result: object, error: Exception | None) -> None:
        reader = sqlite3.connect(store.path)
        (count,) = reader.execute("SELECT count(*) FROM messages").fetchone()
        reader.close()
        assert count == 3
        told.append(result if error is None else type(error))
        if len(told) == 2:
            raise ValueError("whatever it is, the others are answered")
        if len(told) == 4:
            all_done.set()

    for owner in (org, 999, org, org):
        store.submit(partial(_store, outbound(owner)), done, size=1)
    with trio.fail_after(PATIENCE_S):
        with capture_logs() as lines:
            await all_done.wait()
        await store.write(lambda _: None)
    first = told[0]
    assert isinstance(first, int)
    assert told[:4] == [first, ConstraintBroken, first + 1, first + 2]
    assert len(told) == 5, "what has changed is published after them"
    assert [line["event"] for line in lines] == ["answer_failed"]


async def test_what_is_submitted_by_an_answer_has_the_next_commit(store: Database) -> None:
    answers: list[object] = []
    over = trio.Event()

    def again(_result: object, _error: object) -> None:
        answers.append(_result)
        if len(answers) < 10:
            store.submit(lambda _: len(answers), again)
        else:
            over.set()

    store.submit(lambda _: 0, again)
    with trio.fail_after(PATIENCE_S):
        await over.wait()
    assert answers == list(range(10))


async def test_a_fault_of_the_program_ends_the_writer_and_sends_everybody_away(
    tmp_path: Path, commits: Commits
) -> None:
    store = Database.open(tmp_path / "phonegate.db", commits=commits)

    def break_down(_orders: object, **_: object) -> None:
        raise KeyError("a fault")

    store._writer._group_commit.commit = break_down  # type: ignore[method-assign, assignment]
    with trio.fail_after(PATIENCE_S), pytest.RaisesGroup(pytest.RaisesExc(KeyError)):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.run_writer)
            with pytest.raises(StoreClosed):
                await store.write(lambda _: None)
            with pytest.raises(StoreClosed):
                store.submit(lambda _: None, lambda _result, _error: None)
    store.close()


# -- on a slow disk


@pytest.fixture
async def slow_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """A store whose flushes count as slow."""
    opened = Database.open(tmp_path / "phonegate.db", commits="thread")
    commit = opened._writer._group_commit.commit

    def slowly(orders: Sequence[Order], *, on_loop: bool = False) -> Outcome:
        return attrs.evolve(commit(orders, on_loop=on_loop), flush_s=float(PATIENCE_S))

    monkeypatch.setattr(opened._writer._group_commit, "commit", slowly)
    async with trio.open_nursery() as nursery:
        await nursery.start(opened.run_writer)
        yield opened
        opened.stop_writing()
    opened.close()


async def test_a_slow_disk_works_on_while_the_loop_answers(slow_disk: Database) -> None:
    entered, begun, may_go = trio.Event(), threading.Event(), threading.Event()
    token = trio.lowlevel.current_trio_token()
    seen: list[bool] = []

    def first(_tx: Tables) -> None:
        token.run_sync_soon(entered.set)
        may_go.wait(PATIENCE_S)

    def answered(_result: object, _error: object) -> None:
        seen.append(begun.wait(PATIENCE_S / 10))

    with trio.fail_after(PATIENCE_S):
        slow_disk.submit(first, answered)
        await entered.wait()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(slow_disk.write, lambda _: begun.set())
            await trio.testing.wait_all_tasks_blocked()
            may_go.set()
    assert seen == [True], "the second batch began before the first was answered"


# -- on the event loop


@pytest.fixture
async def on_loop(tmp_path: Path) -> AsyncIterator[Database]:
    """A store that commits on the event loop what says that it is small."""
    opened = Database.open(tmp_path / "phonegate.db", commits="loop")
    async with trio.open_nursery() as nursery:
        await nursery.start(opened.run_writer)
        yield opened
        opened.stop_writing()
    opened.close()


async def test_what_is_small_is_committed_on_the_loop_and_all_else_in_the_thread(
    on_loop: Database,
) -> None:
    here = threading.get_ident()
    ran: dict[str, int] = {}

    async def write(name: str, size: int | None) -> None:
        def op(_tx: Tables) -> None:
            ran[name] = threading.get_ident()

        await on_loop.write(op, size=size)

    with trio.fail_after(PATIENCE_S):
        await write("small", 1)
        await write("unknown", None)
        await write("large", writer.LOOP_ROWS + 1)
        await write("small again", 1)
    assert {name for name, thread in ran.items() if thread == here} == {"small", "small again"}


async def test_the_loop_commits_so_many_rows_at_once_and_the_others_next(
    on_loop: Database,
) -> None:
    here = threading.get_ident()
    threads: list[int] = []

    async def write() -> None:
        await on_loop.write(lambda _: threads.append(threading.get_ident()), size=90)

    groups = on_loop.statistics().group_sizes.count
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(write)
    assert set(threads) == {here}
    assert on_loop.statistics().group_sizes.count - groups == 3


async def test_a_lock_of_another_program_is_waited_for_in_the_thread(on_loop: Database) -> None:
    org = await _org(on_loop)
    await on_loop.write(partial(_store, outbound(org, "a")), size=1)
    other = sqlite3.connect(on_loop.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(on_loop.write, partial(_store, outbound(org, "b")), size=1))
            # The loop goes on: what is read meanwhile is answered.
            assert await _everything(on_loop, org) == ["a"]
            other.execute("ROLLBACK")
    other.close()
    assert await _everything(on_loop, org) == ["a", "b"]
    assert on_loop.statistics().failures == 0


async def test_the_log_is_copied_in_the_thread_though_all_is_small(on_loop: Database) -> None:
    org = await _org(on_loop)
    on_loop._writer._group_commit._checkpoint_pages = 50
    size = on_loop.path.stat().st_size
    with trio.fail_after(PATIENCE_S):
        for _ in range(2 * writer.LOOP_ROWS_IN_ALL):
            await on_loop.write(partial(_store, outbound(org, "x" * 200)), size=9)
    assert on_loop.path.stat().st_size > size


@pytest.mark.parametrize("store", [WriterTimings(batch_s=0)], indirect=True)
async def test_a_long_batch_is_cut_and_all_of_it_done(store: Database) -> None:
    org = await _org(store)
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(store.write, partial(_store, outbound(org, str(number))))
    assert len(await _everything(store, org)) == 50


# -- failing storage


def _limit_pages(store: Database, extra: int) -> None:
    (now,) = store._writing.execute("PRAGMA page_count").fetchone()
    store._writing.execute(f"PRAGMA max_page_count = {now + extra}")


async def test_a_full_disk_refuses_whole_operations_and_recovers(store: Database) -> None:
    org = await _org(store)
    _limit_pages(store, 3)
    big = "x" * 3000
    outcomes: dict[int, BaseException | list[int]] = {}

    async def write(number: int) -> None:
        def three(tx: Tables) -> list[int]:
            return [tx.messages.insert(outbound(org, f"{number} {big}")) for _ in range(3)]

        try:
            outcomes[number] = await store.write(three)
        except StorageUnavailable as error:
            outcomes[number] = error

    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(write, number)
        errors = [o for o in outcomes.values() if isinstance(o, StorageUnavailable)]
        assert errors
        assert "full" in errors[0].reason
        # Nothing is half done: each operation's three messages are there, or none is.
        kept = await _everything(store, org)
        done = [number for number, o in outcomes.items() if isinstance(o, list)]
        assert sorted(body.split()[0] for body in kept) == sorted(3 * [str(n) for n in done])
        # Still full, still answering.
        with pytest.raises(StorageUnavailable):
            await store.write(lambda tx: [tx.messages.insert(outbound(org, big)) for _ in range(9)])
        store._writing.execute("PRAGMA max_page_count = 1000000")
        await write(100)
    assert isinstance(outcomes[100], list)
    assert store._writing.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    counts = await store.read(lambda tx: tx.message_counts.by_status())
    assert counts == {"queued": 3 * (len(done) + 1)}


class _Faulty:
    """A connection whose statements of one kind fail, as on a disk that is going."""

    def __init__(self, connection: sqlite3.Connection, statement: str) -> None:
        self._connection = connection
        self.statement = statement
        self.failing = True

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if self.failing and sql.startswith(self.statement):
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error
        return self._connection.execute(sql, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@pytest.mark.parametrize("statement", ["BEGIN", "COMMIT", "SAVEPOINT", "RELEASE"])
async def test_a_commit_that_fails_is_told_to_all_and_the_writer_lives_on(
    store: Database, statement: str
) -> None:
    org = await _org(store)
    faulty = _Faulty(store._writing, statement)
    store._writer._group_commit._connection = faulty  # type: ignore[assignment]
    refused = 0

    async def write(op: Callable[[Tables], Any]) -> None:
        nonlocal refused
        with pytest.raises(StorageUnavailable) as caught:
            await store.write(op)
        assert caught.value.reason == "disk I/O error"
        refused += 1

    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(write, partial(_store, outbound(org, str(number))))
        assert refused == 10
        assert await _everything(store, org) == []
        faulty.failing = False
        await store.write(lambda tx: tx.messages.insert(outbound(org, "back")))
    assert await _everything(store, org) == ["back"]
    assert await store.read(lambda tx: tx.message_counts.by_status()) == {"queued": 1}


@pytest.mark.parametrize("statement", [None, "COMMIT"])
async def test_received_messages_are_told_of_once_they_are_committed(
    store: Database, statement: str | None
) -> None:
    org = await _org(store)
    told: list[tuple[int, str, int]] = []

    def listen(facts: Sequence[Fact]) -> None:
        # Another connection sees them already.
        reader = sqlite3.connect(store.path)
        ids = {row[0] for row in reader.execute("SELECT id FROM messages")}
        reader.close()
        changed = [fact for fact in facts if isinstance(fact, Changed)]
        assert {fact.id for fact in changed} <= ids
        told.extend(
            (fact.org, fact.message.address, fact.id)
            for fact in changed
            if fact.after == "received" and fact.message is not None
        )

    def receive_and_fail(tx: Tables) -> None:
        tx.messages.insert_inbound(inbound(org, "undone"))
        raise ValueError

    store._writer._publish = listen
    faulty = _Faulty(store._writing, statement or "nothing")
    store._writer._group_commit._connection = faulty  # type: ignore[assignment]
    with trio.fail_after(PATIENCE_S):
        if statement is not None:
            with pytest.raises(StorageUnavailable):
                await store.write(lambda tx: tx.messages.insert_inbound(inbound(org)))
        faulty.failing = False
        with pytest.raises(ValueError):  # noqa: PT011 - it holds no text
            await store.write(receive_and_fail)
        await store.write(lambda tx: tx.messages.insert(outbound(org)))
        assert told == []
        once = inbound(org, address="+1555", fingerprint=b"f")
        id_ = await store.write(lambda tx: tx.messages.insert_inbound(once))
        assert await store.write(lambda tx: tx.messages.insert_inbound(once)) is None
    assert told == [(org, "+1555", id_)]


@pytest.mark.parametrize("statement", [None, "COMMIT"])
async def test_messages_that_did_not_arrive_are_logged_once_that_is_committed(
    store: Database, statement: str | None
) -> None:
    org = await _org(store)
    first, second = await store.write(
        lambda tx: tx.messages.insert_all([outbound(org, "the body"), outbound(org, "another")])
    )

    def end(tx: Tables) -> None:
        bring(tx, first, "sending")
        bring(tx, first, "uncertain")
        bring(tx, second, "expired")

    def end_and_fail(tx: Tables) -> None:
        end(tx)
        raise ValueError

    store._writer._publish = log_undelivered
    faulty = _Faulty(store._writing, statement or "nothing")
    store._writer._group_commit._connection = faulty  # type: ignore[assignment]
    with trio.fail_after(PATIENCE_S), capture_logs() as lines:
        if statement is not None:
            with pytest.raises(StorageUnavailable):
                await store.write(end)
        faulty.failing = False
        with pytest.raises(ValueError):  # noqa: PT011 - it holds no text
            await store.write(end_and_fail)
        await store.write(lambda tx: tx.orgs.get("myorg"))
        assert not [line for line in lines if line["event"].startswith("message_")]
        await store.write(end)
        await store.write(lambda tx: bring(tx, first, "sent"))
        await store.write(lambda tx: bring(tx, first, "failed", error="no credit"))
        await store.write(lambda tx: bring(tx, first, "failed"))
    told = [line for line in lines if line["event"].startswith("message_")]
    assert told == [
        {
            "event": event,
            "org": "myorg",
            "message": id_,
            "provider": "phone",
            "part": "store",
            "log_level": "warning",
        }
        for event, id_ in [
            ("message_uncertain", first),
            ("message_expired", second),
            ("message_failed", first),
        ]
    ]


# -- ending


async def test_what_waits_is_done_before_the_end(tmp_path: Path, commits: Commits) -> None:
    store = Database.open(tmp_path / "phonegate.db", commits=commits)
    done = 0

    async def write() -> None:
        nonlocal done
        await store.write(lambda _: None)
        done += 1

    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(write)
            await trio.testing.wait_all_tasks_blocked()
            store.stop_writing()
            with pytest.raises(StoreClosed):
                await store.write(lambda _: None)
            await store.run_writer()
    assert done == 100
    store.close()
    with pytest.raises(StoreClosed):
        await store.write(lambda _: None)


async def test_a_cancelled_writer_sends_everybody_away(tmp_path: Path, commits: Commits) -> None:
    store = Database.open(tmp_path / "phonegate.db", commits=commits)
    refused = 0

    async def write() -> None:
        nonlocal refused
        with pytest.raises(StoreClosed):
            await store.write(lambda _: None)
        refused += 1

    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            for _ in range(writer.MAX_WAITING + 10):
                nursery.start_soon(write)
            await trio.testing.wait_all_tasks_blocked()
            with trio.CancelScope() as scope:
                scope.cancel()
                await store.run_writer()
    assert refused == writer.MAX_WAITING + 10
    store.close()


async def test_close_without_waiting_for_the_writer_is_safe(
    tmp_path: Path, commits: Commits
) -> None:
    store = Database.open(tmp_path / "phonegate.db", commits=commits)
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            await nursery.start(store.run_writer)
            await _org(store)
            store.close()
    again = Database.open(tmp_path / "phonegate.db", commits=commits)
    assert [org.name for org in await again.read(lambda tx: tx.orgs.all())] == ["myorg"]
    again.close()


# -- chores


async def test_words_are_indexed_when_nothing_else_is_to_do(store: Database) -> None:
    org = await _org(store)
    number = await store.write(lambda tx: tx.messages.insert(outbound(org, "needle here")))
    query = PageQuery(search="need*")
    # Found at once, and still once the index has it.
    assert len(await store.read(lambda tx: tx.messages.page(org, query))) == 1
    with trio.fail_after(PATIENCE_S):
        while await store.read(lambda tx: tx.word_index.complete_upto()) < number:
            await store.read(lambda _: None)
    assert len(await store.read(lambda tx: tx.messages.page(org, query))) == 1


async def test_words_left_over_are_indexed_by_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "phonegate.db"
    store = Database.open(path)
    tables = Tables(store._writing)
    org = tables.orgs.add("myorg", "hash", 1).id
    store._writing.execute("BEGIN")
    last = [tables.messages.insert_inbound(inbound(org, str(n))) for n in range(1500)][-1]
    store._writing.execute("COMMIT")
    store.close()

    again = Database.open(path)
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            await nursery.start(again.run_writer)
            while await again.read(lambda tx: tx.word_index.complete_upto()) != last:
                pass
            again.stop_writing()
    again.close()


async def test_a_removed_org_is_cleared_away_beside_other_writes(store: Database) -> None:
    org, other = await _org(store), await _org(store, "other")

    def fill(tx: Tables) -> None:
        for number in range(1200):
            tx.messages.insert(outbound(org, str(number)))

    await store.write(fill)
    assert await store.write(lambda tx: tx.orgs.remove("myorg"))
    with trio.fail_after(PATIENCE_S):
        while await store.read(lambda tx: tx.messages.page(org, PageQuery(limit=1))):
            await store.write(lambda tx: tx.messages.insert(outbound(other)))
    rows = await store.read(lambda tx: tx.orgs.all())
    assert [row.name for row in rows] == ["other"]


async def test_chores_that_fail_cost_nothing_else(store: Database) -> None:
    org = await _org(store)
    # An index that can't be written to, for whatever reason.
    store._writing.execute("DROP TABLE words")
    with trio.fail_after(PATIENCE_S):
        for _ in range(3):
            await store.write(
                lambda tx: [tx.messages.insert(outbound(org)) for _ in range(INDEX_AT)]
            )
    assert len(await _everything(store, org)) == 3 * INDEX_AT


# -- kill -9

_PROGRAM = """
import sys
from pathlib import Path
import trio
from phonegate.store.database import Database
from phonegate.model.messages import NewMessage

async def main():
    store = Database.open(Path(sys.argv[1]), commits=sys.argv[3])
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run_writer)
        org = await store.write(lambda tx: tx.orgs.get("myorg") or tx.orgs.add("myorg", "h", 1))
        async def client(k):
            for i in range(1_000_000):
                body = f"{sys.argv[2]}-{k}-{i}"
                new = NewMessage(org=org.id, address="+1", body=body, created_at=1, segments=1)
                number = await store.write(lambda tx: tx.messages.insert(new), size=1)
                print(number, body, flush=True)
        for k in range(8):
            nursery.start_soon(client, k)

trio.run(main)
"""


def test_kill_9_keeps_all_that_was_answered(tmp_path: Path, commits: Commits) -> None:
    path = tmp_path / "phonegate.db"
    answered: dict[int, str] = {}
    for turn in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(path), str(turn), commits],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(200 + 100 * turn)]
        os.kill(child.pid, signal.SIGKILL)
        rest = child.stdout.read().splitlines(keepends=True)
        child.stdout.close()
        child.wait()
        for line in lines + rest:
            if line.endswith("\n"):
                number, body = line.split()
                answered[int(number)] = body
        store = Database.open(path)
        tables = Tables(store._writing)
        org = tables.orgs.get("myorg")
        assert isinstance(org, Org)
        for kept, body in answered.items():
            found = tables.messages.find(org.id, kept)
            assert found is not None, (turn, kept)
            assert found.body == body
        assert store._writing.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        (count,) = store._writing.execute("SELECT count(*) FROM messages").fetchone()
        assert tables.message_counts.by_status() == {"queued": count}
        store.close()
    assert len(answered) >= 900


@pytest.mark.parametrize(
    "store", [WriterTimings(patience_s=PATIENCE_S * 2, idle_s=0.001)], indirect=True
)
async def test_a_patient_write_waits_for_company_and_goes_first(store: Database) -> None:
    org = await _org(store)
    groups = store._writer.statistics().group_sizes.count

    async def patient(number: int) -> None:
        await store.write(partial(_store, outbound(org, str(number))), patient=True)

    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(patient, number)
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert await _everything(store, org) == []
            await store.write(partial(_store, outbound(org, "hasty")))
    assert sorted((await _everything(store, org))[:3]) == ["0", "1", "2"]
    assert (await _everything(store, org))[3] == "hasty"
    assert store._writer.statistics().group_sizes.count == groups + 1


async def test_a_patient_write_does_not_wait_long(store: Database) -> None:
    org = await _org(store)
    with trio.fail_after(PATIENCE_S):
        # Twice, for the writer sleeps differently when it has a chore before it.
        for body in ("a", "b"):
            await store.write(partial(_store, outbound(org, body)), patient=True)
            await trio.sleep(3 * WriterTimings().idle_s)
    assert await _everything(store, org) == ["a", "b"]


async def test_stopping_commits_what_was_patient(tmp_path: Path, commits: Commits) -> None:
    timings = WriterTimings(patience_s=PATIENCE_S * 2)
    store = Database.open(tmp_path / "phonegate.db", timings=timings, commits=commits)
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            await nursery.start(store.run_writer)
            org = await _org(store)
            nursery.start_soon(
                partial(store.write, partial(_store, outbound(org, "kept")), patient=True)
            )
            await trio.testing.wait_all_tasks_blocked(0.01)
            store.stop_writing()
        assert await _everything(store, org) == ["kept"]
        with pytest.raises(StoreClosed):
            await store.write(lambda _: None, patient=True)
    store.close()

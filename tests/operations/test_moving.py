"""Orgs that move between two stores: all that they have arrives, once, whatever ends the way."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from phonegate.domain.admission import admit_to_disk
from phonegate.domain.rate_limits import RateLimits
from phonegate.model.facts import Suspended
from phonegate.model.messages import NewMessage, PageQuery
from phonegate.model.refusals import Conflict, OrgSuspended
from phonegate.model.storage_errors import MoveFailed
from phonegate.store.moving.contents import every_part
from phonegate.store.moving.moved_ids import PUSHED_BEFORE, moved
from phonegate.store.moving.org_files import export
from phonegate.store.tables import Tables
from tests.buses import heard
from tests.domain.account_site import SECRET, Clock, enter, restarted
from tests.operations.moving_site import Filler, Site, chunks_of, read

ALL = {*every_part()}


class Ended(Exception):
    """What ends a step in the middle, as a crash would."""


def unseen(_done: int, _total: int) -> None:
    """Takes no notice of progress."""


async def test_all_that_an_org_has_arrives_as_it_was(
    here: Site, there: Site, tmp_path: Path
) -> None:
    filler = Filler(here, "mine")
    await Filler(here, "theirs").fill("other")
    await filler.fill("myorg", each=5)
    path = tmp_path / "myorg.org"
    made = await here.mover.export("myorg", path, unseen)
    assert path.stat().st_mode & 0o777 == 0o600
    assert not path.with_name("myorg.org.part").exists()
    head, content = read(path)
    assert set(content) == ALL, "something of every table"
    assert "theirs" not in str(content)
    assert (head.messages, made.size) == (5, path.stat().st_size)

    progress: list[tuple[int, int]] = []
    done = await there.mover.take_in(path, lambda *one: progress.append(one))
    assert (done.name, done.messages, done.shifts) == ("myorg", 5, {})
    assert progress[-1] == (2 * made.size, 2 * made.size)
    again, arrived = await there.content("myorg", tmp_path)
    assert arrived == content
    assert again.org == head.org
    assert again.tables == head.tables
    principal = await enter(there.accounts)
    assert principal.org == head.org["id"]
    found = await there.database.read(
        lambda tx: tx.messages.page(principal.org, PageQuery(search="mine body", limit=9))
    )
    assert len(found) == 5
    assert there.rows("SELECT status, n FROM tallies WHERE n ORDER BY status") == there.rows(
        "SELECT status, count(*) FROM messages GROUP BY status ORDER BY status"
    )


async def test_ids_that_are_another_orgs_move_beyond_all_that_were_given(
    here: Site, there: Site, tmp_path: Path
) -> None:
    await Filler(here, "mine").fill("myorg", each=5)
    await Filler(there, "theirs").fill("other", each=7)
    path = tmp_path / "myorg.org"
    await here.mover.export("myorg", path, unseen)
    head, content = read(path)
    done = await there.mover.take_in(path, unseen)
    assert set(done.shifts) == {
        *("phones", "messages", "assistants", "webhooks", "deliveries"),
        *("templates", "batches", "hooks"),
    }
    assert done.shifts["messages"] == 7
    for table, rows in content.items():
        moved(every_part()[table], head.tables[table], rows, done.shifts)
    again, arrived = await there.content("myorg", tmp_path)
    for table in (*sorted(ALL),):
        assert sorted(map(str, arrived[table])) == sorted(map(str, content[table])), table
    assert again.org["id"] == 2
    _, untouched = await there.content("other", tmp_path)
    assert "mine" not in str(untouched)
    # A phone that has seen a message under its old id is not given it under another.
    unsure = there.rows("SELECT status FROM messages WHERE org = 2 AND error = ?", PUSHED_BEFORE)
    pushed = here.rows(
        "SELECT count(*) FROM messages WHERE status IN ('queued', 'sending')"
        " AND pushed_at IS NOT NULL AND assistant IS NULL"
    )
    assert unsure == [("uncertain",)] * pushed[0][0]


async def test_ids_that_an_org_has_seen_are_given_to_no_other_row(
    here: Site, there: Site, tmp_path: Path
) -> None:
    await Filler(here, "mine").fill("myorg", each=5)
    # Its last messages are gone, and its phones know their ids.
    await here.database.write(
        lambda tx: tx._connection.execute("DELETE FROM messages WHERE id > 2")
    )
    path = tmp_path / "myorg.org"
    await here.mover.export("myorg", path, unseen)
    await there.mover.take_in(path, unseen)
    org = (await enter(there.accounts)).org

    def send(tx: Any) -> int:
        return int(
            tx.messages.insert(
                NewMessage(org=org, address="+15553334444", body="x", created_at=5, segments=1)
            )
        )

    assert await there.database.write(send) == 6
    before = here.rows("SELECT max(id) FROM events")[0][0]
    assert (await there.database.read(lambda tx: tx.events.extent(org))).last >= before


WAITING = (
    "UPDATE messages SET status = 'queued', held_until = NULL, key = NULL WHERE id = 1",
    "UPDATE messages SET status = 'queued', held_until = 5, expires_at = 5 WHERE id = 2",
    "UPDATE messages SET status = 'sending', assistant = NULL, acked_at = 5 WHERE id = 3",
)
"""So that something of an org waits for each part of the gateway that moves messages on."""


def _shape(tx: Tables) -> None:
    for one in WAITING:
        tx._connection.execute(one)


def _waiting(tx: Tables) -> tuple[Any, ...]:
    far = 1 << 50
    return (
        tx.webhooks.active(),
        tx.webhooks.active_of_org(1),
        tx.carrier_queue.ready(9),
        tx.carrier_queue.to_poll(far, 9),
        tx.carrier_queue.next_poll(),
        tx.due_messages.next_held(),
        tx.due_messages.next_expiry(),
        tx.due_messages.oldest_push(),
        tx.due_messages.expired(far, 9),
        tx.due_messages.overdue(far, 9, online=(1,), away_before=far, now=far),
        tx.message_counts.stranded([9]) or tx.message_counts.backlog().queues,
    )


async def test_a_suspended_org_stores_nothing_and_lets_no_caller_in(here: Site) -> None:
    org = await Filler(here, "mine").fill("myorg")
    await here.database.write(_shape)
    before = await enter(here.accounts)
    assert all(await here.database.read(_waiting))
    suspended = await here.accounts.moves.suspend("myorg")
    assert suspended.suspended_at is not None
    assert not here.accounts.authentication.is_current(before)
    with pytest.raises(OrgSuspended):
        await enter(here.accounts)
    # What was let in before is not stored either.
    with pytest.raises(OrgSuspended):
        await here.database.write(lambda tx: admit_to_disk(tx, RateLimits(), org, 1, 1))
    assert not any(await here.database.read(_waiting))
    assert await here.accounts.moves.suspend("myorg") == suspended
    again = await restarted(here.database, Clock())
    with pytest.raises(OrgSuspended):
        await enter(again)

    resumed = await here.accounts.moves.resume("myorg")
    assert resumed.suspended_at is None
    await enter(here.accounts)
    await here.database.write(lambda tx: admit_to_disk(tx, RateLimits(), org, 1, 1))
    assert all(await here.database.read(_waiting))


async def test_what_is_under_way_may_end_before_nothing_is_stored_any_more(here: Site) -> None:
    org = await Filler(here, "mine").fill("myorg")
    sent_away = heard(here.bus, Suspended)

    async def drain(found: int) -> None:
        assert found == org
        assert sent_away == [Suspended(org)]
        with pytest.raises(OrgSuspended):
            await enter(here.accounts)
        await here.database.write(lambda tx: admit_to_disk(tx, RateLimits(), org, 1, 1))

    await here.accounts.moves.suspend("myorg", drain)
    with pytest.raises(OrgSuspended):
        await here.database.write(lambda tx: admit_to_disk(tx, RateLimits(), org, 1, 1))
    await here.accounts.moves.resume("myorg")

    async def fails(_: int) -> None:
        raise Ended

    with pytest.raises(Ended):
        await here.accounts.moves.suspend("myorg", fails)
    await enter(here.accounts)


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.6, 0.9, 0.999, 1.0])
async def test_an_export_of_a_suspended_org_goes_on_where_it_was(
    here: Site, tmp_path: Path, kept: float
) -> None:
    await Filler(here, "mine").fill("myorg", each=12)
    await here.accounts.moves.suspend("myorg")
    whole, path = tmp_path / "whole.org", tmp_path / "myorg.org"
    await here.mover.export("myorg", whole, unseen)
    part = path.with_name("myorg.org.part")
    content = whole.read_bytes()
    part.write_bytes(content[: round(kept * len(content))])
    made = await here.mover.export("myorg", path, unseen)
    assert made.resumed == (kept > 0)
    assert read(path)[1] == read(whole)[1]
    if kept:
        assert path.read_bytes() == content
        assert chunks_of(path) == chunks_of(whole)


async def test_an_export_of_another_state_is_begun_anew(here: Site, tmp_path: Path) -> None:
    await Filler(here, "mine").fill("myorg")
    path = tmp_path / "myorg.org"
    part = path.with_name("myorg.org.part")
    for left in (b"", b"nothing of ours", "an older export"):
        if isinstance(left, str):
            await here.accounts.moves.suspend("myorg")
            await here.mover.export("myorg", path, unseen)
            path.rename(part)
            await here.accounts.moves.resume("myorg")
        else:
            part.write_bytes(left)
        made = await here.mover.export("myorg", path, unseen)
        assert not made.resumed
        assert set(read(path)[1]) == ALL
        path.unlink()


@pytest.mark.parametrize("end", ["resume", "remove"])
async def test_no_file_is_made_of_an_org_that_is_resumed_or_removed_meanwhile(
    here: Site, tmp_path: Path, end: str
) -> None:
    """What it sent from then on would be sent again by the other gateway, or is not in the file."""
    await Filler(here, "mine").fill("myorg", each=3)
    await here.accounts.moves.suspend("myorg")
    path = tmp_path / "myorg.org"

    def progress(_done: int, _total: int) -> None:
        ending = {"resume": here.accounts.moves.resume, "remove": here.accounts.orgs.remove}
        if not ended:
            ended.append(end)
            trio.from_thread.run(ending[end], "myorg")

    ended: list[str] = []
    write = partial(export, program="0.1.0", now=1, report=progress)
    with pytest.raises(MoveFailed, match="was resumed or removed meanwhile"):
        await trio.to_thread.run_sync(write, here.database.path, "myorg", path)
    assert ended == [end]
    for left in (path, path.with_name("myorg.org.part")):
        assert not left.exists()


async def test_no_file_is_made_of_an_org_that_has_come_in_part(
    here: Site, there: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Filler(here, "mine").fill("myorg")
    path = tmp_path / "myorg.org"
    await here.mover.export("myorg", path, unseen)

    async def ends(*_: Any) -> None:
        raise Ended

    with monkeypatch.context() as patch:
        patch.setattr(there.accounts.moves, "put", ends)
        with pytest.raises(Ended):
            await there.mover.take_in(path, unseen)
    again = tmp_path / "again.org"
    with pytest.raises(MoveFailed, match="has not wholly come"):
        await there.mover.export("myorg", again, unseen)
    await there.mover.take_in(path, unseen)
    await there.mover.export("myorg", again, unseen)


async def test_an_import_goes_on_after_any_chunk(
    here: Site, there: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Filler(here, "mine").fill("myorg", each=5)
    await Filler(there, "theirs").fill("other", each=2)
    path = tmp_path / "myorg.org"
    await here.mover.export("myorg", path, unseen)
    put = there.accounts.moves.put
    left = 0

    async def some(*given: Any) -> None:
        nonlocal left
        if not left:
            left = 1
            raise Ended
        left -= 1
        await put(*given)

    monkeypatch.setattr(there.accounts.moves, "put", some)
    tries = 0
    while True:
        try:
            done = await there.mover.take_in(path, unseen)
        except Ended:
            tries += 1
            assert await there.accounts.moves.coming() == {"myorg"}
            with pytest.raises(OrgSuspended):
                await enter(there.accounts)
            with pytest.raises(Conflict, match="has not wholly come"):
                await there.accounts.moves.resume("myorg")
        else:
            break
    assert tries >= len(chunks_of(path)) - 1
    head, content = read(path)
    for table, rows in content.items():
        moved(every_part()[table], head.tables[table], rows, done.shifts)
    _, arrived = await there.content("myorg", tmp_path)
    # Each try above was a right secret from a network.
    del arrived["org_places"], content["org_places"]
    assert {table: len(rows) for table, rows in arrived.items()} == {
        table: len(rows) for table, rows in content.items()
    }
    assert sorted(map(str, arrived["messages"])) == sorted(map(str, content["messages"]))
    assert await there.accounts.moves.coming() == set()
    await enter(there.accounts)


async def test_callers_may_try_while_an_org_comes(
    here: Site, there: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One with the right secret is remembered by where it calls from, as it was at home."""
    await Filler(here, "mine").fill("myorg")
    await enter(here.accounts)
    path = tmp_path / "myorg.org"
    await here.mover.export("myorg", path, unseen)
    plan = there.accounts.moves.plan

    async def tried(*given: Any, **more: Any) -> Any:
        with pytest.raises(OrgSuspended):
            await enter(there.accounts)
        return await plan(*given, **more)

    monkeypatch.setattr(there.accounts.moves, "plan", tried)
    await there.mover.take_in(path, unseen)
    await enter(there.accounts)
    _, content = await there.content("myorg", tmp_path)
    assert len(content["org_places"]) == len(read(path)[1]["org_places"])


async def test_what_has_come_can_be_taken_back(
    here: Site, there: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Filler(here, "mine").fill("myorg", each=5)
    path = tmp_path / "myorg.org"
    await here.mover.export("myorg", path, unseen)

    async def ends(*_: Any) -> None:
        raise Ended

    monkeypatch.setattr(there.accounts.moves, "finish", ends)
    with pytest.raises(Ended):
        await there.mover.take_in(path, unseen)
    other = tmp_path / "again.org"
    await here.mover.export("myorg", other, unseen)
    with pytest.raises(Conflict, match="from another file"):
        await there.mover.take_in(other, unseen)
    await there.accounts.orgs.remove("myorg")
    monkeypatch.undo()
    await there.cleared()
    assert there.rows("SELECT n FROM tallies WHERE n") == []
    assert (await there.mover.take_in(other, unseen)).name == "myorg"
    _, arrived = await there.content("myorg", tmp_path)
    assert {*arrived} == ALL


async def test_a_file_that_is_not_whole_leaves_nothing(
    here: Site, there: Site, tmp_path: Path
) -> None:
    await Filler(here, "mine").fill("myorg")
    path, bad = tmp_path / "myorg.org", tmp_path / "bad.org"
    await here.mover.export("myorg", path, unseen)
    content = path.read_bytes()
    for broken in (content[:-1], content[: len(content) // 2], b"", b"x", content + b"x"):
        bad.write_bytes(broken)
        with pytest.raises(MoveFailed):
            await there.mover.take_in(bad, unseen)
        assert there.rows("SELECT * FROM orgs") == []
        assert there.rows("SELECT * FROM imports") == []
    await there.accounts.orgs.add("myorg", SECRET)
    with pytest.raises(Conflict, match="There is an org named myorg already"):
        await there.mover.take_in(path, unseen)
    with pytest.raises(MoveFailed, match="can't be read"):
        await there.mover.take_in(tmp_path / "none.org", unseen)


async def test_an_org_that_is_here_under_another_name_is_refused(
    here: Site, tmp_path: Path
) -> None:
    await Filler(here, "mine").fill("myorg")
    path = tmp_path / "myorg.org"
    await here.mover.export("myorg", path, unseen)
    await here.database.write(lambda tx: tx._connection.execute("UPDATE orgs SET name = 'renamed'"))
    with pytest.raises(Conflict, match="under another name"):
        await here.mover.take_in(path, unseen)


async def test_who_gives_up_ends_the_work(here: Site, tmp_path: Path) -> None:
    await Filler(here, "mine").fill("myorg")
    path = tmp_path / "myorg.org"
    with trio.CancelScope() as scope:
        await here.mover.export("myorg", path, lambda *_: scope.cancel())
    assert scope.cancelled_caught
    assert not path.exists()


async def test_what_can_not_be_written_leaves_no_file(
    here: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Filler(here, "mine").fill("myorg")
    taken = tmp_path / "taken.org"
    taken.write_text("mine")
    for target, words in (
        (taken, "of this name already"),
        (tmp_path / "no" / "folder.org", "is not there"),
    ):
        with pytest.raises(MoveFailed, match=words):
            await here.mover.export("myorg", target, unseen)
    with pytest.raises(MoveFailed, match="no org named other"):
        await here.mover.export("other", tmp_path / "other.org", unseen)
    assert taken.read_text() == "mine"

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MoveFailed, match="No space left"):
        await here.mover.export("myorg", tmp_path / "myorg.org", unseen)
    assert not (tmp_path / "myorg.org").exists()
    assert not (tmp_path / "myorg.org.part").exists()
    await here.accounts.moves.suspend("myorg")
    with pytest.raises(MoveFailed, match="No space left"):
        await here.mover.export("myorg", tmp_path / "myorg.org", unseen)
    assert (tmp_path / "myorg.org.part").exists()


def test_new_columns_of_a_later_schema_get_their_defaults() -> None:
    """A file of before lacks columns, and what lacks them is stored as the schema says."""
    part = every_part()["sims"]
    rows: list[list[Any]] = [[3, 0, "+15551112222"]]
    moved(part, ("phone", "slot", "number"), rows, {"phones": 4})
    assert rows == [[7, 0, "+15551112222"]]

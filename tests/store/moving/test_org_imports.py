"""What others do while an org comes, and what of it waits until all is here."""

from pathlib import Path
from typing import Any

import pytest

from phonegate.domain.assistant_sync import sync_declared
from phonegate.model.facts import OrgChanged
from phonegate.model.messages import NewMessage
from phonegate.model.refusals import Conflict
from tests.buses import heard
from tests.operations.moving_site import Filler, Site

FAR = 1 << 60
"""Later than all times of messages."""


def unseen(_done: int, _total: int) -> None:
    """Takes no notice of progress."""


async def send(site: Site, org: int) -> int:
    """Stores a message of another org. Returns its id."""
    new = NewMessage(org=org, address="+15553334444", body="x", created_at=5, segments=1)
    return int(await site.database.write(lambda tx: tx.messages.insert(new)))


@pytest.mark.parametrize(("step", "others"), [("taken", 0), ("put", 0), ("put", 7)])
async def test_what_comes_to_others_meanwhile_comes_after_it(
    here: Site,
    there: Site,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    others: int,
) -> None:
    await Filler(here, "mine").fill("myorg", each=5)
    theirs, _ = await there.accounts.orgs.add("other", "another-secret-123")
    for _ in range(others):
        await send(there, theirs.id)
    path = tmp_path / "myorg.org"
    await here.mover.export("myorg", path, unseen)
    inner, sent = getattr(there.accounts.moves, step), list[int]()

    async def meanwhile(*given: Any) -> Any:
        if not sent:
            sent.append(await send(there, theirs.id))
        return await inner(*given)

    monkeypatch.setattr(there.accounts.moves, step, meanwhile)
    done = await there.mover.take_in(path, unseen)
    assert done.shifts.get("messages", 0) == others
    assert sent == [5 + others + 1]


async def test_an_org_that_is_removed_while_it_comes_leaves_nothing(
    here: Site, there: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Filler(here, "mine").fill("myorg", each=5)
    path = tmp_path / "myorg.org"
    await here.mover.export("myorg", path, unseen)
    put = there.accounts.moves.put

    async def removed_before(*given: Any) -> None:
        if await there.accounts.moves.coming():
            await there.accounts.orgs.remove("myorg")
        await put(*given)

    monkeypatch.setattr(there.accounts.moves, "put", removed_before)
    with pytest.raises(Conflict, match="removed meanwhile"):
        await there.mover.take_in(path, unseen)
    assert there.rows("SELECT * FROM messages") == []


async def test_a_part_is_stored_once(
    here: Site, there: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Filler(here, "mine").fill("myorg", each=5)
    path = tmp_path / "myorg.org"
    await here.mover.export("myorg", path, unseen)
    put = there.accounts.moves.put

    async def twice(*given: Any) -> None:
        await put(*given)
        with pytest.raises(Conflict, match="another import of it is under way"):
            await put(*given)

    monkeypatch.setattr(there.accounts.moves, "put", twice)
    await there.mover.take_in(path, unseen)
    assert await there.accounts.moves.coming() == set()


async def test_the_ids_up_to_which_repeats_are_known_otherwise_move_too(
    here: Site, there: Site, tmp_path: Path
) -> None:
    await Filler(here, "mine").fill("myorg", each=5)
    await Filler(there, "theirs").fill("other", each=7)
    await here.database.write(
        lambda tx: tx._connection.execute("INSERT INTO marks VALUES ('plain_fingerprints', 3)")
    )
    path = tmp_path / "myorg.org"
    await here.mover.export("myorg", path, unseen)
    done = await there.mover.take_in(path, unseen)
    found = await there.database.read(lambda tx: tx.counters.plain_fingerprints())
    assert found == 3 + done.shifts["messages"]


async def test_an_org_that_comes_back_counts_as_removed_no_more(here: Site, tmp_path: Path) -> None:
    await Filler(here, "mine").fill("myorg")
    path = tmp_path / "myorg.org"
    await here.mover.export("myorg", path, unseen)
    await here.accounts.orgs.remove("myorg")
    await here.cleared()
    assert await here.database.read(lambda tx: tx.orgs.was_removed("myorg"))
    await here.mover.take_in(path, unseen)
    assert not await here.database.read(lambda tx: tx.orgs.was_removed("myorg"))


async def test_a_revoked_key_bars_its_messages_until_all_have_come(
    here: Site, there: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cleared away before that, it would bar none of those that come later."""
    await Filler(here, "mine").fill("myorg")
    path = tmp_path / "myorg.org"
    await here.mover.export("myorg", path, unseen)
    put, seen = there.accounts.moves.put, list[str | None]()

    async def look(*given: Any) -> None:
        await put(*given)
        seen.append(await there.database.read(lambda tx: tx.keys.ended(FAR)))

    monkeypatch.setattr(there.accounts.moves, "put", look)
    await there.mover.take_in(path, unseen)
    assert set(seen) == {None}
    assert await there.database.read(lambda tx: tx.keys.ended(FAR)) is not None


async def test_who_came_in_right_before_an_org_is_suspended_is_sent_away(
    here: Site, there: Site, tmp_path: Path
) -> None:
    await Filler(here, "mine").fill("myorg")
    path = tmp_path / "myorg.org"
    await here.mover.export("myorg", path, unseen)
    changed = heard(there.bus, OrgChanged)
    await there.mover.take_in(path, unseen)
    assert changed == [OrgChanged(1)]


async def test_an_assistant_that_the_other_gateways_configuration_declares_stays(
    here: Site, there: Site, tmp_path: Path
) -> None:
    await Filler(here, "mine").fill("myorg", each=2)
    await here.database.write(
        lambda tx: tx._connection.execute("UPDATE assistants SET from_file = 1")
    )
    path = tmp_path / "myorg.org"
    await here.mover.export("myorg", path, unseen)
    await there.mover.take_in(path, unseen)
    # As each start of a gateway does whose configuration declares none.
    ended = await there.database.write(lambda tx: sync_declared(tx, [], kept, 5))
    assert ended == []
    assert there.rows("SELECT count(*) FROM assistants") == [(2,)]


def kept(*_: Any) -> Any:
    """Is called for what a configuration declares."""
    raise AssertionError

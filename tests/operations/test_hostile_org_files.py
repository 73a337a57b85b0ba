"""Files of orgs that were made to harm: none reaches what is another's, or stops the gateway."""

import contextlib
import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from phonegate.model.messages import NewMessage
from phonegate.model.refusals import Conflict
from phonegate.model.storage_errors import MoveFailed
from phonegate.store.moving.contents import SPACES
from phonegate.store.moving.org_file import Chunk, Lines, Reader
from tests.operations.moving_site import VERSION_OF_TESTS, Filler, Site
from tests.patience import PATIENCE_S

Change = Callable[[dict[str, Any], dict[str, list[list[Any]]]], None]


def unseen(_done: int, _total: int) -> None:
    """Takes no notice of progress."""


async def exported(here: Site, folder: Path) -> Path:
    await Filler(here, "mine").fill("myorg")
    path = folder / "myorg.org"
    await here.mover.export("myorg", path, unseen)
    return path


def forge(path: Path, change: Change) -> None:
    """Writes a file anew, with all its sums as they should be."""
    with path.open("rb") as file:
        reader = Reader(file, VERSION_OF_TESTS)
        head = attrs.asdict(reader.head, recurse=False)
        tables: dict[str, list[list[Any]]] = {name: [] for name in reader.head.tables}
        for chunk in reader.chunks():
            tables[chunk.table] += chunk.rows
    head = {name: dict(one) if name in {"org", "given"} else one for name, one in head.items()}
    head["tables"] = {name: list(columns) for name, columns in head["tables"].items()}
    change(head, tables)
    with path.open("wb") as file:
        lines = Lines(file)
        lines._write({"phonegate_org": 1, **head})
        filled = [(table, rows) for table, rows in tables.items() if rows]
        for number, (table, rows) in enumerate(filled):
            lines.chunk(Chunk(number=number, table=table, rows=rows))
        lines.foot()


def put(table: str, column: str, value: Any) -> Change:
    def change(head: dict[str, Any], tables: dict[str, list[list[Any]]]) -> None:
        tables[table][0][head["tables"][table].index(column)] = value

    return change


def head_with(**fields: Any) -> Change:
    return lambda head, _: head.update(fields)


def org_with(**fields: Any) -> Change:
    return lambda head, _: head["org"].update(fields)


def columns(table: str, *names: str) -> Change:
    def change(head: dict[str, Any], tables: dict[str, list[list[Any]]]) -> None:
        head["tables"][table] = list(names)
        tables[table] = [[0] * len(names)]

    return change


DAMAGED: dict[str, Change] = {
    "an id that leaves no room": put("messages", "id", 2**63 - 1),
    "an id below none": put("messages", "id", -5),
    "an id that no table takes": put("messages", "id", 2**64),
    "a text for an id": put("messages", "id", "1"),
    "a yes for an id": put("phones", "id", True),
    "a fraction": put("messages", "created_at", 1.5),
    "a list for a text": put("messages", "body", []),
    "an object for a text": put("messages", "body", {"a": 1}),
    "half an emoji": put("messages", "body", "\ud83d"),
    "given ids that leave no room": head_with(given={"messages": 2**63 - 1}),
    "given ids that are none": head_with(given={"messages": "9"}),
    "a mark that is none": head_with(marks={"plain_fingerprints": "9"}),
    "columns that are SQL": columns("messages", 'id") VALUES (1); --'),
    "a column twice": columns("messages", "id", "id"),
    "a column of the org": columns("messages", "id", "org"),
    "another table": columns("session_keys", "id"),
    "tables that are none": head_with(tables=[1]),
    "an org that is none": head_with(org=None),
    "an org without a name": org_with(name=None),
    "a name of a path": org_with(name="../../etc"),
    "a name that is a number": org_with(name=7),
    "an id of the org that is none": org_with(id=None),
    "a time that is none": head_with(made_at="now"),
    "a field that is unknown": head_with(other=1),
    "a state that is none": put("messages", "status", "gone"),
    "a kind of phone that is none": put("phones", "kind", "fax"),
    "a shape that is none": put("webhooks", "shape", "round"),
    "fields that are no JSON": put("webhooks", "headers", "["),
    "an event that is no object": put("events", "data", "[]"),
    "a deep text": put("events", "data", "[" * 100_000),
}


async def test_what_can_not_be_an_orgs_leaves_nothing(
    here: Site, there: Site, tmp_path: Path
) -> None:
    whole = (await exported(here, tmp_path)).read_bytes()
    path = tmp_path / "bad.org"
    for name, change in DAMAGED.items():
        path.write_bytes(whole)
        forge(path, change)
        try:
            await there.mover.take_in(path, unseen)
        except (MoveFailed, Conflict):
            pass
        else:
            pytest.fail(f"{name} was taken")
        assert there.rows("SELECT * FROM orgs") == [], name
        assert there.rows("SELECT * FROM messages") == [], name
    await sends(there)


async def sends(there: Site, most: int = 2**53) -> None:
    """Demands that other orgs get ids that programs can keep."""
    org, _ = await there.accounts.orgs.add("another")
    new = NewMessage(org=org.id, address="+15553334444", body="x", created_at=5, segments=1)
    assert await there.database.write(lambda tx: tx.messages.insert(new)) < most


LARGE: dict[str, Change] = {
    "an id of more than 32 bits": put("conversations", "last", 2**31),
    "ids of more than 32 bits that were given": head_with(given={"messages": 2**31}),
}


@pytest.mark.parametrize("change", LARGE.values(), ids=LARGE)
async def test_ids_get_more_than_32_bits_only_where_that_is_allowed(
    change: Change, here: Site, there: Site, tmp_path: Path
) -> None:
    path = await exported(here, tmp_path)
    forge(path, change)
    with pytest.raises(Conflict, match=r"go beyond 2,147,483,647.*--large-ids"):
        await there.mover.take_in(path, unseen)
    assert there.rows("SELECT * FROM orgs") == []
    await sends(there, 2**31)
    assert (await there.mover.take_in(path, unseen, large_ids=True)).name == "myorg"
    await there.accounts.orgs.remove("myorg")
    await there.cleared()
    # There is nothing to save any more.
    assert (await there.mover.take_in(path, unseen)).name == "myorg"


async def test_ids_that_move_get_more_than_32_bits_only_where_that_is_allowed(
    here: Site, there: Site, tmp_path: Path
) -> None:
    await Filler(there, "theirs").fill("other")
    high = 2**30 + 1
    await there.database.write(lambda tx: tx.org_imports._keep_above("messages", high))
    path = await exported(here, tmp_path)
    forge(path, head_with(given={"messages": high}))
    with pytest.raises(Conflict, match=r"--large-ids"):
        await there.mover.take_in(path, unseen)
    assert there.rows("SELECT name FROM orgs") == [("other",)]
    await sends(there, 2**31)


WRONG_FOR_THE_SCHEMA: dict[str, Change] = {
    "bytes for a text": put("messages", "body", b"5"),
    "nothing for a text": put("messages", "address", None),
    "a direction that is none": put("messages", "direction", "up"),
    "an event about nothing": put("events", "data", "{}"),
}


async def test_what_the_schema_refuses_is_never_served(
    here: Site, there: Site, tmp_path: Path
) -> None:
    await Filler(there, "theirs").fill("other", each=5)
    whole = (await exported(here, tmp_path)).read_bytes()
    path = tmp_path / "bad.org"
    for change in WRONG_FOR_THE_SCHEMA.values():
        path.write_bytes(whole)
        forge(path, change)
        with pytest.raises(Conflict, match=r"damaged"):
            await there.mover.take_in(path, unseen)
        assert await there.accounts.moves.coming() == {"myorg"}
        await there.accounts.orgs.remove("myorg")
        await there.cleared()
        assert await there.accounts.moves.coming() == set()


REFERRING = {
    "a part of an MMS": ("media_parts", "message"),
    "a phone's own key": ("enrolments", "phone"),
    "the SIM of a phone": ("sims", "phone"),
    "the phone of a message": ("messages", "phone"),
    "the carrier of a message": ("messages", "assistant"),
    "the end of a conversation": ("conversations", "last"),
    "the messages of a batch": ("batch_ranges", "first"),
    "a call of a webhook": ("deliveries", "webhook"),
    "a number of a carrier": ("assistant_numbers", "assistant"),
}


async def test_what_refers_to_another_orgs_row_is_led_elsewhere(
    here: Site, there: Site, tmp_path: Path
) -> None:
    """The row that it names may be gone where the file comes from: so its id moves, as others."""
    await Filler(there, "theirs").fill("other", each=50)
    _, before = await there.content("other", tmp_path)
    whole = (await exported(here, tmp_path)).read_bytes()
    path = tmp_path / "bad.org"
    for table, column in REFERRING.values():
        path.write_bytes(whole)
        forge(path, referring(table, column))
        with contextlib.suppress(Conflict):
            # Where the schema demands such a row, it is not taken at all.
            assert (await there.mover.take_in(path, unseen)).shifts
        assert (await there.content("other", tmp_path))[1] == before, (table, column)
        if table in {"messages", "conversations"}:
            assert not there.rows(
                f"SELECT 1 FROM {table} WHERE {column} = 40 AND org <> ("
                "SELECT id FROM orgs WHERE name = 'other')"
            )
        await there.accounts.orgs.remove("myorg")
        await there.cleared()


def referring(table: str, column: str) -> Change:
    def change(head: dict[str, Any], tables: dict[str, list[list[Any]]]) -> None:
        # Nothing of its own takes an id, so that only the reference meets the other org.
        for parent in {*SPACES} - {"orgs"}:
            place = head["tables"][parent].index("n" if parent == "deliveries" else "id")
            for row in tables[parent]:
                row[place] += 1000
        put(table, column, 40)(head, tables)

    return change


async def test_a_file_names_no_key_of_another_org(here: Site, there: Site, tmp_path: Path) -> None:
    await Filler(there, "theirs").fill("other")
    key = there.rows("SELECT id FROM api_keys LIMIT 1")[0][0]
    _, before = await there.content("other", tmp_path)
    whole = (await exported(here, tmp_path)).read_bytes()
    path = tmp_path / "bad.org"
    for table in ("messages", "webhooks", "hooks", "key_sends", "ended_keys"):
        path.write_bytes(whole)
        forge(path, put(table, "key", key))
        with pytest.raises(Conflict, match="API key of another org"):
            await there.mover.take_in(path, unseen)
        assert (await there.content("other", tmp_path))[1] == before
        await there.accounts.orgs.remove("myorg")
        await there.cleared()


async def test_a_file_that_is_replaced_meanwhile_is_refused(
    here: Site, there: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await exported(here, tmp_path)
    other = tmp_path / "other.org"
    await here.mover.export("myorg", other, unseen)
    plan = there.accounts.moves.plan

    async def swapped(*given: Any, **more: Any) -> Any:
        other.replace(path)
        return await plan(*given, **more)

    monkeypatch.setattr(there.accounts.moves, "plan", swapped)
    with pytest.raises(MoveFailed, match="replaced meanwhile"):
        await there.mover.take_in(path, unseen)


async def test_an_org_that_is_removed_while_it_comes_is_not_called_served(
    here: Site, there: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await exported(here, tmp_path)
    finish = there.accounts.moves.finish

    async def late(*given: Any) -> None:
        await there.accounts.orgs.remove("myorg")
        await finish(*given)

    monkeypatch.setattr(there.accounts.moves, "finish", late)
    with pytest.raises(Conflict, match="removed meanwhile"):
        await there.mover.take_in(path, unseen)


async def test_what_is_no_file_is_waited_for_by_nothing(
    here: Site, there: Site, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with trio.fail_after(PATIENCE_S):
        for one in (pipe, tmp_path, Path("/dev/zero")):
            with pytest.raises(MoveFailed):
                await there.mover.take_in(one, unseen)
        await Filler(here, "mine").fill("myorg")
        os.mkfifo(tmp_path / "myorg.org.part")
        with pytest.raises(MoveFailed, match="can't be written"):
            await here.mover.export("myorg", tmp_path / "myorg.org", unseen)


@pytest.mark.parametrize("way", ["link", "hard link", "another user"])
async def test_an_export_writes_into_no_file_of_another(
    here: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    await Filler(here, "mine").fill("myorg")
    others, part = tmp_path / "others", tmp_path / "myorg.org.part"
    others.write_text("theirs")
    if way == "link":
        part.symlink_to(others)
    elif way == "hard link":
        part.hardlink_to(others)
    else:
        others.rename(part)
        others = part
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(MoveFailed, match="can't be written"):
        await here.mover.export("myorg", tmp_path / "myorg.org", unseen)
    assert others.read_text() == "theirs"


async def test_lines_of_other_forms_are_refused(there: Site, tmp_path: Path) -> None:
    path = tmp_path / "bad.org"
    for line in (
        b"[" * 100_000,
        b'{"phonegate_org": "1"}',
        b'{"phonegate_org": 1}',
        b'{"phonegate_org": 1, "schema": 18}',
        b'{"phonegate_org": 2, "schema": 18, "version": "\\u001b[2J"}',
        b'{"phonegate_org": 1, "schema": 18, "tables": {"messages": 5}}',
        json.dumps({"a": 1}).encode(),
        b"",
    ):
        path.write_bytes(gzip.compress(line))
        with pytest.raises(MoveFailed) as refused:
            await there.mover.take_in(path, unseen)
        assert "\x1b" not in str(refused.value)

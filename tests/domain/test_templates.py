"""Templates: who may change them, and what they may be."""

import pytest

from phonegate.domain import templates as templates_module
from phonegate.domain.templates import Templates
from phonegate.model.contacts import Template
from phonegate.model.principal import Principal
from phonegate.model.refusals import BadInput, Conflict, Forbidden
from phonegate.store.database import Database
from tests.domain.callers import limited, owner


@pytest.fixture
async def org(database: Database) -> int:
    return (await database.write(lambda tx: tx.orgs.add("myorg", "hash", 1))).id


async def test_they_are_made_changed_and_removed(database: Database, org: int) -> None:
    templates, me = Templates(database), owner(org)
    first = await templates.put(me, "  On my way ", "I come,\r\n{name}")
    second = await templates.put(me, "late", "Sorry")
    assert first is not None
    assert await templates.of_org(me) == [
        Template(id=second or 0, name="late", body="Sorry"),
        Template(id=first, name="On my way", body="I come,\n{name}"),
    ]
    assert await templates.put(me, "Later", "No", instead_of=first) == first
    assert [one.name for one in await templates.of_org(me)] == ["late", "Later"]
    assert await templates.remove(me, first)
    assert not await templates.remove(me, first)
    assert await templates.put(me, "Later", "No", instead_of=first) is None


async def test_wrong_ones_are_refused(
    database: Database, org: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    templates, me = Templates(database), owner(org)
    await templates.put(me, "late", "Sorry")
    for name, body, fields in (
        ("", " \n", ["name", "body"]),
        ("x" * 101, "y" * 1601, ["name", "body"]),
        ("late", "y", ["name"]),
    ):
        with pytest.raises(BadInput) as caught:
            await templates.put(me, name, body)
        assert [one.field for one in caught.value.problems] == fields
    monkeypatch.setattr(templates_module, "MOST", 1)
    with pytest.raises(Conflict):
        await templates.put(me, "one more", "x")


async def test_a_key_that_sends_reads_them_and_changes_none(database: Database, org: int) -> None:
    templates = Templates(database)
    await templates.put(owner(org), "late", "Sorry")
    key = limited(org, to=("+1555*",))
    assert [one.name for one in await templates.of_org(key)] == ["late"]
    with pytest.raises(Forbidden):
        await templates.put(key, "x", "y")
    with pytest.raises(Forbidden):
        await templates.remove(key, 1)
    reader = Principal(org=org, org_name="myorg", scopes=("read",))
    assert await templates.of_org(reader) == []

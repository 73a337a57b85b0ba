"""What an org keeps in the console is no other's: not an older org's, and not a newer one's."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from phonegate.model.contacts import Contact
from phonegate.model.messages import NewMessage
from phonegate.store.database import Database
from phonegate.store.tables import Tables

NUMBER = "+15553334444"


def _fill(tx: Tables, name: str) -> int:
    org = tx.orgs.add(name, "hash", 1).id
    tx.contacts.put(org, [Contact(number=NUMBER, name=name)])
    tx.templates.add(org, name, "Hello")
    tx.batches.add(org, None, f"token-{name}", 1, b"draft")
    batch = tx.batches.find(org, f"token-{name}")
    assert batch is not None
    tx.batches.begin(batch.id, 2, b"digest", 1, b"draft")
    message = NewMessage(org=org, address=NUMBER, body=name, created_at=1, segments=1)
    tx.batches.accept(batch.id, 1, list(tx.messages.insert_all([message])))
    return org


READ: dict[str, Callable[..., Any]] = {
    "contacts of numbers": lambda tx, org: [
        one.name for one in tx.contacts.of_numbers(org, [NUMBER]).values()
    ],
    "contacts": lambda tx, org: [one.name for one in tx.contacts.page(org, limit=9)],
    "contacts found": lambda tx, org: [
        one.name for one in tx.contacts.page(org, limit=9, search=NUMBER)
    ],
    "templates": lambda tx, org: [one.name for one in tx.templates.of_org(org)],
    "batches begun": lambda tx, org: [
        one.token.removeprefix("token-")
        for one in tx.batches.begun(org, key=None, every=True, limit=9)
    ],
    "the same batch": lambda tx, org: [
        found.token.removeprefix("token-") if (found := tx.batches.same(org, b"digest", 0)) else ""
    ],
    "messages": lambda tx, org: [
        one.body for one in tx.messages.views_of(org, range(1, 9)).values()
    ],
    "conversations": lambda tx, org: [
        tx.messages.views_of(org, [one.last])[one.last].body for one in tx.conversations.newest(org)
    ],
}


@pytest.mark.parametrize("what", READ)
async def test_each_org_sees_its_own(database: Database, what: str) -> None:
    names = ("first", "second", "third")
    orgs = [await database.write(partial(_fill, name=name)) for name in names]
    for org, name in zip(orgs, names, strict=True):
        found = await database.read(partial(READ[what], org=org))
        assert found == [name]


async def test_a_batch_of_another_org_is_not_found(database: Database) -> None:
    orgs = [await database.write(partial(_fill, name=name)) for name in ("a", "b")]

    def look(tx: Tables) -> list[object]:
        return [tx.batches.find(orgs[0], "token-b"), tx.batches.find(orgs[1], "token-a")]

    assert await database.read(look) == [None, None]

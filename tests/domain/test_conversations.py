"""What readers see of conversations, what they find, and what they mark as read."""

from collections.abc import Sequence
from typing import Any, TypeVar

import attrs
import pytest

from phonegate.domain import conversations as module
from phonegate.domain.conversations import Conversations, ConversationView, Found, Thread
from phonegate.domain.message_access import KnownSims
from phonegate.model.contacts import Contact
from phonegate.model.principal import Principal
from phonegate.store.database import Database
from tests.domain.callers import limited, owner
from tests.store.conftest import inbound, outbound

T = TypeVar("T")

FRIEND, BANK, SHOP = "+15553334444", "+15559990000", "Amazon"


def as_is(found: T, _: KnownSims) -> T:
    return found


@attrs.frozen
class Scene:
    database: Database
    conversations: Conversations
    org: int

    async def receive(self, address: str, body: str = "hello") -> int:
        new = inbound(self.org, body, address=address, date=None)
        id_ = await self.database.write(lambda tx: tx.messages.insert_inbound(new))
        assert id_ is not None
        return id_

    async def send(self, address: str, body: str = "hi") -> int:
        new = outbound(self.org, body, address=address)
        return await self.database.write(lambda tx: tx.messages.insert(new))

    async def page(self, reader: Principal, **asked: Any) -> Sequence[ConversationView]:
        page = await self.conversations.page(reader, as_is, **asked)
        return page.conversations

    async def found(self, reader: Principal, text: str, **asked: Any) -> Found:
        return await self.conversations.find(reader, text, as_is, **asked)

    async def around(self, reader: Principal, id_: int, limit: int = 50) -> Thread | None:
        return await self.conversations.around(reader, id_, as_is, limit=limit)


@pytest.fixture
async def scene(database: Database) -> Scene:
    org = (await database.write(lambda tx: tx.orgs.add("myorg", "hash", 1))).id
    return Scene(database, Conversations(database), org)


def addresses(found: Sequence[ConversationView]) -> list[str]:
    return [one.address for one in found]


async def test_pages_go_on_where_the_last_one_ended(scene: Scene) -> None:
    for address in (FRIEND, BANK, SHOP, FRIEND):
        await scene.receive(address)
    await scene.send(BANK, "bye")
    reader = owner(scene.org)
    first = await scene.conversations.page(reader, as_is, limit=2)
    assert [(one.address, one.last.body, one.unread) for one in first.conversations] == [
        (BANK, "bye", 1),
        (FRIEND, "hello", 2),
    ]
    rest = await scene.conversations.page(reader, as_is, before=first.before, limit=2)
    assert addresses(rest.conversations) == [SHOP]
    assert rest.before is None


async def test_what_was_read_is_so_for_all_who_read_for_the_org(scene: Scene) -> None:
    first = await scene.receive(FRIEND)
    last = await scene.receive(FRIEND)
    key, secret = limited(scene.org, sees=(FRIEND,)), owner(scene.org)
    assert await scene.conversations.mark_read(key, FRIEND, first)
    assert [one.unread for one in await scene.page(secret)] == [1]
    assert not await scene.conversations.mark_read(secret, FRIEND, first)
    assert await scene.conversations.unread(secret) == 1
    assert await scene.conversations.mark_read(secret, FRIEND, last)
    assert await scene.page(key, only_unread=True) == []
    assert await scene.conversations.unread(secret) == 0
    assert await scene.conversations.mark_unread(secret, FRIEND)
    shown = await scene.conversations.one(key, FRIEND, as_is)
    assert shown is not None
    assert (shown.unread, shown.read_to) == (1, last - 1)


async def test_a_limited_key_sees_and_marks_its_parties_alone(scene: Scene) -> None:
    friends, banks = await scene.receive(FRIEND), await scene.receive(BANK, "code 493021")
    key = limited(scene.org, sees=(FRIEND,))
    assert addresses(await scene.page(key)) == [FRIEND]
    assert await scene.conversations.unread(key) == 1
    assert await scene.conversations.one(key, BANK, as_is) is None
    assert await scene.around(key, banks) is None
    assert (await scene.found(key, "code")).messages == []
    assert (await scene.found(key, "+1555")).conversations == [(await scene.page(key))[0]]
    assert not await scene.conversations.mark_read(key, BANK, banks)
    assert not await scene.conversations.mark_unread(key, BANK)
    assert await scene.conversations.mark_all_read(key, banks) == 1
    assert await scene.conversations.unread(owner(scene.org)) == 1
    assert friends < banks


async def test_codes_are_blanked_and_not_found_out(scene: Scene) -> None:
    id_ = await scene.receive(BANK, "Your code is 493021")
    key = limited(scene.org, codes_hidden=True)
    texts = [(await scene.page(key))[0].last.body]
    shown = await scene.conversations.one(key, BANK, as_is)
    thread = await scene.around(key, id_)
    found = await scene.found(key, "code")
    assert shown is not None
    assert thread is not None
    texts += [shown.last.body, thread.messages[0].body, found.messages[0].body]
    assert not any("493021" in text for text in texts)
    sought = await scene.found(key, "493021")
    assert (sought.messages, sought.texts_searched) == ((), False)
    assert addresses((await scene.found(key, "1555999")).conversations) == [BANK]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+1 (555) 333", [FRIEND]),
        ("1555", [BANK, FRIEND]),
        ("001555333", [FRIEND]),
        ("ama", [SHOP]),
        ("AMAZON", [SHOP]),
        ("Amazonia", []),
        ("+", []),
        ("  ", []),
    ],
)
async def test_the_beginning_of_an_address_finds_it(
    scene: Scene, text: str, expected: list[str]
) -> None:
    for address in (FRIEND, SHOP, BANK):
        await scene.receive(address, "")
    assert addresses((await scene.found(owner(scene.org), text)).conversations) == expected


async def test_names_are_shown_and_found_as_far_as_the_reader_may_know_them(scene: Scene) -> None:
    for address in (FRIEND, BANK, SHOP):
        await scene.receive(address, "rain")
    contacts = [Contact(number=FRIEND, name="Zoë Frost"), Contact(number=BANK, name="The Bank")]
    await scene.database.write(lambda tx: tx.contacts.put(scene.org, contacts))
    reader, key = owner(scene.org), limited(scene.org, sees=(FRIEND,))
    names = [one.name for one in await scene.page(reader)]
    assert names == [None, "The Bank", "Zoë Frost"]
    assert (await scene.found(reader, "rain")).names == {FRIEND: "Zoë Frost", BANK: "The Bank"}
    assert addresses((await scene.found(reader, "frost")).conversations) == [FRIEND]
    assert addresses((await scene.found(key, "o")).conversations) == [FRIEND]
    assert addresses((await scene.found(key, "bank")).conversations) == []
    sends_to_all = limited(scene.org, sees=(FRIEND,), to=("+1555*",))
    assert addresses((await scene.found(sends_to_all, "bank")).conversations) == []


async def test_texts_are_found_page_by_page(scene: Scene) -> None:
    ids = [await scene.receive(address, "rain today") for address in (FRIEND, BANK, SHOP)]
    reader = owner(scene.org)
    first = await scene.found(reader, "rain", limit=2)
    assert [one.id for one in first.messages] == [ids[2], ids[1]]
    rest = await scene.found(reader, "rain", before=first.before, limit=2)
    assert [one.id for one in rest.messages] == [ids[0]]
    assert rest.before is None


async def test_around_a_message_are_those_of_its_conversation(scene: Scene) -> None:
    ids = []
    for _ in range(5):
        ids.append(await scene.receive(FRIEND))
        await scene.receive(BANK)
    reader = owner(scene.org)
    found = await scene.around(reader, ids[2], limit=2)
    assert found is not None
    assert ([one.id for one in found.messages], found.older, found.newer) == (ids[2:4], True, True)
    found = await scene.around(reader, ids[0], limit=20)
    assert found is not None
    assert ([one.id for one in found.messages], found.older, found.newer) == (ids, False, False)
    assert await scene.around(reader, 10**30) is None


async def test_all_is_read_but_what_came_after(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_AT_ONCE", 2)
    for address in (FRIEND, BANK, SHOP):
        newest = await scene.receive(address)
    await scene.receive(BANK)
    reader = owner(scene.org)
    assert await scene.conversations.mark_all_read(reader, newest) == 3
    assert [(one.address, one.unread) for one in await scene.page(reader, only_unread=True)] == [
        (BANK, 1)
    ]

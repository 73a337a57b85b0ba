"""The address book: who may know and change what."""

from typing import Any

import pytest

from phonegate.domain import contacts as contacts_module
from phonegate.domain.contacts import Contacts, Imported, tidy
from phonegate.model.contacts import Contact
from phonegate.model.principal import Principal
from phonegate.model.refusals import BadInput, Conflict, Forbidden
from phonegate.store.database import Database
from tests.domain.callers import limited, owner

ANNA = Contact(number="+15551110001", name="Anna Ábel", label="mobile")
BEN = Contact(number="+15552220002", name="Ben")
TAXI = Contact(number="12345", name="Taxi")


@pytest.fixture
async def org(database: Database) -> int:
    return (await database.write(lambda tx: tx.orgs.add("myorg", "hash", 1))).id


@pytest.fixture
async def book(database: Database, org: int) -> Contacts:
    made = Contacts(database)
    await made.take(owner(org), [BEN, TAXI, ANNA])
    return made


async def test_a_page_tells_nothing_of_where_a_hidden_name_stands(book: Contacts, org: int) -> None:
    reader = limited(org, sees=("+1555111*", "12345"))
    whole = await book.page(reader)
    assert [one.name for one in whole.contacts] == [ANNA.name, TAXI.name]
    # Ben stands between them.
    assert await book.page(reader, after=BEN.number) == whole
    assert (await book.page(reader, after=ANNA.number)).contacts == (TAXI,)


async def test_names_are_found_however_an_address_is_written(book: Contacts, org: int) -> None:
    asked = ["+15551110001", "15552220002", "12345", "AMAZON", "+19990000000"]
    assert await book.names_of(owner(org), asked) == {
        "+15551110001": "Anna Ábel",
        "15552220002": "Ben",
        "12345": "Taxi",
    }


async def test_another_org_has_its_own(database: Database, book: Contacts, org: int) -> None:
    other = (await database.write(lambda tx: tx.orgs.add("other", "hash", 1))).id
    assert await book.names_of(owner(other), [ANNA.number]) == {}
    assert (await book.page(owner(other))).total == 0
    assert not await book.remove(owner(other), ANNA.number)


@pytest.mark.parametrize(
    ("limits", "names"),
    [
        ({"per_day": 5}, {"Anna Ábel", "Ben", "Taxi"}),
        ({"sees": ("+1555111*",)}, {"Anna Ábel"}),
        ({"to": ("+15552220002",)}, {"Ben"}),
        ({"sees": ("+1555111*",), "to": ("12345",)}, {"Anna Ábel", "Taxi"}),
        ({"sees": ("+1999*",)}, set()),
    ],
)
async def test_a_limited_key_knows_only_its_own(
    book: Contacts, org: int, limits: dict[str, Any], names: set[str]
) -> None:
    key = limited(org, **limits)
    numbers = [ANNA.number, BEN.number, TAXI.number]
    assert set((await book.names_of(key, numbers)).values()) == names
    page = await book.page(key)
    assert ({one.name for one in page.contacts}, page.total) == (names, len(names))
    assert {one.name for one in await book.all(key)} == names
    assert {one.name for one in (await book.of_numbers(key, numbers)).values()} == names
    found = await book.of_names(key, ["anna abel", "BEN", "taxi"])
    assert {one.name for some in found.values() for one in some} == names
    suggested = [await book.suggest(key, text) for text in ("anna", "222", "taxi")]
    assert {one.name for some in suggested for one in some} == names


async def test_only_manage_may_change(book: Contacts, org: int) -> None:
    reader = Principal(org=org, org_name="myorg", scopes=("read", "send"), key_id="k")
    for call in (
        lambda: book.put(reader, ANNA),
        lambda: book.take(reader, [ANNA]),
        lambda: book.remove(reader, ANNA.number),
        lambda: book.clear(reader),
    ):
        with pytest.raises(Forbidden, match="manage"):
            await call()
    phone = Principal(org=org, org_name="myorg", scopes=("phone",), key_id="k")
    assert await book.names_of(phone, [ANNA.number]) == {}
    with pytest.raises(Forbidden):
        await book.page(phone)


async def test_pages_go_by_name_and_miss_nothing(
    database: Database, org: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contacts_module, "PAGE", 3)
    book = Contacts(database)
    await book.take(
        owner(org), [Contact(number=f"+1555000{at:04}", name=f"N{at % 4}") for at in range(10)]
    )
    seen: list[Contact] = []
    after: str | None = ""
    while after is not None:
        page = await book.page(owner(org), after=after)
        assert page.total == 10
        seen += page.contacts
        after = page.following
    assert seen == sorted(seen, key=lambda one: (one.name, one.number))
    assert len({one.number for one in seen}) == 10


async def test_search_looks_at_names_and_numbers(book: Contacts, org: int) -> None:
    for text, names in (("ABEL", ["Anna Ábel"]), ("222-00", ["Ben"]), ("%", []), ("zz", [])):
        page = await book.page(owner(org), text)
        assert [one.name for one in page.contacts] == names
        assert page.total == len(names)


async def test_a_contact_is_changed_with_its_number(book: Contacts, org: int) -> None:
    me = owner(org)
    changed = Contact(number=" 0049 (171) 555-01 ", name=" Anna\n Ábel ", label="home")
    stored = await book.put(me, changed, instead_of=ANNA.number)
    assert stored == Contact(number="+4917155501", name="Anna Ábel", label="home")
    assert await book.find(me, ANNA.number) is None
    assert await book.find(me, "+4917155501") == stored
    assert await book.remove(me, "+4917155501")
    assert not await book.remove(me, "+4917155501")


async def test_every_wrong_field_is_named(book: Contacts, org: int) -> None:
    with pytest.raises(BadInput) as caught:
        await book.put(owner(org), Contact(number="0171 5550001", name="\n", label="x" * 31))
    assert [one.field for one in caught.value.problems] == ["number", "name", "label"]
    assert "country code" in caught.value.problems[0].problem


async def test_an_import_says_what_it_changed(book: Contacts, org: int) -> None:
    read = [ANNA, Contact(number=BEN.number, name="Benno"), Contact(number="+15553", name="New")]
    assert await book.take(owner(org), read) == Imported(added=1, changed=1, same=1)
    assert await book.take(owner(org), read) == Imported(same=3)


async def test_there_is_an_end_to_it(
    book: Contacts, org: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contacts_module, "MOST", 4)
    new = [Contact(number=f"+1555000{at}", name="x") for at in range(2)]
    with pytest.raises(Conflict, match="4 contacts"):
        await book.take(owner(org), new)
    assert (await book.page(owner(org))).total == 3
    await book.put(owner(org), new[0])
    with pytest.raises(Conflict):
        await book.put(owner(org), new[1])
    await book.put(owner(org), Contact(number=new[0].number, name="y"))


def test_a_name_can_not_turn_the_page_round() -> None:
    assert tidy("a\u202eb\u2066\tc\x00\n d\u200f") == "a b c d"

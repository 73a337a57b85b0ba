"""The list of conversations over HTTP: its order, its pages, what is unread, what a row has."""

import html
import re
from urllib.parse import quote

import pytest

from phonegate.model.contacts import Contact
from tests.api.conftest import ORG, Web
from tests.pages.console.conftest import Person
from tests.pages.console.conversations.test_thread import ANN, receive

ADDRESSES = re.compile(r'<li class="talk[^"]*" data-address="([^"]*)"')


@pytest.fixture
async def person(web: Web) -> Person:
    return await Person.signed_in(web)


def addresses(page: str) -> list[str]:
    return [html.unescape(found) for found in ADDRESSES.findall(page)]


async def test_all_conversations_are_on_some_page_once(web: Web, person: Person) -> None:
    messages = [
        {"address": f"+1555{number:07}", "body": "hi", "date": 1_700_000_000_000 + number}
        for number in range(70)
    ]
    await web.call("POST", "/webhook", {"org_id": ORG, "messages": messages})
    first = (await person.look("/conversations")).text
    more = re.search(r'id="more" href="([^"]+)"', first)
    assert more is not None
    path = html.unescape(more[1]).removeprefix("/console")
    second = (await person.look(path)).text
    part = (await person.look(f"{path}&part=list")).text
    assert addresses(second) == addresses(part)
    assert "<html" not in part
    found = addresses(first) + addresses(second)
    assert found == [f"+1555{number:07}" for number in reversed(range(70))]
    assert 'id="more"' not in second
    assert "70</b>" in first


async def test_a_row_has_the_last_text_and_the_state_of_what_was_sent(
    web: Web, person: Person
) -> None:
    await receive(web, "Dinner\n\nat   eight?")
    row = (await person.look("/conversations?part=list")).text
    assert "Dinner at eight?" in row
    assert '<span>1</span><span class="told"> unread</span>' in row
    await web.call("POST", f"/send/{ORG}", {"to": ANN, "body": "Gladly"})
    row = (await person.look("/conversations?part=list")).text
    assert "Gladly" in row
    assert '<span class="told">Waiting:</span>' in row


async def test_only_what_is_unread_is_listed_where_that_is_asked_for(
    web: Web, person: Person
) -> None:
    upto = await receive(web, "one", ANN)
    await receive(web, "two", "+15550000002", date=1_700_000_000_001)
    await person.send(f"/conversations/{ANN}/read", {"upto": str(upto)})
    assert addresses((await person.look("/conversations?unread=1")).text) == ["+15550000002"]
    assert len(addresses((await person.look("/conversations")).text)) == 2
    await receive(web, "three", "+15550000003", date=1_700_000_000_002)
    seen = re.search(
        r'name="upto" value="(\d+)">Mark all', (await person.look("/conversations")).text
    )
    assert seen is not None
    await person.send("/read-all", {"upto": seen[1]})
    page = (await person.look("/conversations?unread=1")).text
    assert "Everything is read" in page


async def test_a_party_has_the_name_of_its_contact(web: Web, person: Person) -> None:
    await receive(web, "Hello")
    assert f"/contacts/new?number={quote(ANN)}" in (await person.look(f"/conversations/{ANN}")).text
    ann = Contact(number=ANN, name="<Ann>")
    owner = (await web.services.accounts.orgs.named(ORG)).id
    await web.database.write(lambda tx: tx.contacts.put(owner, [ann]))
    page = (await person.look("/conversations")).text
    assert "&lt;Ann&gt;" in page
    thread = (await person.look(f"/conversations/{ANN}")).text
    assert ">&lt;Ann&gt;</h2>" in thread
    assert ANN in thread
    assert f'/contacts/{quote(ANN)}">Contact</a>' in thread


@pytest.mark.parametrize("query", ["before=x", "before=-1", "before=" + "9" * 40, "at=x", "q=%00"])
async def test_odd_queries_do_no_harm(web: Web, person: Person, query: str) -> None:
    await receive(web, "Hello")
    await person.look(f"/conversations?{query}")
    await person.look(f"/conversations/{ANN}?{query}")

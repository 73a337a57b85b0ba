"""Events are shown, chosen and paged through."""

import re

from phonegate.store.tables import Tables
from tests.api.conftest import ORG, Web
from tests.pages.console.conftest import Person
from tests.store.conftest import inbound

SCRIPT = {"X-Console": "script"}


async def receive(web: Web, count: int, *, address: str = "+15551112222", body: str = "hi") -> None:
    def op(tx: Tables) -> None:
        org = tx.orgs.get(ORG)
        assert org is not None
        for _ in range(count):
            tx.messages.insert_inbound(inbound(org.id, address=address, body=body, date=None))

    await web.database.write(op)


def ids(text: str) -> list[int]:
    return [int(one) for one in re.findall(r'data-id="(\d+)"', text)]


async def test_what_happens_is_shown_from_the_first_look_on(web: Web) -> None:
    person = await Person.signed_in(web)
    await receive(web, 1)
    first = await person.look("/events")
    assert "Nothing yet" in first.text
    await receive(web, 1, body="<script>alert(1)</script>")
    page = await person.look("/events")
    assert len(ids(page.text)) == 1
    assert "from +15551112222: &lt;script&gt;" in page.text
    assert "<script>alert" not in page.text
    assert "/events/myorg" in page.text


async def test_events_are_paged_to_the_oldest_and_none_twice(web: Web) -> None:
    person = await Person.signed_in(web)
    await person.look("/events")
    await receive(web, 120)
    at: str | None = "/events"
    seen: list[int] = []
    while at is not None:
        page = await person.look(at)
        seen += ids(page.text)
        older = re.search(r'data-load href="/console([^"]+)"', page.text)
        at = None if older is None else older[1].replace("&amp;", "&")
    assert len(seen) == len(set(seen)) == 120
    assert seen == sorted(seen, reverse=True)


async def test_a_script_gets_the_rows_that_are_new(web: Web) -> None:
    person = await Person.signed_in(web)
    await person.look("/events")
    await receive(web, 3)
    page = await person.look("/events")
    last = re.search(r'data-last="(\d+)"', page.text)
    assert last is not None
    await receive(web, 2)
    part = await person.client.get(f"/console/events?since_id={last[1]}", headers=SCRIPT)
    assert "<html" not in part.text
    new = ids(part.text)
    assert len(new) == 2
    assert min(new) > max(ids(page.text))
    assert new == sorted(new, reverse=True)
    wrong = await person.client.get("/console/events?types=message.recieved", headers=SCRIPT)
    assert (wrong.status_code, wrong.json()["code"]) == (400, "bad_input")


async def test_events_are_chosen_by_type_and_party(web: Web) -> None:
    person = await Person.signed_in(web)
    await person.look("/events")
    await receive(web, 2, address="+15551")
    await receive(web, 3, address="+15552")
    assert len(ids((await person.look("/events?types=message.*&address=%2B15551")).text)) == 2
    none = await person.look("/events?types=phone.offline&address=")
    assert "Nothing that fits" in none.text
    assert '<option value="phone.offline" selected>' in none.text
    wrong = await person.look("/events?types=message.recieved", 400)
    assert 'id="f-types-problem"' in wrong.text


async def test_a_key_sees_the_events_that_its_limits_let_it_see(web: Web) -> None:
    limited = {"name": "agent", "scopes": ["read"], "limits": {"from": ["+15552*"]}}
    key = (await web.call("POST", f"/keys/{ORG}", limited)).json["key"]
    person = await Person.signed_in(web, secret=key, org="")
    await person.look("/events")
    await receive(web, 2, address="+15551")
    await receive(web, 3, address="+15552")
    page = await person.look("/events")
    assert len(ids(page.text)) == 3
    assert "+15551:" not in page.text

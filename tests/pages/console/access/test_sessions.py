"""The screen of sessions: whose it shows, and whose it ends."""

import re

from tests.api.conftest import OPERATOR_TOKEN, ORG, SECRET, Web, database, web
from tests.pages.console.conftest import Person

__all__ = ["database", "web"]

_END = re.compile(r"/console/sessions/(\d+)/end")


async def key(web: Web, name: str, *scopes: str) -> str:
    org = (await web.services.accounts.orgs.named(ORG)).id
    _, text = await web.services.accounts.keys.add(org, name, scopes)  # type: ignore[arg-type] # some
    return text


async def shown(person: Person) -> list[str]:
    return _END.findall((await person.look("/sessions")).text)


async def test_who_may_manage_sees_and_ends_all_of_the_org(web: Web) -> None:
    owner = await Person.signed_in(web)
    reader = await Person.signed_in(web, await key(web, "reader", "read"), org="")
    operator = await Person.signed_in(web, OPERATOR_TOKEN, org="")
    assert len(await shown(owner)) == 2
    (mine,) = await shown(reader)
    (other,) = await shown(operator)
    assert "by the API key <bdi>reader</bdi>" in (await owner.look("/sessions")).text
    answer = await owner.send(f"/sessions/{mine}/end")
    assert answer.headers["location"] == "/console/sessions"
    assert "has ended" in (await owner.look("/sessions")).text
    assert (await reader.client.get("/console/sessions")).status_code == 303
    assert (await owner.send(f"/sessions/{other}/end")).status_code == 404
    assert len(await shown(operator)) == 1


async def test_others_see_and_end_those_of_their_own_key(web: Web) -> None:
    owner = await Person.signed_in(web)
    text = await key(web, "reader", "read")
    one, two = [await Person.signed_in(web, text, org="") for _ in range(2)]
    await Person.signed_in(web, await key(web, "another", "read"), org="")
    assert len(await shown(one)) == 2
    (of_owner,) = set(await shown(owner)) - set(await shown(one)) - _of_others(await shown(owner))
    assert (await one.send(f"/sessions/{of_owner}/end")).status_code == 404
    await one.send("/sessions/end")
    assert len(await shown(one)) == 1
    assert (await two.client.get("/console/sessions")).status_code == 303
    assert len(await shown(owner)) == 3


def _of_others(ids: list[str]) -> set[str]:
    return set(sorted(ids, key=int)[1:])


async def test_one_s_own_end_is_a_sign_out(web: Web) -> None:
    person = await Person.signed_in(web)
    (mine,) = await shown(person)
    answer = await person.send(f"/sessions/{mine}/end")
    assert answer.headers["location"] == "/console/sign-in"
    assert "Max-Age=0" in answer.headers["set-cookie"]


async def test_what_a_browser_says_of_itself_is_text(web: Web) -> None:
    hostile = Person(web, web.client())
    hostile.client.headers["User-Agent"] = '"><script>alert(1)</script>' + "x" * 5_000
    page = await hostile.client.get("/console/sign-in")
    token = page.text.partition('name="csrf" value="')[2].partition('"')[0]
    form = {"org": ORG, "secret": SECRET, "csrf": token}
    await hostile.client.post("/console/sign-in", data=form)
    text = (await hostile.look("/sessions")).text
    assert "<script>alert" not in text
    assert len(text) < 20_000


async def test_no_number_is_none(web: Web) -> None:
    person = await Person.signed_in(web)
    for wanted in ("0", "99", "x", "-1", "1%20", "9" * 400):
        assert (await person.send(f"/sessions/{wanted}/end")).status_code == 404

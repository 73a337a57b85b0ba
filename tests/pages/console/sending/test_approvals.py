"""The screen of approvals: what waits, who asked, and the decision."""

import pytest

from phonegate.model.contacts import Contact
from phonegate.model.principal import Principal
from phonegate.pages.console.sending import approvals
from phonegate.pages.console.sending.approvals import decided_words
from tests.api.conftest import ORG, Web
from tests.pages.console.conftest import Person

TO = "+15553334444"
EVIL = "<script>alert(1)</script>\u202e" + "x" * 500
SCRIPT = {"X-Console": "script"}


@pytest.fixture
async def person(web: Web) -> Person:
    return await Person.signed_in(web)


async def hold(web: Web, *texts: str) -> list[int]:
    """Sends texts by a key whose messages are held."""
    made = await web.call(
        "POST", f"/keys/{ORG}", {"name": "the shop", "scopes": ["send"], "limits": {"hold": True}}
    )
    messages = [{"to": TO, "body": text} for text in texts]
    headers = {"Authorization": f"Bearer {made.json['key']}"}
    sent = await web.call(
        "POST", f"/send/{ORG}", {"messages": messages}, secret=None, headers=headers
    )
    return [one["id"] for one in sent.json["results"]]


async def status(web: Web, id_: int) -> tuple[str, str | None]:
    message = (await web.call("GET", f"/messages/{ORG}/id/{id_}")).json["message"]
    return message["status"], message["waiting_for"]


async def waiting(person: Person) -> int:
    answer = await person.client.get("/console/approvals/count", headers=SCRIPT)
    found: int = answer.json()["waiting"]
    return found


async def test_what_waits_is_shown_with_who_asked(web: Web, person: Person) -> None:
    assert "Nothing waits for approval." in (await person.look("/approvals")).text
    org = await web.services.accounts.orgs.named(ORG)
    owner = Principal(org=org.id, org_name=ORG, scopes=("manage",))
    await web.services.contacts.put(owner, Contact(number=TO, name="Ada"))
    (id_,) = await hold(web, EVIL)
    page = (await person.look("/approvals")).text
    assert "&lt;script&gt;" in page
    assert "<script>alert" not in page
    assert "<bdi>the shop</bdi>" in page
    assert "<bdi>Ada</bdi>" in page
    assert f'href="/console/conversations/%2B{TO[1:]}"' in page
    assert f'value="{id_}"' in page
    assert 'data-count="/approvals"' in page
    assert await waiting(person) == 1
    part = await person.client.get("/console/approvals", headers=SCRIPT)
    assert "the shop" in part.text
    assert "<html" not in part.text


async def test_one_or_several_are_decided(web: Web, person: Person) -> None:
    ids = await hold(web, *"abcdef")
    answer = await person.send("/approvals", {"approve": str(ids[0])})
    assert answer.status_code == 303
    assert "1 message approved: it leaves." in (await person.look("/approvals")).text
    await person.send("/approvals", {"refuse": str(ids[1]), "id": [str(ids[2])]})
    assert await status(web, ids[0]) == ("queued", "phone")
    assert (await status(web, ids[1]))[0] == "cancelled"
    assert await status(web, ids[2]) == ("queued", "approval")
    ticked = [str(one) for one in ids[:4]]
    await person.send("/approvals", {"do": "approve", "id": ticked})
    # The first was approved before, and stays so; the second was refused.
    said = (await person.look("/approvals")).text
    assert "3 messages approved: they leave. 1 was decided already, or waited no longer." in said
    await person.send("/approvals", {"do": "refuse", "id": [str(ids[4]), str(ids[5])]})
    assert "2 messages refused: they are cancelled." in (await person.look("/approvals")).text
    assert await waiting(person) == 0
    await person.send("/approvals", {"do": "refuse"})
    assert "No message was ticked." in (await person.look("/approvals")).text
    assert (await person.send("/approvals", {"do": "other"})).status_code == 400
    assert (await person.send("/approvals", {"approve": "x"})).status_code == 400


async def test_many_are_shown_in_pages(
    web: Web, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approvals, "PER_PAGE", 2)
    monkeypatch.setattr(approvals, "COUNTED", 2)
    ids = await hold(web, *"abc")
    page = (await person.look("/approvals")).text
    assert f"since={ids[1]}" in page
    assert f'value="{ids[2]}"' not in page
    page = (await person.look(f"/approvals?since={ids[1]}")).text
    assert f'value="{ids[2]}"' in page
    assert "Next ones" not in page
    await person.look("/approvals?since=x", 400)
    assert await waiting(person) == 2


async def test_who_may_not_decide_is_not_asked(web: Web) -> None:
    (id_,) = await hold(web, "a")
    made = await web.call("POST", f"/keys/{ORG}", {"name": "r", "scopes": ["read", "send"]})
    reader = await Person.signed_in(web, made.json["key"], org="")
    assert "/console/approvals" not in (await reader.look("/phones")).text
    await reader.look("/approvals", 403)
    await reader.look("/approvals/count", 403)
    assert (await reader.send("/approvals", {"approve": str(id_)})).status_code == 403
    assert await status(web, id_) == ("queued", "approval")


def test_what_was_decided_is_said() -> None:
    assert decided_words("refuse", 1, 2) == (
        "1 message refused: it is cancelled. 2 were decided already, or waited no longer."
    )
    assert decided_words("approve", 0, 1) == "1 was decided already, or waited no longer."

"""The list of conversations and a conversation over HTTP, as a browser without scripts has them."""

import html as html_module
import re
from collections.abc import Sequence
from html.parser import HTMLParser

import pytest
from markupsafe import escape

from tests.api.conftest import ORG, Web, known_phone
from tests.pages.console.conftest import Person

ANN = "+15553334444"

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\u202egnp.exe \u2066nested\u2069",
    "w" * 10_000,
    "\U0001f600" * 1_600,
    "שלום עולם",
    '=HYPERLINK("http://evil.example")',
    "{{ 7*7 }} {% raw %} javascript:alert(1) https://evil.example/x",
)


class Tags(HTMLParser):
    """The tags of a page, as a browser finds them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.handlers: list[str] = []
        self.sources: list[str] = []
        self.inline: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.handlers += [name for name in given if name.startswith("on") or name == "style"]
        self.sources += [given[name] or "" for name in ("src", "href", "action") if name in given]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)


async def receive(web: Web, body: str, address: str = ANN, date: int = 1_700_000_000_000) -> int:
    sms = {"address": address, "body": body, "date": date, "sim_slot": 0}
    call = {"org_id": ORG, "messages": [sms]}
    assert (await web.call("POST", "/webhook", call)).json["stored"] == 1
    page = (await web.call("GET", f"/messages/{ORG}?limit=1")).json
    found: int = page["messages"][0]["id"]
    return found


@pytest.fixture
async def person(web: Web) -> Person:
    return await Person.signed_in(web)


async def test_an_empty_list_says_what_comes_next(person: Person) -> None:
    page = await person.look("/conversations")
    assert "No messages yet" in page.text


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_texts_are_shown_as_text(web: Web, person: Person, body: str) -> None:
    await receive(web, body, "<b>BANK</b>")
    for path in ("/conversations", "/conversations/%3Cb%3EBANK%3C%2Fb%3E"):
        page = (await person.look(path)).text
        tags = Tags(page)
        assert (tags.handlers, tags.inline) == ([], [])
        assert all(source.startswith(("/", "#")) for source in tags.sources), tags.sources
        assert "<b>BANK" not in page
        assert 'href="https://evil' not in page
    assert str(escape(body[:1_000])) in page
    assert 'dir="auto"' in page


async def test_a_conversation_is_answered_without_a_script(web: Web, person: Person) -> None:
    await known_phone(web.database)
    await receive(web, "Dinner?")
    page = (await person.look(f"/conversations/{ANN}")).text
    assert "Dinner?" in page
    assert 'value="sim:+15551112222"' in page
    key = re.search(r'name="key" value="([^"]+)"', page)
    assert key is not None
    form = {"body": "At eight.\r\nBring wine", "sender": "", "key": key[1]}
    for _ in range(2):  # a form that is sent twice sends one message
        answer = await person.send(f"/conversations/{ANN}/send", form)
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            "/console/conversations/%2B15553334444",
        )
    page = (await person.look(f"/conversations/{ANN}")).text
    assert page.count("At eight.\nBring wine") == 1
    assert "Waiting for the phone, which is away" in page


async def test_what_is_refused_stands_beside_the_box_with_the_draft(
    web: Web, person: Person
) -> None:
    await receive(web, "Hello")
    form = {"body": "x" * 1_601, "sender": "", "key": "k1", "send_at": "2026-13-40T99:99"}
    answer = await person.send(f"/conversations/{ANN}/send", form)
    assert answer.status_code == 400
    assert "x" * 1_601 in answer.text
    assert 'role="alert"' in answer.text
    assert "calendar" in answer.text or "1600" in answer.text


async def test_reading_is_marked_by_a_form_and_never_by_looking(web: Web, person: Person) -> None:
    newest = await receive(web, "Hello")
    for _ in range(2):
        page = (await person.look(f"/conversations/{ANN}")).text
        assert "Mark as read" in page
    answer = await person.send(f"/conversations/{ANN}/read", {"upto": str(newest)}, script=True)
    assert answer.json() == {"ok": True, "unread": 0}
    assert "Mark as read" not in (await person.look(f"/conversations/{ANN}")).text
    await person.send(f"/conversations/{ANN}/read", {"unread": "1"})
    assert (await person.look("/unread")).json()["unread"] == 1
    await person.send("/read-all", {"upto": str(newest)})
    assert (await person.look("/unread")).json()["unread"] == 0


async def test_a_message_is_sent_again_once_and_cancelled(web: Web, person: Person) -> None:
    await receive(web, "Hello")
    made = await web.call("POST", f"/send/{ORG}", {"to": ANN, "body": "Late"})
    first = made.json["results"][0]["id"]
    page = (await person.look(f"/conversations/{ANN}")).text
    assert f"/messages/{first}/cancel" in page
    assert f"/messages/{first}/again" not in page
    answer = await person.send(f"/messages/{first}/cancel")
    assert answer.status_code == 303
    page = (await person.look(f"/conversations/{ANN}")).text
    assert "Cancelled" in page
    ids = set()
    for _ in range(2):
        answer = await person.send(f"/messages/{first}/again", script=True)
        assert answer.status_code == 200, answer.text
        ids.add(answer.json()["id"])
    assert len(ids) == 1
    assert ids != {first}
    assert f'id="m{ids.pop()}"' in answer.json()["html"]


async def test_older_messages_are_loaded_below_a_link(web: Web, person: Person) -> None:
    for number in range(60):
        await receive(web, f"text {number:02}", date=1_700_000_000_000 + number)
    page = (await person.look(f"/conversations/{ANN}")).text
    assert page.count('class="bubble theirs') == 50
    older = re.search(r'id="older" href="([^"]+)"', page)
    assert older is not None
    path = html_module.unescape(older[1]).removeprefix("/console")
    page = (await person.look(path)).text
    assert page.count('class="bubble theirs') == 10
    assert "Load older" not in page
    assert "Go to the newest messages" in page
    part = (await person.look(f"{path}&part=bubbles")).text
    assert part.count('class="bubble theirs') == 10
    assert "<html" not in part


async def test_a_search_opens_a_conversation_at_the_message(web: Web, person: Person) -> None:
    at = await receive(web, "The key is under the <mat>")
    await receive(web, "Thanks", date=1_700_000_000_001)
    page = (await person.look("/conversations?q=under")).text
    assert "<mark>under</mark> the &lt;mat&gt;" in page
    hit = re.search(rf'href="([^"]+at={at}[^"]*)"', page)
    assert hit is not None
    path = html_module.unescape(hit[1]).removeprefix("/console").partition("#")[0]
    page = (await person.look(path)).text
    assert "<mark>under</mark> the &lt;mat&gt;" in page
    assert f'data-at="{at}"' in page
    assert "Nothing has" in (await person.look("/conversations?q=nowhere")).text


async def test_senders_without_a_number_have_a_conversation_and_no_box(
    web: Web, person: Person
) -> None:
    await receive(web, "no name", "")
    await receive(web, "dots", "..")
    page = (await person.look("/conversations")).text
    assert "Unknown sender" in page
    assert "no name" in (await person.look("/conversations/%20")).text
    page = (await person.look("/conversations/%20..")).text
    assert "dots" in page
    assert 'id="reply"' not in page


async def test_a_key_with_limits_sees_its_own_parties_alone(web: Web) -> None:
    await receive(web, "Your code is 123456", ANN)
    await receive(web, "for others", "+15550009999")
    limits = {"from": [ANN], "codes": "hidden"}
    made = await web.call(
        "POST", f"/keys/{ORG}", {"name": "k", "scopes": ["read"], "limits": limits}
    )
    person = await Person.signed_in(web, made.json["key"], org="")
    page = (await person.look("/conversations")).text
    assert ANN in page
    assert "+15550009999" not in page
    assert "123456" not in page
    page = (await person.look(f"/conversations/{ANN}")).text
    assert "123456" not in page
    assert "Your code is" in page
    assert 'id="reply"' not in page
    await person.look("/conversations/+15550009999?at=2", 404)
    answer = await person.send(f"/conversations/{ANN}/send", {"body": "x"}, script=True)
    assert answer.status_code == 403

"""Writing to one or many in the console: the form, its preview, sending and what became of it."""

import csv
import io
import re
from typing import Any

import pytest
from trio import TooSlowError

from phonegate.domain.batches import Batches
from phonegate.domain.dispatch import OnlinePhone
from phonegate.model.principal import Principal
from phonegate.pages.console.sending import batch_preview, batch_sending
from tests.api.conftest import HOME, ORG, Web
from tests.pages.console.conftest import Person

TABLE = (
    "number,name,day\n+15551110001,Anna,Monday\n0171 5550001,Ben,Friday\n+15551110003,Cora,\n"
    "+15551110001,Anna again,Sunday\n+15551110005,<b>Eve</b>,=1+1\n"
)


async def drafted(person: Person, **fields: str) -> str:
    """Sends the form. Returns the path of the preview below the console."""
    answer = await person.send("/compose", fields)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["Location"]).removeprefix("/console")


async def sent(web: Web) -> list[tuple[str, str]]:
    listed = await web.call("GET", f"/messages/{ORG}?direction=out&limit=1000")
    return [(one["address"], one["body"]) for one in listed.json["messages"]]


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


async def test_one_message_goes_out_once(web: Web) -> None:
    person = await Person.signed_in(web)
    await person.send("/contacts", {"name": "Anna", "number": "+15551110001"})
    path = await drafted(person, to="anna", text="Hello {name}\r\nbye", ttl="3600", priority="50")
    preview = await person.look(path)
    assert "Hello Anna\nbye" in preview.text
    assert "Send 1 message<" in preview.text
    assert "no phone that could send them is online" in preview.text
    assert await sent(web) == []
    for _ in range(2):
        answer = await person.send(path, {"count": "1"})
        assert answer.headers["Location"] == path.replace("/compose", "/console/batches")
    assert await sent(web) == [("+15551110001", "Hello Anna\nbye")]
    (message,) = (await web.call("GET", f"/messages/{ORG}?direction=out")).json["messages"]
    assert message["expires_at"] is not None
    page = await person.look(path.replace("/compose", "/batches"))
    assert "0 of 1 sent" in page.text
    # The preview of what was sent leads to what became of it.
    assert (await person.look(path, 303)).headers["Location"].endswith(path[9:])
    assert "1 message" in (await person.look("/batches")).text


async def test_a_lost_answer_sends_nothing_twice(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    person = await Person.signed_in(web)
    path = await drafted(person, to="12345, 12346", text="x")
    whole = Batches.accepted

    async def lost(*_: object) -> None:
        raise TooSlowError

    monkeypatch.setattr(Batches, "accepted", lost)
    assert (await person.send(path, {"count": "2"})).status_code == 503
    monkeypatch.setattr(Batches, "accepted", whole)
    assert len(await sent(web)) == 2
    assert (await person.send(path, {"count": "2"})).status_code == 303
    assert len(await sent(web)) == 2
    page = await person.look(path.replace("/compose", "/batches"))
    assert "handed over so far" not in page.text
    assert "Waiting <strong>2" in page.text


async def test_what_was_sent_without_a_note_is_cancelled_with_the_rest(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await Person.signed_in(web)
    path = await drafted(person, to="12345, 12346", text="x")
    batch = path.replace("/compose", "/batches")
    whole = Batches.accepted

    async def lost(*_: object) -> None:
        raise TooSlowError

    monkeypatch.setattr(Batches, "accepted", lost)
    await person.send(path, {"count": "2"})
    monkeypatch.setattr(Batches, "accepted", whole)
    await person.send(f"{batch}/cancel")
    assert "2 messages were cancelled." in (await person.look(batch)).text
    # So are those that were on their way while the rest was given up.
    path = await drafted(person, to="12345, 12346", text="y")
    batch = path.replace("/compose", "/batches")
    token = path.rpartition("/")[2]

    async def late(batches: Batches, owner: Principal, *rest: Any) -> bool:
        await batches.stop(owner, token)
        return await whole(batches, owner, *rest)

    monkeypatch.setattr(Batches, "accepted", late)
    await person.send(path, {"count": "2"})
    assert "Cancelled <strong>2" in (await person.look(batch)).text
    listed = await web.call("GET", f"/messages/{ORG}?direction=out")
    assert [one["status"] for one in listed.json["messages"]] == ["cancelled"] * 4


async def test_a_table_is_previewed_line_by_line(web: Web) -> None:
    person = await Person.signed_in(web)
    path = await drafted(person, table=TABLE, text="{name}: {day}")
    preview = await person.look(path)
    text = text_of(preview.text)
    assert "2 messages to send" in text
    assert "2 lines are left out Line 3 can't be sent to" in text.replace("&#39;", "'")
    assert "Line 4 has nothing for {day}" in text
    assert "1 more would go to numbers that are named twice" in text
    assert "<b>Eve" not in preview.text
    assert "&lt;b&gt;Eve&lt;/b&gt;: =1+1" in preview.text
    twice = await person.look(f"{path}?repeats=keep")
    assert "Send 3 messages" in twice.text
    # A count that is not what was shown sends nothing.
    refused = await person.send(path, {"count": "3"})
    assert refused.status_code == 409
    assert "has changed" in refused.text
    assert await sent(web) == []
    await person.send(path, {"count": "3", "repeats": "keep"})
    assert [one for one, _ in await sent(web)] == ["+15551110001", "+15551110001", "+15551110005"]
    # The same once more is said.
    again = await person.look(
        await drafted(person, table=TABLE, text="{name}: {day}") + "?repeats=keep"
    )
    assert "The same messages were sent" in again.text


async def test_what_is_wrong_keeps_the_form(web: Web) -> None:
    person = await Person.signed_in(web)
    wrong = await person.send(
        "/compose", {"to": "12345", "text": "Hé", "country": "49", "send_at": "soon"}
    )
    assert wrong.status_code == 422
    for part in ("12345</textarea>", "Hé</textarea>", "must be a country, such as DE"):
        assert part in wrong.text
    ahead = await person.send("/compose", {"to": "1", "text": "x", "send_at": "2999-01-01T00:00"})
    assert "a year" in ahead.text
    faulty = await person.look(await drafted(person, to="12345", text="{nmae}"))
    assert "{nmae} in the text stands for nothing" in faulty.text
    assert "<button autofocus" not in faulty.text
    token = (await drafted(person, to="dora", text="x\ny")).rpartition("/")[2]
    nothing = await person.look(f"/compose/{token}")
    assert "There is nothing to send" in nothing.text
    edited = await person.look(f"/compose?draft={token}")
    assert "dora</textarea>" in edited.text
    await person.look("/compose/unknown", 404)


async def test_the_country_of_the_org_is_that_of_numbers_without_one(web: Web) -> None:
    person = await Person.signed_in(web)
    org = await web.services.accounts.orgs.named(ORG)
    await web.services.org_options.set(org.id, default_country="DE")
    assert 'placeholder="DE"' in (await person.look("/compose")).text
    shown = await person.look(await drafted(person, to="0171 5550001", text="x"))
    assert "+491715550001" in shown.text
    chosen = await person.look(await drafted(person, to="06 12345678", text="x", country="+31"))
    assert "+31612345678" in chosen.text


async def test_a_file_and_a_time_are_taken(web: Web) -> None:
    person = await Person.signed_in(web)
    await person.look("/compose")
    answer = await person.client.post(
        "/console/compose",
        data={
            "csrf": person.csrf,
            "text": "{Name}",
            "send_at": "2027-02-24T18:00",
            "offset": "-60",
            "country": "+49",
        },
        files={"file": ("a.csv", "Nummer;Name\n0171 5550001;Jörg\n".encode("cp1252"))},
        headers={"Origin": HOME},
    )
    path = str(answer.headers["Location"]).removeprefix("/console")
    preview = await person.look(path)
    assert "Jörg" in preview.text
    await person.send(path, {"count": "1"})
    (message,) = (await web.call("GET", f"/messages/{ORG}?direction=out")).json["messages"]
    assert (message["address"], message["body"]) == ("+491715550001", "Jörg")
    assert message["send_at"] == "2027-02-24T17:00:00.000Z"
    binary = await person.client.post(
        "/console/compose",
        data={"csrf": person.csrf, "text": "x"},
        files={"file": ("a.xlsx", b"PK\x03\x04" + bytes(50))},
        headers={"Origin": HOME},
    )
    assert (binary.status_code, "The file is a workbook" in binary.text) == (422, True)


async def test_many_leave_in_steps_and_go_on_after_a_break(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_sending, "STEP_S", 0.0)
    person = await Person.signed_in(web)
    numbers = "\n".join(f"+1555{at:07}" for at in range(1_100))
    path = await drafted(person, to=numbers, text="x")
    assert "1 to 50 of 1100" in text_of((await person.look(path)).text)
    assert "1051 to 1100 of 1100" in text_of((await person.look(f"{path}?from=1050")).text)
    await person.send(path, {"count": "1100"})
    batch = path.replace("/compose", "/batches")
    page = await person.look(batch)
    assert "500 handed over so far" in page.text
    part = await person.send(f"{batch}/continue", script=True)
    assert "1000 handed over so far" in part.text
    assert "<html" not in part.text
    await person.send(path, {"count": "1100"})  # the same form again goes on as well
    assert "handed over so far" not in (await person.look(batch)).text
    listed = await web.call("GET", f"/messages/{ORG}?direction=out&limit=1000")
    assert listed.json["count"] == 1000
    rows = list(csv.reader(io.StringIO((await person.look(f"{batch}/results.csv")).text)))
    assert len(rows) == 1_101
    assert {row[0] for row in rows[1:]} == set(numbers.split())
    assert rows[1][2:4] == ["x", "queued"]


async def test_of_a_large_batch_the_time_is_that_of_its_first_messages_stretched(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_preview, "MOST_FORECAST", 1)
    person = await Person.signed_in(web)
    path = await drafted(person, to="12345, 12346, 12347", text="Hi")
    assert "no phone that could send them is online" in (await person.look(path)).text

    async def forecast(org: int, sim_selector: object, *segments: int) -> int:
        return 120 * len(segments)

    monkeypatch.setattr(web.services.sending, "forecast", forecast)
    assert "about 6 minutes" in (await person.look(path)).text


async def test_the_rest_is_cancelled_and_sent_again(web: Web) -> None:
    person = await Person.signed_in(web)
    path = await drafted(person, to="12345, 12346", text="{{a}} {name|you}")
    await person.send(path, {"count": "2"})
    batch = path.replace("/compose", "/batches")
    assert "Cancel the 2 messages" in (await person.look(f"{batch}/cancel")).text
    await person.send(f"{batch}/cancel")
    page = await person.look(batch)
    assert "2 messages were cancelled." in page.text
    kept = (await web.call("GET", f"/messages/{ORG}")).json["messages"]
    assert [one["status"] for one in kept] == ["cancelled", "cancelled"]
    assert (await person.send(f"{batch}/again")).status_code == 404  # a person wanted it so

    def fail(tx: object) -> None:
        tx.messages._connection.execute(  # type: ignore[attr-defined]
            "UPDATE messages SET status = 'failed', error = '<i>no</i>' WHERE address = '12346'"
        )

    await web.database.write(fail)
    page = await person.look(batch)
    assert "&lt;i&gt;no&lt;/i&gt;" in page.text
    answer = await person.send(f"{batch}/again")
    preview = await person.look(str(answer.headers["Location"]).removeprefix("/console"))
    assert "{a} you" in preview.text
    assert "12345" not in preview.text


async def test_the_limits_of_a_key_are_said_and_hold(web: Web) -> None:
    made = await web.call(
        "POST",
        f"/keys/{ORG}",
        {"name": "agent", "limits": {"to": ["+1555*"], "per_hour": 1, "hold": True}},
    )
    owner = await Person.signed_in(web)
    other = await drafted(owner, to="12345", text="x")
    await owner.send(other, {"count": "1"})
    person = await Person.signed_in(web, secret=made.json["key"], org="")
    path = await drafted(person, to="+15551110001, +15551110002, 12345", text="x")
    text = text_of((await person.look(path)).text)
    assert "Line 3 is none that this API key may send to" in text
    assert "Each of its messages waits until a person approves it." in text
    assert "These are 2 messages, and 1 an hour is the most." in text
    await person.send(path, {"count": "2"})
    batch = path.replace("/compose", "/batches")
    page = text_of((await person.look(batch)).text)
    assert "This API key may send 1 messages an hour" in page
    assert "2 are not handed over yet" in page
    assert [one for one, _ in await sent(web)] == ["12345"]
    # A key with limits sees its own batches alone, and no other credential goes on with them.
    await person.look(other.replace("/compose", "/batches"), 404)
    assert (await owner.send(f"{batch}/continue")).status_code in {303, 404}
    assert [one for one, _ in await sent(web)] == ["12345"]


async def test_an_assistant_sends_them_one_by_one(web: Web) -> None:
    await web.call(
        "POST",
        "/assistants?org_id=" + ORG,
        {
            "name": "support",
            "provider": "twilio",
            "phone_numbers": ["+15550009999"],
            "credentials": {"account_sid": "AC" + "0" * 32, "auth_token": "t" * 32},
        },
    )
    person = await Person.signed_in(web)
    form = await person.look("/compose")
    assert "from:+15550009999" in form.text
    path = await drafted(
        person, to="+15551110001, +15551110002", text="x", sender="from:+15550009999"
    )
    assert "as fast as the carrier takes them" in (await person.look(path)).text
    await person.send(path, {"count": "2"})
    assert [one.recipient for one in web.carrier.taken] == ["+15551110001", "+15551110002"]
    page = await person.look(path.replace("/compose", "/batches"))
    assert "handed over so far" not in page.text
    assert "Sending" in text_of(page.text) or "Sent" in text_of(page.text)


async def test_a_phone_that_is_online_says_how_long_it_takes(web: Web) -> None:
    web.phones.phones.append(OnlinePhone(phone=1, device_id=None, name=None, sims=()))
    person = await Person.signed_in(web)
    path = await drafted(person, to="\n".join(f"+1555{at:07}" for at in range(48)), text="x")
    assert "about 2 minutes, at the pace of the SIM" in text_of((await person.look(path)).text)


async def test_a_template_is_put_in_without_a_script(web: Web) -> None:
    person = await Person.signed_in(web)
    await person.send("/templates", {"name": "Late", "body": "Sorry {name}"})
    listed = await person.look("/compose?template=1&to=12345")
    assert "Sorry {name}</textarea>" in listed.text
    inserted = await person.send(
        "/compose", {"to": "12345", "text": "Hi.", "template": "1", "insert": "1"}
    )
    assert "Hi. Sorry {name}</textarea>" in inserted.text


async def test_what_names_no_recipient_leads_back_to_the_form(web: Web) -> None:
    person = await Person.signed_in(web)
    path = await drafted(person, text="Hello")
    shown = (await person.look(path)).text
    assert "<h1>Nothing to send yet</h1>" in shown
    back = re.search(r'<a class="button" href="/console(/compose\?draft=[^"]+)">Edit</a>', shown)
    assert back is not None
    assert "Hello</textarea>" in (await person.look(back[1])).text

"""Contacts in the console: one by one, and by the file."""

import csv
import io

from tests.api.conftest import HOME, ORG, SECRET, Web
from tests.pages.console.conftest import Person

HOSTILE = "<script>alert(1)</script>\u202e=1+1"


async def upload(person: Person, data: bytes, **fields: str) -> tuple[int, str]:
    await person.look("/contacts/import")
    answer = await person.client.post(
        "/console/contacts/import",
        data={"csrf": person.csrf, **fields},
        files={"file": ("contacts.csv", data)},
        headers={"Origin": HOME},
    )
    return answer.status_code, answer.text


async def key(web: Web, **fields: object) -> str:
    made = await web.call("POST", f"/keys/{ORG}", {"name": "agent", **fields})
    return str(made.json["key"])


async def test_a_contact_is_added_changed_and_removed(web: Web) -> None:
    person = await Person.signed_in(web)
    assert "No contacts yet" in (await person.look("/contacts")).text
    wrong = await person.send("/contacts", {"name": "Anna", "number": "0171 5550001"})
    assert wrong.status_code == 422
    assert "country code" in wrong.text
    assert 'value="0171 5550001"' in wrong.text
    added = await person.send("/contacts", {"name": "Anna", "number": "0049 (171) 555-0001"})
    assert added.headers["Location"] == "/console/contacts"
    listed = await person.look("/contacts")
    assert "Anna is kept with +491715550001." in listed.text
    form = await person.look("/contacts/+491715550001")
    assert 'value="Anna"' in form.text
    changed = {"name": HOSTILE, "number": "+15551110001", "label": "work"}
    await person.send("/contacts/%2B491715550001", changed)
    await person.look("/contacts/+491715550001", 404)
    listed = await person.look("/contacts?q=0001")
    assert "<script>alert" not in listed.text
    assert "\u202e" not in listed.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; =1+1" in listed.text
    assert "Remove" in (await person.look("/contacts/+15551110001/remove")).text
    await person.send("/contacts/+15551110001/remove")
    assert "No contacts yet" in (await person.look("/contacts")).text
    assert (await person.send("/contacts/+15551110001/remove")).status_code == 404


async def test_the_country_of_the_org_is_that_of_numbers_without_one(web: Web) -> None:
    person = await Person.signed_in(web)
    org = await web.services.accounts.orgs.named(ORG)
    await web.services.org_options.set(org.id, default_country="DE")
    await person.send("/contacts", {"name": "Anna", "number": "0171 5550001"})
    assert "Anna is kept with +491715550001." in (await person.look("/contacts")).text
    assert 'placeholder="DE"' in (await person.look("/contacts/import")).text
    _, page = await upload(person, b"Name;Telefon\nBen;0171 5550002\n")
    assert "1 number" in page
    assert "+491715550002" in (await person.look("/contacts")).text
    await upload(person, b"Name;Telefon\nCleo;06 12 34 56 78\n", country="FR")
    assert "+33612345678" in (await person.look("/contacts")).text


async def test_a_file_is_imported_and_given_out_again(web: Web) -> None:
    person = await Person.signed_in(web)
    table = "Name;Telefon\nJörg;0171 5550001\n'=Ben;+15551110002\nNix;\nJo;0049 171 5550001\n"
    status, page = await upload(person, table.encode("cp1252"), country="+49")
    assert status == 200
    assert "2 numbers were read" in page
    assert "Line 4 " in page
    assert "Line 5 " in page
    card = "BEGIN:VCARD\nVERSION:4.0\nFN:Cora\nTEL;TYPE=cell:tel:+1-555-111-0003\nEND:VCARD\n"
    assert (await upload(person, card.encode()))[0] == 200
    given = await person.look("/contacts/contacts.csv")
    assert given.headers["Content-Disposition"] == 'attachment; filename="contacts.csv"'
    rows = list(csv.reader(io.StringIO(given.content.decode("utf-8-sig"))))
    assert rows == [
        ["number", "name", "label"],
        ["+15551110002", "'=Ben", ""],
        ["+15551110003", "Cora", "mobile"],
        ["+491715550001", "Jörg", ""],
    ]
    cards = await person.look("/contacts/contacts.vcf")
    assert cards.text.count("BEGIN:VCARD") == 3
    await person.send("/contacts/clear")
    for content in (given.content, cards.content):
        status, page = await upload(person, content)
        assert "3 numbers were read" in page
    again = await person.look("/contacts/contacts.csv")
    assert again.content == given.content


async def test_a_file_that_is_none_gets_a_sentence(web: Web) -> None:
    person = await Person.signed_in(web)
    for data, sentence in (
        (b"PK\x03\x04" + bytes(200), "The file is a workbook"),
        (b"\x89PNG\r\n\0\0", "The file is no text"),
        (b"", "Choose a file"),
        (b"city\nRome\n", "No column of the table has numbers"),
        (b"+15551110001\n" * 50_000, "Line 20002 is more than 20000 rows allow"),
    ):
        status, page = await upload(person, data)
        assert (status, sentence in page) == (422, True), sentence
    status, page = await upload(person, b"x", country="Germany")
    assert "must be a country, such as DE" in page
    status, page = await upload(person, b"+15551110001,A\n" * 700_000)
    assert status == 413


async def test_scripts_get_suggestions(web: Web) -> None:
    person = await Person.signed_in(web)
    await person.send("/contacts", {"name": "Anna", "number": "+15551110001", "label": "work"})
    found = await person.client.get("/console/contacts/suggest", params={"q": "an"})
    assert found.json() == [{"name": "Anna", "number": "+15551110001", "label": "work"}]


async def test_a_limited_key_sees_its_own_and_changes_none(web: Web) -> None:
    owner = await Person.signed_in(web)
    for number in ("+15551110001", "+15552220002"):
        await owner.send("/contacts", {"name": f"N{number}", "number": number})
    limited = await key(web, scopes=["read"], limits={"from": ["+1555222*"]})
    person = await Person.signed_in(web, secret=limited, org="")
    listed = await person.look("/contacts")
    assert "N+15552220002" in listed.text
    assert "N+15551110001" not in listed.text
    assert "/contacts/new" not in listed.text
    for path in ("/contacts", "/contacts/clear", "/contacts/+15552220002/remove"):
        assert (await person.send(path, {"name": "x", "number": "+15550"})).status_code == 403
    assert b"+15551110001" not in (await person.look("/contacts/contacts.csv")).content


async def test_templates_are_kept(web: Web) -> None:
    person = await Person.signed_in(web)
    assert "No templates yet" in (await person.look("/templates")).text
    wrong = await person.send("/templates", {"name": "", "body": "Hi\r\n{name}"})
    assert wrong.status_code == 422
    assert "Hi\n{name}</textarea>" in wrong.text.replace("\r\n", "\n")
    await person.send("/templates", {"name": "Late", "body": "Hi\r\n{name}"})
    listed = await person.look("/templates")
    assert "The template is kept." in listed.text
    await person.look("/templates/1")
    await person.send("/templates/1", {"name": "Later", "body": "<b>"})
    assert "&lt;b&gt;" in (await person.look("/templates")).text
    await person.look("/templates/1/remove")
    await person.send("/templates/1/remove")
    assert (await person.send("/templates/1", {"name": "x", "body": "y"})).status_code == 404
    sender = await Person.signed_in(web, secret=await key(web, scopes=["send"]), org="")
    await sender.look("/templates")
    await sender.look("/templates/new", 403)
    assert SECRET not in listed.text

"""Parts of MMS through a session: pictures in place, everything else as a file."""

import pytest

from phonegate.domain.media import part
from phonegate.store.tables import Tables
from tests.api.conftest import ORG, Web
from tests.pages.console.conftest import Person
from tests.store.conftest import inbound

PARTS = (
    part("image/png", "photo.png", b"\x89PNG"),
    part("image/svg+xml", "evil.svg", b"<svg onload='alert(1)'/>"),
    part("text/html", "evil.html", b"<script>alert(1)</script>"),
    part("audio/amr", "voice.amr", b"#!AMR"),
)


@pytest.fixture
async def person(web: Web) -> Person:
    def store(tx: Tables) -> None:
        org = tx.orgs.get(ORG)
        assert org is not None
        new = inbound(org.id, "look", parts=len(PARTS))
        assert tx.messages.insert_inbound(new) == 1
        tx.media_parts.add(1, 1, PARTS)

    await web.database.write(store)
    return await Person.signed_in(web)


async def test_a_conversation_shows_the_parts(person: Person) -> None:
    page = (await person.look("/conversations/+15551112222")).text
    assert page.count("/preview") == len(PARTS)
    assert 'href="/console/media/1/1"' in page
    assert "sms.example.org" not in page.partition("<main")[2]


async def test_a_picture_is_shown_and_the_rest_is_saved(person: Person) -> None:
    picture = await person.look("/media/1/1")
    assert picture.content == b"\x89PNG"
    assert picture.headers["content-type"] == "image/png"
    assert picture.headers["content-disposition"].startswith("inline")
    for number in (2, 3, 4):
        other = await person.look(f"/media/1/{number}")
        assert other.headers["content-disposition"].startswith("attachment")
        assert other.headers["content-type"] not in {"image/svg+xml", "text/html"}
        assert "sandbox" in other.headers["content-security-policy"]
        assert other.headers["x-content-type-options"] == "nosniff"


async def test_what_is_no_picture_is_a_drawing_in_its_bubble(person: Person) -> None:
    assert (await person.look("/media/1/1/preview")).content == b"\x89PNG"
    for number, words in ((2, "File"), (3, "File"), (4, "Sound"), (9, "Hidden or gone")):
        drawing = await person.look(f"/media/1/{number}/preview")
        assert drawing.headers["content-type"] == "image/svg+xml"
        assert words in drawing.text
        assert "alert" not in drawing.text
    await person.look("/media/1/9", 404)

"""Media by Twilio's addresses."""

import pytest

from phonegate.model.media import Part
from phonegate.model.twilio_ids import account_sid, media_sid, message_sid
from phonegate.store.tables import Tables
from tests.api.conftest import ORG, Web
from tests.api.dialects.twilio.calls import call
from tests.store.conftest import inbound, outbound

PICTURE = b"\x89PNG picture"


@pytest.fixture
async def parent(web: Web) -> str:
    """A received MMS with a picture and a page of HTML."""

    def op(tx: Tables) -> int:
        id_ = tx.messages.insert_inbound(inbound(1, "look", parts=2))
        assert id_ is not None
        parts = [
            Part(content_type="image/png", name="a.png", data=PICTURE),
            Part(content_type="text/html", name=None, data=b"<script>"),
        ]
        tx.media_parts.add(id_, 1, parts)
        return id_

    return message_sid(await web.database.write(op))


async def test_the_parts_of_a_received_message(web: Web, parent: str) -> None:
    listed = await call(web, "GET", f"Messages/{parent}/Media.json")
    assert listed.status == 200
    found = listed.json["media_list"]
    types = [one["content_type"] for one in found]
    assert types == ["image/png", "application/octet-stream"]
    first = found[0]
    assert (first["parent_sid"], first["account_sid"]) == (parent, account_sid(1))
    assert (await call(web, "GET", first["uri"])).json == first
    data = await call(web, "GET", first["uri"].removesuffix(".json"))
    assert (data.status, data.data) == (200, PICTURE)
    assert data.headers["content-type"] == "image/png"
    assert (await call(web, "GET", f"Messages/{parent}.json")).json["num_media"] == "2"


async def test_what_the_gateway_does_not_have_is_elsewhere(web: Web) -> None:
    url = "https://example.com/a/cat.jpg?x=1"
    id_ = await web.database.write(
        lambda tx: tx.messages.insert(outbound(1, "", media_urls=(url,)))
    )
    parent = message_sid(id_)
    (one,) = (await call(web, "GET", f"Messages/{parent}/Media.json")).json["media_list"]
    assert one["content_type"] == "image/jpeg"
    found = await call(web, "GET", one["uri"].removesuffix(".json"))
    assert (found.status, found.headers["location"]) == (307, url)


@pytest.mark.parametrize("url", ["https://a/\r\nX-Evil: 1", "content://mms/1", "https://ä/"])
async def test_what_is_no_address_leads_nowhere(web: Web, url: str) -> None:
    new = inbound(1, "", media_urls=(url,))
    id_ = await web.database.write(lambda tx: tx.messages.insert_inbound(new))
    assert id_ is not None
    reply = await call(web, "GET", f"Messages/{message_sid(id_)}/Media/{media_sid(id_, 1)}")
    assert (reply.status, reply.json["code"]) == (404, 20404)


async def test_what_is_not_there_or_another_s(web: Web, parent: str) -> None:
    reader = await web.call("POST", f"/keys/{ORG}", {"name": "x", "scopes": ["send"]})
    refused = await call(web, "GET", f"Messages/{parent}/Media.json", token=reader.json["key"])
    assert (refused.status, refused.json["code"]) == (403, 20006)
    for path in (
        f"Messages/{message_sid(99)}/Media.json",
        f"Messages/{parent}/Media/{media_sid(1, 3)}",
        f"Messages/{parent}/Media/{media_sid(2, 1)}.json",
        f"Messages/{parent}/Media/x",
    ):
        reply = await call(web, "GET", path)
        assert (reply.status, reply.json["code"]) == (404, 20404)

"""Parts of received MMS over HTTP."""

import json

import attrs
import pytest

from phonegate.api.main_pipeline import build_pipeline
from phonegate.api.media_api import attachment
from phonegate.config.settings import HttpSettings
from phonegate.domain.inbox import Received
from phonegate.domain.media import part
from phonegate.model.bounds import MAX_PART_BYTES
from tests.api.conftest import CLIENT, NOW, ORG, PUBLIC_URL, SECRET, Web

MMS = Received(
    address="+15553334444",
    body="look",
    date=NOW,
    media_urls=("https://carrier.example/1",),
    parts=(
        part("image/jpeg", 'Kätzchen "1".jpg', b"\xff\xd8 a cat"),
        part("text/html", "page.html", b"<script>alert(1)</script>"),
        part("text/plain", None, "schön".encode()),
        part("text/plain", None, "schön".encode("latin-1")),
    ),
)


async def receive(web: Web, item: Received = MMS) -> int:
    caller = await web.services.authentication.authenticate(
        SECRET, org_name=ORG, address=CLIENT, scope="read"
    )
    receipt = await web.services.inbox.receive(caller.org, [item], device_id="phone")
    return receipt.ids[0]


async def test_a_message_names_its_parts_and_they_are_served(web: Web) -> None:
    id_ = await receive(web)
    shown = (await web.call("GET", f"/messages/{ORG}/id/{id_}")).json["message"]
    own = [f"{PUBLIC_URL}/media/{ORG}/{id_}/{n}" for n in (1, 2, 3, 4)]
    assert shown["media_urls"] == [*own, "https://carrier.example/1"]
    page = (await web.call("GET", f"/messages/{ORG}")).json
    assert page["messages"][0]["media_urls"] == shown["media_urls"]

    types = []
    for url, sent in zip(own, MMS.parts, strict=True):
        reply = await web.call("GET", url.removeprefix(PUBLIC_URL))
        assert (reply.status, reply.data) == (200, sent.data)
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Cache-Control"] == "no-store"
        assert reply.headers["Content-Disposition"].startswith("attachment; ")
        assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'")
        types.append(reply.headers["Content-Type"])
        head = await web.call("HEAD", url.removeprefix(PUBLIC_URL))
        assert (head.status, head.data) == (200, b"")
        assert dict(head.headers) == dict(reply.headers)
    assert types == [
        "image/jpeg",
        "application/octet-stream",
        "text/plain; charset=utf-8",
        "text/plain",
    ]


async def test_only_a_reader_of_the_message_gets_its_parts(web: Web) -> None:
    id_ = await receive(web)
    path = f"/media/{ORG}/{id_}/1"
    for secret in (None, "wrong-secret-0123"):
        assert (await web.call("GET", path, secret=secret)).status == 401
    limits = {"from": ["+15550000000"]}
    for scopes, limit, status in (
        (["read"], None, 200),
        (["send"], None, 403),
        (["phone"], None, 403),
        (["read"], limits, 404),
    ):
        body = {"name": "k", "scopes": scopes} | ({"limits": limit} if limit else {})
        key = (await web.call("POST", f"/keys/{ORG}", body)).json["key"]
        bearer = {"Authorization": f"Bearer {key}"}
        assert (await web.call("GET", path, secret=None, headers=bearer)).status == status


@pytest.mark.parametrize(
    ("path", "status", "fields"),
    [
        ("/media/myorg/1/9", 404, []),
        ("/media/myorg/9/1", 404, []),
        ("/media/myorg/1/0", 400, ["n"]),
        ("/media/myorg/1/x", 400, ["n"]),
        ("/media/myorg/-1/1", 400, ["id"]),
    ],
)
async def test_what_is_not_there_is_refused(
    web: Web, path: str, status: int, fields: list[str]
) -> None:
    await receive(web)
    reply = await web.call("GET", path)
    assert (reply.status, list(reply.fields)) == (status, fields)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_without_a_public_address_parts_are_where_the_caller_asks(
    web: Web, scheme: str
) -> None:
    id_ = await receive(web)
    services = attrs.evolve(web.services, public_url="")
    http = HttpSettings()
    pipeline = build_pipeline(services, http, encrypted=scheme == "https")
    headers = {"x-secret-key": SECRET, "host": "gate.lan:8080"}

    async def urls(prefix: str, host: str) -> list[str]:
        head = pipeline.find(
            method="GET",
            path=f"/messages/{ORG}",
            query="",
            headers=headers | {"host": host},
            client=CLIENT,
            prefix=prefix,
        )
        assert head is not None
        reply = await pipeline.answer(head, b"")
        found: list[str] = json.loads(reply.body)["messages"][0]["media_urls"]
        return found

    path = f"/media/{ORG}/{id_}/1"
    assert (await urls("", "gate.lan:8080"))[0] == f"{scheme}://gate.lan:8080{path}"
    assert (await urls("/sms", "gate.lan"))[0] == f"{scheme}://gate.lan/sms{path}"
    # A host that is none is repeated to no client.
    assert (await urls("/sms", 'a"><script>'))[0] == f"/sms{path}"


async def test_the_largest_part_is_served_whole(web: Web) -> None:
    large = part("video/mp4", None, bytes(range(256)) * (MAX_PART_BYTES // 256))
    id_ = await receive(web, attrs.evolve(MMS, parts=(large,)))
    reply = await web.call("GET", f"/media/{ORG}/{id_}/1")
    assert reply.data == large.data


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("cat.jpg", 'attachment; filename="cat.jpg"'),
        (
            'Kätzchen "1".jpg',
            'attachment; filename="K_tzchen _1_.jpg"; '
            "filename*=UTF-8''K%C3%A4tzchen%20%221%22.jpg",
        ),
        ("a\\b;c", "attachment; filename=\"a_b_c\"; filename*=UTF-8''a%5Cb%3Bc"),
    ],
)
def test_names_of_files_are_written_as_all_clients_read_them(name: str, field: str) -> None:
    assert attachment(name) == field

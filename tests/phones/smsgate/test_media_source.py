"""Where media come from, over real sockets and the real store."""

from typing import Any

import attrs
import pytest
import trio

from phonegate.domain.media import Media, part
from phonegate.http.outgoing_address import Guard
from phonegate.phones.smsgate.media_source import (
    MOST_BYTES,
    MediaFailed,
    MediaRefused,
    MediaSource,
    NoRoom,
    Wanted,
)
from phonegate.phones.smsgate.mobile_message import Attachment
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.http.media_server import PNG, MediaServer
from tests.patience import PATIENCE_S
from tests.phones.site import LOOPBACK
from tests.store.conftest import inbound, outbound

OWN_PORT = 8080


@attrs.define
class Scene:
    server: MediaServer
    database: Database
    org: int
    message: int
    own: set[int]

    async def fetch(
        self, *urls: str, room: int = 1 << 30, public_url: str = ""
    ) -> list[Attachment]:
        left = room

        def take(size: int) -> bool:
            nonlocal left
            left -= size
            return left >= 0

        guard = Guard(rules=lambda: LOOPBACK, own_ports=self.own)
        source = MediaSource(Media(self.database), guard, public_url=public_url)
        wanted = Wanted(org=self.org, org_name="myorg", message=self.message, urls=urls)
        with trio.fail_after(PATIENCE_S):
            return await source.fetch(wanted, take)


@pytest.fixture
async def scene(database: Database, nursery: trio.Nursery) -> Scene:
    server = MediaServer()
    await nursery.start(server.run)

    def store(tx: Tables) -> tuple[int, int]:
        org = tx.orgs.add("myorg", "hash", 1).id
        received = tx.messages.insert_inbound(inbound(org, "look", parts=2))
        assert received == 1
        tx.media_parts.add(
            1, 1, [part("image/jpeg", "cat.jpg", b"cat"), part("application/pdf", None, b"%PDF")]
        )
        return org, tx.messages.insert(outbound(org))

    org, message = await database.write(store)
    return Scene(server, database, org, message, {OWN_PORT})


async def test_media_come_in_their_order_with_their_types(scene: Scene) -> None:
    urls = [
        scene.server.put("/pictures/a%20b.png"),
        scene.server.put("/script.php?x", content_type="IMAGE/JPEG; a=b", body=b"jpeg"),
    ]
    assert await scene.fetch(*urls) == [
        Attachment(content_type="image/png", name="a b.png", data=PNG),
        Attachment(content_type="image/jpeg", name="2.jpg", data=b"jpeg"),
    ]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"status": 404}, "answered HTTP 404"),
        ({"status": 302, "headers": ("Location: /a",)}, "redirects are not followed"),
        ({"status": 204, "body": b""}, "HTTP 204"),
        ({"body": b""}, "is empty"),
        ({"content_type": "text/html"}, "is of a type that is not sent"),
        ({"content_type": "application/octet-stream"}, "is of a type that is not sent"),
        ({"content_type": "image/svg+xml"}, "is of a type that is not sent"),
        ({"headers": ("Content-Encoding: gzip",)}, "encoding"),
        ({"body": bytes(MOST_BYTES + 1)}, "is too large"),
    ],
)
async def test_what_will_never_do_is_refused_with_its_reason(
    scene: Scene, fields: dict[str, Any], problem: str
) -> None:
    good, bad = scene.server.put("/good"), scene.server.put("/bad", **fields)
    with pytest.raises(MediaRefused) as refused:
        await scene.fetch(good, bad)
    assert problem in refused.value.reason
    assert refused.value.reason.startswith("media 2 of 2 (127.0.0.1) ")


async def test_all_media_together_are_bounded(scene: Scene) -> None:
    urls = [scene.server.put(f"/{n}", body=bytes(MOST_BYTES // 2)) for n in range(3)]
    assert len(await scene.fetch(*urls[:2])) == 2
    with pytest.raises(MediaRefused, match="too large"):
        await scene.fetch(*urls)
    with pytest.raises(MediaRefused, match="more than 10"):
        await scene.fetch(*[urls[0]] * 11)


@pytest.mark.parametrize("status", [500, 503, 408, 429])
async def test_what_may_come_later_is_no_refusal(scene: Scene, status: int) -> None:
    with pytest.raises(MediaFailed, match=f"HTTP {status}"):
        await scene.fetch(scene.server.put("/a", status=status))
    with pytest.raises(MediaFailed, match="broke off"):
        await scene.fetch(scene.server.put("/a", breaks_off=True))
    with pytest.raises(MediaFailed, match="leads to no address"):
        await scene.fetch("http://no-such-name.invalid/a")


async def test_memory_is_taken_before_it_is_used(scene: Scene) -> None:
    url = scene.server.put("/a", body=bytes(100_000))
    with pytest.raises(NoRoom):
        await scene.fetch(url, room=99_999)
    assert await scene.fetch(url, room=100_000)
    with pytest.raises(NoRoom):
        await scene.fetch(f"http://127.0.0.1:{OWN_PORT}/media/myorg/1/1", room=2)


@pytest.mark.parametrize(
    ("base", "public_url"),
    [
        (f"http://127.0.0.1:{OWN_PORT}", ""),
        (f"http://localhost:{OWN_PORT}/sms", ""),
        ("https://sms.example.org", "https://sms.example.org"),
        ("https://SMS.example.org:443/sms", "https://sms.example.org/sms"),
    ],
)
async def test_the_gateways_own_parts_are_read_without_a_call(
    scene: Scene, base: str, public_url: str
) -> None:
    (found,) = await scene.fetch(f"{base}/media/myorg/1/1", public_url=public_url)
    assert (found.content_type, found.name, found.data) == ("image/jpeg", "cat.jpg", b"cat")
    for path, problem in (
        ("/media/other/1/1", "another org"),
        ("/media/myorg/1/2", "type"),
        ("/media/myorg/1/3", "can't be read"),
        (f"/media/myorg/{scene.message}/1", "can't be read"),
        ("/messages/myorg", "the gateway itself"),
        ("/media/myorg/1/1/x", "the gateway itself"),
    ):
        with pytest.raises(MediaRefused, match=problem):
            await scene.fetch(f"{base}{path}", public_url=public_url)


async def test_a_path_like_the_gateways_own_elsewhere_is_called(scene: Scene) -> None:
    url = scene.server.put("/media/myorg/1/1")
    (found,) = await scene.fetch(url)
    assert found.data == PNG


async def test_what_may_not_be_called_is_refused(scene: Scene) -> None:
    for url in ("http://169.254.169.254/latest/meta-data", "http://[::1]/a", "http://0.0.0.0/"):
        with pytest.raises(MediaRefused, match="may not be called"):
            await scene.fetch(url)


async def test_a_reason_shows_nothing_secret_of_an_address(scene: Scene) -> None:
    url = scene.server.put("/secret-path?token=secret", status=404)
    with pytest.raises(MediaRefused) as refused:
        await scene.fetch(url.replace("http://", "http://user:secret@"))
    assert "secret" not in refused.value.reason

"""Who may make an org, asked of a whole gateway: on both paths of HTTP and on the phone link."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio

from phonegate import gateway
from phonegate.config.settings import (
    DatabaseSettings,
    HttpSettings,
    OrgSettings,
    Settings,
)
from phonegate.operations.control_client import ControlRefused, OwnerRequest, ask

FAR = {"X-Forwarded-For": "203.0.113.5"}
"""As the trusted proxy of `settings` tells of a client on the internet."""

SECRET = "my-own-secret-123"
PUBLISHED = "my-secret-key-123"
REFUSAL = {"ok": False, "detail": "Unknown org or wrong secret.", "code": "unauthorized"}


_HANDSHAKE = {
    "Host": "localhost",
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@attrs.frozen
class Served:
    url: str
    database: Path

    async def push(
        self, org: str, headers: Mapping[str, str], *, secret: str = SECRET, chunked: bool = False
    ) -> httpx.Response:
        """Pushes an SMS, by the fast path or the other one."""
        body = {"org_id": org, "secret_key": secret, "messages": [{"address": "+1", "body": "x"}]}
        data = json.dumps(body).encode()

        async def chunks() -> AsyncIterator[bytes]:
            yield data

        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.post(
                f"{self.url}/webhook",
                content=chunks() if chunked else data,
                headers={"Content-Type": "application/json", **headers},
            )

    async def connect(self, org: str, headers: Mapping[str, str], *, secret: str = SECRET) -> int:
        """Connects a phone; the status of the answer to its handshake."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        lines = [
            f"GET /websocket?org_id={org}&secret_key={secret} HTTP/1.1",
            *(f"{name}: {value}" for name, value in {**_HANDSHAKE, **headers}.items()),
        ]
        async with await trio.open_tcp_stream(host, int(port)) as stream:
            await stream.send_all("\r\n".join([*lines, "", ""]).encode())
            answer = await stream.receive_some(4_096)
        return int(answer.split(b" ")[1])

    async def registration(self, mode: str | None = None) -> dict[str, Any]:
        request = OwnerRequest("GET", "/registration")
        if mode is not None:
            request = OwnerRequest("PUT", "/registration", {"mode": mode})
        return await trio.to_thread.run_sync(lambda: ask(self.database, request))


async def serve(nursery: trio.Nursery, folder: Path, **settings: Any) -> Served:
    database = folder / "phonegate.db"
    made = Settings(
        http=HttpSettings(bind=("127.0.0.1:0",), trusted_proxies=("127.0.0.1/32",)),
        database=DatabaseSettings(path=str(database)),
        **settings,
    )
    ((_, port),) = await nursery.start(gateway.serve, made)
    return Served(f"http://127.0.0.1:{port}", database)


@pytest.mark.parametrize("chunked", [False, True])
async def test_by_default_the_own_networks_alone(
    nursery: trio.Nursery, tmp_path: Path, *, chunked: bool
) -> None:
    served = await serve(nursery, tmp_path)
    for headers in (
        FAR,
        {"X-Forwarded-For": "203.0.113.5, 192.168.1.7"},
        {"X-Real-IP": "192.168.1.7"},
        {"Via": "1.1 proxy"},
    ):
        refused = await served.push("neworg", headers, chunked=chunked)
        assert (refused.status_code, refused.json()) == (401, REFUSAL)
    assert (await served.push("here", {}, chunked=chunked)).status_code == 200
    near = {"X-Forwarded-For": "192.168.1.7"}
    assert (await served.push("near", near, chunked=chunked)).status_code == 200
    # An org that is there is reached from everywhere, with its own secret.
    assert (await served.push("here", FAR, chunked=chunked)).status_code == 200


async def test_phones_likewise(nursery: trio.Nursery, tmp_path: Path) -> None:
    served = await serve(nursery, tmp_path)
    assert await served.connect("neworg", FAR) == 401
    assert await served.connect("neworg", {"Via": "1.1 proxy"}) == 401
    assert await served.connect("neworg", {}) == 101
    assert await served.connect("neworg", FAR) == 101


async def test_the_command_changes_it_while_it_serves(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    served = await serve(nursery, tmp_path)
    assert (await served.registration())["source"] == "the default"
    async with httpx.AsyncClient(trust_env=False) as client:
        for mode, far, here in (("open", 200, 200), ("closed", 401, 401), ("local", 401, 200)):
            answer = await served.registration(mode)
            assert (answer["registration"], answer["source"]) == (mode, "phonegate registration")
            assert (await served.push(f"far-{mode}", FAR)).status_code == far
            assert (await served.push(f"here-{mode}", {})).status_code == here
            page = (await client.get(f"{served.url}/llms.txt")).text
            assert ("creates that org" in page) is (mode != "closed")
            assert ("or a private network creates that org" in page) is (mode == "local")
    with pytest.raises(ControlRefused, match="mode must be"):
        await served.registration("half")


async def test_the_configuration_forces_it(nursery: trio.Nursery, tmp_path: Path) -> None:
    served = await serve(
        nursery,
        tmp_path,
        orgs=OrgSettings(registration="closed"),
        sources={"orgs.registration": "file gateway.toml"},
    )
    with pytest.raises(ControlRefused, match=r"set by file gateway\.toml") as caught:
        await served.registration("open")
    assert caught.value.code == "conflict"
    assert (await served.push("neworg", {})).status_code == 401


async def test_the_secret_of_the_documents_from_here_alone(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    served = await serve(nursery, tmp_path)
    assert (await served.push("myorg", {}, secret=PUBLISHED)).status_code == 200
    assert await served.connect("myorg", {}, secret=PUBLISHED) == 101
    assert (await served.push("myorg", FAR, secret=PUBLISHED)).status_code == 401
    assert await served.connect("myorg", FAR, secret=PUBLISHED) == 401
    async with httpx.AsyncClient(trust_env=False) as client:
        for headers, status in (({}, 200), (FAR, 401), ({"Via": "1.1 proxy"}, 401)):
            asked = await client.get(f"{served.url}/messages/myorg/{PUBLISHED}", headers=headers)
            assert asked.status_code == status
    assert (await served.registration())["published_secrets"] == ["myorg"]

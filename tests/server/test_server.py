"""The server before clients that others wrote, in plain and over TLS."""

import json
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest
import requests
import trio
import websockets.sync.client

from phonegate.config.settings import TlsSettings
from tests.patience import PATIENCE_S

from .conftest import StartServer
from .site import Answer, Site, read_all

BODY = b"b" * 100_000


@pytest.fixture(params=["plain", "tls"])
async def site(
    request: pytest.FixtureRequest,
    start_server: StartServer,
    tls: TlsSettings,
    trust: ssl.SSLContext,
) -> Site:
    if request.param == "plain":
        return await start_server()
    return await start_server(tls=tls, trust=trust)


async def in_thread(work: Callable[..., Any], *args: Any, **named: Any) -> Any:
    with trio.fail_after(PATIENCE_S):
        return await trio.to_thread.run_sync(partial(work, *args, **named))


async def test_httpx(site: Site) -> None:
    async with httpx.AsyncClient(verify=site.trust or True) as client:
        seen = (await client.get(f"{site.url}/who")).json()
        assert seen["client"][0] == "127.0.0.1"
        assert seen["scheme"] == site.scheme
        assert (await client.post(f"{site.url}/echo", content=BODY)).content == BODY


async def test_requests(site: Site, authority_file: str) -> None:
    def talk() -> None:
        with requests.Session() as session:
            how: dict[str, Any] = {"verify": authority_file, "timeout": PATIENCE_S}
            for _ in range(2):
                assert session.get(f"{site.url}/who", **how).json()["path"] == "/who"
                answer = session.post(f"{site.url}/echo", data=iter([BODY, BODY]), **how)
                assert answer.content == BODY * 2
                # It reads only after it has sent all, so the answer must outlive that.
                assert session.post(f"{site.url}/early", data=BODY * 30, **how).status_code == 413

    await in_thread(talk)


@pytest.mark.parametrize("version", ["1.0", "1.1", "2"])
async def test_curl(site: Site, authority_file: str, version: str) -> None:
    words = ["curl", "-sS", "-m", str(PATIENCE_S), f"--http{version}", "--cacert", authority_file]
    told = ["-w", " %{http_version} %{http_code}"]
    with trio.fail_after(PATIENCE_S):
        done = await trio.run_process(
            [*words, *told, "--data-binary", "@-", f"{site.url}/echo"],
            stdin=BODY,
            capture_stdout=True,
        )
    # HTTP/1.1 is also the answer to 1.0, framed for it, and to a client that offers 2.
    assert done.stdout == BODY + b" 1.1 200"


async def test_websockets(site: Site) -> None:
    def talk() -> None:
        url = site.url.replace("http", "ws", 1) + "/websocket?org_id=o"
        with websockets.sync.client.connect(url, ssl=site.trust, open_timeout=PATIENCE_S) as link:
            assert json.loads(link.recv(PATIENCE_S)) == ["127.0.0.1", site.scheme, "org_id=o"]
            for size in (1, 1_000, 60_000):
                link.send("x" * size)
                assert link.recv(PATIENCE_S) == "x" * size

    await in_thread(talk)


async def test_a_running_request_outlives_the_drain(site: Site) -> None:
    async with httpx.AsyncClient(verify=site.trust or True) as client:
        async with trio.open_nursery() as nursery:
            answers: list[httpx.Response] = []

            async def ask() -> None:
                answers.append(await client.get(f"{site.url}/hold"))

            nursery.start_soon(ask)
            await site.app.held.wait()
            site.server.drain()
            with pytest.raises(httpx.ConnectError):
                await client.get(f"{site.url}/who")
            assert not site.done.is_set()
            site.app.release.set()
        assert answers[0].content == b"done"
    with trio.fail_after(PATIENCE_S):
        await site.done.wait()
    assert site.server.connections == 0
    assert site.app.stopped == 1


async def test_a_half_closed_client_reads_its_answer(start_server: StartServer) -> None:
    site = await start_server()
    async with await site.connect() as stream:
        await stream.send_all(b"GET /who HTTP/1.1\r\nHost: h\r\n\r\n")
        await stream.send_eof()
        with trio.fail_after(PATIENCE_S):
            assert Answer.read(await read_all(stream)).status == 200

"""The server behind nginx and Caddy as Debian has them, kept-alive connections included."""

import json
import re
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import websockets.sync.client

from phonegate.config.settings import TlsSettings
from tests.patience import PATIENCE_S

from .conftest import StartServer

GUIDE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()

NGINX = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 64; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {printed}
}}
"""

CADDY = """\
{{
    admin off
    auto_https off
    storage file_system {folder}
    log {{"""


def configuration(
    kind: str, folder: Path, port: int, server: int, tls: TlsSettings, *, under_a_path: bool = False
) -> str:
    """What docs/operations.md prints, at addresses and with a certificate of a test."""
    printed, mounted = re.findall(rf"^```{kind}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    if under_a_path:
        usual = r"^    location / \{.*?^    \}\n" if kind == "nginx" else r"^    reverse_proxy .*\n"
        printed, count = re.subn(usual, mounted, printed, flags=re.MULTILINE | re.DOTALL)
        assert count == 1
    changes = {
        "nginx": {
            "server 127.0.0.1:8080;": f"server 127.0.0.1:{server};",
            "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "/etc/ssl/sms.example.org.crt": tls.certificate,
            "/etc/ssl/sms.example.org.key": tls.key,
            "error_log /var/log/nginx/phonegate.log": "error_log stderr",
        },
        "caddy": {
            "reverse_proxy 127.0.0.1:8080": f"reverse_proxy 127.0.0.1:{server}",
            "sms.example.org {": f"https://127.0.0.1:{port} {{\n    bind 127.0.0.1\n"
            f"    tls {tls.certificate} {tls.key}",
        },
    }[kind]
    for old, new in changes.items():
        assert printed.count(old) == 1, old
        printed = printed.replace(old, new)
    if kind == "caddy":
        assert printed.startswith("{\n    log {\n")
        return str(printed.replace("{\n    log {", CADDY.format(folder=folder), 1))
    return NGINX.format(folder=folder, printed=printed)


def free_port() -> int:
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@asynccontextmanager
async def proxy(
    kind: str,
    server: int,
    folder: Path,
    tls: TlsSettings,
    *,
    under_a_path: bool = False,
    change: tuple[str, str] = ("", ""),
) -> AsyncIterator[str]:
    """Runs one before the server at a port; gives its URL. What it logs is in `folder`/log."""
    program = shutil.which(kind) or shutil.which(kind, path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip(f"{kind} is not installed")
    port = free_port()
    file = folder / kind
    written = configuration(kind, folder, port, server, tls, under_a_path=under_a_path)
    assert change[0] in written
    file.write_text(written.replace(*change, 1))
    words = {
        "nginx": ["-p", str(folder), "-e", "stderr", "-c", str(file)],
        "caddy": ["run", "--adapter", "caddyfile", "--config", str(file)],
    }[kind]
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        async with trio.open_nursery() as nursery:
            run = partial(trio.run_process, stderr=log, check=False, env=home)
            nursery.start_soon(run, [program, *words])
            with trio.fail_after(PATIENCE_S):
                while True:
                    try:
                        await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
                        break
                    except OSError:
                        await trio.sleep(0.02)
            yield f"127.0.0.1:{port}"
            nursery.cancel_scope.cancel()


@pytest.fixture(params=["nginx", "caddy"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def listen_once(url: str, trust: ssl.SSLContext) -> Any:
    told = {"X-Forwarded-For": "6.6.6.6"}
    with websockets.sync.client.connect(
        url, additional_headers=told, open_timeout=PATIENCE_S, ssl=trust
    ) as link:
        greeting = json.loads(link.recv(PATIENCE_S))
        link.send("hello")
        assert link.recv(PATIENCE_S) == "hello"
        return greeting


async def test_requests_and_a_phone_through_a_proxy_that_keeps_connections(
    start_server: StartServer, kind: str, tmp_path: Path, tls: TlsSettings, trust: ssl.SSLContext
) -> None:
    site = await start_server(trusted_proxies=("127.0.0.2/32",))
    running = proxy(kind, site.port, tmp_path, tls)
    async with running as address, httpx.AsyncClient(verify=trust) as client:
        for number in range(8):
            told = {"X-Forwarded-For": "6.6.6.6"}
            seen = (await client.get(f"https://{address}/who", headers=told)).json()
            assert (seen["client"][0], seen["scheme"]) == ("127.0.0.1", "http")
            body = b"b" * (number * 30_000)
            posted = await client.post(f"https://{address}/echo", content=body)
            assert (posted.status_code, posted.content) == (200, body)
        early = await client.post(f"https://{address}/early", content=b"b" * 500_000)
        assert early.status_code == 413
        with trio.fail_after(PATIENCE_S):
            url = f"wss://{address}/websocket?a=b"
            for _ in range(2):
                greeting = await trio.to_thread.run_sync(listen_once, url, trust)
                assert greeting == ["127.0.0.1", "http", "a=b"]
                assert (await client.get(f"https://{address}/who")).status_code == 200


async def test_a_trusted_proxy_says_who_the_client_is(
    start_server: StartServer, kind: str, tmp_path: Path, tls: TlsSettings, trust: ssl.SSLContext
) -> None:
    site = await start_server(trusted_proxies=("127.0.0.0/8",))
    running = proxy(kind, site.port, tmp_path, tls)
    async with running as address, httpx.AsyncClient(verify=trust) as client:
        told = {"X-Forwarded-For": "6.6.6.6"}
        seen = (await client.get(f"https://{address}/who", headers=told)).json()
        # nginx appends whom it was called by, and here that is a trusted address itself; Caddy
        # believes no client and replaces the header.
        expected = {"nginx": "6.6.6.6", "caddy": "127.0.0.1"}[kind]
        assert (seen["client"][0], seen["scheme"]) == (expected, "https")
        greeting = await trio.to_thread.run_sync(listen_once, f"wss://{address}/websocket", trust)
        assert greeting == [expected, "https", ""]


async def test_a_proxy_whose_gateway_is_gone_logs_no_secret(
    kind: str, tmp_path: Path, tls: TlsSettings, trust: ssl.SSLContext
) -> None:
    secret = "s3cret-of-the-org"
    running = proxy(kind, free_port(), tmp_path, tls)
    async with running as address, httpx.AsyncClient(verify=trust) as client:
        for path in (f"/messages/myorg/{secret}", f"/sims?org_id=myorg&secret_key={secret}", "/x"):
            # The last one is what a program signs a hook by.
            named = ("X-Secret-Key", "X-API-Key", "Authorization", "X-Gitlab-Token")
            headers = dict.fromkeys(named, secret)
            answer = await client.get(f"https://{address}{path}", headers=headers)
            assert answer.status_code == 502
        told = {"Upgrade": "websocket", "Connection": "Upgrade", "Referer": f"https://x/{secret}"}
        answer = await client.get(f"https://{address}/websocket/{secret}", headers=told)
        assert answer.status_code == 502
    # What the operator must see in it is there: Caddy writes a line for each.
    log = (tmp_path / "log").read_text()
    assert log.count("502") >= (4 if kind == "caddy" else 0)
    assert secret not in log

"""A gateway at a path of a host that it shares: set, or named by the proxy that takes it off."""

import json
import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
import trio
from websockets.sync.client import connect

from kit.gateway import GatewayProcess
from phonegate.config.settings import TlsSettings
from tests.patience import PATIENCE_S
from tests.server.conftest import authority_file, tls, trust
from tests.server.test_proxies import proxy

__all__ = ["authority_file", "tls", "trust"]

SECRET = "my-secret-key-123"
KEYED = {"X-Secret-Key": SECRET}
PUSHED = {
    "org_id": "myorg",
    "secret_key": SECRET,
    "messages": [{"address": "+15551112222", "body": "hello"}],
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    database = tmp_path_factory.mktemp("prefix") / "phonegate.db"
    with GatewayProcess(Path(database), settings={"HTTP_PREFIX": "/sms"}) as process:
        yield process


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway that trusts a proxy on this machine, and has no prefix of its own."""
    database = tmp_path_factory.mktemp("behind") / "phonegate.db"
    settings = {"HTTP_TRUSTED_PROXIES": "127.0.0.0/8"}
    with GatewayProcess(Path(database), settings=settings) as process:
        yield process


def look_around(client: httpx.Client, base: str, printed: str) -> None:
    """Uses all that a gateway has at a base; `printed` is the address that it has to print."""
    assert client.post(f"{base}/webhook", json=PUSHED).json()["ok"] is True
    # In pieces: by Quart and not on the fast path.
    pieces = iter([json.dumps(PUSHED).encode()])
    headers = {"Content-Type": "application/json"}
    slow = client.post(f"{base}/webhook", content=pieces, headers=headers)
    assert slow.json()["ok"] is True
    messages = client.get(f"{base}/messages/myorg/{SECRET}")
    assert messages.json()["messages"][0]["body"] == "hello"
    assert client.get(f"{base}/health").json()["ok"] is True
    if base.endswith("/sms"):  # the one address that begins like the prefix
        by_number = client.post(f"{base}/sms/send?org_id=myorg", json={}, headers=KEYED)
        assert "from_phone_number" in by_number.text
    sent = {"to": "+15553334444", "body": "hi"}
    assert client.post(f"{base}/send/myorg", json=sent, headers=KEYED).json()["queued"] == 1
    for path in ("/", "/reference", "/docs"):
        page = client.get(base + path)
        assert page.status_code == 200
        found = re.findall(r'(?:src|href|data-document)="([^"#]+)"', page.text)
        assert len(found) > 5
        for link in found:
            # Those into the console lead to its sign-in.
            there = client.get(urljoin(base + path, link), follow_redirects=True)
            assert there.status_code == 200, link
            assert there.url.path.startswith(httpx.URL(base).path), link
    first, text = client.get(f"{base}/reference").text, client.get(f"{base}/llms.txt").text
    for shown in (first, text):
        commands = re.findall(r"curl (?:-X [A-Z]+ )?(?:&#39;|')?(https?://[^/]+[^ ]*)", shown)
        assert len(commands) > 3
        assert all(command.startswith(f"{printed}/") for command in commands)
    assert f"ws{printed.removeprefix('http')}/websocket" in first
    document = client.get(f"{base}/openapi.json").json()
    assert [server["url"] for server in document["servers"]] == [printed]
    moved = client.get(f"{base}/docs/")
    assert urljoin(f"{base}/docs/", moved.headers["location"]) == f"{base}/docs"
    prefix = printed.partition("://")[2].partition("/")[2]
    lost = client.get(f"{base}/sned").json()
    assert f"/{prefix}/docs shows every address".replace("//", "/") in lost["detail"]


def greet(url: str, trust: ssl.SSLContext | None = None) -> None:
    url = f"{url}/websocket?org_id=myorg&secret_key={SECRET}"
    with connect(url, open_timeout=PATIENCE_S, ssl=trust) as phone:
        assert json.loads(phone.recv(PATIENCE_S))["type"] == "connected"


@pytest.mark.parametrize("path", ["/sms", ""])
def test_all_is_there_with_the_prefix_that_is_set_and_without(
    gateway: GatewayProcess, path: str
) -> None:
    with httpx.Client(timeout=PATIENCE_S) as client:
        look_around(client, gateway.url + path, f"{gateway.url}/sms")
    greet(f"ws://127.0.0.1:{gateway.port}{path}")


def test_the_bare_prefix_leads_to_the_first_page(gateway: GatewayProcess) -> None:
    with httpx.Client(base_url=gateway.url) as client:
        moved = client.get("/sms")
        assert (moved.status_code, moved.headers["location"]) == (308, "sms/")
        assert client.get("/sms", follow_redirects=True).url.path == "/sms/"
        for path in ("/smss", "/sms/sms/health", "/SMS/health"):
            assert client.get(path).status_code == 404


HOSTILE = [
    "//evil.example",
    "https://evil.example",
    '/"><script>alert(1)</script>',
    "/a/../b",
    "/$(reboot)",
    "/`id`",
    "/a, /b",
    "/" + "a" * 200,
    "a",
]


@pytest.mark.parametrize("prefix", HOSTILE)
def test_a_strange_prefix_of_a_trusted_proxy_is_ignored(
    behind: GatewayProcess, prefix: str
) -> None:
    headers = {"X-Forwarded-Prefix": prefix, "X-Forwarded-For": "192.0.2.1"}
    with httpx.Client(base_url=behind.url, headers=headers) as client:
        for path in ("/", "/reference", "/llms.txt", "/docs"):
            page = client.get(path).text
            assert "evil" not in page
            assert behind.url + prefix not in page
        assert client.get("/openapi.json").json()["servers"][0]["url"] == behind.url
        assert client.get("/health").status_code == 200


def test_two_prefixes_are_none(behind: GatewayProcess) -> None:
    headers = [("X-Forwarded-Prefix", "/a"), ("X-Forwarded-Prefix", "/b")]
    servers = httpx.get(f"{behind.url}/openapi.json", headers=headers).json()["servers"]
    assert servers[0]["url"] == behind.url


def test_the_prefix_of_a_trusted_proxy_is_printed(behind: GatewayProcess) -> None:
    headers = {"X-Forwarded-Prefix": "/a/b/"}
    with httpx.Client(headers=headers, timeout=PATIENCE_S) as client:
        # The proxy has taken it off the paths, so the page's links are of the proxy's side.
        document = client.get(f"{behind.url}/openapi.json").json()
        assert document["servers"][0]["url"] == f"{behind.url}/a/b"
        assert f"{behind.url}/a/b/send/" in client.get(f"{behind.url}/reference").text
        assert client.get(f"{behind.url}/a/b/health").status_code == 404


def test_nobody_else_names_a_prefix(gateway: GatewayProcess) -> None:
    headers = {"X-Forwarded-Prefix": "/evil"}
    assert "evil" not in httpx.get(f"{gateway.url}/reference", headers=headers).text
    servers = httpx.get(f"{gateway.url}/openapi.json", headers=headers).json()["servers"]
    assert servers[0]["url"] == f"{gateway.url}/sms"


STRIPPED = ("proxy_pass http://phonegate;", "proxy_pass http://phonegate/;")
NAMED = (STRIPPED[0], f"{STRIPPED[1]} proxy_set_header X-Forwarded-Prefix /sms;")


@pytest.mark.parametrize(
    ("kind", "change", "is_set"),
    [
        ("nginx", ("", ""), True),
        ("nginx", STRIPPED, True),
        ("nginx", NAMED, False),
        ("caddy", ("", ""), False),
    ],
    ids=["nginx", "nginx that takes it off", "nginx that names it", "caddy"],
)
async def test_all_is_there_through_a_proxy(
    gateway: GatewayProcess,
    behind: GatewayProcess,
    kind: str,
    change: tuple[str, str],
    is_set: bool,  # noqa: FBT001 - a parameter of the test
    tmp_path: Path,
    tls: TlsSettings,
    trust: ssl.SSLContext,
) -> None:
    served = gateway if is_set else behind
    running = proxy(kind, served.port, tmp_path, tls, under_a_path=True, change=change)

    def visit(address: str) -> None:
        scheme = "http" if is_set else "https"  # of a proxy that is not trusted
        with httpx.Client(verify=trust, timeout=PATIENCE_S) as client:
            if is_set:
                assert client.get(f"https://{address}/sms/health").status_code == 200
                page = client.get(f"https://{address}/sms/reference").text
                assert f"{scheme}://{address}/sms/send/" in page
            else:
                look_around(client, f"https://{address}/sms", f"{scheme}://{address}/sms")
            to_first = client.get(f"https://{address}/sms", follow_redirects=True)
            assert to_first.status_code == 200
            assert to_first.url.path == "/sms/"
        if not is_set:
            greet(f"wss://{address}/sms", trust)

    async with running as address:
        with trio.fail_after(PATIENCE_S):
            await trio.to_thread.run_sync(visit, address)

"""Calls over real sockets to a server on loopback."""

import ipaddress
import ssl
from collections.abc import Sequence

import pytest
import trio
import trustme

from phonegate.http import outgoing_call
from phonegate.http.outgoing_address import CallFailed, CallRefused, Guard
from phonegate.http.outgoing_call import opened, read_while
from phonegate.http.outgoing_guard import Address, Rules, parse_networks
from tests.http.media_server import PNG, MediaServer
from tests.patience import PATIENCE_S

LOOPBACK = Rules(allow=parse_networks(["127.0.0.0/8"]))


@pytest.fixture
async def server(nursery: trio.Nursery) -> MediaServer:
    made = MediaServer()
    await nursery.start(made.run)
    return made


class Names:
    """A resolver that answers another address each time it is asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def resolve(self, _host: str, _port: int) -> Sequence[Address]:
        self.asked += 1
        return [ipaddress.ip_address(one) for one in self._answers[self.asked - 1]]

    def guard(self, rules: Rules = LOOPBACK) -> Guard:
        return Guard(rules=lambda: rules, resolve=self.resolve)


async def got(guard: Guard, url: str, most: int = 1_000_000) -> bytes | None:
    with trio.fail_after(PATIENCE_S):
        async with opened(guard, url) as answer:
            assert answer.status_code == 200
            return await read_while(answer, lambda size: size <= most)


async def test_the_address_that_was_looked_at_is_the_one_that_is_called(
    server: MediaServer,
) -> None:
    server.put("/a.png?b=c")
    # At a second look it would be another. There is none.
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    assert await got(names.guard(), f"http://media.example:{server.port}/a.png?b=c") == PNG
    assert names.asked == 1
    ((path, headers),) = server.asked
    assert path == "/a.png?b=c"
    assert headers["host"] == f"media.example:{server.port}"


async def test_a_body_comes_whole_or_not_at_all(server: MediaServer) -> None:
    url = server.put("/a.png", body=PNG)
    guard = Guard(rules=lambda: LOOPBACK)
    assert await got(guard, url) == PNG
    assert await got(guard, url, most=10) is None
    url = server.put("/z.png", body=PNG, headers=("Content-Encoding: gzip",))
    assert await got(guard, url) is None
    url = server.put("/b.png", body=PNG, breaks_off=True)
    with pytest.raises(CallFailed, match="broke off"):
        await got(guard, url)


async def test_the_next_address_is_tried_where_one_takes_no_connection(
    server: MediaServer,
) -> None:
    server.put("/a.png")
    names = Names(["127.0.0.2", "127.0.0.1"])
    assert await got(names.guard(), f"http://media.example:{server.port}/a.png") == PNG
    with pytest.raises(CallFailed, match="refused the connection"):
        await got(Names(["127.0.0.2"]).guard(), f"http://media.example:{server.port}/a.png")


async def test_no_redirect_is_followed_and_no_proxy_is_used(
    server: MediaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:9")
    url = server.put("/a.png", status=302, headers=(f"Location: {server.url}/b.png",))
    async with opened(Guard(rules=lambda: LOOPBACK), url) as answer:
        assert answer.status_code == 302
    assert [path for path, _ in server.asked] == ["/a.png"]


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example/x", "file:///etc/passwd", "http:///x", "http://[::1/x", "http://a\x00b/"],
)
async def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(CallRefused):
        await got(Names(["93.184.216.34"]).guard(), url)


async def test_what_may_not_be_called_hears_nothing(server: MediaServer) -> None:
    url = server.put("/a.png")
    for address in ("127.0.0.1", "::ffff:127.0.0.1"):
        with pytest.raises(CallRefused):
            await got(Names([address]).guard(Rules()), f"http://media.example:{server.port}/a.png")
    with pytest.raises(CallRefused):
        await got(Guard(rules=Rules), url)
    assert server.asked == []


async def test_a_call_ends_with_its_deadline(server: MediaServer) -> None:
    url = server.put("/a.png", gate=trio.Event())
    with trio.move_on_after(0.1) as scope:
        async with opened(Guard(rules=lambda: LOOPBACK), url):
            pass
    assert scope.cancelled_caught


async def test_tls_checks_the_name_and_not_the_address(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("media.example").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    monkeypatch.setattr(outgoing_call, "_trust", lambda: trusting)
    server = MediaServer(tls=context)
    await nursery.start(server.run)
    server.put("/a.png")
    assert await got(Names(["127.0.0.1"]).guard(), f"https://media.example:{server.port}/a.png")
    for host in ("other.example", "127.0.0.1"):
        with pytest.raises(CallFailed, match="certificate"):
            await got(Names(["127.0.0.1"]).guard(), f"https://{host}:{server.port}/a.png")

"""Events as apps get them from a gateway of its own: by httpx-sse, by polls and behind proxies."""

import itertools
import json
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
import trio
from httpx_sse import ServerSentEvent, connect_sse

from kit.gateway import GatewayProcess
from phonegate.config.settings import TlsSettings
from tests.patience import PATIENCE_S
from tests.server.conftest import tls, trust
from tests.server.test_proxies import proxy

__all__ = ["tls", "trust"]

ORG, SECRET = "myorg", "my-secret-key-123"
HEADERS: Mapping[str, str] = {"X-Secret-Key": SECRET}
FRIEND = "https://app.example.com"

_dates = itertools.count(1_700_000_000_000)


def push(gateway: GatewayProcess, *bodies: str, address: str = "AMAZON", org: str = ORG) -> None:
    """SMS come in, one call for each."""
    for body in bodies:
        sms = {"address": address, "body": body, "date": next(_dates)}
        call = {"org_id": org, "secret_key": SECRET, "messages": [sms]}
        answer = httpx.post(f"{gateway.url}/webhook", json=call, timeout=PATIENCE_S)
        assert answer.json()["stored"] == 1


def page(gateway: GatewayProcess, headers: Mapping[str, str] = HEADERS, **query: Any) -> Any:
    answer = httpx.get(
        f"{gateway.url}/events/{ORG}", params=query, headers=headers, timeout=PATIENCE_S
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def until_followed(gateway: GatewayProcess, *, by: int) -> None:
    """Waits until so many follow."""
    end = time.monotonic() + PATIENCE_S
    while gateway.status()["event_followers"] != by:
        assert time.monotonic() < end


def bodies(events: list[Any]) -> list[str]:
    return [event["data"]["message"]["body"] for event in events]


class Stream(threading.Thread):
    """One reader of a stream, by a client that others wrote."""

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] = HEADERS,
        verify: ssl.SSLContext | bool = True,
        **query: Any,
    ) -> None:
        super().__init__(daemon=True)
        self._url, self._query, self._verify = url, query, verify
        self._headers = dict(headers)  # connect_sse adds its own to those that it is given
        self.opened = threading.Event()
        self.head: httpx.Headers
        self.found: queue.Queue[ServerSentEvent | None] = queue.Queue()
        """What has come, and None when the stream has ended."""
        self.broken: Exception | None = None

    def run(self) -> None:
        try:
            with (
                httpx.Client(timeout=PATIENCE_S, verify=self._verify) as c,
                connect_sse(
                    c, "GET", f"{self._url}/events/{ORG}", headers=self._headers, params=self._query
                ) as source,
            ):
                self.head = source.response.headers
                source.response.raise_for_status()
                self.opened.set()
                for event in source.iter_sse():
                    self.found.put(event)
        except httpx.HTTPError as error:
            self.broken = error
        self.opened.set()
        self.found.put(None)

    def __enter__(self) -> Self:
        self.start()
        assert self.opened.wait(PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def take(self) -> ServerSentEvent:
        found = self.found.get(timeout=PATIENCE_S)
        assert found is not None, self.broken
        return found

    def take_bodies(self, count: int) -> list[str]:
        return bodies([json.loads(self.take().data) for _ in range(count)])

    def ends(self) -> None:
        assert self.found.get(timeout=PATIENCE_S) is None


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., GatewayProcess]]:
    with ExitStack() as stack:

        def started(port: int = 0, **settings: Any) -> GatewayProcess:
            process = GatewayProcess(tmp_path / "phonegate.db", port=port, settings=settings)
            stack.enter_context(process)
            push(process, "the first")
            page(process)
            return process

        yield started


@pytest.fixture(params=["fast", "app"])
def headers(request: pytest.FixtureRequest) -> dict[str, str]:
    """Those of a request of the fast path, and of one that goes through Quart."""
    more = {"TE": "trailers"} if request.param == "app" else {}
    return {**HEADERS, **more}


def test_a_stream_has_each_event_as_it_happens(
    start: Callable[..., GatewayProcess], headers: dict[str, str]
) -> None:
    gateway = start()
    with Stream(gateway.url, headers=headers) as stream:
        assert stream.head["content-type"] == "text/event-stream"
        assert stream.head["cache-control"] == "no-store"
        assert stream.head["x-accel-buffering"] == "no"
        for body in ("one", "half a line\nand \U0001f600 another"):
            push(gateway, body)
            event = stream.take()
            told = json.loads(event.data)
            assert (event.event, event.id) == ("message.received", str(told["id"]))
            assert told["type"] == event.event
            assert told["data"]["message"]["body"] == body
    listed = httpx.get(f"{gateway.url}/messages/{ORG}", headers=HEADERS).json()["messages"]
    assert told["data"]["message"] == listed[-1]


def test_a_page_has_what_has_happened(start: Callable[..., GatewayProcess]) -> None:
    gateway = start()
    begun = page(gateway)
    assert begun == {"ok": True, "events": [], "last_id": begun["last_id"]}
    push(gateway, "one", "two", "three")
    found = page(gateway, since_id=begun["last_id"])
    assert bodies(found["events"]) == ["one", "two", "three"]
    assert found["last_id"] == found["events"][-1]["id"]
    first = page(gateway, since_id=begun["last_id"], limit=2)
    assert bodies(first["events"]) == ["one", "two"]
    assert bodies(page(gateway, since_id=first["last_id"])["events"]) == ["three"]
    assert bodies(page(gateway, limit=2)["events"]) == ["two", "three"]
    assert page(gateway, since_id=found["last_id"])["events"] == []


def test_a_poll_waits_for_what_happens(
    start: Callable[..., GatewayProcess], headers: dict[str, str]
) -> None:
    gateway = start()
    begun = page(gateway)["last_id"]
    assert page(gateway, headers, wait=1, since_id=begun)["events"] == []
    got: list[Any] = []
    queries: list[dict[str, Any]] = [{"since_id": begun}, {}]
    for query in queries:
        waiting = threading.Thread(
            target=lambda query=query: got.append(page(gateway, headers, wait=30, **query))
        )
        # One that was answered is counted no more, or it would pass for this one.
        until_followed(gateway, by=0)
        waiting.start()
        until_followed(gateway, by=1)
        push(gateway, "new")
        waiting.join(PATIENCE_S)
        found = got.pop()
        assert bodies(found["events"]) == ["new"]
        assert found["last_id"] == found["events"][0]["id"]
        begun = found["last_id"]
    # What is there already is not waited for.
    assert len(page(gateway, headers, wait=30, since_id=0)["events"]) == 2


def test_filters(start: Callable[..., GatewayProcess]) -> None:
    gateway = start()
    begun = page(gateway)["last_id"]
    wanted: dict[str, Any] = {"types": "message.received,phone.*", "address": "+15551110000"}
    with (
        Stream(gateway.url, **wanted) as stream,
        Stream(gateway.url, types="message.queued") as queued,
    ):
        push(gateway, "other")
        push(gateway, "mine", address="+15551110000")
        sent = httpx.post(
            f"{gateway.url}/send/{ORG}", json={"to": "+15551110000", "body": "out"}, headers=HEADERS
        )
        assert sent.status_code == 200
        push(gateway, "mine too", address="+15551110000")
        assert stream.take_bodies(2) == ["mine", "mine too"]
        assert queued.take_bodies(1) == ["out"]
    assert bodies(page(gateway, since_id=begun, **wanted)["events"]) == ["mine", "mine too"]
    assert bodies(page(gateway, limit=1, **wanted)["events"]) == ["mine too"]
    assert page(gateway, since_id=begun, sim="+15559990000")["events"] == []


@pytest.mark.parametrize(
    ("query", "field", "problem"),
    [
        ({"wait": 61}, "wait", "must be at most 60"),
        ({"types": "message.recieved"}, "types", "message.recieved is no type of event; there are"),
        ({"sim": "none"}, "sim", "must be a SIM's number"),
        ({"phone": "x"}, "phone", "must be a whole number"),
        ({"since_id": -1}, "since_id", "must be at least 0"),
        ({"limit": 1001}, "limit", "must be at most 1000"),
    ],
)
def test_what_can_not_be_asked_is_refused_by_its_field(
    site: GatewayProcess, query: dict[str, Any], field: str, problem: str
) -> None:
    url = f"{site.url}/events/{ORG}"
    answer = httpx.get(url, params=query, headers={**HEADERS, "Accept": "text/event-stream"})
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert error["problem"].startswith(problem)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway for tests that leave nothing behind."""
    database = tmp_path_factory.mktemp("site") / "phonegate.db"
    settings = {"HTTP_ALLOWED_ORIGINS": FRIEND}
    with GatewayProcess(database, settings=settings) as process:
        push(process, "the first")
        yield process


def test_a_last_event_id_that_is_none_is_refused(site: GatewayProcess) -> None:
    sent = {**HEADERS, "Accept": "text/event-stream", "Last-Event-ID": "x"}
    answer = httpx.get(f"{site.url}/events/{ORG}", headers=sent)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "Last-Event-ID"


def test_it_needs_a_credential(site: GatewayProcess) -> None:
    for accept in ("*/*", "text/event-stream"):
        answer = httpx.get(f"{site.url}/events/{ORG}", headers={"Accept": accept})
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/json"


def test_a_page_of_another_site_may_follow_where_it_is_let_in(site: GatewayProcess) -> None:
    sent = {**HEADERS, "Origin": FRIEND, "Sec-Fetch-Site": "cross-site"}
    with Stream(site.url, headers=sent) as stream:
        assert stream.head["access-control-allow-origin"] == FRIEND
    foreign = {**sent, "Origin": "https://evil.example"}
    assert httpx.get(f"{site.url}/events/{ORG}", headers=foreign).status_code == 403
    asked = {"Origin": FRIEND, "Access-Control-Request-Method": "GET"}
    answer = httpx.options(f"{site.url}/events/{ORG}", headers=asked)
    assert answer.status_code == 204
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_head_has_the_head_alone(site: GatewayProcess, accept: str) -> None:
    sent, before = {**HEADERS, "Accept": accept}, site.status()["event_followers"]
    answer = httpx.head(f"{site.url}/events/{ORG}", params={"wait": 60}, headers=sent)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == accept
    assert site.status()["event_followers"] == before


def test_nothing_is_lost_or_repeated_over_kills(start: Callable[..., GatewayProcess]) -> None:
    """A client that comes back with the last id that it had, and a gateway that is killed."""
    gateway = start()
    port, last = gateway.port, page(gateway)["last_id"]
    wanted: list[str] = []
    got: list[str] = []
    for round_ in range(4):
        if round_ == 3:  # the last time by the query, as those do that can set no header
            stream = Stream(gateway.url, since_id=last)
        else:
            headers = {**HEADERS, "Last-Event-ID": str(last)}
            stream = Stream(gateway.url, headers=headers, since_id=0)
        with stream:
            texts = [f"{round_}.{number}" for number in range(5)]
            wanted += texts
            push(gateway, *texts[:3])
            while len(got) < len(wanted) - 2:
                event = stream.take()
                got += bodies([json.loads(event.data)])
                last = int(event.id)
            if round_ == 3:
                break
            gateway.kill()
            stream.ends()
        gateway = start(port=port)
        wanted += ["the first"]
        push(gateway, *texts[3:])
        # As they were pushed: those of `start` come before.
        wanted[-3:] = ["the first", *texts[3:]]
    assert got == wanted[: len(got)]
    assert len(got) == len(wanted) - 2


def test_what_is_missing_is_said_first(start: Callable[..., GatewayProcess]) -> None:
    gateway = start()
    push(gateway, "one")
    with Stream(gateway.url, since_id=0) as stream:
        gap = stream.take()
        assert gap.event == "gap"
        first = json.loads(gap.data)["first"]
        event = stream.take()
        assert bodies([json.loads(event.data)]) == ["one"]
        assert gap.id == str(int(event.id) - 1)
    found = page(gateway, since_id=0)
    assert found["gap"] is True
    assert bodies(found["events"]) == ["one"]
    assert "gap" not in page(gateway, since_id=first)
    # An id that this gateway has not come to yet, as from before a copy was restored.
    with Stream(gateway.url, since_id=1_000_000) as stream:
        assert stream.take().event == "gap"
        push(gateway, "two")
        assert stream.take_bodies(1) == ["two"]


def make_key(gateway: GatewayProcess, **limits: Any) -> tuple[str, dict[str, str]]:
    made = httpx.post(
        f"{gateway.url}/keys/{ORG}",
        json={"name": "app", "scopes": ["read"], **({"limits": limits} if limits else {})},
        headers=HEADERS,
    ).json()
    return made["id"], {"Authorization": f"Bearer {made['key']}"}


def test_a_key_follows_what_it_may_see(start: Callable[..., GatewayProcess]) -> None:
    gateway = start()
    _, narrow = make_key(gateway, **{"from": ["+1555111*"]})
    _, blind = make_key(gateway, codes="hidden")
    with (
        Stream(gateway.url, headers=narrow) as some,
        Stream(gateway.url, headers=blind) as hidden,
        Stream(gateway.url) as whole,
    ):
        push(gateway, "Your code is 123456")
        push(gateway, "hello", address="+15551110000")
        assert some.take_bodies(1) == ["hello"]
        assert whole.take_bodies(2) == ["Your code is 123456", "hello"]
        assert hidden.take_bodies(2) == ["Your code is ******", "hello"]
    assert bodies(page(gateway, narrow)["events"]) == ["hello"]


def test_a_revoked_key_ends_its_stream(start: Callable[..., GatewayProcess]) -> None:
    gateway = start()
    key_id, bearer = make_key(gateway)
    with Stream(gateway.url, headers=bearer) as stream:
        push(gateway, "seen")
        assert stream.take_bodies(1) == ["seen"]
        done = httpx.delete(f"{gateway.url}/keys/{ORG}/{key_id}", headers=HEADERS)
        assert done.status_code == 200
        stream.ends()
        assert stream.broken is None
    refused = httpx.get(
        f"{gateway.url}/events/{ORG}", headers={**bearer, "Accept": "text/event-stream"}
    )
    assert refused.status_code == 401


def test_a_gateway_that_stops_ends_streams_and_polls(
    start: Callable[..., GatewayProcess], headers: dict[str, str]
) -> None:
    gateway = start()
    got: list[Any] = []
    waiting = threading.Thread(target=lambda: got.append(page(gateway, headers, wait=60)))
    waiting.start()
    with Stream(gateway.url, headers=headers) as stream:
        until_followed(gateway, by=2)
        assert gateway.stop() == 0
        stream.ends()
        assert stream.broken is None
    waiting.join(PATIENCE_S)
    assert got[0]["events"] == []


def test_one_that_does_not_read_is_dropped_and_nobody_else_notices(
    start: Callable[..., GatewayProcess], headers: dict[str, str]
) -> None:
    gateway = start(HTTP_PEER_TIMEOUT_S=1, PACING_SEGMENTS_PER_MINUTE=0)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", gateway.port))
    lines = {**headers, "Host": "localhost", "Accept": "text/event-stream"}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    sock.sendall(f"GET /events/{ORG} HTTP/1.1\r\n{head}\r\n".encode())
    texts = [f"{number} " + "x" * 60_000 for number in range(100)]
    with Stream(gateway.url) as stream:
        for text in texts:
            push(gateway, text)
            assert stream.take_bodies(1) == [text]
        while gateway.status()["event_followers"] > 1:
            push(gateway, "more")
            assert stream.take_bodies(1) == ["more"]
    sock.close()


def test_one_credential_has_not_all_streams(start: Callable[..., GatewayProcess]) -> None:
    gateway = start(LIMITS_ADDRESS_CONNECTIONS=0)
    _, bearer = make_key(gateway)
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(opened(gateway, bearer))
        until_followed(gateway, by=200)
        asked = {**bearer, "Accept": "text/event-stream"}
        refused = httpx.get(f"{gateway.url}/events/{ORG}", headers=asked)
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "5"
        assert httpx.get(f"{gateway.url}/events/{ORG}", headers=bearer).status_code == 200
        with Stream(gateway.url) as stream:
            push(gateway, "for others")
            assert stream.take_bodies(1) == ["for others"]


@contextmanager
def opened(gateway: GatewayProcess, headers: dict[str, str]) -> Iterator[None]:
    """A stream that is open, of which nothing is read but its head."""
    with socket.create_connection(("127.0.0.1", gateway.port)) as sock:
        lines = {**headers, "Host": "localhost", "Accept": "text/event-stream"}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        sock.sendall(f"GET /events/{ORG} HTTP/1.1\r\n{head}\r\n".encode())
        assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")
        yield


@pytest.mark.parametrize("kind", ["nginx", "caddy"])
async def test_events_pass_a_proxy_at_once(
    start: Callable[..., GatewayProcess],
    kind: str,
    tmp_path: Path,
    tls: TlsSettings,
    trust: ssl.SSLContext,
) -> None:
    gateway = start(HTTP_TRUSTED_PROXIES="127.0.0.1/32")
    async with proxy(kind, gateway.port, tmp_path, tls) as address:

        def follow() -> None:
            with Stream(f"https://{address}", verify=trust) as stream:
                for body in ("one", "two"):
                    push(gateway, body)
                    assert stream.take_bodies(1) == [body]
                gateway.stop()
                stream.ends()

        with trio.fail_after(PATIENCE_S):
            await trio.to_thread.run_sync(follow)

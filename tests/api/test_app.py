"""The app on a real socket under Hypercorn, asked by clients of others and by bare bytes."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import trio.testing
from hypercorn.config import Config
from hypercorn.trio import serve

from phonegate import gateway
from phonegate.config.settings import DatabaseSettings, HttpSettings, Settings
from phonegate.domain.dispatch import OnlinePhone
from phonegate.model.messages import PageQuery
from phonegate.model.phones import Sim
from phonegate.store.database import Database
from tests.api.conftest import (
    ORG,
    SECRET,
    Web,
    build_web,
)
from tests.captured_logs import capture_logs
from tests.patience import PATIENCE_S

SIM = Sim(slot=0, number="+15551112222", carrier="AT&T")
LIMIT = 50_000


@pytest.fixture
async def wired(database: Database, nursery: trio.Nursery) -> AsyncIterator[tuple[Web, int]]:
    """The web and the port it listens on."""
    web = build_web(database, max_body_bytes=LIMIT)
    await web.make_org()
    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.errorlog = None
    stop = trio.Event()

    async def run(task_status: trio.TaskStatus[list[str]]) -> None:
        await serve(web.app, config, shutdown_trigger=stop.wait, task_status=task_status)

    (bound,) = await nursery.start(run)
    yield web, int(bound.rsplit(":", 1)[1])
    stop.set()


async def raw(port: int, data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Sends bytes and reads the first answer, to the end that its length tells."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        with trio.fail_after(PATIENCE_S):
            await stream.send_all(data)
            got = b""
            while b"\r\n\r\n" not in got:
                got += await stream.receive_some()
            head, _, body = got.partition(b"\r\n\r\n")
            first, *rest = head.decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in rest)
            while len(body) < int(headers.get("content-length", "0")):
                body += await stream.receive_some()
    return int(first.split()[1]), headers, body


async def test_an_sms_goes_in_and_out_over_the_wire(wired: tuple[Web, int]) -> None:
    web, port = wired
    web.phones.phones.append(OnlinePhone(phone=1, device_id=None, name=None, sims=(SIM,)))
    org = await web.database.read(lambda tx: tx.orgs.get(ORG))
    assert org is not None
    await web.database.write(lambda tx: tx.phones.connect(org.id, None, 0, phone=None))
    sms = {"address": "+15551112222", "body": "hello", "date": 1}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        push = {"org_id": ORG, "secret_key": SECRET, "messages": [sms]}
        pushed = await client.post("/webhook", json=push)
        assert pushed.json() == {"ok": True, "org_id": ORG, "stored": 1}
        sent = await client.post(
            f"/send/{ORG}/{SECRET}",
            content=json.dumps({"to": "+15553334444", "body": "out"}),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        assert sent.json()["results"][0]["status"] == "sending"
        page = await client.get(f"/messages/{ORG}", headers={"X-Secret-Key": SECRET})
        assert [m["body"] for m in page.json()["messages"]] == ["hello", "out"]
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["content-type"] == "application/json"
        head = await client.head(f"/messages/{ORG}", headers={"X-Secret-Key": SECRET})
        assert head.headers["content-length"] == str(len(page.content))
    assert [message.body for message in web.phones.pushed] == ["out"]


GET = b"GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"
POST = b"POST /send/myorg HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n%s"
UPGRADE = (
    b"GET /%s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (GET % (b"/nothing", b"x"), 404, "not_found"),
        (GET % (b"/none", b"a b:::[\x80"), 404, "not_found"),
        (GET % (b"/%ff/%00/../x", b"[::1"), 404, "not_found"),
        (GET % (b"nothing", b"x"), 404, "not_found"),
        (GET % (b"/messages/%ff", b"x"), 400, "bad_input"),
        (GET % (b"/health?%ff", b"x"), 400, "bad_input"),
        (GET.replace(b"GET", b"PATCH") % (b"/health", b"x"), 405, "method_not_allowed"),
        (POST % (b"Content-Length: 60000", b"{"), 413, "too_large"),
        (POST % (b"Content-Length: 60000", b"x" * 60_000), 413, "too_large"),
        (
            POST % (b"Transfer-Encoding: chunked", b"c000\r\n" + b"x" * 0xC000 + b"\r\n800\r\n"),
            408,
            "request_timeout",
        ),
        (
            POST % (b"Transfer-Encoding: chunked", b"ea60\r\n" + b"x" * 60_000 + b"\r\n"),
            413,
            "too_large",
        ),
        (POST % (b"Content-Length: 100", b"{"), 408, "request_timeout"),
        (POST % (b"Content-Length: 0", b""), 400, "bad_input"),
        (UPGRADE % b"health", 404, "not_found"),
        (UPGRADE % b"nothing", 404, "not_found"),
    ],
    ids=lambda value: value[:40].decode("latin-1") if isinstance(value, bytes) else None,
)
async def test_every_error_on_the_wire_is_json(
    wired: tuple[Web, int], monkeypatch: pytest.MonkeyPatch, data: bytes, status: int, code: str
) -> None:
    web, port = wired
    if code == "request_timeout":
        pipeline = web.app._pipeline  # type: ignore[attr-defined]
        monkeypatch.setattr(pipeline, "_timeout_s", 0.2)
    with capture_logs() as lines:
        answer, headers, body = await raw(port, data)
    assert (answer, headers["content-type"]) == (status, "application/json")
    content = json.loads(body)
    assert (content["ok"], content["code"]) == (False, code)
    assert headers["cache-control"] == "no-store"
    assert [line["status"] for line in lines if line["event"] == "request"] == [status]


async def test_a_body_that_stays_away_is_answered_so_through_the_server_too(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    stop = trio.Event()
    settings = Settings(
        http=HttpSettings(bind=("127.0.0.1:0",), request_timeout_s=0.5),
        database=DatabaseSettings(path=str(tmp_path / "phonegate.db")),
    )
    ((_, port),) = await nursery.start(gateway.serve, settings, stop)
    status, _, body = await raw(port, POST % (b"Content-Length: 100", b"{"))
    stop.set()
    assert (status, json.loads(body)["code"]) == (408, "request_timeout")


async def test_a_send_whose_client_hangs_up_is_committed_and_pushed(
    wired: tuple[Web, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    web, port = wired
    web.phones.phones.append(OnlinePhone(phone=1, device_id=None, name=None, sims=(SIM,)))
    org = await web.database.read(lambda tx: tx.orgs.get(ORG))
    assert org is not None
    await web.database.write(lambda tx: tx.phones.connect(org.id, None, 0, phone=None))
    # So that where the org is known need not be written down within the send.
    assert (await web.call("GET", f"/sims/{ORG}", headers={"X-Secret-Key": SECRET})).status == 200
    write, writing, gone = web.database.write, trio.Event(), trio.Event()
    pushed = trio.Event()

    async def slow_write(op: object, **more: Any) -> object:
        writing.set()
        await gone.wait()
        return await write(op, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(web.database, "write", slow_write)
    web.phones.on_push = pushed.set
    body = json.dumps({"secret_key": SECRET, "to": "+15553334444", "body": "x"}).encode()
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    with trio.fail_after(PATIENCE_S):
        await stream.send_all(POST % (b"Content-Length: %d" % len(body), body))
        await writing.wait()
        await stream.aclose()
        # Long enough for the server to read the end of the connection and cancel the request.
        await trio.testing.wait_all_tasks_blocked(0.05)
        gone.set()
        await pushed.wait()
    page = await web.database.read(lambda tx: tx.messages.page(org.id, PageQuery()))
    assert [message.status for message in page] == ["sending"]

"""An org moves between two gateways that serve: by commands, with a phone and its apps."""

import gzip
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from kit.gateway import GatewayProcess
from phonegate.cli import main
from tests.patience import PATIENCE_S

ORG, SECRET = "shop", "a-secret-of-this-test"
FRIEND = "+15553334444"
HEADERS = {"X-Secret-Key": SECRET}
SEEN = (
    *("/messages/shop", "/messages/shop?q=hello", "/events/shop", "/keys/shop", "/sims/shop"),
    *("/webhooks/shop", "/hooks/of/shop", "/assistants?org_id=shop"),
)


@pytest.fixture
def gateways(tmp_path: Path) -> Iterator[tuple[GatewayProcess, GatewayProcess]]:
    settings = {"PACING_SEGMENTS_PER_MINUTE": 0, "WEBHOOKS_ALLOW": "127.0.0.0/8"}
    with ExitStack() as stack:
        for name in ("here", "there"):
            (tmp_path / name).mkdir()
        here, there = (
            stack.enter_context(GatewayProcess(tmp_path / name / "gate.db", settings=settings))
            for name in ("here", "there")
        )
        yield here, there


def run(gateway: GatewayProcess, *words: str) -> None:
    assert main([*words, "--database", str(gateway.database)]) == 0


def ask(gateway: GatewayProcess, method: str, path: str, **more: Any) -> httpx.Response:
    return httpx.request(
        method, f"{gateway.url}{path}", headers=HEADERS | more.pop("also", {}), **more
    )


@contextmanager
def phone(gateway: GatewayProcess) -> Iterator[ClientConnection]:
    url = f"ws://127.0.0.1:{gateway.port}/websocket?org_id={ORG}&device_id=pixel"
    with connect(url, additional_headers=HEADERS, open_timeout=PATIENCE_S) as link:
        link.send(json.dumps({"type": "hello", "features": ["ack"], "name": "Pixel"}))
        sims = [{"slot": 0, "number": "+15551112222"}]
        link.send(json.dumps({"type": "sim_info", "sims": sims}))
        yield link


def confirm(link: ClientConnection, frame: dict[str, Any]) -> None:
    link.send(json.dumps({"type": "ack", "id": frame["id"]}))
    link.send(json.dumps({"type": "send_result", "id": frame["id"], "success": True}))


def pushed(link: ClientConnection, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while len(found) < count:
        frame = json.loads(link.recv(timeout=PATIENCE_S))
        if frame["type"] == "send_sms":
            found.append(frame)
    return found


def send(gateway: GatewayProcess, key: str, body: str) -> httpx.Response:
    message = {"to": FRIEND, "body": body}
    return ask(gateway, "POST", f"/send/{ORG}", json=message, also={"Idempotency-Key": key})


def no_more_is_taken(here: GatewayProcess, key: str) -> None:
    """Nothing that is not in the file. All are to come again."""
    for refused in (send(here, "c", "late"), ask(here, "GET", f"/messages/{ORG}")):
        assert (refused.status_code, refused.json()["code"]) == (503, "org_suspended")
        assert int(refused.headers["Retry-After"]) > 0
    by_key = httpx.get(f"{here.url}/messages/{ORG}", headers={"Authorization": f"Bearer {key}"})
    assert by_key.status_code == 503
    with pytest.raises(InvalidStatus) as no_phone, phone(here):
        pass
    assert no_phone.value.response.status_code == 503


def test_an_org_moves_with_its_phone(
    gateways: tuple[GatewayProcess, GatewayProcess],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    here, there = gateways
    made = ask(
        here,
        "POST",
        "/webhook",
        json={
            "org_id": ORG,
            "secret_key": SECRET,
            "messages": [
                {"address": FRIEND, "body": "hello from a friend", "date": 1_700_000_000_000}
            ],
        },
    )
    assert made.status_code == 200, made.text
    key = ask(here, "POST", f"/keys/{ORG}", json={"name": "app"}).json()["key"]
    hook = {"url": "http://127.0.0.1:9/sms", "events": ["message.received"]}
    assert ask(here, "POST", f"/webhooks/{ORG}", json=hook).status_code == 201
    with phone(here) as link:
        first = send(here, "a", "hello, acknowledged")
        assert first.status_code == 200, first.text
        (known,) = pushed(link, 1)
        confirm(link, known)
        # This one was given to the phone, which never says so.
        send(here, "b", "hello, unanswered")
        (given,) = pushed(link, 1)
        file = tmp_path / "shop.org"
        run(here, "org", "export", ORG, str(file), "--move")
        with pytest.raises(ConnectionClosed) as closed:
            pushed(link, 1)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
    assert file.stat().st_mode & 0o777 == 0o600

    no_more_is_taken(here, key)
    capsys.readouterr()
    run(here, "org", "list")
    assert capsys.readouterr().out.splitlines()[1].endswith("suspended")

    run(there, "org", "import", str(file))
    assert "shop is served here now, with 3 messages" in capsys.readouterr().out
    run(here, "org", "resume", ORG)
    for path in SEEN:
        before, after = ask(here, "GET", path), ask(there, "GET", path)
        assert before.status_code == 200, (path, before.text)
        assert after.json() == before.json(), path
    run(here, "org", "remove", ORG, "--yes")

    again = send(there, "a", "hello, acknowledged")
    assert again.json() == first.json(), "the answer that was kept"
    with phone(there) as link:
        send(there, "d", "after the move")
        frames = pushed(link, 2)
        assert frames[0] == given, "the same id again, and the same text"
        for frame in frames:
            confirm(link, frame)
        link.send(json.dumps({"type": "ping"}))
        while json.loads(link.recv(timeout=PATIENCE_S))["type"] != "pong":
            pass
    headers = {"Authorization": f"Bearer {key}"}
    page = httpx.get(f"{there.url}/messages/{ORG}?direction=out", headers=headers).json()
    assert [(one["body"], one["status"]) for one in page["messages"]] == [
        ("hello, acknowledged", "sent"),
        ("hello, unanswered", "sent"),
        ("after the move", "sent"),
    ]
    assert len({one["id"] for one in page["messages"]}) == 3


def test_a_file_for_reading_has_nothing_that_was_given_out(
    gateways: tuple[GatewayProcess, GatewayProcess],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, _ = gateways
    monkeypatch.setenv("PHONEGATE_SECRET", SECRET)
    run(here, "org", "add", ORG, "--secret-from", "environment")
    key = ask(here, "POST", f"/keys/{ORG}", json={"name": "the shop's app"}).json()["key"]
    form = {
        "url": "http://127.0.0.1:9/in-the-path",
        "headers": {"Authorization": "in-a-header"},
        "events": ["message.*"],
    }
    webhook = ask(here, "POST", f"/webhooks/{ORG}", json=form).json()
    form = {
        "name": "doorbell",
        "mapping": {"to": ["{to}"], "text": "{text}"},
        "verification": {"kind": "header", "secret": "in-the-hook"},
    }
    hook = ask(here, "POST", f"/hooks/of/{ORG}", json=form)
    assert hook.status_code == 201, hook.text
    carrier = {
        "name": "front desk",
        "provider": "twilio",
        "phone_numbers": ["+15551112222"],
        "credentials": {"account_sid": "AC" + 32 * "1", "auth_token": "of-the-carrier"},
    }
    made = ask(here, "POST", f"/assistants?org_id={ORG}", json=carrier)
    assert made.status_code == 201, made.text
    assert send(here, "a", "hello, reader").status_code == 200
    file = tmp_path / "shop.org"
    run(here, "org", "export", ORG, str(file), "--without-credentials")
    text = gzip.decompress(file.read_bytes()).decode()
    for known in (
        "hello, reader",
        FRIEND,
        "the shop's app",
        "doorbell",
        "front desk",
        "+15551112222",
    ):
        assert known in text, known
    given = (SECRET, key, webhook["secret"], hook.json()["url"].rpartition("/")[2])
    for secret in (*given, "in-the-path", "in-a-header", "in-the-hook", "of-the-carrier", 32 * "1"):
        assert secret not in text, secret

"""The handshake: who is let in, and what the others are told."""

import asyncio
import json
import socket
from typing import Any

import attrs
import h11
import pytest
import trio
import trio.testing
import websockets

from phonegate.config.settings import HttpSettings
from phonegate.domain.accounts import Accounts
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.registration import Registration
from phonegate.model.principal import Scope
from phonegate.model.refusals import Throttled, Unauthorized
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.phones.session import Session
from tests.captured_logs import capture_logs
from tests.patience import PATIENCE_S
from tests.phones.conftest import Start
from tests.phones.site import NUMBER, ORG, PATIENT, SECRET, Site, now_ms

HANDSHAKE = [
    ("Host", "x"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
]


def handshake(target: str, *headers: tuple[str, str]) -> bytes:
    lines = [f"GET {target} HTTP/1.1", *(f"{n}: {v}" for n, v in (*HANDSHAKE, *headers))]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


async def refusal(
    site: Site, *headers: tuple[str, str], **query: str | None
) -> tuple[int, dict[str, Any], dict[bytes, bytes]]:
    """Status, body and headers of the plain HTTP answer, read by h11."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    client.send(h11.EndOfMessage())
    status, body, answered = 0, b"", {}
    with trio.fail_after(PATIENCE_S):
        async with await trio.open_tcp_stream("127.0.0.1", site.port) as stream:
            await stream.send_all(handshake(site.target(**query), *headers))
            while not isinstance(event := client.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA:
                    client.receive_data(await stream.receive_some())
                elif isinstance(event, h11.Response):
                    status, answered = event.status_code, dict(event.headers)
                elif isinstance(event, h11.Data):
                    body += event.data
            assert await stream.receive_some() == b""
    return status, json.loads(body), answered


async def test_an_unknown_org_is_created_and_then_guarded(site: Site) -> None:
    async with site.phone():
        pass
    status, body, headers = await refusal(site, secret_key="another-secret-123")
    assert status == 401
    assert body["ok"] is False
    assert body["code"] == "unauthorized"
    assert headers[b"content-type"] == b"application/json"
    assert headers[b"www-authenticate"].decode() == Unauthorized.challenge
    status, body, _ = await refusal(site, secret_key="")
    assert (status, body["code"]) == (401, "unauthorized")


async def test_a_phone_that_was_never_here_is_a_line_in_the_log(site: Site) -> None:
    with capture_logs() as lines:
        for device_id in ("a", "b", "a"):
            async with site.phone(device_id=device_id):
                pass
        for _ in range(2):
            async with site.phone():
                pass
    added = [line["phone"] for line in lines if line["event"] == "phone_added"]
    connected = [line["phone"] for line in lines if line["event"] == "phone_connected"]
    assert len(connected) == 5
    assert added == list(dict.fromkeys(connected))
    assert len(added) == 3


async def test_registration_may_be_closed(site: Site) -> None:
    accounts = Accounts(
        site.database,
        registration=Registration(forced="closed"),
        now_ms=now_ms,
        rate_limits=RateLimits(),
    )
    site.link._admission = attrs.evolve(site.admission, authentication=accounts.authentication)
    status, body, _ = await refusal(site)
    assert (status, body["code"]) == (401, "unauthorized")


@pytest.mark.parametrize(
    "headers",
    [
        [("Origin", "https://evil.example")],
        [("Origin", "null")],
        [("Origin", "http://x")] * 2,
        [("Sec-Fetch-Site", "cross-site")],
        # What it asked is not encrypted, whatever it says.
        [("Origin", "https://sms.example.net"), ("X-Forwarded-Host", "sms.example.net")],
        [("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Mode", "websocket")],
    ],
)
async def test_a_page_of_another_site_opens_no_link(
    site: Site, headers: list[tuple[str, str]]
) -> None:
    async with site.phone():  # so that the secret is right
        pass
    status, body, _ = await refusal(site, *headers)
    assert (status, body["code"]) == (403, "foreign_page")
    assert (await refusal(site, *headers, org_id="made-by-a-page"))[0] == 403
    assert await site.database.read(lambda tx: tx.orgs.get("made-by-a-page")) is None


async def test_a_page_of_the_gateway_and_one_that_is_let_in_may_be_phones(start: Start) -> None:
    let_in = HttpSettings(allowed_origins=("capacitor://localhost",))
    site = await start(attrs.evolve(PATIENT, http=let_in))
    for origin in ("capacitor://localhost", f"http://127.0.0.1:{site.port}"):
        async with site.phone(headers=[(b"Origin", origin.encode())]):
            pass


async def test_bad_input_names_the_field(site: Site) -> None:
    status, body, _ = await refusal(site, device_id="%00")
    assert (status, body["code"]) == (400, "bad_input")
    assert body["errors"] == [
        {"field": "device_id", "problem": "must be 1 to 128 printable characters"}
    ]
    status, body, _ = await refusal(site, device_id="")
    assert status == 400
    status, body, _ = await refusal(site, org_id="a", secret_key="x" * 20)
    assert status == 400


@pytest.mark.parametrize(
    "header",
    [
        (b"X-Secret-Key", SECRET.encode()),
        (b"Authorization", b"Bearer " + SECRET.encode()),
        (b"authorization", b"bearer  " + SECRET.encode()),
    ],
)
async def test_the_secret_may_come_in_a_header(site: Site, header: tuple[bytes, bytes]) -> None:
    async with site.phone():
        pass
    async with site.phone(secret_key="wrong-secret-1234", headers=[header]):
        pass
    status, _, _ = await refusal(site, ("X-Secret-Key", "wrong-secret-1234"))
    assert status == 401


async def test_a_plus_in_a_secret_is_a_plus(site: Site) -> None:
    async with site.phone(org_id="other", secret_key="a+secret+of+mine"):
        pass
    async with site.phone(org_id="other", secret_key="a%2Bsecret%2Bof%2Bmine"):
        pass


async def test_an_api_key_names_its_org_and_needs_the_scope(site: Site) -> None:
    org, _ = await site.accounts.orgs.add(ORG, SECRET)
    admitted: tuple[Scope, ...] = ("phone", "manage")
    for scope in admitted:
        _, key = await site.accounts.keys.add(org.id, "phones", [scope])
        bearer = [(b"Authorization", f"Bearer {key}".encode())]
        async with site.phone(org_id=None, secret_key=None, headers=bearer) as phone:
            assert phone.connected["org_id"] == ORG
    _, key = await site.accounts.keys.add(org.id, "reader", ["send", "read"])
    status, body, _ = await refusal(
        site, ("Authorization", f"Bearer {key}"), org_id=None, secret_key=None
    )
    assert (status, body["code"]) == (403, "forbidden")


async def test_a_key_that_was_revoked_is_no_phone_any_more(site: Site) -> None:
    org, _ = await site.accounts.orgs.add(ORG, SECRET)
    made, key = await site.accounts.keys.add(org.id, "phone", ["phone"])
    bearer = [(b"Authorization", f"Bearer {key}".encode())]
    async with site.phone(org_id=None, secret_key=None, headers=bearer) as phone:
        await site.accounts.keys.revoke(org.id, made.id)
        assert await phone.closed() == 1008
    status, _, _ = await refusal(
        site, ("Authorization", f"Bearer {key}"), org_id=None, secret_key=None
    )
    assert status == 401


async def test_throttling_says_when_to_come_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise Throttled("Too many wrong secrets.", 7)

    monkeypatch.setattr(site.accounts.authentication, "authenticate", refuse)
    status, body, headers = await refusal(site)
    assert (status, body["code"], headers[b"retry-after"]) == (429, "too_many_requests", b"7")


async def test_a_full_disk_says_so_before_the_upgrade(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site.phone():
        pass

    async def refuse(*_: object, **__: object) -> None:
        raise StorageUnavailable("disk full")

    monkeypatch.setattr(site.database, "write", refuse)
    status, body, headers = await refusal(site)
    assert (status, body["code"], headers[b"retry-after"]) == (503, "storage_unavailable", b"5")


async def test_the_name_of_the_url_is_kept(site: Site) -> None:
    async with site.phone(device_id="a%20b", name="Front+desk") as phone:
        assert phone.connected["device_id"] == "a b"
        (online,) = site.switchboard.online(await site.org())
        assert (online.device_id, online.name) == ("a b", "Front desk")


async def test_a_plus_in_a_device_id_is_a_space_as_in_every_form(site: Site) -> None:
    async with site.phone(device_id="My+Phone") as phone:
        assert phone.connected["device_id"] == "My Phone"
        await phone.say("hello", device_id="My Phone")
        assert await phone.settled() == []


async def test_a_phone_that_is_known_with_a_plus_stays_the_same(site: Site) -> None:
    async with site.phone(device_id="a%2Bb") as phone:
        assert phone.connected["device_id"] == "a+b"
        (first,) = site.switchboard.online(await site.org())
    async with site.phone(device_id="a+b") as phone:
        assert phone.connected["device_id"] == "a+b"
        (again,) = site.switchboard.online(await site.org())
    assert again.phone == first.phone


async def test_a_name_of_the_url_becomes_one_line(site: Site) -> None:
    async with site.phone(device_id="a", name="Front%C2%A0desk%0A"):
        (online,) = site.switchboard.online(await site.org())
        assert online.name == "Front desk"


async def test_subprotocols_are_ignored(site: Site) -> None:
    async with site.phone(subprotocols=["sms", "v2"]) as phone:
        assert phone.socket.subprotocol is None


async def test_one_faulty_phone_is_its_own_misfortune(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: Session) -> None:
        await trio.testing.wait_all_tasks_blocked()
        raise ZeroDivisionError

    async with site.phone(device_id="a") as one:
        with monkeypatch.context() as patch:
            patch.setattr(Session, "_read", fail)
            async with site.phone(device_id="b") as two:
                await two.closed()
        assert await one.settled() == []


async def test_frames_in_one_packet_with_the_handshake_are_not_lost(site: Site) -> None:
    stream = await trio.open_tcp_stream("127.0.0.1", site.port)
    async with stream:
        ping = b"\x81\x8f\0\0\0\0" + b'{"type":"ping"}'
        await stream.send_all(handshake(site.target()) + ping)
        received = b""
        with trio.fail_after(PATIENCE_S):
            while b'{"type":"pong"}' not in received:
                received += await stream.receive_some()
    assert received.startswith(b"HTTP/1.1 101 ")
    assert received.index(b'"connected"') < received.index(b'"pong"')


async def test_a_reset_during_the_handshake_leaves_nothing(site: Site) -> None:
    async with site.phone():
        pass
    for _ in range(20):
        stream = await trio.open_tcp_stream("127.0.0.1", site.port)
        await stream.send_all(handshake(site.target()))
        linger = (1).to_bytes(4, "little") + bytes(4)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        stream.socket.close()
    with trio.fail_after(PATIENCE_S):
        while site.serving:  # noqa: ASYNC110 - it tells nobody
            await trio.sleep(0.005)
    async with site.phone() as phone:
        assert await phone.settled() == []


async def test_the_public_pages_python_example(site: Site) -> None:
    """With the library that it names, as printed but for host, port and an end."""

    async def main() -> tuple[object, object]:
        async with websockets.connect(site.url()) as ws:
            connected = await ws.recv()
            await ws.send(json.dumps({"type": "sims", "sims": [{"slot": 0, "number": NUMBER}]}))
            async for msg in ws:
                return connected, msg
        raise AssertionError

    told: list[tuple[object, object]] = []

    async def phone() -> None:
        told.append(await trio.to_thread.run_sync(asyncio.run, main()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(phone)
        with trio.fail_after(PATIENCE_S):
            while not site.stations():  # noqa: ASYNC110 - it tells nobody
                await trio.sleep(0.005)
        await site.send("hi", sim_selector=NUMBER)
    ((connected, push),) = told
    assert json.loads(str(connected))["org_id"] == ORG
    assert json.loads(str(push))["body"] == "hi"
    assert json.loads(str(push))["sim"] == NUMBER

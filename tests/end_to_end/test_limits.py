"""The limits, each set low, on a gateway that runs; every test comes from an address of its own."""

import itertools
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from kit.gateway import GatewayProcess
from tests.patience import PATIENCE_S

SECRET = "my-secret-key-123"
TOKEN = "operator-token-of-the-test"
SETTINGS = {
    "LIMITS_ADDRESS_CONNECTIONS": 12,
    "LIMITS_ADDRESS_HANDSHAKES_PER_S": 1,
    "LIMITS_ADDRESS_REQUESTS_PER_S": 1,
    "LIMITS_ADDRESS_ORGS_PER_HOUR": 5,
    "LIMITS_ORG_REQUESTS_PER_S": 4,
    "LIMITS_ORG_QUEUE": 5,
    "LIMITS_PHONE_FRAMES_PER_S": 20,
    "LIMITS_BODIES_BYTES": 300_000,
    "OPERATOR_TOKEN": TOKEN,
}
BURST_S = 5


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    database = tmp_path_factory.mktemp("limits") / "phonegate.db"
    with GatewayProcess(Path(database), settings=SETTINGS) as process:
        yield process


def client(gateway: GatewayProcess, address: str) -> httpx.Client:
    transport = httpx.HTTPTransport(local_address=address)
    return httpx.Client(base_url=gateway.url, transport=transport, timeout=PATIENCE_S)


def found(session: httpx.Client, org: str, secret: str = SECRET) -> httpx.Response:
    return session.post(
        "/webhook",
        json={
            "org_id": org,
            "secret_key": secret,
            "messages": [{"address": "+15551112222", "body": "x"}],
        },
    )


def phone(gateway: GatewayProcess, address: str, org: str, secret: str) -> ClientConnection:
    return connect(
        f"ws://127.0.0.1:{gateway.port}/websocket?org_id={org}&secret_key={secret}",
        source_address=(address, 0),
        open_timeout=PATIENCE_S,
    )


def spend(session: httpx.Client) -> None:
    """Uses up what an address may ask for, and half a minute of what it gets anew.

    A machine that stands still for a while so gives it nothing back in time.
    """
    assert session.post("/webhook", json={"more": "x" * 250_000}).status_code == 400


def until_refused(ask: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """Asks faster than one may until that is refused, and returns all answers."""
    end = time.monotonic() + PATIENCE_S
    answers = [ask()]
    while answers[-1].status_code != 429:
        assert time.monotonic() < end
        answers.append(ask())
    return answers


def told(gateway: GatewayProcess, kind: str) -> float:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with client(gateway, "127.0.0.99") as session:
        text = session.get("/metrics", headers=headers).text
    begins = f'phonegate_limited_total{{limit="{kind}"}} '
    line = next(line for line in text.splitlines() if line.startswith(begins))
    return float(line.removeprefix(begins))


def test_an_org_that_asks_too_much_is_told_when_to_come_again(gateway: GatewayProcess) -> None:
    with client(gateway, "127.0.0.2") as session:
        assert found(session, "busy").status_code == 200
        assert found(session, "calm").status_code == 200
        headers = {"X-Secret-Key": SECRET}
        answers = until_refused(lambda: session.get("/messages/busy", headers=headers))
        assert "RateLimit" not in answers[0].headers
        near = [a for a in answers if a.status_code == 200 and "RateLimit" in a.headers]
        assert near
        assert near[0].headers["RateLimit-Policy"] == f'"org";q={4 * BURST_S};w={BURST_S}'
        refused = answers[-1]
        assert refused.json()["code"] == "too_many_requests"
        assert refused.headers["Retry-After"] == "1"
        assert refused.headers["RateLimit"] == f'"org";r=0;t={BURST_S}'
        assert session.get("/messages/calm", headers=headers).status_code == 200
    assert told(gateway, "org_requests") >= 1


def test_a_flood_of_unknown_clients_keeps_no_known_org_waiting(gateway: GatewayProcess) -> None:
    with client(gateway, "127.0.0.3") as session:
        assert found(session, "neighbour").status_code == 200
        # No credential at all, so that the throttle of wrong ones has nothing to say.
        flood = until_refused(lambda: session.get("/messages/neighbour"))
        assert flood[0].status_code == 401
        assert flood[-1].headers["RateLimit-Policy"] == f'"address";q={BURST_S};w={BURST_S}'
    with client(gateway, "127.0.0.17") as session:
        spend(session)
        assert session.get("/health").status_code == 429
        assert session.get("/no/such/page").status_code == 429
        known = {"X-Secret-Key": SECRET}
        assert session.get("/messages/neighbour", headers=known).status_code == 200
        # A body is heard of who is known by the head, and there alone a secret is looked for.
        pushed = {"org_id": "neighbour", "messages": [{"address": "+15551112222", "body": "y"}]}
        assert session.post("/webhook", json=pushed, headers=known).status_code == 200
        assert found(session, "neighbour").status_code == 429
    with client(gateway, "127.0.0.4") as session:
        assert session.get("/health").status_code == 200


def test_a_spent_address_is_turned_away_before_its_body(gateway: GatewayProcess) -> None:
    with client(gateway, "127.0.0.5") as session:
        spend(session)
    with socket.create_connection(
        ("127.0.0.1", gateway.port), PATIENCE_S, source_address=("127.0.0.5", 0)
    ) as sock:
        sock.sendall(
            b"POST /send/some-org HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer pgk_wrong\r\nContent-Length: 900000\r\n\r\n{"
        )
        assert sock.recv(4096).startswith(b"HTTP/1.1 429 ")


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("127.0.0.20", b"/webhook"),
        ("127.0.0.21", b"/send/some-org"),
        ("127.0.0.22", b"/assistants?org_id=some-org"),
        ("127.0.0.23", b"/sms/send"),
        ("127.0.0.24", b"/mcp"),
    ],
)
def test_a_spent_address_without_a_credential_is_turned_away_before_its_body(
    gateway: GatewayProcess, address: str, target: bytes
) -> None:
    with client(gateway, address) as session:
        spend(session)
    with socket.create_connection(
        ("127.0.0.1", gateway.port), PATIENCE_S, source_address=(address, 0)
    ) as sock:
        fields = b"\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 200000\r\n\r\n"
        sock.sendall(b"POST " + target + b" HTTP/1.1" + fields + b"{")
        assert sock.recv(4096).startswith(b"HTTP/1.1 429 ")


def test_an_unknown_caller_s_body_counts_by_its_size(gateway: GatewayProcess) -> None:
    with client(gateway, "127.0.0.15") as session:
        # Five requests may come at once, and this is as much work as thirty.
        body = {"org_id": "newcomer", "secret_key": "x", "messages": [], "more": "x" * 250_000}
        assert session.post("/webhook", json=body).status_code == 400
        assert session.get("/health").status_code == 429


def test_a_known_caller_s_body_does_not(gateway: GatewayProcess) -> None:
    with client(gateway, "127.0.0.16") as session:
        for _ in range(3):
            body = {
                "org_id": "large",
                "secret_key": SECRET,
                "messages": [{"address": "+15551112222", "body": "x" * 50_000}],
            }
            assert session.post("/webhook", json=body).status_code == 200
        assert session.get("/health").status_code == 200


def test_an_address_has_so_many_connections(gateway: GatewayProcess) -> None:
    with ExitStack() as opened:
        for _ in range(12):
            sock = socket.create_connection(
                ("127.0.0.1", gateway.port), PATIENCE_S, source_address=("127.0.0.6", 0)
            )
            opened.enter_context(sock)
        with client(gateway, "127.0.0.6") as session:
            refused = session.get("/health")
            assert (refused.status_code, refused.json()["code"]) == (429, "too_many_connections")
            assert "Retry-After" in refused.headers
        with client(gateway, "127.0.0.7") as session:
            assert session.get("/health").status_code == 200
    assert told(gateway, "address_connections") >= 1


def test_a_phone_that_is_known_comes_in_past_a_flood_of_handshakes(gateway: GatewayProcess) -> None:
    with phone(gateway, "127.0.0.8", "handy", SECRET) as link:
        assert json.loads(link.recv(PATIENCE_S))["type"] == "connected"
    end, code = time.monotonic() + PATIENCE_S, 0
    secrets = (f"wrong-secret-{number}" for number in itertools.count())
    while code != 429:
        assert time.monotonic() < end
        secret = next(secrets)
        with pytest.raises(InvalidStatus) as caught, phone(gateway, "127.0.0.8", "handy", secret):
            pass
        code = caught.value.response.status_code
    assert told(gateway, "address_handshakes") >= 1
    with phone(gateway, "127.0.0.8", "handy", SECRET) as link:
        assert json.loads(link.recv(PATIENCE_S))["type"] == "connected"


def test_a_queue_has_an_end_and_room_again(gateway: GatewayProcess) -> None:
    def send(session: httpx.Client, count: int) -> httpx.Response:
        messages = [{"to": "+15553334444", "body": "x"}] * count
        return session.post(
            "/send/queue", json={"messages": messages}, headers={"X-Secret-Key": SECRET}
        )

    with client(gateway, "127.0.0.9") as session:
        assert found(session, "queue").status_code == 200
        refused = send(session, 6)
        assert (refused.status_code, refused.json()["code"]) == (429, "queue_full")
        assert "5 messages" in refused.json()["detail"]
        assert int(refused.headers["Retry-After"]) > 0
        taken = send(session, 5)
        assert taken.status_code == 200, taken.text
        assert send(session, 1).json()["code"] == "queue_full"
        first = taken.json()["results"][0]["id"]
        session.delete(
            f"/messages/queue/id/{first}", headers={"X-Secret-Key": SECRET}
        ).raise_for_status()
        give_up = time.monotonic() + PATIENCE_S
        while send(session, 1).status_code != 200:
            assert time.monotonic() < give_up
            time.sleep(0.3)  # the queue is counted again once a second
        assert send(session, 1).status_code == 429


def test_an_address_founds_so_many_orgs(gateway: GatewayProcess) -> None:
    with client(gateway, "127.0.0.10") as session:
        founded = [found(session, f"many-{n}").status_code for n in range(6)]
        assert founded == [*[200] * 5, 429]
        assert found(session, "many-0").status_code == 200


def test_a_stalled_body_makes_room_for_others(gateway: GatewayProcess) -> None:
    head = (
        b"POST /webhook HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        b"Content-Length: 900000\r\n\r\n"
    )
    with ExitStack() as opened:
        stalled = []
        for _ in range(4):
            sock = socket.create_connection(
                ("127.0.0.1", gateway.port), PATIENCE_S, source_address=("127.0.0.11", 0)
            )
            sock.sendall(head + b" " * 80_000)
            stalled.append(opened.enter_context(sock))
        answer = stalled[0].recv(4096)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: " in answer
        with client(gateway, "127.0.0.12") as session:
            assert found(session, "honest").status_code == 200
    assert told(gateway, "bodies") == 1


def test_a_phone_that_floods_is_slowed_and_loses_nothing(gateway: GatewayProcess) -> None:
    count = 0
    with phone(gateway, "127.0.0.13", "chatty", SECRET) as link:
        begun = time.monotonic()
        # A machine that stands still amid a flood makes it one that is slow enough.
        while not told(gateway, "phone_frames"):
            for _ in range(20 * BURST_S + 40):
                message = {"address": "+15551112222", "body": f"no {count}"}
                link.send(json.dumps({"type": "inbound", "message": message}))
                count += 1
            for _ in range(2):
                link.send(json.dumps({"type": "ping"}))
                while json.loads(link.recv(PATIENCE_S))["type"] != "pong":
                    pass
        # The second ping came when all before it was heard, and was read when that was paid for.
        assert time.monotonic() - begun > (count - 20 * BURST_S) / 20
    with client(gateway, "127.0.0.13") as session:
        give_up = begun + PATIENCE_S
        while True:
            page = session.get(
                "/messages/chatty", params={"limit": 1000}, headers={"X-Secret-Key": SECRET}
            )
            if page.status_code == 200 and len(page.json()["messages"]) == count:
                break
            assert time.monotonic() < give_up
            time.sleep(0.3)
    assert {m["body"] for m in page.json()["messages"]} == {f"no {n}" for n in range(count)}

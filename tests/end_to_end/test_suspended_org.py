"""Who is connected while an org is suspended: a phone, a program that sends, one that listens."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from kit.gateway import UNLIMITED, GatewayProcess
from kit.simulated_phone import SimulatedPhone
from phonegate.client import Gateway, Message, Retries
from phonegate.operations.control_client import OwnerRequest, ask
from tests.patience import PATIENCE_S

ORG, SECRET = "shop", "a-secret-of-this-test"
FRIEND = "+15553334444"
LAST = "the last one"
HEADERS = {"X-Secret-Key": SECRET}
SUSPENSION = "/orgs/shop/suspension"

SENT_EACH = 5
"""Messages before the suspension, and after it."""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path / "gate.db", settings=UNLIMITED) as process:
        ask(process.database, OwnerRequest("POST", "/orgs", {"org": ORG, "secret": SECRET}))
        yield process


def until(is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.02)


@contextmanager
def beside(work: Callable[[], None]) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield thread
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def heard(gateway: GatewayProcess, found: list[Message]) -> None:
    """Listens until the last message has come."""
    with Gateway(gateway.url, SECRET, ORG) as client, client.received(since=0) as received:
        for message in received:
            found.append(message)
            if message.body == LAST:
                return


def test_who_is_connected_goes_on_once_the_org_is_resumed(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    received: list[Message] = []
    sent: list[str] = []
    refused: list[str] = []
    enough = threading.Event()

    def send() -> None:
        patient = Retries(pauses_s=PATIENCE_S, first_s=0.1)
        with Gateway(
            gateway.url,
            SECRET,
            ORG,
            retries=patient,
            deadline_s=PATIENCE_S,
            on_retry=lambda error, _: refused.append(getattr(error, "code", "")),
        ) as client:
            for number in itertools.count():
                client.send(FRIEND, f"number {number}")
                sent.append(f"number {number}")
                if enough.wait(0.02):
                    return

    phone = SimulatedPhone(
        tmp_path, gateway.url, "--reply", org=ORG, secret=SECRET, name="one", number="+15551112222"
    )
    stream = httpx.Client(base_url=gateway.url, headers=HEADERS, timeout=PATIENCE_S)
    with stream, phone, beside(lambda: heard(gateway, received)), beside(send):
        until(lambda: len(received) >= SENT_EACH)
        with stream.stream("GET", "/events/shop", headers={"Accept": "text/event-stream"}) as open_:
            ask(gateway.database, OwnerRequest("PUT", SUSPENSION))
            # It ends, so that who reads comes again and is answered why.
            assert open_.status_code == 200
            for _ in open_.iter_raw():
                pass
        assert stream.get("/events/shop").json()["code"] == "org_suspended"
        until(lambda: "org_suspended" in refused)
        before = len(sent)
        ask(gateway.database, OwnerRequest("DELETE", SUSPENSION))
        until(lambda: len(sent) >= before + SENT_EACH)
        enough.set()
        until(lambda: len(received) >= len(sent))
        push = {"org_id": ORG, "messages": [{"address": FRIEND, "body": LAST}]}
        assert stream.post("/webhook", json=push).status_code == 200
    stored = []
    with Gateway(gateway.url, SECRET, ORG) as client:
        stored = [message.body for message in client.messages(direction="out")]
        assert {one.status for one in client.messages(direction="out")} <= {"sent", "delivered"}
    assert sorted(stored) == sorted(sent)
    replies = Counter(message.body for message in received)
    assert replies == Counter([*(f"echo: {body}" for body in sent), LAST])
    by_radio = Counter(line.partition(f"{FRIEND}: ")[2] for line in phone.log if "sends to" in line)
    assert by_radio == Counter(sent)

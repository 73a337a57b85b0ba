"""The client for Python against a real gateway, blocking, on asyncio and on Trio."""

import asyncio
import json
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import trio

import phonegate
from kit.gateway import UNLIMITED, GatewayProcess
from kit.simulated_phone import SimulatedPhone
from phonegate.client import (
    AsyncGateway,
    BadSignature,
    Forbidden,
    Gap,
    Gateway,
    NotFound,
    NotInTime,
    Outgoing,
    Refused,
    Retries,
    Unauthorized,
    Unreachable,
    verify_webhook,
)
from tests.client.cutting_proxy import CuttingProxy
from tests.patience import PATIENCE_S

ORG = "myorg"
SECRET = "my-secret-key-123"
SIM = "+15551112222"
OTHER = "+15553334444"

Main = Callable[[], Awaitable[None]]
QUICK = Retries(pauses_s=PATIENCE_S, first_s=0.01, longest_s=0.1)


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway with a phone that sends all that it is given."""
    folder = tmp_path_factory.mktemp("gateway")
    settings = {**UNLIMITED, "WEBHOOKS_ALLOW": "127.0.0.0/8"}
    with GatewayProcess(folder / "phonegate.db", settings=settings) as gateway:
        receive(gateway, "the first")
        phone = SimulatedPhone(folder, gateway.url, org=ORG, secret=SECRET, name="p", number=SIM)
        with phone, Gateway(gateway.url, SECRET, ORG) as client:
            while not client.sims().live_sims:
                assert phone.process is not None
            # From now on events are recorded.
            client.events_page(limit=1)
            yield gateway


@pytest.fixture
def gateway(process: GatewayProcess) -> Iterator[Gateway]:
    with Gateway(process.url, SECRET, ORG, retries=QUICK) as client:
        yield client


def receive(process: GatewayProcess, body: str) -> None:
    message = {"address": OTHER, "body": body}
    pushed = {"org_id": ORG, "secret_key": SECRET, "messages": [message]}
    httpx.post(f"{process.url}/webhook", json=pushed).raise_for_status()


def asyncio_runs(main: Main) -> None:
    asyncio.run(asyncio.wait_for(main(), PATIENCE_S))


def trio_runs(main: Main) -> None:
    async def in_time() -> None:
        with trio.fail_after(PATIENCE_S):
            await main()

    trio.run(in_time)


loops = pytest.mark.parametrize("run", [asyncio_runs, trio_runs])


def test_one_message_from_sending_to_sent(gateway: Gateway) -> None:
    answer = gateway.send(OTHER, "hello", priority=1)
    assert answer.device_online
    message = gateway.wait(answer, deadline_s=PATIENCE_S)
    assert (message.status, message.sim, message.body) == ("sent", SIM, "hello")
    assert message.sent_at is not None
    assert gateway.message(message.id) == message
    assert message in list(gateway.messages(direction="out"))
    assert gateway.page(limit=1, direction="out") == [message]


def test_many_messages_and_a_wrong_one(gateway: Gateway) -> None:
    answer = gateway.send([OTHER, "+15553335555"], "both")
    assert [result.to for result in answer.results] == [OTHER, "+15553335555"]
    newest = gateway.page(limit=1)[0].id
    many = [Outgoing(to=OTHER, body="right"), Outgoing(to="nonsense", body="wrong")]
    with pytest.raises(Refused) as refused:
        gateway.send_all(many)
    assert refused.value.code == "bad_input"
    assert refused.value.errors[0].field == "messages[1].to"
    assert gateway.page(limit=1)[0].id == newest


@pytest.mark.parametrize("cuts", [1, 3])
def test_nothing_is_sent_twice_when_its_answer_is_lost(
    process: GatewayProcess, gateway: Gateway, cuts: int
) -> None:
    before = gateway.page(limit=1)[0].id
    with (
        CuttingProxy(process.port, cuts).serving() as proxy,
        Gateway(proxy.url, SECRET, ORG, retries=QUICK) as through,
    ):
        answer = through.send(OTHER, "only once")
        assert proxy.passed == [f"POST /send/{ORG}"] * (cuts + 1)
    assert [message.id for message in gateway.page(since=before)] == [answer.id]


@loops
def test_nothing_is_sent_twice_on_a_loop_either(
    process: GatewayProcess, gateway: Gateway, run: Callable[[Main], None]
) -> None:
    before = gateway.page(limit=1)[0].id

    async def main() -> None:
        async with AsyncGateway(proxy.url, SECRET, ORG, retries=QUICK) as through:
            answers.append(await through.send(OTHER, "only once"))

    answers: list[Any] = []
    with CuttingProxy(process.port, 2).serving() as proxy:
        run(main)
    assert [message.id for message in gateway.page(since=before)] == [answers[0].id]


def test_a_webhook_is_not_made_twice_when_its_answer_is_lost(
    process: GatewayProcess, gateway: Gateway
) -> None:
    with (
        CuttingProxy(process.port, 1).serving() as proxy,
        Gateway(proxy.url, SECRET, ORG, retries=QUICK) as through,
        pytest.raises(Unreachable),
    ):
        through.add_webhook("http://10.9.9.9/lost", name="lost")
    (made,) = [one for one in gateway.webhooks() if one.name == "lost"]
    gateway.remove_webhook(made.id)


def test_a_message_is_cancelled(gateway: Gateway) -> None:
    answer = gateway.send(OTHER, "later", send_at=datetime.now(UTC) + timedelta(days=1))
    with pytest.raises(NotInTime, match="waiting for send_at"):
        wait_shortly(gateway, answer)
    assert gateway.cancel(answer.id).status == "cancelled"
    assert gateway.cancel(answer.id).status == "cancelled"
    assert gateway.wait(answer, until="final").status == "cancelled"
    with pytest.raises(NotFound):
        gateway.cancel(999_999)


def wait_shortly(gateway: Gateway, answer: Any) -> None:
    """Waits again where the gateway stood still for all of the time."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with suppress(Unreachable):
            gateway.wait(answer, deadline_s=0.1)


def test_who_one_is_and_what_one_has(process: GatewayProcess, gateway: Gateway) -> None:
    body = {"name": "reader", "scopes": ["read"]}
    made = gateway.request("POST", "/keys/{org}", body=body)
    with Gateway(process.url, made["key"]) as reader:
        assert reader.me().scopes == ("read",)
        assert reader.org() == ORG
        assert reader.sims().known_sims[0].number == SIM
        assert reader.phones()[0].sims[0].number == SIM
        with pytest.raises(Forbidden):
            reader.send(OTHER, "no")
    with (
        Gateway(process.url, "another-secret-key", ORG) as wrong,
        pytest.raises(Unauthorized) as refused,
    ):
        wrong.sims()
    assert "another-secret-key" not in str(refused.value)


def test_one_of_the_orgs_numbers_sends(process: GatewayProcess, gateway: Gateway) -> None:
    sent = gateway.send_from(SIM, OTHER, "from my own SIM")
    assert sent.provider == "phone"
    assert gateway.wait(int(sent.message_id), deadline_s=PATIENCE_S).has_left
    with pytest.raises(Refused):
        gateway.send_from(SIM, OTHER, "a picture", media_urls=["https://example.org/a.png"])


def test_received_messages_come_as_they_come(process: GatewayProcess, gateway: Gateway) -> None:
    last = gateway.page(limit=1, direction="in")[0].id
    receive(process, "one")
    receive(process, "two")
    with gateway.received(since=last) as received:
        assert [next(received).body, next(received).body] == ["one", "two"]
        receive(process, "three")
        third = next(received)
        assert (third.body, third.direction) == ("three", "in")


@loops
def test_received_messages_come_on_a_loop(
    process: GatewayProcess, gateway: Gateway, run: Callable[[Main], None]
) -> None:
    last = gateway.page(limit=1, direction="in")[0].id
    found: list[str] = []

    async def main() -> None:
        async with (
            AsyncGateway(process.url, SECRET, ORG, retries=QUICK) as client,
            client.received(since=last) as received,
        ):
            for body in ("one", "two"):
                # A wait that is given up loses nothing.
                with anyio.move_on_after(0.3):
                    found.append((await anext(received)).body)
                receive(process, body)
                async for message in received:
                    found.append(message.body)
                    break

    run(main)
    assert found == ["one", "two"]


def test_events_go_on_where_they_were_left(process: GatewayProcess, gateway: Gateway) -> None:
    position = gateway.events_page(limit=1).upto
    answer = gateway.send(OTHER, "followed")
    seen = []
    with gateway.events("message.*", since=position) as events:
        for event in events:
            assert not isinstance(event, Gap)
            if event.message is not None and event.message.id == answer.id:
                seen.append(event.type)
            if event.type == "message.sent":
                break
    assert seen[0] in {"message.queued", "message.sending"}
    assert seen[-1] == "message.sent"
    page = gateway.events_page("message.sent", since=position, wait_s=5)
    assert [event.type for event in page.events] == ["message.sent"]
    with gateway.news(since=position) as news:
        first = next(news)
    assert first.events[0].id > position
    assert first.upto >= first.events[-1].id


def test_webhooks_from_their_making_to_their_end(
    gateway: Gateway,
) -> None:
    calls: list[tuple[dict[str, str], bytes]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            calls.append((dict(self.headers), body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/hook"
        made = gateway.add_webhook(url, ["message.*"], name="mine", sim=SIM)
        id_ = made.webhook.id
        assert gateway.webhook(id_).sim == SIM
        assert gateway.change_webhook(id_, sim=None, name="ours").sim is None
        assert [one.name for one in gateway.webhooks()] == ["ours"]
        assert gateway.test_webhook(id_).succeeded
        rotated = gateway.rotate_webhook(id_)
        assert gateway.test_webhook(id_).succeeded
        assert gateway.enable_webhook(id_).enabled
        assert {one.status for one in gateway.deliveries(id_)} == {204}
        gateway.remove_webhook(id_)
        with pytest.raises(NotFound):
            gateway.webhook(id_)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    for number, (headers, body) in enumerate(calls):
        assert verify_webhook([made.secret, rotated.secret], headers, body).type
        assert verify_webhook(made.secret, headers, body.decode()).type
        if number:
            assert verify_webhook(rotated.secret, headers, body).type
        with pytest.raises(BadSignature, match="secret"):
            verify_webhook(made.secret, headers, body + b" ")


def test_a_gateway_whose_certificate_is_ones_own(tmp_path: Path) -> None:
    import trustme  # noqa: PLC0415 - for this test alone

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    leaf = authority.issue_cert("127.0.0.1")
    leaf.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    for pem in leaf.cert_chain_pems:
        pem.write_to_path(str(tmp_path / "cert.pem"), append=True)
    files = {"TLS_CERTIFICATE": tmp_path / "cert.pem", "TLS_KEY": tmp_path / "key.pem"}
    with GatewayProcess(tmp_path / "phonegate.db", settings=files) as process:
        url = f"https://127.0.0.1:{process.port}"
        message = {"address": OTHER, "body": "hi"}
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        pushed = {"org_id": ORG, "secret_key": SECRET, "messages": [message]}
        httpx.post(f"{url}/webhook", json=pushed, verify=context).raise_for_status()
        for trusted in (str(tmp_path / "ca.pem"), context):
            with Gateway(url, SECRET, ORG, cacert=trusted) as client:
                assert len(client.page()) == 1
        with (
            Gateway(url, SECRET, ORG) as client,
            pytest.raises(Unreachable, match="is not trusted"),
        ):
            client.page()


PROGRAM = """
from datetime import datetime
from phonegate.client import AsyncGateway, Event, Gap, Gateway, Message, verify_webhook

def block(gateway: Gateway) -> datetime | None:
    for message in gateway.received(since=0):
        reveal_type(message)
    reveal_type(gateway.send("+15553334444", "hi").results[0].eta_s)
    return gateway.wait(7).sent_at

async def wait(gateway: AsyncGateway) -> list[Message]:
    async for event in gateway.events("message.*"):
        reveal_type(event)
    await gateway.send("+1555", 7)
    return await gateway.page()
"""


def test_programs_of_its_users_are_checked_strictly(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    words = [*("-m", "mypy", "--strict", "--config-file="), "program.py"]
    root = str(Path(phonegate.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, *words],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": root},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line.partition(": ")[2] for line in done.stdout.splitlines()]
    assert lines[:-1] == [
        'note: Revealed type is "phonegate.client.messages.Message"',
        'note: Revealed type is "int | None"',
        'note: Revealed type is "phonegate.client.events.Event | phonegate.client.events.Gap"',
        'error: Argument 2 to "send" of "AsyncMessageCalls" has incompatible type "int"; '
        'expected "str"  [arg-type]',
    ], json.dumps(lines, indent=1)

"""A client that another tool generates from the running gateway's own document, at work."""

import importlib
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from kit.gateway import GatewayProcess
from phonegate.phone.radios.simulated import RadioMemory
from phonegate.phone.simulated_phone import run_phone
from tests.patience import PATIENCE_S

ORG = "myorg"
SECRET = "my-secret-key-123"
SIM = "+15550000001"
PACKAGE = "generated_phonegate"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path_factory.mktemp("gateway") / "phonegate.db") as process:
        yield process


@pytest.fixture(scope="module")
def generated(
    gateway: GatewayProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Any]]:
    """Imports a module of the generated package by its name in it."""
    folder = tmp_path_factory.mktemp("client")
    settings = folder / "generator.yaml"
    # The hooks would only make its code pretty. A body of plain text it knows as bytes alone.
    settings.write_text(
        "post_hooks: []\ncontent_type_overrides:\n  text/plain: application/octet-stream\n"
    )
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("openapi-python-client")),
            "generate",
            f"--url={gateway.url}/openapi.json",
            f"--output-path={folder / PACKAGE}",
            f"--config={settings}",
            "--meta=none",
            "--fail-on-warning",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    # A warning tells of a part of the document that the tool could make nothing of.
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout.upper()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield lambda name: importlib.import_module(f"{PACKAGE}.{name}")
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


async def eventually(ask: Callable[[], Awaitable[Any]], settled: Callable[[Any], bool]) -> Any:
    """Asks again until the answer is as wanted: another process takes its own time."""
    while True:
        if settled(answer := await ask()):
            return answer
        await trio.sleep(0.02)


async def test_it_sends_and_reads_a_message_through_a_simulated_phone(
    gateway: GatewayProcess, generated: Callable[[str], Any]
) -> None:
    models = generated("models")
    client = generated("client").AuthenticatedClient(
        base_url=gateway.url,
        token=SECRET,
        prefix="",
        auth_header_name="X-Secret-Key",
        raise_on_unexpected_status=True,
    )
    send, read, sims = (
        # Made for asyncio, and at home on Trio too: httpx is.
        generated(f"api.{name}").asyncio
        for name in ("messages.send_sms", "messages.get_message", "phones.list_sims")
    )
    radio = RadioMemory()
    async with client, trio.open_nursery() as nursery:
        await nursery.start(partial(run_phone, gateway.url, ORG, SECRET, radio=radio))
        with trio.fail_after(PATIENCE_S):
            online = await eventually(
                partial(sims, ORG, client=client), lambda answer: bool(answer.live_sims)
            )
            assert [sim.number for sim in online.live_sims] == [SIM]
            body = models.Send(to="+15553334444", body="from a generated client", sim=SIM)
            answer = await send(ORG, client=client, body=body, idempotency_key="one")
            assert isinstance(answer, models.SendAnswer)
            again = await send(ORG, client=client, body=body, idempotency_key="one")
            (ticket,) = answer.results
            assert [result.id for result in again.results] == [ticket.id]
            found = await eventually(
                partial(read, ORG, ticket.id, client=client),
                lambda answer: answer.message.status == "sent",
            )
        nursery.cancel_scope.cancel()
    message = found.message
    assert (message.direction, message.address, message.body) == ("out", body.to, body.body)
    assert message.sent_at.endswith("Z")
    assert [sent.to for sent in radio.sent] == [body.to]


def test_it_reads_a_refusal_as_the_document_says(
    gateway: GatewayProcess, generated: Callable[[str], Any]
) -> None:
    with generated("client").Client(base_url=gateway.url) as client:
        answer = generated("api.messages.send_sms").sync_detailed(
            ORG, client=client, body=generated("models").Send(to="nobody", body="x")
        )
    assert (answer.status_code, answer.parsed.code) == (401, "unauthorized")
    assert answer.parsed.ok is False

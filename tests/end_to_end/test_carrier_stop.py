"""Stopping the gateway while a carrier hangs, with more sends in flight than connections to it."""

import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import attrs
import httpx
import trio
import trio.testing

from kit.fake_carrier import FakeCarrierProcess
from kit.gateway import GatewayProcess
from phonegate import gateway as program
from phonegate.config.settings import (
    CarrierSettings,
    DatabaseSettings,
    HttpSettings,
    Settings,
)
from tests.end_to_end.programs import FROM, TO
from tests.end_to_end.test_sms_send import eventually, new_assistant, new_org
from tests.patience import PATIENCE_S
from tests.server.site import until

SENDS = 24
"""Three times the connections that one account may have."""
HANG_S = 60
TOKEN = "a-token-of-the-operator-1"


def connections(metrics: str) -> float:
    (found,) = re.findall(r"^phonegate_connections (\S+)$", metrics, re.MULTILINE)
    return float(found)


def test_sigterm_answers_everybody_while_the_carrier_hangs(tmp_path: Path) -> None:
    database = tmp_path / "phonegate.db"
    with FakeCarrierProcess() as fake:
        settings = {
            "CARRIERS_TWILIO_URL": fake.url,
            "CARRIERS_TELNYX_URL": fake.url,
            "HTTP_DRAIN_S": 5,
            "OPERATOR_TOKEN": TOKEN,
        }
        gateway = GatewayProcess(database, settings=settings)
        gateway.wait_until_ready()
        key = new_org(gateway, "twilio")
        new_assistant(gateway, fake, "twilio", key)
        fake.control("fault", faults=[{"kind": "slow", "delay_s": HANG_S, "times": SENDS}])

        def send(number: int) -> tuple[int, str]:
            answer = httpx.post(
                f"{gateway.url}/sms/send",
                headers={"Authorization": f"Bearer {key}"},
                json={"from_phone_number": FROM, "to_phone_number": TO, "message": f"no {number}"},
                timeout=HANG_S,
            )
            return answer.status_code, answer.json()["code"]

        with ThreadPoolExecutor(SENDS) as clients:
            answers = [clients.submit(send, number) for number in range(SENDS)]
            stored = f"{gateway.url}/messages/twilio?direction=out"
            headers = {"Authorization": f"Bearer {key}"}
            eventually(lambda: httpx.get(stored, headers=headers).json()["count"] >= SENDS // 3)
            # Who has not been let in yet is nobody that could be answered.
            shown = {"Authorization": f"Bearer {TOKEN}"}
            metrics = f"{gateway.url}/metrics"
            eventually(lambda: connections(httpx.get(metrics, headers=shown).text) > SENDS)
            assert gateway.stop() == 0
            told = [answer.result() for answer in answers]
        assert {status for status, _ in told} == {500}
        assert {code for _, code in told} <= {"outcome_unknown", "provider_failed"}

        with GatewayProcess(database, settings=settings) as again:
            found = httpx.get(f"{again.url}/messages/twilio?direction=out", headers=headers).json()
            statuses = [message["status"] for message in found["messages"]]
            unknown = [code for _, code in told].count("outcome_unknown")
            assert len(statuses) == SENDS
            assert statuses.count("failed") == SENDS - unknown


@attrs.frozen
class Served:
    url: str


async def test_everybody_is_answered_by_a_gateway_that_stood_still_for_the_whole_drain(
    tmp_path: Path, nursery: trio.Nursery, settable_clock: trio.testing.MockClock
) -> None:
    stop = trio.Event()
    statuses: list[int] = []
    with FakeCarrierProcess() as fake, trio.fail_after(2 * PATIENCE_S):
        settings = Settings(
            http=HttpSettings(bind=("127.0.0.1:0",)),
            database=DatabaseSettings(path=str(tmp_path / "phonegate.db")),
            carriers=CarrierSettings(
                twilio_url=fake.url, telnyx_url=fake.url, deadline_s=PATIENCE_S
            ),
        )
        ((_, port),) = await nursery.start(program.serve, settings, stop)
        served = Served(f"http://127.0.0.1:{port}")
        key = await trio.to_thread.run_sync(new_org, served, "twilio")
        await trio.to_thread.run_sync(new_assistant, served, fake, "twilio", key)
        hang = [{"kind": "slow", "delay_s": HANG_S, "times": SENDS}]
        await trio.to_thread.run_sync(partial(fake.control, "fault", faults=hang))

        async def send() -> None:
            async with httpx.AsyncClient() as client:
                answer = await client.post(
                    f"{served.url}/sms/send",
                    headers={"Authorization": f"Bearer {key}"},
                    json={"from_phone_number": FROM, "to_phone_number": TO, "message": "hello"},
                )
            statuses.append(answer.status_code)

        async with trio.open_nursery() as clients:
            for _ in range(SENDS):
                clients.start_soon(send)
            await until(lambda: len(fake.ledger()["requests"]) == SENDS // 3)
            await trio.testing.wait_all_tasks_blocked(0.05)
            stop.set()
            await trio.testing.wait_all_tasks_blocked()
            settable_clock.jump(settings.http.drain_s)
    assert statuses == [500] * SENDS

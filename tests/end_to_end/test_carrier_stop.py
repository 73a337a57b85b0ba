"""Stopping the gateway while a carrier hangs, with more sends in flight than connections to it."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from kit.fake_carrier import FakeCarrierProcess
from kit.gateway import GatewayProcess
from tests.end_to_end.programs import FROM, TO
from tests.end_to_end.test_sms_send import eventually, new_assistant, new_org

SENDS = 24
"""Three times the connections that one account may have."""
STOP_S = 10
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
            "HTTP_DRAIN_S": 3,
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
            begun = time.monotonic()
            assert gateway.stop() == 0
            assert time.monotonic() - begun < STOP_S
            told = [answer.result() for answer in answers]
        assert {status for status, _ in told} == {500}
        assert {code for _, code in told} <= {"outcome_unknown", "provider_failed"}

        with GatewayProcess(database, settings=settings) as again:
            found = httpx.get(f"{again.url}/messages/twilio?direction=out", headers=headers).json()
            statuses = [message["status"] for message in found["messages"]]
            unknown = [code for _, code in told].count("outcome_unknown")
            assert len(statuses) == SENDS
            assert statuses.count("failed") == SENDS - unknown

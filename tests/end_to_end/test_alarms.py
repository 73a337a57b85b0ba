"""A phone is lost while a message waits for it, and people learn of it, by the whole gateway."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from kit.gateway import GatewayProcess
from kit.program import child_environment
from tests.operations.notices.receiver import receiving
from trials.phone_away import LOST, ORG, OTHER, PERSON, SECRET, SimulatedPhone

PATIENCE_S = 50.0


def eventually(found: Callable[[], Any]) -> Any:
    until = time.monotonic() + PATIENCE_S
    while not (one := found()):
        assert time.monotonic() < until
        time.sleep(0.05)
    return one


def run(folder: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "phonegate", *words],
        env=child_environment(),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_lost_phone_is_reported_by_url_and_by_sms_through_the_other_phone(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"

    def configure(*targets: str) -> None:
        listed = ", ".join(f'"{target}"' for target in targets)
        config.write_text(f"[alarms]\nnotify = [{listed}]\nphone_away_s = 1\n")

    with receiving() as receiver:
        hook, sms = f"webhook:{receiver.url}/t0ps3cret", f"sms:{ORG}:{PERSON}"
        configure(hook, sms)
        with GatewayProcess(tmp_path / "phonegate.db") as gateway:
            client = httpx.Client(base_url=gateway.url, headers={"X-Secret-Key": SECRET})
            received = {"address": PERSON, "body": "makes the org"}
            client.post("/webhook", json={"org_id": ORG, "messages": [received]})
            lost = SimulatedPhone(tmp_path, gateway.url, "lost", LOST)
            other = SimulatedPhone(tmp_path, gateway.url, "other", OTHER)

            def phones(online: int) -> bool:
                found = client.get(f"/phones/{ORG}").json()["phones"]
                return bool(sum(one["online"] for one in found) == online)

            try:
                eventually(lambda: phones(2))
                # From here on the events of the org are recorded.
                client.get(f"/events/{ORG}")
                code, said = run(tmp_path, "alarms", "test")
                assert (code, said.count("ok      ")) == (0, 2), said
                assert "t0ps3cret" not in said
                assert receiver.taken.pop().json["state"] == "test"
                assert run(tmp_path, "alarms", "list") == (0, "No alarm is on.\n")

                lost.kill()
                eventually(lambda: phones(1))
                waiting = {"to": PERSON, "body": "for the lost phone", "sim": LOST}
                client.post(f"/send/{ORG}", json=waiting).raise_for_status()
                notice = eventually(lambda: receiver.taken)[0].json
                assert (notice["alarm"], notice["about"]) == ("phone_away", ORG)
                assert notice["sentence"].startswith(
                    f"Phone away: 1 message of org {ORG} has waited for its phone since "
                )

                def by_sms() -> list[Any]:
                    page = client.get(f"/messages/{ORG}?direction=out").json()["messages"]
                    return [one for one in page if "Phone away" in one["body"] and one["sent_at"]]

                (message,) = eventually(by_sms)
                assert (message["sim"], message["address"]) == (OTHER, PERSON)
                assert message["body"] == f"phonegate: {notice['sentence']}"
                code, said = run(tmp_path, "alarms", "list")
                assert "phone_away (club)" in said
                assert "Check its battery" in said

                configure(sms)
                gateway.process.send_signal(signal.SIGHUP)
                gateway.wait_for_line('"reloaded"')
                code, said = run(tmp_path, "alarms", "test")
                assert (code, said.count("ok      ")) == (0, 1), said
                assert len(receiver.taken) == 1
                assert "t0ps3cret" not in "\n".join(gateway.log)
            finally:
                lost.kill()
                other.kill()
                client.close()

"""A phone is lost while a message waits for it, and people learn of it, by the whole gateway."""

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from kit.gateway import GatewayProcess
from kit.program import child_environment
from kit.receiver import receiving
from kit.simulated_phone import SimulatedPhone
from phonegate.operations.control_client import OwnerRequest, ask
from tests.patience import PATIENCE_S

ORG, SECRET = "club", "club-secret-key-1"
LOST, OTHER, PERSON = "+15551110001", "+15551110002", "+15559990000"


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


def arrived(folder: Path) -> int:
    """How many targets took a test notice, which all do."""
    code, said = run(folder, "alarms", "test")
    assert code == 0, said
    assert "t0ps3cret" not in said
    return said.count("ok      ")


def raised(client: httpx.Client) -> tuple[str, str]:
    """The alarm of the org's only event about one, and its sentence."""
    query: dict[str, str | int] = {"types": "alarm.*", "since_id": 0, "wait": 20}
    (event,) = client.get(f"/events/{ORG}", params=query, timeout=PATIENCE_S).json()["events"]
    assert event["type"] == "alarm.raised"
    alarm = event["data"]["alarm"]
    return alarm["alarm"], alarm["sentence"]


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
            known = {"org": ORG, "secret": SECRET}
            lost = SimulatedPhone(tmp_path, gateway.url, **known, name="lost", number=LOST)
            other = SimulatedPhone(tmp_path, gateway.url, **known, name="other", number=OTHER)

            def phones(online: int) -> bool:
                found = client.get(f"/phones/{ORG}").json()["phones"]
                return len([one for one in found if one["online"] and one["sims"]]) == online

            try:
                eventually(lambda: phones(2))
                # From here on the events of the org are recorded.
                client.get(f"/events/{ORG}")
                assert arrived(tmp_path) == 2
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
                assert raised(client) == ("phone_away", notice["sentence"])
                _, said = run(tmp_path, "alarms", "list")
                assert "phone_away (club)" in said
                assert "Check its battery" in said

                configure(sms)
                gateway.process.send_signal(signal.SIGHUP)
                gateway.wait_for_line('"reloaded"')
                assert arrived(tmp_path) == 1
                assert len(receiver.taken) == 1
                assert "t0ps3cret" not in "\n".join(gateway.log)
            finally:
                lost.kill()
                other.kill()
                client.close()


def test_an_alarm_outlives_a_kill_and_is_not_reported_anew(tmp_path: Path) -> None:
    database = tmp_path / "phonegate.db"

    def standing() -> Any:
        return ask(database, OwnerRequest("GET", "/alarms"))["alarms"]

    with receiving() as receiver:
        settings = {"ALARMS_NOTIFY": f"webhook:{receiver.url}", "ALARMS_PHONE_AWAY_S": 1}
        first = GatewayProcess(database, settings=settings)
        first.wait_until_ready()
        body = {"org_id": ORG, "messages": [{"address": PERSON, "body": "makes the org"}]}
        httpx.post(f"{first.url}/webhook", json=body, headers={"X-Secret-Key": SECRET})
        waiting = {"to": PERSON, "body": "for a phone"}
        httpx.post(f"{first.url}/send/{ORG}", json=waiting, headers={"X-Secret-Key": SECRET})
        eventually(lambda: receiver.taken)
        eventually(lambda: _reported(database))
        (before,) = standing()
        first.kill()
        with GatewayProcess(database, settings=settings):
            (after,) = standing()
        assert (after["alarm"], after["about"]) == ("phone_away", ORG)
        assert after["since"] == before["since"]
        assert len(receiver.taken) == 1


def _reported(database: Path) -> bool:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return bool(connection.execute("SELECT 1 FROM alarms WHERE reported").fetchone())
    finally:
        connection.close()

"""A held message through a restart: nothing leaves before a person says so on the command line."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from kit.gateway import GatewayProcess
from tests.patience import PATIENCE_S

ORG, SECRET = "myorg", "my-secret-key-123"


def run(url: str, *words: str) -> None:
    """Runs a command of a person at the gateway."""
    done = subprocess.run(
        [sys.executable, "-m", "phonegate", *words],
        env=os.environ | {"PHONEGATE_URL": url, "PHONEGATE_ORG": ORG, "PHONEGATE_SECRET": SECRET},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr


def test_what_is_held_survives_a_kill_and_leaves_once_approved(tmp_path: Path) -> None:
    database = tmp_path / "phonegate.db"
    text = {"messages": [{"to": "+15553334444", "body": f"held {i}"} for i in range(3)]}

    with httpx.Client(headers={"X-Secret-Key": SECRET}, timeout=PATIENCE_S) as owner:

        def status(gateway: GatewayProcess) -> list[str]:
            page = owner.get(f"{gateway.url}/messages/{ORG}?direction=out").json()
            return [message["status"] for message in page["messages"]]

        first = GatewayProcess(database)
        first.wait_until_ready()
        received = {"address": "+15553334444", "body": "makes the org"}
        org = {"org_id": ORG, "messages": [received]}
        assert owner.post(f"{first.url}/webhook", json=org).status_code == 200
        key = {"name": "agent", "limits": {"hold": True, "per_day": 3}}
        made = owner.post(f"{first.url}/keys/{ORG}", json=key).json()
        bearer = {"Authorization": f"Bearer {made['key']}"}
        answer = httpx.post(f"{first.url}/send/{ORG}", json=text, headers=bearer)
        assert answer.status_code == 200
        kept, refused, last = (result["id"] for result in answer.json()["results"])
        first.kill()

        with GatewayProcess(database) as gateway:
            phone = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "phonegate",
                    "phone",
                    "--simulate",
                    "--url",
                    gateway.url,
                    "--org",
                    ORG,
                    "--sim",
                    "0:+15551112222",
                ],
                env=os.environ | {"PHONEGATE_SECRET": SECRET},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                # The owner's own message behind them leaves; they don't.
                wait_for_phone(owner, gateway)
                body = {"to": "+15553334444", "body": "free"}
                owner.post(f"{gateway.url}/send/{ORG}", json=body)
                eventually(lambda: status(gateway)[3] in {"sent", "delivered"})
                assert status(gateway)[:3] == ["queued"] * 3
                # The count survived as well.
                more = httpx.post(f"{gateway.url}/send/{ORG}", json=body, headers=bearer)
                assert (more.status_code, more.json()["code"]) == (429, "key_limit_reached")

                held = owner.get(f"{gateway.url}/messages/{ORG}?waiting_for=approval").json()
                assert [m["id"] for m in held["messages"]] == [kept, refused, last]
                run(gateway.url, "messages", "approve", str(kept))
                owner.post(f"{gateway.url}/messages/{ORG}/id/{refused}/refuse")
                eventually(lambda: status(gateway)[0] in {"sent", "delivered"})
                assert status(gateway)[1:3] == ["cancelled", "queued"]
            finally:
                phone.terminate()
                phone.wait(PATIENCE_S)


def wait_for_phone(owner: httpx.Client, gateway: GatewayProcess) -> None:
    eventually(lambda: owner.get(f"{gateway.url}/sims/{ORG}").json()["online_devices"] == 1)


def eventually(check: Any) -> None:
    """Asks again until the answer is true: for what other processes do in their own time."""
    end = time.monotonic() + PATIENCE_S
    while not check():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)

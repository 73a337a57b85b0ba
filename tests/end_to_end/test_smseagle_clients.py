"""Clients of SMSEagle that we did not write, against a gateway that runs."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kit.gateway import GatewayProcess
from tests.patience import PATIENCE_S

ORG, SECRET = "alerts", "a-secret-of-this-test"
RUN_DEADLINE_S = 50
FRIEND, OTHER = "+15553334444", "+15559990000"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    database = tmp_path_factory.mktemp("smseagle") / "phonegate.db"
    with GatewayProcess(Path(database)) as process:
        body = {"org_id": ORG, "secret_key": SECRET, "messages": [{"address": OTHER, "body": "x"}]}
        httpx.post(f"{process.url}/webhook", json=body).raise_for_status()
        yield process


@pytest.fixture(scope="module")
def key(gateway: GatewayProcess) -> str:
    made = httpx.post(
        f"{gateway.url}/keys/{ORG}",
        json={"name": "alerts", "scopes": ["send"]},
        headers={"X-Secret-Key": SECRET},
    )
    found: str = made.raise_for_status().json()["key"]
    return found


def texts(gateway: GatewayProcess) -> list[tuple[str, str]]:
    reply = httpx.get(
        f"{gateway.url}/messages/{ORG}?direction=out", headers={"X-Secret-Key": SECRET}
    )
    return [(one["address"], one["body"]) for one in reply.raise_for_status().json()["messages"]]


def notify(body: str, *urls: str) -> bool:
    """Runs Apprise's own command."""
    program = Path(sys.executable).with_name("apprise")
    done = subprocess.run(
        [program, "-b", body, *urls], capture_output=True, check=False, timeout=PATIENCE_S
    )
    return done.returncode == 0


def test_apprise_sends_to_numbers(gateway: GatewayProcess, key: str) -> None:
    url = f"smseagle://{key}@127.0.0.1:{gateway.port}/{FRIEND}/{OTHER}"
    assert notify("Backup failed: Größe 0", url, f"{url}?batch=yes")
    found = texts(gateway)
    assert sorted(found) == sorted(2 * [(to, "Backup failed: Größe 0") for to in (FRIEND, OTHER)])


def test_apprise_tests_and_is_refused_without_sending(gateway: GatewayProcess, key: str) -> None:
    before, host = texts(gateway), f"127.0.0.1:{gateway.port}"
    assert notify("x", f"smseagle://{key}@{host}/{FRIEND}?test=yes")
    wrong = f"smseagle://wrong-token-123@{host}/{FRIEND}"
    group, contact = f"smseagle://{key}@{host}/#staff", f"smseagle://{key}@{host}/@anna"
    assert not notify("x", wrong, group, contact)
    assert texts(gateway) == before

"""A hook that a real Alertmanager calls: groups of alerts that fire and are resolved become SMS."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from kit.gateway import GatewayProcess
from kit.program import Program
from tests.patience import PATIENCE_S

PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="Alertmanager is not installed")

ORG, SECRET = "myorg", "a-long-secret-of-a-test"
HEADERS = {"X-Secret-Key": SECRET}
TO = "+15553334444"
BEARER = "9b1c7d2e-4f2a"


class Alertmanager(Program):
    """Alertmanager, with one receiver."""

    def __init__(self, folder: Path, url: str) -> None:
        assert PROGRAM is not None
        credentials = {"type": "Bearer", "credentials": BEARER}
        webhook = {"url": url, "http_config": {"authorization": credentials}}
        timing = {"group_wait": "100ms", "group_interval": "1s", "repeat_interval": "1h"}
        config = {
            "route": {"receiver": "sms", "group_by": ["alertname"], **timing},
            "receivers": [{"name": "sms", "webhook_configs": [webhook]}],
        }
        # JSON is YAML too.
        (folder / "alertmanager.yml").write_text(json.dumps(config))
        options = {
            "config.file": folder / "alertmanager.yml",
            "storage.path": folder / "data",
            "web.listen-address": "127.0.0.1:0",
            "cluster.listen-address": "",
        }
        words = [f"--{name}={value}" for name, value in options.items()]
        super().__init__([PROGRAM, *words], folder=folder)

    def wait_until_ready(self) -> None:
        found = re.search(r"127\.0\.0\.1:(\d+)", self.wait_for_line('"Listening on"'))
        assert found is not None
        self.port = int(found[1])

    def alert(self, name: str, *instances: str, resolved: bool = False) -> None:
        """Has alerts fire, or end."""
        now = datetime.now(UTC)
        ends = now if resolved else now + timedelta(minutes=5)
        alerts = [
            {
                "labels": {"alertname": name, "instance": one, "severity": "critical"},
                "annotations": {"summary": f"{one} is slow"} if one != "api-2" else {},
                "startsAt": (now - timedelta(minutes=1)).isoformat(),
                "endsAt": ends.isoformat(),
            }
            for one in instances
        ]
        httpx.post(f"{self.url}/api/v2/alerts", json=alerts, trust_env=False).raise_for_status()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path_factory.mktemp("gateway") / "phonegate.db") as process:
        push = {"org_id": ORG, "messages": [{"address": TO, "body": "x"}]}
        httpx.post(f"{process.url}/webhook", json=push, headers=HEADERS).raise_for_status()
        yield process


def ask(gateway: GatewayProcess, method: str, path: str, **how: Any) -> Any:
    answer = httpx.request(
        method,
        f"{gateway.url}{path}",
        headers=HEADERS,
        timeout=2 * PATIENCE_S,
        trust_env=False,
        **how,
    )
    answer.raise_for_status()
    return answer.json()


def next_text(gateway: GatewayProcess, after: int, head: str) -> tuple[int, list[str]]:
    """Waits for a message to send that has this first line and two more.

    A slow Alertmanager may tell of one alert alone first. Returns the message's event and lines.
    """
    lines: list[str] = []
    while lines[:1] != [head] or len(lines) < 3:
        query = f"types=message.queued&since_id={after}&limit=1&wait={PATIENCE_S}"
        (event,) = ask(gateway, "GET", f"/events/{ORG}?{query}")["events"]
        message = event["data"]["message"]
        assert message["address"] == TO
        after, lines = event["id"], message["body"].split("\n")
    return after, lines


def test_alerts_that_fire_and_are_resolved_are_sent(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    (ready,) = ask(gateway, "GET", f"/hooks/ready/{ORG}?name=alertmanager")["mappings"]
    mapping = ready["mapping"] | {"to": [TO]}
    verification = {"kind": "header", "secret": f"Bearer {BEARER}"}
    hook = {"name": "alerts", "mapping": mapping, "verification": verification}
    url = ask(gateway, "POST", f"/hooks/of/{ORG}", json=hook)["url"]
    last = ask(gateway, "GET", f"/events/{ORG}?limit=1")["last_id"]
    with Alertmanager(tmp_path, url) as alertmanager:
        alertmanager.alert("HighLatency", "api-1", "api-2")
        last, (_, *alerts) = next_text(gateway, last, "FIRING: HighLatency")
        assert set(alerts) == {"api-1 is slow", "HighLatency on api-2"}
        alertmanager.alert("HighLatency", "api-1", "api-2", resolved=True)
        next_text(gateway, last, "RESOLVED: HighLatency")
    # It is noted by the way, and so may be a moment late.
    shown: Any = None
    end = time.monotonic() + PATIENCE_S
    while shown != {"kind": "sent", "detail": "1 message"}:
        assert time.monotonic() < end, shown
        (hook,) = ask(gateway, "GET", f"/hooks/of/{ORG}")["hooks"]
        shown = hook["last"]

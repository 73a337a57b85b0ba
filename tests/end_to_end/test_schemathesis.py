"""The running gateway, fuzzed by Schemathesis from the document that it serves of itself.

All checks are on. What the tool is told beside the document is in `contract_checks` and here.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kit.gateway import GatewayProcess
from phonegate.model.dialects import DIALECTS

ORG = "myorg"
SECRET = "my-secret-key-123"

EXAMPLES = 2
"""Fuzzed requests for each operation; more are for a longer run by hand."""

SETTINGS = f"""\
[parameters]
# Other orgs have other secrets: with a made-up one every answer would be 401.
"path.org" = "{ORG}"
"query.org_id" = "{ORG}"
# Who waits for events waits longer than the tool does.
"query.wait" = 0

# `valid_data_is_accepted` stands in for it: the same, but for what no schema can say. A key that
# came before with another request is refused with 422, as the draft of Idempotency-Key asks.
[checks.positive_data_acceptance]
enabled = false
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "422", "429", "5xx"]

# The tool speaks no websocket: the best it can get there is to be told to upgrade.
[[operations]]
include-operation-id = "connect_phone"
checks.positive_data_acceptance = {{ enabled = false, expected-statuses = ["401", "426"] }}
"""

BOUNDED = """
# The systematic tries of every limit of a key, one by one, are half of all requests; and each
# change of a key makes the gateway forget that the org's secret was right, so that the next
# request pays for its slow hash. To find such tries for a page of received messages and for
# the accounts of carriers takes the tool half of its time. All of these are fuzzed like the rest.
[[operations]]
include-operation-id = ["create_key", "change_key", "push_messages", "create_assistant"]
phases.coverage.enabled = false
"""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    # Each request comes from an address of its own, as behind a proxy.
    settings = {"HTTP_TRUSTED_PROXIES": "127.0.0.1/32"}
    with GatewayProcess(tmp_path / "phonegate.db", settings=settings) as process:
        yield process


def test_the_gateway_keeps_to_its_own_document(gateway: GatewayProcess, tmp_path: Path) -> None:
    first = {"org_id": ORG, "secret_key": SECRET, "messages": [{"address": "AMAZON", "body": "x"}]}
    assert httpx.post(f"{gateway.url}/webhook", json=first).json()["ok"]
    # Something to read and to change.
    number = {"name": "Front desk", "provider": "phone", "phone_numbers": ["+15559990000"]}
    made = httpx.post(
        f"{gateway.url}/assistants?org_id={ORG}", json=number, headers={"X-Secret-Key": SECRET}
    )
    assert made.status_code == 201
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(SETTINGS + BOUNDED)
    command = [
        str(Path(sys.executable).with_name("st")),
        f"--config-file={settings}",
        "run",
        f"{gateway.url}/openapi.json",
        f"--header=X-Secret-Key: {SECRET}",
        f"--max-examples={EXAMPLES}",
        # The same handlers, found by the same table under a second path.
        "--exclude-operation-id-regex=_by_path_secret$",
        # Others have defined their answers: tests/api/dialects holds them to those.
        *(f"--exclude-tag=dialect: {name}" for name in DIALECTS),
        # Their one credential is the header above; others are tried by the check of ignored ones.
        "--generation-with-security-parameters=false",
        "--generation-database=none",
        "--no-color",
    ]
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "tests.end_to_end.contract_checks",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    # It leaves a folder where it runs.
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # A filter that matches nothing would have it try what was meant to be left out.
    assert "Unmatched filters" not in done.stdout
    requests = [event for event in gateway.events() if event["event"] == "request"]
    answered = {event["status"] for event in requests}
    assert len(requests) > 500
    # It came as far as the handlers, not only to the check of credentials.
    assert {200, 201, 400, 401, 404, 405, 415} <= answered
    assert not {status for status in answered if status >= 500}

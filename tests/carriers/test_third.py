"""A third carrier is a folder and an entry in the registry: nothing else has to know it.

The program under test is phonegate itself, started with Acme in its registry (see `third`).
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from kit.gateway import GatewayProcess
from kit.program import ROOT, child_environment

from .stub import answer, stub
from .third import sign

PROGRAM = ("-m", "tests.carriers.third")
ACCESS_KEY = "acme-key-0123456789"
FROM, TO = "+15551110005", "+1555123456"
DECLARED = f"""\
[[assistants]]
org = "myorg"
name = "acme"
provider = "acme"
phone_numbers = ["{FROM}"]
account_id = "acme-1"
access_key = "{ACCESS_KEY}"
"""


def run(
    *words: str, folder: Path, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """One command of the phonegate that knows Acme."""
    return subprocess.run(
        [sys.executable, *PROGRAM, *words],
        cwd=folder,
        env=child_environment(PYTHONPATH=str(ROOT), COLUMNS="100", **(environment or {})),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def printed(*words: str, folder: Path, environment: Mapping[str, str] | None = None) -> str:
    done = run(*words, folder=folder, environment=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        printed("openapi", folder=tmp_path_factory.mktemp("openapi"))
    )
    return found


def test_the_document_offers_it(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    new = schemas["NewAssistant"]
    assert new["properties"]["provider"]["enum"] == ["twilio", "telnyx", "acme", "phone"]
    assert "acme: account_id, access_key; phone: none." in json.dumps(new)
    assert "twilio, telnyx, acme or phone" in json.dumps(schemas["SmsSent"])
    assert "acme" in json.dumps(schemas["Message"]["properties"]["provider"])


def test_the_document_says_what_its_account_needs(document: dict[str, Any]) -> None:
    condition = document["components"]["schemas"]["NewAssistant"]
    known = json.dumps(condition["properties"]["credentials"])
    assert "acme: 4 to 20 of a-z, 0-9 and -." in known
    while condition["if"]["properties"]["provider"]["const"] != "acme":
        condition = condition["else"]
    credentials = condition["then"]["properties"]["credentials"]
    assert credentials["required"] == ["account_id", "access_key"]
    assert credentials["propertyNames"]["enum"] == ["account_id", "access_key"]


def test_the_document_has_its_callback(document: dict[str, Any]) -> None:
    operation = document["paths"]["/callbacks/acme/{id}/{token}"]["post"]
    assert operation["operationId"] == "acme_callback"
    assert operation["summary"] == "What Acme calls"
    assert operation["description"].endswith("Each call must bear Acme's X-Acme-Signature.")
    assert "text/plain" in operation["responses"]["200"]["content"]


def test_the_commands_offer_it(tmp_path: Path) -> None:
    shown = " ".join(printed("assistant", "add", "--help", folder=tmp_path).split())
    assert "[twilio|telnyx|acme|phone]" in shown
    assert "acme: account_id, access_key." in shown
    assert "through Twilio, Telnyx, Acme or an own phone" in " ".join(
        printed("assistant", "--help", folder=tmp_path).split()
    )


def test_the_example_file_shows_it(tmp_path: Path) -> None:
    shown = printed("check", "--example", folder=tmp_path)
    assert '# provider = "acme"\n# phone_numbers = ["+15551110005"]\n' in shown


def test_its_credentials_are_asked_for_and_checked(tmp_path: Path) -> None:
    printed("org", "add", "myorg", folder=tmp_path)
    words = (
        *("assistant", "add", "myorg", "support", "--provider", "acme", "--number", FROM),
        *("--credentials-from", "environment", "--json"),
    )
    missing = run(*words, folder=tmp_path)
    assert "Set PHONEGATE_ASSISTANT_ACCOUNT_ID and PHONEGATE_ASSISTANT_ACCESS_KEY" in missing.stderr
    given = {
        "PHONEGATE_ASSISTANT_ACCOUNT_ID": "A!",
        "PHONEGATE_ASSISTANT_ACCESS_KEY": ACCESS_KEY,
    }
    wrong = run(*words, folder=tmp_path, environment=given)
    assert "credentials.account_id must be 4 to 20 of a-z, 0-9 and -" in wrong.stderr
    given["PHONEGATE_ASSISTANT_ACCOUNT_ID"] = "acme-1"
    added = json.loads(printed(*words, folder=tmp_path, environment=given))
    assert added["provider"] == "acme"
    assert added["credentials"] == {"account_id": "…", "access_key": "…6789"}


def test_a_wrong_table_of_it_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(DECLARED.replace("acme-1", "A!"))
    faults = run("check", folder=tmp_path).stdout
    assert "account_id (file gateway.toml): must be 4 to 20 of a-z, 0-9 and -" in faults


class Acme:
    """A gateway that serves with a declared assistant at Acme, and a client of it."""

    def __init__(self, folder: Path, url: str) -> None:
        (folder / "gateway.toml").write_text(DECLARED)
        secret = json.loads(printed("org", "add", "myorg", "--json", folder=folder))["secret"]
        self._process = GatewayProcess(
            folder / "phonegate.db",
            settings={"HTTP_PUBLIC_URL": "https://gw.test"},
            wrapper=("env", f"PYTHONPATH={ROOT}", f"ACME_URL={url}"),
            program=PROGRAM,
        )
        self._process.__enter__()
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{self._process.port}", headers={"X-Secret-Key": secret}
        )

    def close(self) -> None:
        self._client.close()
        self._process.__exit__(None, None, None)

    def post(self, path: str, body: object) -> httpx.Response:
        return self._client.post(path, json=body, params={"org_id": "myorg"})

    def get(self, path: str) -> Any:
        return self._client.get(path, params={"org_id": "myorg"}).raise_for_status().json()

    def page(self, path: str) -> str:
        return self._client.get(path).raise_for_status().text

    def call(self, path: str, event: object, *, key: str = ACCESS_KEY) -> httpx.Response:
        """A callback of Acme's."""
        body = json.dumps(event).encode()
        return self._client.post(path, content=body, headers={"X-Acme-Signature": sign(key, body)})


async def test_it_sends_and_reports(tmp_path: Path) -> None:
    accepted = answer(200, json.dumps({"id": "A1", "state": "accepted"}).encode())
    async with stub(accepted) as served:
        gateway = await trio.to_thread.run_sync(Acme, tmp_path, served.url)
        try:
            await trio.to_thread.run_sync(_send_and_report, gateway)
        finally:
            await trio.to_thread.run_sync(gateway.close)
    (request,) = served.requests
    assert request.startswith(b"POST /messages HTTP/1.1")
    assert f"Bearer {ACCESS_KEY}".encode() in request
    assert json.loads(request.partition(b"\r\n\r\n")[2]) == {"from": FROM, "to": TO, "text": "hi"}


def _send_and_report(gateway: Acme) -> None:
    assert "an account at Twilio, Telnyx or Acme" in gateway.page("/reference")
    sent = gateway.post(
        "/sms/send", {"from_phone_number": FROM, "to_phone_number": TO, "message": "hi"}
    )
    assert sent.status_code == 200, sent.text
    assert sent.json()["provider"] == "acme"
    assert sent.json()["message_id"] == "A1"
    (assistant,) = gateway.get("/assistants")["assistants"]
    assert assistant["callback_url"].startswith("https://gw.test/callbacks/acme/")
    path = assistant["callback_url"].removeprefix("https://gw.test")
    assert gateway.call(path, {"id": "A1", "state": "done"}, key="of somebody").status_code == 403
    assert gateway.call(path, {"id": "A1", "state": "done"}).json() == {"ok": True}
    malformed = gateway.call(path, {"state": "done"})
    assert malformed.status_code == 400
    assert malformed.json()["detail"] == "This is no notice of Acme's: there is no id."
    inbound = {"id": "A2", "from": TO, "to": FROM, "text": "hello"}
    received = gateway.call(path, inbound)
    assert (received.text, received.headers["content-type"]) == ("THANKS", "text/plain")
    messages = {one["body"]: one for one in gateway.get("/messages/myorg")["messages"]}
    assert messages["hi"]["status"] == "delivered"
    assert (messages["hello"]["provider"], messages["hello"]["address"]) == ("acme", TO)

"""Every program and example of the page of `/sms/send`, run against the gateway.

Only host and API key differ from what the page prints. Behind the gateway stand the fake
carriers and a simulated phone; what arrives there is looked at too.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import attrs
import httpx
import pytest

from kit.fake_carrier import FakeCarrierProcess
from kit.fake_carrier.journeys import MAGIC
from kit.gateway import GatewayProcess
from tests.end_to_end.programs import FROM, PROGRAMS, TEXT, TO, Call, Program
from tests.patience import PATIENCE_S

SECRET = "sms-send-secret-key-1"
CARRIERS = ("twilio", "telnyx")
PROVIDERS = (*CARRIERS, "phone")
PICTURES = (
    "https://yourdomain.com/documents/contract.pdf",
    "https://yourdomain.com/images/diagram.png",
)
BAD_RECIPIENT = "Invalid to_phone_number format. Use E.164 format (e.g., +1234567890)"

# The page's request bodies, as printed.
REQUEST = """\
{
  "from_phone_number": "+1234567890",
  "to_phone_number": "+1555123456",
  "message": "Hello! This is a follow-up message from your AI assistant.",
  "media_urls": ["https://example.com/image.jpg"]
}"""
FOLLOW_UP = """\
{
  "from_phone_number": "+1234567890",
  "to_phone_number": "+1555123456",
  "message": "Thanks for calling! Here's the link we discussed: https://support.example.com/article/123"
}"""
REMINDER = """\
{
  "from_phone_number": "+1234567890",
  "to_phone_number": "+1555123456",
  "message": "Reminder: Your appointment is tomorrow at 2:00 PM. Reply CONFIRM to confirm or RESCHEDULE to change the time."
}"""  # noqa: E501 - as printed
DOCUMENTS = """\
{
  "from_phone_number": "+1234567890",
  "to_phone_number": "+1555123456",
  "message": "Here are the documents you requested:",
  "media_urls": [
    "https://yourdomain.com/documents/contract.pdf",
    "https://yourdomain.com/images/diagram.png"
  ]
}"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def eventually(check: Callable[[], Any]) -> Any:
    """Asks again until the answer is true: for what other processes do in their own time."""
    end = time.monotonic() + PATIENCE_S
    while not (answer := check()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)
    return answer


class HasUrl(Protocol):
    """A gateway, as a process of its own or in this one."""

    @property
    def url(self) -> str: ...


@attrs.frozen(kw_only=True)
class Site:
    """The gateway, what is behind it, and an org for each provider, named after it.

    The org `newcomer` has no assistant.
    """

    gateway: GatewayProcess
    fake: FakeCarrierProcess
    radio: Path
    keys: dict[str, str]
    callback_urls: dict[str, str]

    def call(self, org: str, **more: Any) -> Call:
        return Call(host=self.gateway.url, key=self.keys[org], **more)

    def post(self, org: str, body: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.keys[org]}", "Content-Type": "application/json"}
        return httpx.post(
            f"{self.gateway.url}/sms/send", content=body, headers=headers, timeout=PATIENCE_S
        )

    def messages(self, org: str) -> list[dict[str, Any]]:
        answer = httpx.get(
            f"{self.gateway.url}/messages/{org}",
            headers={"Authorization": f"Bearer {self.keys[org]}"},
            params={"limit": 1000},
        )
        found: list[dict[str, Any]] = answer.raise_for_status().json()["messages"]
        return found

    def on_air(self, provider: str) -> list[dict[str, Any]]:
        """What a carrier took."""
        taken = self.fake.ledger()["accepted"]
        return [sms for sms in taken if sms["carrier"] == provider]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    port = free_port()
    with FakeCarrierProcess() as fake:
        fake.control("account", telnyx={"numbers": [FROM]})
        settings = {
            "CARRIERS_TWILIO_URL": fake.url,
            "CARRIERS_TELNYX_URL": fake.url,
            "HTTP_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "PACING_SEGMENTS_PER_MINUTE": 0,
        }
        database = folder / "phonegate.db"
        with GatewayProcess(database, port=port, settings=settings) as gateway:
            keys, callback_urls = {}, {}
            for org in (*PROVIDERS, "newcomer"):
                keys[org] = new_org(gateway, org)
            for org in CARRIERS:
                callback_urls[org] = new_assistant(gateway, fake, org, keys[org])
            radio = folder / "radio.jsonl"
            phone = subprocess.Popen(
                [
                    *(sys.executable, "-m", "phonegate", "phone", "--simulate"),
                    *("--url", gateway.url, "--org", "phone", "--sim", f"0:{FROM}"),
                    *("--radio-log", str(radio)),
                ],
                env={**os.environ, "PHONEGATE_SECRET": SECRET},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                sims = f"{gateway.url}/sims/phone/{SECRET}"
                eventually(lambda: httpx.get(sims).json()["live_sims"])
                yield Site(
                    gateway=gateway,
                    fake=fake,
                    radio=radio,
                    keys=keys,
                    callback_urls=callback_urls,
                )
            finally:
                phone.terminate()
                phone.wait(PATIENCE_S)


def new_org(gateway: HasUrl, name: str) -> str:
    """Makes an org; an API key of it."""
    message = {"address": "+15550009999", "body": "first", "date": 1, "id": "first"}
    content = {"org_id": name, "secret_key": SECRET, "messages": [message]}
    httpx.post(f"{gateway.url}/webhook", json=content).raise_for_status()
    made = httpx.post(
        f"{gateway.url}/keys/{name}", headers={"X-Secret-Key": SECRET}, json={"name": "app"}
    )
    key: str = made.raise_for_status().json()["key"]
    return key


def new_assistant(gateway: HasUrl, fake: FakeCarrierProcess, provider: str, key: str) -> str:
    """Makes an assistant that owns the page's sender; where its carrier may call."""
    account = fake.accounts()[provider]
    wanted = {"twilio": ("account_sid", "auth_token"), "telnyx": ("api_key", "public_key")}
    made = httpx.post(
        f"{gateway.url}/assistants",
        headers={"Authorization": f"Bearer {key}"},
        json={
            "name": "Reception",
            "provider": provider,
            "phone_numbers": [FROM],
            "credentials": {name: account[name] for name in wanted[provider]},
        },
    )
    assert made.status_code == 201, made.text
    url: str = made.json()["assistant"]["callback_url"]
    return url


@pytest.fixture(params=PROGRAMS, ids=lambda program: program.name)
def program(request: pytest.FixtureRequest) -> Program:
    chosen: Program = request.param
    return chosen


@pytest.mark.parametrize("provider", PROVIDERS)
def test_it_sends(site: Site, program: Program, provider: str, tmp_path: Path) -> None:
    before = len(site.on_air(provider))
    outcome = program.run(site.call(provider), tmp_path)
    assert (outcome.sent, outcome.provider) == (True, provider)
    assert outcome.message_id
    if outcome.answer is not None:
        assert outcome.answer == {
            "success": True,
            "message_id": outcome.message_id,
            "message": f"SMS sent successfully via {provider}",
            "provider": provider,
        }
    if provider != "phone":
        assert len(site.on_air(provider)) == before + 1
        taken = site.on_air(provider)[-1]
        shown = tuple(taken[name] for name in ("id", "sender", "recipient", "text"))
        assert shown == (outcome.message_id, FROM, TO, TEXT)
        newest = site.messages(provider)[-1]
    else:
        (newest,) = (m for m in site.messages(provider) if str(m["id"]) == outcome.message_id)
    shown = tuple(newest[name] for name in ("direction", "address", "body", "provider"))
    assert shown == ("out", TO, TEXT, provider)

    def delivered() -> bool:
        (stored,) = (m for m in site.messages(provider) if m["id"] == newest["id"])
        return bool(stored["status"] == ("sent" if provider == "phone" else "delivered"))

    eventually(delivered)

    def refused() -> list[dict[str, Any]]:
        return [
            call for call in site.fake.ledger()["callbacks"] if call["status"] not in {None, 200}
        ]

    assert refused() == []


@pytest.mark.parametrize("provider", CARRIERS)
def test_it_sends_media(site: Site, program: Program, provider: str, tmp_path: Path) -> None:
    if not program.sends_media:
        return
    outcome = program.run(site.call(provider, media=PICTURES), tmp_path)
    assert outcome.sent
    taken = site.on_air(provider)[-1]
    assert (taken["id"], taken["media"]) == (outcome.message_id, list(PICTURES))


def test_media_to_a_phone_without_mms_are_refused(
    site: Site, program: Program, tmp_path: Path
) -> None:
    if not program.sends_media:
        return
    before = len(site.messages("phone"))
    outcome = program.run(site.call("phone", media=PICTURES), tmp_path)
    assert not outcome.sent
    assert outcome.detail
    assert outcome.status in {None, 400}
    assert len(site.messages("phone")) == before


def test_an_unknown_sender_is_404(site: Site, program: Program, tmp_path: Path) -> None:
    outcome = program.run(site.call("newcomer"), tmp_path)
    assert not outcome.sent
    assert outcome.status in {None, 404}
    assert outcome.detail == "No assistant found for phone number +1234567890"


def test_a_wrong_key_is_401(site: Site, program: Program, tmp_path: Path) -> None:
    call = attrs.evolve(site.call("twilio"), key="pgk_" + "x" * 32)
    outcome = program.run(call, tmp_path)
    assert not outcome.sent
    assert outcome.status in {None, 401}
    assert outcome.detail
    if outcome.answer is not None:
        assert outcome.answer["code"] == "unauthorized"


@pytest.mark.parametrize("recipient", ["(123) 456-7890", "123-456-7890", "1234567890"])
def test_a_recipient_of_another_form_is_400(
    site: Site, program: Program, recipient: str, tmp_path: Path
) -> None:
    before = len(site.messages("twilio"))
    outcome = program.run(site.call("twilio", recipient=recipient), tmp_path)
    assert not outcome.sent
    assert outcome.status in {None, 400}
    assert outcome.detail == BAD_RECIPIENT
    assert len(site.messages("twilio")) == before


@pytest.mark.parametrize("text", ["", "x" * 1601], ids=["empty", "too-long"])
def test_a_message_of_no_use_is_400(
    site: Site, program: Program, text: str, tmp_path: Path
) -> None:
    outcome = program.run(site.call("twilio", text=text), tmp_path)
    assert not outcome.sent
    assert outcome.status in {None, 400}
    assert outcome.detail
    assert "message" in outcome.detail


@pytest.mark.parametrize("provider", CARRIERS)
def test_a_refusal_of_the_carrier_is_500(
    site: Site, program: Program, provider: str, tmp_path: Path
) -> None:
    before = len(site.on_air(provider))
    site.fake.control("opt_out", ours=FROM, theirs=TO)
    try:
        outcome = program.run(site.call(provider), tmp_path)
    finally:
        site.fake.control("opt_in", ours=FROM, theirs=TO)
    assert not outcome.sent
    assert outcome.status in {None, 500}
    assert outcome.detail == f"Failed to send SMS via {provider}"
    assert len(site.on_air(provider)) == before
    failed = site.messages(provider)[-1]
    assert failed["status"] == "failed"
    assert {"twilio": "21610", "telnyx": "40300"}[provider] in failed["error"]


@pytest.mark.parametrize("provider", CARRIERS)
@pytest.mark.parametrize("body", [REQUEST, FOLLOW_UP, REMINDER, DOCUMENTS])
def test_each_printed_request_is_taken(site: Site, provider: str, body: str) -> None:
    answer = site.post(provider, body)
    assert answer.status_code == 200
    content = answer.json()
    assert list(content) == ["success", "message_id", "message", "provider"]
    taken = site.on_air(provider)[-1]
    assert taken["id"] == content["message_id"]
    assert taken["text"] in body
    assert all(url in body for url in taken["media"])


@pytest.mark.parametrize("provider", CARRIERS)
def test_a_failure_that_the_carrier_reports_later_is_kept(site: Site, provider: str) -> None:
    code = {"twilio": "30003", "telnyx": "40008"}[provider]
    body = FOLLOW_UP.replace(TO, MAGIC + code)
    assert site.post(provider, body).status_code == 200

    def failed() -> bool:
        newest = site.messages(provider)[-1]
        return bool(newest["status"] == "failed" and code in str(newest["error"]))

    eventually(failed)


@pytest.mark.parametrize("provider", CARRIERS)
def test_what_comes_in_at_the_carrier_is_read_with_the_rest(site: Site, provider: str) -> None:
    order = {"sender": TO, "recipient": FROM, "text": "CONFIRM", "media": ["https://e.org/a.jpg"]}
    site.fake.control("weather", repeat=1)
    try:
        told = site.fake.control(
            "receive", carrier=provider, url=site.callback_urls[provider], **order
        )
    finally:
        site.fake.control("fair_weather")
    assert [call["status"] for call in told["callbacks"]] == [200, 200]
    (stored,) = (m for m in site.messages(provider) if m["body"] == "CONFIRM")
    shown = tuple(stored[name] for name in ("direction", "address", "sim", "provider", "status"))
    assert shown == ("in", TO, FROM, provider, "received")
    assert stored["media_urls"] == ["https://e.org/a.jpg"]

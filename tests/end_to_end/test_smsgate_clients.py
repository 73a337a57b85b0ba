"""Clients of SMS Gateway for Android, unchanged: for Python, JavaScript and Home Assistant.

What Home Assistant asks are the requests of the integration Micka41/ha-smsgateway
(custom_components/smsgate/api.py and webhook_handler.py).
"""

import asyncio
import hmac
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import android_sms_gateway as smsgate
import attrs
import httpx
import pytest
from android_sms_gateway import domain
from android_sms_gateway.ahttp import AiohttpAsyncHttpClient, HttpxAsyncHttpClient
from android_sms_gateway.enums import MessagePriority, ProcessState, WebhookEvent
from android_sms_gateway.errors import APIError, UnauthorizedError
from android_sms_gateway.http import HttpxHttpClient, RequestsHttpClient
from android_sms_gateway.webhooks import SmsReceivedPayload

from kit.gateway import GatewayProcess
from kit.receiver import Receiver, Taken, receiving
from kit.simulated_phone import SimulatedPhone
from tests.end_to_end.node_packages import package_folder
from tests.patience import PATIENCE_S

ORG, SECRET = "smsgate-clients", "a-secret-of-this-test"
SIM, FRIEND, OTHER = "+15551112222", "+15553334444", "+15559990000"
CLIENT = "android-sms-gateway@3.0.0"

BASES = ("/api/3rdparty/v1", "/3rdparty/v1", "")
"""Behind the gateway's address: as its server has it at home and in public, and as the app has."""

# A client that met an error leaves its socket to the collector of garbage.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

each_base = pytest.mark.parametrize("base", BASES, ids=["prefixed", "short", "root"])


@attrs.frozen
class Site:
    """A gateway with a phone, and a receiver of webhooks."""

    url: str
    receiver: Receiver

    def client(self, base: str, http: Any = None) -> Any:
        return smsgate.APIClient(ORG, SECRET, base_url=f"{self.url}{base}", http=http)

    def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Asks as Home Assistant does."""
        return httpx.request(method, f"{self.url}{path}", json=body, auth=(ORG, SECRET))

    def receive(self, text: str) -> None:
        """Has an SMS come in."""
        sms = {"address": FRIEND, "body": text, "sim": SIM, "date": time.time_ns() // 1_000_000}
        body = {"org_id": ORG, "secret_key": SECRET, "messages": [sms]}
        httpx.post(f"{self.url}/webhook", json=body).raise_for_status()

    def called(self, path: str) -> list[Taken]:
        return [one for one in self.receiver.taken if one.path == path]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("smsgate")
    settings = {"WEBHOOKS_ALLOW": "127.0.0.0/8", "PACING_SEGMENTS_PER_MINUTE": 0}
    with ExitStack() as stack:
        receiver = stack.enter_context(receiving())
        gateway = stack.enter_context(GatewayProcess(folder / "phonegate.db", settings=settings))
        body = {"org_id": ORG, "secret_key": SECRET, "messages": [{"address": OTHER, "body": "x"}]}
        httpx.post(f"{gateway.url}/webhook", json=body).raise_for_status()
        named = {"org": ORG, "secret": SECRET, "name": "pixel", "number": SIM}
        stack.enter_context(SimulatedPhone(folder, gateway.url, "--delivery-reports", **named))
        made = Site(gateway.url, receiver)
        until(lambda: len(made.ask("GET", "/devices").json()) == 1)
        until(lambda: bool(made.ask("GET", "/devices").json()[0]["simCards"]))
        yield made


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def message(*numbers: str, **more: Any) -> domain.Message:
    return domain.Message(
        phone_numbers=list(numbers), text_message=domain.TextMessage("Hello"), **more
    )


@each_base
@pytest.mark.parametrize("http", [RequestsHttpClient, HttpxHttpClient])
def test_the_client_for_python_sends_and_follows(site: Site, base: str, http: Any) -> None:
    with http() as opened:
        client = site.client(base, opened)
        sent = client.send(
            message(FRIEND, OTHER, priority=MessagePriority.BYPASS_THRESHOLD, ttl=60)
        )
        assert [one.phone_number for one in sent.recipients] == [FRIEND, OTHER]
        until(lambda: client.get_state(sent.id).state is ProcessState.Delivered)
        found = client.get_state(sent.id)
        assert set(found.states) == {"Pending", "Processed", "Sent", "Delivered"}
        listed = client.get_messages(
            query=domain.MessagesQueryFilter(state="Delivered"),
            pagination=domain.QueryPagination(limit=1),
            sort="-created_at",
        )
        assert [one.id for one in listed] == [sent.id]
        with pytest.raises(APIError) as refused:
            client.send(message(FRIEND, id=sent.id))
        assert (refused.value.status_code, list(refused.value.response)) == (409, ["message"])
        with pytest.raises(Exception, match="409"):
            client.cancel_message(sent.id)


@each_base
def test_a_scheduled_message_is_cancelled(site: Site, base: str) -> None:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3_600))
    body = {"phoneNumbers": [FRIEND], "message": "Later", "scheduleAt": at}
    made = site.ask("POST", f"{base}/message", body)
    assert made.headers["location"] == f"{base}/message/{made.json()['id']}"
    with site.client(base) as client:
        client.cancel_message(made.json()["id"])
        assert client.get_state(made.json()["id"]).state is ProcessState.Cancelled


@each_base
def test_the_rest_of_the_client_for_python(site: Site, base: str) -> None:
    site.receive("What is in the inbox?")
    with site.client(base) as client:
        (device,) = client.list_devices()
        assert device.name == "pixel"
        assert client.health_check().status.value == "pass"
        key = client.get_settings().webhooks.signing_key
        same = domain.DeviceSettings(webhooks=domain.SettingsWebhooks(signing_key=key))
        client.patch_settings(same)
        client.update_settings(same)
        assert client.list_inbox_messages()[0].content_preview == "What is in the inbox?"
        since, until_ = domain.datetime.datetime(2026, 1, 1), domain.datetime.datetime(2026, 1, 2)
        client.refresh_inbox(domain.InboxRefreshRequest(since=since, until=until_))
        with pytest.raises(APIError) as refused:
            client.get_logs()
        assert refused.value.status_code == 501
        wanted = domain.Webhook(id=None, url=f"{site.receiver.url}/py", event=WebhookEvent.SMS_SENT)
        made = client.create_webhook(wanted)
        assert made in client.get_webhooks()
        client.delete_webhook(made.id)
        assert made not in client.get_webhooks()


@each_base
def test_tokens_of_the_client_for_python(site: Site, base: str) -> None:
    with site.client(base) as client:
        made = client.generate_token(domain.TokenRequest(["messages:send", "messages:read"], 60))
        new = client.refresh_token(made.refresh_token)
        by_token = smsgate.APIClient(
            None, new.access_token, base_url=f"{site.url}{base}", http=client.http
        )
        sent = by_token.send(message(FRIEND))
        assert by_token.get_state(sent.id).id == sent.id
        with pytest.raises(APIError) as refused:
            by_token.list_devices()
        assert refused.value.status_code == 403
        client.revoke_token(new.id)
        with pytest.raises(UnauthorizedError):
            by_token.send(message(FRIEND))


@each_base
@pytest.mark.parametrize("http", [AiohttpAsyncHttpClient, HttpxAsyncHttpClient])
def test_the_client_for_python_with_asyncio(site: Site, base: str, http: Any) -> None:
    async def run() -> None:
        async with http() as opened:
            client = smsgate.AsyncAPIClient(
                ORG, SECRET, base_url=f"{site.url}{base}", http_client=opened
            )
            sent = await client.send(message(FRIEND), skip_phone_validation=True)
            assert (await client.get_state(sent.id)).id == sent.id
            assert await client.list_inbox_messages() is not None
            (device,) = await client.list_devices()
            state = await client.send(message(FRIEND, device_id=device.id, sim_number=1))
            assert state.device_id == device.id
            with pytest.raises(APIError) as refused:
                await client.get_state("none")
            assert refused.value.status_code == 404

    asyncio.run(run())


HA_EVENTS = (
    "sms:received",
    "sms:sent",
    "sms:delivered",
    "sms:failed",
    "mms:received",
    "mms:downloaded",
    "system:ping",
)
"""Those for which Home Assistant makes a webhook each, all with the same URL."""


def test_home_assistant(site: Site) -> None:
    health = site.ask("GET", "/health").json()
    assert tuple(map(int, health["version"].split("."))) >= (1, 74, 1)
    assert health["checks"]["connection:status"]["status"] == "pass"
    assert isinstance(site.ask("GET", "/webhooks").json(), list)
    path = "/api/webhook/ha"
    for event in HA_EVENTS:
        id_ = f"ha-smsgate-{event.replace(':', '-')}"
        assert site.ask("DELETE", f"/webhooks/{id_}").status_code == 204
        body = {"id": id_, "url": f"{site.receiver.url}{path}", "event": event}
        assert site.ask("POST", "/webhooks", body).status_code == 201
    key = site.ask("GET", "/settings").json()["webhooks"]["signing_key"]

    payload = {"phoneNumbers": [FRIEND], "simNumber": 1, "priority": 0, "ttl": 300}
    sent = site.ask("POST", "/messages", {**payload, "textMessage": {"text": "Garage open"}})
    assert sent.status_code == 202
    site.receive("Close it")

    def told() -> dict[str, Any]:
        return {one.json["event"]: one for one in site.called(path)}

    until(lambda: {"sms:received", "sms:sent", "sms:delivered"} <= set(told()))
    for one in site.called(path):
        stamp = one.headers["x-timestamp"]
        right = hmac.new(key.encode(), one.body + stamp.encode(), "sha256").hexdigest()
        assert one.headers["x-signature"] == right
        assert abs(time.time() - int(stamp)) < 300
    received = SmsReceivedPayload.from_dict(told()["sms:received"].json["payload"])
    assert (received.sender, received.message) == (FRIEND, "Close it")
    for event in ("sms:sent", "sms:delivered"):
        assert told()[event].json["payload"]["messageId"] == sent.json()["id"]
    assert set(told()) <= {"sms:received", "sms:sent", "sms:delivered", "system:ping"}
    for event in HA_EVENTS:
        site.ask("DELETE", f"/webhooks/ha-smsgate-{event.replace(':', '-')}")
    assert site.ask("GET", "/webhooks").json() == []


NODE = """
import Client from "./client.mjs";
const call = async (method, url, headers, body) => {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const answer = await fetch(url, { method, headers, body: text });
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
  const found = await answer.text();
  return found ? JSON.parse(found) : undefined;
};
const http = {
  get: (url, headers) => call("GET", url, headers),
  post: (url, body, headers) => call("POST", url, headers, body),
  put: (url, body, headers) => call("PUT", url, headers, body),
  patch: (url, body, headers) => call("PATCH", url, headers, body),
  delete: (url, headers) => call("DELETE", url, headers),
};
(async () => {
  const [url, org, secret, number, hook] = process.argv.slice(2);
  const api = new Client(org, secret, http, url);
  const sent = await api.send({ phoneNumbers: [number], textMessage: { text: "Hello" } });
  const state = await api.getState(sent.id);
  const made = await api.registerWebhook({ url: hook, event: "sms:received" });
  const hooks = await api.getWebhooks();
  await api.deleteWebhook(made.id);
  const devices = await api.getDevices();
  const health = await api.getHealth();
  console.log(JSON.stringify({ sent, state, made, hooks, devices, health }));
})().catch((error) => { console.error(error); process.exit(1); });
"""


@each_base
def test_the_client_for_javascript(site: Site, base: str, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.fail("node is needed")
    # It is a module by its syntax alone, which older versions of Node don't look at.
    client = package_folder(CLIENT) / "android-sms-gateway" / "dist" / "index.js"
    shutil.copy(client, tmp_path / "client.mjs")
    script = tmp_path / "send.mjs"
    script.write_text(NODE)
    words = [f"{site.url}{base}", ORG, SECRET, FRIEND, f"{site.receiver.url}/js"]
    done = subprocess.run(
        [node, str(script), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["state"]["id"] == found["sent"]["id"]
    assert found["made"] in found["hooks"]
    assert found["devices"][0]["name"] == "pixel"
    assert found["health"]["status"] == "pass"

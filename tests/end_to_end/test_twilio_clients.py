"""Twilio's official libraries at work, unchanged but for the address of its API."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import attrs
import httpx
import pytest
from twilio.base.exceptions import TwilioRestException  # type: ignore[import-untyped]
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]

from kit.gateway import GatewayProcess
from kit.receiver import Receiver, Taken, receiving
from kit.simulated_phone import SimulatedPhone
from phonegate.model.twilio_ids import account_sid
from tests.end_to_end.node_packages import package_folder
from tests.patience import PATIENCE_S

ORG = "myorg"
SECRET = "my-secret-key-123"
SIM = "+15550000001"
SERVICE = "MG" + "0" * 32
TO = "+15553334444"
TWILIO = "twilio@6.3.1"
TWIML = b"<Response><Message>thanks</Message></Response>"

T = TypeVar("T")


@attrs.frozen
class Site:
    gateway: GatewayProcess
    sid: str
    key: str
    receiver: Receiver

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Asks the gateway's own API."""
        answer = httpx.request(
            method,
            f"{self.gateway.url}{path}",
            json=body,
            headers={"X-Secret-Key": SECRET},
            trust_env=False,
        )
        answer.raise_for_status()
        return answer.json()

    def receive(self, *bodies: str, address: str = TO) -> None:
        """SMS come in, by the SIM of the phone."""
        messages = [{"address": address, "body": body, "sim": SIM} for body in bodies]
        self.ask("POST", "/webhook", {"org_id": ORG, "messages": messages})

    def called(self, path: str, status: str) -> Taken:
        """Waits until an address was called with a status."""

        def found() -> Taken | None:
            for taken in self.receiver.taken:
                if taken.path == path and fields(taken).get("SmsStatus") == status:
                    return taken
            return None

        return seen(found)


def fields(taken: Taken) -> dict[str, str]:
    return dict(parse_qsl(taken.body.decode(), keep_blank_values=True))


def seen(find: Callable[[], T | None]) -> T:
    """Waits until something is there."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if (found := find()) is not None:
            return found
        time.sleep(0.05)
    pytest.fail(f"not seen within {PATIENCE_S} s")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("twilio")
    settings = {"WEBHOOKS_ALLOW": "127.0.0.0/8", "PACING_SEGMENTS_PER_MINUTE": 0}
    with (
        receiving(answer=TWIML, fields={"Content-Type": "text/xml"}) as receiver,
        GatewayProcess(folder / "phonegate.db", settings=settings) as gateway,
    ):
        made = Site(gateway, "", "", receiver)
        made.receive("the first one makes the org")
        key = made.ask("POST", f"/keys/{ORG}", {"name": "twilio"})["key"]
        sid = made.ask("GET", f"/me?org_id={ORG}")["account_sid"]
        with SimulatedPhone(folder, gateway.url, org=ORG, secret=SECRET, name="desk", number=SIM):
            seen(lambda: made.ask("GET", f"/sims/{ORG}")["live_sims"] or None)
            yield Site(gateway, sid, key, receiver)


@pytest.fixture
def client(site: Site) -> Client:
    made = Client(site.sid, site.key)
    made.api.base_url = site.gateway.url
    return made


# -- Python


def test_a_message_is_sent_and_its_callbacks_are_signed(site: Site, client: Client) -> None:
    url = f"{site.receiver.url}/states?uuid=7"
    made = client.messages.create(to=TO, from_=SIM, body="Grüße 😀", status_callback=url)
    assert (made.to, made.from_, made.body) == (TO, SIM, "Grüße 😀")
    assert made.status in {"queued", "sending"}
    assert made.date_created is not None
    assert datetime.now(UTC) - made.date_created < timedelta(minutes=5)
    validator = RequestValidator(site.key)
    taken = site.called("/states?uuid=7", "sent")
    told = fields(taken)
    assert (told["MessageSid"], told["AccountSid"]) == (made.sid, site.sid)
    signature = taken.headers["x-twilio-signature"]
    assert validator.validate(url, told, signature)
    assert not validator.validate(url, {**told, "MessageStatus": "failed"}, signature)
    found = client.messages(made.sid).fetch()
    assert found.status in {"sent", "delivered"}
    assert found.date_sent is not None


def test_a_list_has_each_message_once_while_others_come(site: Site, client: Client) -> None:
    party = "+15556667777"
    for begin in range(0, 120, 60):
        site.receive(*(f"number {n}" for n in range(begin, begin + 60)), address=party)
    bodies = []
    for at, message in enumerate(client.messages.stream(from_=party, page_size=50)):
        bodies.append(message.body)
        if at in {10, 60}:
            site.receive(f"late {at}", address=party)
    assert bodies == [f"number {n}" for n in reversed(range(120))]
    assert len(client.messages.list(page_size=50)) >= 122
    assert len(client.messages.list(limit=3, page_size=2)) == 3
    today = client.messages.list(from_=party, date_sent=datetime.now(UTC).date())
    assert len(today) == 122
    assert client.messages.list(from_=party, date_sent_before=datetime(2020, 1, 1)) == []  # noqa: DTZ001
    (newest,) = client.messages.page(page_size=1)
    assert newest.sid == client.messages.list(limit=1)[0].sid


def test_a_message_is_scheduled_and_cancelled(client: Client) -> None:
    made = client.messages.create(
        to=TO,
        messaging_service_sid=SERVICE,
        body="later",
        schedule_type="fixed",
        send_at=datetime.now(UTC) + timedelta(hours=1),
    )
    assert (made.status, made.messaging_service_sid) == ("scheduled", SERVICE)
    assert client.messages(made.sid).update(status="canceled").status == "canceled"
    with pytest.raises(TwilioRestException) as caught:
        client.messages.create(to=TO, from_=SIM, body="x", schedule_type="fixed")
    assert caught.value.code == 35111


def test_a_message_is_redacted_and_deleted(client: Client) -> None:
    made = client.messages.create(to=TO, from_=SIM, body="private")
    seen(lambda: client.messages(made.sid).fetch().date_sent)
    assert client.messages(made.sid).update(body="").body == ""
    assert client.messages(made.sid).fetch().body == ""
    assert client.messages(made.sid).media.list() == []
    assert client.messages(made.sid).delete() is True
    with pytest.raises(TwilioRestException) as caught:
        client.messages(made.sid).fetch()
    assert (caught.value.status, caught.value.code) == (404, 20404)


def test_feedback_accounts_and_balance(site: Site, client: Client) -> None:
    made = client.messages.create(to=TO, from_=SIM, body="x")
    assert client.messages(made.sid).feedback.create(outcome="confirmed").outcome == "confirmed"
    assert client.api.accounts(site.sid).fetch().friendly_name == ORG
    assert [one.sid for one in client.api.accounts.list()] == [site.sid]
    assert client.balance.fetch().currency == "USD"


def test_what_is_refused_is_an_exception_with_twilios_code(site: Site, client: Client) -> None:
    for given, code in (
        ({"to": "x", "from_": SIM, "body": "x"}, 21211),
        ({"to": TO, "from_": "+15550009999", "body": "x"}, 21606),
        ({"to": TO, "from_": SIM}, 21602),
        ({"to": TO, "from_": SIM, "body": "x" * 1601}, 21617),
    ):
        with pytest.raises(TwilioRestException) as caught:
            client.messages.create(**given)
        assert (caught.value.status, caught.value.code) == (400, code)
    stranger = Client(site.sid, "wrong-token-of-nobody")
    stranger.api.base_url = site.gateway.url
    with pytest.raises(TwilioRestException) as caught:
        stranger.api.accounts(site.sid).fetch()
    assert (caught.value.status, caught.value.code) == (401, 20003)


def test_a_number_is_told_where_messages_go_and_an_answer_is_sent(
    site: Site, client: Client
) -> None:
    (number,) = client.incoming_phone_numbers.list(phone_number=SIM)
    assert (number.phone_number, number.capabilities["sms"]) == (SIM, True)
    url = f"{site.receiver.url}/incoming"
    changed = client.incoming_phone_numbers(number.sid).update(sms_url=url, sms_method="POST")
    assert (changed.sms_url, changed.sms_method) == (url, "POST")
    party = "+15558889999"
    site.receive("hello", address=party)
    taken = site.called("/incoming", "received")
    told = fields(taken)
    assert (told["From"], told["To"], told["Body"]) == (party, SIM, "hello")
    assert RequestValidator(site.key).validate(url, told, taken.headers["x-twilio-signature"])
    answer = seen(lambda: next(iter(client.messages.list(to=party)), None))
    assert (answer.body, answer.from_) == ("thanks", SIM)
    assert client.incoming_phone_numbers(number.sid).update(sms_url="").sms_url == ""


def test_it_works_below_a_path(tmp_path: Path) -> None:
    """`next_page_uri` has no prefix: the libraries put their base address before it."""
    settings = {"HTTP_PREFIX": "/gate"}
    with GatewayProcess(tmp_path / "phonegate.db", settings=settings) as gateway:
        url = f"{gateway.url}/gate"
        content = {"messages": [{"address": TO, "body": str(n)} for n in range(5)], "org_id": ORG}
        headers = {"X-Secret-Key": SECRET}
        httpx.post(f"{url}/webhook", json=content, headers=headers, trust_env=False)
        client = Client(account_sid(1), SECRET)
        client.api.base_url = url
        assert [one.body for one in client.messages.list(page_size=2)] == list("43210")


# -- Node

PROGRAM = """
const twilio = require('twilio');
const [url, sid, key, sim, to, service, callback] = process.argv.slice(2);
const client = twilio(sid, key);
client.api.baseUrl = url;
(async () => {
  const seen = {};
  const made = await client.messages.create({to, from: sim, body: 'from Node',
    statusCallback: callback});
  seen.made = [made.body, made.from, made.dateCreated instanceof Date];
  const all = await client.messages.list({pageSize: 50});
  seen.all = [all.length, new Set(all.map((one) => one.sid)).size];
  const few = await client.messages.list({pageSize: 2, limit: 5});
  seen.few = few.length;
  const since = new Date(Date.now() - 3600000);
  seen.since = (await client.messages.list({to, dateSentAfter: since, limit: 1})).length;
  const fetched = await client.messages(made.sid).fetch();
  seen.fetched = fetched.sid === made.sid;
  const later = await client.messages.create({to, messagingServiceSid: service, body: 'later',
    scheduleType: 'fixed', sendAt: new Date(Date.now() + 3600000)});
  const cancelled = await client.messages(later.sid).update({status: 'canceled'});
  seen.cancelled = [later.status, cancelled.status];
  seen.redacted = (await client.messages(later.sid).update({body: ''})).body;
  seen.removed = await client.messages(later.sid).remove();
  seen.gone = await client.messages(later.sid).fetch().then(() => null, (error) => error.code);
  seen.refused = await client.messages.create({to: 'x', from: sim, body: 'x'})
    .then(() => null, (error) => [error.status, error.code]);
  seen.media = (await client.messages(made.sid).media.list()).length;
  seen.numbers = (await client.incomingPhoneNumbers.list()).map((one) => one.phoneNumber);
  seen.account = (await client.api.v2010.accounts(sid).fetch()).friendlyName;
  console.log(JSON.stringify(seen));
})().catch((error) => { console.error(error); process.exit(1); });
"""

VALIDATE = """
const twilio = require('twilio');
const [key, signature, url, fields] = process.argv.slice(2);
console.log(twilio.validateRequest(key, signature, url, JSON.parse(fields)));
"""


def run(program: str, folder: Path, *arguments: str) -> str:
    """Runs a program of Node, and returns what it prints."""
    script = folder / "program.js"
    script.write_text(program)
    done = subprocess.run(
        ["node", str(script), *arguments],
        env={**os.environ, "NODE_PATH": str(package_folder(TWILIO))},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_library_for_node(site: Site, tmp_path: Path) -> None:
    site.receive(*(f"for Node {n}" for n in range(60)))
    site.receive(*(f"for Node {n}" for n in range(60, 121)))
    url = f"{site.receiver.url}/node"
    printed = run(PROGRAM, tmp_path, site.gateway.url, site.sid, site.key, SIM, TO, SERVICE, url)
    found = json.loads(printed)
    count, different = found.pop("all")
    assert count == different >= 122
    assert found == {
        "made": ["from Node", SIM, True],
        "few": 5,
        "since": 1,
        "fetched": True,
        "cancelled": ["scheduled", "canceled"],
        "redacted": "",
        "removed": True,
        "gone": 20404,
        "refused": [400, 21211],
        "media": 0,
        "numbers": [SIM],
        "account": ORG,
    }
    taken = site.called("/node", "sent")
    signature = taken.headers["x-twilio-signature"]
    told = json.dumps(fields(taken))
    assert run(VALIDATE, tmp_path, site.key, signature, url, told).strip() == "true"
    assert run(VALIDATE, tmp_path, "another", signature, url, told).strip() == "false"

"""Status callbacks of clients that we did not write, of a gateway that is killed in between."""

import threading
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import pytest
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]

from kit.gateway import GatewayProcess
from kit.receiver import Receiver, Taken, receiving
from kit.simulated_phone import SimulatedPhone
from phonegate.model.twilio_ids import account_sid, message_of

ORG, SECRET = "acme", "a-secret-of-this-test"
SIM, FRIEND = "+15551112222", "+15553334444"
SETTINGS = {"WEBHOOKS_ALLOW": "127.0.0.0/8", "PACING_SEGMENTS_PER_MINUTE": 0}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "phonegate.db"


def key_of(gateway: GatewayProcess) -> str:
    """Makes the org, and a key of it that may only send."""
    body = {"org_id": ORG, "secret_key": SECRET, "messages": [{"address": FRIEND, "body": "x"}]}
    httpx.post(f"{gateway.url}/webhook", json=body).raise_for_status()
    made = httpx.post(
        f"{gateway.url}/keys/{ORG}",
        json={"name": "shop", "scopes": ["send"]},
        headers={"X-Secret-Key": SECRET},
    )
    return str(made.raise_for_status().json()["key"])


def send_by_each(gateway: GatewayProcess, key: str, receiver: Receiver) -> int:
    """Sends one message by each dialect that has callbacks. Returns the id of Twilio's."""
    client = Client(account_sid(1), key)
    client.api.base_url = gateway.url
    sent = client.messages.create(
        to=FRIEND,
        messaging_service_sid="MG" + 32 * "0",
        body="by twilio",
        status_callback=f"{receiver.url}/twilio?uuid=1",
    )
    login = {"username": ORG, "password": key, "to": FRIEND}
    kannel = {
        **login,
        "text": "by kannel",
        "dlr-mask": "31",
        "dlr-url": f"{receiver.url}/kannel?uuid=2&status=%d&to=%P",
    }
    httpx.get(f"{gateway.url}/cgi-bin/sendsms", params=kannel).raise_for_status()
    jasmin = {
        **login,
        "content": "by jasmin",
        "dlr": "yes",
        "dlr-level": "3",
        "dlr-method": "POST",
        "dlr-url": f"{receiver.url}/jasmin",
    }
    httpx.post(f"{gateway.url}/send", data=jasmin).raise_for_status()
    found = message_of(sent.sid)
    assert found is not None
    return found


def of(receiver: Receiver, name: str) -> list[Taken]:
    return [one for one in receiver.taken if one.path.startswith(f"/{name}")]


def words(receiver: Receiver, name: str) -> list[str]:
    """What a receiver was told of its message, each once."""
    found: list[str] = []
    for one in of(receiver, name):
        fields = dict(parse_qsl(one.path.partition("?")[2] + "&" + one.body.decode()))
        word = fields.get("MessageStatus") or fields.get("message_status") or fields["status"]
        if not found or found[-1] != word:
            found.append(word)
    return found


def test_each_client_hears_of_its_message_whatever_happens_to_the_gateway(database: Path) -> None:
    with receiving(answer=b"ACK/Jasmin", hangs=threading.Event()) as receiver:
        with GatewayProcess(database, settings=SETTINGS) as first:
            key = key_of(first)
            id_ = send_by_each(first, key, receiver)

            def both() -> bool | None:
                return (of(receiver, "twilio") and of(receiver, "kannel") and True) or None

            first.wait_until(both)
            # It has the calls, and the gateway no answer.
            first.process.kill()
            first.process.wait()
        port = first.port
        assert receiver.hangs is not None
        receiver.hangs.set()
        ends: dict[str, list[str]] = {
            "twilio": ["queued", "sent"],
            "kannel": ["4", "8"],
            "jasmin": ["ESME_ROK"],
        }
        with GatewayProcess(database, port=port, settings=SETTINGS) as second:
            with SimulatedPhone(
                database.parent, second.url, org=ORG, secret=SECRET, name="pixel", number=SIM
            ):

                def all_said() -> bool | None:
                    return all(words(receiver, name) == ends[name] for name in ends) or None

                second.wait_until(all_said)
            hooks = httpx.get(
                f"{second.url}/webhooks/{ORG}", headers={"X-Secret-Key": SECRET}
            ).json()["webhooks"]
            assert [(one["callbacks"], one["shape"]) for one in hooks] == [
                (True, "twilio"),
                (True, "kannel"),
                (True, "jasmin"),
            ]
            text = "\n".join((*first.log, *second.log))
        assert "uuid=" not in text
        assert key not in text
    _check_signatures(receiver, key, id_)
    repeated = [one.path for one in of(receiver, "kannel") if "status=4" in one.path]
    assert len(repeated) == 2, "what was not answered before the kill came again"
    assert "to=%2B15553334444" in repeated[0]


def _check_signatures(receiver: Receiver, key: str, id_: int) -> None:
    tokens: dict[str, str] = {}
    for one in of(receiver, "twilio"):
        fields = dict(parse_qsl(one.body.decode(), keep_blank_values=True))
        url = f"{receiver.url}{one.path}"
        assert RequestValidator(key).validate(url, fields, one.headers["x-twilio-signature"])
        assert message_of(fields["MessageSid"]) == id_
        assert fields["To"] == FRIEND
        # By it a receiver knows a repeat.
        token = one.headers["i-twilio-idempotency-token"]
        assert tokens.setdefault(token, fields["MessageStatus"]) == fields["MessageStatus"]
    assert len(tokens) == 2


CLOSED = "http://169.254.169.254/status"
"""Where clouds keep the credentials of their machines."""


def asked(dialect: str, url: str, key: str) -> httpx.Response:
    """Sends a message whose callback may not be called."""
    if dialect == "twilio":
        fields = {"To": FRIEND, "MessagingServiceSid": "MG" + 32 * "0", "Body": "x"}
        return httpx.post(
            f"{url}/2010-04-01/Accounts/{account_sid(1)}/Messages.json",
            auth=(account_sid(1), key),
            data={**fields, "StatusCallback": CLOSED},
        )
    login = {"username": ORG, "password": key, "to": FRIEND, "dlr-url": CLOSED}
    if dialect == "kannel":
        return httpx.get(f"{url}/cgi-bin/sendsms", params={**login, "text": "x", "dlr-mask": "31"})
    fields = {**login, "content": "x", "dlr": "yes", "dlr-level": "3"}
    return httpx.post(f"{url}/send", data=fields)


def test_a_url_that_may_not_be_called_is_refused_with_its_message(database: Path) -> None:
    with GatewayProcess(database) as gateway:
        key = key_of(gateway)
        for dialect, field in (
            ("twilio", "StatusCallback"),
            ("kannel", "dlr-url"),
            ("jasmin", "dlr-url"),
        ):
            refused = asked(dialect, gateway.url, key)
            assert refused.status_code in range(400, 500), dialect
            assert field in refused.text, refused.text
        assert set(gateway.status()["messages"]) == {"received"}

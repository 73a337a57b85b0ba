"""Every example of the document runs as it stands there, against a running gateway.

Requests are built from the document alone; the answers must be as printed, but for what is the
gateway's to choose: ids, times, keys.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from kit.fake_carrier import FakeCarrierProcess
from kit.gateway import GatewayProcess
from tests.events.webhooks.plain_receiver import plain_receiver
from tests.json_schema import validator
from tests.patience import PATIENCE_S

ORG = "myorg"
SECRET = {"X-Secret-Key": "my-secret-key-123"}
FROM = "+1234567890"
OWN = {
    *("id", "key", "key_id", "message_id", "created_at", "last_used_at", "version", "uptime_s"),
    *("callback_url", "credentials", "send_at", "last_seen"),
    *("secret", "old_secret_until", "n", "event_id", "at", "ms", "url"),
}
"""Fields whose value is the gateway's to choose, or made of the account's own."""


@attrs.frozen(kw_only=True)
class Printed:
    """An example of the document."""

    operation: str
    method: str
    path: str
    values: dict[str, Any]
    query: dict[str, Any]
    body: Any
    status: int
    answer: Any
    schema: Any


def printed(document: Any) -> Iterator[Printed]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for status, response in operation["responses"].items():
                media = response.get("content", {}).get("application/json", {})
                for name, example in media.get("examples", {}).items():
                    chosen: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "header": {}}
                    for parameter in operation.get("parameters", ()):
                        if name in parameter.get("examples", {}):
                            value = parameter["examples"][name]["value"]
                            chosen[parameter["in"]][parameter["name"]] = value
                    body = operation.get("requestBody", {}).get("content", {})
                    yield Printed(
                        operation=operation["operationId"],
                        method=method,
                        path=path,
                        values=chosen["path"],
                        query=chosen["query"],
                        body=body["application/json"]["examples"][name]["value"] if body else None,
                        status=int(status),
                        answer=example["value"],
                        schema=media["schema"],
                    )


def difference(expected: Any, actual: Any, name: str = "it") -> str | None:
    """Where an answer departs from the printed one."""
    if name in OWN:
        return None if type(expected) is type(actual) or expected is None else name
    if isinstance(expected, dict) and isinstance(actual, dict):
        if expected.keys() != actual.keys():
            return f"{name}: {sorted(expected.keys() ^ actual.keys())}"
        parts = [(key, expected[key], actual[key]) for key in expected]
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        parts = [(name, *pair) for pair in zip(expected, actual, strict=True)]
    else:
        return None if expected == actual else f"{name} is {actual!r}, not {expected!r}"
    return next((d for key, e, a in parts if (d := difference(e, a, key))), None)


@attrs.define
class Reader:
    """Somebody who tries the examples, with the ids that their own gateway gave."""

    gateway: GatewayProcess
    document: Any
    waiting: list[Printed]

    def run(self, operation: str, *, key: str | None = None, **values: Any) -> Any:
        """Runs the examples of an operation in order; the answer to the last of them.

        They are run with an API key, where one is given, in place of the org's secret.
        """
        mine = [example for example in self.waiting if example.operation == operation]
        assert mine, operation
        answer = None
        for example in mine:
            self.waiting.remove(example)
            answer = self._run(example, values, key)
        return answer

    def _run(self, example: Printed, values: dict[str, Any], key: str | None) -> Any:
        path = example.path.format_map(example.values | values)
        parameters = {p["name"] for p in self._operation(example).get("parameters", ())}
        query = {**({"org_id": ORG} if "org_id" in parameters else {}), **example.query}
        in_body = isinstance(example.body, dict) and "secret_key" in example.body
        headers = {} if in_body or "secret" in example.values else SECRET
        if key is not None:
            headers, query = {"Authorization": f"Bearer {key}"}, example.query
        url = self.gateway.url + path
        reply = httpx.request(example.method, url, params=query, headers=headers, json=example.body)
        found = reply.json()
        assert reply.status_code == example.status, reply.text
        schema = {**example.schema, "components": self.document["components"]}
        validator(schema).validate(found)
        assert difference(example.answer, found) is None, (example.operation, found)
        return found

    def _operation(self, example: Printed) -> Any:
        return self.document["paths"][example.path][example.method]


@contextmanager
def phone(gateway: GatewayProcess) -> Iterator[ClientConnection]:
    """A phone that takes what it is given and tells nothing, once its SIM is known."""
    url = f"ws://127.0.0.1:{gateway.port}/websocket?org_id={ORG}"
    sims = [{"slot": 0, "number": "+15551112222", "carrier": "AT&T"}]
    with connect(url, additional_headers=SECRET) as link:
        link.recv()
        link.send(json.dumps({"type": "sims", "sims": sims}))
        link.send('{"type":"ping"}')
        assert json.loads(link.recv())["type"] == "pong"
        yield link


@contextmanager
def whole_phone(gateway: GatewayProcess) -> Iterator[None]:
    """A phone that says all that there is to say of itself."""
    url = f"ws://127.0.0.1:{gateway.port}/websocket?org_id={ORG}"
    hello = {"device_id": "pixel-7", "name": "Pixel", "model": "Pixel 7", "app": "demo/1.0"}
    sims = [{"slot": 0, "number": "+15551112222", "carrier": "AT&T"}, {"slot": 1}]
    status = {"battery": 83, "charging": True, "signal": 3, "network": "wifi"}
    with connect(url, additional_headers=SECRET) as link:
        link.recv()
        for kind, fields in (("hello", hello), ("sims", {"sims": sims}), ("status", status)):
            link.send(json.dumps({"type": kind, **fields}))
        link.send('{"type":"ping"}')
        assert json.loads(link.recv())["type"] == "pong"
        yield


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    with FakeCarrierProcess() as fake:
        fake.control("account", telnyx={"numbers": [FROM]})
        settings = {
            "CARRIERS_TELNYX_URL": fake.url,
            "PACING_SEGMENTS_PER_MINUTE": 0,
            "WEBHOOKS_ALLOW": "127.0.0.0/8",
        }
        with GatewayProcess(tmp_path / "phonegate.db", settings=settings) as gateway:
            document = httpx.get(f"{gateway.url}/openapi.json").json()
            reader = Reader(gateway, document, list(printed(document)))
            # Before anything else has come or gone, so that the page of messages is as printed.
            for name in ("push_messages", "get_messages", "get_messages_by_path_secret"):
                reader.run(name)
            # What is received before the first look at events is in none.
            httpx.get(f"{gateway.url}/events/{ORG}", headers=SECRET)
            (push,) = (one for one in printed(document) if one.operation == "push_messages")
            push.body["messages"][0]["id"] = "124"
            httpx.post(f"{gateway.url}/webhook", json=push.body)
            reader.run("get_events")
            account = fake.accounts()["telnyx"]
            made = httpx.post(
                f"{gateway.url}/assistants?org_id={ORG}",
                headers=SECRET,
                json={
                    "name": "Reception",
                    "provider": "telnyx",
                    "phone_numbers": [FROM],
                    "credentials": {"api_key": account["api_key"]},
                },
            )
            assert made.status_code == 201, made.text
            reader.run("send_sms_from_number")
            gone = f"{gateway.url}/assistants/{made.json()['assistant']['id']}?org_id={ORG}"
            assert httpx.delete(gone, headers=SECRET).status_code == 200
            yield reader


def try_hooks(reader: Reader) -> None:
    """Runs the examples of hooks, the URL of which is this gateway's own."""
    made = reader.run("create_hook")["hook"]["id"]
    for name in ("list_hooks", "get_hook", "rotate_hook", "try_hook", "list_ready_mappings"):
        reader.run(name, id=made)
    reader.run("change_hook", id=made)
    reader.run("remove_hook", id=made)


def try_webhooks(reader: Reader) -> None:
    """Runs the examples of webhooks: their own URL is called by none, and a receiver's is."""
    hooks = f"{reader.gateway.url}/webhooks/{ORG}"
    made = reader.run("create_webhook")["webhook"]["id"]
    for name in ("list_webhooks", "get_webhook", "rotate_webhook_secret", "enable_webhook"):
        reader.run(name, id=made)
    reader.run("change_webhook", id=made)
    reader.run("remove_webhook", id=made)
    with plain_receiver() as receiver:
        new = {"url": receiver.url, "events": ["message.received"]}
        made = httpx.post(hooks, headers=SECRET, json=new).json()["webhook"]["id"]
        reader.run("test_webhook", id=made)
        body = {"messages": [{"address": "+15553334444", "body": "once more"}]}
        pushed = {"org_id": ORG, "secret_key": SECRET["X-Secret-Key"], **body}
        httpx.post(f"{reader.gateway.url}/webhook", json=pushed).raise_for_status()
        until = time.monotonic() + PATIENCE_S
        while True:
            log = httpx.get(f"{hooks}/{made}/deliveries", headers=SECRET).json()["deliveries"]
            if log[0]["event_id"] is not None and log[0]["next_at"] is None:
                break
            assert time.monotonic() < until, log
        shown = reader.run("list_deliveries", id=made)["deliveries"][0]
        reader.run("replay_delivery", id=made, n=shown["n"])


def test_every_example_runs_as_printed(reader: Reader) -> None:
    url = reader.gateway.url
    reader.run("health")
    reader.run("get_message")
    body = {"to": "+15553334444", "body": "to be withdrawn"}
    queued = httpx.post(f"{url}/send/{ORG}", headers=SECRET, json=body).json()
    reader.run("cancel_message", id=queued["results"][0]["id"])

    with whole_phone(reader.gateway):
        (shown,) = reader.run("list_phones")["phones"]
        reader.run("change_phone", id=shown["id"])
    reader.run("forget_phone", id=shown["id"])

    with phone(reader.gateway):
        reader.run("list_sims")
        reader.run("send_sms")

    held = {"name": "agent", "scopes": ["send"], "limits": {"hold": True}}
    made = httpx.post(f"{url}/keys/{ORG}", headers=SECRET, json=held).json()
    agent = {"Authorization": f"Bearer {made['key']}"}
    body = {"to": "+15553334444", "body": "Dinner at eight?"}
    for decision in ("approve_message", "refuse_message"):
        waiting = httpx.post(f"{url}/send/{ORG}", headers=agent, json=body).json()
        reader.run(decision, id=waiting["results"][0]["id"])
    httpx.delete(f"{url}/keys/{ORG}/{made['id']}", headers=SECRET)

    fields = {"name": "agent", "scopes": ["send", "read"]}
    made = httpx.post(f"{url}/keys/{ORG}", headers=SECRET, json=fields).json()
    reader.run("me", key=made["key"])
    httpx.delete(f"{url}/keys/{ORG}/{made['id']}", headers=SECRET)

    fields = {"name": "setup", "scopes": ["manage"]}
    made = httpx.post(f"{url}/keys/{ORG}", headers=SECRET, json=fields).json()
    reader.run("change_me", key=made["key"])
    httpx.delete(f"{url}/keys/{ORG}/{made['id']}", headers=SECRET)

    key = reader.run("create_key")
    first = httpx.get(f"{url}/keys/{ORG}", headers=SECRET).json()["keys"][0]
    reader.run("change_key", id=key["id"])
    reader.run("revoke_key", id=key["id"])
    assert [key["id"] for key in reader.run("list_keys")["keys"]] == [first["id"]]

    made = reader.run("create_assistant")["assistant"]
    for name in ("list_assistants", "get_assistant", "change_assistant", "remove_assistant"):
        reader.run(name, id=made["id"])

    try_webhooks(reader)
    try_hooks(reader)

    assert [example.operation for example in reader.waiting] == []

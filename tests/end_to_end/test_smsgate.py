"""A phone with the app SMS Gateway for Android at a whole gateway, by the requests of the app.

What the app does between its requests is played by `phonegate.phone.smsgate`, which has its own
tests. Here stand the requests alone, over plain sockets where an answer is to get lost.
"""

import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Queue
from typing import Any

import attrs
import httpx

from kit.gateway import GatewayProcess
from tests.patience import PATIENCE_S

ORG = "home"
SECRET = "a-long-secret-of-home"
TO = "+15553334444"
AGENT = "me.capcom.smsgateway/1.68.0"
CARD = {"slotIndex": 0, "simNumber": 1, "phoneNumber": "*******4567", "iccid": "******1234"}


@attrs.define
class Phone:
    """The app's end of its API."""

    client: httpx.Client
    token: str
    port: int

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def get(self, path: str) -> Any:
        answer = self.client.get(f"/api/mobile/v1{path}", headers=self.bearer)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        return answer.json()

    def report(self, app_id: str, *states: str) -> int:
        snapshot = self.snapshot(app_id, *states)
        path = "/api/mobile/v1/message"
        return self.client.patch(path, headers=self.bearer, json=[snapshot]).status_code

    def snapshot(self, app_id: str, *states: str) -> dict[str, Any]:
        return {
            "id": app_id,
            "state": states[-1],
            "recipients": [{"phoneNumber": TO, "state": states[-1]}],
            "states": dict.fromkeys(states, "2026-11-29T04:00:00.000Z"),
        }

    def call(self, event: str, payload: dict[str, Any]) -> int:
        """Reports an event, as the app signs it with what it was given."""
        key = self.get("/settings")["webhooks"]["signing_key"]
        urls = {hook["event"]: hook["url"] for hook in self.get("/webhooks")}
        body, stamp = json.dumps({"id": "e", "event": event, "payload": payload}).encode(), "1"
        signed = hmac.new(key.encode(), body + stamp.encode(), "sha256").hexdigest()
        headers = {"X-Timestamp": stamp, "X-Signature": signed}
        return self.client.post(urls[event], content=body, headers=headers).status_code

    @contextmanager
    def stream(self) -> Iterator["Queue[tuple[str, Any]]"]:
        """The events of an open stream, by a client that reads it."""
        events: Queue[tuple[str, Any]] = Queue()
        opened = threading.Event()

        def read() -> None:
            name, path = "", "/api/mobile/v1/events"
            with (
                suppress(httpx.HTTPError),
                httpx.Client(base_url=self.client.base_url, timeout=PATIENCE_S) as client,
                client.stream("GET", path, headers=self.bearer) as answer,
            ):
                opened.set()
                for line in answer.iter_lines():
                    if line.startswith("event: "):
                        name = line.removeprefix("event: ")
                    elif line.startswith("data: "):
                        events.put((name, json.loads(line.removeprefix("data: "))))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        assert opened.wait(PATIENCE_S)
        yield events

    def half(self, request: str, body: bytes = b"") -> socket.socket:
        """A connection on which a request was sent and no answer is read."""
        open_one = socket.create_connection(("127.0.0.1", self.port))
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = (
            f"{request} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.token}\r\n{length}\r\n"
        )
        open_one.sendall(head.encode() + body)
        return open_one


def until(events: "Queue[tuple[str, Any]]", name: str) -> Any:
    while True:
        found, data = events.get(timeout=PATIENCE_S)
        if found == name:
            return data


class Owner:
    """The org's own side."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.secret = {"X-Secret-Key": SECRET}

    def send(self, body: str) -> int:
        answer = self.client.post(
            f"/send/{ORG}", headers=self.secret, json={"to": TO, "body": body}
        )
        return int(answer.json()["results"][0]["id"])

    def cancel(self, number: int) -> None:
        path = f"/messages/{ORG}/id/{number}"
        self.client.delete(path, headers=self.secret).raise_for_status()

    def message(self, number: int) -> dict[str, Any]:
        listed = self.client.get(f"/messages/{ORG}?limit=500", headers=self.secret).json()
        (found,) = [one for one in listed["messages"] if one["id"] == number]
        message: dict[str, Any] = found
        return message

    def until(self, number: int, status: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while self.message(number)["status"] != status:
            assert time.monotonic() < deadline, self.message(number)
            time.sleep(0.05)


def test_a_phone_with_the_app_sends_and_receives(tmp_path: Path) -> None:
    database = tmp_path / "g.db"
    with GatewayProcess(database) as gateway, httpx.Client(timeout=PATIENCE_S) as client:
        client.base_url, client.headers["User-Agent"] = httpx.URL(gateway.url), AGENT
        owner, phone = Owner(client), registered(client, gateway.port)
        # Of two streams the newer one counts, however long the old one seems to live.
        deaf = phone.half("GET /mobile/v1/events")
        # Once it is answered it is the older one.
        deaf.recv(1, socket.MSG_PEEK)
        with phone.stream() as events:
            until(events, "SettingsUpdated")
            number = owner.send("hi")
            until(events, "MessageEnqueued")
            (message,) = phone.get("/message?order=fifo")
            assert message["textMessage"] == {"text": "hi"}
            assert message["simNumber"] == 1
            life: list[str] = []
            for state in ("Pending", "Processed", "Sent", "Delivered"):
                life.append(state)
                assert phone.report(message["id"], *life) == 204
                assert phone.get("/messages") == []
            for late in (["Pending"], ["Pending", "Processed", "Sent"]):
                assert phone.report(message["id"], *late) == 204
            assert owner.message(number)["status"] == "delivered"
            # One that is taken back.
            other = owner.send("no")
            until(events, "MessageEnqueued")
            (message,) = phone.get("/message")
            owner.cancel(other)
            assert until(events, "MessageCancelled") == {"messageId": message["id"]}
            (message,) = phone.get("/message")
            assert message["state"] == "Cancelling"
            assert phone.report(message["id"], "Pending", "Cancelled") == 204
            assert owner.message(other)["status"] == "cancelled"
        deaf.close()
        sms = {
            "messageId": "9b0e1f22",
            "message": "hello",
            "sender": TO,
            "simNumber": 1,
            "receivedAt": "2026-11-29T11:00:00.000+07:00",
        }
        for _ in range(2):
            assert phone.call("sms:received", sms) == 204
        listed = client.get(f"/messages/{ORG}", headers=owner.secret).json()["messages"]
        # Beside the one by which the org was made.
        assert [one["body"] for one in listed if one["direction"] == "in"] == ["x", "hello"]


def test_nothing_is_sent_twice_and_nothing_lost_over_a_kill(tmp_path: Path) -> None:
    database = tmp_path / "g.db"
    with httpx.Client(timeout=PATIENCE_S, headers={"User-Agent": AGENT}) as client:
        with GatewayProcess(database) as gateway:
            client.base_url = httpx.URL(gateway.url)
            owner, phone = Owner(client), registered(client, gateway.port)
            phone.get("/message")
            first, second = owner.send("first"), owner.send("second")
            known = {one["message"]: one["id"] for one in phone.get("/message")}
            # The answer gets lost, and what it answers is committed.
            report = json.dumps([phone.snapshot(known["first"], "Pending", "Sent")]).encode()
            with phone.half("PATCH /api/mobile/v1/message", report):
                owner.until(first, "sent")
            gateway.kill()
        with GatewayProcess(database) as gateway:
            client.base_url, phone.port = httpx.URL(gateway.url), gateway.port
            with phone.stream() as events:
                gap = until(events, "MessagesExportRequested")
                assert gap["since"] < gap["until"]
                # Of what it never reported on the app hears again, by the same id.
                assert {one["message"]: one["id"] for one in phone.get("/message")} == {
                    "second": known["second"]
                }
                assert phone.report(known["first"], "Pending", "Sent") == 204
                assert phone.report(known["second"], "Pending", "Sent", "Delivered") == 204
                assert phone.get("/message") == []
            assert owner.message(first)["status"] == "sent"
            assert owner.message(second)["status"] == "delivered"


def registered(client: httpx.Client, port: int) -> Phone:
    owner = {"org_id": ORG, "secret_key": SECRET}
    client.post("/webhook", json={**owner, "messages": [{"body": "x"}]}).raise_for_status()
    mark = {"X-Secret-Key": SECRET}
    key = client.post(f"/keys/{ORG}", headers=mark, json={"name": "p", "scopes": ["phone"]}).json()
    made = client.post(
        "/api/mobile/v1/device",
        headers={"Authorization": f"Bearer {key['key']}"},
        json={"name": "Google/panther", "simCards": [CARD]},
    )
    assert made.status_code == 201
    return Phone(client, made.json()["token"], port)

"""A small server of the app's mobile API on a real socket: strict with the app, and no more."""

import hashlib
import hmac
import json
import math
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import attrs
import h11
import trio

from tests.patience import PATIENCE_S

TOKEN = "private-token-1"
SIGNING_KEY = "signing-key"
AGENTS = {b"me.capcom.smsgateway/1.68.0", b"me.capcom.smsgateway/1.75.1"}
EVENTS = (
    "sms:received",
    "sms:sent",
    "sms:delivered",
    "sms:failed",
    "sms:cancelled",
    "mms:received",
    "mms:downloaded",
    "system:ping",
    "app:started",
)


@attrs.define
class Request:
    """One request of the app."""

    method: str
    target: str
    headers: dict[bytes, bytes]
    content: Any

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


@attrs.define
class Answer:
    """A prepared answer, instead of the right one."""

    status: int = 200
    body: bytes = b"[]"
    kind: str = "application/json"


class Conversation:
    """One connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.parser = h11.Connection(h11.SERVER)

    async def next(self) -> Any:
        while True:
            event = self.parser.next_event()
            if event is not h11.NEED_DATA:
                return event
            self.parser.receive_data(await self.stream.receive_some(65_536))

    async def send(self, *events: h11.Event) -> None:
        for event in events:
            data = self.parser.send(event)
            if data:
                await self.stream.send_all(data)


class MobileServer:
    """Registers phones, lists messages, takes reports and events, and keeps all of it."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self.prepared: dict[tuple[str, str], deque[Answer]] = {}
        """Answers to the next requests of a method and path."""
        self.devices: dict[str, str] = {}
        """Token → id."""
        self.messages: dict[str, dict[str, Any]] = {}
        self.reports: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.settings: dict[str, Any] = {
            "webhooks": {"signing_key": SIGNING_KEY},
            "messages": {"processing_order": "FIFO"},
        }
        self.webhooks: list[dict[str, Any]] = []
        self.streams: list[trio.MemorySendChannel[bytes | None]] = []
        self.opened = 0
        self.greeting = ("WebhooksUpdated", "SettingsUpdated")
        self._changed = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus["MobileServer"]) -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/api/mobile/v1"
        self.webhooks = [
            {"id": f"hook-{n}", "url": self.url + "/hook", "event": event}
            for n, event in enumerate(EVENTS)
        ]
        task_status.started(self)
        await trio.serve_listeners(self._serve, listeners)

    # --- for tests

    def message(self, name: str, text: str = "hi", **more: Any) -> dict[str, Any]:
        """Lists a message until something was reported of it."""
        self.messages[name] = {
            "id": name,
            "textMessage": {"text": text},
            "phoneNumbers": ["+15550001111"],
            "state": "Pending",
            **more,
        }
        return self.messages[name]

    def push(self, name: str, data: Any = None) -> None:
        frame = f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
        for stream in self.streams:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                stream.send_nowait(frame)

    def end_streams(self) -> None:
        streams, self.streams = self.streams, []
        for stream in streams:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                stream.send_nowait(None)

    def prepare(self, method: str, path: str, *answers: Answer) -> None:
        self.prepared.setdefault((method, path), deque()).extend(answers)

    def states(self, name: str) -> list[str]:
        return [report["state"] for report in self.reports if report["id"] == name]

    def of_event(self, name: str) -> list[dict[str, Any]]:
        return [event["payload"] for event in self.events if event["event"] == name]

    def asked(self, method: str, path: str) -> list[Request]:
        return [one for one in self.requests if (one.method, one.path) == (method, path)]

    async def until(self, condition: Callable[[], Any]) -> None:
        with trio.fail_after(PATIENCE_S):
            while not condition():
                await self._changed.wait()

    # --- the protocol

    async def _serve(self, stream: trio.SocketStream) -> None:
        conversation = Conversation(stream)
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError):
            while await self._exchange(conversation):
                conversation.parser.start_next_cycle()
        with suppress(trio.BrokenResourceError):
            await stream.aclose()

    async def _exchange(self, conversation: Conversation) -> bool:
        head = await conversation.next()
        if not isinstance(head, h11.Request):
            return False
        body = b""
        while not isinstance(part := await conversation.next(), h11.EndOfMessage):
            body += part.data
        request = Request(
            method=head.method.decode(),
            target=head.target.decode().removeprefix("/api/mobile/v1"),
            headers=dict(head.headers),
            content=json.loads(body) if body else None,
        )
        assert request.headers[b"user-agent"] in AGENTS
        assert "null" not in body.decode() or request.path == "/hook"
        self.requests.append(request)
        waiting = self.prepared.get((request.method, request.path))
        if request.path == "/events" and not waiting:
            await self._stream(conversation, request)
            return False
        answer = waiting.popleft() if waiting else self._answer(request, body)
        headers = [("content-length", str(len(answer.body))), ("content-type", answer.kind)]
        if answer.status == 204:
            headers = []
        await conversation.send(
            h11.Response(status_code=answer.status, headers=headers, reason=b""),
            h11.Data(data=b"" if answer.status == 204 else answer.body),
            h11.EndOfMessage(),
        )
        self._change()
        return True

    def _answer(self, request: Request, body: bytes) -> Answer:
        if request.path == "/hook":
            return self._take_event(request, body)
        token = request.headers[b"authorization"].decode().removeprefix("Bearer ")
        if (request.method, request.path) == ("POST", "/device"):
            return self._register(token)
        device = self.devices.get(token)
        if device is None:
            return Answer(401)
        shown = {
            "/message": [*self.messages.values()],
            "/webhooks": self.webhooks,
            "/settings": self.settings,
        }
        if request.method == "GET":
            return Answer(body=json.dumps(shown[request.path]).encode())
        assert request.method == "PATCH"
        if request.path == "/device":
            return Answer(204 if request.content["id"] == device else 403)
        (report,) = request.content
        self.reports.append(report)
        self.messages.pop(report["id"], None)
        return Answer(204)

    def _take_event(self, request: Request, body: bytes) -> Answer:
        timestamp = request.headers[b"x-timestamp"]
        wanted = hmac.new(SIGNING_KEY.encode(), body + timestamp, hashlib.sha256).hexdigest()
        if request.headers[b"x-signature"].decode() != wanted:
            return Answer(401)
        self.events.append(request.content)
        return Answer(200, b"ok", "text/plain")

    def _register(self, token: str) -> Answer:
        if token != TOKEN:
            return Answer(401)
        number = len(self.devices)
        made = {"id": f"device-{number}", "token": f"token-{number}", "login": "ABC123"}
        self.devices[made["token"]] = made["id"]
        return Answer(201, json.dumps({**made, "password": "x"}).encode())

    async def _stream(self, conversation: Conversation, request: Request) -> None:
        token = request.headers[b"authorization"].decode().removeprefix("Bearer ")
        assert token in self.devices
        send, receive = trio.open_memory_channel[bytes | None](math.inf)
        self.streams.append(send)
        self.opened += 1
        kind = [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")]
        await conversation.send(h11.Response(status_code=200, headers=kind))
        for name in self.greeting:
            send.send_nowait(f"event: {name}\ndata: null\n\n".encode())
        self._change()
        with receive:
            async for chunk in receive:
                if chunk is None:
                    await conversation.send(h11.EndOfMessage())
                    return
                await conversation.send(h11.Data(data=chunk))

    def _change(self) -> None:
        changed, self._changed = self._changed, trio.Event()
        changed.set()

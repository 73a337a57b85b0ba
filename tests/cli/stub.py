"""A small gateway for the client commands: prepared answers, and what it was asked."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from phonegate import cli
from phonegate.cli.pauses import Pauses
from tests.patience import PATIENCE_S

SHORT = Pauses(sent_s=0.001, received_s=0.001, first_retry_s=0.001)


def main(words: list[str]) -> int:
    """Runs a command that hardly pauses."""
    return cli.main(words, pauses=SHORT)


def message(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "direction": "in",
        "address": "+15551112222",
        "body": "hello\x1b[31m\nthere",
        "status": "received",
        "created_at": "2026-11-21T08:00:00.000Z",
        "error": None,
        **fields,
    }


class Stream:
    """The pieces of a stream of events, after which it is cut.

    Args:
        pieces: Its bytes.
        held: It is held open in silence instead.
        mute: Not even its head is sent.
    """

    def __init__(self, *pieces: bytes, held: bool = False, mute: bool = False) -> None:
        self.pieces = pieces
        self.held = held
        self.mute = mute


def event(number: int, type_: str = "message.received", **data: Any) -> dict[str, Any]:
    return {"id": number, "type": type_, "created_at": "2026-11-21T08:00:00.000Z", "data": data}


def changed(number: int, status: str, of: int, **fields: Any) -> dict[str, Any]:
    """The event of a message, which has one text whatever its state."""
    own = {"direction": "in" if status == "received" else "out", "waiting_for": None, **fields}
    return event(number, f"message.{status}", message=message(of, status=status, **own))


def frames(*events: dict[str, Any]) -> bytes:
    """Events as a stream has them."""
    lines = (f"id: {e['id']}\nevent: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events)
    return "".join(lines).encode()


def events_page(*events: dict[str, Any], last: int | None = None, **more: Any) -> tuple[int, Any]:
    """A page of events."""
    last_id = last if last is not None else events[-1]["id"] if events else 0
    return 200, {"ok": True, "events": list(events), "last_id": last_id, **more}


class _Handler(BaseHTTPRequestHandler):
    """Answers as the gateway of its subclass has it prepared."""

    fake: "Fake"

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        path = self.path.partition("?")[0]
        self.fake.asked.append((self.command, self.path, dict(self.headers), body))
        answers = self.fake.answers[path]
        status, content = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(content):
            content = content(self.path)
        if isinstance(content, Stream):
            self.stream(content)
            return
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in self.fake.headers.items():
            self.send_header(name, value)
        if status == 301:
            self.send_header("Location", "https://elsewhere.example.org/")
        self.end_headers()
        self.wfile.write(data)

    def stream(self, stream: Stream) -> None:
        if stream.mute:
            self.wait()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for piece in stream.pieces:
            self.wfile.write(piece)
            self.wfile.flush()
        if stream.held:
            self.wait()

    def wait(self) -> None:
        """Waits until the client goes."""
        self.connection.settimeout(PATIENCE_S)
        self.rfile.read(1)

    do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - the names that http.server looks for

    def log_message(self, *_: Any) -> None:
        pass


class Fake:
    """A gateway that gives prepared answers, in turn for each path; the last one stays."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self.answers: dict[str, list[tuple[int, Any]]] = {}
        self.headers: dict[str, str] = {}
        self.server = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Handler", (_Handler,), {"fake": self})
        )
        scheme = "http" if context is None else "https"
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"{scheme}://127.0.0.1:{self.server.server_port}"

    @contextmanager
    def serving(self) -> Iterator[Self]:
        thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            self.server.shutdown()
            thread.join()
            self.server.server_close()


def accepted(*ids: int, status: str = "sending") -> dict[str, Any]:
    results = [{"id": number, "to": "+15553334444", "status": status} for number in ids]
    return {"ok": True, "device_online": True, "queued": len(ids), "results": results}

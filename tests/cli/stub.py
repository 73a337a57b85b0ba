"""A small gateway for the client commands: prepared answers, and what it was asked."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


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


class Fake:
    """A gateway that gives prepared answers, in turn for each path; the last one stays."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self.answers: dict[str, list[tuple[int, Any]]] = {}
        self.headers: dict[str, str] = {}
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = json.loads(self.rfile.read(length)) if length else None
                path = self.path.partition("?")[0]
                fake.asked.append((self.command, self.path, dict(self.headers), body))
                answers = fake.answers[path]
                status, content = answers.pop(0) if len(answers) > 1 else answers[0]
                if callable(content):
                    content = content(self.path)
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                for name, value in fake.headers.items():
                    self.send_header(name, value)
                if status == 301:
                    self.send_header("Location", "https://elsewhere.example.org/")
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - the names that http.server looks for

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
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

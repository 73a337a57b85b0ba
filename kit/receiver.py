"""A web server that keeps what it is sent, in a thread, on a socket of the loopback."""

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs


@attrs.frozen
class Taken:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float = attrs.field(factory=time.monotonic)
    """When it came, by the monotonic clock."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@attrs.define
class Receiver:
    """What it answers, and what it took."""

    status: int = 200
    answer: bytes = b'{"id":"x1"}'
    fields: dict[str, str] = attrs.field(factory=dict)
    hangs: threading.Event | None = None
    """Set to end the wait of all requests."""
    port: int = 0
    taken: list[Taken] = attrs.field(factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def receiving(**state: Any) -> Iterator[Receiver]:
    receiver = Receiver(**state)

    class Handler(http.server.BaseHTTPRequestHandler):
        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.taken.append(Taken(self.command, self.path, headers, body))
            if receiver.hangs is not None:
                receiver.hangs.wait(30)
            try:
                self.send_response(receiver.status)
                for name, value in receiver.fields.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(receiver.answer)))
                self.end_headers()
                self.wfile.write(receiver.answer)
            except OSError:
                pass  # the caller has left

        do_GET = do_POST = _take  # noqa: N815 - the names that the server looks for

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        if receiver.hangs is not None:
            receiver.hangs.set()
        server.shutdown()
        thread.join()
        server.server_close()

"""A receiver of the standard library, for tests that run no event loop."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import attrs


@attrs.define
class PlainReceiver:
    """What it answers, and what it was called with."""

    url: str = ""
    status: int = 200
    answer: bytes = b"ok"
    bodies: list[bytes] = attrs.field(factory=list)


@contextmanager
def plain_receiver() -> Iterator[PlainReceiver]:
    """Serves on a free port of this machine."""
    receiver = PlainReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(receiver.status)
            self.send_header("Content-Length", str(len(receiver.answer)))
            self.end_headers()
            self.wfile.write(receiver.answer)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}/sms"
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()

"""A proxy that loses answers: the gateway has done what it was asked, and its client can't know."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

_OWN = frozenset({"transfer-encoding", "connection", "content-length"})


class CuttingProxy:
    """Passes requests on to a gateway, and loses the first answers.

    Args:
        port: The gateway's.
        cuts: How many answers are lost.
    """

    def __init__(self, port: int, cuts: int) -> None:
        self.port = port
        self.cuts = cuts
        self.passed: list[str] = []
        """The method and path of each request that the gateway has answered."""
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self})
        )
        self.url = f"http://127.0.0.1:{self.server.server_port}"

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


class _Handler(BaseHTTPRequestHandler):
    proxy: CuttingProxy

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        gateway = http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=60)
        gateway.request(self.command, self.path, body or None, dict(self.headers))
        response = gateway.getresponse()
        content = response.read()
        gateway.close()
        with self.proxy.lock:
            self.proxy.passed.append(f"{self.command} {self.path}")
            self.proxy.cuts -= 1
            is_lost = self.proxy.cuts >= 0
        if is_lost:
            self.close_connection = True
            return
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in _OWN:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 - the names that http.server looks for

    def log_message(self, *_: Any) -> None:
        pass

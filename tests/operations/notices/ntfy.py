"""What a server of ntfy makes of a request to a topic.

As server/server.go of ntfy v2.12 has it (`parsePublishParams`, `handlePublishBody`): with the
header X-Template, the body is JSON, and title and message are Go templates over it. The templates
here know `{{.name}}` alone.
"""

import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import attrs

PRIORITIES: Final = {"": 3, "min": 1, "low": 2, "default": 3, "high": 4, "max": 5, "urgent": 5}
TRUE: Final = {"1", "yes", "true"}


@attrs.define
class Ntfy:
    port: int = 0
    messages: list[dict[str, Any]] = attrs.field(factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def published(topic: str, headers: Any, body: str) -> dict[str, Any]:
    """The message that a subscriber of the topic gets."""
    title, message = headers.get("X-Title", ""), headers.get("X-Message", "")
    if headers.get("X-Template", "").lower() in TRUE:
        data = json.loads(body)
        title, message = (_filled(text, data) for text in (title, message))
    elif body:
        message = body
    priority = PRIORITIES[headers.get("X-Priority", "")]
    tags = [tag.strip() for tag in headers.get("X-Tags", "").split(",") if tag.strip()]
    return {"topic": topic, "title": title, "message": message, "priority": priority, "tags": tags}


def _filled(template: str, data: dict[str, Any]) -> str:
    return re.sub(r"\{\{\s*\.(\w+)\s*\}\}", lambda found: str(data[found[1]]), template)


@contextmanager
def ntfy_serving() -> Iterator[Ntfy]:
    ntfy = Ntfy()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            message = published(self.path.strip("/"), self.headers, body)
            ntfy.messages.append(message)
            answer = json.dumps({"id": "x", "event": "message", **message}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    ntfy.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield ntfy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""Samples in Python, by the client of this package."""

from typing import Final

_SEND: Final = """
import os

from phonegate.client import Gateway

with Gateway("BASE", os.environ["PHONEGATE_KEY"]) as gateway:
    # The client repeats it by itself where the answer is lost.
    answer = gateway.send("+15553334444", "Dinner at eight?", idempotency_key="dinner-2026-11-21")
    print(answer.id, gateway.wait(answer).status)
"""

_READ: Final = """
import os

from phonegate.client import Gateway

last_id = 0  # what you have read so far
with Gateway("BASE", os.environ["PHONEGATE_KEY"]) as gateway:
    for message in gateway.messages(direction="in", since=last_id):
        print(message.id, message.address, message.body)
        last_id = message.id
"""

_FOLLOW: Final = """
import os

from phonegate.client import Gateway

with Gateway("BASE", os.environ["PHONEGATE_KEY"]) as gateway:
    for message in gateway.received():
        print(message.address, message.body, flush=True)
"""

_VERIFY: Final = """
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

from phonegate.client import BadSignature, verify_webhook


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            event = verify_webhook(os.environ["WEBHOOK_SECRET"], self.headers, body)
        except BadSignature:
            self.send_error(400)
            return
        print(event.type, event.id, flush=True)
        self.send_response(204)
        self.end_headers()


HTTPServer(("", 8000), Receiver).serve_forever()
"""

SAMPLES: Final = {"send": _SEND, "read": _READ, "follow": _FOLLOW, "verify": _VERIFY}

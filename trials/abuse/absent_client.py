"""Phones and readers of a gateway that stand in a process of their own, to be stopped or cut off.

python -m trials.abuse.absent_client HOST PORT COUNT
"""

import contextlib
import socket
import sys
import time

from kit.load import http, phones
from trials.attackers import ORG, SECRET, frame, handshake


def main() -> None:
    host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with contextlib.ExitStack() as stack:

        def connect() -> socket.socket:
            made = stack.enter_context(socket.socket())
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            made.settimeout(20)
            made.connect((host, port))
            return made

        for number in range(count):
            device = f"absent_client-{number}"
            wire = connect()
            wire.sendall(handshake(device=device))
            _hear(wire, b'"connected"')
            sims = phones.sims(f"+1555900{number:04d}")
            wire.sendall(phones.hello(device) + sims + frame(b'{"type":"ping"}'))
            _hear(wire, b'"pong"')
        headers = {"X-Secret-Key": SECRET}
        page = http.encode("GET", f"/messages/{ORG}?limit=1000", headers=headers)
        for _ in range(count):
            wire = connect()
            wire.sendall(page * 10)
            # 200, or 503 where other readers of the org hold its part of the memory already.
            _hear(wire, b"HTTP/1.1 ")
        connect()  # which says nothing
        connect().sendall(page[:40])
        print("ready", flush=True)
        time.sleep(600)


def _hear(wire: socket.socket, word: bytes) -> None:
    heard = b""
    while word not in heard:
        piece = wire.recv(4_096)
        if not piece:
            raise SystemExit(f"the gateway hung up after {heard[-80:]!r}")
        heard += piece


if __name__ == "__main__":
    main()

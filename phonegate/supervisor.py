"""Reports to the service manager, such as systemd, what the gateway does (sd_notify(3))."""

import os
import socket
from contextlib import suppress
from typing import Final

SOCKET: Final = "NOTIFY_SOCKET"
"""The variable that names where reports go. Only some service managers set it."""

READY: Final = "READY=1"
"""The gateway listens, and its database is open."""

STOPPING: Final = "STOPPING=1"
"""The gateway finishes what it has begun, and takes nothing new."""


def report(state: str) -> None:
    """Reports a state, where a service manager asked for it. A report that can't be sent is lost.

    It never waits.
    """
    place = os.environ.get(SOCKET, "")
    if not place.startswith(("/", "@")):
        return
    # A name in the abstract namespace begins with NUL (unix(7)).
    address = "\0" + place[1:] if place[0] == "@" else place
    with (
        suppress(OSError, ValueError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender,
    ):
        sender.setblocking(False)
        sender.sendto(state.encode(), address)

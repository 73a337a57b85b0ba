"""The control socket: how the owner's commands reach a gateway that is serving.

Only one process may write the database, so commands that write ask the one that has it. The
socket lies beside the database, with mode 0700: who may use it may also read the file. It speaks
HTTP/1.1, and answers the gateway's table of endpoints and the owner's own:

    curl --unix-socket phonegate.db.sock http://gateway/orgs
"""

import errno
import os
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import trio

from phonegate import log
from phonegate.config.settings import HttpSettings
from phonegate.operations.control_path import address, socket_path
from phonegate.server.app_call import AsgiApp
from phonegate.server.connection import ConnectionHandler, Face
from phonegate.server.redacted_trace import redacted
from phonegate.server.shell_on_demand import ShellOnDemand
from phonegate.server.streams import Connection

MAX_CLIENTS: Final = 16
"""Connections served at once; people type these commands."""

SETTINGS: Final = HttpSettings(
    # Seconds that a client has to send its request: it is a program on this machine.
    head_timeout_s=5.0,
    # Seconds for one command, on a machine under heavy load.
    request_timeout_s=60.0,
    # Seconds that a client may leave an answer unread.
    peer_timeout_s=10.0,
)

_HERE: Final = ("127.0.0.1", 0)
"""The client, as requests name one: it is on this machine."""

_FULL: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)
_PAUSE_S: Final = 0.1

_log = log.get("control")


class Control:
    """Serves the control socket of a database to the commands of this machine's owner."""

    def __init__(
        self,
        database: Path,
        make_app: Callable[[], AsgiApp],
        *,
        settings: HttpSettings = SETTINGS,
    ) -> None:
        self.path = socket_path(database)
        self._settings = settings
        self._limiter = trio.CapacityLimiter(MAX_CLIENTS)
        self._shell = ShellOnDemand(make_app, settings, ())
        self._connections = ConnectionHandler(
            settings,
            face=Face(tls=None, fast_path=None),
            trusted=(),
            shell=self._shell,
            serve_phone=_no_phone,
            phone_path="",
        )

    async def serve(self, *, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        """Listens until cancelled. The caller holds the database's lock.

        A folder where no socket can be made (some network and container mounts) costs the
        commands, not the gateway: the log says so and this returns.
        """
        try:
            listener = _listen(self.path)
        except OSError as error:
            _log.warning("control_unavailable", path=str(self.path), reason=error.strerror)
            task_status.started()
            return
        made = self.path.lstat().st_ino
        try:
            async with trio.open_nursery() as clients:
                await clients.start(self._shell.run)
                task_status.started()
                with listener:
                    await self._accept(listener, clients)
        finally:
            with suppress(OSError):
                if self.path.lstat().st_ino == made:
                    self.path.unlink()

    async def _accept(self, listener: trio.socket.SocketType, clients: trio.Nursery) -> None:
        while True:
            # Before accept: clients over the limit wait in the kernel's short queue.
            await self._limiter.acquire_on_behalf_of(token := object())
            try:
                peer, _ = await listener.accept()
            except OSError as error:
                self._limiter.release_on_behalf_of(token)
                if error.errno in _FULL:
                    await trio.sleep(_PAUSE_S)
                continue
            except BaseException:
                self._limiter.release_on_behalf_of(token)
                raise
            clients.start_soon(self._client, peer, token)

    async def _client(self, peer: trio.socket.SocketType, token: object) -> None:
        """Serves one connection. No exception of it may end the gateway."""
        try:
            connection = Connection(peer, peer_timeout_s=self._settings.peer_timeout_s)
            await self._connections.serve(connection, _HERE)
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            _log.debug("control_client_left")
        except* Exception as group:  # noqa: BLE001 - logged; one client is not the gateway
            _log.error("control_client_failed", errors=redacted(group))
        finally:
            peer.close()
            self._limiter.release_on_behalf_of(token)


async def _no_phone(*_: object) -> None:
    """Takes no phones. It is never called, since its path is empty and no request's path is."""


def _listen(path: Path) -> trio.socket.SocketType:
    """Returns a listening socket at `path`, for its owner alone. A stale one is replaced."""
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o077)
    try:
        with address(path) as bound:
            listener.bind(bound)
        listener.listen(MAX_CLIENTS)
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(before)
    return trio.socket.from_stdlib_socket(listener)

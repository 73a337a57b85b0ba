"""The control socket: how `phonegate org`, `key` and `backup` reach a gateway that is serving.

Only one process may write the database, so commands that write ask the one that has it. The
socket lies beside the database, with mode 0700: who may use it may also read the file. Each
line is one JSON object; a connection carries one request, any progress, and the answer:

    {"command": "key_list", "org": "myorg"}
    {"progress": [3, 10]}
    {"ok": true, "keys": []}  or  {"ok": false, "detail": "…", "code": "not_found"}
"""

import errno
import hashlib
import json
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import trio

from phonegate import log
from phonegate.model.refusals import BadInput, FieldProblem, Refused
from phonegate.model.storage_errors import StoreError

LONGEST_LINE = 65_536
"""Bytes of one line either way; the longest real one is a list of a few hundred orgs' names."""

LONGEST_ANSWER = 16 * 1024 * 1024
"""Bytes of an answer a client takes: every org or key of a very large gateway."""

REQUEST_S = 5.0
"""Seconds a client has to send its one line; it is a program on this machine."""

WRITE_S = 10.0
"""Seconds a client may leave a line unread."""

MAX_CLIENTS = 16
"""Connections served at once; people type these commands."""

ANSWER_S = 60.0
"""Seconds a client waits for the next line from a gateway under heavy load."""

_SUFFIX = ".sock"
_MAX_ADDRESS = 107
"""Bytes of a UNIX socket's path: `sun_path` has 108 with its closing NUL (unix(7))."""

_CREDENTIALS = struct.Struct("3i")
"""`struct ucred`: process, user and group of who listens (unix(7))."""

_PROC = "/proc/self/fd/1234567/"
_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)
_PAUSE_S = 0.1

Report = Callable[[int, int], Awaitable[None]]
"""Tells the client how far a long command has come: done, of how many."""

Command = Callable[[Mapping[str, Any], Report], Awaitable[Mapping[str, Any]]]
"""Carries out a request; the mapping it returns is the answer's fields."""

_log = log.get("control")


class ControlError(Exception):
    """The gateway could not be asked, or said no."""


class NotServing(ControlError):
    """No gateway listens beside this database."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"No gateway is serving {path}.")


class ControlUnusable(ControlError):
    """The socket is there and can't be used; `problem` says why."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        super().__init__(f"{path}: {problem}")


class ControlRefused(ControlError):
    """The gateway refused the command: `detail` for a person, `code` for a program.

    `problems` are the fields that are wrong.
    """

    def __init__(self, detail: str, code: str, problems: Sequence[FieldProblem] = ()) -> None:
        self.detail = detail
        self.problems = tuple(problems)
        self.code = code
        super().__init__(detail)


def socket_path(database: Path) -> Path:
    """Where the control socket of a database is: `<database>.sock` beside it.

    Beside the file itself where the path is a link to it. A name too long for a socket address
    is replaced by a digest of it.
    """
    database = Path(os.path.realpath(database))
    name = database.name + _SUFFIX
    if len(os.fsencode(name)) > _MAX_ADDRESS - len(_PROC):
        digest = hashlib.sha256(os.fsencode(database.name)).hexdigest()
        name = f".{digest[:32]}{_SUFFIX}"
    return database.parent / name


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """A text that addresses `path` and fits a socket address, however deep the folder is."""
    if len(os.fsencode(path)) <= _MAX_ADDRESS:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class Control:
    """Serves the control socket of a database to the commands of this machine's owner."""

    def __init__(self, database: Path, commands: Mapping[str, Command]) -> None:
        self.path = socket_path(database)
        self._commands = commands
        self._places = trio.CapacityLimiter(MAX_CLIENTS)

    async def serve(self, *, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        """Listens until cancelled; the caller holds the database's lock.

        A folder where no socket can be made (some network and container mounts) costs the
        commands, not the gateway: it is told in the log and this returns.
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
            await self._places.acquire_on_behalf_of(token := object())
            try:
                peer, _ = await listener.accept()
            except OSError as error:
                self._places.release_on_behalf_of(token)
                if error.errno in _FULL:
                    await trio.sleep(_PAUSE_S)
                continue
            except BaseException:
                self._places.release_on_behalf_of(token)
                raise
            clients.start_soon(self._client, trio.SocketStream(peer), token)

    async def _client(self, stream: trio.SocketStream, token: object) -> None:
        """One connection. No exception of it may end the gateway."""
        try:
            async with stream:
                await self._serve_one(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            _log.debug("control_client_left")
        except Exception:  # noqa: BLE001 - logged; one client is not the gateway
            _log.exception("control_client_failed")
        finally:
            self._places.release_on_behalf_of(token)

    async def _serve_one(self, stream: trio.SocketStream) -> None:
        async def tell(fields: Mapping[str, Any]) -> None:
            with trio.fail_after(WRITE_S):
                await stream.send_all(json.dumps(fields).encode() + b"\n")

        async def report(done: int, total: int) -> None:
            await tell({"progress": [done, total]})

        try:
            request = _understood(await _line(stream))
            command = self._commands.get(str(request.get("command")), _unknown)
            answer = {"ok": True, **await command(request, report)}
        except Refused as error:
            answer = {"ok": False, "detail": error.detail, "code": error.code}
            if isinstance(error, BadInput):
                answer["errors"] = [[one.field, one.problem] for one in error.problems]
        except (StoreError, OSError) as error:
            answer = {"ok": False, "detail": str(error), "code": "storage"}
        except Exception as error:
            if _left(error):
                raise trio.BrokenResourceError from error
            _log.exception("control_command_failed")
            answer = {
                "ok": False,
                "detail": "The gateway failed at this; its log says why.",
                "code": "internal",
            }
        await tell(answer)


async def _line(stream: trio.SocketStream) -> bytes:
    """The one line of a request, within its size and time."""
    buffer = bytearray()
    with trio.fail_after(REQUEST_S):
        while b"\n" not in buffer:
            if len(buffer) > LONGEST_LINE:
                raise BadInput(f"The line is longer than {LONGEST_LINE} bytes.")
            received = await stream.receive_some(4_096)
            if not received:
                raise BadInput("The line has no end.")
            buffer += received
    return bytes(buffer.partition(b"\n")[0])


def _left(error: Exception) -> bool:
    """Whether nothing went wrong but that the client left, even where a nursery tells of it."""
    if isinstance(error, ExceptionGroup):
        return all(_left(one) for one in error.exceptions)
    return isinstance(error, trio.BrokenResourceError | trio.TooSlowError)


async def _unknown(_: Mapping[str, Any], __: Report) -> Mapping[str, Any]:
    raise BadInput("This gateway does not know that command; is it an older one?")


def _understood(line: bytes) -> Mapping[str, Any]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        raise BadInput("The line is not JSON.") from None
    if not isinstance(request, dict):
        raise BadInput("The line is not a JSON object.")
    return request


def _listen(path: Path) -> trio.socket.SocketType:
    """A listening socket at `path`, usable by its owner alone; a stale one is replaced."""
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o077)
    try:
        with _address(path) as address:
            listener.bind(address)
        listener.listen(MAX_CLIENTS)
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(before)
    return trio.socket.from_stdlib_socket(listener)


def ask(
    database: Path,
    command: str,
    *,
    progress: Callable[[int, int], None] | None = None,
    timeout_s: float = ANSWER_S,
    **fields: Any,
) -> dict[str, Any]:
    """Asks the gateway that serves `database` to do something; blocks until it answered.

    Args:
        database: The gateway's database file.
        command: What to do.
        progress: Called with done and total while a long command runs.
        timeout_s: Seconds to wait for each next line.
        fields: What the command needs.

    Raises:
        NotServing: nobody listens.
        ControlUnusable: somebody may listen, but can't be talked to.
        ControlRefused: the gateway said no.
    """
    path = socket_path(database)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(timeout_s)
            with _address(path) as address:
                client.connect(address)
            _check_peer(client, database, path)
            client.sendall(json.dumps({"command": command, **fields}).encode() + b"\n")
            with client.makefile("rb") as lines:
                return _answer(path, lines, progress)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        raise NotServing(database) from None
    except PermissionError:
        problem = "belongs to another user; run this as the user of the gateway (or as root)"
        raise ControlUnusable(path, problem) from None
    except TimeoutError:
        raise ControlUnusable(path, f"the gateway did not answer in {timeout_s:g} s") from None
    except OSError as error:
        raise ControlUnusable(path, error.strerror or str(error)) from None


def _check_peer(client: socket.socket, database: Path, path: Path) -> None:
    """Looks who listens, before a secret is sent: in a folder that others may write to, anyone can.

    Raises:
        ControlUnusable: It is neither this user, nor root, nor whom root has let run the gateway.
    """
    kind = getattr(socket, "SO_PEERCRED", None)
    if kind is None:  # no such thing outside of Linux
        return
    _, peer, _ = _CREDENTIALS.unpack(client.getsockopt(socket.SOL_SOCKET, kind, _CREDENTIALS.size))
    me = os.geteuid()
    if peer in {0, me} or (me == 0 and peer == _owner(database)):
        return
    raise ControlUnusable(path, f"another user (uid {peer}) listens there, so nothing was sent")


def _owner(database: Path) -> int | None:
    """The user whose database this surely is, since no other can change its folder."""
    database = Path(os.path.realpath(database))
    try:
        file, folder = database.stat(), database.parent.stat()
    except OSError:
        return None
    others = stat.S_IWGRP | stat.S_IWOTH
    if folder.st_uid not in {0, file.st_uid} or stat.S_IMODE(folder.st_mode) & others:
        return None
    return file.st_uid


def _answer(path: Path, lines: Any, progress: Callable[[int, int], None] | None) -> dict[str, Any]:
    while line := lines.readline(LONGEST_ANSWER):
        try:
            answer = json.loads(line)
            if "progress" in answer:
                done, total = answer["progress"]
                if progress is not None:
                    progress(done, total)
                continue
            if answer["ok"]:
                return {key: value for key, value in answer.items() if key != "ok"}
            problems = [FieldProblem(*map(str, one)) for one in answer.get("errors", ())]
            raise ControlRefused(answer["detail"], answer["code"], problems)
        except (ValueError, KeyError, TypeError):
            break
    raise ControlUnusable(path, "the gateway broke off; its log says why")

"""Where the control socket of a database is, and who may be behind it."""

import hashlib
import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_SUFFIX: Final = ".sock"
_MAX_ADDRESS: Final = 107
"""Bytes of a UNIX socket's path: `sun_path` has 108 with its closing NUL (unix(7))."""

_CREDENTIALS: Final = struct.Struct("3i")
"""`struct ucred`: process, user and group of who listens (unix(7))."""

_PROC: Final = "/proc/self/fd/1234567/"


def socket_path(database: Path) -> Path:
    """Returns where the control socket of a database is: `<database>.sock` beside it.

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
def address(path: Path) -> Iterator[str]:
    """Yields a text for `path` that fits a socket address, however deep the folder is."""
    if len(os.fsencode(path)) <= _MAX_ADDRESS:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def foreign_listener(client: socket.socket, database: Path) -> int | None:
    """Returns the user who listens, where that is none whom the owner of the database trusts.

    Asked before a secret is sent: in a folder that others may write to, any user can listen.
    """
    kind = getattr(socket, "SO_PEERCRED", None)
    if kind is None:  # no such thing outside of Linux
        return None
    _, peer, _ = _CREDENTIALS.unpack(client.getsockopt(socket.SOL_SOCKET, kind, _CREDENTIALS.size))
    me = os.geteuid()
    trusted = peer in {0, me} or (me == 0 and peer == _owner(database))
    return None if trusted else peer


def _owner(database: Path) -> int | None:
    """Returns the user whose database this surely is, since no other can change its folder."""
    database = Path(os.path.realpath(database))
    try:
        file, folder = database.stat(), database.parent.stat()
    except OSError:
        return None
    others = stat.S_IWGRP | stat.S_IWOTH
    if folder.st_uid not in {0, file.st_uid} or stat.S_IMODE(folder.st_mode) & others:
        return None
    return file.st_uid

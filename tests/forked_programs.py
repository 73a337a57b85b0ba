"""Has `python -m phonegate …` and the like run in a fork of a process that has read it before.

See `tests.fork_server`. All else that is started is started as usual, and so is the program where
something is asked for that only a start of Python's own can give: variables that Python or the
loader of programs heeds, further descriptors, another user.
"""

import ctypes
import inspect
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kit.program import ROOT
from tests.fork_server import MOST_BYTES
from tests.patience import PATIENCE_S

PROGRAMS: Collection[tuple[str, ...]] = (
    ("-m", "phonegate"),
    (str(ROOT / "trials" / "short_timeouts.py"),),
)
"""The words that follow Python's name where a program is started that is forked."""

HEEDED_AT_START = ("PYTHON", "LD_", "LANG", "LC_", "MALLOC_", "GLIBC_")
"""How the names of variables begin that Python, the loader and the C library read once."""

_ASKED = inspect.signature(subprocess.Popen._execute_child)  # type: ignore[attr-defined]

_ADOPT_ORPHANS = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2)."""

_AS_STARTED = {
    "close_fds": True,
    "executable": None,
    "gid": None,
    "gids": None,
    "pass_fds": (),
    "preexec_fn": None,
    "restore_signals": True,
    "shell": False,
    "uid": None,
    "umask": -1,
}
"""What the server can do of the ways to start a program."""


class ForkServer:
    """The process that forks programs, begun when the first of them is started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def fork(self, order: Mapping[str, Any], streams: list[int]) -> int:
        """Starts a program. Returns its process id.

        Raises:
            OSError: Its folder can't be entered.
        """
        with self._lock:
            orders = self._orders or self._begin()
            _adopt_orphans(True)
            try:
                socket.send_fds(orders, [json.dumps(order).encode()], streams)
                answer = json.loads(orders.recv(MOST_BYTES))
            finally:
                _adopt_orphans(False)
        if "errno" in answer:
            raise OSError(answer["errno"], os.strerror(answer["errno"]), order["folder"])
        pid: int = answer["pid"]
        return pid

    def close(self) -> None:
        if self._orders is not None and self._process is not None:
            self._orders.close()
            self._process.wait(PATIENCE_S)

    def _begin(self) -> socket.socket:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._orders.settimeout(PATIENCE_S)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.fork_server", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
            )
        return self._orders


def _adopt_orphans(asked: bool) -> None:  # noqa: FBT001
    if ctypes.CDLL(None, use_errno=True).prctl(_ADOPT_ORPHANS, int(asked), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


@contextmanager
def forked_programs(programs: Collection[tuple[str, ...]] = PROGRAMS) -> Iterator[None]:
    """Has `subprocess.Popen` fork programs, as far as it can, within the context.

    Only Linux gives forks of forks to the worker. Elsewhere all is started as usual.

    Args:
        programs: The words that follow Python's name where one of them is started.
    """
    starts = [(sys.executable, *words) for words in programs]
    usual: Any = subprocess.Popen._execute_child  # type: ignore[attr-defined]
    server = ForkServer()

    def execute(process: Any, *args: Any, **options: Any) -> None:
        asked = _ASKED.bind(process, *args, **options).arguments
        order = _order(asked, starts)
        if order is None:
            usual(process, *args, **options)
            return
        ends = ("p2cread", "c2pwrite", "errwrite")
        streams = [n if asked[end] == -1 else asked[end] for n, end in enumerate(ends)]
        process.pid = server.fork(order, streams)
        process._child_created = True
        process._close_pipe_fds(
            *(asked[f"{pipe}{end}"] for pipe in ("p2c", "c2p") for end in ("read", "write")),
            *(asked["errread"], asked["errwrite"]),
        )

    with pytest.MonkeyPatch.context() as patch:
        if sys.platform == "linux":
            patch.setattr(subprocess.Popen, "_execute_child", execute)
        yield
    server.close()


def _order(asked: Mapping[str, Any], starts: Collection[tuple[str, ...]]) -> dict[str, Any] | None:
    """Returns what to have forked, or None for what is to be started as usual."""
    words = asked["args"]
    if isinstance(words, str | bytes | os.PathLike):
        return None
    if not any(tuple(words[: len(start)]) == start for start in starts):
        return None
    if any(asked[name] != value for name, value in _AS_STARTED.items()):
        return None
    variables = dict(os.environ if asked["env"] is None else asked["env"])
    if _heeded(variables) != _heeded(os.environ):
        return None
    return {
        "words": [os.fspath(word) for word in words],
        "variables": variables,
        # The server's own folder is another.
        "folder": str(Path.cwd() / (asked["cwd"] or "")),
        "cores": sorted(os.sched_getaffinity(0)),
        "umask": _umask(),
        "new_session": asked["start_new_session"],
        "group": asked["process_group"],
    }


def _umask() -> int:
    now = os.umask(0o077)
    os.umask(now)
    return now


def _heeded(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: v for name, v in variables.items() if name.startswith(HEEDED_AT_START)}

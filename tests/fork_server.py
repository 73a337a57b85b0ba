"""Runs `python -m phonegate …` and the like in forks of a process that has read phonegate before.

Hundreds of tests start the program, and two thirds of what a start costs is reading its modules.
Each worker of pytest has one such process. It is asked over a socket (`tests.forked_programs`), and
its forks run with what the order brings: words, variables, folder and standard streams.
"""

import gc
import importlib
import io
import json
import os
import runpy
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any, cast

STREAMS = ("stdin", "stdout", "stderr")

MOST_BYTES = 1_000_000
"""Of an order, most of which are the variables."""


def main() -> None:
    """Serves the orders that come over the descriptor in its last word."""
    _read_before()
    orders = socket.socket(fileno=int(sys.argv[1]))
    # Ctrl-C is for pytest, which ends this process.
    heeded = signal.signal(signal.SIGINT, signal.SIG_IGN)
    order = _next_to_run(orders)
    if order is None:
        orders.close()
    else:
        # Closed already, as all that a program that was just started has not.
        orders.detach()
        signal.signal(signal.SIGINT, heeded)
        _prepare_python(order)
        # What is not caught, and all that Python does at its end, are as usual.
        _run(order["words"])


def _read_before() -> None:
    from phonegate.cli import COMMANDS  # noqa: PLC0415 - reading it is what this is for

    commands = (f"cli.{entry.module}" for entry in COMMANDS.values())
    for name in ("gateway", "applications", *commands):
        importlib.import_module(f"phonegate.{name}")
    gc.collect()
    gc.freeze()


def _run(words: list[str]) -> None:
    if words[1] == "-m":
        sys.argv[:] = words[2:]
        sys.path[0] = str(Path.cwd())
        runpy.run_module(words[2], run_name="__main__", alter_sys=True)
    else:
        sys.argv[:] = words[1:]
        sys.path[0] = str(Path(words[1]).parent)
        runpy.run_path(words[1], run_name="__main__")


def _next_to_run(orders: socket.socket) -> dict[str, Any] | None:
    """Returns in a fork what that is to run, and None when there are no more orders."""
    while True:
        content, streams, _, _ = socket.recv_fds(orders, MOST_BYTES, len(STREAMS))
        if not content:
            return None
        order: dict[str, Any] = json.loads(content)
        answer = _fork(order, streams)
        if answer is None:
            return order
        for stream in streams:
            os.close(stream)
        orders.send(answer)


def _fork(order: dict[str, Any], streams: list[int]) -> bytes | None:
    """Returns what to answer, or None in the fork.

    The fork's parent ends at once, by which it becomes a child of the worker: that waits for it as
    for every other program that it starts.
    """
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        between = os.getpid()
        try:
            os.chdir(order["folder"])
        except OSError as error:
            os.write(writing, json.dumps({"errno": error.errno}).encode())
            os._exit(1)
        if os.fork() != 0:
            os._exit(0)
        while os.getppid() == between:
            os.sched_yield()
        _prepare_process(order, streams, keep=writing)
        os.write(writing, json.dumps({"pid": os.getpid()}).encode())
        os.close(writing)
        return None
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as answer:
        return answer.read()


def _prepare_process(order: dict[str, Any], streams: list[int], *, keep: int) -> None:
    """Gives this process what a program has of its parent, and the streams that it is to have."""
    os.sched_setaffinity(0, order["cores"])
    os.umask(order["umask"])
    if order["new_session"]:
        os.setsid()
    elif order["group"] >= 0:
        os.setpgid(0, order["group"])
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(len(STREAMS), keep)
    os.closerange(keep + 1, os.sysconf("SC_OPEN_MAX"))


def _prepare_python(order: dict[str, Any]) -> None:
    """Sets what Python reads at its start."""
    os.environ.clear()
    os.environ.update(order["variables"])
    time.tzset()
    sys.orig_argv[:] = order["words"]
    for number, name in enumerate(STREAMS):
        stream = _stream(number, name, like=getattr(sys, f"__{name}__"))
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _stream(number: int, name: str, *, like: io.TextIOWrapper) -> io.TextIOWrapper:
    raw: Any = io.FileIO(number, "r" if number == 0 else "w", closefd=False)
    raw.name = f"<{name}>"
    if number == 0:
        bytewise: Any = io.BufferedReader(raw)
    else:
        # Unbuffered where Python was asked to be, as it was for this process.
        bytewise = raw if like.write_through else io.BufferedWriter(raw)
    stream: Any = io.TextIOWrapper(
        bytewise,
        encoding=like.encoding,
        errors=like.errors,
        line_buffering=not like.write_through and (number == 2 or raw.isatty()),
        write_through=like.write_through,
    )
    stream.mode = like.mode
    return cast(io.TextIOWrapper, stream)


if __name__ == "__main__":
    main()

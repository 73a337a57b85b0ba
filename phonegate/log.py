"""Structured logging: one line for each event, as text for people or as JSON for machines.

An event is a short noun-and-verb name with fields (`phone_connected`, `org`, `phone`). Secrets
and message bodies are never fields; paths are redacted before they become one.

An exception is two fields of its event: `exc` has its type and text, and `trace` its frames,
innermost first. Source lines and local variables stay out, since they may hold secrets.
"""

import atexit
import json
import logging
import os
import select
import stat
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TextIO

import structlog

from phonegate import colour
from phonegate.rates import Buckets, Rate

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

LONGEST_VALUE = 2_000
"""Characters of one field's text. A library's message may be of any size."""

MOST_ASIDE = 10_000
"""Lines that may wait for a reader of the log, some 3 MB. Any more are only counted."""

EXIT_S = 2.0
"""Seconds for which the program waits at its end until such lines are written."""

TROUBLE_BURST_S = 20.0
"""When trouble begins, as many lines are written at once as later in this many seconds, since the
first lines say the most."""

LONGEST_TRACE = 16
"""Frames of a traceback. The innermost ones say the most."""

_PACKAGE_FOLDERS = ("site-packages", "dist-packages")
_STYLES = {"debug": "\x1b[2m", "info": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[31m"}
_PLAIN = "\x1b[0m"

# ASCII: escapes every line separator of Unicode, and lone surrogates.
_ENCODER = json.JSONEncoder(default=repr)

Event = MutableMapping[str, Any]


def get(name: str) -> Any:
    """Returns a logger whose lines carry `part=name`, such as "phones" or "server"."""
    return structlog.get_logger(part=name)


def configure(
    form: Literal["auto", "text", "json"] = "auto",
    level: str = "info",
    stream: TextIO | None = None,
    *,
    trouble_per_s: float = 0,
) -> None:
    """Sends every logger's lines to `stream` (standard error), at `level` and above.

    Warnings and errors that libraries log through `logging` join them. `trouble_per_s` is how many
    lines a second there may be of each kind of trouble. 0 means any number.
    """
    out = sys.stderr if stream is None else stream
    rate = Rate.of(trouble_per_s, TROUBLE_BURST_S)
    text = form == "text" or (form == "auto" and out.isatty())
    structlog.configure(
        processors=[
            *([] if rate is None else [_Thinned(rate)]),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _flatten_exception,
            _Text(colours=colour.wanted(out, os.environ)) if text else _as_json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=_lines_to(out),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Bridge)]:
        root.removeHandler(handler)
    root.addHandler(_Bridge(max(LEVELS[level], logging.WARNING)))


def _lines_to(stream: TextIO) -> "_Lines":
    """Returns the writer of a stream, made once, since lines may wait in it for a reader."""
    writes = structlog.get_config().get("logger_factory")
    return writes if isinstance(writes, _Lines) and writes.stream is stream else _Lines(stream)


class _Thinned:
    """Leaves lines out where one kind of trouble would fill the log, and counts them.

    Trouble is a warning, an error, or a refused request or phone: what an unauthenticated client
    can cause without end. The field `untold` of the next line of the same kind has the count.
    """

    def __init__(self, rate: Rate) -> None:
        self._buckets: Buckets[str] = Buckets(rate)
        self._left_out: Counter[str] = Counter()

    def __call__(self, _: object, level: str, event: Event) -> Event:
        name = str(event.get("event", ""))
        status = event.get("status")  # of an answer; that of a message is a word
        refused = name == "phone_refused" or (isinstance(status, int) and status >= 400)  # noqa: PLR2004 - RFC 9110, 15.5
        if level in {"debug", "info"} and not refused:
            return event
        if self._buckets.take(name, time.monotonic()):
            self._left_out[name] += 1
            raise structlog.DropEvent
        if left_out := self._left_out.pop(name, 0):
            event["untold"] = left_out
        return event


class _Lines:
    """Writes whole lines. A log that can't be written, or isn't read, must not stop the gateway.

    Lines that a full pipe does not take at once are set aside, and a thread that lives until all
    of them are written does the waiting.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self._lock = threading.Lock()
        self._room = _room_of(stream)
        self._aside: deque[str] = deque()
        self._lost = 0
        self._writer: threading.Thread | None = None
        if self._room is not None:
            atexit.register(self._finish)

    def __call__(self, *_: object) -> "_Lines":
        return self

    def _write(self, line: str) -> None:
        with self._lock:
            if self._writer is None and not self._aside and self._takes(line):
                self._put(line)
            elif len(self._aside) < MOST_ASIDE:
                self._aside.append(line)
            else:
                self._lost += 1
            if self._writer is None and self._aside:
                self._start()

    msg = debug = info = warning = error = critical = exception = _write

    def _takes(self, line: str) -> bool:
        """Tells whether a line can be written without waiting."""
        if self._room is None:
            return True
        size = len(line) if line.isascii() else len(line.encode(errors="replace"))
        # A pipe that has any room has that much of it (pipe(7)).
        return size < select.PIPE_BUF and bool(self._room.poll(0))

    def _start(self) -> None:
        writer = threading.Thread(target=self._write_aside, daemon=True)
        # No thread can be started just now: the next line tries again.
        with suppress(RuntimeError):
            writer.start()
            self._writer = writer

    def _put(self, line: str) -> None:
        # OSError: the disk is full or the reader is gone; ValueError: the stream was closed.
        with suppress(OSError, ValueError):
            self.stream.write(line + "\n")
            self.stream.flush()

    def _finish(self) -> None:
        writer = self._writer
        if writer is not None:
            writer.join(EXIT_S)

    def _write_aside(self) -> None:
        while True:
            with self._lock:
                if not self._aside:
                    self._writer = None
                    lost, self._lost = self._lost, 0
                    break
                line = self._aside.popleft()
            self._put(line)
        if lost:
            get("log").warning("lines_lost", count=lost)


def _room_of(stream: TextIO) -> "select.poll | None":
    """Returns a poll for room in a stream. Returns None for a file, which always has room."""
    try:
        number = stream.fileno()
        if stat.S_ISREG(os.fstat(number).st_mode):
            return None
        room = select.poll()
        room.register(number, select.POLLOUT)
    except (OSError, ValueError, AttributeError):  # not a file of the system, as in a test
        return None
    return room


class _Bridge(logging.Handler):
    """Turns records of `logging` into events of this module."""

    def emit(self, record: logging.LogRecord) -> None:
        """Logs a record. It never raises, since `logging` would print a traceback of many lines."""
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - a library's wrong format string must not hurt us
            message = str(record.msg)
        kind = "error" if record.levelno >= logging.ERROR else "warning"
        getattr(get(record.name), kind)("library", message=message, exc_info=record.exc_info)


def _flatten_exception(_: object, __: str, event: Event) -> Event:
    """Turns `exc_info` into the fields `exc` and `trace`."""
    given = event.pop("exc_info", None)
    error = given
    if isinstance(given, tuple):
        error = given[1]
    elif given is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        event["exc"] = _sentence(error)
        event["trace"] = " < ".join(_frames(error.__traceback__))
    return event


def _sentence(error: BaseException) -> str:
    """Returns the type and text of an exception, with the members of a group and the cause."""
    if isinstance(error, BaseExceptionGroup):
        text = f"{type(error).__name__}[{'; '.join(_sentence(one) for one in error.exceptions)}]"
    else:
        said = str(error)
        text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return text if error.__cause__ is None else f"{text}, because of {_sentence(error.__cause__)}"


def _frames(trace: TracebackType | None) -> Iterator[str]:
    frames = []
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{_short(code.co_filename)}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return reversed(frames[-LONGEST_TRACE:])


def _short(filename: str) -> str:
    """Returns a file's path from its package on. The rest only says where it is installed."""
    parts = Path(filename).parts
    for folder in _PACKAGE_FOLDERS:
        if folder in parts:
            return "/".join(parts[parts.index(folder) + 1 :])
    return "/".join(parts[-2:])


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST_VALUE:
        return f"{value[:LONGEST_VALUE]}… ({len(value)} characters)"
    return value


def _as_json(_: object, __: str, event: Event) -> str:
    fields = {key: event.pop(key) for key in ("timestamp", "level", "event") if key in event}
    fields.update(event)
    for key, value in fields.items():
        if isinstance(value, str) and len(value) > LONGEST_VALUE:
            fields[key] = _cut(value)
    return _ENCODER.encode(fields)


class _Text:
    """Renders an event as time, level, name and key=value, without control characters."""

    def __init__(self, *, colours: bool) -> None:
        self._colours = colours

    def __call__(self, _: object, __: str, event: Event) -> str:
        level = str(event.pop("level", "info"))
        head = f"{event.pop('timestamp', '')} {self._paint(level)} {_plain(event.pop('event', ''))}"
        pairs = (f"{_plain(key)}={_plain(_cut(value))}" for key, value in event.items())
        return " ".join((head, *pairs))

    def _paint(self, level: str) -> str:
        padded = f"{level:<7}"
        return f"{_STYLES.get(level, '')}{padded}{_PLAIN}" if self._colours else padded


def _plain(value: Any) -> str:
    """Returns a value as one word, or quoted and with every unprintable character escaped."""
    text = value if isinstance(value, str) else repr(value)
    if text and text.isprintable() and not any(letter in text for letter in " =\"'"):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())

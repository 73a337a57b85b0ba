"""Loggers, and where the lines of all of them go."""

import atexit
import logging
import os
import sys
from contextlib import suppress
from typing import Any, ClassVar, Final, Literal, Protocol, TextIO

from phonegate import colour
from phonegate.log.forms import Fields, Form, Text, as_json, now
from phonegate.log.lines import Lines
from phonegate.log.thinning import Thinning
from phonegate.log.traces import flatten
from phonegate.rates import Rate

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}

TROUBLE_BURST_S: Final = 20.0
"""When trouble begins, as many lines are written at once as later in this many seconds, since the
first lines say the most."""


class Output(Protocol):
    """What takes the events of all loggers."""

    least: int
    """The lowest level, of `LEVELS`, that it takes."""

    def take(self, level: str, part: str, event: str, fields: Fields) -> None:
        """Takes an event, with fields that it may change."""


class Logger:
    """Logs the events of one part of the gateway.

    Fields may have any names but `timestamp`, `level`, `event` and `part`. `exc_info`, an
    exception or True for the one being handled, becomes the fields `exc` and `trace`.
    """

    __slots__ = ("_part",)

    output: ClassVar[Output | None] = None
    """Where the events of all loggers go. None is as `configure()` without arguments."""

    def __init__(self, part: str) -> None:
        self._part = part

    def debug(self, event: str, /, **fields: Any) -> None:
        """Logs what only a developer asks for."""
        output = self.output or configure()
        if output.least <= LEVELS["debug"]:
            output.take("debug", self._part, event, fields)

    def info(self, event: str, /, **fields: Any) -> None:
        """Logs what happened as it should."""
        output = self.output or configure()
        if output.least <= LEVELS["info"]:
            output.take("info", self._part, event, fields)

    def warning(self, event: str, /, **fields: Any) -> None:
        """Logs what a person may have to look at. Its line is written at once."""
        output = self.output or configure()
        if output.least <= LEVELS["warning"]:
            output.take("warning", self._part, event, fields)

    def error(self, event: str, /, **fields: Any) -> None:
        """Logs what must not happen. Its line is written at once."""
        output = self.output or configure()
        if output.least <= LEVELS["error"]:
            output.take("error", self._part, event, fields)

    def exception(self, event: str, /, **fields: Any) -> None:
        """Logs an error, with the exception that is being handled."""
        self.error(event, **{"exc_info": True, **fields})


def get(name: str) -> Logger:
    """Returns a logger whose lines carry `part=name`, such as "phones" or "server"."""
    return Logger(name)


def configure(
    form: Literal["auto", "text", "json"] = "auto",
    level: str = "info",
    stream: TextIO | None = None,
    *,
    trouble_per_s: float = 0,
) -> Output:
    """Sends every logger's lines to `stream` (standard error), at `level` and above.

    Warnings and errors that libraries log through `logging` join them. `trouble_per_s` is how many
    lines a second there may be of each kind of trouble. 0 means any number.
    """
    out = sys.stderr if stream is None else stream
    rate = Rate.of(trouble_per_s, TROUBLE_BURST_S)
    text = form == "text" or (form == "auto" and out.isatty())
    Logger.output = output = _Written(
        LEVELS[level],
        None if rate is None else Thinning(rate),
        Text(colours=colour.wanted(out, os.environ)) if text else as_json,
        _lines_to(out),
    )
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Bridge)]:
        root.removeHandler(handler)
    root.addHandler(_Bridge(max(LEVELS[level], logging.WARNING)))
    return output


def _lines_to(stream: TextIO) -> Lines:
    """Returns the writer of a stream, made once, since lines may wait in it for a reader."""
    before = Logger.output
    if isinstance(before, _Written):
        if before.lines.stream is stream:
            return before.lines
        before.lines.flush()
    return Lines(stream, lambda count: get("log").warning("lines_lost", count=count))


class _Written:
    """Writes each event as a line."""

    def __init__(self, least: int, thinning: Thinning | None, form: Form, lines: Lines) -> None:
        self.least = least
        self.lines = lines
        self._thinning = thinning
        self._form = form

    def take(self, level: str, part: str, event: str, fields: Fields) -> None:
        if self._thinning is not None and self._thinning.leaves_out(level, event, fields):
            return
        if "exc_info" in fields:
            flatten(fields)
        self.lines.write(self._form(now(), level, part, event, fields))
        if level in {"warning", "error"}:
            # It may be the last that this process does, and a person may be looking.
            self.lines.flush()


class _Bridge(logging.Handler):
    """Turns records of `logging` into events of this module."""

    def emit(self, record: logging.LogRecord) -> None:
        """Logs a record. It never raises, since `logging` would print a traceback of many lines."""
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - a library's wrong format string must not hurt us
            message = str(record.msg)
        logger = get(record.name)
        tell = logger.error if record.levelno >= logging.ERROR else logger.warning
        tell("library", message=message, exc_info=record.exc_info)


def _finish() -> None:
    output = Logger.output
    if isinstance(output, _Written):
        with suppress(Exception):  # no log is left to say so
            output.lines.finish()


atexit.register(_finish)

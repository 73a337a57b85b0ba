"""Structured logging: one line an event, text for people, JSON for machines.

An event is a short noun-and-verb name with fields (`phone_connected`, `org`, `phone`). Secrets
and message bodies are never fields; paths pass through `redact` first.
"""

import sys
from typing import Any, Literal, TextIO

import structlog

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def get(name: str) -> Any:
    """A logger whose lines carry `part=name`, such as "phones" or "door"."""
    return structlog.get_logger(part=name)


def configure(
    form: Literal["auto", "text", "json"] = "auto",
    level: str = "info",
    stream: TextIO | None = None,
) -> None:
    """Sends every logger's lines to `stream` (standard error), at `level` and above."""
    out = sys.stderr if stream is None else stream
    text = form == "text" or (form == "auto" and out.isatty())
    last: list[Any] = (
        [structlog.dev.ConsoleRenderer(colors=out.isatty())]
        if text
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )

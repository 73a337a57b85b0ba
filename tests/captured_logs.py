"""What the gateway logs while a test looks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from phonegate.log import Logger
from phonegate.log.forms import Fields


class _Captured:
    least = 0

    def __init__(self) -> None:
        self.events: list[Fields] = []

    def take(self, level: str, part: str, event: str, fields: Fields) -> None:
        self.events.append({"part": part, **fields, "event": event, "log_level": level})


@contextmanager
def capture_logs() -> Iterator[list[dict[str, Any]]]:
    """Gathers the events of all loggers, of any level, in place of writing them."""
    before, captured = Logger.output, _Captured()
    Logger.output = captured
    try:
        yield captured.events
    finally:
        Logger.output = before

"""Points in time as Twilio writes them, and as its clients do. Pure.

Answers have the form of RFC 2822, requests ISO 8601 or a day alone, both in UTC.
"""

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final

import attrs

from phonegate.model.times import DAY_MS, MAX_TIME_MS
from phonegate.typed_json.fields import Wrong
from phonegate.typed_json.rules import Text

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_SECOND_MS: Final = 1_000
_EXAMPLE: Final = "2026-11-30T08:00:00Z"

MAX_DATE: Final = 40
"""Characters of a time, with its fractions and offset."""


def rfc_2822(ms: int | None) -> str | None:
    """Returns a time, such as `Mon, 30 Nov 2026 08:00:00 +0000`."""
    if ms is None:
        return None
    return format_datetime(datetime.fromtimestamp(ms // _SECOND_MS, UTC))


@attrs.frozen
class Span:
    """A stretch of time, in ms: a second, or all of a day."""

    first: int
    last: int


@attrs.frozen
class SpanText(Text):
    """A time or a day, as clients write it in a query."""

    def read(self, value: object) -> Any:
        """Returns the `Span` that is meant."""
        text = super().read(value).strip()
        first = _read(text)
        if first is None:
            raise Wrong(f"must be a day such as 2026-11-30, or a time such as {_EXAMPLE}")
        whole = DAY_MS if _DAY.fullmatch(text) else _SECOND_MS
        return Span(first, first + whole - 1)


@attrs.frozen
class MomentText(Text):
    """A time, as clients write it: ISO 8601, in UTC where it names no offset."""

    def read(self, value: object) -> Any:
        """Returns the time, in ms."""
        found = _read(super().read(value).strip())
        if found is None:
            raise Wrong(f"must be a time in ISO 8601, such as {_EXAMPLE}")
        return found


def _read(text: str) -> int | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    try:
        ms = round(found.timestamp() * _SECOND_MS)
    except (OverflowError, ValueError):
        return None
    return ms if 0 <= ms <= MAX_TIME_MS else None

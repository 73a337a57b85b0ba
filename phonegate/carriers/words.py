"""Reads what carriers write: JSON that may hold anything, and explanations that people will see."""

import json
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from phonegate.domain.reported_texts import storable

LONGEST_WORDS = 300
"""Characters kept of a carrier's explanation: about two sentences."""
SHORTEST_SECRET = 4
"""Shorter secrets are left alone: they would also be found within ordinary words."""

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_BLANKS = re.compile(r"\s+")


def read_json(body: bytes | None) -> Any:
    """Reads a body of JSON. Gives None where it is missing or is no JSON."""
    if body is None:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def at(data: Any, *path: str | int) -> Any:
    """Gives the value at a path of keys and indices, or None where the path leads nowhere."""
    for step in path:
        if isinstance(data, Mapping) and isinstance(step, str):
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data


def as_id(value: Any) -> str | None:
    """Reads a carrier's id. Gives None for what can't be one."""
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def as_code(value: Any) -> str | None:
    """Reads an error's code, a number or a string. Gives None for None, "" and other things."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return as_id(value)


def as_count(value: Any) -> int | None:
    """Reads a number of segments, a number or its digits. Gives None for what can't be one."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 6:  # noqa: PLR2004 (beyond any message)
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 < value < 100_000 else None  # noqa: PLR2004 (as above)


def as_text(value: Any) -> str:
    """Reads text, without NUL and lone surrogates, which can't be stored. Gives "" for no text."""
    return storable(value) if isinstance(value, str) else ""


def from_rfc2822(value: Any) -> int | None:
    """Reads a date such as `Thu, 24 Aug 2023 05:01:45 +0000` as ms, or gives None."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - a start needs none of it

    try:
        return _ms(parsedate_to_datetime(value)) if isinstance(value, str) else None
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def from_iso8601(value: Any) -> int | None:
    """Reads a date such as `2024-01-15T20:16:07.588+00:00` as ms, or gives None."""
    try:
        return _ms(datetime.fromisoformat(value)) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None


def _ms(moment: datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def for_people(words: Any, secrets: Collection[str] = ()) -> str:
    """Makes one short line of a carrier's words, without what must not be shown.

    Args:
        words: What the carrier gave as its explanation.
        secrets: Keys, and the message's text, since a carrier may quote what it was sent.
    """
    text = as_text(words)
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, "***")
    text = _BLANKS.sub(" ", "".join(char if char.isprintable() else " " for char in text)).strip()
    return text if len(text) <= LONGEST_WORDS else text[: LONGEST_WORDS - 1] + "…"


def explain(carrier: str, meaning: str | None, words: str) -> str:
    """Explains an error: by our sentence, where there is one, and the carrier's own words."""
    if meaning is None:
        return words or f"{carrier} gave no reason."
    return f"{meaning} {carrier}: {words}" if words else meaning

"""What the readers of carriers' callbacks share. Pure.

A carrier may add fields and events at any time, so what is unknown is skipped. It may call twice,
late, and out of order, which the domain's states allow for.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from phonegate.carriers import words
from phonegate.carriers.provider import MalformedCallback
from phonegate.domain.carrier import InboundReport
from phonegate.domain.reported_values import Kind, Sender, SimNumber, Text

MAX_MEDIA: Final = 50
"""Media read of one message. Carriers allow ten."""


def received(
    carrier_id: str,
    said: Mapping[str, Any],
    *,
    media: tuple[str, ...],
    segments: int | None,
    date: int | None = None,
) -> InboundReport:
    """Makes the report of a message for one of our numbers, from any sender.

    Raises:
        MalformedCallback: It has neither a sender nor a text nor media.
    """
    cleaned: list[Kind] = []
    sender = Sender().take(said["from"], cleaned)
    if not sender and said["text"] is None and not media:
        raise MalformedCallback("there is neither a sender nor a text")
    return InboundReport(
        carrier_id=carrier_id,
        sender=sender,
        recipient=SimNumber().take(said["to"], cleaned),
        body=Text().take(said["text"], cleaned),
        media_urls=media,
        date=date,
        segments=segments,
        cleaned=tuple(cleaned),
    )


def json_object(body: bytes) -> dict[str, Any]:
    """Reads the object in a body of JSON.

    Raises:
        MalformedCallback: It holds none.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise MalformedCallback("the body is no JSON") from None
    if not isinstance(data, dict):
        raise MalformedCallback("the body is no JSON object")
    return data


def web_addresses(found: Iterable[Any]) -> tuple[str, ...]:
    """Keeps the addresses of media that can be stored."""
    return tuple(url for url in map(words.as_text, found) if url)

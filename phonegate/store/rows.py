"""How rows of `messages` become records."""

import json
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import attrs

from phonegate.model.messages import Message, MessageView

T = TypeVar("T")

COLUMNS: Final = tuple(field.name for field in attrs.fields(Message))
SELECTED: Final = ", ".join(COLUMNS)
"""The columns of a `SELECT` whose rows `message` takes; those of the table bear the same names."""


def message(row: tuple[Any, ...]) -> Message:
    """The record of a row of `SELECTED` columns. Spelt out: this runs for every row read."""
    return Message(
        id=row[0],
        org=row[1],
        direction=row[2],
        address=row[3],
        body=row[4],
        status=row[5],
        created_at=row[6],
        phone=row[7],
        sim_selector=row[8],
        sim_slot=row[9],
        sim=row[10],
        date=row[11],
        sent_at=row[12],
        delivered_at=row[13],
        error=row[14],
        segments=row[15],
        provider=row[16],
        media_urls=None if row[17] is None else tuple(json.loads(row[17])),
        priority=row[18],
        held_until=row[19],
        expires_at=row[20],
        attempts=row[21],
        pushed_at=row[22],
        acked_at=row[23],
        on_uncertain=row[24],
        resend_of=row[25],
        assistant=row[26],
        carrier_id=row[27],
        reference=row[28],
        callback_url=row[29],
        first_tried_at=row[30],
        next_poll_at=row[31],
        approval=row[32],
        wanted_at=row[33],
        polls=row[34],
        quiet_at=row[35],
        key=row[36],
    )


_MEDIA: Final = MessageView._fields.index("media_urls")


def view(row: tuple[Any, ...]) -> MessageView:
    """What a reader is shown of a row of the columns of a `MessageView`."""
    if row[_MEDIA] is not None:
        row = (*row[:_MEDIA], tuple(json.loads(row[_MEDIA])), *row[_MEDIA + 1 :])
    return MessageView._make(row)


@attrs.frozen
class Reading(Generic[T]):
    """What is read of each message, and what becomes of it."""

    columns: tuple[str, ...]
    record: Callable[[tuple[Any, ...]], T]


MESSAGES: Final = Reading(COLUMNS, message)
VIEWS: Final = Reading(MessageView._fields, view)


def media(urls: tuple[str, ...] | None) -> str | None:
    """Media URLs as the table keeps them: a JSON array."""
    return None if urls is None else json.dumps(urls)

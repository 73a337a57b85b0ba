"""Messages of a page as rows: what nearly all have to show in columns, and all else as one."""

import json
from typing import Any, Final

from phonegate.model.messages import MessageView

ORDINARY: Final = (
    "id",
    "direction",
    "address",
    "body",
    "status",
    "created_at",
    "sim_slot",
    "sim",
    "date",
    "sent_at",
    "delivered_at",
    "segments",
    "provider",
    "key",
)
"""The fields of a `MessageView` in which messages differ that wait for nothing."""

RARE: Final = tuple(name for name in MessageView._fields if name not in ORDINARY)
"""The others. A row has them as one JSON array, which is null where a reader is shown none of them:
to read a column costs as much as to write it."""

ShownRow = tuple[Any, ...]
"""The values of the `ORDINARY` fields of a message, and that array."""


def is_ordinary(row: ShownRow) -> bool:
    """Tells whether a message has nothing but its `ORDINARY` fields to show."""
    return row[-1] is None


def shown_view(row: ShownRow) -> MessageView:
    """Returns what a reader is shown of a message that is not ordinary."""
    values = dict(zip((*ORDINARY, *RARE), (*row[:-1], *json.loads(row[-1])), strict=True))
    if values["media_urls"] is not None:
        values["media_urls"] = tuple(json.loads(values["media_urls"]))
    return MessageView(**values)

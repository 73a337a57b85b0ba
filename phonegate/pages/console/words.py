"""What the console calls the states of messages, and what they wait for. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup

from phonegate.model.states import (
    CANCELLED,
    DELIVERED,
    EXPIRED,
    FAILED,
    QUEUED,
    RECEIVED,
    SENDING,
    SENT,
    UNCERTAIN,
)
from phonegate.model.times import iso

STATES: Final[Mapping[str, str]] = {
    QUEUED: "Waiting",
    SENDING: "Sending",
    SENT: "Sent",
    DELIVERED: "Delivered",
    FAILED: "Not sent",
    EXPIRED: "Expired",
    CANCELLED: "Cancelled",
    UNCERTAIN: "Maybe sent",
    RECEIVED: "Received",
}
"""The word for each state of a message."""

WAITING: Final[Mapping[str, str]] = {
    "approval": "for approval",
    "send_at": "for its time",
    "phone": "for the phone, which is away",
    "sim": "for a SIM that no phone has now",
    "turn": "for its turn",
    "result": "for the result of the phone",
}
"""The words for each `waiting_for`, after the word of the state."""


def when(time: int | str | None) -> Markup:
    """Returns a time as HTML. A script shows it in the reader's own zone and words.

    Args:
        time: In ms since 1970, or as ISO 8601 in UTC. None: nothing is shown.
    """
    if time is None:
        return Markup("")
    text = iso(time) if isinstance(time, int) else time
    shown = datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Markup('<time datetime="{}" data-when>{}</time>').format(text, shown)

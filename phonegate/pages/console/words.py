"""What the console says of a message: its state, what it waits for, what to do. Pure."""

from collections.abc import Mapping
from typing import Any, Final, Literal

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

Mood = Literal["", "ok", "warn", "bad"]
"""How a state looks: neutral, good, doubtful or bad. It is the class of a badge."""

STATE_WORDS: Final[Mapping[str, str]] = {
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
"""Each state in a word or two."""

MOODS: Final[Mapping[str, Mood]] = {
    QUEUED: "",
    SENDING: "",
    SENT: "ok",
    DELIVERED: "ok",
    FAILED: "bad",
    EXPIRED: "bad",
    CANCELLED: "",
    UNCERTAIN: "warn",
    RECEIVED: "",
}

ADVICE: Final[Mapping[str, str]] = {
    UNCERTAIN: "The phone took it and did not say whether it was sent. It may have arrived: "
    "ask before you send it again.",
    EXPIRED: "It could not leave in time, and never will.",
    CANCELLED: "It was withdrawn before it left.",
}
"""What a person should know of a state beyond its word."""

_WAITS: Final[Mapping[str, str]] = {
    "approval": "for approval",
    "phone": "for the phone, which is away",
    "sim": "for a SIM that no phone has now",
    "turn": "for its turn",
    "result": "for the phone's result",
}


def waits_words(message: Mapping[str, Any]) -> str | None:
    """Returns what a message of the API waits for, as it follows after "Waiting" or "Sending".

    None where it waits for nothing, or nothing is known of that. For a time the words are "until",
    and the time itself, which each reader sees in a time zone of its own, is its `send_at`.
    """
    reason = message.get("waiting_for")
    if reason == "send_at":
        return "until"
    return None if reason is None else _WAITS.get(reason)

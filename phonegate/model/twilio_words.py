"""What Twilio calls the states of a message and what ended it: one list for its API and callbacks.

Source: twilio.com/docs/messaging/api/message-resource#message-status-values and its dictionary of
errors. Pure.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

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

WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        QUEUED: "queued",
        SENDING: "sending",
        SENT: "sent",
        DELIVERED: "delivered",
        FAILED: "failed",
        EXPIRED: "failed",
        CANCELLED: "canceled",
        # It may have left. A program that reads "failed" would send it again.
        UNCERTAIN: "sent",
        RECEIVED: "received",
    }
)
"""Twilio's word for each state."""

ACCEPTED: Final = "accepted"
"""It is not certain yet that it leaves: here it waits for a person's approval."""

SCHEDULED: Final = "scheduled"
"""It waits for its time."""

UNDELIVERED: Final = "undelivered"
"""It was sent, and the network reported that it did not arrive."""

ERROR_CODES: Final[Mapping[str, int]] = MappingProxyType(
    {
        # "Unknown error": the gateway's own words have no number.
        FAILED: 30008,
        # "Validity period expired".
        EXPIRED: 30036,
    }
)
"""The number of what ended a message in a state."""


def status_word(status: str, *, was_sent: bool = False) -> str:
    """Returns Twilio's word for the state of a message.

    Args:
        status: One of `states.STATES`.
        was_sent: Whether a phone or carrier has sent it.
    """
    return UNDELIVERED if status == FAILED and was_sent else WORDS[status]

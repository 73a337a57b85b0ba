"""Events: what happened to the messages, phones and webhooks of an org, for its apps to learn of.

Every time is an integer: milliseconds since 1970-01-01 UTC.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, get_args

import attrs

from phonegate.model.messages import MessageView

EventType = Literal[
    "message.received",
    "message.queued",
    "message.held",
    "message.sending",
    "message.sent",
    "message.delivered",
    "message.failed",
    "message.expired",
    "message.cancelled",
    "message.uncertain",
    "phone.online",
    "phone.offline",
    "phone.health",
    "phone.sims",
    "alarm.raised",
    "alarm.cleared",
    "webhook.disabled",
]

EVENT_TYPES: Final[tuple[EventType, ...]] = get_args(EventType)

MEANINGS: Final[Mapping[EventType, str]] = MappingProxyType(
    {
        "message.received": "A message was received. An MMS that was announced before it was "
        "fetched is reported again with its media.",
        "message.queued": "A message to send was stored. It waits for its phone, turn or time.",
        "message.held": "A message to send waits for a person's approval.",
        "message.sending": "A phone or carrier was given the message.",
        "message.sent": "The phone's radio or the carrier took the message.",
        "message.delivered": "The recipient's phone confirmed the message.",
        "message.failed": "The phone, the carrier or the network refused the message.",
        "message.expired": "The message did not leave in time, and never will.",
        "message.cancelled": "The message was withdrawn before it left.",
        "message.uncertain": "A phone or carrier took the message and never said what became of "
        "it.",
        "phone.online": "A phone has connected.",
        "phone.offline": "A phone is connected no more.",
        "phone.health": "A phone has reported how it is: battery, signal, network.",
        "phone.sims": "A phone has reported other SIMs than before.",
        "alarm.raised": "Something is wrong that a person should know of.",
        "alarm.cleared": "An alarm is over.",
        "webhook.disabled": "A webhook is called no more.",
    }
)
"""What happened, in a sentence."""


@attrs.frozen(kw_only=True)
class Event:
    """One event of an org, as it was recorded together with the change."""

    id: int
    """Ascending in the gateway, in the order of the commits."""
    org: int
    type: EventType
    at: int
    message: MessageView | None = None
    """The message as it was then. None for an event of another kind."""
    phone: int | None = None
    """The phone that it is about, where it is about one."""
    data: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    """The phone, alarm or webhook as it was then. Empty where there is a message."""

    @property
    def subject(self) -> str:
        """What it happened to. Events of one subject are reported in their order."""
        if self.message is not None:
            return f"message/{self.message.id}"
        if self.phone is not None:
            return f"phone/{self.phone}"
        return self.type.partition(".")[0]


@attrs.frozen
class Extent:
    """Which events of an org there are."""

    first: int
    """Of events up to this id some may be missing: they were too old, or never recorded."""
    last: int
    """The highest id that an event has had so far."""


class StoredEvent(NamedTuple):
    """What decides whether an event may be deleted."""

    id: int
    at: int
    size: int
    """Characters of its data."""

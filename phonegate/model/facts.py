"""Facts about changes that a transaction records, published once it is committed."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import attrs

from phonegate.model.events import EventType
from phonegate.model.messages import Message, NewInbound, NewMessage

Move = tuple[str | None, str | None]
"""A message's change from one status to another. From None means that it was stored, to None that
it was deleted, and from one to the same that it was received again and not stored again."""


class Sent(NamedTuple):
    """What is counted of a message that is known to be sent."""

    id: int
    org: int
    phone: int | None
    at: int
    """When it was sent, in ms."""
    since: int
    """Since when it might leave."""
    segments: int | None
    sim_slot: int | None
    sender: str | None
    """By which name it is counted (see `figures.sender_name`). None: by that of the phone's slot.
    """


class Changed(NamedTuple):
    """A message has another status."""

    id: int
    org: int
    before: str | None
    """None where it was stored just now."""
    after: str | None
    """None where it was deleted."""
    message: NewMessage | NewInbound | Message | None = None
    """The message as it was stored, or as it is now. None where many were changed at once and
    were not read."""
    org_name: str | None = None
    """The name of its org. Set for a message that was not delivered, or may not have been."""
    sent: Sent | None = None
    """Set where it is known to be sent since this change, and was not before."""


@attrs.frozen
class Repeated:
    """A message was received that had been received before, and was not stored again."""

    org: int


@attrs.frozen
class Rescheduled:
    """Queued messages of an org have another time to leave."""

    org: int
    held_until: int | None
    """In ms. None where they may leave now."""


@attrs.frozen
class OrgChanged:
    """An org was removed, or some of its credentials have changed.

    Callers who were authenticated by them must be authenticated anew.
    """

    org: int


@attrs.frozen
class Suspended:
    """An org is not served from now on. Its phones are to come again later."""

    org: int


@attrs.frozen
class CredentialsChanged:
    """An org was removed, or any of its credentials was revoked or changed.

    Readers who are served for long must be authenticated anew.
    """

    org: int


@attrs.frozen
class AssistantChanged:
    """An assistant was changed or removed."""

    assistant: int


@attrs.frozen
class Amended:
    """A message is something else for the apps of its org, though its status has not changed.

    It was approved and may leave, or it was received before and is complete now.
    """

    id: int
    org: int
    type: EventType


@attrs.frozen
class Erased:
    """The text of a message is gone, and of its events too. What was read before has it yet."""

    org: int


@attrs.frozen
class Happened:
    """Something has happened to an org that is no change of a message."""

    org: int
    type: EventType
    at: int
    """In ms."""
    phone: int | None
    data: str = attrs.field(repr=False)
    """The phone, alarm or webhook as it is then, as JSON."""


@attrs.frozen
class EventsRecorded:
    """Events of an org were recorded."""

    org: int
    last: int
    """The id of the last of them."""


@attrs.frozen
class WebhooksChanged:
    """Webhooks of an org were made, changed, enabled or removed, or have something to deliver."""

    org: int
    again: bool = True
    """Whether those that rest after a failure are to be called again at once."""


@attrs.frozen
class ConversationRead:
    """What counts as read in conversations has changed."""

    org: int
    address: str | None = attrs.field(repr=False)
    """The other party. None where many conversations were read at once."""
    upto: int
    """Received messages up to this id count as read now, and of this one conversation no others."""


Fact = (
    Changed
    | Repeated
    | Rescheduled
    | OrgChanged
    | Suspended
    | CredentialsChanged
    | AssistantChanged
    | Amended
    | Erased
    | Happened
    | EventsRecorded
    | WebhooksChanged
    | ConversationRead
)

Publish = Callable[[Sequence[Fact]], None]
"""Takes committed facts, in their order. It is called on the event loop."""


def unheard(facts: Sequence[Fact]) -> None:
    """Publishes facts to no listener."""

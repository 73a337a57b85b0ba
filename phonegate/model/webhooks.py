"""Webhooks and what was delivered to them, as plain values.

Every time is an integer: milliseconds since 1970-01-01 UTC.
"""

from typing import Final, Literal

import attrs

from phonegate.model.callbacks import CallbackShape, Method

Shape = Literal["standard", "flat", "twilio", "smsgate"]
"""The form in which a receiver gets events."""

TWILIO: Final[Shape] = "twilio"
"""The form of one of the carriers, which is the form of a dialect too."""

AnyShape = Shape | CallbackShape
"""The same, or that in which it gets status callbacks."""


@attrs.frozen(kw_only=True)
class Webhook:
    """A URL of an org that is called with its events.

    How far it has got makes it no other webhook: two are equal where they are called alike.
    """

    id: int
    org: int
    org_name: str
    url: str = attrs.field(repr=False)
    events: tuple[str, ...]
    """The types that it gets, or patterns such as `message.*`."""
    address: str | None = attrs.field(default=None, repr=False)
    """Only events of messages with this other party."""
    sim: str | None = None
    """Only events of messages by this SIM: a number, or a slot index as digits."""
    phone: int | None = None
    """Only events of this phone and of messages by it."""
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    """Sent along with each call."""
    shape: AnyShape = "standard"
    method: Method = "POST"
    """GET, with the fields in the query, for shape `twilio` alone."""
    name: str | None = None
    client_id: str | None = None
    """What the program that made it calls it."""
    client_event: str | None = None
    """The event that it is for in the words of its shape, where that has its own."""
    secret: str = attrs.field(repr=False)
    """Signs what is sent, as its owner was shown it. Empty where something else does."""
    signing_state: bytes | None = attrs.field(default=None, repr=False)
    """Signs in place of the secret, for shape `twilio` alone: a state of `http/hmac_state.py`."""
    old_secret: str | None = attrs.field(default=None, repr=False)
    old_secret_until: int | None = None
    """Until then the secret before signs too."""
    key: str | None = None
    """The API key that made it, whose limits bind what it gets. None: the org's own secret."""
    created_at: int
    position: int = attrs.field(eq=False)
    """Events up to this id were looked at: what is to be delivered of them has its delivery."""
    failing_since: int | None = attrs.field(default=None, eq=False)
    """The first failure after which nothing has succeeded."""
    disabled_at: int | None = None
    disabled_reason: str | None = None
    """Why it is not called, in a sentence. Set with `disabled_at`."""
    missed_at: int | None = attrs.field(default=None, eq=False)
    """When it was found last that events had been deleted before they could be looked at."""
    used_at: int | None = attrs.field(default=None, eq=False)
    """When a message was last accepted whose status callback goes by it, about. None for all that
    an org has made itself. Those for callbacks have the origin of the callbacks' URLs for theirs,
    and what is called and how is said by the message."""

    @property
    def is_for_callbacks(self) -> bool:
        """Tells whether it brings the status callbacks of messages to one receiver."""
        return self.used_at is not None


@attrs.frozen(kw_only=True)
class Attempt:
    """One call of a webhook, and what its receiver answered."""

    at: int
    ms: int
    """How long it took."""
    status: int | None = None
    """The HTTP status. None where there was no answer."""
    error: str | None = None
    """What went wrong, in a sentence. Beside a status of success: a reply was not sent."""
    answer: str | None = attrs.field(default=None, repr=False)
    """The beginning of the answer."""


@attrs.frozen(kw_only=True)
class Delivery:
    """One event on its way to one webhook, with its last attempt."""

    n: int
    """Names it among all deliveries of the gateway."""
    webhook: int
    event: int | None
    """None for a test."""
    type: str
    subject: str
    created_at: int
    attempts: int = 0
    last: Attempt | None = None
    next_at: int | None = None
    """When it is tried next. None where it is over."""

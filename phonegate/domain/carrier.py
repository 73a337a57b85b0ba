"""What the domain asks of a carrier, and what a carrier reports.

Each folder of `carriers/` implements it. Every failure says what is certain about the message
afterwards, because that decides whether it may be tried again.
"""

from typing import Literal, Protocol

import attrs

from phonegate.domain.reported_values import Kind

Progress = Literal["sending", "sent", "delivered", "failed"]
"""How far a carrier's message has come, in our words."""


@attrs.frozen(kw_only=True)
class Outbound:
    """A message for a carrier. Numbers are E.164; `media_urls` make it an MMS."""

    sender: str = attrs.field(repr=False)
    recipient: str = attrs.field(repr=False)
    body: str = attrs.field(repr=False)
    media_urls: tuple[str, ...] = attrs.field(default=(), repr=False)
    reference: str
    """The same for every try of this message: the Idempotency-Key where the carrier has one.

    1 to 255 letters, digits, `-`, `_` and `:`, unlike that of any other message of any gateway
    that shares the carrier's account: the carrier answers a key that it knows with the message
    that it took under it.
    """
    accepted_at: int
    """In ms, no later than its first try: where to begin looking for it at the carrier."""
    tried_at: int | None = None
    """In ms, when a try of it may last have been under way; None counts as `accepted_at`."""
    not_after: int | None = None
    """In ms: from then on no try of it may begin, not even one that only asks (its ttl)."""
    others: frozenset[str] = attrs.field(default=frozenset(), repr=False)
    """Ids at the carrier of other messages: `find` takes none of them for this one.

    Those with the same numbers since `accepted_at` are enough.
    """
    callback_url: str | None = attrs.field(default=None, repr=False)
    """Where the carrier may report its states; None where it can't reach this gateway.

    The same for every try: a carrier may compare tries byte for byte.
    """


@attrs.frozen(kw_only=True)
class CarrierFault:
    """Why a carrier refused or failed a message: its own code and words."""

    code: str | None
    text: str


@attrs.frozen(kw_only=True)
class CarrierMessage:
    """A message as the carrier knows it."""

    id: str
    """The carrier's id, such as `SM…`."""
    progress: Progress
    segments: int | None = None
    fault: CarrierFault | None = None
    """Set when `progress` is failed."""
    sent_at: int | None = None
    delivered_at: int | None = None
    """Times in ms, where the carrier tells them."""


@attrs.frozen(kw_only=True)
class StatusReport:
    """What a carrier told of a message that it has. Reports repeat and overtake each other."""

    carrier_id: str
    progress: Progress
    segments: int | None = None
    fault: CarrierFault | None = None
    """Set when `progress` is failed."""
    at: int | None = None
    """When it came so far, in ms, where the carrier tells it."""


@attrs.frozen(kw_only=True)
class InboundReport:
    """A message for one of the org's numbers at a carrier. May come more than once."""

    carrier_id: str
    sender: str = attrs.field(repr=False)
    """Empty where the carrier named no sender."""
    recipient: str | None = attrs.field(repr=False)
    body: str = attrs.field(repr=False)
    media_urls: tuple[str, ...] = attrs.field(default=(), repr=False)
    date: int | None = None
    """When the carrier received it, in ms, where it tells."""
    segments: int | None = None
    cleaned: tuple[Kind, ...] = attrs.field(default=(), eq=False)
    """What of it was put right."""


class CarrierError(Exception):
    """Something went wrong at or on the way to the carrier; subclasses say what is certain."""


class NotTaken(CarrierError):
    """The carrier certainly does not have the message, and may take it later.

    No connection could be made, or it asked to come again (429, 503): `retry_after_s`.
    """

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        self.reason = reason
        self.retry_after_s = retry_after_s
        super().__init__(reason)


class CarrierRefusal(CarrierError):
    """The carrier refused the message for good, with its code and words."""

    def __init__(self, fault: CarrierFault) -> None:
        self.fault = fault
        super().__init__(f"{fault.code or 'no code'}: {fault.text}")


class OutcomeUnknown(CarrierError):
    """The request left and no answer came: the carrier may or may not have the message."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Carrier(Protocol):
    """One account at a carrier. All waits end within `deadline_s`."""

    async def send(self, message: Outbound, *, deadline_s: float) -> CarrierMessage:
        """Hands a message over, once.

        Raises:
            NotTaken, CarrierRefusal, OutcomeUnknown: nothing else.
        """

    async def fetch(self, carrier_id: str, *, deadline_s: float) -> CarrierMessage | None:
        """The message's present state; None when the carrier does not know the id.

        Raises:
            NotTaken: it can't be asked now.
        """

    async def find(self, message: Outbound, *, deadline_s: float) -> CarrierMessage | None:
        """Looks up a message whose sending ended in `OutcomeUnknown`, without sending it twice.

        None when the carrier certainly does not have it.

        Raises:
            NotTaken: it can't be asked now.
            OutcomeUnknown: it still can't be known.
        """


class Account(Carrier, Protocol):
    """A carrier with connections of its own."""

    async def aclose(self) -> None:
        """Closes the connections; sends under way end in `OutcomeUnknown`."""

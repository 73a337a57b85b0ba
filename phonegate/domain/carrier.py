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
    """A message for a carrier. Numbers are in E.164 form. With `media_urls` it is an MMS."""

    sender: str = attrs.field(repr=False)
    recipient: str = attrs.field(repr=False)
    body: str = attrs.field(repr=False)
    media_urls: tuple[str, ...] = attrs.field(default=(), repr=False)
    reference: str
    """The same for every try of this message: its Idempotency-Key, where the carrier takes one.

    It has 1 to 255 letters, digits, `-`, `_` and `:`. No other message has it, not even one of
    another gateway that shares the account: the carrier answers a key that it knows with the
    message that it took under it.
    """
    accepted_at: int
    """When to begin looking for it at the carrier, in ms: no later than its first try."""
    tried_at: int | None = None
    """When a try of it may last have been under way, in ms. None stands for `accepted_at`."""
    not_after: int | None = None
    """From when on no try of it may begin, in ms, not even one that only asks (its ttl)."""
    others: frozenset[str] = attrs.field(default=frozenset(), repr=False)
    """The carrier's ids of other messages, which `find` must not take for this one.

    Those between the same two numbers since `accepted_at` are enough.
    """
    callback_url: str | None = attrs.field(default=None, repr=False)
    """Where the carrier may report its states, or None where it can't reach this gateway.

    It is the same for every try, since a carrier may compare tries byte for byte.
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
    """Times in ms, where the carrier gives them."""


@attrs.frozen(kw_only=True)
class StatusReport:
    """How far a message came, as its carrier reports it.

    Reports may repeat and overtake each other.
    """

    carrier_id: str
    progress: Progress
    segments: int | None = None
    fault: CarrierFault | None = None
    """Set when `progress` is failed."""
    at: int | None = None
    """When it came so far, in ms, where the carrier says so."""


@attrs.frozen(kw_only=True)
class InboundReport:
    """A message for one of the org's numbers at a carrier. It may come more than once."""

    carrier_id: str
    sender: str = attrs.field(repr=False)
    """Empty where the carrier named no sender."""
    recipient: str | None = attrs.field(repr=False)
    body: str = attrs.field(repr=False)
    media_urls: tuple[str, ...] = attrs.field(default=(), repr=False)
    date: int | None = None
    """When the carrier received it, in ms, where it says so."""
    segments: int | None = None
    cleaned: tuple[Kind, ...] = attrs.field(default=(), eq=False)
    """Which of its values were corrected."""


class CarrierError(Exception):
    """Something went wrong at the carrier, or on the way. Subclasses say what is certain."""


class NotTaken(CarrierError):
    """The carrier certainly does not have the message, and may take it later.

    No connection could be made, or the carrier asked to come again later (429, 503).
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
        """Sends a message, once.

        Raises:
            NotTaken: The carrier certainly does not have it.
            CarrierRefusal: The carrier refused it for good.
            OutcomeUnknown: The carrier may have it.
        """

    async def fetch(self, carrier_id: str, *, deadline_s: float) -> CarrierMessage | None:
        """Asks for a message's present state.

        Returns:
            None where the carrier does not know the id.

        Raises:
            NotTaken: The carrier can't be asked now.
        """

    async def find(self, message: Outbound, *, deadline_s: float) -> CarrierMessage | None:
        """Looks for a message whose sending ended in `OutcomeUnknown`, without sending it twice.

        Returns:
            None where the carrier certainly does not have it.

        Raises:
            NotTaken: The carrier can't be asked now.
            OutcomeUnknown: The carrier may still have it.
        """


class Account(Carrier, Protocol):
    """An account with connections of its own."""

    async def aclose(self) -> None:
        """Closes the connections. Sends under way end in `OutcomeUnknown`."""

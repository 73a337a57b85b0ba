"""What the sender of a message from a number is answered. Pure."""

import attrs

from phonegate.domain.carrier_attempt import Accepted, NotAccepted, Outcome, Rejected, Unknown
from phonegate.domain.sending import Sent
from phonegate.model.messages import Message
from phonegate.model.states import FAILED, QUEUED, UNCERTAIN


@attrs.frozen(kw_only=True)
class CarrierSent:
    """The message is on its way. `message_id` is the carrier's, or else the gateway's own."""

    id: int
    message_id: str
    provider: str
    status: str
    held: bool = False
    """Whether it waits for a person's approval."""
    eta_s: int | None = None
    """Set where it waits for its SIM's pacing."""


@attrs.frozen(kw_only=True)
class NotSentByCarrier:
    """The message did not leave, or that is not known (`uncertain`)."""

    id: int
    provider: str
    reason: str
    code: str | None = None
    """The carrier's own."""
    uncertain: bool = False
    retry_after_s: float | None = None


Answered = CarrierSent | NotSentByCarrier


def of_phone(sent: Sent) -> CarrierSent:
    """Returns the answer for a message that one of the org's own phones sends."""
    return CarrierSent(
        id=sent.id,
        message_id=str(sent.id),
        provider="phone",
        status=sent.status,
        held=sent.held,
        eta_s=sent.eta_s,
    )


def of_message(message: Message, outcome: Outcome | None = None) -> Answered:
    """Returns the answer for a stored message, with the carrier's new answer if there is one."""
    if message.status == QUEUED or (message.carrier_id is not None and message.status != FAILED):
        return CarrierSent(
            id=message.id,
            message_id=message.carrier_id or str(message.id),
            provider=message.provider,
            status=message.status,
            held=message.approval == "asked",
        )
    fault = None
    if isinstance(outcome, Rejected):
        fault = outcome.fault
    elif isinstance(outcome, Accepted):
        fault = outcome.message.fault
    return NotSentByCarrier(
        id=message.id,
        provider=message.provider,
        reason=message.error or "the carrier gave no reason",
        code=None if fault is None else fault.code,
        uncertain=message.status != FAILED,
        retry_after_s=outcome.retry_after_s if isinstance(outcome, NotAccepted) else None,
    )


def of_unstored(message: Message, outcome: Outcome) -> Answered:
    """Returns the answer where the carrier's answer could not be stored."""
    if isinstance(outcome, Accepted) and outcome.message.progress != "failed":
        known = attrs.evolve(message, carrier_id=outcome.message.id)
    elif isinstance(outcome, Unknown):
        known = attrs.evolve(message, status=UNCERTAIN, error=outcome.reason)
    else:
        known = attrs.evolve(message, status=FAILED)
    return of_message(known, outcome)


def is_open(answered: Answered) -> bool:
    """Tells whether what became of the message is still being found out."""
    return isinstance(answered, NotSentByCarrier) and answered.uncertain

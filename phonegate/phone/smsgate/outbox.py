"""What the app makes of pulled messages, and which it sends next. Pure."""

from phonegate.phone.radios.simulated import segments
from phonegate.phone.smsgate.answers import Pulled
from phonegate.phone.smsgate.app_memory import (
    CANCELLED,
    DELIVERED,
    PENDING,
    PROCESSED,
    SENT,
    AppMemory,
    AppMessage,
    Moved,
    Record,
    ReportAsked,
    Stored,
    UnknownCancelled,
)

CANCELLING = "Cancelling"


def taken(memory: AppMemory, pulled: Pulled, now_ms: int) -> list[Record]:
    """Returns the steps that follow from one message of a pulled list.

    A state that the app does not know counts as pending: such a message is sent.
    """
    if pulled.state == CANCELLING:
        return cancelled(memory, pulled.id, now_ms)
    if pulled.state not in {None, PENDING}:
        return []
    if pulled.id in memory.messages:
        return [ReportAsked(id=pulled.id)]
    if (pulled.text, pulled.data, pulled.mms) == (None, None, None):
        # This version can't send what it holds. It fails inside the app, and nothing is reported.
        return []
    return [Stored(message=pulled, time=now_ms)]


def cancelled(memory: AppMemory, message: str, now_ms: int) -> list[Record]:
    """Returns the steps that follow from the cancelling of a message.

    One that has left already goes on, and the app says nothing of it.
    """
    known = memory.messages.get(message)
    if known is None:
        return [UnknownCancelled(id=message)]
    if known.state != PENDING:
        return []
    return [Moved(id=message, number=None, state=CANCELLED, time=now_ms)]


def next_message(memory: AppMemory, now_ms: int) -> AppMessage | None:
    """Returns the pending message that is sent next, or None where none may be sent yet."""
    first_in = memory.settings.processing_order == "FIFO"
    due = [one for one in memory.pending.values() if _due_ms(one) <= now_ms]
    return min(
        due,
        key=lambda one: (-one.pulled.priority, one.order if first_in else -one.order),
        default=None,
    )


def next_due_ms(memory: AppMemory) -> int | None:
    """Returns when the first pending message may be sent (ms since 1970, UTC)."""
    return min(map(_due_ms, memory.pending.values()), default=None)


def expired(message: AppMessage, now_ms: int) -> bool:
    """Tells whether a message may no longer be sent."""
    until = message.pulled.valid_until
    return until is not None and until < now_ms


def parts(pulled: Pulled) -> int:
    """Returns how many SMS the system makes of a message. A data SMS and an MMS are one each."""
    if pulled.data is not None or pulled.text is None:
        return 1
    return segments(pulled.text)


def body(pulled: Pulled) -> str:
    """Returns what goes over the air. The app prefers data, then text, then an MMS."""
    for content in (pulled.data, pulled.text):
        if content is not None:
            return content
    return str((pulled.mms or {}).get("text") or "")


def unsettled(memory: AppMemory, *, deliveries: bool) -> list[tuple[AppMessage, str]]:
    """Returns the messages and recipients of which the phone's system still has to report.

    The system keeps what it will report when the app dies, and starts the app for it.
    """
    return [
        (message, recipient.number)
        for message in memory.messages.values()
        for recipient in message.recipients
        if recipient.state == PROCESSED
        or (deliveries and recipient.state == SENT and message.pulled.with_delivery_report)
    ]


OUTCOME_EVENTS = {
    SENT: "sms:sent",
    DELIVERED: "sms:delivered",
    "Failed": "sms:failed",
    CANCELLED: "sms:cancelled",
}
"""The webhook event that each state of a recipient makes."""


def _due_ms(message: AppMessage) -> int:
    return message.pulled.schedule_at or 0

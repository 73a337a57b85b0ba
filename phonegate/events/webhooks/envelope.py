"""Makes the call that brings an event to a webhook: written in its shape, and signed. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from phonegate.events.webhooks import shapes, signature, twiml
from phonegate.events.webhooks.call import ANSWER_BYTES, Call
from phonegate.model.events import Event
from phonegate.model.webhooks import Webhook

Render = Callable[[Event, Webhook], Mapping[str, Any]]
"""Makes of an event what the API shows of it, as JSON data."""

RECEIVED = "message.received"


def wants_reply(webhook: Webhook, event_type: str) -> bool:
    """Tells whether the receiver's answer to such an event may ask to send messages."""
    return webhook.shape == "twilio" and event_type == RECEIVED


def seal(webhook: Webhook, shown: Mapping[str, Any], call_id: str, now: int) -> Call:
    """Makes a call.

    Args:
        webhook: What is called. Its own headers go along, but none that the gateway sets itself.
        shown: The event, as the API shows it.
        call_id: The same at each attempt.
        now: The time of this attempt, in ms.

    Raises:
        ValueError: The webhook's shape has no form for such an event.
    """
    written = shapes.write(webhook.shape, shown, webhook.org)
    ours = [("content-type", written.content_type)]
    if webhook.shape == "twilio":
        ours += signature.twilio_headers(webhook.url, written.fields, webhook.secret)
        # By which Twilio's receivers know a repeat.
        ours.append(("i-twilio-idempotency-token", call_id))
    else:
        secrets = signature.current_secrets(webhook, now)
        ours += signature.standard_headers(call_id, written.body, secrets, now)
    set_by_us = {name for name, _ in ours}
    theirs = [(name, value) for name, value in webhook.headers if name.lower() not in set_by_us]
    replies = wants_reply(webhook, shown["type"])
    return Call(
        url=webhook.url,
        headers=(*theirs, *ours),
        body=written.body,
        read_bytes=twiml.MAX_BYTES + 1 if replies else ANSWER_BYTES,
    )

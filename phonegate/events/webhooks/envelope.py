"""Makes the call that brings an event to a receiver: written in its shape, and signed. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from phonegate.events.webhooks import callback_forms, shapes, signature, smsgate_shape, twiml
from phonegate.events.webhooks.call import ANSWER_BYTES, Call
from phonegate.model.callbacks import Callback
from phonegate.model.events import Event
from phonegate.model.webhooks import Webhook

Render = Callable[[Event, Webhook], Mapping[str, Any]]
"""Makes of an event what the API shows of it, as JSON data."""

RECEIVED = "message.received"


def wants_reply(webhook: Webhook, event_type: str) -> bool:
    """Tells whether the receiver's answer to such an event may ask to send messages."""
    return webhook.shape == "twilio" and event_type == RECEIVED


def seal(
    webhook: Webhook,
    shown: Mapping[str, Any],
    call_id: str,
    now: int,
    *,
    media_types: Sequence[str] = (),
) -> Call:
    """Makes a call.

    Args:
        webhook: What is called. Its own headers go along, but none that the gateway sets itself.
        shown: The event, as the API shows it.
        call_id: The same at each attempt.
        now: The time of this attempt, in ms.
        media_types: What the first media of a received message are.

    Raises:
        ValueError: The webhook's shape has no form for such an event.
    """
    if webhook.shape == "smsgate":
        return _seal_smsgate(webhook, shown, call_id, now)
    if webhook.shape == "twilio":
        fields = shapes.twilio_fields(shown, webhook.org, media_types)
        return _seal_form(webhook, shown["type"], fields, call_id)
    written = shapes.write(webhook.shape, shown, webhook.org)
    secrets = signature.current_secrets(webhook, now)
    signed = signature.standard_headers(call_id, written.body, secrets, now)
    ours = [("content-type", written.content_type), *signed]
    return Call(url=webhook.url, headers=(*_theirs(webhook, ours), *ours), body=written.body)


def _seal_form(
    webhook: Webhook, kind: str, fields: tuple[tuple[str, str], ...], call_id: str
) -> Call:
    """Makes a call of shape `twilio`."""
    form = callback_forms.with_fields(webhook.url, webhook.method, fields)
    ours = _form_headers(form, call_id, webhook.signing_state or webhook.secret)
    replies = wants_reply(webhook, kind)
    return Call(
        method=form.method,
        url=form.url,
        headers=(*_theirs(webhook, ours), *ours),
        body=form.body,
        read_bytes=twiml.MAX_BYTES + 1 if replies else ANSWER_BYTES,
        patient=replies,
    )


def _seal_smsgate(webhook: Webhook, shown: Mapping[str, Any], call_id: str, now: int) -> Call:
    """Makes a call as the app SMS Gateway for Android makes it."""
    body = smsgate_shape.write(webhook, shown, call_id)
    signed = signature.smsgate_headers(body, webhook.secret, now)
    ours = [("content-type", shapes.JSON), *signed]
    return Call(url=webhook.url, headers=(*_theirs(webhook, ours), *ours), body=body)


def seal_callback(callback: Callback, event: Event, shown: Mapping[str, Any], call_id: str) -> Call:
    """Makes the call of a message's status callback.

    Args:
        callback: What is called. It wants such an event.
        event: What happened to its message.
        shown: The same as the API shows it.
        call_id: The same at each attempt.
    """
    form = callback_forms.write(callback, event, shown)
    headers: list[tuple[str, str]] = []
    if callback.shape == "twilio":
        headers = _form_headers(form, call_id, callback.sign)
    elif form.method == "POST":
        headers = [("content-type", shapes.FORM)]
    return Call(
        method=form.method,
        url=form.url,
        headers=tuple(headers),
        body=form.body,
        patient=bool(form.expected),
        expected=form.expected,
    )


def _form_headers(
    form: callback_forms.Report, call_id: str, secret: str | bytes | None
) -> list[tuple[str, str]]:
    """Returns what Twilio sends beside a form. By the last of it receivers know a repeat."""
    headers = [("content-type", shapes.FORM)] if form.method == "POST" else []
    if secret:
        headers += signature.twilio_headers(form.url, form.fields, secret)
    return [*headers, ("i-twilio-idempotency-token", call_id)]


def _theirs(webhook: Webhook, ours: list[tuple[str, str]]) -> list[tuple[str, str]]:
    set_by_us = {name for name, _ in ours}
    return [(name, value) for name, value in webhook.headers if name.lower() not in set_by_us]

"""What clients of the third-party API of SMS Gateway for Android are answered. Pure.

Source: android-sms-gateway/server, and of the inbox and the phone's health the app's own server.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from phonegate.domain.announced_mms import NOT_FETCHED
from phonegate.domain.client_messages import Outline
from phonegate.domain.dialect_tokens import MadeToken
from phonegate.domain.managed_phones import ManagedPhone
from phonegate.domain.media import UNKNOWN
from phonegate.events.webhooks.smsgate_shape import EVENTS, checks_of, sim_card
from phonegate.model.messages import MessageView
from phonegate.model.states import (
    CANCELLED,
    DELIVERED,
    EXPIRED,
    FAILED,
    QUEUED,
    SENDING,
    SENT,
    UNCERTAIN,
)
from phonegate.model.times import iso
from phonegate.model.webhooks import Webhook

PENDING: Final = "Pending"

STATE_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        QUEUED: PENDING,
        SENDING: "Processed",
        # A phone had it. To call it failed would have it sent twice.
        UNCERTAIN: "Processed",
        SENT: "Sent",
        DELIVERED: "Delivered",
        FAILED: "Failed",
        EXPIRED: "Failed",
        CANCELLED: "Cancelled",
    }
)
"""The app's state of a recipient, by the gateway's status."""

APP_VERSION: Final = "1.75.1"
"""The version of the app whose API this is. Clients refuse older ones: ha-smsgateway asks for
1.74.1."""

RELEASE: Final = 1
"""Counts the versions of this dialect, as the app counts its own."""


def statuses_of(state: str) -> tuple[str, ...]:
    """Returns the gateway's statuses that a state stands for. Nothing is ever `Cancelling`."""
    return tuple(status for status, word in STATE_WORDS.items() if word == state) or ("none",)


def state_of(states: Iterable[str]) -> str:
    """Returns the state of a message from those of its recipients, as the app does."""
    found = set(states)
    for one in (PENDING, "Cancelled", "Processed"):
        if one in found:
            return one
    return found.pop() if len(found) == 1 else "Sent"


def message(group: Sequence[MessageView], *, content: bool) -> dict[str, Any]:
    """Shows the messages of one request as one.

    Args:
        group: In the order of their recipients. A copy that was sent in place of another counts
            for both.
        content: Whether the text is shown.
    """
    first = group[0]
    latest = {one.address: one for one in group}
    recipients = []
    for one in latest.values():
        shown = {"phoneNumber": one.address, "state": STATE_WORDS[one.status]}
        if one.error is not None:
            shown["error"] = one.error
        recipients.append(shown)
    state = state_of(one["state"] for one in recipients)
    states = {PENDING: iso(first.created_at)}
    for word, times in (
        ("Processed", [one.acked_at for one in latest.values()]),
        ("Sent", [one.sent_at for one in latest.values()]),
        ("Delivered", [one.delivered_at for one in latest.values()]),
    ):
        known = [at for at in times if at is not None]
        if known:
            states[word] = iso(max(known))
    found: dict[str, Any] = {
        "id": first.client_id or str(first.id),
        "deviceId": "" if first.phone is None else str(first.phone),
        "state": state,
        "isHashed": False,
        "isEncrypted": False,
        "recipients": recipients,
        "states": states,
        "createdAt": iso(first.created_at),
    }
    if first.held_until is not None and first.approval != "asked":
        found["scheduleAt"] = iso(first.held_until)
    if content:
        found["textMessage"] = {"text": first.body}
    return found


def accepted(
    client_id: str, device: str, sent: Sequence[tuple[str, str, str | None]], now: int
) -> dict[str, Any]:
    """Shows a message that was accepted just now.

    Args:
        client_id: Its id.
        device: The phone that was asked for. Empty where it may be any.
        sent: The number, status and error of each recipient.
        now: When it was accepted, in ms.
    """
    recipients = [
        {
            "phoneNumber": to,
            "state": STATE_WORDS[status],
            **({} if error is None else {"error": error}),
        }
        for to, status, error in sent
    ]
    return {
        "id": client_id,
        "deviceId": device,
        "state": state_of(one["state"] for one in recipients),
        "isHashed": False,
        "isEncrypted": False,
        "recipients": recipients,
        "states": {PENDING: iso(now)},
        "createdAt": iso(now),
    }


def received(one: MessageView, parts: Outline, *, attachments: bool) -> dict[str, Any]:
    """Shows a received message."""
    at = one.created_at if one.date is None else one.date
    found: dict[str, Any] = {
        "id": str(one.id),
        "type": kind_of(one),
        "sender": one.address,
        "contentPreview": one.body,
        "createdAt": iso(at),
    }
    if one.sim is not None:
        found["recipient"] = one.sim
    if one.sim_slot is not None:
        found["simNumber"] = one.sim_slot + 1
    if attachments:
        found["attachments"] = [
            {
                "partId": number,
                "name": name or f"{one.id}-{number}",
                "size": size,
                "contentType": kind or UNKNOWN,
            }
            for number, (kind, name, size) in parts.items()
        ]
    return found


def kind_of(one: MessageView) -> str:
    """Returns what the app calls a received message of this kind."""
    if one.error == NOT_FETCHED:
        return "MMS"
    return "MMS_DOWNLOADED" if one.parts or one.media_urls else "SMS"


def device(phone: ManagedPhone) -> dict[str, Any]:
    """Shows a phone."""
    row = phone.row
    last_seen = iso(phone.last_seen)
    return {
        "id": str(row.id),
        "name": phone.name or row.model or f"phone {row.id}",
        "createdAt": iso(row.first_seen),
        "updatedAt": last_seen,
        "lastSeen": last_seen,
        "simCards": [sim_card(sim.slot, sim.number, sim.carrier) for sim in phone.sims],
    }


def webhook(hook: Webhook) -> dict[str, Any]:
    """Shows a webhook. One that was made by the gateway's own API may be for several events."""
    event = hook.client_event or next(
        (name for name, types in EVENTS.items() if types[0] in hook.events), "sms:received"
    )
    found = {"id": hook.client_id or str(hook.id), "url": hook.url, "event": event}
    if hook.phone is not None:
        found["deviceId"] = str(hook.phone)
    return found


def token(made: MadeToken) -> dict[str, Any]:
    """Shows a new pair of tokens, under the names of the server and those of its Python client."""
    found = {"tokenType": "Bearer", "accessToken": made.access, "refreshToken": made.refresh}
    found["expiresAt"] = iso(made.token.expires_at)
    named = {_snake(name): value for name, value in found.items()}
    return {"id": made.token.id, **named, **found}


def health(phones: Sequence[ManagedPhone] = ()) -> dict[str, Any]:
    """Shows that the gateway works, and how the first phone is that is connected."""
    checks: dict[str, Any] = {
        "messages:gateway": {
            "status": "pass",
            "observedValue": 1,
            "observedUnit": "boolean",
            "description": "Whether the gateway works",
        }
    }
    if phones:
        phone = next((one for one in phones if one.is_online), phones[0])
        state = {
            "online": phone.is_online,
            "battery": phone.health.battery,
            "charging": phone.health.charging,
        }
        checks |= checks_of(state)
    return {"status": "pass", "version": APP_VERSION, "releaseId": RELEASE, "checks": checks}


def encoded(value: object) -> bytes:
    """Writes JSON."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # Half a surrogate pair is not UTF-8; a carrier's words might have one.
    return text.encode("utf-8", "replace")


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)

"""Twilio's resources as JSON: messages, their media, accounts, numbers. Pure.

Each has all the keys that Twilio gives it, in its order. Addresses (`uri`) are relative to the base
address that clients were given.
"""

from collections.abc import Sequence
from mimetypes import guess_type
from typing import Any, Final
from urllib.parse import urlsplit

import attrs

from phonegate.api.dialects.twilio.dates import rfc_2822
from phonegate.domain.own_numbers import OwnNumber
from phonegate.domain.segmentation import count
from phonegate.model.messages import Message, MessageView
from phonegate.model.states import EXPIRED, FAILED, QUEUED, UNCERTAIN
from phonegate.model.twilio_ids import (
    API_VERSION,
    account_sid,
    media_path,
    media_sid,
    message_sid,
    number_sid,
)
from phonegate.model.twilio_words import ACCEPTED, ERROR_CODES, SCHEDULED, status_word
from phonegate.model.webhooks import Webhook

BASE: Final = f"/{API_VERSION}/Accounts"

ANY_TYPE: Final = "application/octet-stream"

BALANCE: Final = "1000.00"
"""What a balance shows, which never changes: SIMs have none that the gateway knows, and programs
that watch it stop at a low one."""

_EXPLAINED: Final = frozenset({FAILED, EXPIRED, UNCERTAIN})
"""States whose reason is shown."""


def account_uri(org: int) -> str:
    """Returns the address of an account, without `.json`."""
    return f"{BASE}/{account_sid(org)}"


# -- messages


def message(
    found: Message | MessageView, org: int, *, body: str | None = None, service: str | None = None
) -> dict[str, Any]:
    """Returns a message.

    Args:
        found: The message.
        org: Whose it is.
        body: Its text, where that is not the stored one.
        service: The messaging service that was asked for it, which is not stored.
    """
    inbound = found.direction == "in"
    sid = message_sid(found.id)
    uri = f"{account_uri(org)}/Messages/{sid}"
    media = found.parts + len(found.media_urls or ())
    code = ERROR_CODES.get(found.status)
    return {
        "body": found.body if body is None else body,
        "num_segments": str(found.segments or count(found.body)),
        "direction": "inbound" if inbound else "outbound-api",
        "from": found.address if inbound else found.sim,
        "to": (found.sim or "") if inbound else found.address,
        "date_updated": rfc_2822(_updated(found)),
        "price": None,
        "error_message": found.error if found.status in _EXPLAINED else None,
        "uri": f"{uri}.json",
        "account_sid": account_sid(org),
        "num_media": str(media),
        "status": word(found),
        "messaging_service_sid": service,
        "sid": sid,
        "date_sent": rfc_2822(sent_at(found)),
        "date_created": rfc_2822(found.created_at),
        "error_code": code,
        "price_unit": "USD",
        "api_version": API_VERSION,
        "subresource_uris": {
            "media": f"{uri}/Media.json",
            "feedback": f"{uri}/Feedback.json",
        },
    }


def word(found: Message | MessageView) -> str:
    """Returns Twilio's word for where a message is."""
    if found.status == QUEUED:
        if found.approval == "asked":
            return ACCEPTED
        if found.held_until is not None:
            return SCHEDULED
    return status_word(found.status, was_sent=found.sent_at is not None)


def sent_at(found: Message | MessageView) -> int | None:
    """Returns when a message was sent. A received one was passed on when it was stored."""
    return found.created_at if found.direction == "in" else found.sent_at


def _updated(found: Message | MessageView) -> int:
    known = (found.created_at, found.acked_at, found.sent_at, found.delivered_at)
    return max(at for at in known if at is not None)


# -- media


@attrs.frozen(kw_only=True)
class Medium:
    """A picture or other part of a message."""

    number: int
    """Counted from 1: first the parts that the gateway has, then those elsewhere."""
    content_type: str
    url: str | None = attrs.field(default=None, repr=False)
    """Where it is, if the gateway does not have it."""


def media_of(found: Message | MessageView, types: Sequence[str]) -> list[Medium]:
    """Lists the media of a message, of whose own parts the types are given."""
    own = [Medium(number=n, content_type=type_) for n, type_ in enumerate(types, 1)]
    urls = enumerate(found.media_urls or (), len(own) + 1)
    return own + [Medium(number=n, content_type=_guessed(url), url=url) for n, url in urls]


def _guessed(url: str) -> str:
    return guess_type(urlsplit(url).path)[0] or ANY_TYPE


def medium(one: Medium, parent: Message | MessageView, org: int) -> dict[str, Any]:
    """Returns a part of a message."""
    sid = media_sid(parent.id, one.number)
    created = rfc_2822(parent.created_at)
    return {
        "sid": sid,
        "account_sid": account_sid(org),
        "parent_sid": message_sid(parent.id),
        "content_type": one.content_type,
        "date_created": created,
        "date_updated": created,
        "uri": f"{media_path(org, parent.id, one.number)}.json",
    }


def feedback(message_id: int, org: int, outcome: str, now: int) -> dict[str, Any]:
    """Returns the feedback on a message, which is taken and not kept."""
    sid, at = message_sid(message_id), rfc_2822(now)
    return {
        "account_sid": account_sid(org),
        "message_sid": sid,
        "outcome": outcome,
        "date_created": at,
        "date_updated": at,
        "uri": f"{account_uri(org)}/Messages/{sid}/Feedback.json",
    }


# -- accounts


def account(org: int, name: str, created_at: int) -> dict[str, Any]:
    """Returns an org as an account."""
    uri, sid = account_uri(org), account_sid(org)
    created = rfc_2822(created_at)
    return {
        "sid": sid,
        "friendly_name": name,
        "status": "active",
        "type": "Full",
        # Twilio's own answer has it in clear.
        "auth_token": None,
        "owner_account_sid": sid,
        "date_created": created,
        "date_updated": created,
        "uri": f"{uri}.json",
        "subresource_uris": {
            "balance": f"{uri}/Balance.json",
            "incoming_phone_numbers": f"{uri}/IncomingPhoneNumbers.json",
            "messages": f"{uri}/Messages.json",
        },
    }


def balance(org: int) -> dict[str, Any]:
    """Returns the balance of an account."""
    return {"account_sid": account_sid(org), "balance": BALANCE, "currency": "USD"}


# -- numbers


def number(own: OwnNumber, org: int) -> dict[str, Any]:
    """Returns a number of an org, of a SIM or an assistant."""
    sid = number_sid(org, own.number)
    created = rfc_2822(own.created_at)
    return {
        "sid": sid,
        "account_sid": account_sid(org),
        "friendly_name": own.name or own.number,
        "phone_number": own.number,
        "voice_url": None,
        "voice_method": "POST",
        "voice_fallback_url": None,
        "voice_fallback_method": "POST",
        "voice_caller_id_lookup": False,
        "voice_receive_mode": "voice",
        "voice_application_sid": None,
        "date_created": created,
        "date_updated": created,
        "sms_url": _url(own.received_to),
        "sms_method": _method(own.received_to),
        "sms_fallback_url": "",
        "sms_fallback_method": "POST",
        "sms_application_sid": "",
        "status_callback": _url(own.reported_to),
        "status_callback_method": _method(own.reported_to),
        "capabilities": {"voice": False, "sms": True, "mms": own.mms, "fax": False},
        "address_requirements": "none",
        "address_sid": None,
        "identity_sid": None,
        "bundle_sid": None,
        "trunk_sid": None,
        "beta": False,
        "emergency_status": "Inactive",
        "emergency_address_sid": None,
        "emergency_address_status": "unregistered",
        "origin": "hosted",
        "status": "in-use",
        "api_version": API_VERSION,
        "uri": f"{account_uri(org)}/IncomingPhoneNumbers/{sid}.json",
    }


def _url(webhook: Webhook | None) -> str:
    return "" if webhook is None else webhook.url


def _method(webhook: Webhook | None) -> str:
    return "POST" if webhook is None else webhook.method

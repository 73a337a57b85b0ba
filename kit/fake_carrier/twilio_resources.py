"""The resources of Twilio's API as JSON, each with the keys of its OpenAPI document."""

import mimetypes
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

from kit.fake_carrier.accounts import TwilioAccount
from kit.fake_carrier.message import Sms

VERSION = "2010-04-01"
ROOT = f"/{VERSION}/Accounts/"
DEFAULT_PAGE = 50


def rfc2822(at_ms: int | None) -> str | None:
    if at_ms is None:
        return None
    return format_datetime(datetime.fromtimestamp(at_ms // 1000, UTC))


def content_type(url: str) -> str:
    return mimetypes.guess_type(urlsplit(url).path)[0] or "image/jpeg"


def message(sms: Sms) -> dict[str, Any]:
    """Returns the message with exactly the keys of the API's document."""
    uri = f"{ROOT}{sms.account}/Messages/{sms.id}"
    inbound = sms.direction == "inbound"
    waiting = sms.sender is None
    return {
        "body": sms.text,
        "num_segments": "0" if waiting else str(sms.segments),
        "direction": "inbound" if inbound else "outbound-api",
        "from": sms.sender,
        "to": sms.recipient,
        "date_updated": rfc2822(sms.updated_ms),
        "price": None if sms.sent_ms is None or inbound else "-0.00790",
        "error_message": sms.error_text,
        "uri": f"{uri}.json",
        "account_sid": sms.account,
        "num_media": str(len(sms.media)),
        "status": sms.status,
        "messaging_service_sid": sms.service,
        "sid": sms.id,
        "date_sent": rfc2822(sms.sent_ms),
        "date_created": rfc2822(sms.created_ms),
        "error_code": sms.error_code,
        "price_unit": "USD",
        "api_version": VERSION,
        "subresource_uris": {"media": f"{uri}/Media.json"},
    }


def media(sms: Sms) -> list[dict[str, Any]]:
    """Returns the media of a message."""
    return [_medium(sms, index) for index in range(len(sms.media))]


def _medium(sms: Sms, index: int) -> dict[str, Any]:
    sid = f"ME{index:02x}{sms.id[4:]}"
    return {
        "sid": sid,
        "account_sid": sms.account,
        "parent_sid": sms.id,
        "content_type": content_type(sms.media[index]),
        "date_created": rfc2822(sms.created_ms),
        "date_updated": rfc2822(sms.created_ms),
        "uri": f"{ROOT}{sms.account}/Messages/{sms.id}/Media/{sid}.json",
    }


def account(owner: TwilioAccount) -> dict[str, Any]:
    uri = f"{ROOT}{owner.sid}"
    return {
        "sid": owner.sid,
        "friendly_name": "Fake account",
        "status": "active",
        "type": "Full",
        "auth_token": owner.token,
        "owner_account_sid": owner.sid,
        "date_created": rfc2822(0),
        "date_updated": rfc2822(0),
        "uri": f"{uri}.json",
        "subresource_uris": {
            "messages": f"{uri}/Messages.json",
            "incoming_phone_numbers": f"{uri}/IncomingPhoneNumbers.json",
        },
    }


def numbers(owner: TwilioAccount) -> list[dict[str, Any]]:
    """Returns the account's senders."""
    return [
        {
            "sid": f"PN{index:032x}",
            "account_sid": owner.sid,
            "friendly_name": number,
            "phone_number": number,
            "capabilities": {"voice": False, "sms": True, "mms": True, "fax": False},
            "sms_url": owner.sms_url,
            "sms_method": "POST",
            "status": "in-use",
            "api_version": VERSION,
            "uri": f"{ROOT}{owner.sid}/IncomingPhoneNumbers/PN{index:032x}.json",
        }
        for index, number in enumerate(owner.numbers)
    ]


def only_page(uri: str, name: str, records: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns a list that fits on one page."""
    whole = f"{uri}?PageSize={DEFAULT_PAGE}&Page=0"
    return {
        "first_page_uri": whole,
        "end": max(len(records) - 1, 0),
        "next_page_uri": None,
        "page": 0,
        "page_size": DEFAULT_PAGE,
        "previous_page_uri": None,
        "start": 0,
        "uri": whole,
        name: records,
    }

"""Telnyx's states, error codes and message resource in the gateway's terms. Pure.

Sources: the messaging API v2 and the error code references of developers.telnyx.com.
"""

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from phonegate.carriers import words
from phonegate.domain.carrier import CarrierFault, CarrierMessage, Progress

PROGRESS: Mapping[str, Progress] = MappingProxyType(
    {
        "queued": "sending",
        "sending": "sending",
        "sent": "sent",
        # It was sent, and the recipient's network never reports more.
        "delivery_unconfirmed": "sent",
        "delivered": "delivered",
        "read": "delivered",
        "sending_failed": "failed",
        "delivery_failed": "failed",
        "expired": "failed",
    }
)

BUSY_CODES = frozenset({"10011"})
"""Too many requests, whatever the status."""
UNKNOWN_MESSAGE = "10005"

_MESSAGING_CODES = re.compile(r"40[0-9]{3}")

_MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "10009": "Telnyx does not take this API key.",
        "10010": "This Telnyx API key may not send from this number.",
        "10016": "The recipient or sender is not in E.164 form.",
        "40001": "The recipient is a landline, or takes no SMS.",
        "40002": "Blocked as spam by the recipient's network for now.",
        "40003": "This sender is blocked as spam by the recipient's network.",
        "40004": "The recipient's network refused it without a reason.",
        "40005": "It expired before the recipient's network took it.",
        "40006": "The recipient's network can't be reached.",
        "40008": "The recipient's network did not take it.",
        "40012": "The recipient is not a number that exists.",
        "40300": "The recipient has opted out by answering STOP; "
        "nothing reaches them from this sender until they answer START.",
        "40310": "The recipient is not a valid number.",
    }
)


def fault(errors: Any, otherwise: str = "", secrets: Collection[str] = ()) -> CarrierFault:
    """Reads the first of Telnyx's `errors`. Our explanation stands before Telnyx's own words."""
    code = words.as_code(words.at(errors, 0, "code"))
    title = words.for_people(words.at(errors, 0, "title"), secrets)
    detail = words.for_people(words.at(errors, 0, "detail"), secrets)
    said = ": ".join(part for part in (title, detail) if part) or otherwise
    return CarrierFault(code=code, text=words.explain("Telnyx", _MEANINGS.get(code or ""), said))


def is_about_message(errors: Any) -> bool:
    """Tells whether Telnyx refused the message itself, rather than the request or its sender."""
    code = words.as_code(words.at(errors, 0, "code"))
    return code is not None and _MESSAGING_CODES.fullmatch(code) is not None


def message(data: Any, secrets: Collection[str] = ()) -> CarrierMessage | None:
    """Reads a message resource. Gives None for what is none."""
    carrier_id, status = words.as_id(words.at(data, "id")), words.at(data, "to", 0, "status")
    if carrier_id is None or not isinstance(status, str):
        return None
    progress = PROGRESS.get(status, "sending")
    return CarrierMessage(
        id=carrier_id,
        progress=progress,
        segments=words.as_count(data.get("parts")),
        fault=fault(data.get("errors"), f"the message is {status}", secrets)
        if progress == "failed"
        else None,
        sent_at=words.from_iso8601(data.get("sent_at")),
        delivered_at=words.from_iso8601(data.get("completed_at"))
        if progress == "delivered"
        else None,
    )

"""Twilio's states, error codes and message resource in the gateway's terms. Pure.

Sources: the Message resource and error dictionary of twilio.com/docs, version 2010-04-01.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from phonegate.carriers import words
from phonegate.domain.carrier import CarrierFault, CarrierMessage, Progress

PROGRESS: Mapping[str, Progress] = MappingProxyType(
    {
        "accepted": "sending",
        "scheduled": "sending",
        "queued": "sending",
        "sending": "sending",
        "sent": "sent",
        # Some of a group's recipients have it.
        "partially_delivered": "sent",
        "delivered": "delivered",
        "read": "delivered",
        "undelivered": "failed",
        "failed": "failed",
        "canceled": "failed",
    }
)

BUSY_CODES = frozenset({"20429", "21611"})
"""Too many requests, and a full queue of this sender. Both pass, whatever the HTTP status is."""
UNKNOWN_MESSAGE = "20404"

_MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "20003": "Twilio does not take these credentials: check account_sid and auth_token.",
        "21211": "The recipient is not a phone number that exists.",
        "21408": "This Twilio account may not send to that country; "
        "its messaging geo permissions allow it.",
        "21606": "The sender is no number of this Twilio account that can send to this recipient.",
        "21608": "A Twilio trial account sends only to numbers that were verified with it.",
        "21610": "The recipient has opted out by answering STOP; "
        "nothing reaches them from this sender until they answer START.",
        "21612": "Twilio has no way from this sender to this recipient.",
        "21614": "The recipient is not a mobile number.",
        "21617": "The message is longer than the 1600 characters that Twilio takes.",
        "21620": "Twilio can't use a media URL.",
        "30001": "Twilio's queue for this sender overflowed.",
        "30002": "The Twilio account is suspended.",
        "30003": "The recipient's phone is off or out of reach.",
        "30004": "The recipient, or their network, blocks this message.",
        "30005": "The recipient is unknown, or no longer in service.",
        "30006": "The recipient is a landline, or their network takes no SMS.",
        "30007": "Filtered as unwanted by Twilio or the recipient's network.",
        "30008": "The message failed for a reason that Twilio was not told.",
        "30034": "US networks take messages from this sender "
        "only once it is registered (A2P 10DLC).",
    }
)


def fault(code: Any, said: Any, secrets: Collection[str] = ()) -> CarrierFault:
    """Reads an error of Twilio's. Our explanation, if any, stands before Twilio's own words."""
    known = words.as_code(code)
    text = words.for_people(said, secrets)
    return CarrierFault(code=known, text=words.explain("Twilio", _MEANINGS.get(known or ""), text))


def failure(status: str, code: Any, said: Any, secrets: Collection[str] = ()) -> CarrierFault:
    """Says why a message in the state `status` failed."""
    return fault(code, said or f"the message is {status}", secrets)


def message(data: Any, secrets: Collection[str] = ()) -> CarrierMessage | None:
    """Reads a message resource. Gives None for what is none."""
    carrier_id, status = words.as_id(words.at(data, "sid")), words.at(data, "status")
    if carrier_id is None or not isinstance(status, str):
        return None
    # A state that Twilio adds later ends nothing here: from sending, any other may follow.
    progress = PROGRESS.get(status, "sending")
    return CarrierMessage(
        id=carrier_id,
        progress=progress,
        segments=words.as_count(data.get("num_segments")),
        fault=failure(status, data.get("error_code"), data.get("error_message"), secrets)
        if progress == "failed"
        else None,
        sent_at=words.from_rfc2822(data.get("date_sent")),
    )

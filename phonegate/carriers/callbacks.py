"""What carriers call us with: states of messages, and messages for our numbers. Pure.

A carrier may add fields and events at any time: what is unknown is passed over. It may call
twice, late, and out of order; the domain's states bear that.
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from phonegate.carriers import telnyx_terms, twilio_terms, words
from phonegate.carriers.signatures import (
    BadSignature,
    CallbackError,
    SignatureUnsupported,
    check_telnyx,
    check_twilio,
)
from phonegate.domain.carrier import InboundReport, StatusReport
from phonegate.domain.reported_values import Kind, Report

__all__ = [
    "BadSignature",
    "CallbackError",
    "InboundReport",
    "MalformedCallback",
    "SignatureUnsupported",
    "StatusReport",
    "read_telnyx",
    "read_twilio",
]

MAX_FIELDS = 1_000
"""Of a form. Twilio sends some twenty, and two for each of up to ten media."""
MAX_MEDIA = 50
"""Of one message; carriers allow ten."""

_FORM = "application/x-www-form-urlencoded"
_COUNT = re.compile(r"[0-9]{1,3}")


class MalformedCallback(CallbackError):
    """It is not what this carrier sends."""


def read_twilio(
    *, url: str, headers: Mapping[str, str], body: bytes, auth_token: str
) -> StatusReport | InboundReport | None:
    """Reads and verifies a call of Twilio's: a status callback or an incoming message.

    Args:
        url: The whole address that Twilio was given.
        headers: Names in any case.
        body: As it came.
        auth_token: Of the account.

    Returns:
        None for an event that says nothing to us.

    Raises:
        BadSignature: It is not from Twilio.
        MalformedCallback: It is from Twilio, and no message's.
    """
    found = {name.lower(): value for name, value in headers.items()}
    kind = found.get("content-type", _FORM).partition(";")[0].strip().lower()
    pairs: list[tuple[str, str]] | None = None
    problem: str | None = None
    if kind == _FORM:
        try:
            pairs = parse_qsl(
                body.decode(),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=MAX_FIELDS,
            )
        except ValueError:
            # What can't be read can't be verified either.
            raise MalformedCallback("the body is no form in UTF-8") from None
    elif kind != "application/json":
        problem = "the body is neither a form nor JSON"
    check_twilio(auth_token, found.get("x-twilio-signature"), url=url, fields=pairs, body=body)
    if problem is not None:
        raise MalformedCallback(problem)
    fields: Mapping[str, Any] = dict(pairs) if pairs is not None else _object(body)
    return _from_twilio(fields)


def _from_twilio(fields: Mapping[str, Any]) -> StatusReport | InboundReport | None:
    carrier_id = words.as_id(fields.get("MessageSid") or fields.get("SmsSid"))
    if carrier_id is None:
        if "CallSid" in fields:
            return None
        raise MalformedCallback("there is no MessageSid")
    status = fields.get("MessageStatus") or fields.get("SmsStatus") or ""
    if status == "received" or (not status and "Body" in fields):
        return _received(
            carrier_id,
            {"from": fields.get("From"), "to": fields.get("To"), "text": fields.get("Body")},
            media=_twilio_media(fields),
            segments=words.as_count(fields.get("NumSegments")),
        )
    progress = twilio_terms.PROGRESS.get(status) if isinstance(status, str) else None
    if progress is None:
        return None
    return StatusReport(
        carrier_id=carrier_id,
        progress=progress,
        fault=twilio_terms.failure(status, fields.get("ErrorCode"), fields.get("ErrorMessage"))
        if progress == "failed"
        else None,
    )


def _twilio_media(fields: Mapping[str, Any]) -> tuple[str, ...]:
    stated = str(fields.get("NumMedia", "0"))
    count = min(int(stated), MAX_MEDIA) if _COUNT.fullmatch(stated) else 0
    urls = (words.as_text(fields.get(f"MediaUrl{place}")) for place in range(count))
    return tuple(url for url in urls if url)


def read_telnyx(
    *, headers: Mapping[str, str], body: bytes, public_key: str | None, now: int
) -> StatusReport | InboundReport | None:
    """Reads and verifies a call of Telnyx's: an event of a message.

    Args:
        headers: Names in any case.
        body: As it came.
        public_key: Of the organization, in base64; None leaves the signature unchecked.
        now: In ms.

    Returns:
        None for an event that says nothing to us.

    Raises:
        BadSignature: It is not from Telnyx, or too old.
        MalformedCallback: It is no event of Telnyx's.
        SignatureUnsupported: As `signatures.check_public_key`.
    """
    if public_key is not None:
        found = {name.lower(): value for name, value in headers.items()}
        check_telnyx(
            public_key,
            found.get("telnyx-signature-ed25519"),
            found.get("telnyx-timestamp"),
            body=body,
            now=now,
        )
    data = _object(body).get("data")
    event, payload = words.at(data, "event_type"), words.at(data, "payload")
    if not isinstance(event, str):
        raise MalformedCallback("there is no data.event_type")
    if event not in {"message.received", "message.sent", "message.finalized"}:
        return None
    carrier_id = words.as_id(words.at(payload, "id"))
    if carrier_id is None:
        raise MalformedCallback("there is no data.payload.id")
    if event == "message.received":
        return _received(
            carrier_id,
            {
                "from": words.at(payload, "from", "phone_number"),
                "to": words.at(payload, "to", 0, "phone_number"),
                "text": words.at(payload, "text"),
            },
            media=_telnyx_media(words.at(payload, "media")),
            date=words.from_iso8601(words.at(payload, "received_at")),
            segments=words.as_count(words.at(payload, "parts")),
        )
    message = telnyx_terms.message(payload)
    status = words.at(payload, "to", 0, "status")
    if message is None or status not in telnyx_terms.PROGRESS:
        return None
    return StatusReport(
        carrier_id=carrier_id,
        progress=message.progress,
        segments=message.segments,
        fault=message.fault,
        at=words.from_iso8601(words.at(data, "occurred_at")),
    )


def _received(
    carrier_id: str,
    told: Mapping[str, Any],
    *,
    media: tuple[str, ...],
    segments: int | None,
    date: int | None = None,
) -> InboundReport:
    """A message for one of our numbers, from any sender.

    Raises:
        MalformedCallback: There is nothing of it but its id.
    """
    cleaned: list[Kind] = []
    report = Report(told, cleaned)
    sender = report.sender("from")
    if not sender and told["text"] is None and not media:
        raise MalformedCallback("there is neither a sender nor a text")
    return InboundReport(
        carrier_id=carrier_id,
        sender=sender,
        recipient=report.number("to"),
        body=report.text("text"),
        media_urls=media,
        date=date,
        segments=segments,
        cleaned=tuple(cleaned),
    )


def _telnyx_media(media: Any) -> tuple[str, ...]:
    entries = media[:MAX_MEDIA] if isinstance(media, list) else []
    urls = (words.as_text(words.at(entry, "url")) for entry in entries)
    return tuple(url for url in urls if url)


def _object(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise MalformedCallback("the body is no JSON") from None
    if not isinstance(data, dict):
        raise MalformedCallback("the body is no JSON object")
    return data

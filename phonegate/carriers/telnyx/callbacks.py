"""What Telnyx calls: the events of messages. Pure."""

from typing import Any

from phonegate.carriers import words
from phonegate.carriers.callbacks import MAX_MEDIA, json_object, received, web_addresses
from phonegate.carriers.provider import Callback, MalformedCallback
from phonegate.carriers.telnyx import signature, terms
from phonegate.domain.carrier import InboundReport, StatusReport


def read(callback: Callback) -> StatusReport | InboundReport | None:
    """Verifies and reads a callback. Without a public key its signature is left unchecked.

    Returns:
        None for an event that the gateway has no use for.

    Raises:
        BadSignature: It is not from Telnyx, or too old.
        MalformedCallback: It is no event of Telnyx's.
        SignatureUnsupported: As `signature.check_public_key`.
    """
    public_key = callback.credentials.get("public_key")
    if public_key is not None:
        signature.check(
            public_key,
            callback.headers.get("telnyx-signature-ed25519"),
            callback.headers.get("telnyx-timestamp"),
            body=callback.body,
            now=callback.now,
        )
    data = json_object(callback.body).get("data")
    event, payload = words.at(data, "event_type"), words.at(data, "payload")
    if not isinstance(event, str):
        raise MalformedCallback("there is no data.event_type")
    if event not in {"message.received", "message.sent", "message.finalized"}:
        return None
    carrier_id = words.as_id(words.at(payload, "id"))
    if carrier_id is None:
        raise MalformedCallback("there is no data.payload.id")
    if event == "message.received":
        return received(
            carrier_id,
            {
                "from": words.at(payload, "from", "phone_number"),
                "to": words.at(payload, "to", 0, "phone_number"),
                "text": words.at(payload, "text"),
            },
            media=_media(words.at(payload, "media")),
            date=words.from_iso8601(words.at(payload, "received_at")),
            segments=words.as_count(words.at(payload, "parts")),
        )
    message = terms.message(payload)
    status = words.at(payload, "to", 0, "status")
    if message is None or status not in terms.PROGRESS:
        return None
    return StatusReport(
        carrier_id=carrier_id,
        progress=message.progress,
        segments=message.segments,
        fault=message.fault,
        at=words.from_iso8601(words.at(data, "occurred_at")),
    )


def _media(media: Any) -> tuple[str, ...]:
    entries = media[:MAX_MEDIA] if isinstance(media, list) else []
    return web_addresses(words.at(entry, "url") for entry in entries)

"""What Twilio calls: status callbacks, and incoming messages. Pure."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from phonegate.carriers import words
from phonegate.carriers.callbacks import MAX_MEDIA, json_object, received, web_addresses
from phonegate.carriers.provider import BadSignature, Callback, MalformedCallback
from phonegate.carriers.twilio import signature, terms
from phonegate.domain.carrier import InboundReport, StatusReport

MAX_FIELDS: Final = 1_000
"""Fields of a form. Twilio sends some twenty, and two for each of up to ten media."""

FORM: Final = "application/x-www-form-urlencoded"

NO_ADDRESS: Final = "the address that was called is too long to be one of ours"

_COUNT = re.compile(r"[0-9]{1,3}")


def read(callback: Callback) -> StatusReport | InboundReport | None:
    """Verifies and reads a callback.

    Returns:
        None for an event that the gateway has no use for.

    Raises:
        BadSignature: It is not from Twilio, or not for any of these addresses.
        MalformedCallback: It is from Twilio and of no message.
    """
    if not callback.addresses:
        raise BadSignature(NO_ADDRESS)
    kind = callback.headers.get("content-type", FORM).partition(";")[0].strip().lower()
    form = _form(callback.body) if kind == FORM else None
    _check_signature(callback, form)
    if form is None and kind != "application/json":
        raise MalformedCallback("the body is neither a form nor JSON")
    return _from_fields(json_object(callback.body) if form is None else dict(form))


def _form(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError:
        # What can't be read can't be verified either.
        raise MalformedCallback("the body is no form in UTF-8") from None


def _check_signature(callback: Callback, form: list[tuple[str, str]] | None) -> None:
    problem: BadSignature | None = None
    for address in callback.addresses:
        try:
            signature.check(
                callback.credentials.get("auth_token", ""),
                callback.headers.get("x-twilio-signature"),
                url=address,
                fields=form,
                body=callback.body,
            )
        except BadSignature as error:
            problem = problem or error
        else:
            return
    raise problem or BadSignature(NO_ADDRESS)


def _from_fields(fields: Mapping[str, Any]) -> StatusReport | InboundReport | None:
    carrier_id = words.as_id(fields.get("MessageSid") or fields.get("SmsSid"))
    if carrier_id is None:
        if "CallSid" in fields:
            return None
        raise MalformedCallback("there is no MessageSid")
    status = fields.get("MessageStatus") or fields.get("SmsStatus") or ""
    if status == "received" or (not status and "Body" in fields):
        return received(
            carrier_id,
            {"from": fields.get("From"), "to": fields.get("To"), "text": fields.get("Body")},
            media=_media(fields),
            segments=words.as_count(fields.get("NumSegments")),
        )
    progress = terms.PROGRESS.get(status) if isinstance(status, str) else None
    if progress is None:
        return None
    return StatusReport(
        carrier_id=carrier_id,
        progress=progress,
        fault=terms.failure(status, fields.get("ErrorCode"), fields.get("ErrorMessage"))
        if progress == "failed"
        else None,
    )


def _media(fields: Mapping[str, Any]) -> tuple[str, ...]:
    stated = str(fields.get("NumMedia", "0"))
    count = min(int(stated), MAX_MEDIA) if _COUNT.fullmatch(stated) else 0
    return web_addresses(fields.get(f"MediaUrl{index}") for index in range(count))

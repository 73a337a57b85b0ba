"""What the app reports by calling the gateway: received SMS and MMS, results, and how it is. Pure.

What was received is kept whatever form its report has. An event that means nothing here is `None`.
"""

import base64
from collections.abc import Mapping
from typing import Any, Final

import attrs

from phonegate.domain import media
from phonegate.domain.inbox import Received
from phonegate.domain.reported_numbers import moment, whole_number
from phonegate.domain.reported_values import (
    Body,
    Date,
    ErrorText,
    Kind,
    LocalId,
    Sender,
    SimNumber,
    Whole,
)
from phonegate.model.bounds import MAX_SEGMENTS, MAX_SLOT
from phonegate.model.enrolments import SimCard
from phonegate.model.media import Part
from phonegate.phones import frames
from phonegate.phones.smsgate.device_form import read_sims
from phonegate.phones.smsgate.mobile_message import message_number
from phonegate.phones.smsgate.state_report import AppState, StateReport
from phonegate.typed_json.fields import Wrong

RESULTS: Final[Mapping[str, AppState]] = {
    "sms:sent": "Sent",
    "sms:delivered": "Delivered",
    "sms:failed": "Failed",
    "sms:cancelled": "Cancelled",
}
"""The events that say what became of a message, as the states that say the same."""

MAX_BATCH: Final = 100
"""Messages in one event of several."""

MAX_PARTS: Final = 64
"""Parts of an MMS that are read. Fewer are kept."""

_NETWORKS: Final = ((4, "wifi"), (8, "ethernet"), (2, "mobile"))
"""The bits by which the app says what its phone is connected by."""

_BODY: Final = Body()
_SENDER: Final = Sender()
_DATE: Final = Date()
_ID: Final = LocalId()
_NUMBER: Final = SimNumber()
_PERCENT: Final = Whole(0, 100)
_SEGMENTS: Final = Whole(1, MAX_SEGMENTS)
_ERROR: Final = ErrorText()


@attrs.frozen
class Messages:
    """SMS that the phone has received."""

    received: tuple[Received, ...]


@attrs.frozen
class Mms:
    """MMS that the phone has fetched, or that its network keeps for it."""

    received: tuple[Received, ...]
    are_there: bool
    """The phone has them."""


@attrs.frozen
class Started:
    """The app has started, and shows its SIM cards whole."""

    sims: tuple[SimCard, ...]


AppEvent = Messages | Mms | StateReport | frames.Status | Started | None


def read_event(value: object, cleaned: list[Kind]) -> AppEvent:
    """Reads the body of a call.

    Args:
        value: As parsed from JSON.
        cleaned: Gets the kind of each thing that is put right.
    """
    event: Mapping[str, Any] = value if isinstance(value, dict) else {}
    match event.get("event"), event.get("payload"):
        case "system:ping", dict(payload):
            return _status(payload, cleaned)
        case "app:started", dict(payload):
            return Started(read_sims(payload.get("simCards")))
        case str(name), dict(payload) if name in RESULTS:
            return _result(RESULTS[name], payload)
        case str(name), dict(payload) if read := _READERS.get(name.replace(":batch:", ":")):
            several = payload.get("messages")
            items = several[:MAX_BATCH] if isinstance(several, list) else [payload]
            received = tuple(read(one, cleaned) for one in items if isinstance(one, dict))
            if name.startswith("mms:"):
                return Mms(received, are_there=read is _mms)
            return Messages(received)
        case _:
            return None


# --- What was received ------------------------------------------------------------------------


def _sms(payload: Mapping[str, Any], cleaned: list[Kind]) -> Received:
    return _received(payload, _text(payload.get("message"), cleaned), cleaned)


def _data(payload: Mapping[str, Any], cleaned: list[Kind]) -> Received:
    """Reads a data SMS, which is bytes. They are kept as the app writes them, in Base64."""
    return _received(payload, _text(payload.get("data"), cleaned), cleaned)


def _announced(payload: Mapping[str, Any], cleaned: list[Kind]) -> Received:
    return _received(payload, _text(payload.get("subject"), cleaned), cleaned)


def _mms(payload: Mapping[str, Any], cleaned: list[Kind]) -> Received:
    texts = [_text(payload.get(name), cleaned) for name in ("subject", "body")]
    # The app lists no part that is text: what such parts say is in `body` alone.
    body = "\n".join(dict.fromkeys(text for text in texts if text))
    received = _received(payload, body, cleaned)
    listed = payload.get("attachments")
    parts = [_part(one, cleaned) for one in listed[:MAX_PARTS]] if isinstance(listed, list) else []
    return attrs.evolve(
        received,
        parts=tuple(one for one in parts if one is not None),
        identity=None,
        mms=None if received.identity is None else f"{received.identity} {received.address}",
    )


def _part(value: object, cleaned: list[Kind]) -> Part | None:
    """Reads a part of an MMS. One without its data is too large for the phone, or gone."""
    if not isinstance(value, dict) or not isinstance(value.get("data"), str):
        cleaned.append("media")
        return None
    try:
        data = base64.b64decode(value["data"])
    except ValueError:
        cleaned.append("media")
        return None
    kind, name = value.get("contentType"), value.get("name")
    return media.part(
        kind if isinstance(kind, str) else None, name if isinstance(name, str) else None, data
    )


_READERS: Final = {
    "sms:received": _sms,
    "sms:data-received": _data,
    "mms:received": _announced,
    "mms:downloaded": _mms,
}


def _received(payload: Mapping[str, Any], body: str, cleaned: list[Kind]) -> Received:
    # Versions before `sender` name it phoneNumber.
    sender = payload.get("sender") or payload.get("phoneNumber")
    number = whole_number(payload.get("simNumber"))
    slot = None if number is None or not 1 <= number <= MAX_SLOT + 1 else number - 1
    address = _SENDER.take(sender, cleaned)
    date = _DATE.take(payload.get("receivedAt"), cleaned)
    local_id = _ID.take(payload.get("messageId"), cleaned)
    return Received(
        address=address,
        given_address=sender if isinstance(sender, str) and sender != address else None,
        body=body,
        date=date,
        sim_slot=slot,
        sim=_NUMBER.take(payload.get("recipient"), cleaned),
        local_id=local_id,
        # Its id alone is 32 bits of what it says: the same text comes again under the same one.
        identity=None if date is None or local_id is None else f"{local_id} {date}",
    )


def _text(value: object, cleaned: list[Kind]) -> str:
    try:
        return _BODY.take(value, cleaned)
    except Wrong:
        cleaned.append("text")
        return ""


# --- What it says of messages and of itself ---------------------------------------------------


def _result(state: AppState, payload: Mapping[str, Any]) -> StateReport | None:
    app_id = payload.get("messageId")
    number = message_number(app_id)
    if number is None or not isinstance(app_id, str):
        return None
    return StateReport(
        app_id=app_id,
        number=number,
        state=state,
        error=_ERROR.take(payload.get("reason"), []),
        delivered_at=moment(payload.get("deliveredAt")),
        segments=_SEGMENTS.take(payload.get("partsCount"), []),
    )


def _status(payload: Mapping[str, Any], cleaned: list[Kind]) -> frames.Status:
    health = payload.get("health")
    checks = health.get("checks") if isinstance(health, dict) else None
    plugged = whole_number(_observed(checks, "battery:charging"))
    carried = whole_number(_observed(checks, "connection:transport")) or 0
    return frames.Status(
        battery=_PERCENT.take(_observed(checks, "battery:level"), cleaned),
        charging=None if plugged is None else plugged != 0,
        network=next((name for bit, name in _NETWORKS if carried & bit), None),
    )


def _observed(checks: object, name: str) -> object:
    check = checks.get(name) if isinstance(checks, dict) else None
    return check.get("observedValue") if isinstance(check, dict) else None

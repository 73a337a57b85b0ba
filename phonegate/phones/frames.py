"""The frames of the phone link, both directions, and how the gateway's are written.

The public page fixes five of them (`sims`, `inbound`, `send_result`; `connected`, `send_sms`);
the others are extensions that a phone may ignore. `grammar` reads what phones send. Bodies and
numbers stay out of every `repr`.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, Literal

import attrs

from phonegate.domain.inbox import Received
from phonegate.domain.reported_values import Kind, Unread
from phonegate.model.times import iso

FaultCode = Literal[
    "not_text", "too_many_values", "bad_json", "not_an_object", "unknown_type", "bad_field"
]
"""Why a frame can't be understood."""

ErrorCode = Literal[
    FaultCode,
    "unknown_message",
    "not_yours",
    "device_id_mismatch",
    "org_full",
    "storage_spent",
    "disk_low",
    "storage_unavailable",
    "internal_error",
]
"""What an `error` frame can say; docs/phone-link.md explains each."""


class FrameFault(Exception):
    """A frame that can't be understood. Nothing of it was taken.

    `field` is the path of the wrong field, such as `sims[0].slot`, if one is.
    """

    def __init__(self, code: FaultCode, detail: str, field: str | None = None) -> None:
        self.code = code
        self.detail = detail
        self.field = field
        super().__init__(detail)


# --- what both directions are made of


@attrs.frozen(kw_only=True)
class Error:
    """A frame was refused: `field` where one was wrong, `id` or `ids` whose it was."""

    code: ErrorCode
    detail: str
    field: str | None = None
    id: int | None = None
    ids: tuple[str | int | None, ...] | None = None


# --- phone → gateway


@attrs.frozen(kw_only=True)
class _Heard:
    """A frame of a phone. How it was put right does not make it another frame."""

    cleaned: tuple[Kind, ...] = attrs.field(default=(), eq=False, repr=False)
    """What of it was put right or left out, in kinds."""
    complaint: Error | None = attrs.field(default=None, eq=False, repr=False)
    """What the phone is to hear of that: its makers should know."""


@attrs.frozen(kw_only=True)
class SimReport:
    """One SIM of a `sims` frame; `number` is None where the phone does not know it."""

    slot: int
    number: str | None = attrs.field(default=None, repr=False)
    carrier: str | None = None


@attrs.frozen(kw_only=True)
class Sims(_Heard):
    """The SIMs that the phone has now, all of them, by slot."""

    sims: tuple[SimReport, ...]


@attrs.frozen(kw_only=True)
class Inbound(_Heard):
    """Received SMS: one under `message`, or a list under `messages`."""

    messages: tuple[Received | Unread, ...]


@attrs.frozen(kw_only=True)
class SendResult(_Heard):
    """What became of a pushed message. `uncertain`: the phone itself does not know."""

    id: int
    success: bool
    error: str | None = attrs.field(default=None, repr=False)
    segments: int | None = None
    uncertain: bool = False


@attrs.frozen(kw_only=True)
class Hello(_Heard):
    """What the phone is and which extensions it knows; unknown features are kept, unused."""

    device_id: str | None = None
    name: str | None = None
    model: str | None = None
    app: str | None = None
    features: frozenset[str] = frozenset()


@attrs.frozen(kw_only=True)
class Ack(_Heard):
    """The phone has journalled the message and is about to send it."""

    id: int


@attrs.frozen(kw_only=True)
class DeliveryReport(_Heard):
    """The recipient's network reported on a sent message."""

    id: int
    delivered: bool
    date: int | None = None


@attrs.frozen(kw_only=True)
class Status(_Heard):
    """How the phone is: percent, charging or not, bars or dBm as it likes, kind of network."""

    battery: int | None = None
    charging: bool | None = None
    signal: int | None = None
    network: str | None = None


@attrs.frozen(kw_only=True)
class Ping(_Heard):
    """Asks for a `pong`, for phones whose websocket library hides the protocol's own pings."""


PhoneFrame = Sims | Inbound | SendResult | Hello | Ack | DeliveryReport | Status | Ping


# --- gateway → phone


@attrs.frozen(kw_only=True)
class Connected:
    """Always the first frame. `server_time` is in ms here and ISO 8601 on the wire."""

    org_id: str
    device_id: str | None
    server_time: int


@attrs.frozen(kw_only=True)
class SendSms:
    """Send this. The last four are extensions and are left out where there is nothing to say."""

    id: int
    to: str = attrs.field(repr=False)
    body: str = attrs.field(repr=False)
    sim: str | None = attrs.field(repr=False)
    sim_slot: int | None = None
    segments: int | None = None
    expires_at: int | None = None
    media_urls: tuple[str, ...] | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class InboundAck:
    """An `inbound` frame is committed.

    `ids` are the phone's own, one for each message of the frame, null where it gave none;
    `message_ids` are the gateway's of all of them, null for one that could not be read: the phone
    need not send it again. `message_id` is that of the last which was stored.
    """

    ids: tuple[str | int | None, ...]
    message_ids: tuple[int | None, ...]


@attrs.frozen
class Cancel:
    """Drop this message if it has not left yet."""

    id: int


@attrs.frozen
class Pong:
    """Answers a `ping` frame."""


GatewayFrame = Connected | SendSms | InboundAck | Cancel | Error | Pong


_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))
"""`json.dumps` makes one anew for each frame."""


def encode(frame: GatewayFrame) -> str:
    """One frame as compact JSON; non-ASCII is escaped, so that its length in bytes is its own."""
    return _ENCODER.encode(_fields_of(frame))


def _fields_of(frame: GatewayFrame) -> dict[str, Any]:
    match frame:
        case Connected():
            return {
                "type": "connected",
                "org_id": frame.org_id,
                "device_id": frame.device_id,
                "server_time": iso(frame.server_time),
            }
        case SendSms():
            fields: dict[str, Any] = {
                "type": "send_sms",
                "id": frame.id,
                "to": frame.to,
                "body": frame.body,
                "sim": frame.sim,
            }
            for name in ("sim_slot", "segments", "expires_at", "media_urls"):
                if (value := getattr(frame, name)) is not None:
                    fields[name] = value
            return fields
        case InboundAck():
            return {
                "type": "inbound_ack",
                "ids": frame.ids,
                "message_id": next((i for i in reversed(frame.message_ids) if i), None),
                "message_ids": frame.message_ids,
            }
        case Cancel():
            return {"type": "cancel", "id": frame.id}
        case Error():
            fields = {"type": "error", "detail": frame.detail, "code": frame.code}
            return fields | _present({"field": frame.field, "id": frame.id, "ids": frame.ids})
        case Pong():
            return {"type": "pong"}


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}

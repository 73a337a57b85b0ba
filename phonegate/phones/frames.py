"""The frames of the phone link, in both directions: each a type whose fields are declared once.

`link.frame_reader` reads what phones send by these declarations, and `encode` writes what they get.
The OpenAPI document and the tables in docs/phone-link.md are made from them too, so a new field is
added here alone.

Five frames are the basic protocol, which every phone knows. The others, and further fields of
the five, are extensions that a phone may ignore.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, get_args

import attrs

from phonegate.domain import reported_values as reported
from phonegate.domain.inbox import Received
from phonegate.domain.received_sms import ReceivedSms, Unread
from phonegate.domain.reported_values import Kind
from phonegate.model.bounds import (
    MAX_ERROR,
    MAX_FEATURES,
    MAX_ID,
    MAX_MEDIA,
    MAX_MESSAGES,
    MAX_SEGMENTS,
    MAX_SIMS,
    MAX_SLOT,
    MAX_URL,
    MAX_WINDOW,
)
from phonegate.model.phones import FEATURES, Health
from phonegate.model.times import MAX_TIME_MS, iso
from phonegate.typed_json import fields
from phonegate.typed_json.fields import Shown, field
from phonegate.typed_json.rules import Echo, Entries, Entry, Several, Text, Whole, Word
from phonegate.typed_json.writer import JsonWriter

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
"""What an `error` frame can say. docs/phone-link.md explains each."""


class FrameFault(Exception):
    """A frame can't be understood, and nothing of it was taken.

    Attributes:
        code: Why.
        detail: The same for people. It quotes nothing of the frame, which may hold a message.
        field: The path of the wrong field, such as `sims[0].slot`, if one is wrong.
    """

    def __init__(self, code: FaultCode, detail: str, field: str | None = None) -> None:
        self.code = code
        self.detail = detail
        self.field = field
        super().__init__(detail)


_PUSHED: Final = "The message that the gateway pushed."
_LocalIds = tuple[Annotated[str | int | None, Echo()], ...]


# --- Refusals, which answer a frame or come with one --------------------------------------------


@attrs.frozen(kw_only=True)
class Error:
    """A frame was refused, or a part of one. What to do depends on the code."""

    type: ClassVar = "error"

    detail: str = field(
        "What was wrong, for people.", example="sims[0].slot is missing or names no slot."
    )
    code: Annotated[ErrorCode, Word()] = field("What was wrong, for programs.", example="bad_field")
    field: str | None = field(
        "The wrong field, where one was.", default=None, omit=True, example="sims[0].slot"
    )
    id: int | None = fields.field("The message that the frame was about.", default=None, omit=True)
    ids: _LocalIds | None = fields.field(
        "The phone's own ids of the received SMS that it was about.", default=None, omit=True
    )


@attrs.frozen(kw_only=True)
class FromPhone:
    """A frame of a phone. How it was put right does not make it another frame."""

    cleaned: tuple[Kind, ...] = attrs.field(default=(), eq=False, repr=False)
    """What of it was put right or left out, in kinds."""
    complaint: Error | None = attrs.field(default=None, eq=False, repr=False)
    """What the phone is answered about that, for its makers."""


# --- From phones ------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Hello(FromPhone):
    """What the phone is and which extensions it knows."""

    type: ClassVar = "hello"

    device_id: Annotated[str | None, reported.DeviceId()] = field(
        "The phone's own name, the same in every connection.", default=None, example="pixel-7-01"
    )
    name: Annotated[str | None, reported.Label()] = field(
        "What its owner calls it.", default=None, example="kitchen"
    )
    model: Annotated[str | None, reported.Label()] = field(
        "Its model.", default=None, example="Pixel 7"
    )
    app: Annotated[str | None, reported.Label()] = field(
        "The program that speaks, with its version.", default=None, example="my-app 1.0"
    )
    features: Annotated[frozenset[str], reported.Words(MAX_FEATURES)] = field(
        f"Of {', '.join(FEATURES)}; others are ignored. Name only what the phone does.",
        default=attrs.Factory(frozenset),
        example=["ack", "delivery_report", "cancel"],
    )
    window: Annotated[int | None, reported.Whole(1, MAX_WINDOW)] = field(
        "How many messages it takes before it has reported the result of one, where its radio is "
        "slow. The others wait at the gateway.",
        default=None,
        example=4,
    )


@attrs.frozen(kw_only=True)
class SimReport:
    """A SIM in a phone."""

    slot: Annotated[int, reported.SimSlot()] = field(
        "Its slot; one in -1, which is Android's word for none, is left out.", example=0
    )
    number: Annotated[str | None, reported.SimNumber()] = field(
        "Its number, where Android tells it.", default=None, example="+15551112222", private=True
    )
    carrier: Annotated[str | None, reported.Label()] = field(
        "Its network.", default=None, example="AT&T"
    )


@attrs.frozen(kw_only=True)
class Sims(FromPhone):
    """The SIMs that the phone has now, all of them. Sent at once, and whenever they change."""

    type: ClassVar = "sims"

    sims: Annotated[tuple[SimReport, ...], Entries(SimReport)] = field(
        f"By slot, up to {MAX_SIMS}. One without a slot is left out."
    )


@attrs.frozen(kw_only=True)
class Inbound(FromPhone):
    """Received SMS: one under message, or several under messages.

    A phone that said hello sends them again until inbound_ack comes. The gateway stores each once.
    """

    type: ClassVar = "inbound"

    message: Annotated[None, Entry(ReceivedSms)] = field(
        "One SMS, where it comes alone.", default=None, init=False
    )
    messages: Annotated[
        tuple[Received | Unread, ...], Entries(ReceivedSms, MAX_MESSAGES, or_null=True)
    ] = field(
        "Several, oldest first. One that can't be read is left out, and acknowledged with null in "
        "message_ids.",
        default=attrs.Factory(tuple),
    )


@attrs.frozen(kw_only=True)
class Ack(FromPhone):
    """The phone has journalled the message and is about to send it: it is not pushed again."""

    type: ClassVar = "ack"

    id: Annotated[int, reported.MessageId()] = field(_PUSHED, example=5)


@attrs.frozen(kw_only=True)
class SendResult(FromPhone):
    """What became of a pushed message."""

    type: ClassVar = "send_result"

    success: Annotated[bool, reported.Truth()] = field("Whether the radio sent it.", example=True)
    id: Annotated[int, reported.MessageId()] = field(_PUSHED, example=5)
    error: Annotated[str | None, reported.ErrorText()] = field(
        f"Why not; {MAX_ERROR} characters of it are kept.", default=None, private=True
    )
    segments: Annotated[int | None, reported.Whole(1, MAX_SEGMENTS)] = field(
        "SMS that it took.", default=None
    )
    uncertain: Annotated[bool, reported.Flag(unknown=False)] = field(
        "The phone itself does not know whether it was sent.", default=False
    )

    def __attrs_post_init__(self) -> None:
        # A phone that says it was sent is not uncertain, whatever else it says.
        if self.uncertain and self.success:
            object.__setattr__(self, "uncertain", False)


@attrs.frozen(kw_only=True)
class DeliveryReport(FromPhone):
    """The recipient's network reported on a sent message."""

    type: ClassVar = "delivery_report"

    id: Annotated[int, reported.MessageId()] = field(_PUSHED, example=5)
    delivered: Annotated[bool, reported.Truth()] = field(
        "Whether the recipient's phone has it. false makes the message failed, which a later true "
        "lifts.",
        example=True,
    )
    date: Annotated[int | None, reported.Date()] = field(
        "When, in ms since 1970.", default=None, example=1700000000000
    )


@attrs.frozen(kw_only=True)
class Status(FromPhone):
    """How the phone is."""

    type: ClassVar = "status"

    battery: Annotated[int | None, reported.Whole(0, 100)] = field(
        "Percent.", default=None, example=83
    )
    charging: Annotated[bool | None, reported.Flag()] = field(
        "Whether it charges.", default=None, example=True
    )
    signal: Annotated[int | None, reported.Whole(-200, 100)] = field(
        "Bars or dBm, as the phone likes.", default=None, example=3
    )
    network: Annotated[str | None, reported.Label()] = field(
        "Such as wifi.", default=None, example="wifi"
    )

    @property
    def health(self) -> Health:
        """The phone's health, as the gateway keeps it."""
        return Health(
            battery=self.battery, charging=self.charging, signal=self.signal, network=self.network
        )


@attrs.frozen(kw_only=True)
class Ping(FromPhone):
    """Asks for a pong, for apps whose library hides the websocket's own pings."""

    type: ClassVar = "ping"


PhoneFrame = Hello | Sims | Inbound | Ack | SendResult | DeliveryReport | Status | Ping


# --- To phones --------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Connected:
    """Always the first frame."""

    type: ClassVar = "connected"

    org_id: str = field("The org.", example="ORG")
    device_id: str | None = field("As the phone gave it.")
    server_time: Annotated[int, Shown(iso, "date-time")] = field(
        "The gateway's clock (ISO 8601, UTC).", example="2026-11-21T08:00:00.000Z"
    )
    org_since: Annotated[int, Shown(iso, "date-time")] | None = field(
        "When the org was made, for a phone that names itself. If it is another than before, so is "
        "the gateway: ids begin anew, and a phone forgets those that it remembers.",
        default=None,
        omit=True,
    )


@attrs.frozen(kw_only=True)
class SendSms:
    """Send this. The same id again is the same message: send it once."""

    type: ClassVar = "send_sms"

    id: Annotated[int, Whole(1, MAX_ID)] = field("The message.", example=5)
    to: str = field("The recipient.", example="+15553334444", private=True)
    body: str = field("The text.", example="hi", private=True)
    sim: str | None = field(
        "The number of the SIM to send from, where the phone has reported one.",
        example="+15551112222",
        private=True,
    )
    sim_slot: Annotated[int, Whole(0, MAX_SLOT)] | None = field(
        "That SIM's slot.", default=None, omit=True
    )
    segments: Annotated[int, Whole(1, MAX_SEGMENTS)] | None = field(
        "SMS that it takes.", default=None, omit=True
    )
    expires_at: Annotated[int, Whole(0, MAX_TIME_MS)] | None = field(
        "Not to be sent after this time, in ms since 1970.", default=None, omit=True
    )
    priority: Annotated[int, Whole(-128, 127)] | None = field(
        "Of several the highest goes first; where it is left out, it is 0.",
        default=None,
        omit=True,
    )
    media_urls: (
        Annotated[tuple[Annotated[str, Text(0, MAX_URL)], ...], Several(0, MAX_MEDIA)] | None
    ) = field("Pictures and other media of an MMS.", default=None, omit=True, private=True)


@attrs.frozen(kw_only=True)
class InboundAck:
    """An inbound frame is stored for good: forget it. Until then send it again."""

    type: ClassVar = "inbound_ack"

    ids: _LocalIds = field(
        "The phone's own ids, one for each message of the frame.", example=["123"]
    )
    message_id: int | None = field(
        "The gateway's id of the last that is stored.", init=False, example=7
    )
    message_ids: tuple[int | None, ...] = field(
        "The gateway's ids of all; null for one that could not be read, which need not be sent "
        "again.",
        example=[7],
    )

    def __attrs_post_init__(self) -> None:
        last = next((i for i in reversed(self.message_ids) if i), None)
        object.__setattr__(self, "message_id", last)


@attrs.frozen
class Cancel:
    """Drop this message if it has not left yet, and confirm with a failed send_result."""

    type: ClassVar = "cancel"

    id: Annotated[int, Whole(1, MAX_ID)] = field(_PUSHED, example=5)


@attrs.frozen
class Pong:
    """Answers a ping: what came before it is recorded, but for what error frames have named."""

    type: ClassVar = "pong"


GatewayFrame = Connected | SendSms | InboundAck | Cancel | Error | Pong

_WRITER: Final = JsonWriter(ascii_only=True)


def writer_of(cls: Any) -> Callable[[Any], str]:
    """Makes the function that writes the frames of a type."""
    return _WRITER.function(cls, {"type": cls.type})


_WRITE: Final[Mapping[type, Callable[[Any], str]]] = {
    cls: writer_of(cls) for cls in get_args(GatewayFrame)
}


def encode(frame: GatewayFrame) -> str:
    """Writes a frame as compact JSON, in which all but ASCII is escaped."""
    return _WRITE[type(frame)](frame)

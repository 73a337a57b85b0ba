"""The phone link in the document: the websocket's handshake and the frames of both directions.

Of what a phone reports the document shows the form to send. Most fields take any other value too,
which is put right or left out. Pure.
"""

from typing import Any, Final

from phonegate.api.messages_types import ReceivedSms
from phonegate.api.openapi.conditions import CONDITIONS
from phonegate.api.openapi.rules import (
    WRITTEN,
    Schema,
    reported,
    whole,
)
from phonegate.model.bounds import (
    MAX_DEVICE_ID,
    MAX_ERROR,
    MAX_FEATURES,
    MAX_ID,
    MAX_LABEL,
    MAX_LOCAL_ID,
    MAX_MEDIA,
    MAX_MESSAGES,
    MAX_NUMBER,
    MAX_RECEIVED,
    MAX_SEGMENTS,
    MAX_SIMS,
    MAX_SLOT,
    MAX_URL,
)
from phonegate.model.numbers import SENDER_LIMIT
from phonegate.model.times import MAX_TIME_MS

PATH: Final = "/websocket"

ABOUT: Final = """\
Phones stay connected here: `wss://HOST/websocket?org_id=ORG&secret_key=SECRET`. The first \
connection with a new OrgId and SecretKey creates the org, if the gateway lets its caller do so. \
Frames are JSON texts with a `type`: \
`PhoneFrame` are those a phone sends, `GatewayFrame` those it gets. `sims`, `inbound`, \
`send_result`, `connected` and `send_sms` are enough for a phone that knows no more; one that \
says `hello` gets the rest. Unknown fields are ignored. What happened is never refused for what \
decorates it: fields of an odd form are put right or left out. A frame that can't be understood \
is answered with an `error` frame. Close codes: 1008 for a phone that goes on sending nonsense, \
1009 for a frame over 64 KiB (1 MiB for one of received SMS), 1012 when the gateway restarts, \
4000 when a newer connection of the same phone takes its place."""

_FRAMES: Final = "#/components/schemas/"


def _text(longest: int, about: str, **more: Any) -> Schema:
    return {"type": "string", "maxLength": longest, "description": about, **more}


def _number(least: int, most: int, about: str) -> Schema:
    return {**whole(least, most), "description": about}


def _flag(about: str) -> Schema:
    return {"type": "boolean", "description": about}


def _list(items: Schema, most: int, about: str) -> Schema:
    return {"type": "array", "items": items, "maxItems": most, "description": about}


def _object(about: str, required: tuple[str, ...], /, **properties: Schema) -> Schema:
    return {
        "type": "object",
        "description": about,
        "properties": properties,
        "required": list(required),
    }


def _frame(kind: str, about: str, required: tuple[str, ...], /, **properties: Schema) -> Schema:
    named: Schema = {"type": "string", "const": kind}
    return _object(about, ("type", *required), type=named, **properties)


def _optional(**properties: Schema) -> dict[str, Schema]:
    """Fields of a phone that do no harm, whatever they hold."""
    return {name: _decoration(schema) for name, schema in properties.items()}


def _decoration(schema: Schema) -> Schema:
    form = {name: value for name, value in schema.items() if name != "description"}
    return {**reported(form), "description": schema["description"]}


def _message_id(about: str) -> Schema:
    digits = {"type": "string", "pattern": "^[1-9][0-9]{0,17}$"}
    return {"anyOf": [whole(1, MAX_ID), digits], "description": about}


def _truth(about: str) -> Schema:
    digits = {"type": "integer", "enum": [0, 1]}
    words = {"type": "string", "enum": ["true", "false", "yes", "no", "1", "0"]}
    return {"anyOf": [{"type": "boolean"}, digits, words], "description": about}


_ID: Final = _message_id("The message that the gateway pushed.")
_LOCAL_ID: Final[Schema] = {
    "anyOf": [{"type": "string", "maxLength": MAX_LOCAL_ID}, whole(-MAX_ID, MAX_ID)],
    "description": "The phone's own id of it; echoed in inbound_ack.",
}
_MEDIA: Final = _list(
    {"type": "string", "maxLength": MAX_URL}, MAX_MEDIA, "Pictures and other media of an MMS."
)

PHONE_FRAMES: Final[dict[str, Schema]] = {
    "PhoneHello": _frame(
        "hello",
        "What the phone is and which extensions it knows.",
        (),
        **_optional(
            device_id=_text(MAX_DEVICE_ID, "The phone's own name, the same in every connection."),
            name=_text(MAX_LABEL, "What its owner calls it."),
            model=_text(MAX_LABEL, "Its model."),
            app=_text(MAX_LABEL, "The program that speaks, with its version."),
            features=_list(
                {"type": "string", "maxLength": MAX_LABEL},
                MAX_FEATURES,
                "Of ack, delivery_report, cancel, mms; others are ignored.",
            ),
        ),
    ),
    "PhoneSims": _frame(
        "sims",
        "The SIMs that the phone has now, all of them.",
        ("sims",),
        sims={
            "type": "array",
            "items": reported({"$ref": f"{_FRAMES}PhoneSim"}),
            "description": f"By slot, up to {MAX_SIMS}. One without a slot is left out.",
            # Where none can be read, it is not known which SIMs there are.
            "if": {"minItems": 1},
            "then": {"contains": {"$ref": f"{_FRAMES}PhoneSim"}},
        },
    ),
    "PhoneInbound": {
        **_frame(
            "inbound",
            "Received SMS: one under message, or several under messages. Sent again until "
            "inbound_ack comes; the gateway stores each once.",
            (),
            message=reported({"$ref": f"{_FRAMES}PhoneInboundMessage"}),
            messages={
                "type": ["array", "null"],
                "items": reported({"$ref": f"{_FRAMES}PhoneInboundMessage"}),
                "maxItems": MAX_MESSAGES,
                "description": "Several, oldest first. One that can't be read is left out, and "
                "acknowledged with null in message_ids.",
            },
        ),
        "if": {"properties": {"messages": {"type": "null"}}},
        "then": {"required": ["message"], "properties": {"message": {"type": "object"}}},
        "else": {
            "properties": {
                "messages": {
                    "if": {"minItems": 1},
                    "then": {"contains": {"type": "object"}},
                }
            }
        },
    },
    "PhoneSendResult": _frame(
        "send_result",
        "What became of a pushed message.",
        ("id", "success"),
        id=_ID,
        success=_truth("Whether the radio sent it."),
        **_optional(
            error={
                "type": "string",
                "description": f"Why not; {MAX_ERROR} characters of it are kept.",
            },
            segments=_number(1, MAX_SEGMENTS, "SMS that it took."),
            uncertain=_flag("The phone itself does not know whether it was sent."),
        ),
    ),
    "PhoneAck": _frame(
        "ack",
        "The phone has journalled the message and is about to send it: it is not pushed again.",
        ("id",),
        id=_ID,
    ),
    "PhoneDeliveryReport": _frame(
        "delivery_report",
        "The recipient's network reported on a sent message.",
        ("id", "delivered"),
        id=_ID,
        delivered=_truth("Whether the recipient's phone has it."),
        **_optional(date=_number(0, MAX_TIME_MS, "When, in ms since 1970.")),
    ),
    "PhoneStatus": _frame(
        "status",
        "How the phone is.",
        (),
        **_optional(
            battery=_number(0, 100, "Percent."),
            charging=_flag("Whether it charges."),
            signal=_number(-200, 100, "Bars or dBm, as the phone likes."),
            network=_text(MAX_LABEL, "Such as wifi."),
        ),
    ),
    "PhonePing": _frame("ping", "Asks for a pong.", ()),
}
"""What a phone sends."""

GATEWAY_FRAMES: Final[dict[str, Schema]] = {
    "GatewayConnected": _frame(
        "connected",
        "Always the first frame.",
        ("org_id", "device_id", "server_time"),
        org_id={"type": "string", "description": "The org."},
        device_id={"type": ["string", "null"], "description": "As the phone gave it."},
        server_time={
            "type": "string",
            "format": "date-time",
            "description": "The gateway's clock (ISO 8601, UTC).",
        },
    ),
    "GatewaySendSms": _frame(
        "send_sms",
        "Send this. The same id again is the same message: send it once.",
        ("id", "to", "body", "sim"),
        id=_number(1, MAX_ID, "The message."),
        to={"type": "string", "description": "The recipient."},
        body={"type": "string", "description": "The text."},
        sim={"type": ["string", "null"], "description": "The number of the SIM to send from."},
        sim_slot=_number(0, MAX_SLOT, "That SIM's slot."),
        segments=_number(1, MAX_SEGMENTS, "SMS that it takes."),
        expires_at=_number(0, MAX_TIME_MS, "Not to be sent after this time, in ms since 1970."),
        media_urls=_MEDIA,
    ),
    "GatewayInboundAck": _frame(
        "inbound_ack",
        "An inbound frame is stored for good.",
        ("ids", "message_id", "message_ids"),
        ids={
            "type": "array",
            "items": {"type": ["string", "integer", "null"]},
            "description": "The phone's own ids, one for each message of the frame.",
        },
        message_id={
            "type": ["integer", "null"],
            "description": "The gateway's id of the last that is stored.",
        },
        message_ids={
            "type": "array",
            "items": {"type": ["integer", "null"]},
            "description": "The gateway's ids of all; null for one that could not be read, which "
            "need not be sent again.",
        },
    ),
    "GatewayCancel": _frame(
        "cancel",
        "Drop this message if it has not left yet.",
        ("id",),
        id=_number(1, MAX_ID, "The message that the gateway pushed."),
    ),
    "GatewayError": _frame(
        "error",
        "A frame was refused.",
        ("detail", "code"),
        detail={"type": "string", "description": "What was wrong, for people."},
        code={"type": "string", "description": "What was wrong, for programs."},
        field={"type": "string", "description": "The wrong field, where one was."},
        id={"type": "integer", "description": "The message that the frame was about."},
        ids={
            "type": "array",
            "items": {"type": ["string", "integer", "null"]},
            "description": "The phone's own ids of the messages in it.",
        },
    ),
    "GatewayPong": _frame("pong", "Answers a ping.", ()),
}
"""What a phone gets."""

_PARTS: Final[dict[str, Schema]] = {
    "PhoneSim": _object(
        "A SIM in a phone.",
        ("slot",),
        slot={
            "anyOf": [
                whole(-1, MAX_SLOT),
                {"type": "string", "pattern": "^[0-9]{1,2}$"},
            ],
            "description": "Its slot; one in -1, which is Android's word for none, is left out.",
        },
        **_optional(
            number=_text(
                MAX_NUMBER, "Its number, where Android tells it.", examples=["+15551112222"]
            ),
            carrier=_text(MAX_LABEL, "Its network."),
        ),
    ),
    "PhoneInboundMessage": _object(
        "A received SMS. It needs a body. What else is odd is put right or left out.",
        (),
        body={
            **WRITTEN,
            "description": f"Its text, of which {MAX_RECEIVED} characters are kept. Only an MMS "
            "may leave it out.",
        },
        **_optional(
            address=_text(
                SENDER_LIMIT,
                "Who sent it. Empty where it named no sender.",
                examples=["+15553334444"],
            ),
            date=_number(
                0,
                MAX_TIME_MS,
                "When, by the phone's clock, in ms since 1970. Seconds are taken too, and ISO 8601 "
                "with an offset.",
            ),
            sim_slot=_number(0, MAX_SLOT, "The receiving SIM's slot."),
            sim=_text(MAX_NUMBER, "The receiving SIM's number."),
            id=_LOCAL_ID,
            media_urls=_MEDIA,
        ),
    )
    | CONDITIONS[ReceivedSms],
}


def frame_schemas() -> dict[str, Schema]:
    """The components of the link, each frame's and the two unions of them."""
    return {
        "PhoneFrame": _union("What a phone sends.", PHONE_FRAMES),
        **PHONE_FRAMES,
        **_PARTS,
        "GatewayFrame": _union("What a phone gets.", GATEWAY_FRAMES),
        **GATEWAY_FRAMES,
    }


def handshake(responses: dict[str, Any], security: list[dict[str, list[str]]]) -> dict[str, Any]:
    """The operation that a phone connects with."""
    query = {
        "org_id": "The OrgId; an API key makes it unnecessary.",
        "device_id": "The phone's own name, the same in every connection.",
        "name": "What its owner calls the phone.",
    }
    return {
        "operationId": "connect_phone",
        "tags": ["phones"],
        "summary": "Connect a phone (websocket)",
        "description": ABOUT,
        "security": security,
        "parameters": [
            {
                "name": name,
                "in": "query",
                "description": about,
                "schema": {"type": "string"},
            }
            for name, about in query.items()
        ],
        "responses": responses,
        "x-websocket": {
            "sends": {"$ref": f"{_FRAMES}PhoneFrame"},
            "receives": {"$ref": f"{_FRAMES}GatewayFrame"},
        },
    }


def _union(about: str, frames: dict[str, Schema]) -> Schema:
    return {
        "description": about,
        "oneOf": [{"$ref": _FRAMES + name} for name in frames],
        "discriminator": {
            "propertyName": "type",
            "mapping": {
                schema["properties"]["type"]["const"]: _FRAMES + name
                for name, schema in frames.items()
            },
        },
    }

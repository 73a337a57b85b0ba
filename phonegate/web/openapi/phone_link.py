"""The phone link in the document: the websocket's handshake and the frames of both directions.

The frames' limits are those of the grammar that reads them. Pure.
"""

from typing import Any, Final

from phonegate.phones.grammar import (
    MAX_BODY,
    MAX_DEVICE_ID,
    MAX_ERROR,
    MAX_FEATURES,
    MAX_ID,
    MAX_INBOUND,
    MAX_LABEL,
    MAX_MEDIA,
    MAX_MEDIA_URL,
    MAX_NUMBER,
    MAX_SLOT,
    MAX_TIME_MS,
)
from phonegate.web.openapi.rules import Schema, whole
from phonegate.web.openapi.schema import nullable

PATH: Final = "/websocket"

ABOUT: Final = """\
Phones stay connected here: `wss://HOST/websocket?org_id=ORG&secret_key=SECRET`. The first \
connection with a new OrgId and SecretKey creates the org, if the gateway lets its caller do so. \
Frames are JSON texts with a `type`: \
`PhoneFrame` are those a phone sends, `GatewayFrame` those it gets. `sims`, `inbound`, \
`send_result`, `connected` and `send_sms` are enough for a phone that knows no more; one that \
says `hello` gets the rest. Unknown fields are ignored. A frame that can't be understood is \
answered with an `error` frame. Close codes: 1008 for a phone that goes on sending nonsense, \
1009 for a frame over 64 KiB, 1012 when the gateway restarts, 4000 when a newer connection of \
the same phone takes its place."""

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
    """Fields of a phone, which count as left out when they are null."""
    return {name: nullable(schema) for name, schema in properties.items()}


_ID: Final = _number(1, MAX_ID, "The message that the gateway pushed.")
_LOCAL_ID: Final[Schema] = {
    "anyOf": [{"type": "string", "maxLength": MAX_LABEL}, whole(-MAX_ID, MAX_ID)],
    "description": "The phone's own id of it; echoed in inbound_ack.",
}
_MEDIA: Final = _list(
    {"type": "string", "maxLength": MAX_MEDIA_URL}, MAX_MEDIA, "Pictures and other media of an MMS."
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
        sims=_list({"$ref": f"{_FRAMES}PhoneSim"}, MAX_SLOT + 1, "By slot; none twice."),
    ),
    "PhoneInbound": {
        **_frame(
            "inbound",
            "Received SMS: one under message, or several under messages. Sent again until "
            "inbound_ack comes; the gateway stores each once.",
            (),
            message=nullable({"$ref": f"{_FRAMES}PhoneInboundMessage"}),
            messages=nullable(
                _list(
                    {"$ref": f"{_FRAMES}PhoneInboundMessage"}, MAX_INBOUND, "Several, oldest first."
                )
            ),
        ),
        "if": {"properties": {"messages": {"type": "null"}}},
        "then": {"required": ["message"], "properties": {"message": {"type": "object"}}},
    },
    "PhoneSendResult": _frame(
        "send_result",
        "What became of a pushed message.",
        ("id", "success"),
        id=_ID,
        success=_flag("Whether the radio sent it."),
        **_optional(
            error={
                "type": "string",
                "description": f"Why not; {MAX_ERROR} characters of it are kept.",
            },
            segments=_number(1, 255, "SMS that it took."),
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
        delivered=_flag("Whether the recipient's phone has it."),
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
        segments=_number(1, 255, "SMS that it takes."),
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
        message_id={"type": ["integer", "null"], "description": "The gateway's id of the last."},
        message_ids={
            "type": "array",
            "items": {"type": "integer"},
            "description": "The gateway's ids of all.",
        },
    ),
    "GatewayCancel": _frame("cancel", "Drop this message if it has not left yet.", ("id",), id=_ID),
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
        slot=_number(0, MAX_SLOT, "Its slot."),
        **_optional(
            number=_text(
                MAX_NUMBER, "Its number, where Android tells it.", examples=["+15551112222"]
            ),
            carrier=_text(MAX_LABEL, "Its network."),
        ),
    ),
    "PhoneInboundMessage": _object(
        "A received SMS.",
        ("address", "body"),
        address=_text(64, "Who sent it.", minLength=1, examples=["+15553334444"]),
        body=_text(MAX_BODY, "Its text."),
        **_optional(
            date=_number(0, MAX_TIME_MS, "When, by the phone's clock, in ms since 1970."),
            sim_slot=_number(0, MAX_SLOT, "The receiving SIM's slot."),
            sim=_text(MAX_NUMBER, "The receiving SIM's number."),
            id=_LOCAL_ID,
            media_urls=_MEDIA,
        ),
    ),
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

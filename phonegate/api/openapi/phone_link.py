"""Describes the phone link: the websocket's handshake and the frames of both directions. Pure.

For what a phone reports, the document shows the form to send. Most fields take any other value
too, which is put right or left out.
"""

from collections.abc import Mapping
from typing import Any, Final, get_args

from phonegate.api.openapi.rules import Schema
from phonegate.api.openapi.schema import Components
from phonegate.phones.frames import GatewayFrame, PhoneFrame

PATH: Final = "/websocket"

ABOUT: Final = """\
Phones stay connected here: `wss://HOST/websocket?org_id=ORG&secret_key=SECRET`. The first \
connection with a new OrgId and SecretKey creates the org, if the gateway lets its caller do so. \
Frames are JSON texts with a `type`: \
`PhoneFrame` are those a phone sends, `GatewayFrame` those it gets. `sims`, `inbound`, \
`send_result`, `connected` and `send_sms` are the basic protocol, which is enough; a phone that \
says `hello` gets the rest. Unknown fields are ignored. What happened is never refused for what \
decorates it: fields of an odd form are put right or left out. A frame that can't be understood \
is answered with an `error` frame. Close codes: 1008 for a phone that goes on sending nonsense, \
1009 for a frame over 64 KiB (1 MiB for one of received SMS), 1012 when the gateway restarts, \
4000 when a newer connection of the same phone takes its place."""

_FRAMES: Final = "#/components/schemas/"


def add_frames(components: Components) -> None:
    """Adds the schemas of all frames, and of the unions of both directions."""
    phone = {f"Phone{cls.__name__}": cls for cls in get_args(PhoneFrame)}
    gateway = {f"Gateway{cls.__name__}": cls for cls in get_args(GatewayFrame)}
    components.schemas["PhoneFrame"] = _union("What a phone sends.", phone)
    for name, cls in phone.items():
        components.schemas[name] = frame_schema(cls, components)
    components.schemas["GatewayFrame"] = _union("What a phone gets.", gateway)
    for name, cls in gateway.items():
        components.schemas[name] = frame_schema(cls, components, answer=True)


def frame_schema(cls: Any, components: Components, *, answer: bool = False) -> Schema:
    """Returns the schema of a frame: of its fields, and of the `type` that names it.

    Args:
        cls: The frame's type.
        components: Where the schemas of its parts are added.
        answer: Whether the gateway writes it.
    """
    schema = components.of_object(cls, answer=answer)
    named = {"type": {"type": "string", "const": cls.type}}
    required = ["type", *schema.get("required", ())]
    return {**schema, "properties": named | schema["properties"], "required": required}


def handshake(responses: dict[str, Any], security: list[dict[str, list[str]]]) -> dict[str, Any]:
    """Returns the operation that a phone connects with."""
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


def _union(about: str, frames: Mapping[str, Any]) -> Schema:
    return {
        "description": about,
        "oneOf": [{"$ref": _FRAMES + name} for name in frames],
        "discriminator": {
            "propertyName": "type",
            "mapping": {cls.type: _FRAMES + name for name, cls in frames.items()},
        },
    }

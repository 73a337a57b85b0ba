"""What the gateway calls: each type of event as a webhook of the document (OpenAPI 3.1). Pure."""

from typing import Any, Final

from phonegate.api.event_json import EventJson
from phonegate.api.openapi.rules import Schema
from phonegate.api.openapi.schema import Components
from phonegate.model.events import EVENT_TYPES, MEANINGS, EventType

GROUP: Final = "webhooks"

_JSON: Final = "application/json"

_HEADERS: Final[tuple[Schema, ...]] = (
    {
        "name": "webhook-id",
        "in": "header",
        "required": True,
        "description": "Names what is delivered, the same at every attempt: the id of the event. "
        "A receiver that has seen it before has the event already. Of a test it begins with test_.",
        "schema": {"type": "string", "pattern": "^([0-9]+|test_.+)$"},
        "example": "1234",
    },
    {
        "name": "webhook-timestamp",
        "in": "header",
        "required": True,
        "description": "When this attempt was made, in seconds since 1970. One that is more than a "
        "few minutes old is not the gateway's.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
        "example": "1795334400",
    },
    {
        "name": "webhook-signature",
        "in": "header",
        "required": True,
        "description": "Signatures by Standard Webhooks 1.0.0, with blanks between them, of which "
        "one that is right is enough: v1, and the HMAC-SHA256, in base64, of webhook-id, "
        "webhook-timestamp and the body, with points between them. The key is the webhook's secret "
        "without whsec_, decoded from base64. For a day after a rotation there are two.",
        "schema": {"type": "string", "pattern": "^v1,[A-Za-z0-9+/=]+( v1,[A-Za-z0-9+/=]+)*$"},
        "example": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    },
)

_BODY: Final = (
    "The event, as a webhook of shape standard gets it. One of shape flat gets its values on one "
    "level of keys, signed likewise; one of shape twilio a form, signed by X-Twilio-Signature; "
    "one of shape smsgate JSON of another form, signed by X-Signature over body and X-Timestamp."
)

_RESPONSES: Final[Schema] = {
    "2XX": {"description": "It was taken, and is not delivered again."},
    "410": {"description": "Nothing more is wanted: the webhook is disabled at once."},
    "default": {
        "description": "It was not taken, and is tried again for three days. Retry-After is "
        "obeyed, and no redirect is followed."
    },
}


def webhooks(components: Components) -> dict[str, Any]:
    """Returns what is called with each type of event, in shape `standard`, by the type."""
    event = components.refer(EventJson, answer=True)
    return {type_: {"post": _call(type_, event)} for type_ in EVENT_TYPES}


def _call(type_: EventType, event: Schema) -> dict[str, Any]:
    subject = type_.partition(".")[0]
    own = {
        "properties": {
            "type": {"const": type_},
            "data": {"required": [subject]},
            "test": {
                "const": True,
                "description": "Only in a test, whose event did not happen and whose id is 0.",
            },
        }
    }
    return {
        "operationId": f"on_{type_.replace('.', '_')}",
        "tags": [GROUP],
        "summary": type_,
        "description": MEANINGS[type_],
        "parameters": list(_HEADERS),
        "requestBody": {
            "required": True,
            "description": _BODY,
            "content": {_JSON: {"schema": {"allOf": [event, own]}}},
        },
        "responses": _RESPONSES,
    }

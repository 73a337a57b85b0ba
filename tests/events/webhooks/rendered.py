"""Events as the API shows them."""

from typing import Any


def message(**fields: Any) -> dict[str, Any]:
    """A received message as the API shows it, but for `fields`."""
    shown: dict[str, Any] = {
        "id": 5,
        "direction": "in",
        "address": "+15553334444",
        "body": "Grüße & 😀",
        "status": "received",
        "created_at": "2026-11-21T08:00:00.000Z",
        "sim_slot": 0,
        "sim": "+15551112222",
        "date": 1_700_000_000_000,
        "sent_at": None,
        "delivered_at": None,
        "error": None,
        "segments": None,
        "provider": "phone",
        "media_urls": None,
    }
    return shown | fields


def event(kind: str = "message.received", **fields: Any) -> dict[str, Any]:
    """An event of a message as the API shows it, but for `fields` of its message."""
    status = kind.partition(".")[2]
    if kind != "message.received":
        fields = {"direction": "out", "status": status, "date": None, **fields}
    return {
        "id": 1234,
        "type": kind,
        "created_at": "2026-11-21T08:00:00.001Z",
        "data": {"message": message(**fields)},
    }

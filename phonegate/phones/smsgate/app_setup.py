"""What the app gets to know of the gateway: its settings, and what to report where. Pure.

One setting that the app can't take fails all of them, and one event that it does not know fails the
whole list. So only what its version knows is written here. The address of its server is never set:
with a wrong one the phone would be lost.
"""

from typing import Any, Final

from phonegate.phones.smsgate.app_version import AppVersion

PING_S: Final = 300
"""Between two reports of how the phone is. With each the app also looks for messages."""


def settings_for(signing_key: str) -> dict[str, Any]:
    """Returns the settings of an app that signs with this key."""
    return {
        # Stream alone: no other service can ring it on our behalf.
        "gateway": {"notification_channel": "SSE_ONLY"},
        "messages": {"processing_order": "FIFO"},
        "ping": {"interval_seconds": PING_S},
        # Home networks may have a gateway and no internet.
        "webhooks": {"signing_key": signing_key, "internet_required": False},
    }


def calls_for(version: AppVersion, address: str) -> list[dict[str, str]]:
    """Returns what the app reports by calling an address, in the form of its list of webhooks."""
    return [
        {"id": f"phonegate-{event.replace(':', '-')}", "url": address, "event": event}
        for event in version.events
    ]

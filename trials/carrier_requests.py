"""What the clients of the carriers' trial send."""

import random
import time
from typing import Any

import attrs

from kit.fake_carrier.accounts import CarrierName
from kit.fake_carrier.journeys import MAGIC, SILENT

PEOPLE = tuple(f"+1555123{number:04d}" for number in range(1, 7))
"""Few, so that a lost message has others of the same numbers beside it."""
DOOMED = {"twilio": ("30003", "30007"), "telnyx": ("40008", "40014")}
REFUSED = {"twilio": ("50001", "50004"), "telnyx": ("40300",)}
"""Recipients, after MAGIC, to which the carriers fail later, or refuse at once."""
SENDERS: dict[CarrierName, tuple[str, ...]] = {
    "twilio": ("+15005550006", "+1234567890"),
    "telnyx": ("+15005550010", "+13125550001"),
}
PICTURE = "https://example.com/a.jpg"


@attrs.frozen(kw_only=True)
class Request:
    """One send of a client."""

    key: str
    carrier: CarrierName
    sender: str
    recipient: str
    body: str
    media: tuple[str, ...] = ()
    ttl_s: int | None = None
    send_at: int | None = None
    """When it is to leave, in ms; None for at once."""

    @property
    def sms(self) -> tuple[str, str, str]:
        """What makes it the same SMS as another for its receiver."""
        return (self.sender, self.recipient, self.body)

    @property
    def content(self) -> dict[str, Any]:
        """The body of its request."""
        content = {
            "from_phone_number": self.sender,
            "to_phone_number": self.recipient,
            "message": self.body,
            "media_urls": self.media,
            "ttl": self.ttl_s,
            "send_at": self.send_at,
        }
        return {name: value for name, value in content.items() if value not in (None, ())}


def draw(key: str, chance: random.Random) -> Request:
    """Returns what a client sends next: some of everything that can happen to a message."""
    carrier: CarrierName = chance.choice(("twilio", "telnyx"))
    recipient, dice = chance.choice(PEOPLE), chance.random()
    now = time.time_ns() // 1_000_000
    if dice < 0.08:
        recipient = MAGIC + chance.choice(DOOMED[carrier])
    elif dice < 0.12:
        recipient = MAGIC + chance.choice(REFUSED[carrier])
    elif dice < 0.16:
        recipient = SILENT
    # Twins differ in nothing but their keys.
    body = "twin" if chance.random() < 0.15 else f"text {key}, naïve \u2018quotes\u2019"
    return Request(
        key=key,
        carrier=carrier,
        sender=chance.choice(SENDERS[carrier]),
        recipient=recipient,
        body=body,
        media=(PICTURE,) if chance.random() < 0.1 else (),
        ttl_s=2 if chance.random() < 0.1 else None,
        send_at=now + chance.randrange(200, 2_000) if chance.random() < 0.1 else None,
    )

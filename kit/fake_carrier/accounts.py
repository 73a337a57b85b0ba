"""Who may send through the fake carriers, and with which numbers."""

import base64
from typing import Literal

import attrs
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CarrierName = Literal["twilio", "telnyx"]


@attrs.define(kw_only=True)
class TwilioAccount:
    """An account at Twilio. `sms_url` is where its numbers' inbound messages go."""

    sid: str = "AC" + "0123456789abcdef" * 2
    token: str = "fake-twilio-token-0123456789abcd"
    numbers: tuple[str, ...] = ("+15005550006", "+1234567890")
    """The first is Twilio's own sender for tests, the second stands in the documented examples."""
    services: tuple[str, ...] = ("MG" + "fedcba9876543210" * 2,)
    """Messaging services; they send from the first number."""
    sms_url: str | None = None
    keys: dict[str, str] = attrs.Factory(dict)
    """API keys (SK…) and their secrets, which serve in place of the sid and token."""

    def opens(self, user: str, password: str) -> bool:
        return (user, password) == (self.sid, self.token) or self.keys.get(user) == password


def _seeded_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(b"phonegate fake carrier, telnyx.."[:32])


@attrs.define(kw_only=True)
class TelnyxAccount:
    """An organization at Telnyx. `webhook_url` is its messaging profile's, for inbound messages."""

    api_key: str = "KEY0123456789ABCDEF_faketelnyxkey0123"
    numbers: tuple[str, ...] = ("+15005550010", "+13125550001")
    profile: str = "4000eba1-a0c0-4563-9925-b25e842a7cb6"
    organization: str = "b448f9cc-a842-4784-98e9-03c1a5872950"
    webhook_url: str | None = None
    webhook_failover_url: str | None = None
    signing_key: Ed25519PrivateKey = attrs.field(factory=_seeded_key, repr=False)

    @property
    def public_key(self) -> str:
        """As the portal shows it: 32 bytes in base64."""
        raw = self.signing_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return base64.b64encode(raw).decode()

"""A message at a carrier: its facts, and where it has come to."""

from typing import Any, Literal

import attrs
import smsutil

from kit.fake_carrier.accounts import CarrierName
from kit.fake_carrier.journeys import Journey

TWILIO_FINAL = frozenset({"delivered", "undelivered", "failed", "canceled", "received", "read"})
TELNYX_FINAL = frozenset(
    {
        "delivered",
        "delivery_failed",
        "sending_failed",
        "expired",
        "delivery_unconfirmed",
        "webhook_delivered",
    }
)

NOWHERE = Journey(states=())
"""An inbound message has arrived."""


@attrs.define(eq=False, kw_only=True)
class Sms:
    """One SMS or MMS; an outbound one was accepted, so it is on the air once for each object."""

    id: str
    carrier: CarrierName
    account: str
    """The account's sid at Twilio, the organization at Telnyx."""
    direction: Literal["outbound", "inbound"]
    sender: str | None
    """None until a messaging service has chosen one."""
    recipient: str
    text: str
    media: tuple[str, ...] = ()
    status: str
    journey: Journey = NOWHERE
    created_ms: int
    updated_ms: int
    sent_ms: int | None = None
    done_ms: int | None = None
    error_code: int | None = None
    error_text: str | None = None
    callback_url: str | None = None
    failover_url: str | None = None
    service: str | None = None
    """The messaging service at Twilio, the messaging profile at Telnyx."""
    extra: dict[str, Any] = attrs.Factory(dict)
    """What else the sender gave and gets back, such as a subject."""
    visible_ms: int = 0
    """When lists begin to show it."""
    history: list[tuple[str, int]] = attrs.Factory(list)

    @property
    def segments(self) -> int:
        if self.media:
            return 1
        return len(smsutil.split(self.text).parts) if self.text else 0

    @property
    def encoding(self) -> str:
        return "GSM-7" if smsutil.is_valid_gsm(self.text) else "UCS-2"

    @property
    def final(self) -> bool:
        return self.status in (TWILIO_FINAL if self.carrier == "twilio" else TELNYX_FINAL)

    def become(self, status: str, now: int) -> None:
        """Takes the next state, with the times and the error that belong to it."""
        self.status = status
        self.updated_ms = now
        self.history.append((status, now))
        if status == "sent":
            self.sent_ms = now
        if self.final:
            self.done_ms = now
            failed = status not in {"delivered", "canceled", "received", "read"}
            if failed and self.journey.error_code is not None:
                self.error_code = self.journey.error_code
                self.error_text = self.journey.error_text

    def plain(self) -> dict[str, Any]:
        """For the ledger in JSON."""
        kept = attrs.asdict(self, filter=lambda field, _: field.name != "journey")
        return {**kept, "segments": self.segments}

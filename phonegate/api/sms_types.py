"""What `/sms/send` takes and gives, field by field."""

from typing import Annotated, ClassVar

import attrs

from phonegate.api.messages_types import MAX_TTL_S
from phonegate.api.rules import Moment, PhoneNumber, WebAddress
from phonegate.carriers.registry import CARRIERS, PROVIDERS, alternatives
from phonegate.model.bounds import MAX_BODY, MAX_MEDIA
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import Several, Text, Whole


@attrs.frozen(kw_only=True)
class SmsSend:
    """A message from one of the org's numbers."""

    sends: ClassVar[bool] = True

    from_phone_number: Annotated[str, PhoneNumber("from_phone_number")] = field(
        "The sender: a number of one of the org's assistants, or of a SIM of its phones (E.164).",
        example="+1234567890",
    )
    to_phone_number: Annotated[str, PhoneNumber("to_phone_number")] = field(
        "The recipient's number in E.164 format.", example="+1555123456"
    )
    message: Annotated[str, Text(1, MAX_BODY, blank=False)] = field(
        "The text, at most 1600 characters.",
        example="Hello from your AI assistant!",
        private=True,
    )
    media_urls: (
        Annotated[tuple[Annotated[str, WebAddress()], ...], Several(0, MAX_MEDIA)] | None
    ) = field(
        "Media for an MMS: up to 10 http or https URLs.",
        default=None,
        example=["https://example.com/image.jpg"],
        private=True,
    )
    ttl: Annotated[int, Whole(1, MAX_TTL_S)] | None = field(
        "Seconds to try before it is given up; up to 30 days.", default=None
    )
    send_at: Annotated[int, Moment()] | None = field(
        "Not before this time: ISO 8601 with an offset, or seconds or milliseconds since 1970; "
        "at most a year ahead. A past time sends now.",
        default=None,
    )


@attrs.frozen(kw_only=True)
class SmsSent:
    """The message is on its way."""

    success: bool = field("Always true.", default=True, example=True)
    message_id: str = field(
        "The provider's id of the message; the gateway's own for a phone, and for a message that "
        "waits for its time.",
        example="SM1234567890abcdef",
    )
    message: str = field("What happened, for people.", example="SMS sent successfully via telnyx")
    provider: str = field(alternatives(PROVIDERS), example="telnyx")
    eta_s: int | None = field(
        "Seconds it will wait for the pacing of its phone's SIM.", default=None, omit=True
    )


@attrs.frozen(kw_only=True)
class SmsFailed:
    """The provider did not take the message, or did not say whether it did."""

    ok: bool = field("Always false.", default=False, example=False)
    detail: str = field("What happened, for people.", example="Failed to send SMS via telnyx")
    code: str = field(
        "provider_failed: it did not leave. outcome_unknown: it may have; it is being looked up "
        "at the provider and never sent twice.",
        example="provider_failed",
    )
    provider: str = field(alternatives(CARRIERS), example="telnyx")
    provider_code: str | None = field("The provider's own code.", example="40300")
    reason: str = field(
        "Why, in the provider's words where it gave any.",
        example="40300: The recipient has opted out with STOP.",
    )
    id: int = field("The message in /messages, which shows what becomes of it.", example=5)

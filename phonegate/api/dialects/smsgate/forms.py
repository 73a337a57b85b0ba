"""What clients of the third-party API of SMS Gateway for Android ask for. Pure.

The names are the API's own. Source: docs.sms-gate.app, and android-sms-gateway/server.
"""

from typing import Annotated, Final

import attrs

from phonegate.api.dialects.smsgate.wording import STATE_WORDS
from phonegate.api.messages_types import MAX_TTL_S
from phonegate.api.rules import Moment
from phonegate.api.webhooks_types import CalledUrl
from phonegate.domain.dialect_tokens import GRANTS
from phonegate.events.webhooks.smsgate_shape import EVENTS
from phonegate.model.bounds import MAX_SLOT
from phonegate.typed_json.fields import Wrong, field
from phonegate.typed_json.rules import Flag, OneOf, Several, Text, Whole

MAX_CLIENT_ID: Final = 36
"""Characters of an id, as the app's database has them: a UUID."""

MAX_NUMBERS: Final = 100
"""Recipients of a request, by the same."""

MAX_TEXT: Final = 65_535
"""Characters of a text, by the API's own server. Sending refuses what takes too many segments."""

MAX_OFFSET: Final = 100_000
"""As far as a list reaches."""

STATES: Final = (*dict.fromkeys(STATE_WORDS.values()), "Cancelling")
"""What clients may ask for. No message is ever in the last."""

SORTS: Final = ("created_at", "-created_at")

TYPES: Final = ("SMS", "DATA_SMS", "MMS", "MMS_DOWNLOADED")

ID: Final = Text(1, MAX_CLIENT_ID, blank=False, line=True)


@attrs.frozen
class UtcMoment(Moment):
    """A time as `Moment` takes it, or without an offset, which is then UTC."""

    def read(self, value: object) -> int:
        """Returns milliseconds since 1970-01-01 UTC."""
        if type(value) is not str:
            return Moment.read(self, value)
        # A query turns the plus of an offset into a blank.
        text = value.strip()
        head, blank, offset = text.rpartition(" ")
        if blank and ":" in head and len(offset) in {4, 5}:
            text = f"{head}+{offset}"
        try:
            return Moment.read(self, text)
        except Wrong:
            return Moment.read(self, f"{text}Z")

    def read_text(self, text: str) -> int:
        """Reads the same from a query."""
        return self.read(text)


@attrs.frozen(kw_only=True)
class SmsgateTextMessage:
    """A text to send."""

    text: Annotated[str, Text(1, MAX_TEXT)] = field("The text.", example="Hello", private=True)


@attrs.frozen(kw_only=True)
class SmsgateDataMessage:
    """A data SMS, which is refused, whatever it has."""


@attrs.frozen(kw_only=True)
class SmsgateMmsMessage:
    """An MMS, which is refused, whatever it has."""


@attrs.frozen(kw_only=True)
class SmsgateNewMessage:
    """A message to one or several numbers."""

    id: Annotated[str, Text(0, MAX_CLIENT_ID, line=True)] | None = field(
        "The id that the message is to have. Without, it gets one.", default=None
    )
    phoneNumbers: Annotated[  # noqa: N815 - the API's own name, as all here
        tuple[Annotated[str, Text(1, 60)], ...], Several(1, MAX_NUMBERS)
    ] = field("The recipients.", example=["+15553334444"])
    textMessage: SmsgateTextMessage | None = field("The text.", default=None)  # noqa: N815
    message: Annotated[str, Text(1, MAX_TEXT)] | None = field(
        "The text, as older clients send it.", default=None, private=True
    )
    dataMessage: SmsgateDataMessage | None = field(  # noqa: N815
        "Refused: no phone of the gateway sends data SMS.", default=None
    )
    mmsMessage: SmsgateMmsMessage | None = field(  # noqa: N815
        "Refused: media can't come with a request here.", default=None
    )
    simNumber: Annotated[int, Whole(0, MAX_SLOT + 1)] | None = field(  # noqa: N815
        "Which SIM of the phone sends it, counted from 1. 0 is any.", default=None
    )
    deviceId: Annotated[str, Text(0, 60)] | None = field(  # noqa: N815
        "The phone that sends it. Without, any.", default=None
    )
    ttl: Annotated[int, Whole(0, MAX_TTL_S)] | None = field(
        "Seconds after which it is given up. 0 is none.", default=None
    )
    validUntil: Annotated[int, UtcMoment()] | None = field(  # noqa: N815
        "When it is given up, in place of ttl.", default=None
    )
    scheduleAt: Annotated[int, UtcMoment()] | None = field(  # noqa: N815
        "When it is sent.", default=None
    )
    priority: Annotated[int, Whole(-128, 127)] | None = field(
        "Higher ones leave first.", default=None
    )
    withDeliveryReport: Annotated[bool, Flag()] | None = field(  # noqa: N815
        "Ignored: every message asks for a delivery report.", default=None
    )
    isEncrypted: Annotated[bool, Flag()] | None = field(  # noqa: N815
        "Refused where true: the gateway knows no passphrase.", default=None
    )


@attrs.frozen(kw_only=True)
class SmsgateListMessages:
    """Which messages to list."""

    from_: Annotated[int, UtcMoment()] | None = field("Since when.", default=None)
    to: Annotated[int, UtcMoment()] | None = field("Until when.", default=None)
    state: Annotated[str, OneOf(STATES)] | None = field(
        "With a recipient in this state.", default=None
    )
    deviceId: Annotated[str, Text(0, 60)] | None = field("Of this phone.", default=None)  # noqa: N815
    limit: Annotated[int, Whole(1, 1_000)] = field("At most so many, and 100.", default=50)
    offset: Annotated[int, Whole(0, MAX_OFFSET)] = field("After so many.", default=0)
    includeContent: Annotated[bool, Flag()] = field("With texts.", default=False)  # noqa: N815
    sort: Annotated[str, OneOf(SORTS)] = field("By age.", default="-created_at")


@attrs.frozen(kw_only=True)
class SmsgateListInbox:
    """Which received messages to list."""

    type: Annotated[str, OneOf(TYPES)] | None = field("Of this kind.", default=None)
    from_: Annotated[int, UtcMoment()] | None = field("Since when.", default=None)
    to: Annotated[int, UtcMoment()] | None = field("Until when.", default=None)
    deviceId: Annotated[str, Text(0, 60)] | None = field("Of this phone.", default=None)  # noqa: N815
    limit: Annotated[int, Whole(1, 500)] = field("At most so many.", default=50)
    offset: Annotated[int, Whole(0, MAX_OFFSET)] = field("After so many.", default=0)
    includeAttachments: Annotated[str, Text(0, 10)] = field(  # noqa: N815
        "With what is known of the parts of an MMS.", default="false"
    )

    @property
    def has_attachments(self) -> bool:
        """Tells whether parts are to be listed. Clients write `true` in their language's way."""
        return self.includeAttachments.lower() in {"true", "1"}


@attrs.frozen(kw_only=True)
class SmsgateNewWebhook:
    """A webhook to make, or to put in place of that with the same id."""

    id: Annotated[str, Text(0, MAX_CLIENT_ID, line=True)] | None = field(
        "The id that it is to have. Without, it gets one.", default=None
    )
    url: Annotated[str, CalledUrl()] = field("What is called.", private=True)
    event: Annotated[str, OneOf(tuple(EVENTS))] = field("What it is called with.")
    deviceId: Annotated[str, Text(0, 60)] | None = field(  # noqa: N815
        "Only for this phone.", default=None
    )


@attrs.frozen(kw_only=True)
class SmsgateNewToken:
    """A token to make."""

    ttl: Annotated[int, Whole(0, 2**53)] | None = field("For how many seconds.", default=None)
    scopes: Annotated[tuple[Annotated[str, Text(1, 60)], ...], Several(1, len(GRANTS))] = field(
        "What it may do.", example=["messages:send"]
    )


@attrs.frozen(kw_only=True)
class SmsgateWebhookSettings:
    """What of the webhooks can be set."""

    signing_key: Annotated[str, Text(8, 200, line=True)] | None = field(
        "What signs the calls of all these webhooks.", default=None, private=True
    )


@attrs.frozen(kw_only=True)
class SmsgateNewSettings:
    """What can be set."""

    webhooks: SmsgateWebhookSettings | None = field("Of the webhooks.", default=None)

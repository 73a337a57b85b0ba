"""What Twilio's clients ask for, field by field. Fields that are not here are ignored."""

from collections.abc import Mapping
from typing import Annotated, Final, get_args

import attrs

from phonegate.api.dialect import Texts
from phonegate.api.dialects.twilio.dates import MAX_DATE, MomentText, Span, SpanText
from phonegate.api.dialects.twilio.errors import MAX_BODY
from phonegate.api.dialects.twilio.paging import DEFAULT_SIZE, MAX_SIZE
from phonegate.api.given import given_texts
from phonegate.api.messages_types import MAX_TTL_S
from phonegate.api.rules import Sender
from phonegate.model.bounds import MAX_ID
from phonegate.model.callbacks import Method
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import OneOf, Text, Whole

MAX_NUMBER: Final = 100
"""Characters of what may name a sender or recipient, with room for what is refused by its form."""

MAX_ADDRESS: Final = 4_000
"""Characters of a URL, as Twilio has it."""

CANCELED: Final = "canceled"

METHODS: Final[tuple[Method, ...]] = get_args(Method)

_INEQUALITIES: Final[Mapping[str, str]] = {
    "DateSent<": "DateSentBefore",
    "DateSent>": "DateSentAfter",
}
"""Names of parameters that no field of Python can have."""


@attrs.frozen(kw_only=True)
class TwilioMessage:
    """A message to send."""

    To: Annotated[str, Text(1, MAX_NUMBER)] = field(
        "The recipient.", example="+15553334444", private=True
    )
    From: Annotated[str, Text(0, MAX_NUMBER)] | None = field(
        "One of the org's numbers, or the id of a messaging service (MG…), which means any SIM. A "
        "name, as senders may have at Twilio, means any SIM too.",
        default=None,
        example="+15551112222",
        private=True,
    )
    MessagingServiceSid: Annotated[str, Text(0, MAX_NUMBER)] | None = field(
        "In place of From: any SIM of the org.", default=None
    )
    Body: Annotated[str, Text(0, MAX_BODY)] | None = field(
        "The text.", default=None, example="Hello", private=True
    )
    MediaUrl: tuple[str, ...] | None = field(
        "URLs of pictures and other media, as often as there are some.",
        default=None,
        private=True,
    )
    StatusCallback: Annotated[str, Text(0, MAX_ADDRESS)] | None = field(
        "A URL that is called with each state of the message, signed by the token of this request.",
        default=None,
        private=True,
    )
    ValidityPeriod: Annotated[int, Whole(1, MAX_TTL_S)] | None = field(
        "It is given up if it has not left after so many seconds.", default=None
    )
    ScheduleType: Annotated[str, OneOf(("fixed",))] | None = field(
        "fixed, with SendAt.", default=None
    )
    SendAt: Annotated[int, MomentText(1, MAX_DATE)] | None = field(
        "When it is to leave, up to a year ahead.", default=None, example="2026-12-01T08:00:00Z"
    )
    ContentSid: Annotated[str, Text(0, MAX_NUMBER)] | None = field(
        "Refused: there are no templates of Twilio's here.", default=None
    )


@attrs.frozen(kw_only=True)
class TwilioMessageChange:
    """What is to become of a message."""

    Status: Annotated[str, OneOf((CANCELED,))] | None = field(
        "canceled, to withdraw it before it leaves.", default=None
    )
    Body: tuple[str, ...] | None = field(
        "Empty, to take the text of a finished message away.", default=None, private=True
    )


@attrs.frozen(kw_only=True)
class _Pages:
    """Which page of a list is asked for."""

    PageSize: Annotated[int, Whole(1, MAX_SIZE)] = field("Entries of a page.", default=DEFAULT_SIZE)
    Page: Annotated[int, Whole(0, MAX_ID)] = field("Its number, from 0 on.", default=0)
    PageToken: Annotated[str, Text(0, MAX_NUMBER)] | None = field(
        "As next_page_uri has it.", default=None
    )


@attrs.frozen(kw_only=True)
class TwilioMessageList(_Pages):
    """Which messages are asked for."""

    To: Annotated[str, Sender()] | None = field("Only those to it.", default=None, private=True)
    From: Annotated[str, Sender()] | None = field("Only those from it.", default=None, private=True)
    DateSent: Annotated[Span, SpanText(1, MAX_DATE)] | None = field(
        "Only those sent on a day (UTC).", default=None, example="2026-11-30"
    )
    DateSentBefore: Annotated[Span, SpanText(1, MAX_DATE)] | None = field(
        "Sent as `DateSent<`: only those sent then or before.", default=None
    )
    DateSentAfter: Annotated[Span, SpanText(1, MAX_DATE)] | None = field(
        "Sent as `DateSent>`: only those sent then or later.", default=None
    )


@attrs.frozen(kw_only=True)
class TwilioNumberList(_Pages):
    """Which numbers are asked for."""

    PhoneNumber: Annotated[str, Text(0, MAX_NUMBER)] | None = field(
        "Only those that hold these digits.", default=None, private=True
    )
    FriendlyName: Annotated[str, Text(0, 200)] | None = field(
        "Only those of this name.", default=None
    )


@attrs.frozen(kw_only=True)
class TwilioNumberChange:
    """What is to be called for a number. What is not named stays."""

    SmsUrl: tuple[str, ...] | None = field(
        "Called with each message that the number receives; empty: nothing is.",
        default=None,
        private=True,
    )
    SmsMethod: Annotated[Method, OneOf(METHODS)] | None = field("POST or GET.", default=None)
    StatusCallback: tuple[str, ...] | None = field(
        "Called with the states of messages that the number sends; empty: nothing is.",
        default=None,
        private=True,
    )
    StatusCallbackMethod: Annotated[Method, OneOf(METHODS)] | None = field(
        "POST or GET.", default=None
    )


@attrs.frozen(kw_only=True)
class TwilioFeedback:
    """Whether a message has worked."""

    Outcome: Annotated[str, OneOf(("confirmed", "unconfirmed"))] = field(
        "confirmed or unconfirmed: it is taken, and changes nothing.", default="confirmed"
    )


def list_texts(body: bytes, headers: Mapping[str, str], query: Texts) -> Texts:
    """Reads the parameters of a list of messages."""
    found = given_texts(body, headers, query)
    return {_INEQUALITIES.get(name, name): values for name, values in found.items()}

"""The requests, queries and answers of the phone API."""

from typing import Annotated, ClassVar, Final, Literal

import attrs

from phonegate.api.presenters import (
    APPROVAL,
    FieldError,
    MessageJson,
    SimJson,
)
from phonegate.api.reported_types import Reports
from phonegate.api.rules import Moment, Recipient, Sender, SimSelector
from phonegate.domain.received_sms import ReceivedSms
from phonegate.domain.reported_values import DeviceId
from phonegate.model.bounds import (
    MAX_BODY,
    MAX_CHARACTERS,
    MAX_ID,
    MAX_MESSAGES,
    MAX_PAGE,
    MAX_SEGMENTS,
)
from phonegate.model.messages import PAGE_BYTES, PageQuery
from phonegate.model.states import (
    CANCELLED,
    QUEUED,
    SENDING,
    STATES,
    UNCERTAIN,
)
from phonegate.typed_json.fields import Rule, field
from phonegate.typed_json.rules import OneOf, Several, Text, Whole

MAX_TTL_S: Final = 30 * 24 * 60 * 60
"""A text that is worth sending a month late does not need an end."""

MAX_AHEAD_MS: Final = 365 * 24 * 60 * 60 * 1000
"""Beyond a year, a time to send at is more likely a slip in its unit."""

TOO_FAR_AHEAD: Final = "is more than a year (365 days) ahead"

MAX_KEY_ID: Final = 20
"""Characters of a key's id, with room for longer ones to come."""

DEFAULT_PAGE: Final = 100

_SECRET = "The org's SecretKey, where it is not sent in X-Secret-Key."  # noqa: S105 - a description


# --- What goes in -----------------------------------------------------------------------------


@attrs.frozen
class OrgName(Rule):
    """An OrgId, whose form is looked at together with its secret, where it is a new one."""

    def read(self, value: object) -> str:
        """Returns the name as given."""
        return Text(0, 200).read(value)


@attrs.frozen(kw_only=True)
class Webhook:
    """Received SMS that a phone pushes."""

    reported: ClassVar[bool] = True
    """It has happened: an unknown field is no reason to lose it."""

    org_id: Annotated[str, OrgName()] | None = field(
        "The OrgId; an API key makes it unnecessary.", default=None, example="myorg"
    )
    secret_key: Annotated[str, Text(0, 400)] | None = field(
        _SECRET, default=None, example="my-secret-key-123", private=True
    )
    device_id: Annotated[str | None, DeviceId()] = field(
        "The phone's own name, the same in every call.", default=None
    )
    messages: Annotated[tuple[ReceivedSms, ...], Reports(1, MAX_MESSAGES)] = field(
        "The messages, oldest first. One that can't be read is left out, see refused.", private=True
    )


_TEXT: Final = (
    f"The text: at most {MAX_BODY} characters, or as many as the org has chosen (`PATCH /me`), and "
    f"never more than {MAX_SEGMENTS} segments."
)


@attrs.frozen(kw_only=True)
class SendItem:
    """One message of a batch; what it leaves out is taken from the call."""

    sends: ClassVar[bool] = True

    to: Annotated[str, Recipient()] = field(
        "The recipient's number (E.164) or short code.", example="+15553334444"
    )
    body: Annotated[str, Text(1, MAX_CHARACTERS)] = field(_TEXT, example="a", private=True)
    sim: Annotated[str, SimSelector()] | None = field(
        "The SIM's number or slot index; omit for the first phone.",
        default=None,
        example="+15551112222",
    )
    ttl: Annotated[int, Whole(1, MAX_TTL_S)] | None = field(
        "Seconds to try before it is given up as expired; up to 30 days.", default=None
    )
    send_at: Annotated[int, Moment()] | None = field(
        "Not before this time: ISO 8601 with an offset, or seconds or milliseconds since 1970 "
        "(from 100000000000 on they are milliseconds); at most a year ahead. A past time sends "
        "now.",
        default=None,
        example="2026-01-31T08:00:00Z",
    )
    priority: Annotated[int, Whole(-128, 127)] | None = field(
        "Higher ones leave first; 0 without.", default=None, example=0
    )
    on_uncertain: Annotated[Literal["hold", "resend"], OneOf(("hold", "resend"))] | None = field(
        "If a phone took it and vanished: hold it as uncertain, or resend it, which may send it "
        "twice.",
        default=None,
    )


@attrs.frozen(kw_only=True)
class Send:
    """One message, or a batch of them in `messages` with options for all beside it."""

    sends: ClassVar[bool] = True

    secret_key: Annotated[str, Text(0, 400)] | None = field(
        _SECRET, default=None, example="my-secret-key-123", private=True
    )
    to: Annotated[str, Recipient()] | None = field(
        "The recipient's number (E.164) or short code.", default=None, example="+15553334444"
    )
    body: Annotated[str, Text(1, MAX_CHARACTERS)] | None = field(
        _TEXT, default=None, example="sent from the API", private=True
    )
    messages: Annotated[tuple[SendItem, ...], Several(1, MAX_MESSAGES)] | None = field(
        "Several messages, instead of to and body: all are accepted, or none.", default=None
    )
    sim: Annotated[str, SimSelector()] | None = field(
        "The SIM's number or slot index; omit for the first phone.",
        default=None,
        example="+15551112222",
    )
    ttl: Annotated[int, Whole(1, MAX_TTL_S)] | None = field(
        "Seconds to try before it is given up as expired; up to 30 days.", default=None
    )
    send_at: Annotated[int, Moment()] | None = field(
        "Not before this time, as in a batch's item.", default=None
    )
    priority: Annotated[int, Whole(-128, 127)] | None = field(
        "Higher ones leave first; 0 without.", default=None
    )
    on_uncertain: Annotated[Literal["hold", "resend"], OneOf(("hold", "resend"))] | None = field(
        "hold or resend, as in a batch's item.", default=None
    )


@attrs.frozen(kw_only=True)
class MessagesQuery:
    """Which messages to read."""

    limit: Annotated[int, Whole(1, MAX_PAGE)] = field(
        "At most so many; fewer where texts are very long.", default=DEFAULT_PAGE, example=100
    )
    since_id: Annotated[int, Whole(0, MAX_ID)] | None = field(
        "The first ones after this id; without, the newest.", default=None, example=0
    )
    before_id: Annotated[int, Whole(1, MAX_ID)] | None = field(
        "The newest ones before this id.", default=None
    )
    direction: Annotated[Literal["in", "out"], OneOf(("in", "out"))] | None = field(
        "Only received ones (in) or sent ones (out).", default=None
    )
    sim: Annotated[str, SimSelector()] | None = field(
        "Only those of this SIM, by number or slot index.",
        default=None,
        example="+15551112222",
        private=True,
    )
    status: Annotated[str, OneOf(STATES)] | None = field("Only those in this state.", default=None)
    waiting_for: Annotated[str, OneOf((APPROVAL,))] | None = field(
        "approval: only those that wait for a person's approval.", default=None
    )
    address: Annotated[str, Sender()] | None = field(
        "Only those from or to this number or name.", default=None, private=True
    )
    key: Annotated[str, Text(1, MAX_KEY_ID)] | None = field(
        "Only those that the API key of this id sent.", default=None, private=True, example="k3v9"
    )
    q: Annotated[str, Text(1, 200)] | None = field(
        "Only those whose text has all these words in its first 4,000 characters; a * at the end "
        "makes the last a beginning. Words are made of letters and digits: of others, such as "
        "emojis, none is found, and without one word the call is refused.",
        default=None,
        private=True,
    )


def page_query(query: MessagesQuery, most_bytes: int = PAGE_BYTES) -> PageQuery:
    """Returns what is to be read, of which a page has `most_bytes` of JSON at most."""
    return PageQuery(
        limit=query.limit,
        since_id=query.since_id,
        before_id=query.before_id,
        direction=query.direction,
        status=query.status,
        address=query.address,
        sim=query.sim or None,
        search=query.q,
        approval=query.waiting_for is not None,
        key=query.key,
        most_bytes=most_bytes,
    )


# --- What comes out ---------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class WebhookAnswer:
    """What became of pushed messages."""

    ok: bool = field("Always true.", default=True)
    org_id: str = field("The org that has them now.", example="myorg")
    stored: int = field("New ones, stored for good.", example=1)
    duplicates: int | None = field(
        "Repeats of earlier ones, if there were any.", default=None, omit=True
    )
    refused: int | None = field(
        "Those that could not be read, if there were any: sending them again changes nothing.",
        default=None,
        omit=True,
    )
    errors: tuple[FieldError, ...] | None = field(
        "Why they could not be read.", default=None, omit=True
    )


@attrs.frozen(kw_only=True)
class SendResult:
    """One accepted message."""

    id: int = field("Its ticket: see it in /messages.", example=5)
    to: str = field("The recipient.", example="+15553334444")
    status: Annotated[str, OneOf((QUEUED, SENDING))] = field(
        "queued, or sending when a phone was given it.", example="sending"
    )
    eta_s: int | None = field("Seconds it will wait for its SIM's pacing.", default=None, omit=True)
    waiting_for: Annotated[str, OneOf((APPROVAL,))] | None = field(
        "approval: a person has to approve it before it leaves.", default=None, omit=True
    )


@attrs.frozen(kw_only=True)
class SendAnswer:
    """What became of messages to send: all are stored."""

    ok: bool = field("Always true.", default=True)
    device_online: bool = field("Whether a phone of the org is connected.")
    queued: int = field("Messages accepted.", example=1)
    results: tuple[SendResult, ...] = field("One for each message, in order.")


@attrs.frozen(kw_only=True)
class MessagesAnswer:
    """A page of messages."""

    org_id: str = field("The org.", example="myorg")
    count: int = field("Messages in this answer.", example=1)
    messages: tuple[MessageJson, ...] = field("By ascending id.")


@attrs.frozen(kw_only=True)
class MessageAnswer:
    """One message."""

    org_id: str = field("The org.", example="myorg")
    message: MessageJson = field("The message.")


@attrs.frozen(kw_only=True)
class DecisionAnswer:
    """What became of a message that waited for approval."""

    ok: bool = field("Always true.", default=True)
    message: MessageJson = field("The message as it is now.")


@attrs.frozen(kw_only=True)
class CancelAnswer:
    """What became of a withdrawal."""

    ok: bool = field("Always true.", default=True)
    id: int = field("The message.", example=5)
    status: Annotated[str, OneOf((CANCELLED, SENDING, UNCERTAIN))] = field(
        "cancelled; sending while the phone is asked; or uncertain, if a phone that went away with "
        "it may have sent it.",
        example="cancelled",
    )


@attrs.frozen(kw_only=True)
class SimsAnswer:
    """The SIMs of an org."""

    online_devices: int = field("Phones connected now.", example=1)
    live_sims: tuple[SimJson, ...] = field("SIMs of the phones that are connected.")
    known_sims: tuple[SimJson, ...] = field("Every SIM a phone has reported, online or not.")

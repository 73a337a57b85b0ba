"""Arguments and results of the tools: the endpoints' types, and what agents need beside them."""

from typing import Annotated, ClassVar, Final

import attrs

from phonegate.api.idempotency_key import MAX_KEY
from phonegate.api.mcp.untrusted import NOTICE, SIMS_NOTICE
from phonegate.api.messages_types import (
    DEFAULT_PAGE,
    MessageAnswer,
    MessagesAnswer,
    MessagesQuery,
    SendAnswer,
    SendItem,
    SimsAnswer,
)
from phonegate.api.presenters import MessageJson
from phonegate.api.rules import Sender
from phonegate.domain.waits import Milestone
from phonegate.model.bounds import MAX_ID
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import Text, Whole

MAX_WAIT_S: Final = 25
"""Seconds that a wait may take: fewer than the 30 after which many proxies and clients give up."""

MAX_TOOL_PAGE: Final = 100
"""Messages that a model is given at once: more than it can keep apart."""

TOOL_PAGE_BYTES: Final = 65_536
"""Bytes of JSON of such a page: a hundred ordinary texts, some 16,000 of a model's tokens."""


@attrs.frozen(kw_only=True)
class GetMessages(MessagesQuery):
    """Which messages to read."""

    closed: ClassVar[bool] = True

    limit: Annotated[int, Whole(1, MAX_TOOL_PAGE)] = field(
        "At most so many; fewer where texts are long: go on with since_id.",
        default=DEFAULT_PAGE,
        example=DEFAULT_PAGE,
    )


@attrs.frozen(kw_only=True)
class GetMessage:
    """Which message to read."""

    closed: ClassVar[bool] = True

    id: Annotated[int, Whole(1, MAX_ID)] = field("The message's id.", example=5)


@attrs.frozen(kw_only=True)
class SendSms(SendItem):
    """The message to send."""

    closed: ClassVar[bool] = True

    idempotency_key: Annotated[str, Text(1, MAX_KEY)] | None = field(
        "Any text that is new for each message, and the same when a call is repeated because its "
        "answer was lost: then it is sent once.",
        default=None,
        example="reminder-2030-01-31-anna",
    )


@attrs.frozen(kw_only=True)
class ListSims:
    """Nothing."""

    closed: ClassVar[bool] = True


@attrs.frozen(kw_only=True)
class WaitForReply:
    """What to wait for."""

    closed: ClassVar[bool] = True

    address: Annotated[str, Sender()] | None = field(
        "Who must have sent it; without, anybody.", default=None, example="+15553334444"
    )
    since_id: Annotated[int, Whole(0, MAX_ID)] | None = field(
        "Only a message after this id: the id of what was sent, or the since_id of the last "
        "wait. Without, only one that comes from now on.",
        default=None,
        example=5,
    )
    timeout_s: Annotated[int, Whole(1, MAX_WAIT_S)] = field(
        "Seconds to wait.", default=MAX_WAIT_S, example=MAX_WAIT_S
    )


@attrs.frozen(kw_only=True)
class WaitForOutcome:
    """What to wait for."""

    closed: ClassVar[bool] = True

    id: Annotated[int, Whole(1, MAX_ID)] = field("The id of the message.", example=5)
    until: Milestone = field(
        "How far it must have come: sent, or delivered.", default="sent", example="sent"
    )
    timeout_s: Annotated[int, Whole(1, MAX_WAIT_S)] = field(
        "Seconds to wait.", default=MAX_WAIT_S, example=MAX_WAIT_S
    )


@attrs.frozen(kw_only=True)
class Messages(MessagesAnswer):
    """A page of messages."""

    notice: str = field("Whose words the texts are.", default=NOTICE)


@attrs.frozen(kw_only=True)
class OneMessage(MessageAnswer):
    """One message."""

    notice: str = field("Whose words the text is.", default=NOTICE)


@attrs.frozen(kw_only=True)
class Outcome(OneMessage):
    """How far a message has come."""

    timed_out: bool = field(
        "Whether the wait ended before it came so far, or ended otherwise.", example=False
    )


@attrs.frozen(kw_only=True)
class Sent(SendAnswer):
    """What became of a message to send: it is stored."""

    replayed: bool = field(
        "Whether this was sent before, under the same idempotency_key, and not again now."
    )


@attrs.frozen(kw_only=True)
class Sims(SimsAnswer):
    """The SIMs of an org."""

    notice: str = field("Whose words the names of carriers are.", default=SIMS_NOTICE)


@attrs.frozen(kw_only=True)
class Reply:
    """The first message that came, if one came in time."""

    message: MessageJson | None = field("The message; null where none came.")
    timed_out: bool = field("Whether the wait ended without one. Wait again with since_id.")
    since_id: int = field("What to wait from the next time.", example=5)
    notice: str = field("Whose words the text is.", default=NOTICE)

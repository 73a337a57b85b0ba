"""Messages, queries for them and counts of them, as plain values.

Every time is an integer: milliseconds since 1970-01-01 UTC. Every `org`, `phone` and message
`id` is the row's integer key.
"""

from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

import attrs

from phonegate.model.assistants import PHONE
from phonegate.model.callbacks import Callback
from phonegate.model.figures import sender_name
from phonegate.model.phones import ANY_SIM
from phonegate.model.times import MAX_TIME_MS

Direction = Literal["in", "out"]

Approval = Literal["asked", "given", "refused"]

FAR_AHEAD_MS = MAX_TIME_MS
"""`Message.held_until` of a message that waits for a person's approval."""


ASKED: Final = {"is fixed": True, "is repeated": True}
"""Marks a field that the sender asked for. It never changes, and a copy of a message has it too."""

FIXED: Final = {"is fixed": True}
"""Marks a field that never changes once the message is stored."""


@attrs.frozen(kw_only=True)
class _Fields:
    """The fields of an outbound message that are known when it is stored.

    A column that is set when a message is stored is added here, and any other to `Message`. The
    statements that store, read and change messages are made from these lists.
    """

    org: int = attrs.field(metadata=ASKED)
    address: str = attrs.field(repr=False, metadata=ASKED)
    body: str = attrs.field(repr=False, metadata=ASKED)
    created_at: int = attrs.field(metadata=FIXED)
    phone: int | None = None
    sim_selector: str = attrs.field(default=ANY_SIM, metadata=ASKED)
    """Which SIM must send it: `ANY_SIM`, a number as `number_form` gives it ("+15551112222"), or a
    slot index as digits ("0"). The last one comes with `phone` when the phone is known."""
    sim_slot: int | None = None
    """The slot of its SIM once that is known, as `sim` is its number."""
    sim: str | None = None
    provider: str = attrs.field(default=PHONE, metadata=ASKED)
    media_urls: tuple[str, ...] | None = attrs.field(default=None, metadata=ASKED)
    priority: int = attrs.field(default=0, metadata=ASKED)
    held_until: int | None = None
    """It may not leave before this time (`send_at`). None once it may leave."""
    expires_at: int | None = attrs.field(default=None, metadata=ASKED)
    on_uncertain: Literal["hold", "resend"] = attrs.field(default="hold", metadata=FIXED)
    resend_of: int | None = attrs.field(default=None, metadata=FIXED)
    assistant: int | None = attrs.field(default=None, metadata=FIXED)
    """The assistant whose carrier sends it. None for the org's own phones."""
    reference: str | None = attrs.field(default=None, metadata=FIXED)
    """A UUID that is the same for every attempt at the carrier, and different for every message."""
    callback_url: str | None = attrs.field(default=None, repr=False)
    """As first given to the carrier: with another one, a repeat would be another request."""
    first_tried_at: int | None = None
    next_poll_at: int | None = None
    """When to ask the carrier for its status."""
    approval: Approval | None = None
    """Set where a person must approve it before it leaves: `asked`, and later the answer. While it
    is `asked`, `held_until` is far ahead."""
    wanted_at: int | None = attrs.field(default=None, metadata=FIXED)
    """Its `send_at`, where it waits for approval."""
    quiet_at: int | None = attrs.field(default=None, metadata=ASKED)
    """When its API key's quiet hours begin, by which it must have left."""
    key: str | None = attrs.field(default=None, metadata=ASKED)
    """The API key that sent it. None for the org's own secret."""
    status_callback: Callback | None = attrs.field(default=None, repr=False, metadata=ASKED)
    """What is called with what becomes of it, where its sender has asked for that."""
    client_id: str | None = attrs.field(default=None, metadata=ASKED)
    """What its sender's program calls it: the same for all recipients of one request."""


@attrs.frozen(kw_only=True)
class NewMessage(_Fields):
    """An outbound message about to be stored, already `queued` or already `sending`."""

    status: Literal["queued", "sending"] = "queued"
    segments: int


class Pushed(NamedTuple):
    """A new message that a phone is given as soon as it is stored.

    Nothing holds it and nothing ends it, and it has no media. These fields are those in which such
    messages differ. In their order they are what its row is stored from.
    """

    org: int
    address: str
    body: str
    created_at: int
    phone: int
    sim_selector: str
    sim_slot: int | None
    sim: str | None
    priority: int
    on_uncertain: Literal["hold", "resend"]
    key: str | None
    segments: int

    def __repr__(self) -> str:
        return f"Pushed(org={self.org!r}, phone={self.phone!r}, segments={self.segments!r})"

    def stored(self, id: int) -> "Message":  # noqa: A002 - the record's name for it
        """Returns the message that storing this one has made."""
        return Message(
            **self._asdict(),
            id=id,
            direction="out",
            status="sending",
            attempts=1,
            pushed_at=self.created_at,
        )


class Leased(NamedTuple):
    """A message that waited and is given to a phone: what the phone gets to know of it."""

    id: int
    org: int
    address: str
    body: str
    sim_slot: int | None
    sim: str | None
    segments: int | None
    expires_at: int | None
    priority: int
    media_urls: tuple[str, ...] | None

    def __repr__(self) -> str:
        return f"Leased(id={self.id!r}, segments={self.segments!r})"


@attrs.frozen(kw_only=True)
class NewInbound:
    """A received message about to be stored.

    `fingerprint` makes storing idempotent: the same one in an org is a repeat. It is None where
    the phone gave nothing by which two equal messages can be distinguished.
    """

    org: int
    address: str = attrs.field(repr=False)
    body: str = attrs.field(repr=False)
    created_at: int
    date: int | None
    phone: int | None
    sim_slot: int | None
    sim: str | None
    segments: int | None = None
    provider: str = PHONE
    media_urls: tuple[str, ...] | None = None
    parts: int = 0
    error: str | None = None
    fingerprint: bytes | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class Message(_Fields):
    """A stored message, of either direction. Bodies stay out of every `repr`."""

    id: int = attrs.field(metadata=FIXED)
    direction: Direction = attrs.field(metadata=FIXED)
    status: str
    segments: int | None
    attempts: int = 0
    pushed_at: int | None = None
    acked_at: int | None = None
    date: int | None = None
    sent_at: int | None = None
    delivered_at: int | None = None
    error: str | None = None
    carrier_id: str | None = None
    """The carrier's own id, once it is known."""
    parts: int = 0
    """How many parts of a received MMS are stored beside it, numbered from 1."""
    polls: int = 0
    """How often a time to ask the carrier has been set. Each is later than the one before."""

    @property
    def since(self) -> int:
        """Since when it might leave: when it was accepted, or when what held it ended (ms)."""
        return self.created_at if self.first_tried_at is None else self.first_tried_at

    @property
    def sender(self) -> str:
        """The name by which the SIM or carrier is counted that sends it."""
        return sender_name(self.sim, self.phone, self.sim_slot, self.provider)

    def again(self, *, created_at: int, **changes: Any) -> NewMessage:
        """Returns a new message that asks for the same as this one.

        Args:
            created_at: When the new one is stored, in ms.
            changes: Other fields of the new one.
        """
        asked = {name: getattr(self, name) for name in _REPEATED}
        if self.status_callback is not None:
            asked["status_callback"] = self.status_callback.of_copy(self.id)
        return NewMessage(
            **asked,
            created_at=created_at,
            segments=self.segments or 1,
            resend_of=self.id,
            **changes,
        )


SETTABLE: Final = frozenset(
    field.name
    for field in attrs.fields(Message)
    if "is fixed" not in field.metadata and field.name not in {"status", "held_until"}
)
"""The fields of a message that may change while its status does not."""

_REPEATED: Final = tuple(
    field.name for field in attrs.fields(_Fields) if "is repeated" in field.metadata
)


class MessageView(NamedTuple):
    """The fields of a message that readers see, and no more: pages have up to a thousand."""

    id: int
    direction: Direction
    address: str
    body: str
    status: str
    created_at: int
    phone: int | None
    sim_selector: str
    sim_slot: int | None
    sim: str | None
    date: int | None
    sent_at: int | None
    delivered_at: int | None
    error: str | None
    segments: int | None
    provider: str
    media_urls: tuple[str, ...] | None
    parts: int
    held_until: int | None
    expires_at: int | None
    acked_at: int | None
    approval: Approval | None
    wanted_at: int | None
    key: str | None
    client_id: str | None

    def __repr__(self) -> str:
        return f"MessageView(id={self.id}, direction={self.direction!r}, status={self.status!r})"


@attrs.frozen(kw_only=True)
class Candidate:
    """A queued message that may leave now, with only the fields that pacing needs."""

    id: int
    segments: int
    priority: int = 0


ROW_BYTES: Final = 512
"""The size of a message as JSON, without its texts."""

ADDRESS_BYTES: Final = 128
"""The size of the address of a stored part as JSON, with a host of ordinary length."""

PAGE_BYTES: Final = 1_048_576
"""Most bytes of a page as JSON. A thousand ordinary messages have some 600 kB, a thousand of the
longest 200 MB."""


class Queue(NamedTuple):
    """A queue: the messages of an org that ask for the same SIM in the same words."""

    phone: int | None
    """The phone whose slot the messages name. None where they name no slot of one phone."""
    sim_selector: str


@attrs.frozen(kw_only=True)
class PageQuery:
    """The messages of an org that a reader asks for. Every given filter narrows the page."""

    limit: int = 100
    since_id: int | None = None
    before_id: int | None = None
    direction: Direction | None = None
    status: str | None = None
    address: str | None = None
    sim: str | None = None
    """A SIM's number, or a slot index as digits."""
    approval: bool = False
    """Only messages that wait for a person's approval."""
    key: str | None = None
    """Only messages that this API key sent."""
    most_bytes: int = PAGE_BYTES
    """Most bytes of the page as JSON. At this size it ends before its limit, though never before
    its first message."""
    search: str | None = None
    """Words that the body must all contain. With a `*` at the end, the last is a prefix."""
    sees: tuple[str, ...] = ()
    """The only parties whose messages the reader may see: numbers, or prefixes with a `*`. Empty:
    all."""
    shown: Callable[[str, str], str] | None = None
    """Returns the body as the reader may see it, from an address and a stored body. A search finds
    nothing that only the stored one contains. None where the reader sees stored bodies."""


@attrs.frozen(kw_only=True)
class ListQuery:
    """Which messages of one direction a list has. Times are in ms."""

    outbound: bool
    since: int | None = None
    until: int | None = None
    statuses: tuple[str, ...] = ()
    """Any of them. Empty: all."""
    media: bool | None = None
    """Only those with media, or only those without."""
    error: str | None = None
    """Only those with this error."""
    no_error: str | None = None
    """Only those without this one."""
    phone: int | None = None
    sees: tuple[str, ...] = ()
    """As in `PageQuery`."""
    ascending: bool = False
    limit: int
    offset: int = 0


@attrs.frozen
class Aged:
    """The fields of a message that decide whether it may be deleted. Times are in ms."""

    id: int
    created_at: int
    status: str
    next_poll_at: int | None
    """Set while its carrier is still to be asked for its status."""


@attrs.frozen
class WaitingQueue:
    """Queued messages that could leave, and wait for the same phones or carrier."""

    org: int
    org_name: str
    sim_selector: str
    phone: int | None
    assistant: int | None
    """Set where they wait for a carrier, and not for a phone."""
    count: int
    since: int
    """When the message that was accepted first began to wait, in ms."""


@attrs.frozen
class Backlog:
    """All queued messages."""

    queues: tuple[WaitingQueue, ...]
    """The messages that could leave now."""
    timed: int
    """How many wait for their `send_at`."""
    asked: int
    """How many wait for a person's approval."""

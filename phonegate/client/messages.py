"""Messages as the client sends and reads them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, Literal

import attrs

from phonegate.client.record import Record
from phonegate.model.states import DELIVERED, FINAL_STATES, LEFT, LOST

Until = Literal["sent", "delivered", "final"]
"""A state to wait for."""

Moment = datetime | int | str
"""A datetime with a time zone, or what the API takes: ISO 8601, or ms or s since 1970."""

_ENDS: Final = {"sent": LEFT | LOST, "delivered": {DELIVERED} | LOST, "final": FINAL_STATES}


def is_reached(status: str, until: Until) -> bool:
    """Tells whether there is no more to wait for in a state.

    Args:
        status: The state.
        until: What is waited for. To wait for `sent` or `delivered` ends with any message that is
            lost as well. Only to wait for `final` goes on while a message is `uncertain`.
    """
    return status in _ENDS[until]


@attrs.frozen(kw_only=True)
class Message(Record):
    """A message that was received, or was to be sent.

    `status` is one of `received`, `queued`, `sending`, `sent`, `delivered`, `failed`, `expired`,
    `cancelled` and `uncertain`, or one that a newer gateway has beside them. The text is left out
    where a message is printed, so that logs stay free of it.
    """

    id: int
    direction: str
    """`in` or `out`."""
    address: str
    """The number of the other party."""
    body: str = attrs.field(repr=False)
    status: str
    created_at: datetime
    sim_slot: int | None = None
    sim: str | None = None
    """The number of the SIM."""
    date: datetime | None = None
    """When a received message was sent, as its phone says."""
    sent_at: datetime | None = None
    delivered_at: datetime | None = None
    error: str | None = None
    segments: int | None = None
    provider: str | None = None
    """`phone`, or the carrier that has it."""
    media_urls: tuple[str, ...] | None = None
    send_at: datetime | None = None
    expires_at: datetime | None = None
    waiting_for: str | None = None
    """Why it is still `queued`, such as `phone`, `pacing`, `send_at` or `approval`."""
    key: str | None = None
    """The API key that sent it."""

    @property
    def has_left(self) -> bool:
        """Whether it was sent, as far as phone or carrier say."""
        return self.status in LEFT

    @property
    def is_final(self) -> bool:
        """Whether no further change is expected."""
        return self.direction == "in" or self.status in FINAL_STATES


@attrs.frozen(kw_only=True)
class Outgoing:
    """A message to send, one of many in a call of `send_all`."""

    to: str
    body: str = attrs.field(repr=False)
    sim: str | int | None = None
    ttl: float | None = None
    """Seconds after which it may not leave any more."""
    send_at: Moment | None = None
    priority: int | None = None
    on_uncertain: Literal["hold", "resend"] | None = None


@attrs.frozen(kw_only=True)
class SendResult(Record):
    """One message that a gateway took."""

    id: int
    to: str
    status: str
    eta_s: int | None = None
    """Seconds until it leaves, where its SIM is busy."""
    waiting_for: str | None = None
    """`approval` where a person is to approve it first."""


@attrs.frozen(kw_only=True)
class SendAnswer(Record):
    """What became of a call that sends. Its messages are stored for good."""

    device_online: bool = False
    """Whether a phone is online that can send them."""
    queued: int = 0
    results: tuple[SendResult, ...]
    ignored: tuple[str, ...] = ()
    """Fields of the request that the gateway does not know."""

    @property
    def id(self) -> int:
        """The id of the message: the first, where there are many."""
        return self.results[0].id


@attrs.frozen(kw_only=True)
class SmsSent(Record):
    """What became of a message sent from one of the org's numbers."""

    message_id: str
    """The carrier's id, or where a phone sends it the gateway's."""
    message: str
    provider: str
    eta_s: int | None = None
    ignored: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Cancelled(Record):
    """What became of a message that was to be cancelled.

    `status` is `cancelled`, or else `sending` or `uncertain`: a phone has it and was asked to drop
    it, which may come too late.
    """

    id: int
    status: str


def to_send(messages: Iterable[Outgoing]) -> list[dict[str, Any]]:
    """Returns messages as the API takes them.

    Raises:
        ValueError: A time has no time zone.
    """
    return [
        given(
            to=one.to,
            body=one.body,
            sim=one.sim,
            ttl=one.ttl,
            send_at=moment(one.send_at),
            priority=one.priority,
            on_uncertain=one.on_uncertain,
        )
        for one in messages
    ]


def given(**fields: Any) -> dict[str, Any]:
    """Returns the fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def moment(at: Moment | None) -> int | str | None:
    """Returns a time as the API takes it.

    Raises:
        ValueError: A datetime has no time zone, and so means another time on each machine.
    """
    if not isinstance(at, datetime):
        return at
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} has no time zone: give it one, such as datetime.UTC.")
    return at.isoformat()

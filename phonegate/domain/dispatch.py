"""The domain's view of the phones that are online, free of sockets and tasks.

`phones.switchboard` implements `Dispatcher`. Tests use a small one in memory, which keeps the same
contract.
"""

from collections.abc import Collection
from typing import Protocol

import attrs

from phonegate.domain.forecast import Outlook
from phonegate.model.messages import Message, Queue
from phonegate.model.phones import Sim


@attrs.frozen(kw_only=True)
class OnlinePhone:
    """A connected phone. A list of these is always in order of connection, earliest first."""

    phone: int
    device_id: str | None
    name: str | None
    sims: tuple[Sim, ...]
    """By slot. Empty until the phone has reported them. A number is held by one phone of an org:
    the one that reported it last."""
    features: frozenset[str] = frozenset()
    """Extensions that it can do, as its `hello` said. None until then."""


class Dispatcher(Protocol):
    """Hands messages to online phones. Every method is synchronous and called on the event loop."""

    def online(self, org: int) -> tuple[OnlinePhone, ...]:
        """The org's connected phones, earliest connection first.

        The very same tuple while nothing about them has changed.
        """

    def reserve(self, phone: int, sim: Sim | None, segments: int) -> bool:
        """Takes room for one message on a phone, if it can be pushed right now.

        Returns False when the phone is gone, its window is full, the SIM's pacing bucket is empty,
        or older messages wait for it (so that a new one can't overtake them).
        """

    def release(self, phone: int, sim: Sim | None, segments: int) -> None:
        """Gives back a reservation whose message was not stored."""

    def push(self, phone: int, message: Message) -> None:
        """Pushes a committed message whose room was reserved.

        A phone that left since then is no error: the message waits for its return.
        """

    def outlook(self, phone: int, sim: Sim | None) -> Outlook | None:
        """Returns the pacing of a phone's SIM as it stands, or None without a limit."""

    def wake(self, org: int, queues: Collection[Queue] | None = None) -> None:
        """Says that messages in queues of the org may be able to leave. None is any queue."""

    def ask_cancel(self, phone: int, message: int) -> bool:
        """Asks a phone to drop a message that it holds. Returns False when it is away or can't."""

    def given_up(self, org: int, phone: int, message: int) -> None:
        """Says that a message's result is no longer awaited, so that its room is free again."""

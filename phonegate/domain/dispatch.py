"""The domain's view of the phones that are online, free of sockets and tasks.

`phones.switchboard` implements `Dispatcher`. Tests use a small one in memory, which keeps the same
contract.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

import attrs

from phonegate.domain.forecast import Outlook
from phonegate.model.facts import Changed, Fact, Rescheduled
from phonegate.model.messages import Message, NewMessage, Pushed, Queue
from phonegate.model.phones import Sim
from phonegate.model.states import QUEUED, UNCERTAIN


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
        """Returns the org's connected phones, earliest connection first.

        The very same tuple while nothing about them has changed.
        """

    def reserve(self, phone: int, sim: Sim | None, segments: int) -> bool:
        """Takes room for one message on a phone, if it can be pushed right now.

        Returns False when the phone is gone, its window is full, the SIM's pacing bucket is empty,
        or older messages wait for it (so that a new one can't overtake them).
        """

    def reserve_all(self, phone: int, sim: Sim | None, segments: Sequence[int]) -> bool:
        """Takes room for some messages, of so many segments each, if all can be pushed right now.

        Otherwise it takes none, and returns False.
        """

    def release(self, phone: int, sim: Sim | None, segments: int) -> None:
        """Gives back a reservation whose message was not stored."""

    def push(self, phone: int, message: Message) -> None:
        """Pushes a committed message whose room was reserved.

        A phone that left since then is no error: the message waits for its return.
        """

    def push_new(self, phone: int, message_id: int, message: Pushed) -> None:
        """Does as `push` with a message that was stored to be pushed, and now has this id."""

    def outlook(self, phone: int, sim: Sim | None) -> Outlook | None:
        """Returns the pacing of a phone's SIM as it stands, or None without a limit."""

    def wake(self, org: int, queues: Collection[Queue] | None = None) -> None:
        """Wakes an org's phones, since messages in queues may leave now. None means any queue."""

    def ask_cancel(self, phone: int, message: int) -> bool:
        """Asks a phone to drop a message that it holds. Returns False when it is away or can't."""

    def given_up(self, org: int, phone: int, message: int) -> None:
        """Frees the room of a message whose result is no longer awaited."""


def follow(dispatcher: Dispatcher, facts: Sequence[Fact]) -> None:
    """Passes what has changed on to a dispatcher and its phones. Subscribes to the bus.

    Queued messages that may leave wake the phones that could send them. A message whose result is
    no longer awaited gives its room back.
    """
    queues: dict[int, set[Queue]] = {}
    for fact in facts:
        if type(fact) is Rescheduled:
            if fact.held_until is None:
                dispatcher.wake(fact.org)
        elif type(fact) is Changed:
            match fact.message:
                case NewMessage(held_until=None, phone=phone, sim_selector=selector):
                    if fact.after == QUEUED:
                        queues.setdefault(fact.org, set()).add(Queue(phone, selector))
                case Message(phone=int(phone)) if fact.after == UNCERTAIN:
                    dispatcher.given_up(fact.org, phone, fact.id)
    for org, some in queues.items():
        dispatcher.wake(org, some)

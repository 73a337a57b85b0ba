"""A station: one connected phone, of whatever kind, as the switchboard sees it."""

from collections.abc import Sequence
from typing import Protocol

import trio

from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.forecast import Outlook
from phonegate.domain.managed_phones import Signs
from phonegate.model.messages import Message, Pushed, Queue
from phonegate.model.phones import Sim


class Station(Protocol):
    """One connected phone, as the switchboard sees it."""

    online: OnlinePhone
    """What the domain sees of it. Its `phone` is the key here, and only `rename` changes it."""
    ended: trio.Event
    """Set when all that came over the connection is recorded, or given up."""

    @property
    def org(self) -> int:
        """The org of the phone."""

    @property
    def anonymous(self) -> bool:
        """Tells whether its phone can't be distinguished, by neither an id nor a number."""

    @property
    def identified(self) -> bool:
        """Tells whether it is clear on which row its phone is."""

    @property
    def began(self) -> float:
        """When it was accepted, by trio's clock."""

    @property
    def heard_at(self) -> float:
        """When anything came over it last, by trio's clock."""

    @property
    def signs(self) -> Signs:
        """When the phone was heard last, and how it said that it is."""

    def inherit(self, phone: int) -> None:
        """Takes over what was given to a row whose connection has ended."""

    def adopt(self, message: Message) -> None:
        """Sends a committed message that was stored under a row which this phone had before."""

    def reserve(self, sim: Sim | None, segments: int) -> bool:
        """Takes a place for a new message, if it can be pushed right now, and returns whether."""

    def reserve_all(self, sim: Sim | None, segments: Sequence[int]) -> bool:
        """Takes a place for each of some new messages, or none, and returns whether it did."""

    def release(self, sim: Sim | None, segments: int) -> None:
        """Gives a place back."""

    def push(self, message: Message) -> None:
        """Sends a committed message, in the place that it has."""

    def push_new(self, message_id: int, message: Pushed) -> None:
        """Sends a committed message that was stored to be pushed, in the place that it has."""

    def outlook(self, sim: Sim | None) -> Outlook | None:
        """Returns the pacing of a SIM as it stands, or None where there is no limit."""

    def serves(self, queue: Queue) -> bool:
        """Tells whether this phone may now send what is in a queue."""

    def wake(self) -> None:
        """Looks for queued messages."""

    def ask_cancel(self, message: int) -> bool:
        """Asks the phone to drop a message."""

    def give_up(self, message: int) -> None:
        """Stops waiting for a message."""

    def close(self, code: int, reason: str) -> None:
        """Begins to close the connection politely."""

    def drop(self) -> None:
        """Ends the connection at once."""

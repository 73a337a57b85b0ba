"""In which order one phone is given its messages. Pure.

The database is the queue: nothing is kept here but what an earlier link left open, which goes
first. A SIM is *behind* from the moment that something may wait for it until its queues were seen
empty. While it is, no new message may overtake.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from phonegate.model.messages import Message, Queue
from phonegate.model.phones import ANY_SIM, Sim
from phonegate.phones.state import PhoneState

_NONE: Final[frozenset[int | None]] = frozenset()
_ALL_UNKNOWN: Final[frozenset[int | None]] = frozenset((None,))
"""Shared by the phones, of which a set of their own would take a quarter of a kilobyte each."""


class SendOrder:
    """What waits for the SIMs of one phone, as far as that is known without a read."""

    __slots__ = ("_is_first", "_state", "behind", "left_open")

    def __init__(self, state: PhoneState, is_first: Callable[[], bool]) -> None:
        """`is_first` tells whether messages that name no SIM are this phone's to send."""
        self._state = state
        self._is_first = is_first
        self.behind = _ALL_UNKNOWN
        """The slots of the SIMs that are behind. None is that of a phone which reported none."""
        self.left_open: list[Message] = []
        """What an earlier link left open and has not been pushed again yet, in its order."""

    @property
    def sims(self) -> Sequence[Sim | None]:
        """The SIMs of the phone, or a single None where it has reported none."""
        return self._state.online.sims or (None,)

    def fall_behind(self) -> None:
        """Notes that messages may wait for any SIM of this phone."""
        self.behind = frozenset(map(slot_of, self.sims))

    def catch_up(self) -> None:
        """Notes that nothing waits for any SIM."""
        self.behind = _NONE

    def is_behind(self, sim: Sim | None) -> bool:
        """Tells whether older messages may wait for this SIM."""
        return slot_of(sim) in self.behind or bool(self.left_open) or not self._state.takes_new

    def drop_left_open(self) -> None:
        """Pushes nothing again of what an earlier link left open: it was another phone's."""
        self.left_open = []

    def forget(self, message: int) -> None:
        """Never pushes a message again whose result is no longer awaited."""
        self.left_open = [m for m in self.left_open if m.id != message]

    def serves(self, queue: Queue) -> bool:
        """Tells whether this phone sends what is in a queue."""
        return any(queue in self.queues_of(sim) for sim in self.sims)

    def queues_of(self, sim: Sim | None) -> Collection[Queue]:
        """Returns the queues that a SIM of this phone serves."""
        queues = []
        if sim is not None:
            slot = str(sim.slot)
            queues += [Queue(self._state.phone, slot), Queue(None, slot)]
            if sim.form is not None:
                queues.append(Queue(None, sim.form))
        if sim is self.sims[0] and self._is_first():
            queues.append(Queue(None, ANY_SIM))
        return queues

    def segments_before(self, sim: Sim | None) -> Sequence[int]:
        """Returns the segments of each message that leaves by this SIM before all queued ones."""
        slot, sim_of = slot_of(sim), self._state.sim_of
        first = (m for m in self.left_open if slot_of(sim_of(m)) == slot)
        return [message.segments or 1 for message in first]


def slot_of(sim: Sim | None) -> int | None:
    """Returns the slot of a SIM, or None where it is not known."""
    return None if sim is None else sim.slot

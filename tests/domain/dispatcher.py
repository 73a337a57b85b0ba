"""A `Dispatcher` in memory: phones with some room, and a record of what they were asked.

`dispatcher_contract` holds it to what the real one does.
"""

from collections.abc import Collection, Sequence

import attrs

from phonegate.domain.dispatch import Dispatcher, OnlinePhone
from phonegate.domain.forecast import Outlook
from phonegate.domain.pacing import Bucket, PacingRate
from phonegate.model.messages import Message, Pushed, Queue
from phonegate.model.phones import Sim


@attrs.define
class Phones:
    """Phones that are online for every org, and take messages while their common `room` lasts."""

    phones: list[OnlinePhone] = attrs.field(factory=list)
    room: int = 100
    """Segments."""
    segments_per_minute: int = 0
    cancels: bool = False
    pushed: list[tuple[int, Message]] = attrs.field(factory=list)
    woken: list[int] = attrs.field(factory=list)
    freed: list[tuple[int, int]] = attrs.field(factory=list)
    queues: set[Queue] | None = None
    """Those that it was last said of that messages wait in them."""
    _view: tuple[OnlinePhone, ...] = ()

    def online(self, org: int) -> tuple[OnlinePhone, ...]:
        if self._view != (view := tuple(self.phones)):
            self._view = view
        return self._view

    def reserve(self, phone: int, sim: Sim | None, segments: int) -> bool:
        if not self._has(phone) or self.room < segments:
            return False
        self.room -= segments
        return True

    def reserve_all(self, phone: int, sim: Sim | None, segments: Sequence[int]) -> bool:
        return self.reserve(phone, sim, sum(segments))

    def release(self, phone: int, sim: Sim | None, segments: int) -> None:
        if self._has(phone):
            self.room += segments

    def push(self, phone: int, message: Message) -> None:
        if self._has(phone):
            self.pushed.append((phone, message))

    def push_new(self, phone: int, message_id: int, message: Pushed) -> None:
        self.push(phone, message.stored(message_id))

    def outlook(self, phone: int, sim: Sim | None) -> Outlook | None:
        rate = PacingRate(self.segments_per_minute)
        if rate.unlimited or not self._has(phone):
            return None
        return Outlook(bucket=Bucket(0, 0), rate=rate, now=0)

    def wake(self, org: int, queues: Collection[Queue] | None = None) -> None:
        self.woken.append(org)
        self.queues = None if queues is None else set(queues)

    def ask_cancel(self, phone: int, message: int) -> bool:
        return any(
            one.phone == phone and (self.cancels or "cancel" in one.features) for one in self.phones
        )

    def given_up(self, org: int, phone: int, message: int) -> None:
        self.freed.append((phone, message))

    def _has(self, phone: int) -> bool:
        return any(one.phone == phone for one in self.phones)


def as_dispatcher(phones: Phones) -> Dispatcher:
    """Holds the fake to the contract: the type checker compares the two."""
    return phones

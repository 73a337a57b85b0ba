"""A `Dispatcher` in memory: phones with a window, and a record of what they were asked."""

from collections.abc import Collection

import attrs

from phonegate.domain.dispatch import Dispatcher, OnlinePhone
from phonegate.domain.forecast import Outlook
from phonegate.domain.pacing import Bucket, Rate
from phonegate.model.messages import Message
from phonegate.model.phones import Sim


@attrs.define
class Phones:
    """Phones that are online for every org; each takes messages while `room` lasts."""

    phones: list[OnlinePhone] = attrs.field(factory=list)
    room: int = 100
    segments_per_minute: int = 0
    cancels: bool = False
    pushed: list[tuple[int, Message]] = attrs.field(factory=list)
    woken: list[int] = attrs.field(factory=list)
    freed: list[tuple[int, int]] = attrs.field(factory=list)
    lanes: set[tuple[int | None, str]] | None = None

    def online(self, org: int) -> tuple[OnlinePhone, ...]:
        return tuple(self.phones)

    def reserve(self, phone: int, sim: Sim | None, segments: int) -> bool:
        if self.room < segments:
            return False
        self.room -= segments
        return True

    def release(self, phone: int, sim: Sim | None, segments: int) -> None:
        self.room += segments

    def push(self, phone: int, message: Message) -> None:
        self.pushed.append((phone, message))

    def outlook(self, phone: int, sim: Sim | None) -> Outlook | None:
        rate = Rate(self.segments_per_minute)
        return None if rate.unlimited else Outlook(bucket=Bucket(0, 0), rate=rate, now=0)

    def wake(self, org: int, lanes: Collection[tuple[int | None, str]] | None = None) -> None:
        self.woken.append(org)
        self.lanes = None if lanes is None else set(lanes)

    def ask_cancel(self, phone: int, message: int) -> bool:
        return self.cancels

    def given_up(self, org: int, phone: int, message: int) -> None:
        self.freed.append((phone, message))


def as_dispatcher(phones: Phones) -> Dispatcher:
    """Holds the fake to the contract: the type checker compares the two."""
    return phones

"""A carrier in memory: it does what a test scripted, and keeps what it was asked."""

from collections.abc import Callable
from typing import Any

import attrs
import trio

from phonegate.domain.carrier import Account, CarrierError, CarrierMessage, Outbound
from phonegate.domain.carrier_timings import CarrierTimings
from phonegate.model.assistants import Assistant

Said = CarrierMessage | CarrierError | None


@attrs.define
class Played:
    """Takes each message under a new id, unless the script has something else to say."""

    sends: list[Said | Callable[[], Said]] = attrs.field(factory=list)
    finds: list[Said] = attrs.field(factory=list)
    fetches: list[Said] = attrs.field(factory=list)
    sent: list[Outbound] = attrs.field(factory=list)
    found: list[Outbound] = attrs.field(factory=list)
    fetched: list[str] = attrs.field(factory=list)
    slow: trio.Event | None = None
    """Sends wait for it."""
    closed: bool = False
    changed: trio.Event = attrs.field(factory=trio.Event)

    async def has_sent(self, count: int) -> None:
        """Returns once it was asked to send so many."""
        while len(self.sent) < count:
            await self.changed.wait()

    async def send(self, message: Outbound, *, deadline_s: float) -> CarrierMessage:
        self.sent.append(message)
        self.changed.set()
        self.changed = trio.Event()
        if self.slow is not None:
            await self.slow.wait()
        said = self.sends.pop(0) if self.sends else None
        if callable(said):
            said = said()
        return _say(said or taken(f"SM{len(self.sent)}"))

    async def fetch(self, carrier_id: str, *, deadline_s: float) -> CarrierMessage | None:
        self.fetched.append(carrier_id)
        said = self.fetches.pop(0) if self.fetches else None
        return None if said is None else _say(said)

    async def find(self, message: Outbound, *, deadline_s: float) -> CarrierMessage | None:
        self.found.append(message)
        said = self.finds.pop(0) if self.finds else None
        return None if said is None else _say(said)

    async def aclose(self) -> None:
        self.closed = True


def as_account(played: Played) -> Account:
    """Holds the fake to the contract: the type checker compares the two."""
    return played


def account_mark(assistant: Assistant) -> str:
    """Tells the accounts of tests apart."""
    return assistant.credentials.get("account_sid", "")


def taken(carrier_id: str = "SM1", **changes: Any) -> CarrierMessage:
    return attrs.evolve(CarrierMessage(id=carrier_id, progress="sending"), **changes)


def _say(said: CarrierMessage | CarrierError) -> CarrierMessage:
    if isinstance(said, CarrierError):
        raise said
    return said


SHORT_PAUSES = CarrierTimings(
    first_pause_s=0.001, longest_pause_s=0.001, shortest_try_s=0.001, store_pause_s=0
)
"""Pauses between tries too short to notice."""

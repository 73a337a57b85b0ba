"""Places for messages on one phone.

A reservation takes a place in the phone's window and its segments of the SIM's pacing together, and
a new message gets none while older ones wait. Its message is stored, and then it is pushed or the
reservation is given back.
"""

from collections.abc import AsyncIterator, Hashable, Sequence
from contextlib import asynccontextmanager

import trio

from phonegate.domain.forecast import Outlook
from phonegate.domain.pacing import PacingRate, PacingRates
from phonegate.model.phones import Sim
from phonegate.phones.pacer import Pacer
from phonegate.phones.send_order import SendOrder
from phonegate.phones.state import PhoneState
from phonegate.phones.window import ORDINARY_SEGMENTS, long_part


class Reservations:
    """What one phone has room for, by its window, its order and the pacing of its SIMs."""

    __slots__ = ("_idle", "_order", "_pacer", "_paused", "_rates", "_state")

    def __init__(
        self, state: PhoneState, order: SendOrder, pacer: Pacer, rates: PacingRates
    ) -> None:
        self._state = state
        self._order = order
        self._pacer = pacer
        self._rates = rates
        self._paused = False
        self._idle: trio.Event | None = None

    @property
    def open(self) -> bool:
        """Tells whether a reservation can be made now, pacing aside."""
        state = self._state
        return not self.stopped and state.takes_new and state.window.free > 0

    @property
    def stopped(self) -> bool:
        """Tells whether no reservation is made, whatever room there is."""
        return self._state.parting or self._paused

    def reserve(self, sim: Sim | None, segments: int) -> bool:
        """Takes a place for a new message, if it can be pushed at once and overtakes none.

        Returns whether it did.
        """
        return self.reserve_all(sim, (segments,))

    def reserve_all(self, sim: Sim | None, segments: Sequence[int]) -> bool:
        """Does so for some messages, of so many segments each. It takes all their places or none.

        Returns whether it did.
        """
        window = self._state.window
        if not self.open or self._order.is_behind(sim):
            return False
        long = sum(map(long_part, segments)) if max(segments, default=0) > ORDINARY_SEGMENTS else 0
        if not window.fits(len(segments), long):
            return False
        rate = self._rate_of(sim)
        # Most gateways of many messages pace none, and finding the bucket takes as long again.
        if not rate.unlimited and not self._pacer.take_all(self._bucket(sim), rate, segments):
            return False
        return window.reserve(len(segments), long)

    def reserve_next(self, sim: Sim | None, segments: int) -> bool:
        """Takes a place for the message whose turn it is. Returns whether there was one."""
        if not self.has_room(segments):
            return False
        if not self._pacer.take(self._bucket(sim), self._rate_of(sim), segments):
            return False
        return self._state.window.reserve(long=long_part(segments))

    def has_room(self, segments: int) -> bool:
        """Tells whether the window has a place for a message of so many segments."""
        return self._state.window.fits(long=long_part(segments))

    def release(self, sim: Sim | None, segments: int) -> None:
        """Gives back a reservation whose message is not pushed."""
        self._pacer.give_back(self._bucket(sim), self._rate_of(sim), segments)
        self._state.window.release(long_part(segments))
        self.note_end()

    def note_end(self) -> None:
        """Notes that a reserved message was pushed, or its reservation given back."""
        state = self._state
        if self._idle is not None and (state.parting or state.window.reserved == 0):
            self._idle.set()

    @asynccontextmanager
    async def pause(self) -> AsyncIterator[None]:
        """Makes no reservation within the context, which begins once all earlier ones have ended.

        Between its commit and its push a message looks in the database like one that an earlier
        link left open.
        """
        self._paused = True
        try:
            if self._state.window.reserved and not self._state.parting:
                self._idle = trio.Event()
                await self._idle.wait()
            yield
        finally:
            self._paused = False
            self._idle = None

    def wait_s(self, sim: Sim | None, segments: int) -> float:
        """Returns the seconds until the pacing of a SIM lets a message pass, 0 for now."""
        return self._pacer.wait_s(self._bucket(sim), self._rate_of(sim), segments)

    def outlook(self, sim: Sim | None) -> Outlook | None:
        """Returns the pacing of a SIM as it stands, or None where there is no limit."""
        if (rate := self._rate_of(sim)).unlimited:
            return None
        bucket, now = self._pacer.look(self._bucket(sim), rate)
        return Outlook(
            bucket=bucket,
            rate=rate,
            now=now,
            queues=tuple(self._order.queues_of(sim)),
            left_open=tuple(self._order.segments_before(sim)),
        )

    def _bucket(self, sim: Sim | None) -> Hashable:
        """Returns the key of a SIM's pacing bucket: its number, or else the slot of this phone."""
        state = self._state
        sim = sim or state.usual_sim
        if sim is not None and sim.form is not None:
            return state.org, sim.form
        return "slot", state.phone, None if sim is None else sim.slot

    def _rate_of(self, sim: Sim | None) -> PacingRate:
        sim = sim or self._state.usual_sim
        return self._rates.of(self._state.org_name, None if sim is None else sim.form)

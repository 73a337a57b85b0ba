"""Gives a simulated phone's messages to the radio in order, and reports the results."""

from collections.abc import Callable

import attrs
import trio

from phonegate.phone.conversation import Conversation
from phonegate.phone.device import Device
from phonegate.phone.ledger import (
    Delivered,
    Handed,
    Result,
    Taken,
)
from phonegate.phone.link import LinkLost
from phonegate.phone.radio import Transmission, segments
from phonegate.phone.simulated_faults import CrashPoint, Fate

HOLD_S = 0.2
"""Seconds for which a held-back result waits for another to be sent first."""
QUEUE = 1000
"""Messages that wait for the radio: ten times a gateway's window. One more is refused."""
NO_SUCH_SIM = "RESULT_NO_SUCH_SIM"
TOO_LATE = "RESULT_TOO_LATE"
"""The error of a message that expired before its turn came."""
QUEUE_FULL = "RESULT_ERROR_LIMIT_EXCEEDED"


@attrs.frozen(kw_only=True)
class _Job:
    taken: Taken
    repeat: bool = False
    resumed: bool = False


class Transmitter:
    """The queue before the radio in one life of the phone's process.

    Args:
        device: The phone.
        conversation: Returns the link's conversation, or None while there is none.
        die: Ends this life at once.
    """

    def __init__(
        self,
        device: Device,
        conversation: Callable[[], Conversation | None],
        die: Callable[[], None],
    ) -> None:
        self._device = device
        self._ledger = device.journal.ledger
        self._conversation = conversation
        self._die = die
        self._held: list[int] = []
        self._to_radio, self._jobs = trio.open_memory_channel[_Job](QUEUE)

    def take(self, taken: Taken, repeat: bool = False, *, resumed: bool = False) -> None:  # noqa: FBT001, FBT002 (as `Conversation` calls it)
        """Queues a message that is in the journal.

        `repeat` sends its result twice. `resumed` says that an earlier life had accepted it.
        """
        try:
            self._to_radio.send_nowait(_Job(taken=taken, repeat=repeat, resumed=resumed))
        except trio.WouldBlock:
            self._device.stats.failed += 1
            self._device.finish(Result(id=taken.id, success=False, error=QUEUE_FULL))

    def forget_held(self) -> None:
        """Drops the held-back results, since a new link sends every result anyway."""
        self._held.clear()

    async def run(self) -> None:
        """Serves the queue until cancelled."""
        while True:
            job = None
            with trio.move_on_after(HOLD_S if self._held else float("inf")):
                job = await self._jobs.receive()
            if job is None:
                await self._release()
            else:
                await self._serve(job)

    async def _serve(self, job: _Job) -> None:
        taken = job.taken
        fate = self._device.dice.fate(resumed=job.resumed)
        if fate.delay_s:
            await trio.sleep(fate.delay_s)
        if self._ledger.result(taken.id) is not None:
            return  # It was cancelled while it waited.
        await self._crash_at("before_handover", fate)
        self._device.journal.record(Handed(id=taken.id))
        await self._crash_at("before_radio", fate)
        error = self._transmit(taken, fate)
        await self._crash_at("after_radio", fate)
        result = Result(
            id=taken.id,
            success=error is None,
            error=error,
            segments=None if error else segments(taken.body),
            silent=fate.reporting == "never",
        )
        self._device.finish(result)
        if error is None:
            self._follow(taken, result)
        await self._report(result, fate, times=2 if job.repeat else 1)

    async def _crash_at(self, point: CrashPoint, fate: Fate) -> None:
        if fate.crash == point:
            self._die()
            await trio.lowlevel.checkpoint_if_cancelled()
            raise AssertionError("a dead phone went on")  # pragma: no cover

    def _transmit(self, taken: Taken, fate: Fate) -> str | None:
        """Gives a message to the radio. Returns the error where the radio refuses it."""
        device = self._device
        error = fate.error if device.identity.has_sim(taken.sim) else NO_SUCH_SIM
        # A phone of the basic protocol gets no times.
        if taken.expires_at is not None and device.extended:
            error = TOO_LATE if taken.expires_at <= device.now_ms() else error
        if error is not None:
            device.stats.failed += 1
            return error
        device.radio.transmit(
            Transmission(
                phone=device.identity.device_id,
                id=taken.id,
                to=taken.to,
                body=taken.body,
                sim=taken.sim,
                time=device.now_ms(),
            )
        )
        device.stats.radioed += 1
        return None

    def _follow(self, taken: Taken, result: Result) -> None:
        """Makes what follows a sent message: its delivery, and an answer."""
        device = self._device
        if device.plan.delivery_reports and device.extended and not result.silent:
            device.journal.record(Delivered(id=taken.id, date=device.now_ms()))
        if device.plan.reply:
            slots = [card.slot for card in device.identity.sims if card.number == taken.sim]
            device.receive_sms(taken.to, f"echo: {taken.body}", slots[0] if slots else None)

    async def _report(self, result: Result, fate: Fate, *, times: int) -> None:
        if fate.reporting != "now":
            return
        if fate.hold:
            self._held.append(result.id)
        elif await self._send_result(result, times=times):
            await self._release()

    async def _release(self) -> None:
        """Sends the held-back results, the newest first."""
        while self._held:
            result = self._ledger.result(self._held.pop())
            if result is not None and not await self._send_result(result):
                self._held.clear()

    async def _send_result(self, result: Result, *, times: int = 1) -> bool:
        conversation = self._conversation()
        if conversation is None:
            return False
        try:
            await conversation.report(result, times=times)
        except LinkLost:
            # The next link begins with every result that may not have arrived.
            return False
        return True

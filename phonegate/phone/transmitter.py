"""Gives a phone's messages to the radio, one at a time and each once, and reports the results."""

from collections.abc import Awaitable, Callable

import attrs
import trio

from phonegate.phone.conduct import Telling
from phonegate.phone.conversation import Conversation
from phonegate.phone.device import Device
from phonegate.phone.errors import PhoneError
from phonegate.phone.ledger import DIED
from phonegate.phone.link import LinkLost
from phonegate.phone.radios.radio import Failed, Outcome, Sent, Transmission, Uncertain
from phonegate.phone.records import Handed, Result, Taken

HOLD_S = 0.2
"""Seconds for which a held-back result waits for another to be sent first."""
QUEUE = 1000
"""Messages that wait for the radio: ten times a gateway's window. One more is refused."""
NO_SUCH_SIM = "RESULT_NO_SUCH_SIM"
TOO_LATE = "RESULT_TOO_LATE"
"""The error of a message that expired before its turn came."""
QUEUE_FULL = "RESULT_ERROR_LIMIT_EXCEEDED"
TIMED_OUT = "RADIO_TIMED_OUT"
"""The error of an attempt that took longer than its radio allows."""
BROKEN = "RADIO_BROKE"
"""The error of an attempt in which the radio's own program failed."""


@attrs.frozen(kw_only=True)
class _Job:
    taken: Taken
    repeat: bool = False


class Transmitter:
    """The queue before the radio in one run of the phone's program.

    Args:
        device: The phone.
        conversation: Returns the link's conversation, or None while there is none.
    """

    def __init__(self, device: Device, conversation: Callable[[], Conversation | None]) -> None:
        self._device = device
        self._ledger = device.journal.ledger
        self._conversation = conversation
        self._held: list[int] = []
        self._to_radio, self._jobs = trio.open_memory_channel[_Job](QUEUE)
        # The message for which the radio is not ready yet.
        self._next: int | None = None
        self._waiting = trio.CancelScope()

    def take(self, taken: Taken, repeat: bool = False) -> None:  # noqa: FBT001, FBT002 (as `Conversation` calls it)
        """Queues a message that is in the journal. `repeat` sends its result twice."""
        try:
            self._to_radio.send_nowait(_Job(taken=taken, repeat=repeat))
        except trio.WouldBlock:
            self._device.stats.failed += 1
            self._device.finish(Result(id=taken.id, success=False, error=QUEUE_FULL))

    def cancel(self, message: int) -> Result | None:
        """Takes a message back before the radio has it. Returns the result, if there is a new one.

        Raises:
            JournalUnusable: It could not be recorded.
        """
        result = self._ledger.cancel(message)
        if result is not None:
            self._device.finish(result)
            if self._next == message:
                self._waiting.cancel()
        return result

    def forget_held(self) -> None:
        """Drops the held-back results, since a new link sends every result anyway."""
        self._held.clear()

    async def run(self) -> None:
        """Settles what an earlier run began, then serves the queue until cancelled."""
        for taken in self._ledger.waiting():
            self.take(taken)
        for taken in self._ledger.interrupted():
            await self._settle(taken)
        while True:
            job = None
            with trio.move_on_after(HOLD_S if self._held else float("inf")):
                job = await self._jobs.receive()
            if job is None:
                await self._release()
            else:
                await self._serve(job)

    async def _settle(self, taken: Taken) -> None:
        outcome = await self._within_deadline(self._device.radio.settle, self._transmission(taken))
        if not self._ledger.is_handed(taken.id):
            return
        result = _result(taken.id, Uncertain(DIED) if outcome is None else outcome)
        if not self._device.conduct.extended:
            # The basic protocol can't express that a message is uncertain.
            result = attrs.evolve(result, silent=True)
        self._finish(result)
        await self._report(result, Telling(), times=1)

    async def _serve(self, job: _Job) -> None:
        taken, device = job.taken, self._device
        if not self._ledger.is_waiting(taken):
            return  # It was cancelled or refused while it waited, or is another gateway's.
        transmission = self._transmission(taken)
        refusal = await self._wait_for_radio(taken, transmission)
        if not self._ledger.is_waiting(taken):
            return
        if refusal is None:
            device.journal.record(Handed(id=taken.id))
            await device.journal.sync()
            device.begin_attempt()
            outcome = await self._within_deadline(device.radio.attempt, transmission)
        else:
            outcome = Failed(refusal)
        if refusal is None and not self._ledger.is_handed(taken.id):
            return  # Of a gateway that is gone. Another message may have this id by now.
        telling = device.conduct.telling(taken.id)
        result = attrs.evolve(
            _result(taken.id, Uncertain(BROKEN) if outcome is None else outcome),
            silent=telling.reporting == "never",
        )
        self._finish(result)
        await self._report(result, telling, times=2 if job.repeat else 1)

    def _transmission(self, taken: Taken) -> Transmission:
        device = self._device
        return Transmission(
            phone="" if device.identity is None else device.identity.device_id,
            id=taken.id,
            to=taken.to,
            body=taken.body,
            sim=taken.sim,
            sim_slot=device.slot(taken.sim),
            time=device.now_ms(),
        )

    async def _wait_for_radio(self, taken: Taken, transmission: Transmission) -> str | None:
        """Waits until the radio is ready. Returns the error if the message must not be sent."""
        device = self._device
        # A phone of the basic protocol gets no times.
        expires_at = taken.expires_at if device.conduct.extended else None
        left_s = float("inf") if expires_at is None else (expires_at - device.now_ms()) / 1000
        with trio.move_on_after(max(0, left_s)) as self._waiting:
            self._next = taken.id
            await device.radio.ready(transmission)
        self._next = None
        expired = expires_at is not None and expires_at <= device.now_ms()
        if expired or self._waiting.cancelled_caught:
            return TOO_LATE
        return NO_SUCH_SIM if device.lacks(taken.sim) else None

    async def _within_deadline(
        self, ask: Callable[[Transmission], Awaitable[Outcome | None]], transmission: Transmission
    ) -> Outcome | None:
        """Asks the radio. Whatever goes wrong there, the message may have been sent."""
        try:
            with trio.move_on_after(self._device.radio.attempt_s):
                return await ask(transmission)
        except PhoneError:
            raise
        except Exception as error:  # noqa: BLE001 (a radio's fault costs one message, not the phone)
            # The error's own text may hold the message.
            self._device.notice(f"the radio failed: {type(error).__name__}")
            return Uncertain(BROKEN)
        return Uncertain(TIMED_OUT)

    def _finish(self, result: Result) -> None:
        stats = self._device.stats
        if result.uncertain:
            stats.uncertain += 1
        elif not result.success:
            stats.failed += 1
        self._device.finish(result)

    async def _report(self, result: Result, telling: Telling, *, times: int) -> None:
        if telling.reporting != "now" or result.silent:
            return
        if telling.hold:
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


def _result(message: int, outcome: Outcome) -> Result:
    match outcome:
        case Sent():
            return Result(
                id=message,
                success=True,
                segments=outcome.segments,
                reference=outcome.reference,
            )
        case Failed():
            return Result(id=message, success=False, error=outcome.error)
        case Uncertain():
            return Result(id=message, success=False, error=outcome.error, uncertain=True)

"""Writes down what a phone reports, in the order it came, and answers once that is committed.

Everything that waits goes into one transaction. A `ping` is answered only after all that came
before it is recorded, so a phone can take the `pong` as "you have all that".

Plain reports that nothing waits before go to the writer at once, with those of other phones and
without a task, and so do the SIMs of a phone whose row is known. Steps that follow wait until they
are recorded. What of them was not awaited, or could not be recorded, becomes such steps itself,
before the others.

Received SMS alone take room. Those that there is none for are held, and all else passes them: a
result that waited behind a text would be lost with the link, and the SMS would be sent again. An
`error` frame has named each of them before the `pong` comes.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, Protocol

import trio

from phonegate import log
from phonegate.domain.inbox import Received
from phonegate.domain.phone_delivery import PhoneDelivery, Reporter
from phonegate.domain.plain_reports import PlainReports
from phonegate.model.storage_errors import StoreClosed, StoreError
from phonegate.phones import frames
from phonegate.phones.frames import GatewayFrame
from phonegate.phones.held_inbound import NO_ROOM, HeldInbound, NoRoom
from phonegate.phones.phone_timings import PhoneTimings
from phonegate.phones.report_answers import answer_to, internal_error, no_room
from phonegate.phones.report_order import Answer, record, stored, texts_of
from phonegate.phones.state import IdentityStep, PhoneState, Report, Step
from phonegate.phones.storage_retry import StorageRetry
from phonegate.phones.worker import FOREVER, Worker

STEPS: Final = 64
"""Steps that wait before the phone is not read from."""

STEPS_BYTES: Final = 262_144
"""Bytes of frames that wait, likewise: four of the usual largest, or one of received SMS beyond it,
so that many phones which send large frames and read no answers don't fill the memory."""

MAX_BATCH: Final = 64
"""Steps in one transaction, or texts where a step has many: a few ms of the one writer's time. A
frame is never parted, so it may be as many texts as a frame can hold."""

PLAIN: Final = 512
"""Plain reports under way, or one read's more, before those that follow wait like all steps."""

_log = log.get("phones")


class Identity(Protocol):
    """Finds out which phone it is that reports. `identity.Identification` is one."""

    async def take(self, step: IdentityStep) -> None:
        """Takes a step that may show it."""

    def take_plainly(self, report: frames.Sims, done: Callable[[bool], None]) -> bool:
        """Takes SIMs without a task, where nothing else may follow from them. Returns whether.

        Then `done` is called: with False where they have changed nothing, and are to be taken.
        """


class Recorder:
    """What one phone has said and is not written down yet, and the work of doing it."""

    __slots__ = (
        "_bytes",
        "_deadline",
        "_delivery",
        "_held",
        "_identity",
        "_is_over",
        "_lighter",
        "_on_end",
        "_plain",
        "_plain_done",
        "_retry",
        "_say",
        "_scope",
        "_seen",
        "_state",
        "_steps",
        "_timings",
        "worker",
    )

    def __init__(
        self,
        state: PhoneState,
        delivery: PhoneDelivery,
        retry: StorageRetry,
        *,
        say: Callable[[GatewayFrame], Awaitable[None]],
        identity: Identity,
        seen: Callable[[], Awaitable[None]],
        on_end: Callable[[], None],
        timings: PhoneTimings,
    ) -> None:
        """Makes the recorder of one phone.

        Args:
            state: The phone.
            delivery: Where reports are recorded.
            retry: Tries again while the disk refuses.
            say: Sends a frame to the phone.
            identity: Takes steps that may show which phone this is.
            seen: Stores that the phone was there just now.
            on_end: Called once nothing more is recorded.
            timings: How long it may take, and its pauses while there is no room.
        """
        self._state = state
        self._delivery = delivery
        self._retry = retry
        self._say = say
        self._identity = identity
        self._seen = seen
        self._timings = timings
        self._on_end = on_end
        self._steps: list[tuple[Step, int]] = []
        self._bytes = 0
        self._lighter: trio.Event | None = None
        self._scope: trio.CancelScope | None = None
        self._deadline: float | None = None
        self._held = HeldInbound()
        self._plain = 0
        """Plain reports that are being recorded, of SIMs too."""
        self._plain_done: trio.Event | None = None
        self._is_over = False
        """Nothing more is recorded."""
        self.worker: Worker
        """Calls `work`."""

    @property
    def has_room(self) -> bool:
        """Tells whether the phone may be read from, because not too much waits already.

        A phone that gets no `inbound_ack` repeats no text. When too many are held, the others are
        best kept on their way.
        """
        if self._held.is_full and not self._state.greeted:
            return False
        return len(self._steps) < STEPS and self._bytes <= STEPS_BYTES

    async def wait_for_room(self) -> None:
        """Waits until there is room."""
        while not self.has_room:
            if self._lighter is None:
                self._lighter = trio.Event()
            await self._lighter.wait()

    def put(self, step: Step, size: int) -> None:
        """Takes a step that came in a frame of this size, after those before it."""
        if isinstance(step, frames.Sims) and self.takes_plainly and not self._plain:
            self._plain += 1
            if self._identity.take_plainly(step, partial(self._sims_taken, step)):
                return
            self._plain -= 1
        self._steps.append((step, size))
        self._bytes += size
        self.worker.call()

    @property
    def takes_plainly(self) -> bool:
        """Tells whether plain reports may be recorded at once, since nothing waits before them."""
        return not self._steps and self._scope is None and self._plain < PLAIN and self.has_room

    def put_plainly(self, reports: PlainReports) -> None:
        """Has plain reports recorded while `takes_plainly`."""
        reporter = self._state.reporter()
        try:
            self._delivery.report_plainly(
                reporter, reports, partial(self._plainly_recorded, reports)
            )
        except (trio.WouldBlock, StoreClosed):
            self._put_back(reports)
        else:
            self._plain += reports.count

    def _plainly_recorded(
        self,
        reports: PlainReports,
        all_awaited: bool | None,  # noqa: FBT001 - as the writer tells it
        _: Exception | None,
    ) -> None:
        if not all_awaited:
            self._put_back(reports)
        self._plain_taken(reports.count)

    def _sims_taken(self, step: frames.Sims, are_stored: bool) -> None:  # noqa: FBT001 - it is what came of it
        if not are_stored and not self._is_over:
            self._steps.insert(0, (step, 0))
            self.worker.call()
        self._plain_taken(1)

    def _plain_taken(self, count: int) -> None:
        self._plain -= count
        if not self._plain and self._plain_done is not None:
            self._plain_done.set()
            self._plain_done = None

    def _put_back(self, reports: PlainReports) -> None:
        """Makes steps of plain reports, to be taken before all others."""
        if self._is_over:
            _log.error("reports_lost", phone=self._state.phone, count=reports.count)
            return
        steps: list[Step] = [frames.Ack(id=id_) for id_ in reports.acked]
        steps += [
            frames.SendResult(id=id_, success=True, segments=parts) for id_, parts in reports.sent
        ]
        self._steps[:0] = [(step, 0) for step in steps]
        self.worker.call()

    async def _until_plain_are_done(self) -> None:
        while self._plain:
            if self._plain_done is None:
                self._plain_done = trio.Event()
            await self._plain_done.wait()

    def finish(self) -> None:
        """Writes down what has arrived, within `drain_s`. Then the session has ended."""
        self._deadline = trio.current_time() + self._timings.drain_s
        self._held.hasten(trio.current_time())
        if self._scope is not None:
            self._scope.deadline = self._deadline
        self.worker.call()

    async def work(self) -> float:
        """Records until nothing waits. The link's end does not cut it short.

        Returns after how many seconds to try held texts again.
        """
        waiting: list[Step] = []
        done, again_s = False, FOREVER
        try:
            with trio.CancelScope(shield=True) as self._scope:
                if self._deadline is not None:
                    self._scope.deadline = self._deadline
                await self._until_plain_are_done()
                while self._steps or self._held:
                    waiting = self._next_batch()
                    await self._take(waiting)
                    waiting = []
                    again_s = await self._try_held()
                    if self._steps or not again_s:
                        continue
                    if self._deadline is None:
                        break
                    if self._held:
                        await trio.sleep(again_s)
                if self._deadline is not None:
                    await self._retry(self._seen)
                done = True
        except StoreError as error:
            _log.warning("recording_ended", phone=self._state.phone, reason=str(error))
        finally:
            self._scope = None
            if self._deadline is not None or not done:
                self._is_over = True
                self._on_end()
                self._give_up(waiting)
        return again_s

    def _give_up(self, waiting: Sequence[Step]) -> None:
        """Drops what could not be recorded while there was time."""
        phone = self._state.phone
        if lost := len(waiting) + len(self._steps):
            _log.error("reports_lost", phone=phone, count=lost)
            self._steps.clear()
        if self._held:
            # A phone that gets `inbound_ack` has them still.
            repeated = self._state.greeted
            say = _log.warning if repeated else _log.error
            say(
                "texts_not_stored",
                phone=phone,
                count=self._held.clear(),
                reason=self._held.reason.code,
                repeated=repeated,
            )

    def _next_batch(self) -> list[Step]:
        count = weight = 0
        for step, size in self._steps:
            if weight >= MAX_BATCH:
                break
            count += 1
            weight += _rows_of(step)
            self._bytes -= size
        batch = [step for step, _ in self._steps[:count]]
        del self._steps[:count]
        self._lighten()
        return batch

    def _lighten(self) -> None:
        """Lets the reader look again whether there is room."""
        if self._lighter is not None:
            self._lighter.set()
            self._lighter = None

    async def _take(self, steps: Sequence[Step]) -> None:
        reports: list[Report] = []
        for step in steps:
            if isinstance(step, Report):
                reports.append(step)
            else:
                await self._record(reports)
                reports = []
                await self._identity.take(step)
        await self._record(reports)

    async def _record(self, reports: Sequence[Report]) -> None:
        """Records reports in one transaction, but for received SMS that there is no room for."""
        if not self._held:
            try:
                await self._write_down(reports)
            except NO_ROOM:
                pass
            else:
                return
        await self._write_down(
            [r for r in reports if not isinstance(r, frames.Inbound | frames.Ping)]
        )
        for report in reports:
            if isinstance(report, frames.Inbound):
                await self._record_text(report)
        await self._write_down([report for report in reports if isinstance(report, frames.Ping)])

    async def _record_text(self, text: frames.Inbound) -> None:
        """Records received SMS, after those that are held, or holds them too."""
        if not self._held:
            try:
                await self._write_down([text])
            except NO_ROOM as error:
                _log.warning("recording_waits", phone=self._state.phone, reason=str(error))
                self._put_off(error)
            else:
                return
        # A phone that gets `inbound_ack` repeats what has none.
        keep = not (self._held.is_full and self._state.greeted)
        if keep:
            self._held.add(text)
        await self._say(no_room(self._held.reason, [text], keep=keep))

    async def _try_held(self) -> float:
        """Tries the first held text if it is time. Returns after how many seconds to come again."""
        if not self._held:
            return FOREVER
        if (wait := self._held.due - trio.current_time()) > 0:
            return wait
        try:
            await self._write_down([self._held.first])
        except NO_ROOM as error:
            self._put_off(error)
            return self._held.due - trio.current_time()
        self._held.drop_first()
        self._lighten()
        return 0 if self._held else FOREVER

    def _put_off(self, error: NoRoom) -> None:
        self._held.refuse(
            error,
            trio.current_time(),
            first_s=self._timings.first_retry_s,
            longest_s=self._timings.longest_retry_s,
        )

    async def _write_down(self, reports: Sequence[Report]) -> None:
        """Records reports in one transaction. One that can't be written fails alone.

        Raises:
            StorageSpent, DiskLow: There is no room for the received SMS among them. None of the
                reports is recorded then.
        """
        if all(isinstance(report, frames.Ping) for report in reports):
            for _ in reports:
                await self._say(frames.Pong())
            return
        reporter = self._state.reporter()
        texts = texts_of(reports)
        write: Callable[[], Awaitable[Sequence[Answer]]]
        if texts and reporter.takes_company(texts):
            write = partial(self._store_texts, reporter, reports, texts)
        else:
            write = partial(
                self._delivery.report,
                reporter,
                lambda tx: record(tx, reports),
                # The phone waits for no answer to any other.
                patient=not any(isinstance(r, frames.Inbound | frames.Ping) for r in reports),
                size=sum(map(_rows_of, reports)),
            )
        try:
            answers = await self._retry(write, reports)
        except (StoreError, *NO_ROOM):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the link
            if len(reports) > 1:
                for report in reports:
                    await self._record([report])
                return
            _log.error("report_failed", phone=self._state.phone, exc_info=error)
            await self._say(internal_error(reports[0]))
            return
        for report, answer in zip(reports, answers, strict=True):
            if (frame := answer_to(report, answer, greeted=self._state.greeted)) is not None:
                await self._say(frame)

    async def _store_texts(
        self,
        reporter: Reporter,
        reports: Sequence[Report],
        texts: Sequence[Sequence[Received]],
    ) -> Sequence[Answer]:
        """Stores received SMS together with those of other phones."""
        return stored(reports, await self._delivery.receive(reporter, texts))


def _rows_of(step: Step) -> int:
    """Returns about how many rows a step writes."""
    return max(1, len(step.messages)) if isinstance(step, frames.Inbound) else 1

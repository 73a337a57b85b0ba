"""Writes down what a phone reports, in the order it came, and answers once that is committed.

Everything that waits goes into one transaction. A `ping` is answered only after all that came
before it is recorded, so a phone can take the `pong` as "you have all that".

Received SMS alone take room. Those that there is none for are held, and all else passes them: a
result that waited behind a text would be lost with the link, and the SMS would be sent again. An
`error` frame has named each of them before the `pong` comes.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import attrs
import trio

from phonegate import log
from phonegate.domain import delivery, inbox
from phonegate.domain.inbox import Received
from phonegate.model.messages import Message
from phonegate.model.storage_errors import StorageUnavailable, StoreError
from phonegate.phones import frames
from phonegate.phones.held import NO_ROOM, HeldTexts, NoRoom
from phonegate.phones.identity import Identity
from phonegate.phones.protocol import GraceOver, Inherited, Misplaced, Step
from phonegate.phones.reports import (
    Report,
    internal_error,
    no_room,
    no_such_message,
    runs,
    weight_of,
)
from phonegate.phones.worker import FOREVER, Worker
from phonegate.store.tables import Tables

if TYPE_CHECKING:
    from phonegate.phones.session import Session

T = TypeVar("T")

STEPS: Final = 64
"""Steps that wait before the phone is not read from."""

STEPS_BYTES: Final = 262_144
"""Bytes of frames that wait, likewise: four of the usual largest, or one of received SMS beyond it,
so that many phones which send large frames and read no answers don't fill the memory."""

DRAIN_S: Final = 5.0
"""How long it may take, after the link's end, to write down what had arrived."""

MAX_BATCH: Final = 64
"""Steps in one transaction, or texts where a step has many: a few ms of the one writer's time. A
frame is never parted, so it may be as many texts as a frame can hold."""

FIRST_PAUSE_S: Final = 0.5
"""Wait before the first new try when there is no room; doubled each time."""

LONGEST_PAUSE_S: Final = 10.0
"""A disk that has room again is noticed within this time."""

PREDECESSOR_S: Final = 10.0
"""How long to wait for an older connection of the phone to have its reports recorded."""

_log = log.get("phones")


@attrs.frozen
class _Copied:
    """The message may have been stored once more, to be sent again."""


@attrs.frozen
class _Stored:
    """The gateway's ids of an `inbound` frame's messages; None for one that could not be read."""

    ids: tuple[int | None, ...]


_Answer = _Stored | _Copied | frames.Error | None


class Recorder:
    """What one session still has to write down, and the work of doing it."""

    __slots__ = (
        "_bytes",
        "_deadline",
        "_held",
        "_identity",
        "_lighter",
        "_refused",
        "_scope",
        "_session",
        "_steps",
        "worker",
    )

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._identity = Identity(session, self._keep_trying)
        self._steps: list[tuple[Step, int]] = []
        self._bytes = 0
        self._lighter: trio.Event | None = None
        self._scope: trio.CancelScope | None = None
        self._deadline: float | None = None
        self._held = HeldTexts()
        self._refused = False
        """Whether the disk takes nothing just now."""
        self.worker: Worker
        """Calls `work`."""

    @property
    def has_room(self) -> bool:
        """Whether the phone may be read from: not too much waits already.

        A phone that gets no `inbound_ack` repeats no text. When too many are held, the others are
        best kept on their way.
        """
        if self._held.is_full and not self._session.protocol.greeted:
            return False
        return len(self._steps) < STEPS and self._bytes <= STEPS_BYTES

    async def room(self) -> None:
        """Waits until there is room."""
        while not self.has_room:
            if self._lighter is None:
                self._lighter = trio.Event()
            await self._lighter.wait()

    def put(self, step: Step, size: int) -> None:
        """Takes a step that came in a frame of this size, after those before it."""
        self._steps.append((step, size))
        self._bytes += size
        self.worker.call()

    def finish(self) -> None:
        """Writes down what has arrived, within `DRAIN_S`; then the session has ended."""
        self._deadline = trio.current_time() + DRAIN_S
        self._held.hasten(trio.current_time())
        if self._scope is not None:
            self._scope.deadline = self._deadline
        self.worker.call()

    async def work(self) -> float:
        """Records until nothing waits; the link's end does not cut it short.

        Answers after how many seconds to try held texts again.
        """
        session = self._session
        waiting: list[Step] = []
        done, again_s = False, FOREVER
        try:
            with trio.CancelScope(shield=True) as self._scope:
                if self._deadline is not None:
                    self._scope.deadline = self._deadline
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
                    phone, now = session.phone, session.now_ms()
                    await self._keep_trying(lambda tx: tx.phones.seen(phone, now))
                done = True
        except StoreError as error:
            _log.warning("recording_ended", phone=session.phone, reason=str(error))
        finally:
            self._scope = None
            if self._deadline is not None or not done:
                session.ended.set()
                session.drop()
            if not done or self._deadline is not None:
                self._give_up(waiting)
        return again_s

    def _give_up(self, waiting: Sequence[Step]) -> None:
        """Lets go what could not be recorded while there was time."""
        session = self._session
        if lost := len(waiting) + len(self._steps):
            _log.error("reports_lost", phone=session.phone, count=lost)
            self._steps.clear()
        if self._held:
            # A phone that gets `inbound_ack` has them still.
            repeated = session.protocol.greeted
            say = _log.warning if repeated else _log.error
            say(
                "texts_not_stored",
                phone=session.phone,
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
            weight += weight_of(step)
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
            match step:
                case frames.Hello() | frames.Sims() | GraceOver() | Inherited() | Misplaced():
                    await self._record(reports)
                    reports = []
                    await self._identify(step)
                case _:
                    reports.append(step)
        await self._record(reports)

    async def _identify(
        self, step: frames.Hello | frames.Sims | GraceOver | Inherited | Misplaced
    ) -> None:
        session = self._session
        in_doubt = session.protocol.in_doubt
        match step:
            case frames.Hello():
                await self._identity.greet(step)
            case frames.Sims():
                await self._identity.report(step)
            case Inherited(row):
                await self._identity.inherit(row)
            case Misplaced(message):
                await self._identity.adopt(message)
            case GraceOver():
                await self._identity.end_grace()
        if not session.protocol.take_resume():
            if in_doubt:
                # It may be given now what it could not be before.
                session.feeder.wake()
            return
        # What an older connection heard must be in the database before anything is pushed again.
        with trio.move_on_after(PREDECESSOR_S):
            await session.switchboard.predecessors_ended(session)
        phone, acks, policy = session.phone, session.protocol.acks, session.policy
        # Neither what it has now nor what it will get soon.
        in_flight = session.feeder.left_open.union(session.protocol.in_flight)
        sims, now = session.online.sims, session.now_ms()

        def resume(tx: Tables) -> tuple[list[Message], bool]:
            # Only what a phone may have sent without a word is ever stored once more.
            copied = not acks and any(
                message.on_uncertain == "resend" for message in tx.messages.unsettled(phone)
            )
            again = delivery.resume(
                tx, phone, acks=acks, in_flight=in_flight, sims=sims, now=now, policy=policy
            )
            return again, copied

        again, copied = await self._keep_trying(resume)
        session.feeder.resume(again)
        if copied:
            session.switchboard.wake(session.org)

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
                _log.warning("recording_waits", phone=self._session.phone, reason=str(error))
                self._put_off(error)
            else:
                return
        # A phone that gets `inbound_ack` repeats what has none.
        keep = not (self._held.is_full and self._session.protocol.greeted)
        if keep:
            self._held.add(text)
        await self._session.say(no_room(self._held.reason, [text], keep=keep))

    async def _try_held(self) -> float:
        """Tries the first held text if it is time; after how many seconds to come again."""
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
        now = trio.current_time()
        self._held.refuse(error, now, first_s=FIRST_PAUSE_S, longest_s=LONGEST_PAUSE_S)

    async def _write_down(self, reports: Sequence[Report]) -> None:
        """Records reports in one transaction; one that can't be written fails alone.

        Raises:
            StorageSpent, DiskLow: There is no room for the received SMS among them. None of the
                reports is recorded then.
        """
        if not any(not isinstance(report, frames.Ping) for report in reports):
            for _ in reports:
                await self._session.say(frames.Pong())
            return
        try:
            answers = await self._keep_trying(
                lambda tx: self._write(tx, reports), reports, patient=self._may_wait(reports)
            )
        except (StoreError, *NO_ROOM):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the link
            if len(reports) > 1:
                for report in reports:
                    await self._record([report])
                return
            _log.error("report_failed", phone=self._session.phone, exc_info=error)
            answers = [internal_error(reports[0])]
        for report, answer in zip(reports, answers, strict=True):
            await self._answer(report, answer)

    async def _answer(self, report: Report, answer: _Answer) -> None:
        session = self._session
        match report, answer:
            case _, frames.Error():
                await session.say(answer)
            case frames.Ping(), _:
                await session.say(frames.Pong())
            case _, _Copied():
                # Whichever phone sends it.
                session.switchboard.wake(session.org)
            case frames.Inbound(), _Stored() if session.protocol.greeted:
                ids = tuple(message.local_id for message in report.messages)
                await session.say(frames.InboundAck(ids=ids, message_ids=answer.ids))
            case _:
                pass

    @staticmethod
    def _may_wait(reports: Sequence[Report]) -> bool:
        """Whether the phone waits for no answer to any of these."""
        return not any(isinstance(report, frames.Inbound | frames.Ping) for report in reports)

    def _write(self, tx: Tables, reports: Sequence[Report]) -> list[_Answer]:
        answers: list[_Answer] = [None] * len(reports)
        for run in runs(reports):
            if not self._write_at_once(tx, [report for _, report in run]):
                for at, report in run:
                    answers[at] = self._write_one(tx, report)
        return answers

    def _write_at_once(self, tx: Tables, run: Sequence[Report]) -> bool:
        """Writes a run of equals where each of them says what is expected; whether it does."""
        session = self._session
        org, phone, now = session.org, session.phone, session.now_ms()
        acked = [report.id for report in run if isinstance(report, frames.Ack)]
        if acked:
            return delivery.acknowledge_all(tx, org, phone, acked, now)
        sent = [(r.id, r.segments) for r in run if isinstance(r, frames.SendResult) and r.success]
        return bool(sent) and delivery.settle_sent(tx, org, phone, sent, now)

    def _write_one(self, tx: Tables, report: Report) -> _Answer:
        session = self._session
        org, phone, now = session.org, session.phone, session.now_ms()
        match report:
            case frames.Inbound():
                items = [one for one in report.messages if isinstance(one, Received)]
                device_id = session.online.device_id
                receipt = inbox.receive(
                    tx,
                    org,
                    items,
                    phone=phone,
                    device_id=device_id,
                    now=now,
                    rate_limits=session.rate_limits,
                    link=session.link,
                )
                stored = iter(receipt.ids)
                return _Stored(
                    tuple(
                        next(stored) if isinstance(one, Received) else None
                        for one in report.messages
                    )
                )
            case frames.Ack():
                found = delivery.acknowledge(tx, org, phone, report.id, now)
            case frames.SendResult():
                found = delivery.settle(
                    tx,
                    org,
                    phone,
                    report.id,
                    success=report.success,
                    error=report.error,
                    segments=report.segments,
                    uncertain=report.uncertain,
                    now=now,
                )
                if found is not None and report.uncertain and found.on_uncertain == "resend":
                    return _Copied()
            case frames.DeliveryReport():
                found = delivery.confirm(
                    tx, org, phone, report.id, delivered=report.delivered, date=report.date, now=now
                )
            case frames.Ping():
                return None
        return None if found is not None else no_such_message(tx, org, report.id)

    async def _keep_trying(
        self,
        op: Callable[[Tables], T],
        reports: Sequence[Report] = (),
        *,
        patient: bool = False,
    ) -> T:
        """Writes, again and again while the disk takes nothing; the phone is told once.

        Meanwhile the queue fills, and then the phone is not read from: it keeps what it has to
        say. Most reports would never be repeated, so none is dropped while the link lives.
        """
        pause = FIRST_PAUSE_S
        while True:
            try:
                result = await self._session.database.write(op, patient=patient)
            except StorageUnavailable as error:
                if not self._refused:
                    self._refused = True
                    _log.warning("recording_waits", phone=self._session.phone, reason=str(error))
                    await self._session.say(no_room(error, reports))
            else:
                self._refused = False
                return result
            await trio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

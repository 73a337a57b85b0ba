"""One connected phone, from the accepted upgrade to the last recorded report.

Its one task, that of the connection, is the *reader*: it takes frames and lets `LinkProtocol`
judge them. Beside it there are workers, who come when there is something to do:

- the *recorder* writes down what frames say and answers,
- the *feeder* pulls due messages,
- the *writer* sends what waits in the bounded outbox, all of it in one write.

The heartbeat, which all phones share, keeps the time.
"""

from collections import Counter
from collections.abc import Callable, Hashable
from functools import partial
from secrets import token_hex
from time import perf_counter
from typing import Final

import attrs
import trio

from phonegate import log
from phonegate.config.settings import Settings
from phonegate.domain import inbox
from phonegate.domain.delivery import Policy
from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.pacing import Rate
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.reported_values import Kind
from phonegate.model.messages import Message
from phonegate.model.phones import Sim
from phonegate.phones import frames
from phonegate.phones.feeder import Feeder
from phonegate.phones.frames import GatewayFrame
from phonegate.phones.heartbeat import Heartbeat, Watch
from phonegate.phones.protocol import (
    Cleaned,
    Close,
    Dead,
    Effect,
    Inherited,
    LinkProtocol,
    Misplaced,
    Probe,
    Record,
    Send,
    Step,
)
from phonegate.phones.recorder import Recorder
from phonegate.phones.room import Room
from phonegate.phones.switchboard import Lane, Switchboard
from phonegate.phones.wire import LinkLost, PhoneSocket
from phonegate.phones.worker import FOREVER, Worker
from phonegate.store.database import Database

ANSWERS: Final = 64
"""Room in the outbox beside a full window of pushes: for answers, errors and pings."""

ANSWERS_BYTES: Final = 262_144
"""Bytes of them: a phone that sends much and reads nothing may take as much as its frames with
each, for an answer to received SMS repeats their ids."""

TRY_AGAIN: Final = 1013
"""Close code "try again later" (RFC 6455 registry)."""

GOODBYE_S: Final = 2.0
"""How long a phone may take to answer a close frame; what it sends until then still counts."""

_log = log.get("phones")


@attrs.frozen(kw_only=True)
class Tenant:
    """The org of a session."""

    id: int
    name: str


@attrs.frozen(kw_only=True)
class Surroundings:
    """What all sessions share."""

    database: Database
    switchboard: Switchboard
    settings: Settings
    policy: Policy
    heartbeat: Heartbeat
    rate_limits: RateLimits
    now_ms: Callable[[], int]
    cleaned: Counter[Kind]
    """What was put right of reports, since the start."""
    room: Room


class Session:
    """One connected phone; implements `switchboard.Station`."""

    def __init__(
        self,
        socket: PhoneSocket,
        shared: Surroundings,
        *,
        tenant: Tenant,
        online: OnlinePhone,
        usual_sim: Sim | None,
        fresh: bool,
        owing: bool,
        in_doubt: bool,
    ) -> None:
        """`usual_sim` is the first SIM known of this row; `fresh` says that the row is new.

        `owing` and `in_doubt` are what `LinkProtocol` says.
        """
        delivery, phones = shared.settings.delivery, shared.settings.phones
        self._shared = shared
        self.database = shared.database
        self.switchboard = shared.switchboard
        self.pacer = shared.switchboard.pacer
        self.policy = shared.policy
        self.now_ms = shared.now_ms
        self.rate_limits = shared.rate_limits
        self.org = tenant.id
        self.org_name = tenant.name
        self.online = online
        self.fresh = fresh
        self.numbered = False
        """Whether an unnamed phone has told a number over this link, and so goes by its own row."""
        self._link_name: str | None = None
        self.began = trio.current_time()
        self._heard_at = self.began
        self.ended = trio.Event()
        self.protocol = LinkProtocol(
            window=delivery.window,
            widest_window=delivery.widest_window,
            max_nonsense=phones.max_nonsense,
            max_frame_bytes=phones.max_frame_bytes,
            grace_s=delivery.late_result_grace_s,
            ping_interval_s=phones.ping_interval_s,
            pong_timeout_s=phones.pong_timeout_s,
            identified=online.device_id is not None,
            owing=owing,
            in_doubt=in_doubt,
            now=trio.current_time(),
        )
        self.feeder = Feeder(self)
        self._recorder = Recorder(self)
        self._usual_sim = usual_sim
        self._socket = socket
        socket.on_give_up = partial(self.close, TRY_AGAIN, "too many large frames come at once")
        self._outbox_size = max(delivery.window, delivery.widest_window) + ANSWERS
        self._answers_bytes = 0
        self._relief: trio.Event | None = None
        self._nursery: trio.Nursery | None = None
        self._writer: Worker
        self._farewell: Close | None = None
        self._over = False
        self._stalled = False
        connected = frames.Connected(
            org_id=self.org_name, device_id=online.device_id, server_time=self.now_ms()
        )
        self._outbox = [socket.text(frames.encode(connected))]

    # --- what the switchboard asks

    @property
    def phone(self) -> int:
        """The row of this phone."""
        return self.online.phone

    @property
    def link(self) -> inbox.Link | None:
        """This connection, if its phone has been in doubt since it reported something."""
        in_doubt = self.protocol.in_doubt
        if in_doubt and self._link_name is None:
            # A line end is in no device_id.
            self._link_name = f"link\n{token_hex(8)}"
        if self._link_name is None:
            return None
        return inbox.Link(self._link_name, recognised=not in_doubt)

    @property
    def is_first(self) -> bool:
        """Whether messages that name no SIM are this phone's to send."""
        return self.switchboard.is_first(self)

    @property
    def parting(self) -> bool:
        """Whether the link is ending: nothing more is pushed over it."""
        return self._over or self._farewell is not None

    @property
    def anonymous(self) -> bool:
        """Whether nothing tells its phone from others: neither an id nor a number."""
        return self.online.device_id is None and not self.numbered

    @property
    def heard_at(self) -> float:
        """When anything came over it last, by trio's clock."""
        return self._heard_at

    def inherit(self, phone: int) -> None:
        """Takes over what was given to a row whose connection has ended."""
        self._recorder.put(Inherited(phone), 0)

    def adopt(self, message: Message) -> None:
        """Sends a committed message that was stored under a row which this phone had before."""
        self._recorder.put(Misplaced(message), 0)

    @property
    def status(self) -> frames.Status | None:
        """How the phone said last that it is."""
        return self.protocol.status

    def has_room(self, sim: Sim | None) -> bool:
        """Whether a new message for this SIM could be pushed at once, pacing aside."""
        return not self.parting and self.protocol.room > 0 and not self.feeder.is_behind(sim)

    def reserve(self) -> bool:
        """Takes room for a message."""
        return self.protocol.reserve()

    def release(self) -> None:
        """Gives it back."""
        self.protocol.release()
        self.feeder.make_room()

    def push(self, message: Message) -> None:
        """Sends a committed message, unless the phone has it or the link is ending."""
        if self.parting:
            # It stays `sending`, and is pushed when the phone returns.
            return
        effects = self.protocol.push(message)
        if not effects:
            self.feeder.make_room()
        try:
            for effect in effects:
                self._do_now(effect)
        except trio.WouldBlock:
            # The outbox has room for a whole window and more: the phone does not read at all.
            self.drop()

    def bucket(self, sim: Sim | None) -> Hashable:
        """The key of a SIM's pacing bucket: its number, or else the slot of this phone."""
        sim = sim or self._usual_sim
        if sim is not None and sim.form is not None:
            return self.org, sim.form
        return "slot", self.phone, None if sim is None else sim.slot

    def rate_of(self, sim: Sim | None) -> Rate:
        """How fast a SIM of this phone may send."""
        sim = sim or self._usual_sim
        return self.switchboard.rates.of(self.org_name, None if sim is None else sim.form)

    def sim_of(self, message: Message) -> Sim | None:
        """The SIM that a message was leased to."""
        for sim in self.online.sims:
            if sim.slot == message.sim_slot:
                return sim
        if message.sim_slot is None:
            return None
        return Sim(slot=message.sim_slot, number=message.sim)

    def serves(self, phone: int | None, sim_selector: str) -> bool:
        """Whether this phone may now send messages stored with these values."""
        return self.feeder.serves(phone, sim_selector)

    def queues(self, sim: Sim | None) -> tuple[tuple[Lane, ...], tuple[int, ...]]:
        """The queues that a SIM serves, and the segments of each message that goes before them."""
        return self.feeder.queues(sim)

    def wake(self) -> None:
        """Looks for queued messages."""
        self.feeder.wake()

    def ask_cancel(self, message: int) -> bool:
        """Asks the phone to drop a message; False when it can't."""
        effects = self.protocol.cancel(message)
        try:
            for effect in effects:
                self._do_now(effect)
        except trio.WouldBlock:
            return False
        return bool(effects) and not self.parting

    def give_up(self, message: int) -> None:
        """Stops waiting for a message."""
        self.feeder.forget(message)
        if self.protocol.give_up(message):
            self.feeder.make_room()

    def close(self, code: int, reason: str) -> None:
        """Begins to close the connection politely; the first reason counts.

        Of a link that has ended nothing is left to close, be it that its last words are still
        being recorded.
        """
        if self._over or self._farewell is not None:
            return
        self._farewell = Close(code, reason)
        self._outbox.append(self._socket.goodbye(code, reason))
        self._let_go()
        if self._nursery is not None:
            self._writer.call()
            self._end_within(GOODBYE_S)

    def drop(self) -> None:
        """Ends the connection at once, without a close frame."""
        self._over = True
        self._let_go()
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()

    # --- what the heartbeat asks

    @property
    def due(self) -> float:
        """When something has to be done next, by trio's clock."""
        return trio.current_time() + GOODBYE_S if self.parting else self.protocol.due

    def tick(self) -> None:
        """Does what is due, and lets workers go who have little to do."""
        if self.parting:
            return
        now = trio.current_time()
        if self._stalled:
            # Its pongs wait behind reports that the disk does not take, or behind its flood.
            self.protocol.heard(now)
        self.protocol.heard(self._socket.answered_at)
        for effect in self.protocol.tick(now):
            self._do_now(effect)
        for worker in (self._writer, self._recorder.worker, self.feeder.worker):
            worker.rest()

    # --- its life

    async def run(self) -> None:
        """Serves the phone until its link ends, and records what came over it."""
        try:
            async with trio.open_nursery() as nursery:
                watch = self._begin(nursery)
                try:
                    await self._read()
                finally:
                    watch.end()
                    self.switchboard.leave(self)
                    self._part()
        finally:
            self.ended.set()
            self.switchboard.done(self)
            _log.info(
                "phone_left",
                org=self.org_name,
                phone=self.phone,
                code=self._farewell.code if self._farewell else self._socket.code,
                after_s=round(trio.current_time() - self.began, 1),
            )

    async def say(self, frame: GatewayFrame) -> None:
        """Sends a frame when the outbox has room; a link that is ending swallows it."""
        await self._put(self._socket.text(frames.encode(frame)))

    def _begin(self, nursery: trio.Nursery) -> Watch:
        self._nursery = nursery
        self._writer = Worker(nursery, self._write)
        self._recorder.worker = Worker(nursery, self._recorder.work)
        self.feeder.worker = Worker(nursery, self.feeder.work)
        self.switchboard.join(self)
        _log.info("phone_connected", org=self.org_name, phone=self.phone)
        self._writer.call()
        if self.parting:
            self._end_within(GOODBYE_S)
        else:
            self.feeder.worker.call()
        return self._shared.heartbeat.watch(self)

    def _part(self) -> None:
        """Lets the workers end: what came is recorded, and answered where someone may hear it."""
        self._over = True
        self._let_go()
        self._writer.dismiss()
        self.feeder.worker.dismiss()
        self._recorder.finish()
        self._end_within(GOODBYE_S)

    def _end_within(self, seconds: float) -> None:
        """Cuts off all but the recorder, which has a deadline of its own, after this time."""
        if self._nursery is not None:
            scope = self._nursery.cancel_scope
            scope.deadline = min(scope.deadline, trio.current_time() + seconds)

    async def _read(self) -> None:
        protocol = self.protocol
        while True:
            try:
                heard = await self._socket.receive(self._is_sparing)
            except LinkLost:
                return
            self._heard_at = trio.current_time()
            wait = self.rate_limits.frames(self.org, self.phone, heard.events, perf_counter())
            if wait and not heard.over:
                # Before they are taken apart: many phones of an org may send at the same time.
                await self._slow_down(wait)
            room = protocol.room
            for data in heard.frames:
                await self._hear(data)
            protocol.pace(trio.current_time())
            if protocol.room > room:
                self.feeder.make_room()
            if heard.reply:
                await self._put(heard.reply)
            if heard.over:
                return

    def _is_sparing(self) -> bool:
        """Whether the phones of the org have used most of what they may send."""
        return self.rate_limits.is_short_of_frames(self.org, perf_counter())

    async def _hear(self, data: str | bytes) -> None:
        for effect in self.protocol.receive(data):
            match effect:
                case Record(step):
                    await self._record(step, len(data))
                case Send(frame):
                    await self.say(frame)
                case Cleaned(kinds):
                    self._shared.cleaned.update(kinds)
                case _:
                    self._do_now(effect)

    async def _slow_down(self, seconds: float) -> None:
        """Does nothing for a while: what comes waits in the system, and in the phone at last."""
        self._stalled = True
        await trio.sleep(seconds)
        self._read_on()

    async def _record(self, step: Step, size: int) -> None:
        if not self._recorder.has_room:
            self._stalled = True
            await self._recorder.room()
            self._read_on()
        self._recorder.put(step, size)

    def _read_on(self) -> None:
        self._stalled = False
        # Its pong may be among what waited.
        self._socket.answered_at = trio.current_time()

    async def _write(self) -> float:
        while self._outbox:
            waiting, self._outbox = self._outbox, []
            self._answers_bytes = 0
            self._let_go()
            try:
                await self._socket.send(b"".join(waiting))
            except LinkLost:
                self.drop()
                break
        return FOREVER

    async def _put(self, data: bytes) -> None:
        while self._is_full and not self._over:
            if self._relief is None:
                self._relief = trio.Event()
            await self._relief.wait()
        self._outbox.append(data)
        self._answers_bytes += len(data)
        self._writer.call()

    @property
    def _is_full(self) -> bool:
        return len(self._outbox) >= self._outbox_size or self._answers_bytes >= ANSWERS_BYTES

    def _put_now(self, data: bytes) -> None:
        """Puts bytes into the outbox.

        Raises:
            trio.WouldBlock: it is full.
        """
        if len(self._outbox) >= self._outbox_size:
            raise trio.WouldBlock
        self._outbox.append(data)
        self._writer.call()

    def _let_go(self) -> None:
        """Lets whoever waits for room in the outbox look again."""
        if self._relief is not None:
            self._relief.set()
            self._relief = None

    def _do_now(self, effect: Effect) -> None:
        """Carries an effect out without waiting.

        Raises:
            trio.WouldBlock: the outbox is full.
        """
        match effect:
            case Send(frame):
                self._put_now(self._socket.text(frames.encode(frame)))
            case Probe():
                self._socket.refresh()
                # Whatever room there is: one in a quarter of a minute, before all that waits.
                # Nearly no phone has its writer there, which a ping is not worth calling.
                if left := self._socket.send_now(self._socket.ping()):
                    self._outbox.insert(0, left)
                    self._writer.call()
            case Record(step):
                # Only the end of the grace comes uncalled for, and that once.
                self._recorder.put(step, 0)
            case Close(code, reason):
                self.close(code, reason)
            case Cleaned(kinds):
                self._shared.cleaned.update(kinds)
            case Dead():
                _log.info("phone_silent", org=self.org_name, phone=self.phone)
                self.drop()

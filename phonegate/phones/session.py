"""The tasks of one connected phone, from the accepted upgrade to the last recorded report.

- the *reader* takes frames and lets `LinkProtocol` judge them,
- the *recorder* writes down what they say and answers,
- the *feeder* pulls due messages,
- the *writer* sends what waits in the bounded outbox, as much as there is in one write,
- the session itself keeps the time and says goodbye.
"""

from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from typing import Final

import attrs
import trio

from phonegate import log
from phonegate.domain.delivery import Policy
from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.pacing import Rate
from phonegate.phones import frames
from phonegate.phones.feeder import Feeder
from phonegate.phones.frames import GatewayFrame
from phonegate.phones.protocol import (
    Close,
    Dead,
    Effect,
    GraceOver,
    LinkProtocol,
    Probe,
    Record,
    Send,
    Step,
)
from phonegate.phones.recorder import Recorder
from phonegate.phones.switchboard import Switchboard
from phonegate.phones.wire import LinkLost, PhoneSocket
from phonegate.settings import Settings
from phonegate.store.database import Database
from phonegate.store.records import Message, Sim

STEPS: Final = 64
"""Steps that wait for the recorder before the phone is not read from."""

STEPS_BYTES: Final = 262_144
"""Bytes of frames that wait for the recorder, likewise: four of the largest, so that many phones
which send large frames and read no answers don't fill the memory."""

ANSWERS: Final = 64
"""Room in the outbox beside a full window of pushes: for answers, errors and pings."""

WRITE_BATCH: Final = 64
"""Frames in one write; at the usual size of a message about ten kilobytes."""

GOODBYE_S: Final = 2.0
"""How long a phone may take to answer a close frame; what it sends until then still counts."""

DRAIN_S: Final = 5.0
"""How long the recorder may take, after the link's end, to write down what had arrived."""

PING: Final = None
"""In the outbox: a websocket ping."""

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
    now_ms: Callable[[], int]


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
    ) -> None:
        """`usual_sim` is the first SIM known of this row; `fresh` says that the row is new.

        `owing` is what `LinkProtocol` says.
        """
        delivery, phones = shared.settings.delivery, shared.settings.phones
        self.database = shared.database
        self.switchboard = shared.switchboard
        self.pacer = shared.switchboard.pacer
        self.policy = shared.policy
        self.now_ms = shared.now_ms
        self.org = tenant.id
        self.org_name = tenant.name
        self.online = online
        self.fresh = fresh
        self.ended = trio.Event()
        self.protocol = LinkProtocol(
            window=delivery.window,
            max_nonsense=phones.max_nonsense,
            grace_s=delivery.late_result_grace_s,
            ping_interval_s=phones.ping_interval_s,
            pong_timeout_s=phones.pong_timeout_s,
            identified=online.device_id is not None,
            owing=owing,
            now=trio.current_time(),
        )
        self.feeder = Feeder(self)
        self._recorder = Recorder(self)
        self._usual_sim = usual_sim
        self._socket = socket
        self._to_phone, self._outbox = trio.open_memory_channel[str | None](
            delivery.window + ANSWERS
        )
        self._to_recorder, self._steps = trio.open_memory_channel[tuple[Step, int]](STEPS)
        self._waiting_bytes = 0
        self._lighter = trio.Event()
        self._bell = trio.Event()
        self._farewell: Close | None = None
        self._over = False
        self._read_all = trio.Event()
        self._written_all = trio.Event()
        self._stalled = False

    # --- what the switchboard asks

    @property
    def phone(self) -> int:
        """The row of this phone."""
        return self.online.phone

    @property
    def is_first(self) -> bool:
        """Whether messages that name no SIM are this phone's to send."""
        return self.switchboard.is_first(self)

    @property
    def parting(self) -> bool:
        """Whether the link is ending: nothing more is pushed over it."""
        return self._over or self._farewell is not None

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
        if sim is not None and sim.number is not None:
            return self.org, sim.number
        return "slot", self.phone, None if sim is None else sim.slot

    def rate_of(self, sim: Sim | None) -> Rate:
        """How fast a SIM of this phone may send."""
        sim = sim or self._usual_sim
        return self.switchboard.rates.of(self.org_name, None if sim is None else sim.number)

    def sim_of(self, message: Message) -> Sim | None:
        """The SIM that a message was leased to."""
        for sim in self.online.sims:
            if sim.slot == message.sim_slot:
                return sim
        if message.sim_slot is None:
            return None
        return Sim(slot=message.sim_slot, number=message.sim)

    def serves(self, phone: int | None, wish: str) -> bool:
        """Whether messages stored with this `phone` and `wish` are this phone's to send now."""
        return self.feeder.serves(phone, wish)

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
        """Begins to close the connection politely; the first reason counts."""
        if self._farewell is None:
            self._farewell = Close(code, reason)
            self._bell.set()

    def drop(self) -> None:
        """Ends the connection at once, without a close frame."""
        self._over = True
        self._read_all.set()
        self._written_all.set()
        self._bell.set()

    # --- its life

    async def run(self) -> None:
        """Serves the phone until its link ends, and records what came over it."""
        began = trio.current_time()
        now = self.now_ms()
        connected = frames.Connected(
            org_id=self.org_name, device_id=self.online.device_id, server_time=now
        )
        self._send_now(frames.encode(connected))
        self.switchboard.join(self)
        _log.info("phone_connected", org=self.org_name, phone=self.phone)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._record)
                nursery.start_soon(self._read)
                nursery.start_soon(self._write)
                nursery.start_soon(self.feeder.run)
                try:
                    await self._attend()
                finally:
                    self.switchboard.leave(self)
                    await self._part()
                    nursery.cancel_scope.cancel()
        finally:
            self.ended.set()
            self.switchboard.done(self)
            _log.info(
                "phone_left",
                org=self.org_name,
                phone=self.phone,
                code=self._farewell.code if self._farewell else self._socket.code,
                after_s=round(trio.current_time() - began, 1),
            )

    def taken(self, size: int) -> None:
        """Says that the recorder took a step that came in a frame of this size."""
        self._waiting_bytes -= size
        self._lighter.set()

    async def say(self, frame: GatewayFrame) -> None:
        """Sends a frame when the outbox has room; a link that is ending swallows it."""
        if self.parting:
            return
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self._to_phone.send(frames.encode(frame))

    async def _attend(self) -> None:
        """Keeps the time until the link has to end, or has ended."""
        while not self.parting:
            if self._stalled:
                # Its pongs wait behind reports that the disk does not take.
                self.protocol.heard(trio.current_time())
            self.protocol.heard(self._socket.heard_at)
            for effect in self.protocol.tick(trio.current_time()):
                try:
                    self._do_now(effect)
                except trio.WouldBlock:
                    # No room for a ping: the write that is under way has its own deadline.
                    _log.debug("phone_slow", phone=self.phone)
            if self.parting:
                break
            with trio.move_on_at(self.protocol.due):
                await self._bell.wait()

    async def _part(self) -> None:
        """Says goodbye where there is someone to hear it, and lets the recorder finish."""
        self._to_phone.close()
        with trio.move_on_after(GOODBYE_S, shield=True), suppress(LinkLost):
            if self._farewell is not None and not self._over:
                await self._written_all.wait()
                await self._socket.close(self._farewell.code, self._farewell.reason)
                await self._read_all.wait()
        self._to_recorder.close()
        self._recorder.scope.deadline = trio.current_time() + DRAIN_S
        with trio.move_on_after(DRAIN_S + 1, shield=True):
            await self.ended.wait()

    async def _record(self) -> None:
        try:
            await self._recorder.run(self._steps)
        finally:
            self.ended.set()
            self.drop()

    async def _read(self) -> None:
        try:
            while True:
                data = await self._socket.receive()
                room = self.protocol.room
                for effect in self.protocol.receive(data):
                    await self._do(effect, len(data))
                if room == 0 and self.protocol.room > 0:
                    self.feeder.make_room()
        except (LinkLost, trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            self.drop()

    async def _write(self) -> None:
        try:
            async for first in self._outbox:
                await self._socket.send([first, *_waiting(self._outbox, WRITE_BATCH - 1)])
        except LinkLost:
            self.drop()
        finally:
            # Whoever waits for room in it goes on.
            self._outbox.close()
            self._written_all.set()

    async def _do(self, effect: Effect, size: int) -> None:
        match effect:
            case Send(frame):
                await self.say(frame)
            case Record(step):
                self._stalled = True
                while self._waiting_bytes > STEPS_BYTES:
                    self._lighter = trio.Event()
                    await self._lighter.wait()
                self._waiting_bytes += size
                await self._to_recorder.send((step, size))
                self._stalled = False
            case _:
                self._do_now(effect)

    def _do_now(self, effect: Effect) -> None:
        """Carries an effect out without waiting.

        Raises:
            trio.WouldBlock: the outbox is full.
        """
        match effect:
            case Send(frame):
                self._send_now(frames.encode(frame))
            case Probe():
                self._socket.refresh()
                self._send_now(PING)
            case Record(GraceOver()):
                try:
                    self._to_recorder.send_nowait((GraceOver(), 0))
                except trio.WouldBlock:
                    self._recorder.grace_over = True
            case Close(code, reason):
                self.close(code, reason)
            case Dead():
                _log.info("phone_silent", org=self.org_name, phone=self.phone)
                self.drop()
            case Record():  # pragma: no cover - only frames make other steps
                raise AssertionError

    def _send_now(self, item: str | None) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            self._to_phone.send_nowait(item)


def _waiting(channel: trio.MemoryReceiveChannel[str | None], most: int) -> Sequence[str | None]:
    items: list[str | None] = []
    while len(items) < most:
        try:
            items.append(channel.receive_nowait())
        except (trio.WouldBlock, trio.EndOfChannel):
            break
    return items

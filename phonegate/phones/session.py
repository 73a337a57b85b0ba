"""The tasks of one connected phone, from the accepted connection to the last recorded report.

Its one lasting task, that of the connection, is the *reader*: it takes frames from the transport
and lets the state judge them. Beside it there are workers, which run when there is something to do:
the *recorder* writes down what frames say and answers, the *feeder* pulls due messages, and the
transport sends. The heartbeat, which all phones share, keeps the time.
"""

from collections.abc import Iterable
from time import perf_counter

import trio

from phonegate import log
from phonegate.phones.admission import Admitted
from phonegate.phones.close_codes import TOO_BIG, TRY_AGAIN
from phonegate.phones.frames import FrameFault
from phonegate.phones.heartbeat import Watch
from phonegate.phones.state import Cleaned, Close, Dead, Effect, Probe, Record, SendFrame, Step
from phonegate.phones.station import PhoneServices, PhoneStation
from phonegate.phones.transport import FrameTooLarge, Incoming, LinkLost, Transport
from phonegate.phones.worker import Worker

_log = log.get("phones")


class Session:
    """Runs one connected phone. It implements `heartbeat.Timed`."""

    __slots__ = (
        "_last_woken",
        "_nursery",
        "_read_on_at",
        "_services",
        "_stalled",
        "_state",
        "_transport",
        "station",
    )

    def __init__(self, transport: Transport, services: PhoneServices, phone: Admitted) -> None:
        self.station = PhoneStation(transport, services, phone)
        self._state = self.station.state
        self._transport = transport
        self._services = services
        self._last_woken = None if phone.start.something_waits else phone.last_woken
        """When its org's phones were woken last, if nothing waited as it was let in."""
        self._read_on_at = trio.current_time()
        self._stalled = False
        """It is not read from just now."""
        self._nursery: trio.Nursery

    # --- what the heartbeat asks

    @property
    def due(self) -> float:
        """When something has to be done next, by trio's clock."""
        if self._state.parting:
            return trio.current_time() + self._services.timings.goodbye_s
        return self._state.due

    def tick(self) -> None:
        """Does what is due, and lets workers go who have little to do."""
        if self._state.parting:
            return
        now = trio.current_time()
        # While it is not read from, its answer waits behind its reports or its flood.
        alive_at = now if self._stalled else max(self._transport.answered_at, self._read_on_at)
        self._state.probe_answered(alive_at)
        for effect in self._state.tick(now):
            self._do(effect)
        for worker in (self._transport, self.station.recorder.worker, self.station.feeder.worker):
            worker.rest()

    # --- its life

    async def run(self) -> None:
        """Serves the phone until its link ends, and records what came over it."""
        station, switchboard = self.station, self._services.switchboard
        try:
            async with trio.open_nursery() as nursery:
                watch = self._begin(nursery)
                try:
                    await self._read()
                finally:
                    watch.end()
                    switchboard.leave(station)
                    station.part()
        finally:
            station.ended.set()
            switchboard.done(station)
            code = station.close_code
            _log.info(
                "phone_left",
                org=self._state.org_name,
                phone=self._state.phone,
                code=self._transport.close_code if code is None else code,
                after_s=round(trio.current_time() - station.began, 1),
            )

    def _begin(self, nursery: trio.Nursery) -> Watch:
        station = self.station
        self._nursery = nursery
        station.recorder.worker = Worker(nursery, station.recorder.work)
        station.feeder.worker = Worker(nursery, station.feeder.work)
        self._transport.start(
            nursery,
            lost=station.drop,
            crowded_out=lambda: station.close(TRY_AGAIN, "too many large frames come at once"),
        )
        station.begin(nursery.cancel_scope)
        switchboard = self._services.switchboard
        switchboard.join(station)
        _log.info("phone_connected", org=self._state.org_name, phone=self._state.phone)
        if not self._state.parting:
            self._first_look()
        return self._services.heartbeat.watch(self)

    def _first_look(self) -> None:
        """Looks for messages, unless nothing waited as the phone was let in, nor has since."""
        if self._services.switchboard.last_woken(self._state.org) == self._last_woken:
            self.station.feeder.caught_up()
        else:
            self.station.feeder.worker.call()

    async def _read(self) -> None:
        state, limits = self._state, self._services.rate_limits
        while True:
            try:
                heard = await self._transport.receive(self._is_sparing)
            except LinkLost:
                return
            self.station.heard_at = trio.current_time()
            wait = limits.frames(state.org, state.phone, heard.events, perf_counter())
            if wait and not heard.is_last:
                # Before they are taken: many phones of an org may send at the same time.
                await self._slow_down(wait)
            free = state.window.free
            recorder = self.station.recorder
            if heard.plain is not None and recorder.takes_plainly:
                state.receive_plainly(heard.plain)
                recorder.put_plainly(heard.plain)
            else:
                await self._hear(heard.frames)
            # It may be long until anything else is heard.
            del heard
            state.window.fit(trio.current_time())
            if state.window.free > free:
                self.station.feeder.use_room()

    def _is_sparing(self) -> bool:
        """Tells whether the phones of the org have used most of what they may send."""
        return self._services.rate_limits.is_short_of_frames(self._state.org, perf_counter())

    async def _hear(self, frames: Iterable[Incoming]) -> None:
        for incoming in frames:
            match incoming.content:
                case FrameTooLarge(most):
                    self.station.close(TOO_BIG, f"more than {most} bytes in one frame")
                    continue
                case FrameFault() as fault:
                    effects = self._state.refuse(fault)
                case heard:
                    effects = self._state.receive(heard)
            for effect in effects:
                match effect:
                    case Record(step):
                        await self._record(step, incoming.size)
                    case SendFrame(frame):
                        await self._transport.send(frame)
                    case _:
                        self._do(effect)

    async def _slow_down(self, seconds: float) -> None:
        """Reads nothing for a while. What comes waits in the system, and then in the phone."""
        self._stalled = True
        await trio.sleep(seconds)
        self._read_on()

    async def _record(self, step: Step, size: int) -> None:
        if not self.station.recorder.has_room:
            self._stalled = True
            await self.station.recorder.wait_for_room()
            self._read_on()
        self.station.recorder.put(step, size)

    def _read_on(self) -> None:
        self._stalled = False
        # What answers a probe may be among what waited.
        self._read_on_at = trio.current_time()

    def _do(self, effect: Effect) -> None:
        """Carries an effect out without waiting.

        Raises:
            trio.WouldBlock: Too much waits to be sent.
        """
        match effect:
            case SendFrame(frame):
                self._transport.send_now(frame)
            case Probe():
                self._transport.probe()
            case Record(step):
                # Only the end of the grace comes uncalled for, and that once.
                self.station.recorder.put(step, 0)
            case Close(code, reason):
                self.station.close(code, reason)
            case Cleaned(kinds):
                self._services.cleaned.update(kinds)
            case Dead():
                _log.info("phone_silent", org=self._state.org_name, phone=self._state.phone)
                self.station.drop()

"""One connected phone: what is known of it, what it is given, and what it has said.

Everything that is asked of it here is synchronous and runs on the event loop. Its tasks are those
of `session`.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from secrets import token_hex

import attrs
import trio

from phonegate.config.settings import Settings
from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.forecast import Outlook
from phonegate.domain.managed_phones import Signs
from phonegate.domain.pacing import PacingRates
from phonegate.domain.phone_delivery import PhoneDelivery
from phonegate.domain.phone_registry import PhoneRegistry
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.reported_values import Kind
from phonegate.model.messages import Leased, Message, Pushed, Queue
from phonegate.model.phones import Sim
from phonegate.phones import frames
from phonegate.phones.admission import Admitted
from phonegate.phones.feeder import Feeder
from phonegate.phones.heartbeat import Heartbeat
from phonegate.phones.identity import Identification
from phonegate.phones.pacer import Pacer
from phonegate.phones.phone_timings import PhoneTimings
from phonegate.phones.recorder import Recorder
from phonegate.phones.reservations import Reservations
from phonegate.phones.send_order import SendOrder
from phonegate.phones.state import Inherited, LeasedBefore, Misplaced, Patience, PhoneState
from phonegate.phones.storage_retry import StorageRetry
from phonegate.phones.switchboard import Switchboard
from phonegate.phones.transport import Transport
from phonegate.phones.window import Window


@attrs.frozen(kw_only=True)
class PhoneServices:
    """What all connected phones share, of every kind."""

    settings: Settings
    registry: PhoneRegistry
    delivery: PhoneDelivery
    switchboard: Switchboard
    rate_limits: RateLimits
    now_ms: Callable[[], int]
    cleaned: Counter[Kind]
    """What was put right of reports, since the start."""
    heartbeat: Heartbeat = attrs.field(factory=Heartbeat)
    pacer: Pacer = attrs.field(factory=Pacer)
    timings: PhoneTimings = attrs.field(factory=PhoneTimings)
    rates: PacingRates = attrs.field(init=False)
    patience: Patience = attrs.field(init=False)

    @rates.default
    def _rates_of_settings(self) -> PacingRates:
        pacing = self.settings.pacing
        return PacingRates.of_settings(pacing.segments_per_minute, pacing.orgs, pacing.sims)

    @patience.default
    def _patience_of_settings(self) -> Patience:
        phones = self.settings.phones
        return Patience(
            max_nonsense=phones.max_nonsense,
            grace_s=self.settings.delivery.late_result_grace_s,
            ping_interval_s=phones.ping_interval_s,
            pong_timeout_s=phones.pong_timeout_s,
            health_s=self.timings.health_s,
        )


class PhoneStation:
    """One connected phone. It implements `switchboard.Station`."""

    __slots__ = (
        "_reservations",
        "_scope",
        "_services",
        "_transport",
        "began",
        "close_code",
        "ended",
        "feeder",
        "heard_at",
        "order",
        "recorder",
        "state",
    )

    def __init__(self, transport: Transport, services: PhoneServices, phone: Admitted) -> None:
        delivery = services.settings.delivery
        start, now = phone.start, trio.current_time()
        self._transport = transport
        self._services = services
        window = Window(delivery.window, widest=delivery.widest_window, now=now)
        if start.row.window is not None:
            window.bound(start.row.window, start.acknowledged)
        self.state = PhoneState(
            window,
            services.patience,
            org=phone.org,
            org_name=phone.org_name,
            online=OnlinePhone(
                phone=start.row.id, device_id=start.row.device_id, name=start.row.name, sims=()
            ),
            # A line end is in no device_id.
            link_name=f"link\n{token_hex(8)}",
            usual_sim=start.usual_sim,
            is_new=start.is_new,
            has_unacknowledged=start.has_unacknowledged,
            in_doubt=start.in_doubt,
            now=now,
        )
        self.recorder: Recorder
        # Methods, for functions made here would take twice as much of each phone.
        self.order = SendOrder(self.state, self._is_first)
        self._reservations = Reservations(self.state, self.order, services.pacer, services.rates)
        self.feeder = Feeder(
            self.state,
            self.order,
            self._reservations,
            services.delivery,
            push=self.push,
            follow=self._follow,
            now_ms=services.now_ms,
            timings=services.timings,
        )
        retry = StorageRetry(self.state, transport.send, services.timings)
        identity = Identification(
            station=self,
            state=self.state,
            registry=services.registry,
            delivery=services.delivery,
            switchboard=services.switchboard,
            order=self.order,
            reservations=self._reservations,
            feeder=self.feeder,
            retry=retry,
            say=transport.send,
        )
        self.recorder = Recorder(
            self.state,
            services.delivery,
            retry,
            say=transport.send,
            identity=identity,
            seen=self._note_seen,
            on_end=self._recorded,
            timings=services.timings,
        )
        self.began = now
        """When the connection was accepted, by trio's clock."""
        self.heard_at = now
        """When anything came over it last."""
        self.ended = trio.Event()
        """Set when all that came over it is recorded, or given up."""
        self._scope: trio.CancelScope | None = None
        self.close_code: int | None = None
        """The code with which it was closed from here, if it was."""
        transport.send_now(
            frames.Connected(
                org_id=phone.org_name,
                device_id=start.row.device_id,
                server_time=services.now_ms(),
                org_since=None if start.row.device_id is None else start.org_since,
            )
        )

    # --- what the switchboard asks

    @property
    def org(self) -> int:
        """The org of the phone."""
        return self.state.org

    @property
    def online(self) -> OnlinePhone:
        """What the domain sees of the phone. The switchboard alone changes it."""
        return self.state.online

    @online.setter
    def online(self, online: OnlinePhone) -> None:
        self.state.online = online

    @property
    def anonymous(self) -> bool:
        """Tells whether the phone can't be distinguished, by neither an id nor a number."""
        return self.state.anonymous

    @property
    def identified(self) -> bool:
        """Tells whether it is clear on which row its phone is."""
        return self.state.identified

    @property
    def signs(self) -> Signs:
        """When the phone was heard last, and how it said that it is."""
        heard_at = max(self.heard_at, self._transport.answered_at)
        return Signs(heard_s=trio.current_time() - heard_at, health=self.state.health.latest)

    def inherit(self, phone: int) -> None:
        """Takes over what was given to a row whose connection has ended."""
        self.recorder.put(Inherited(phone), 0)

    def adopt(self, message: Message) -> None:
        """Sends a committed message that was stored under a row which this phone had before."""
        self.recorder.put(Misplaced(message), 0)

    def reserve(self, sim: Sim | None, segments: int) -> bool:
        """Takes a place for a new message, if it can be pushed right now, and returns whether."""
        return self._reservations.reserve(sim, segments)

    def reserve_all(self, sim: Sim | None, segments: Sequence[int]) -> bool:
        """Takes a place for each of some new messages, or none, and returns whether it did."""
        return self._reservations.reserve_all(sim, segments)

    def release(self, sim: Sim | None, segments: int) -> None:
        """Gives a place back."""
        self._reservations.release(sim, segments)
        self.feeder.use_room()

    def push(self, message: Message | Leased) -> None:
        """Sends a committed message, unless the phone has it or the link is ending."""
        if self.state.parting:
            # It stays `sending`, and is pushed when the phone returns.
            return
        self._send_push(self.state.push(message))

    def push_new(self, message_id: int, message: Pushed) -> None:
        """Sends a committed message that was stored to be pushed, as `push` does."""
        if not self.state.parting:
            self._send_push(self.state.push_new(message_id, message))

    def _send_push(self, frame: frames.SendSms | None) -> None:
        self._reservations.note_end()
        if frame is None:
            self.feeder.use_room()
            return
        try:
            self._transport.send_now(frame)
        except trio.WouldBlock:
            # A whole window and more may wait to be sent: the phone does not read at all.
            self.drop()

    def outlook(self, sim: Sim | None) -> Outlook | None:
        """Returns the pacing of a SIM as it stands, or None where there is no limit."""
        return self._reservations.outlook(sim)

    def serves(self, queue: Queue) -> bool:
        """Tells whether this phone may now send what is in a queue."""
        return self.order.serves(queue)

    def wake(self) -> None:
        """Looks for queued messages."""
        self.feeder.wake()

    def ask_cancel(self, message: int) -> bool:
        """Asks the phone to drop a message. Returns False when it can't."""
        frame = self.state.cancel(message)
        if frame is None:
            return False
        try:
            self._transport.send_now(frame)
        except trio.WouldBlock:
            return False
        return not self.state.parting

    def give_up(self, message: int) -> None:
        """Stops waiting for a message."""
        self.order.forget(message)
        if self.state.window.give_up(message):
            self.feeder.use_room()

    def close(self, code: int, reason: str) -> None:
        """Begins to close the connection politely. The first reason counts.

        Of a link that has ended nothing is left to close, even if its last words are still being
        recorded.
        """
        if self.state.parting:
            return
        self.close_code = code
        self._stop()
        self._transport.close(code, reason)
        self._end_in_time()

    def drop(self) -> None:
        """Ends the connection at once, without telling the phone."""
        self._stop()
        self._transport.finish()
        if self._scope is not None:
            self._scope.cancel()

    def begin(self, scope: trio.CancelScope) -> None:
        """Takes the scope of its tasks, all of which it ends but the recorder."""
        self._scope = scope
        if self.state.parting:
            self._end_in_time()

    def part(self) -> None:
        """Ends it in order, once nothing more comes: what came is recorded and answered."""
        self._stop()
        self._transport.finish()
        self.feeder.worker.dismiss()
        self.recorder.finish()
        self._end_in_time()

    def _stop(self) -> None:
        self.state.parting = True
        self._reservations.note_end()

    def _end_in_time(self) -> None:
        if self._scope is not None:
            deadline = trio.current_time() + self._services.timings.goodbye_s
            self._scope.deadline = min(self._scope.deadline, deadline)

    def _is_first(self) -> bool:
        return self._services.switchboard.is_first(self)

    def _follow(self, step: LeasedBefore) -> None:
        self.recorder.put(step, 0)

    async def _note_seen(self) -> None:
        await self._services.registry.seen(self.state.phone, self.state.health.rest())

    def _recorded(self) -> None:
        self.ended.set()
        self.drop()

"""The state of one connected phone: frames and times in, frames and steps out.

Pure: no await, no clock, no logger, no text. `session` moves the frames, `recorder` carries out the
steps against the database in the order of the frames. Times are seconds of any monotonic clock.

A frame that can't be understood costs an `error` frame and nothing else. Too many of them in a row
close the link.
"""

from collections.abc import Collection

import attrs

from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.inbox import SourceLink
from phonegate.domain.phone_delivery import Reporter
from phonegate.domain.plain_reports import PlainReports
from phonegate.domain.reported_values import Kind
from phonegate.model.messages import Leased, Message, Pushed
from phonegate.model.phones import ACK, CANCEL, Sim
from phonegate.phones import frames
from phonegate.phones.close_codes import POLICY_VIOLATION
from phonegate.phones.frames import FrameFault, GatewayFrame, PhoneFrame
from phonegate.phones.reported_health import ReportedHealth
from phonegate.phones.window import Window, long_part


@attrs.frozen
class SendFrame:
    """Send this frame to the phone."""

    frame: GatewayFrame


@attrs.frozen
class Cleaned:
    """So much of a frame was put right or left out."""

    kinds: tuple[Kind, ...]


@attrs.frozen
class GraceOver:
    """A step: the phone has had its time to name itself and to report old results."""


@attrs.frozen
class Inherited:
    """A step: a link of this row has ended that was silent since before the present one began."""

    row: int


@attrs.frozen
class Misplaced:
    """A step: a new message was stored under a row that the phone has left meanwhile."""

    message: Message


@attrs.frozen
class LeasedBefore:
    """A step: messages were leased, and pushed, under a row that the phone has left meanwhile."""

    row: int
    ids: Collection[int]


IdentityStep = frames.Hello | frames.Sims | GraceOver | Inherited | Misplaced | LeasedBefore
"""What may show which phone this is, or where its messages are."""

Report = (
    frames.Inbound
    | frames.Ack
    | frames.SendResult
    | frames.DeliveryReport
    | frames.Status
    | frames.Ping
)
"""What is written down, or answered only after all that came before it is written down."""

Step = IdentityStep | Report


@attrs.frozen
class Record:
    """Carry this step out, after those before it."""

    step: Step


@attrs.frozen
class Probe:
    """Ask the phone for a sign of life, and call `probe_answered` when it comes."""


@attrs.frozen
class Close:
    """Close the link with this code."""

    code: int
    reason: str


@attrs.frozen
class Dead:
    """The phone gives no sign of life: drop the link, for a close frame would not be read."""


Effect = SendFrame | Record | Probe | Close | Dead | Cleaned


@attrs.frozen(kw_only=True)
class Patience:
    """How long a phone is waited for, and how much nonsense it may send."""

    max_nonsense: int
    grace_s: float
    """For a phone to name itself and to report old results."""
    ping_interval_s: float
    pong_timeout_s: float
    health_s: float
    """Between two times at which the phone's health is written down."""


class PhoneState:
    """Who a connected phone is, what it can do, and what it has been given."""

    __slots__ = (
        "_asked_at",
        "_grace_until",
        "_has_unacknowledged",
        "_in_doubt",
        "_link_name",
        "_nonsense",
        "_patience",
        "_ping_at",
        "_reported_in_doubt",
        "_resumed",
        "grace_over",
        "has_numbers",
        "health",
        "hello",
        "identified",
        "is_new",
        "online",
        "org",
        "org_name",
        "parting",
        "usual_sim",
        "window",
    )

    def __init__(
        self,
        window: Window,
        patience: Patience,
        *,
        org: int,
        org_name: str,
        online: OnlinePhone,
        link_name: str,
        usual_sim: Sim | None = None,
        is_new: bool = False,
        has_unacknowledged: bool = False,
        in_doubt: bool = False,
        now: float,
    ) -> None:
        """Makes the state of a phone whose link has just begun.

        Args:
            window: What may be in flight over the link.
            patience: How long the phone is waited for.
            org: The id of its org.
            org_name: The name of its org.
            online: What is known of the phone. The switchboard alone changes it later.
            link_name: A name of this connection that no other and no device has.
            usual_sim: The first SIM that is known of its row, until it reports its own.
            is_new: Its row was made for this connection.
            has_unacknowledged: Pushes over an earlier link have no ack and no result yet.
            in_doubt: It may be a phone that is known by its name or number, and has sent neither.
            now: The time.
        """
        self.window = window
        self.org = org
        self.org_name = org_name
        self.online = online
        self.usual_sim = usual_sim
        self.is_new = is_new
        self.has_numbers = False
        """An unnamed phone has reported a number over this link, and so goes by its own row."""
        self.parting = False
        """The link is ending: nothing more is pushed over it."""
        self.identified = online.device_id is not None
        """It is known which phone this is."""
        self.hello: frames.Hello | None = None
        self.health = ReportedHealth(patience.health_s, now)
        self.grace_over = False
        """The phone has had its time to name itself."""
        self._patience = patience
        self._nonsense = 0
        self._grace_until = now + patience.grace_s
        self._resumed = False
        self._has_unacknowledged = has_unacknowledged
        self._in_doubt = in_doubt
        self._link_name = link_name
        self._reported_in_doubt = False
        self._ping_at = now + patience.ping_interval_s
        self._asked_at: float | None = None

    # --- who it is

    @property
    def phone(self) -> int:
        """The row of this phone."""
        return self.online.phone

    @property
    def anonymous(self) -> bool:
        """Tells whether the phone can't be distinguished, by neither an id nor a number."""
        return self.online.device_id is None and not self.has_numbers

    @property
    def in_doubt(self) -> bool:
        """Tells whether it may still turn out to be a phone that is known.

        That ends when it is identified, and with the grace at the latest.
        """
        return self._in_doubt and not self.identified

    def doubt(self) -> None:
        """Notes that it has yet to turn out which phone this is."""
        self._in_doubt = True

    def reporter(self) -> Reporter:
        """Returns the phone as one that reports something now."""
        self._reported_in_doubt |= self.in_doubt
        link = None
        if self._reported_in_doubt:
            link = SourceLink(self._link_name, recognised=not self.in_doubt)
        online = self.online
        return Reporter(org=self.org, phone=online.phone, device_id=online.device_id, link=link)

    def sim_of(self, message: Message) -> Sim | None:
        """Returns the SIM that a message was leased to."""
        for sim in self.online.sims:
            if sim.slot == message.sim_slot:
                return sim
        if message.sim_slot is None:
            return None
        return Sim(slot=message.sim_slot, number=message.sim)

    # --- what it can do

    @property
    def greeted(self) -> bool:
        """Tells whether the phone said hello, and so knows the extensions."""
        return self.hello is not None

    @property
    def acks(self) -> bool:
        """Tells whether the phone acknowledges pushes."""
        return self._has(ACK)

    def _has(self, feature: str) -> bool:
        return self.hello is not None and feature in self.hello.features

    # --- what it says

    def receive(self, frame: PhoneFrame) -> list[Effect]:
        """Takes one frame of the phone."""
        self._nonsense = 0
        effects: list[Effect] = []
        if frame.cleaned:
            effects.append(Cleaned(frame.cleaned))
        if frame.complaint is not None:
            effects.append(SendFrame(frame.complaint))
        match frame:
            case frames.Status():
                self.health.heed(frame)
                return effects
            case frames.Hello():
                self.hello = frame
                if frame.window is not None:
                    self.window.bound(frame.window)
            case frames.Ack():
                self.window.acknowledge(frame.id)
            case frames.SendResult() | frames.DeliveryReport():
                # A delivery report says as well as a result that the phone had the message.
                self.window.answer(frame.id)
            case _:
                pass
        effects.append(Record(frame))
        return effects

    def receive_plainly(self, reports: PlainReports) -> None:
        """Takes frames of the phone that are plain reports, all of which are to be recorded."""
        self._nonsense = 0
        for id_ in reports.acked:
            self.window.acknowledge(id_)
        for id_, _ in reports.sent:
            self.window.answer(id_)

    def refuse(self, fault: FrameFault) -> list[Effect]:
        """Takes a frame that could not be understood."""
        self._nonsense += 1
        error = frames.Error(code=fault.code, detail=fault.detail, field=fault.field)
        effects: list[Effect] = [SendFrame(error)]
        if self._nonsense >= self._patience.max_nonsense:
            reason = f"{self._nonsense} frames in a row could not be understood"
            effects.append(Close(POLICY_VIOLATION, reason))
        return effects

    # --- what it is given

    def push(self, message: Message | Leased) -> frames.SendSms | None:
        """Turns a committed message, which has a reserved place, into a push.

        Returns None where the phone has it already: a message can come here twice when it was
        being stored while the phone reconnected.
        """
        if not self.window.push(message.id, long_part(message.segments or 1)):
            return None
        return frames.SendSms(
            id=message.id,
            to=message.address,
            body=message.body,
            sim=self._number_for(message),
            sim_slot=message.sim_slot,
            segments=message.segments,
            expires_at=message.expires_at,
            priority=message.priority or None,
            media_urls=message.media_urls,
        )

    def push_new(self, message_id: int, message: Pushed) -> frames.SendSms | None:
        """Does as `push` with a message that was stored to be pushed."""
        if not self.window.push(message_id, long_part(message.segments)):
            return None
        return frames.SendSms(
            id=message_id,
            to=message.address,
            body=message.body,
            sim=self._number_for(message),
            sim_slot=message.sim_slot,
            segments=message.segments,
            priority=message.priority or None,
        )

    def _number_for(self, message: Message | Leased | Pushed) -> str | None:
        """Returns the number of a message's SIM, if the phone knows that itself."""
        for sim in self.online.sims:
            if sim.given and sim.slot == message.sim_slot:
                return None
        return message.sim

    def cancel(self, message_id: int) -> frames.Cancel | None:
        """Asks the phone to drop a message. Returns None when it can't, or may not have it yet."""
        held = self._resumed or message_id in self.window.in_flight
        return frames.Cancel(message_id) if held and self._has(CANCEL) else None

    @property
    def takes_new(self) -> bool:
        """Tells whether it may be given messages that it never had.

        What an earlier link left open goes first. A link that never lasts until then would
        otherwise leave more open each time. Nor is anything given to a phone in doubt: if the
        link ended, it would be open under a row that this phone does not come back to.
        """
        return not self.in_doubt and (self._resumed or not self._has_unacknowledged)

    def take_resume(self) -> bool:
        """Tells, once for a row, whether what an earlier link left open is to be pushed again now.

        A phone that acknowledges drops what it has, so it can be asked at once. Any other gets
        a grace for late results, for it may send a text twice. Either must be identified first.
        """
        if self._resumed or not self.identified or not (self.acks or self.grace_over):
            return False
        self._resumed = True
        return True

    def owes_nothing(self) -> None:
        """Notes that no earlier link left anything open, so that nothing is to be pushed again."""
        self._resumed = True

    def resume_again(self) -> None:
        """Notes that an earlier link may have left more open than was pushed again so far."""
        self._resumed = False

    def move(self) -> None:
        """Takes another row: what was reserved is pushed elsewhere, if at all.

        What an earlier link of that row left open is still to be pushed again.
        """
        self.window.drop_reservations()
        self._resumed = False
        self.is_new = False

    # --- its time

    @property
    def due(self) -> float:
        """When `tick` has something to do next."""
        asked = self._asked_at
        alive = self._ping_at if asked is None else asked + self._patience.pong_timeout_s
        return alive if self.grace_over else min(alive, self._grace_until)

    def probe_answered(self, at: float) -> None:
        """Notes that the phone gave a sign of life at this time."""
        if self._asked_at is not None and at >= self._asked_at:
            self._ping_at = self._asked_at + self._patience.ping_interval_s
            self._asked_at = None

    def tick(self, now: float) -> list[Effect]:
        """Does what is due: the end of the grace, a probe, the verdict on a silent phone.

        At such a time the phone's health is written down too, if that is due.
        """
        effects: list[Effect] = []
        if (news := self.health.due(now)) is not None:
            effects.append(Record(news))
        if not self.grace_over and now >= self._grace_until:
            self.grace_over = True
            if not (self.identified and self._resumed):
                effects.append(Record(GraceOver()))
        if self._asked_at is not None:
            if now >= self._asked_at + self._patience.pong_timeout_s:
                effects.append(Dead())
        elif now >= self._ping_at:
            self._asked_at = now
            effects.append(Probe())
        return effects

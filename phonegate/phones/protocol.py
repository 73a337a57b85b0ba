"""One phone's link as a state machine: frames and times in, frames and steps out.

Pure: no await, no clock, no logger. `session` moves the bytes, `recorder` carries out the steps
against the database in the order of the frames. Times are seconds of any monotonic clock.

What it keeps of the guarantees:

- A message is pushed over one link once, and never after its `ack` or result arrived here, even
  while that is still on its way into the database.
- At most `window` messages are in flight; for a phone that answers a whole window within a second
  it widens, up to a bound, and is narrow again when the phone does not. A push holds its room
  until the phone acknowledges it, reports its result, or the gateway stops waiting.
- A frame that can't be understood costs an `error` frame and nothing else; too many of them in
  a row close the link.
"""

from collections import OrderedDict
from collections.abc import Collection
from typing import Final

import attrs

from phonegate.domain.reported_values import Kind
from phonegate.model.messages import Message
from phonegate.phones import frames
from phonegate.phones.frames import FrameFault, GatewayFrame
from phonegate.phones.grammar import read

POLICY_VIOLATION: Final = 1008
"""Close code (RFC 6455, 7.4.1)."""

TOO_BIG: Final = 1009
"""Close code (RFC 6455, 7.4.1)."""

BRISK_S: Final = 1.0
"""Within which a phone answers a whole window that is to be given twice as much. What is in flight
is then a second or two of its work, whatever the width: nothing waits long in the wrong place."""

MAX_FRAME_BYTES: Final = 65_536
"""Bytes of a frame, but for one of received SMS: what others sent is not the phone's to shorten."""

_INBOUND: Final = '"inbound"'
"""Part of every frame of received SMS."""

SPENT_PER_WINDOW: Final = 8
"""How many windows, as wide as they were ever, of acknowledged ids are remembered. Only a push that
was decided before the ack was committed can come too late, and at most one window of those is under
way."""


@attrs.frozen
class Send:
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
    """A step: a link of this row ended that was silent since before the present one began."""

    row: int


@attrs.frozen
class Misplaced:
    """A step: a new message was stored under a row that the phone has left meanwhile."""

    message: Message


Step = (
    frames.Sims
    | frames.Inbound
    | frames.SendResult
    | frames.Hello
    | frames.Ack
    | frames.DeliveryReport
    | frames.Ping
    | GraceOver
    | Inherited
    | Misplaced
)
"""What has to be recorded, or answered only after all that came before it is recorded."""


@attrs.frozen
class Record:
    """Carry this step out, after those before it."""

    step: Step


@attrs.frozen
class Probe:
    """Send a websocket ping; tell `heard` when its answer comes."""


@attrs.frozen
class Close:
    """Close the link with this code."""

    code: int
    reason: str


@attrs.frozen
class Dead:
    """The phone answers no ping: drop the link, a close frame would not be read."""


Effect = Send | Record | Probe | Close | Dead | Cleaned


class LinkProtocol:
    """The state of one link, from the accepted upgrade to its end."""

    def __init__(
        self,
        *,
        window: int,
        widest_window: int = 0,
        max_nonsense: int,
        max_frame_bytes: int = MAX_FRAME_BYTES,
        grace_s: float,
        ping_interval_s: float,
        pong_timeout_s: float,
        identified: bool,
        owing: bool = False,
        in_doubt: bool = False,
        now: float,
    ) -> None:
        """`widest_window`: how far `window` may grow; below it, it stays as it is.

        `max_frame_bytes`: of any frame but one of received SMS, which may be a large one.

        `identified`: the phone has told its `device_id` with the upgrade.

        `owing`: pushes over an earlier link have no ack and no result yet.

        `in_doubt`: it may be a phone that is known by its name or number, without having told
        either so far.
        """
        self.window = window
        """Messages that may be in flight now."""
        self._usual_window = window
        self._widest_window = max(window, widest_window)
        self._remembered = SPENT_PER_WINDOW * window
        self._answers = 0
        self._counted_at = now
        self._max_nonsense = max_nonsense
        self._max_frame_bytes = max_frame_bytes
        self._ping_interval_s = ping_interval_s
        self._pong_timeout_s = pong_timeout_s
        self._nonsense = 0
        self._flight: dict[int, None] = {}
        self._reserved = 0
        self._spent: OrderedDict[int, None] = OrderedDict()
        self._grace_until = now + grace_s
        self._grace_over = False
        self._resumed = False
        self._owing = owing
        self._in_doubt = in_doubt
        self._ping_at = now + ping_interval_s
        self._asked_at: float | None = None
        self.identified = identified
        self.hello: frames.Hello | None = None
        self.status: frames.Status | None = None

    # --- what it knows

    @property
    def greeted(self) -> bool:
        """Whether the phone said hello, and so knows the extensions."""
        return self.hello is not None

    @property
    def acks(self) -> bool:
        """Whether the phone acknowledges pushes."""
        return self._has("ack")

    @property
    def room(self) -> int:
        """Messages that may be pushed now."""
        room = self.window - len(self._flight) - self._reserved
        return max(0, room)

    @property
    def in_flight(self) -> Collection[int]:
        """The ids pushed over this link and not yet acknowledged, answered or given up."""
        return self._flight.keys()

    @property
    def due(self) -> float:
        """When `tick` has something to do next."""
        asked = self._asked_at
        alive = self._ping_at if asked is None else asked + self._pong_timeout_s
        return alive if self._grace_over else min(alive, self._grace_until)

    # --- what happens

    def receive(self, data: str | bytes) -> list[Effect]:
        """Takes one frame of the phone."""
        large = self._is_large(data)
        # To parse a large frame takes its time; only those that may be taken are worth it.
        if large and not (isinstance(data, str) and _INBOUND in data):
            return [self._too_big()]
        try:
            frame = read(data)
        except FrameFault as fault:
            return self._refuse(fault)
        if large and not isinstance(frame, frames.Inbound):
            return [self._too_big()]
        self._nonsense = 0
        effects: list[Effect] = []
        if frame.cleaned:
            effects.append(Cleaned(frame.cleaned))
        if frame.complaint is not None:
            effects.append(Send(frame.complaint))
        match frame:
            case frames.Status():
                self.status = frame
                return effects
            case frames.Hello():
                self.hello = frame
            case frames.Ack() | frames.SendResult() | frames.DeliveryReport():
                # A delivery report says as well as a result that the phone had the message.
                self._answers += frame.id in self._flight
                self._flight.pop(frame.id, None)
                self._spend(frame.id)
            case _:
                pass
        effects.append(Record(frame))
        return effects

    def pace(self, now: float) -> None:
        """Fits the window to what the phone has answered by now; see `BRISK_S`."""
        if now - self._counted_at > BRISK_S:
            # Idle or slow, which is the same here: a phone that is brisk shows it soon.
            self.window = self._usual_window
        elif self._answers < self.window:
            return
        else:
            self.window = min(2 * self.window, self._widest_window)
            self._remembered = max(self._remembered, SPENT_PER_WINDOW * self.window)
        self._answers, self._counted_at = 0, now

    def reserve(self) -> bool:
        """Takes room for one message; False when the window is full."""
        if self.room == 0:
            return False
        self._reserved += 1
        return True

    def release(self) -> None:
        """Gives back the room of a message that is not pushed after all."""
        self._reserved = max(0, self._reserved - 1)

    def move(self) -> None:
        """The phone goes by another row now: what was reserved is pushed elsewhere, if at all.

        What an earlier link of that row left open is still to be pushed again.
        """
        self._reserved = 0
        self._resumed = False

    def look_again(self) -> None:
        """More may have been left open than was pushed again over this link so far."""
        self._resumed = False

    def push(self, message: Message) -> list[Effect]:
        """Pushes a committed message, whose reserved room it takes.

        Nothing is sent where the phone has it already: a message can come here twice when
        it was being stored while the phone reconnected.
        """
        self.release()
        if message.id in self._flight or message.id in self._spent:
            return []
        self._flight[message.id] = None
        return [
            Send(
                frames.SendSms(
                    id=message.id,
                    to=message.address,
                    body=message.body,
                    sim=message.sim,
                    sim_slot=message.sim_slot,
                    segments=message.segments,
                    expires_at=message.expires_at,
                    media_urls=message.media_urls,
                )
            )
        ]

    def give_up(self, message_id: int) -> bool:
        """The gateway waits no longer for this message; True if that made room.

        It is not pushed again: what follows it, if anything, is a new message.
        """
        if message_id not in self._flight:
            return False
        del self._flight[message_id]
        self._spend(message_id)
        return True

    def cancel(self, message_id: int) -> list[Effect]:
        """Asks the phone to drop a message; nothing when it can't, or may not have it yet."""
        if not self._has("cancel") or not (self._resumed or message_id in self._flight):
            return []
        return [Send(frames.Cancel(message_id))]

    @property
    def in_doubt(self) -> bool:
        """Whether it may still turn out to be a phone that is known.

        That ends when it is identified, and with the grace at the latest.
        """
        return self._in_doubt and not self.identified

    @property
    def grace_over(self) -> bool:
        """Whether the phone has had its time to name itself."""
        return self._grace_over

    def doubt(self) -> None:
        """Which phone it is has yet to come out."""
        self._in_doubt = True

    @property
    def takes_new(self) -> bool:
        """Whether it may be given messages that it never had.

        What an earlier link left open goes first. A link that never lasts until then would
        otherwise leave more open each time. Nor is anything given to a phone in doubt: if the
        link ended, it would be open under a row that this phone does not come back to.
        """
        return not self.in_doubt and (self._resumed or not self._owing)

    def take_resume(self) -> bool:
        """Whether what an earlier link left open must be pushed again now; True once for a row.

        A phone that acknowledges drops what it has, so it can be asked at once. Any other gets
        a grace for late results, for it may send a text twice. Either must be identified first.
        """
        if self._resumed or not self.identified or not (self.acks or self._grace_over):
            return False
        self._resumed = True
        return True

    def heard(self, at: float) -> None:
        """The phone answered a ping at this time."""
        if self._asked_at is not None and at >= self._asked_at:
            self._ping_at = self._asked_at + self._ping_interval_s
            self._asked_at = None

    def tick(self, now: float) -> list[Effect]:
        """Does what is due: the end of the grace, a ping, the verdict on a silent phone."""
        effects: list[Effect] = []
        if not self._grace_over and now >= self._grace_until:
            self._grace_over = True
            effects.append(Record(GraceOver()))
        if self._asked_at is not None:
            if now >= self._asked_at + self._pong_timeout_s:
                effects.append(Dead())
        elif now >= self._ping_at:
            self._asked_at = now
            effects.append(Probe())
        return effects

    def _is_large(self, data: str | bytes) -> bool:
        most = self._max_frame_bytes
        if len(data) > most:
            return True
        # A character has at most four bytes in UTF-8.
        return len(data) * 4 > most and isinstance(data, str) and len(data.encode()) > most

    def _too_big(self) -> Close:
        return Close(TOO_BIG, f"more than {self._max_frame_bytes} bytes in one frame")

    def _refuse(self, fault: FrameFault) -> list[Effect]:
        self._nonsense += 1
        error = frames.Error(code=fault.code, detail=fault.detail, field=fault.field)
        effects: list[Effect] = [Send(error)]
        if self._nonsense >= self._max_nonsense:
            reason = f"{self._nonsense} frames in a row could not be understood"
            effects.append(Close(POLICY_VIOLATION, reason))
        return effects

    def _has(self, feature: str) -> bool:
        return self.hello is not None and feature in self.hello.features

    def _spend(self, message_id: int) -> None:
        self._spent[message_id] = None
        self._spent.move_to_end(message_id)
        if len(self._spent) > self._remembered:
            self._spent.popitem(last=False)

"""Frames to and from the app: a list that it pulls, a stream that rings, and calls that report.

A call that reports says its frames and waits until they are written down. What the app is given
stands in the list until it reports on it.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs
import trio

from phonegate.domain.delivery import CANCEL_ERROR
from phonegate.phones import frames
from phonegate.phones.frames import GatewayFrame, PhoneFrame
from phonegate.phones.smsgate.app_version import AppVersion
from phonegate.phones.smsgate.event_stream import CANCELLED, EventStream
from phonegate.phones.smsgate.media_desk import MediaDesk
from phonegate.phones.smsgate.mobile_message import id_of
from phonegate.phones.smsgate.pull_list import PullList
from phonegate.phones.smsgate.smsgate_timings import SmsgateTimings
from phonegate.phones.transport import Heard, Incoming, LinkLost
from phonegate.phones.window import Window

FRAME_BYTES: Final = 256
"""What a frame takes of memory where its call does not say so: one of the gateway's own."""

MOST_CALLS: Final = 32
"""Calls of one phone that wait to be written down. The app makes a few at once."""

MOST_KNOWN: Final = 256
"""Messages whose app's ids are remembered, so that it can be asked to drop them."""

NEVER_FETCHED: Final = "its ttl ran out before the phone fetched it"

NO_MMS: Final = "the app on the phone can't send MMS: it needs a version after 1.68"


@attrs.define(eq=False)
class _Call:
    """A call that waits until what it has said is written down."""

    done: trio.Event = attrs.field(factory=trio.Event)
    is_recorded: bool = False


class SmsgateTransport:
    """Carries the frames of one phone. It implements `transport.Transport`."""

    __slots__ = (
        "_calls",
        "_failed",
        "_had",
        "_heard",
        "_known",
        "_lost_at",
        "_now_ms",
        "_timings",
        "_waiting",
        "close_code",
        "ended",
        "pulls",
        "shelf",
        "stream",
        "version",
        "window",
    )

    def __init__(
        self,
        greeting: Sequence[PhoneFrame],
        version: AppVersion,
        timings: SmsgateTimings,
        desk: MediaDesk,
        *,
        org: int,
        org_name: str,
        known: Mapping[int, str],
        now_ms: Callable[[], int],
    ) -> None:
        """Makes a transport that begins with what is known of its phone.

        Args:
            greeting: What the phone would say of itself.
            version: Of its app.
            timings: How long it is waited for.
            desk: Fetches the media of MMS.
            org: Of the phone.
            org_name: Of the phone.
            known: The app's ids of messages that it has, by ours.
            now_ms: The wall clock.
        """
        self._heard = [Incoming(frame, FRAME_BYTES) for frame in greeting]
        self._timings = timings
        self._now_ms = now_ms
        self._calls: deque[_Call] = deque()
        self._failed = False
        self._known: dict[int, str] = dict(known)
        self._had = frozenset(known)
        """What an earlier session may have given to the app."""
        self._waiting: trio.CancelScope | None = None
        self._lost_at = trio.current_time() + timings.away_s
        self.version = version
        self.pulls = PullList()
        self.shelf = desk.shelf(org, org_name, ready=self._ring, failed=self._fail)
        """The media of MMS that it is to be given."""
        self.stream: EventStream | None = None
        """The stream by which the phone is rung, while it has one."""
        self.ended = False
        """Nothing more is said over it."""
        self.close_code: int | None = None
        self.window: Window
        """The messages that are awaited of the phone."""

    # --- what the session asks

    @property
    def answered_at(self) -> float:
        """When the phone gave a sign of life. `receive` notices itself when it has left."""
        return trio.current_time()

    def start(
        self,
        nursery: trio.Nursery,
        *,
        lost: Callable[[], None],
        crowded_out: Callable[[], None],
    ) -> None:
        """Does nothing: it has no task of its own."""

    async def receive(self, sparing: Callable[[], bool]) -> Heard:  # noqa: ARG002 - few come at once
        """Returns what calls have said.

        Raises:
            LinkLost: The phone is away, or the connection has ended.
        """
        while not self._heard:
            if self.ended or self._is_away:
                self.ended = True
                raise LinkLost
            with trio.CancelScope(deadline=self._deadline) as self._waiting:
                await trio.sleep_forever()
            self._waiting = None
        heard, self._heard = self._heard, []
        return Heard(heard, len(heard), is_last=False)

    async def send(self, frame: GatewayFrame) -> None:
        """Takes an answer, or something to do."""
        self.send_now(frame)

    def send_now(self, frame: GatewayFrame) -> None:
        """Takes an answer, or something to do. What the app has no ear for is left out."""
        match frame:
            case frames.SendSms():
                self._put(frame)
            case frames.Cancel(message_id):
                self._cancel(message_id)
            case frames.Error(code="internal_error"):
                self._failed = True
            case frames.Pong():
                call = self._calls.popleft()
                call.is_recorded, self._failed = not self._failed, False
                call.done.set()
            case _:
                pass

    def probe(self) -> None:
        """Does nothing: a phone with a stream is there, and another one calls."""

    def close(self, code: int, reason: str) -> None:
        """Ends it. The app comes back, if it may."""
        if self.close_code is None:
            self.close_code = code
        self._end(reason)

    def finish(self) -> None:
        """Ends it."""
        self._end("the phone has left")

    def rest(self) -> None:
        """Does nothing: it has no task of its own."""

    # --- what calls of the app ask

    def touch(self) -> None:
        """Notes that the phone has called."""
        self._lost_at = trio.current_time() + self._timings.away_s
        self._look()

    async def say(self, said: Sequence[PhoneFrame], size: int = FRAME_BYTES) -> bool:
        """Says frames, and waits until they are written down.

        Returns whether they are, which a deadline of the caller's must bound.
        """
        if self.ended or len(self._calls) >= MOST_CALLS:
            return False
        call = _Call()
        self._calls.append(call)
        self._hear([*said, frames.Ping()], size)
        await call.done.wait()
        if self.pulls.has_ready(self.shelf.media):
            # The last answer could not hold it beside what is reported on now.
            self._ring()
        return call.is_recorded

    def tell(self, said: Sequence[PhoneFrame]) -> None:
        """Says frames, and waits for nothing."""
        if not self.ended:
            self._hear(said, FRAME_BYTES)

    async def gather(self) -> None:
        """Fetches the media of messages, and waits for them where the app would not come again.

        A deadline of the caller's must bound that.
        """
        wanted = self.pulls.with_media(self.window.in_flight)
        self.shelf.keep(frame.id for frame in wanted)
        for frame in wanted:
            self.shelf.begin(frame.id, frame.media_urls or ())
        if self.stream is None:
            await self.shelf.settle()

    def pull(self) -> list[dict[str, Any]]:
        """Returns the messages that the app is to send, or to drop."""
        answer, late = self.pulls.pull(
            self.window.in_flight,
            now=self._now_ms(),
            knows_cancelling=self.version.is_known,
            media=self.shelf.media,
        )
        self.tell([frames.SendResult(id=one, success=False, error=NEVER_FETCHED) for one in late])
        return answer

    def open_stream(self) -> EventStream:
        """Opens a stream, in place of an older one."""
        if self.stream is not None:
            self.stream.end("replaced by a newer stream")

        def left() -> None:
            if self.stream is stream:
                self.stream = None
                self.touch()

        stream = EventStream(self._timings, has_new=self._has_new, left=left)
        if self.ended:
            # The app comes back in a moment, and then there is a session for it.
            stream.end("the session has ended")
        else:
            self.stream = stream
            self._look()
        return stream

    def over(self) -> None:
        """Answers the calls whose frames could not be written down: the session has ended."""
        self.ended = True
        self.shelf.keep(())
        while self._calls:
            self._calls.popleft().done.set()

    # --- its inside

    @property
    def _deadline(self) -> float:
        return float("inf") if self.stream is not None else self._lost_at

    @property
    def _is_away(self) -> bool:
        return self.stream is None and trio.current_time() >= self._lost_at

    def _hear(self, said: Sequence[PhoneFrame], size: int) -> None:
        self._heard += [Incoming(frame, size // len(said)) for frame in said]
        if said and self._waiting is not None:
            self._waiting.cancel()

    def _look(self) -> None:
        """Has `receive` wait for as long as the phone may be silent from now on."""
        if self._waiting is not None:
            self._waiting.deadline = self._deadline

    def _end(self, reason: str) -> None:
        self.ended = True
        if self.stream is not None:
            self.stream.end(reason)
        if self._waiting is not None:
            self._waiting.cancel()

    def _put(self, frame: frames.SendSms) -> None:
        self._remember(frame)
        if frame.media_urls and not self.version.sends_media:
            self._fail(frame.id, NO_MMS)
            return
        self.pulls.put(frame, self._now_ms())
        if not frame.media_urls:
            self._ring()
        elif self.stream is not None:
            self.shelf.begin(frame.id, frame.media_urls)

    def _fail(self, message: int, problem: str) -> None:
        """Ends a message that can't be given to the app, as far as it has not been."""
        given = self.pulls.drop(message) or message in self._had
        self.tell([frames.SendResult(id=message, success=False, error=problem, uncertain=given)])

    def _ring(self) -> None:
        if self.stream is not None:
            self.stream.ring()

    def _has_new(self) -> bool:
        return self.pulls.has_new(self.window.in_flight, self.shelf.being_fetched)

    def _remember(self, frame: frames.SendSms) -> None:
        self._known[frame.id] = id_of(frame)
        if len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]

    def _cancel(self, message_id: int) -> None:
        self.shelf.drop(message_id)
        if self.pulls.cancel(message_id):
            said = frames.SendResult(id=message_id, success=False, error=CANCEL_ERROR)
            self.tell([said])
        elif self.stream is not None and message_id in self._known:
            self.stream.say(CANCELLED, {"messageId": self._known[message_id]})

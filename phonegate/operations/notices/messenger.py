"""Brings notices to one target: in its own time, again and again, and never in another's way."""

from collections.abc import Callable
from typing import Final, Protocol

import attrs
import trio

from phonegate import log
from phonegate.domain.alarms import Key, News
from phonegate.operations.notices.digest import Digest, Due, Fields, worded
from phonegate.operations.notices.notice import Notice, together
from phonegate.rates import Buckets, Rate

FAILING: Final = "notices_failing"
"""The alarm about a target that takes no notices, of which that target itself hears nothing."""

MOST_APART: Final = 5
"""Notices that are due at once and go one by one. More are one notice together: when a network
fails, a thousand orgs have the same to say."""

PACE: Final = Rate(per_s=20 / 900, burst=20)
"""Notices in a quarter of an hour. Those beyond wait, and then go together."""

LONGEST_REASON: Final = 200
"""Characters of the reason of a failure."""

_log = log.get("operations")


class NotDelivered(Exception):
    """A target did not take a notice. The text says why, without anything secret.

    Args:
        reason: The text.
        answer: What the target answered beside that, which may hold anything.
    """

    def __init__(self, reason: str, answer: str = "") -> None:
        self.answer = answer
        super().__init__(reason)


class Sender(Protocol):
    """Sends notices to one target."""

    async def send(self, notice: Notice) -> str:
        """Sends a notice. The caller cancels it when it takes too long.

        Returns:
            What the target answered, in a few words, without anything secret.

        Raises:
            NotDelivered: It did not take it, or that is not known.
        """


@attrs.frozen(kw_only=True)
class MessengerTimings:
    """The waits of a messenger. Tests pass shorter ones."""

    attempt_s: float = 75.0
    """How long one attempt may take. An SMS waits for its phone, and for the next one."""
    pauses_s: tuple[float, ...] = (5.0, 20.0, 60.0, 120.0, 300.0)
    """Between attempts. The last one is repeated: what a night's outage kept back is still news in
    the morning, and is worded anew each time."""
    mute_s: float = 60.0
    """How long a target may fail before that is an alarm itself."""


@attrs.frozen(kw_only=True)
class Trial:
    """What became of a test notice."""

    arrived: bool
    answer: str
    """What the target answered, or why it did not take the notice."""
    seconds: float


class Messenger:
    """Delivers to one target whatever there is to say, until it is cancelled.

    Args:
        name: What the log calls the target.
        sender: Sends to it.
        fields: What is known of alarms that are on.
        wall_s: The wall clock, in seconds.
        note: Called with whether a notice was delivered, for each attempt.
        reported: Called with an alarm that is on, once a notice of it was delivered.
        timings: How long it waits.
    """

    def __init__(
        self,
        name: str,
        sender: Sender,
        fields: Fields,
        *,
        wall_s: Callable[[], float],
        note: Callable[[bool], None],
        reported: Callable[[Key], None],
        timings: MessengerTimings,
    ) -> None:
        self.name = name
        self._sender = sender
        self._fields = fields
        self._wall_s = wall_s
        self._note = note
        self._reported = reported
        self._timings = timings
        self._digest = Digest()
        self._woken = trio.Event()
        self._pace: Buckets[None] = Buckets(PACE)
        self._failures = 0
        self._failing_since: float | None = None
        self._reason = ""
        self._overfull = False

    @property
    def mute(self) -> str | None:
        """Why the target takes no notices, once it has taken none for a while. None if it does."""
        since = self._failing_since
        if since is None or trio.current_time() - since < self._timings.mute_s:
            return None
        return self._reason

    def take(self, news: News) -> None:
        """Takes the beginning or the end of an alarm. Never waits."""
        if news.key == (FAILING, self.name):
            return
        self._digest.take(news, trio.current_time())
        if self._digest.lost and not self._overfull:
            self._overfull = True
            _log.warning("notices_left_out", target=self.name)
        self._woken.set()

    def restore(self, news: News, *, reported: bool) -> None:
        """Takes an alarm that was on when the gateway ended, and whether it was reported then."""
        if news.key != (FAILING, self.name):
            self._digest.restore(news, trio.current_time(), reported=reported)
            self._woken.set()

    async def run(self) -> None:
        """Delivers until cancelled."""
        while True:
            self._woken = trio.Event()
            now = trio.current_time()
            due = self._digest.due(now)
            if not due:
                next_at = self._digest.next_at(now)
                with trio.move_on_at(float("inf") if next_at is None else next_at):
                    await self._woken.wait()
            elif wait_s := self._pace.take(None, now):
                await trio.sleep(wait_s)
            elif not await self._deliver(due if len(due) > MOST_APART else due[:1]):
                await self._pause()

    async def test(self, notice: Notice, deadline_s: float) -> Trial:
        """Sends a notice at once. One that arrives proves that the target takes notices again."""
        began = trio.current_time()
        arrived, answer = await self._attempt(notice, deadline_s)
        if arrived:
            self._woken.set()
        return Trial(arrived=arrived, answer=answer, seconds=trio.current_time() - began)

    async def _deliver(self, due: list[Due]) -> bool:
        wall = self._wall_s()
        notice = together([worded(one, self._fields, wall) for one in due])
        arrived, _ = await self._attempt(notice, self._timings.attempt_s)
        self._note(arrived)
        if arrived:
            for one in due:
                self._digest.delivered(one, trio.current_time())
                if one.on:
                    self._reported(one.key)
        return arrived

    async def _attempt(self, notice: Notice, deadline_s: float) -> tuple[bool, str]:
        answer = ""
        try:
            with trio.fail_after(deadline_s):
                answer = await self._sender.send(notice)
        except NotDelivered as error:
            reason, answer = str(error), error.answer
        except trio.TooSlowError:
            reason = f"no answer within {deadline_s:g} s"
        except Exception as error:  # noqa: BLE001 - one target must not end the others
            # Not the error's text, which may quote the target.
            reason = f"failed with {type(error).__name__}"
        else:
            self._works()
            return True, answer
        reason = reason[:LONGEST_REASON]
        self._fails(reason)
        # The answer is for the operator who asks, and not for the log.
        return False, f"{reason}: {answer}" if answer else reason

    async def _pause(self) -> None:
        pauses = self._timings.pauses_s
        self._failures += 1
        with trio.move_on_after(pauses[min(self._failures, len(pauses)) - 1]):
            # News don't shorten it, and a test that arrives does.
            while self._failing_since is not None:
                await self._woken.wait()
                if self._failing_since is not None:
                    self._woken = trio.Event()

    def _works(self) -> None:
        self._failures = 0
        if self._failing_since is not None:
            self._failing_since = None
            _log.info("notices_arrive", target=self.name)

    def _fails(self, reason: str) -> None:
        if self._failing_since is None:
            self._failing_since = trio.current_time()
            _log.warning("notice_not_delivered", target=self.name, reason=reason)
        self._reason = reason

"""What the dispatcher knows of one webhook while it has something to do. Pure.

Times are in seconds of the monotonic clock.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

from phonegate.events.webhooks.slots import Standing
from phonegate.model.webhooks import Delivery, Webhook
from phonegate.store.deliveries import Due

WIDEST: Final = 16
"""Most calls of one webhook at once. A receiver that answers in a tenth of a second then gets 160
events a second."""

TROUBLE: Final = frozenset({429, 502, 503, 504})
"""HTTP statuses by which a receiver, or a proxy before it, is in trouble as a whole."""

FAILURES_IN_A_ROW: Final = 10
"""After so many messages that failed, with none that succeeded, it is not the messages."""


class Line:
    """One webhook: what is ready to be sent, and what is under way.

    A receiver begins with one call at a time. Each success allows one more, each failure leaves
    one. While it fails as a whole it rests: nothing is sent until the next try is due.
    """

    def __init__(self, webhook: Webhook) -> None:
        self.webhook = webhook
        self.standing: Standing = "new" if webhook.failing_since is None else "failing"
        self.failing_since = webhook.failing_since
        self.behind = True
        """Whether there may be events that it has not taken up yet."""
        self.full = False
        """Whether so much waits that nothing more is taken up for now."""
        self.dry = True
        """Whether what was found due the last time was all of it."""
        self.rests_until = 0.0
        self.removed = False
        self._ready: deque[Due] = deque()
        self._under_way: dict[int, str] = {}
        """The numbers of deliveries, with their subjects."""
        self._subjects: set[str] = set()
        """Those that are ready or under way."""
        self._ended: set[int] = set()
        """The numbers of what has ended since it was last read what is due."""
        self._widest = 1
        self._failures = 0

    @property
    def org(self) -> int:
        """Whose webhook it is."""
        return self.webhook.org

    @property
    def may_take(self) -> bool:
        """Tells whether there may be events to take up, and room for them."""
        return self.behind and not self.full and not self.removed

    @property
    def under_way(self) -> int:
        """How many calls are under way, or their results being stored."""
        return len(self._under_way)

    @property
    def is_waiting(self) -> bool:
        """Tells whether something is ready, and one more call may be made."""
        return bool(self._ready) and self.under_way < self._widest

    @property
    def wanted(self) -> int:
        """How many more deliveries it could use."""
        return max(0, 2 * self._widest - self.under_way - len(self._ready))

    @property
    def at_hand(self) -> int:
        """How many deliveries are ready or under way."""
        return self.under_way + len(self._ready)

    def look(self) -> None:
        """Notes that what is due is being read, as it is from now on or later."""
        self._ended.clear()

    def is_hungry(self, now: float) -> bool:
        """Tells whether it can use new events now. Else it looks for them by itself, later."""
        return bool(self.wanted) and now >= self.rests_until

    def add(self, found: Iterable[Due]) -> list[Delivery]:
        """Adds what was read. Returns that of which the event is gone.

        Left out is what is at hand already, and what has ended while it was being read.
        """
        gone = []
        for due in found:
            n, subject = due.delivery.n, due.delivery.subject
            if n in self._ended or subject in self._subjects:
                continue
            if due.event is None:
                gone.append(due.delivery)
                continue
            self._subjects.add(subject)
            self._ready.append(due)
        return gone

    def start(self) -> Due:
        """Takes the next of what is ready, whose call begins."""
        due = self._ready.popleft()
        self._under_way[due.delivery.n] = due.delivery.subject
        return due

    def end(self, n: int) -> None:
        """Ends a call, whose result is stored."""
        self._subjects.discard(self._under_way.pop(n))
        self._ended.add(n)
        self.full = False

    def put_off(self) -> None:
        """Forgets what is ready. It is found again when it is due."""
        while self._ready:
            self._subjects.discard(self._ready.popleft().delivery.subject)

    def change(self, webhook: Webhook) -> None:
        """Takes a change of the webhook up. What was known of its receiver may be so no more."""
        self.webhook = webhook
        self.failing_since = webhook.failing_since
        self.behind, self.full, self.dry = True, False, True
        self.rests_until = 0.0
        self.put_off()

    def note_success(self) -> None:
        """Takes note that the receiver has taken an event."""
        self.standing = "working"
        self.failing_since = None
        self.rests_until = 0.0
        self._failures = 0
        self._widest = min(self._widest + 1, WIDEST)

    def note_failure(
        self, at: int, *, status: int | None, asked: bool, next_try: float | None
    ) -> None:
        """Takes note that the receiver has not taken an event.

        Args:
            at: When, in ms of the wall clock.
            status: What it answered. None where it did not answer.
            asked: Whether it asks to be called again later.
            next_try: When this event is tried again.
        """
        self.standing = "failing"
        # What waits already comes first, and nothing new is taken up beside it.
        self.dry = False
        self._widest = 1
        self._failures += 1
        if self.failing_since is None:
            self.failing_since = at
        as_a_whole = status is None or status in TROUBLE or asked
        if next_try is not None and (as_a_whole or self._failures >= FAILURES_IN_A_ROW):
            self.rests_until = max(self.rests_until, next_try)
            self.put_off()

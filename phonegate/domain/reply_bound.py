"""How many replies of receivers one number gets. Pure but for what it remembers.

Two programs that answer whatever comes, each by a gateway of its own, would else answer each other
for ever, at a price for each message.
"""

from collections import OrderedDict, deque
from typing import Final

MOST_REPLIES: Final = 60
"""Replies to one number within `WINDOW_MS`: more than a person reads. Twilio ends such a loop too,
at 15 within half a minute (its error 14107), but SMS go to and fro more slowly."""

WINDOW_MS: Final = 3_600_000

MOST_NUMBERS: Final = 10_000
"""Numbers that are remembered, some 10 MB at worst. The one that got its last reply first is
forgotten."""


class ReplyBound:
    """Counts replies, by org and number. A restart forgets them."""

    def __init__(self) -> None:
        self._sent: OrderedDict[tuple[int, str], deque[int]] = OrderedDict()

    def is_reached(self, org: int, number: str, now: int) -> bool:
        """Tells whether a number has got as many replies as it may for now (ms)."""
        sent = self._sent.get((org, number))
        if sent is None:
            return False
        # A clock that was set back forgets what seems to lie ahead.
        while sent and not now - WINDOW_MS < sent[0] <= now:
            sent.popleft()
        return len(sent) >= MOST_REPLIES

    def note(self, org: int, number: str, now: int) -> None:
        """Counts a reply (ms)."""
        key = (org, number)
        self._sent.setdefault(key, deque(maxlen=MOST_REPLIES)).append(now)
        self._sent.move_to_end(key)
        if len(self._sent) > MOST_NUMBERS:
            self._sent.popitem(last=False)

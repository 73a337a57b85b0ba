"""How many messages one link may have under way, and which those are. Pure.

- A message is pushed over one link once, and never after its ack or result has arrived here, even
  while that is still on its way into the database.
- A phone that says how many messages it takes has no more than that until their results are here:
  what its radio can't send yet waits at the gateway, where it can be cancelled and expires.
- Of long messages only so many segments are in flight, whatever the width: a phone that reads
  nothing must not fill the memory.
- At most `width` messages are in flight. For a phone that answers a whole window within a second
  it widens, up to a bound, and is narrow again when the phone does not. A push keeps its place
  until the phone acknowledges it, reports its result, or the gateway stops waiting.

Times are seconds of any monotonic clock.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable
from typing import Final

from phonegate.model.bounds import MAX_SEGMENTS

BRISK_S: Final = 1.0
"""Within which a phone answers a whole window that is to be given twice as much. What is in flight
is then a second or two of its work, whatever the width: nothing waits long in the wrong place."""

ORDINARY_SEGMENTS: Final = 49
"""The segments of a message that is not long: what a text of 1,600 characters takes at most."""

LONG_SEGMENTS: Final = 10 * MAX_SEGMENTS
"""Segments of all long messages that may be in flight: ten of the longest, some 2 MB of JSON."""

REMEMBERED_WINDOWS: Final = 8
"""How many windows, as wide as they were ever, of answered ids are remembered. Only a push that was
decided before the ack was committed can come too late, and at most one window of those is under
way."""


def long_part(segments: int) -> int:
    """Returns the segments of a message as far as they count among those of long ones."""
    return segments if segments > ORDINARY_SEGMENTS else 0


class Window:
    """The messages in flight over one link, and the places that are reserved for more."""

    __slots__ = (
        "_answered",
        "_answers",
        "_counted_at",
        "_flight",
        "_long",
        "_long_reserved",
        "_remembered",
        "_until_result",
        "_usual_width",
        "_widest",
        "reserved",
        "width",
    )

    def __init__(self, width: int, *, widest: int = 0, now: float) -> None:
        """`widest` is how far the window may grow. Below `width`, it stays as it is."""
        self.width = width
        """Messages that may be in flight now."""
        self._usual_width = width
        self._widest = max(width, widest)
        self._until_result = False
        self._remembered = REMEMBERED_WINDOWS * width
        self._answers = 0
        self._counted_at = now
        self._flight: dict[int, None] = {}
        self.reserved = 0
        """Places of messages that are being stored."""
        # The segments of long messages: of those that are in flight, by their ids, and of others.
        self._long: dict[int, int] = {}
        self._long_reserved = 0
        self._answered: OrderedDict[int, None] = OrderedDict()

    @property
    def free(self) -> int:
        """Messages that may be pushed now."""
        return max(0, self.width - len(self._flight) - self.reserved)

    @property
    def in_flight(self) -> Collection[int]:
        """The ids that have a place: pushed over this link, and not yet answered or given up."""
        return self._flight.keys()

    def knows(self, message_id: int) -> bool:
        """Tells whether a message was given over this link."""
        return message_id in self._flight or message_id in self._answered

    def bound(self, width: int, had: Iterable[int] = ()) -> None:
        """Keeps to so many messages, of which each has its place until its result is here.

        `had` are messages without a result that the phone acknowledged over an earlier link.
        """
        self.width = self._usual_width = self._widest = min(width, self._usual_width)
        self._until_result = True
        self._flight.update(dict.fromkeys(had))

    def fits(self, count: int = 1, long: int = 0) -> bool:
        """Tells whether there is room for so many messages, with `long` segments of long ones."""
        if self.free < count:
            return False
        if not long:
            return True
        others = sum(self._long.values()) + self._long_reserved
        return others + long <= LONG_SEGMENTS or (count == 1 and not others)

    def reserve(self, count: int = 1, long: int = 0) -> bool:
        """Takes places for so many messages. Without room for all it takes none: False."""
        if not self.fits(count, long):
            return False
        self.reserved += count
        self._long_reserved += long
        return True

    def release(self, long: int = 0) -> None:
        """Gives back the place of a message that is not pushed after all."""
        self.reserved = max(0, self.reserved - 1)
        self._long_reserved = max(0, self._long_reserved - long)

    def drop_reservations(self) -> None:
        """Gives back all places of messages that have not been pushed yet."""
        self.reserved = self._long_reserved = 0

    def push(self, message_id: int, long: int = 0) -> bool:
        """Turns a reserved place into a push. Returns False where the phone has the message."""
        self.release(long)
        if message_id in self._flight or message_id in self._answered:
            return False
        self._flight[message_id] = None
        if long:
            self._long[message_id] = long
        return True

    def acknowledge(self, message_id: int) -> None:
        """Frees the place of a message that the phone has, unless its result is waited for."""
        if not self._until_result:
            self.answer(message_id)
        elif message_id not in self._flight:
            self._remember(message_id)

    def answer(self, message_id: int) -> None:
        """Frees the place of a message of which the phone has reported what became of it."""
        self._answers += message_id in self._flight
        self._flight.pop(message_id, None)
        self._long.pop(message_id, None)
        self._remember(message_id)

    def give_up(self, message_id: int) -> bool:
        """Stops waiting for a message, which is never pushed again. Returns whether it had a place.

        What follows it, if anything, is a new message.
        """
        if message_id not in self._flight:
            return False
        del self._flight[message_id]
        self._long.pop(message_id, None)
        self._remember(message_id)
        return True

    def fit(self, now: float) -> None:
        """Fits the width to what the phone has answered by now (see `BRISK_S`)."""
        if now - self._counted_at > BRISK_S:
            # Idle or slow, which is the same here: a phone that is brisk shows it soon.
            self.width = self._usual_width
        elif self._answers < self.width:
            return
        else:
            self.width = min(2 * self.width, self._widest)
            self._remembered = max(self._remembered, REMEMBERED_WINDOWS * self.width)
        self._answers, self._counted_at = 0, now

    def _remember(self, message_id: int) -> None:
        self._answered[message_id] = None
        self._answered.move_to_end(message_id)
        if len(self._answered) > self._remembered:
            self._answered.popitem(last=False)

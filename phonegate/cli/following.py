"""What a follower of messages has seen, and what it looks at again to see it change. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from phonegate.model.states import FINAL_STATES, SENT

Message = Mapping[str, Any]

LOOK: Final = 200
"""Messages of a page that is asked for to see what changed: it is asked for again and again."""

MOST_WATCHED: Final = 1_000
"""Unfinished messages that are looked at again. Of more, the newest are."""

SENT_S: Final = 3_600.0
"""How long one that was sent may become delivered: many recipients' networks never tell."""


class Following:
    """Tells which messages to show: each that comes, and each whose state has changed.

    Args:
        last: Messages after this id are still to come.
        wanted: Whether a message is to be shown in the state that it has.
        look: Messages of a page that is looked at again.
    """

    def __init__(
        self,
        last: int,
        wanted: Callable[[Message], bool] = lambda _: True,
        look: int = LOOK,
    ) -> None:
        self.last = last
        self.look = look
        self._wanted = wanted
        self._watched: dict[int, tuple[str, float]] = {}
        """The state, and until when it is looked at, of each by its id, ascending."""
        self._looked = 0
        """The highest id that the present round of looks has come to."""

    def seen(self, messages: Sequence[Message], now: float) -> None:
        """Notes messages that are on the screen already."""
        for message in messages:
            self._note(message, now)
        while len(self._watched) > MOST_WATCHED:
            del self._watched[next(iter(self._watched))]

    def take(self, messages: Sequence[Message], now: float) -> list[Message]:
        """Those to show of a page of what came after `last`."""
        for message in messages:
            self.last = max(self.last, message["id"])
        new = [message for message in messages if message["id"] not in self._watched]
        self.seen(messages, now)
        return [message for message in new if self._wanted(message)]

    def next_poll(self, now: float) -> int | None:
        """The id after which to ask for a page of `look`, or None while nothing can change."""
        for number, (_, until) in list(self._watched.items()):
            if until < now:
                del self._watched[number]
        later = (number for number in self._watched if number > self._looked)
        first = next(later, None) or next(iter(self._watched), None)
        return None if first is None else first - 1

    def changed(self, after: int, page: Sequence[Message], now: float) -> list[Message]:
        """Those to show of a page that `next_poll` asked for: what has another state."""
        end = page[-1]["id"] if len(page) == self.look else max(self._watched, default=0)
        self._looked = 0 if end >= max(self._watched, default=0) else end
        found = {message["id"]: message for message in page}
        shown = []
        for number in [number for number in self._watched if after < number <= end]:
            message = found.get(number)
            if message is None:
                # It was deleted, by age.
                del self._watched[number]
            elif message["status"] != self._watched[number][0]:
                self._note(message, now)
                if self._wanted(message):
                    shown.append(message)
        return shown

    def _note(self, message: Message, now: float) -> None:
        number, status = message["id"], message["status"]
        if message["direction"] == "in" or status in FINAL_STATES:
            self._watched.pop(number, None)
        else:
            until = now + SENT_S if status == SENT else float("inf")
            self._watched[number] = status, until

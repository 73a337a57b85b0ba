"""The messages that `--follow` has shown, and those it reads again to see them change. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from phonegate.model.states import FINAL_STATES, SENT

Message = Mapping[str, Any]

LOOK: Final = 200
"""Messages of a page that is read to see changes, which happens again and again."""

MOST_WATCHED: Final = 1_000
"""Unfinished messages that are read again. Of more, only the newest are."""

SENT_S: Final = 3_600.0
"""How long a sent message is read again until it is delivered: many networks never report it."""


class Following:
    """Decides which messages to show: each new one, and each whose state has changed.

    Args:
        last: The id of the last message that was shown or skipped.
        wanted: Tells whether to show a message in its present state.
        look: Messages of a page that is read again.
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
        """The state of each message by its id, ascending, and until when it is read again."""
        self._looked = 0
        """The highest id that the present round of reading has come to."""

    def seen(self, messages: Sequence[Message], now: float) -> None:
        """Notes messages that were shown already."""
        for message in messages:
            self._note(message, now)
        while len(self._watched) > MOST_WATCHED:
            del self._watched[next(iter(self._watched))]

    def take(self, messages: Sequence[Message], now: float) -> list[Message]:
        """Returns the messages to show of a page of those after `last`."""
        for message in messages:
            self.last = max(self.last, message["id"])
        new = [message for message in messages if message["id"] not in self._watched]
        self.seen(messages, now)
        return [message for message in new if self._wanted(message)]

    def next_poll(self, now: float) -> int | None:
        """Returns the id after which to read a page of `look`, or None while nothing can change."""
        for number, (_, until) in list(self._watched.items()):
            if until < now:
                del self._watched[number]
        later = (number for number in self._watched if number > self._looked)
        first = next(later, None) or next(iter(self._watched), None)
        return None if first is None else first - 1

    def changed(self, after: int, page: Sequence[Message], now: float) -> list[Message]:
        """Returns the messages of a page of `next_poll` whose state has changed."""
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

"""Which of the events of messages `--follow` shows, after what it has shown already. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from phonegate.model.bounds import MAX_PAGE
from phonegate.model.states import may_become

Message = Mapping[str, Any]

MOST_REMEMBERED: Final = 100_000
"""Messages of pages whose states are remembered until the events before them are through. Of more,
the oldest may be shown once more."""


class Following:
    """Decides which changes of messages are new beside the pages of messages that were shown.

    A page is read while things happen: some of the events that come after it are older than it.
    They are left out, up to an id that was asked for after the page.
    """

    def __init__(self) -> None:
        self.last = 0
        """The highest id of a message so far."""
        self._shown: dict[int, Message] = {}
        self._until = 0

    def shown(self, messages: Iterable[Message]) -> None:
        """Notes messages of a page that were shown."""
        for message in messages:
            self.last = max(self.last, message["id"])
            self._shown[message["id"]] = _brief(message)
        while len(self._shown) > MOST_REMEMBERED:
            del self._shown[next(iter(self._shown))]

    def read(self, upto: int) -> None:
        """Notes that no event after the id `upto` is older than the pages shown."""
        self._until = upto

    def news(self, events: Iterable[Mapping[str, Any]]) -> list[Message]:
        """Returns the messages to look at of events that come after the pages, in their order."""
        found = []
        for event in events:
            message = event.get("data", {}).get("message")
            if message is None:
                continue
            if event["id"] > self._until:
                self._shown.clear()
            self.last = max(self.last, message["id"])
            shown = self._shown.get(message["id"])
            if shown is None or not _is_past(message, shown):
                found.append(message)
        return found


def spans(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yields the first and the last of the ids that one page of messages can hold."""
    left = sorted(set(numbers))
    while left:
        first = left[0]
        held = [number for number in left if number < first + MAX_PAGE]
        yield first, held[-1]
        left = left[len(held) :]


def same_state(message: Message, other: Message) -> bool:
    """Tells whether a message is in the same state in both."""
    return _brief(message) == _brief(other)


def _brief(message: Message) -> Message:
    held = message.get("waiting_for") == "approval"
    return {"status": message["status"], "held": held}


def _is_past(message: Message, shown: Message) -> bool:
    """Tells whether a message was in a state before the one that was shown, or in that one."""
    now = _brief(message)
    if now["status"] == shown["status"]:
        return now["held"] or not shown["held"]
    return may_become(now["status"], shown["status"])

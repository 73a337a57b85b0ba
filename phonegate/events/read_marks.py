"""Read marks for the live pages of an org: what is read in one of them is read in all.

Read marks are no events: an app has none, and a page that missed some reads its list again.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import attrs
import trio

from phonegate.domain.message_access import may_see
from phonegate.model.facts import ConversationRead, Fact
from phonegate.model.principal import Principal

MOST_WAITING: Final = 100
"""Marks that wait for one reader. One that has more has to read its list again."""


@attrs.define(eq=False)
class MarkFollower:
    """One reader who waits for the read marks of its org."""

    reader: Principal
    _waiting: dict[str | None, ConversationRead] = attrs.field(factory=dict)
    _bell: trio.Event = attrs.field(factory=trio.Event)

    def add(self, mark: ConversationRead) -> None:
        """Adds a mark that the reader may know of. A later one of a conversation replaces it."""
        if mark.address is not None and not may_see(self.reader, mark.address):
            return
        if mark.address is None or len(self._waiting) >= MOST_WAITING:
            self._waiting.clear()
            mark = ConversationRead(org=mark.org, address=None, upto=mark.upto)
        if None not in self._waiting:
            self._waiting[mark.address] = mark
        self._bell.set()

    async def take(self) -> Sequence[ConversationRead]:
        """Waits for marks, and returns them."""
        await self._bell.wait()
        found = list(self._waiting.values())
        self._waiting.clear()
        self._bell = trio.Event()
        return found


class ReadMarks:
    """The readers of all orgs who wait for read marks. `note` subscribes to the bus."""

    def __init__(self) -> None:
        self._followers: dict[int, list[MarkFollower]] = {}

    def note(self, facts: Sequence[Fact]) -> None:
        """Passes marks on that have moved."""
        for fact in facts:
            if type(fact) is ConversationRead:
                for follower in self._followers.get(fact.org, ()):
                    follower.add(fact)

    @contextmanager
    def follow(self, reader: Principal) -> Iterator[MarkFollower]:
        """Follows the read marks of the reader's org."""
        follower = MarkFollower(reader)
        mine = self._followers.setdefault(reader.org, [])
        mine.append(follower)
        try:
            yield follower
        finally:
            mine.remove(follower)
            if not mine:
                self._followers.pop(reader.org, None)

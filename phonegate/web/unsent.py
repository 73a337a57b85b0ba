"""The memory of answers that have not left yet, all together bounded, with a part for each owner.

An answer leaves in a moment, or its client doesn't read. Who has its part on the way already gets
no more to read: what has stood for long is given up, and until then the next is refused. Small
answers, such as those to a send, are not counted, so that no reader holds up who sends.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

import attrs
import trio

from phonegate.domain.errors import Busy
from phonegate.web.bodies import Owner

LARGE_BYTES: Final = 16_384
"""What an answer has at least that is counted. Below it the kernel takes most of it at once."""

PART: Final = 4
"""An owner may have one in so many of all bytes on their way."""

PATIENCE_S: Final = 10.0
"""How long an answer may stand in the way of others: a page leaves in that at 100 kB/s."""

UNREAD: Final = "Answers to earlier requests have not been read yet. Read them, then ask again."


@attrs.define(eq=False)
class Leaving:
    """An answer on its way. `scope` is that in which it is sent now."""

    owner: Owner
    size: int
    since: float
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    given_up: bool = False


class Unsent:
    """All large answers on their way.

    Args:
        most: Bytes that all of them may take together. 0 is no limit.
        on_refuse: Called for each that is given up, and each request that is refused.
    """

    def __init__(self, most: int = 0, on_refuse: Callable[[], None] = lambda: None) -> None:
        self._most = most
        self._on_refuse = on_refuse
        self._leaving: dict[Owner, dict[Leaving, None]] = {}
        """Of each owner. The one longest on its way is first."""
        self._totals: dict[Owner, int] = {}
        self.bytes = 0
        """What all of them take."""

    def leaving(self, owner: Owner, size: int) -> AbstractContextManager[Leaving] | None:
        """Counts an answer while it is sent, and ends that early if it is given up.

        None for a small one, which is not counted.
        """
        one = self.enter(owner, size)
        return None if one is None else self._in_scope(one)

    @contextmanager
    def _in_scope(self, one: Leaving) -> Iterator[Leaving]:
        try:
            with one.scope:
                yield one
        finally:
            self.leave(one)

    def enter(self, owner: Owner, size: int) -> Leaving | None:
        """Counts an answer until `leave`, for what is sent in several steps. None as above."""
        if size < LARGE_BYTES:
            return None
        one = Leaving(owner, size, trio.current_time())
        self._leaving.setdefault(owner, {})[one] = None
        self._totals[owner] = self._totals.get(owner, 0) + size
        self.bytes += size
        return one

    def leave(self, one: Leaving) -> None:
        """Counts an answer no more."""
        owner = one.owner
        del self._leaving[owner][one]
        self._totals[owner] -= one.size
        self.bytes -= one.size
        if not self._leaving[owner]:
            del self._leaving[owner], self._totals[owner]

    def require_room(self, owner: Owner) -> None:
        """Makes sure that there is room for an answer of an owner.

        Raises:
            Busy: what it was answered before has not left.
        """
        if not self._most:
            return
        mine = self._totals.get(owner, 0)
        if mine >= self._most // PART:
            self._give_up(owner, PATIENCE_S)
        elif self.bytes >= self._most:
            greatest = max(self._totals, key=self._totals.__getitem__)
            # An owner that has less than others is not kept from reading by them.
            self._give_up(greatest, 0.0 if mine < self._totals[greatest] else PATIENCE_S)

    def _give_up(self, owner: Owner, patience_s: float) -> None:
        """Gives up what has stood for so long.

        Raises:
            Busy: nothing has.
        """
        self._on_refuse()
        now = trio.current_time()
        for one in self._leaving[owner]:
            if not one.given_up and now - one.since >= patience_s:
                one.given_up = True
                one.scope.cancel()
                return
        raise Busy(UNREAD)

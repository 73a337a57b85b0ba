"""The memory of answers that have not left yet, all together bounded, with a part for each reader.

An answer leaves in a moment, unless its client doesn't read. A reader that has its part on the way
already gets no more: one of its answers is given up if nothing of it was taken for long, and until
then its next requests are refused. A reader that takes something goes on, however slowly. Each
credential of an org has a part of its own in that of the org, so that a key whose holder doesn't
read takes nothing from the others. Small answers, such as those to a send, are neither counted nor
refused.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import chain
from typing import Final, NamedTuple

import attrs
import trio

from phonegate.api.body_budget import Owner
from phonegate.model.refusals import Busy

LARGE_BYTES: Final = 16_384
"""The size from which answers are counted. The kernel takes most of a smaller one at once."""

PART: Final = 4
"""The part of all bytes on their way that an owner may have: one in so many."""

READER_PART: Final = 2
"""The part of its owner's bytes that a credential, or an address, may have: one in so many."""

PATIENCE_S: Final = 10.0
"""Seconds that an answer of which nothing is taken may stand in the way of others. Pieces of 64 KiB
count as taken, so that a client which reads at 6.5 kB/s is never given up."""

UNREAD: Final = "Answers to earlier requests have not been read yet. Read them, then ask again."


class Reader(NamedTuple):
    """The reader of an answer: an org or a network, and an API key of the org.

    The key is empty for the org's secret.
    """

    owner: Owner
    key: str = ""


ANYBODY: Final = Reader("")
"""The reader of an answer to an unknown client."""


@attrs.define(eq=False)
class UnsentAnswer:
    """An answer on its way. `scope` is that in which it is sent now."""

    reader: Reader
    size: int
    moved_at: float
    """When its client last took some of it."""
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    given_up: bool = False

    def moved(self) -> None:
        """Notes that the client has taken some of it."""
        self.moved_at = trio.current_time()


@attrs.define
class _Held:
    """The answers that a reader has on their way."""

    bytes: int = 0
    leaving: dict[UnsentAnswer, None] = attrs.field(factory=dict)


class AnswerBudget:
    """All large answers on their way.

    Args:
        most: Bytes that all of them may take together. 0 is no limit.
        on_refuse: Called for each that is given up, and each request that is refused.
        patience_s: See `PATIENCE_S`.
    """

    def __init__(
        self,
        most: int = 0,
        on_refuse: Callable[[], None] = lambda: None,
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._patience_s = patience_s
        self._most = most
        self._on_refuse = on_refuse
        self._held: dict[Owner, dict[Reader, _Held]] = {}
        self._totals: dict[Owner, int] = {}
        self.bytes = 0
        """What all of them take."""

    def hold(self, reader: Reader, size: int) -> AbstractContextManager[UnsentAnswer] | None:
        """Counts an answer while it is sent.

        Returns:
            A context in which to send it, which is cancelled if the answer is given up. `None`
            for a small one, which is not counted.
        """
        one = self.enter(reader, size)
        return None if one is None else self._in_scope(one)

    @contextmanager
    def _in_scope(self, one: UnsentAnswer) -> Iterator[UnsentAnswer]:
        try:
            with one.scope:
                yield one
        finally:
            self.leave(one)

    def enter(self, reader: Reader, size: int) -> UnsentAnswer | None:
        """Counts an answer until `leave`. Returns `None` for a small one, as `hold` does."""
        if size < LARGE_BYTES:
            return None
        one = UnsentAnswer(reader, size, trio.current_time())
        held = self._held.setdefault(reader.owner, {}).setdefault(reader, _Held())
        held.leaving[one] = None
        held.bytes += size
        self._totals[reader.owner] = self._totals.get(reader.owner, 0) + size
        self.bytes += size
        return one

    def leave(self, one: UnsentAnswer) -> None:
        """Counts an answer no more."""
        owner = one.reader.owner
        readers = self._held[owner]
        held = readers[one.reader]
        del held.leaving[one]
        held.bytes -= one.size
        self._totals[owner] -= one.size
        self.bytes -= one.size
        if not held.leaving:
            del readers[one.reader]
        if not readers:
            del self._held[owner], self._totals[owner]

    def require_room(self, reader: Reader, size: int) -> None:
        """Makes room for an answer to a reader. For a small one there always is.

        Raises:
            Busy: What was answered before has not left.
        """
        if not self._most or size < LARGE_BYTES:
            return
        owner = reader.owner
        readers = self._held.get(owner, {})
        held = readers.get(reader)
        mine = 0 if held is None else held.bytes
        ours = self._totals.get(owner, 0)
        part = self._most // PART
        if held is not None and mine >= part // READER_PART:
            self._make_room(held.leaving, ())
        elif readers and ours >= part:
            greatest = max(readers.values(), key=lambda one: one.bytes)
            # A reader that has less than others is not kept from reading by them.
            others = greatest.leaving if mine < greatest.bytes else ()
            self._make_room(_all(readers), others)
        elif self.bytes >= self._most:
            most = max(self._totals, key=self._totals.__getitem__)
            greatest = max(self._held[most].values(), key=lambda one: one.bytes)
            others = greatest.leaving if ours < self._totals[most] else ()
            self._make_room(chain.from_iterable(map(_all, self._held.values())), others)

    def _make_room(self, stalled: Iterable[UnsentAnswer], yielding: Iterable[UnsentAnswer]) -> None:
        """Gives up one of the first that has not moved for long, or else one of the second.

        Raises:
            Busy: There is none.
        """
        self._on_refuse()
        found = _longest_still(stalled)
        if found is None or trio.current_time() - found.moved_at < self._patience_s:
            found = _longest_still(yielding)
        if found is None:
            raise Busy(UNREAD)
        found.given_up = True
        found.scope.cancel()


def _all(readers: dict[Reader, _Held]) -> Iterator[UnsentAnswer]:
    return chain.from_iterable(held.leaving for held in readers.values())


def _longest_still(answers: Iterable[UnsentAnswer]) -> UnsentAnswer | None:
    waiting = (one for one in answers if not one.given_up)
    return min(waiting, key=lambda one: one.moved_at, default=None)

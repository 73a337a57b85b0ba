"""Waiting for what becomes of messages, without asking the database again and again.

Each change of a message is published once it is committed. Who waits for it is found by the org,
and only then is a message read. A thousand waits for which nothing happens read nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Literal

import attrs
import trio

from phonegate.domain.message_access import find, may_see, views
from phonegate.model.facts import Changed, CredentialsChanged, Fact
from phonegate.model.messages import MessageView, PageQuery
from phonegate.model.principal import Principal
from phonegate.model.refusals import NotFound, Throttled
from phonegate.model.states import FINAL_STATES, RECEIVED, SENT, UNCERTAIN
from phonegate.store.database import Database

PER_HOLDER: Final = 20
"""Waits of one credential at a time: an agent has one, a program for several people some more.
Each of them holds a connection."""

PER_ORG: Final = 200
"""Waits of one org at a time. Each change of a message is compared with all of them."""

RETRY_S: Final = 5
"""When to come again if there are too many: a wait ends within half a minute."""

Milestone = Literal["sent", "delivered"]
"""How far a message must have come. Each includes that it can't be expected to come so far."""

_ENDED: Final = FINAL_STATES | {UNCERTAIN, RECEIVED}
"""An uncertain message may still be reported as sent, but no one can say when."""

REACHED: Final[Mapping[Milestone, frozenset[str]]] = {"sent": _ENDED | {SENT}, "delivered": _ENDED}
"""The states in which a message has come so far, or has ended otherwise."""


@attrs.define(eq=False)
class _Watch:
    reader: Principal
    wants: Callable[[Changed], bool]
    rung: trio.Event = attrs.field(factory=trio.Event)
    ended: bool = False
    """Whether its reader would not be let in any more."""


class Waits:
    """The waits for a received message, or for the outcome of a sent one.

    `ring` subscribes to the bus.
    """

    def __init__(
        self,
        database: Database,
        *,
        is_current: Callable[[Principal], bool],
        per_holder: int = PER_HOLDER,
        per_org: int = PER_ORG,
    ) -> None:
        """Begins without any.

        Args:
            database: Where messages are.
            is_current: Tells whether a principal would still be let in.
            per_holder: Waits of one credential at a time.
            per_org: Waits of one org at a time.
        """
        self._database = database
        self._is_current = is_current
        self._per_holder = per_holder
        self._per_org = per_org
        self._watches: dict[int, set[_Watch]] = {}
        self._closed = False

    def __len__(self) -> int:
        return sum(map(len, self._watches.values()))

    def ring(self, facts: Sequence[Fact]) -> None:
        """Wakes the waits for one of the changes, and those of readers that are shut out."""
        if not self._watches:
            return
        for fact in facts:
            if type(fact) is Changed:
                for watch in self._watches.get(fact.org, ()):
                    if watch.wants(fact):
                        watch.rung.set()
            elif type(fact) is CredentialsChanged:
                for watch in self._watches.get(fact.org, ()):
                    if not self._is_current(watch.reader):
                        watch.ended = True
                        watch.rung.set()

    def close(self) -> None:
        """Ends every wait now, and those to come at once."""
        self._closed = True
        for watches in self._watches.values():
            for watch in watches:
                watch.rung.set()

    async def newest(self, reader: Principal) -> int:
        """Returns the id of the newest message that the reader sees, 0 where there is none."""
        query = PageQuery(limit=1)
        found = await self._database.read(lambda tx: views(tx, reader, query))
        return found[0].id if found else 0

    async def reply(
        self, reader: Principal, *, address: str | None, since_id: int, seconds: float
    ) -> MessageView | None:
        """Returns the first message received after an id that the reader may see.

        It is None if none came in time, or the reader was shut out.

        Args:
            reader: Who waits. The waits of each credential are counted.
            address: Who must have sent it; None: anybody.
            since_id: Messages up to this id don't count.
            seconds: How long to wait where there is none yet.

        Raises:
            Throttled: Too many waits of this credential, or of this org.
            StoreError: The database can't be asked.
        """
        query = PageQuery(limit=1, since_id=since_id, direction="in", address=address)

        def wants(fact: Changed) -> bool:
            return (
                fact.after == RECEIVED
                and fact.id > since_id
                and fact.message is not None
                and address in {None, fact.message.address}
                and may_see(reader, fact.message.address)
            )

        with self._watching(reader.org, _Watch(reader, wants)) as watch:
            deadline = trio.current_time() + seconds
            # Watching begins before the look, so that nothing comes unseen between the two.
            while True:
                found = await self._database.read(lambda tx: views(tx, reader, query))
                if found or self._closed or watch.ended:
                    return found[0] if found else None
                with trio.move_on_at(deadline) as scope:
                    await watch.rung.wait()
                if scope.cancelled_caught:
                    return None
                watch.rung = trio.Event()

    async def outcome(
        self, reader: Principal, message_id: int, *, until: Milestone, seconds: float
    ) -> bool:
        """Tells whether a message has come so far, or has ended otherwise, before the time is over.

        It has not where the reader was shut out before.

        Args:
            reader: Who waits. The waits of each credential are counted.
            message_id: The message.
            until: How far it must have come.
            seconds: How long to wait where it has not yet.

        Raises:
            NotFound: The reader sees no such message.
            Throttled: Too many waits of this credential, or of this org.
            StoreError: The database can't be asked.
        """
        # One that is deleted meanwhile comes no further.
        enough = {*REACHED[until], None}

        def wants(fact: Changed) -> bool:
            return fact.id == message_id and fact.after in enough

        with self._watching(reader.org, _Watch(reader, wants)) as watch:
            found = await self._database.read(lambda tx: find(tx, reader, message_id))
            if found is None:
                raise NotFound(f"No message {message_id} in this org.")
            if found.status in enough:
                return True
            if not self._closed:
                with trio.move_on_after(seconds):
                    await watch.rung.wait()
            return watch.rung.is_set() and not (self._closed or watch.ended)

    @contextmanager
    def _watching(self, org: int, watch: _Watch) -> Iterator[_Watch]:
        watches = self._watches.setdefault(org, set())
        try:
            if len(watches) >= self._per_org:
                raise Throttled(
                    f"{len(watches)} calls of this org wait already, the most it may. "
                    f"Try again in {RETRY_S} s.",
                    RETRY_S,
                )
            mine = sum(other.reader.key_id == watch.reader.key_id for other in watches)
            if mine >= self._per_holder:
                raise Throttled(
                    f"{mine} calls with this key wait already, the most it may. "
                    f"Try again in {RETRY_S} s.",
                    RETRY_S,
                )
            watches.add(watch)
            yield watch
        finally:
            watches.discard(watch)
            if not watches and self._watches.get(org) is watches:
                del self._watches[org]

"""Waiting for a message to be received, without asking the database again and again.

Each received message is published once it is committed. Who waits is found by the org and the
address, and only then is a message read. A thousand waits in which nothing comes read nothing.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import attrs
import trio

from phonegate.domain.message_access import may_see, views
from phonegate.model.facts import Changed, Fact
from phonegate.model.messages import MessageView, PageQuery
from phonegate.model.principal import Principal
from phonegate.model.refusals import Throttled
from phonegate.model.states import RECEIVED
from phonegate.store.database import Database

PER_HOLDER: Final = 20
"""Waits of one credential at a time: an agent has one, a program for several people some more.
Each of them holds a connection."""

PER_ORG: Final = 200
"""Waits of one org at a time. Each message that comes is compared with all of them."""

RETRY_S: Final = 5
"""When to come again if there are too many: a wait ends within half a minute."""


@attrs.define(eq=False)
class _Watch:
    reader: Principal
    address: str | None
    since_id: int
    rung: trio.Event = attrs.field(factory=trio.Event)


class Arrivals:
    """The waits for a message. `ring` subscribes to the bus."""

    def __init__(
        self, database: Database, *, per_holder: int = PER_HOLDER, per_org: int = PER_ORG
    ) -> None:
        self._database = database
        self._per_holder = per_holder
        self._per_org = per_org
        self._watches: dict[int, set[_Watch]] = {}
        self._closed = False

    def __len__(self) -> int:
        return sum(map(len, self._watches.values()))

    def ring(self, facts: Sequence[Fact]) -> None:
        """Wakes the waits for one of the messages that were received."""
        for fact in facts:
            if type(fact) is not Changed or fact.after != RECEIVED or fact.message is None:
                continue
            address = fact.message.address
            for watch in self._watches.get(fact.org, ()):
                if (
                    watch.address in {None, address}
                    and fact.id > watch.since_id
                    and may_see(watch.reader, address)
                ):
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

    async def wait(
        self, reader: Principal, *, address: str | None, since_id: int, seconds: float
    ) -> MessageView | None:
        """Returns the first message after an id that the reader may see. None if none came in time.

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
        with self._watching(reader.org, _Watch(reader, address, since_id)) as watch:
            deadline = trio.current_time() + seconds
            # Watching begins before the look, so that nothing comes unseen between the two.
            while True:
                found = await self._database.read(lambda tx: views(tx, reader, query))
                if found or self._closed:
                    return found[0] if found else None
                with trio.move_on_at(deadline) as scope:
                    await watch.rung.wait()
                if scope.cancelled_caught:
                    return None
                watch.rung = trio.Event()

    @contextmanager
    def _watching(self, org: int, watch: _Watch) -> Iterator[_Watch]:
        watches = self._watches.setdefault(org, set())
        try:
            if len(watches) >= self._per_org:
                raise Throttled(
                    f"{len(watches)} calls of this org wait for a reply already, the most it may. "
                    f"Try again in {RETRY_S} s.",
                    RETRY_S,
                )
            mine = sum(other.reader.key_id == watch.reader.key_id for other in watches)
            if mine >= self._per_holder:
                raise Throttled(
                    f"{mine} calls with this key wait for a reply already, the most it may. "
                    f"Try again in {RETRY_S} s.",
                    RETRY_S,
                )
            watches.add(watch)
            yield watch
        finally:
            watches.discard(watch)
            if not watches and self._watches.get(org) is watches:
                del self._watches[org]

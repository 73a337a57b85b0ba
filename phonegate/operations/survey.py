"""Takes samples of a gateway, from what its parts count by themselves and what the store holds."""

from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol

import attrs
import trio

from phonegate.domain.experience import Experience
from phonegate.domain.guard import Guard
from phonegate.domain.reported import Kind
from phonegate.operations.lag import Lag
from phonegate.operations.sample import Sample
from phonegate.phones.link import PhoneLink
from phonegate.phones.switchboard import Switchboard
from phonegate.store.database import Database
from phonegate.store.errors import StorageUnavailable
from phonegate.store.records import Backlog
from phonegate.store.tables import Tables
from phonegate.web.requests import Requests

DEADLINE_S: Final = 8.0
"""Prometheus gives up after ten seconds by default; an answer that says why is worth more."""


class Entrance(Protocol):
    """The door, as far as it is counted; `door.Door` is one."""

    @property
    def connections(self) -> int:
        """Connections open now."""

    @property
    def refused(self) -> int:
        """Connections turned away because there were too many."""


@attrs.frozen(kw_only=True)
class Survey:
    """Everything that is looked at. Nothing of it is changed."""

    database: Database
    switchboard: Switchboard
    requests: Requests
    guard: Guard
    cleaned: Counter[Kind]
    experience: Experience
    link: PhoneLink
    door: Callable[[], Entrance]
    lag: Lag
    now_ms: Callable[[], int]
    began: float
    """When the gateway started, in trio's time."""
    version: str

    async def sample(self) -> Sample:
        """The gateway as it is now; reads the queue, one transaction of the store.

        Raises:
            StorageUnavailable: the database can't be read, or not in time.
            StoreClosed: the gateway goes down.
        """
        with trio.move_on_after(DEADLINE_S):
            return await self._sample()
        raise StorageUnavailable("reading took too long")

    async def _sample(self) -> Sample:
        def look(tx: Tables) -> tuple[dict[str, int], Backlog]:
            return tx.messages.count_by_status(), tx.messages.backlog()

        messages, backlog = await self.database.read(look)
        space = await self.database.space()
        serves, door = self.switchboard.serves, self.door()
        return Sample(
            at=self.now_ms(),
            up_s=trio.current_time() - self.began,
            version=self.version,
            phones=self.switchboard.online_by_org(),
            messages=messages,
            writer=self.database.statistics(),
            space=space,
            backlog=backlog,
            away=frozenset(
                lane
                for lane in backlog.lanes
                if lane.assistant is None and not serves(lane.org, lane.phone, lane.wish)
            ),
            connections=door.connections,
            refused_connections=door.refused,
            refused_phones=self.link.refused,
            cleaned=self.cleaned.copy(),
            limited=self.guard.refused.copy(),
            requests=self.requests.statuses.copy(),
            seconds={route: one.copy() for route, one in self.requests.seconds.items()},
            carriers=self.experience.outcomes.copy(),
            failing=self.experience.failures.copy(),
            lag_s=self.lag.worst_s,
            tasks=trio.lowlevel.current_statistics().tasks_living,
        )

"""Alarms: what an operator should look at, told once when it begins and once when it is over.

Pure. A look at the gateway gives `Signal`s; `Alarms.heed` says which of them are news. A signal
that swings about its threshold raises one alarm, not one a minute: it is over only when it has
been well for a while, and well is some way from where it was bad.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any, Final

import attrs

CALM_S: Final = 60.0
"""An alarm is over when all has been well for so long: a phone that comes and goes every few
seconds is one trouble, and not a hundred."""

ENOUGH_ROOM: Final = 1.1
"""Times the threshold: as much free space has to be there again before it counts as enough."""

Key = tuple[str, str]
"""An alarm's name, and whom or what it is about; empty where that is the gateway."""


@attrs.frozen
class Signal:
    """How one thing is now. Neither bad nor well leaves everything as it was."""

    key: Key
    bad: bool
    well: bool
    fields: Mapping[str, Any] = attrs.field(factory=dict)
    """What the log line tells beside it."""


@attrs.frozen
class News:
    """An alarm that begins, or one that is over."""

    key: Key
    begins: bool
    fields: Mapping[str, Any]


@attrs.frozen(kw_only=True)
class AlarmThresholds:
    """Thresholds (`[alarms]` in the configuration); one of 0 watches nothing."""

    phone_away_s: float = 0
    queue_age_s: float = 0
    disk_low_bytes: int = 0
    database_bytes: int = 0
    log_bytes: int = 0
    carrier_failures: int = 0


@attrs.frozen(kw_only=True)
class Waiting:
    """What of an org waits in one of its queues. Times in seconds of the wall clock."""

    org: str
    count: int
    since: float
    away: bool
    """Whether no phone that could send it is connected."""
    queue: Hashable = None
    """Tells the queues of an org apart."""


@attrs.frozen(kw_only=True)
class State:
    """What the alarms are about, at one time."""

    now: float
    """Seconds of the wall clock, which may jump."""
    up_s: float
    """Seconds of a clock that never does."""
    waiting: tuple[Waiting, ...] = ()
    free_bytes: int = 1 << 62
    database_bytes: int = 0
    log_bytes: int = 0
    in_place: bool = True
    """Whether the database's file is where it was opened."""
    carrier_failures: Mapping[int, int] = attrs.field(factory=dict)
    """Sends in a row that were not answered, by assistant."""


class Alarms:
    """Remembers which alarms are on."""

    def __init__(self, limits: AlarmThresholds) -> None:
        self.limits = limits
        """The thresholds, which may be changed at any time."""
        self._well_since: dict[Key, float | None] = {}
        """Of the alarms that are on: since when all is well again."""
        self._away_since: dict[Hashable, float] = {}
        self._turn_since: dict[Hashable, float] = {}
        """Of each queue: since when it is seen to wait for what is away, or for its turn."""

    @property
    def on(self) -> list[Key]:
        """The alarms that are on, the longest first."""
        return list(self._well_since)

    def look(self, state: State) -> list[News]:
        """What is news about the gateway as it is in this state."""
        return self.heed(self.signals(state), state.up_s)

    def heed(self, signals: Iterable[Signal], now: float) -> list[News]:
        """What is news in these signals; an alarm whose signal is missing is well.

        `now` is in seconds of a clock that never jumps.
        """
        news = []
        seen = set()
        for signal in signals:
            key = signal.key
            if not signal.well:
                seen.add(key)
            if signal.bad and key not in self._well_since:
                self._well_since[key] = None
                news.append(News(key, True, signal.fields))
        for key, since in list(self._well_since.items()):
            if key in seen:
                self._well_since[key] = None
            elif since is None:
                self._well_since[key] = now
            elif now - since >= CALM_S:
                del self._well_since[key]
                news.append(News(key, False, {}))
        return news

    def signals(self, state: State) -> Iterator[Signal]:
        """How everything that is watched is now."""
        limits = self.limits
        yield from self._of_queues(state)
        yield Signal(("database_gone", ""), not state.in_place, state.in_place)
        if limits.disk_low_bytes:
            yield Signal(
                ("disk_low", ""),
                state.free_bytes < limits.disk_low_bytes,
                state.free_bytes >= limits.disk_low_bytes * ENOUGH_ROOM,
                {"free_bytes": state.free_bytes},
            )
        if limits.database_bytes:
            yield Signal(
                ("database_large", ""),
                state.database_bytes >= limits.database_bytes,
                state.database_bytes < limits.database_bytes,
                {"bytes": state.database_bytes},
            )
        if limits.log_bytes:
            yield Signal(
                ("log_large", ""),
                state.log_bytes >= limits.log_bytes,
                state.log_bytes < limits.log_bytes / 2,
                {"bytes": state.log_bytes},
            )
        if limits.carrier_failures:
            for assistant, count in state.carrier_failures.items():
                yield Signal(
                    ("carrier_failing", str(assistant)),
                    count >= limits.carrier_failures,
                    False,
                    {"assistant": assistant, "failures": count},
                )

    def _of_queues(self, state: State) -> Iterator[Signal]:
        limits = self.limits
        self._see(state)
        away: dict[str, list[Waiting]] = {}
        turn: dict[str, list[Waiting]] = {}
        for one in state.waiting:
            (away if one.away else turn).setdefault(one.org, []).append(one)
        for name, limit, groups, seen in (
            ("phone_away", limits.phone_away_s, away, self._away_since),
            ("queue_ageing", limits.queue_age_s, turn, self._turn_since),
        ):
            if not limit:
                continue
            for org, lanes in groups.items():
                # By both clocks: messages may be older than their queue is seen to wait for
                # this, as when their phone comes back or the gateway does, or the clock jumps.
                waited = max(
                    min(state.now - lane.since, state.up_s - seen[org, lane.queue])
                    for lane in lanes
                )
                fields = {
                    "org": org,
                    "messages": sum(lane.count for lane in lanes),
                    "waited_s": round(waited),
                }
                well = name == "queue_ageing" and waited < limit / 2
                yield Signal((name, org), waited >= limit, well, fields)

    def _see(self, state: State) -> None:
        """Notes since when each queue waits for what it waits for now.

        Who is away for less than `CALM_S` counts as never gone: a phone that comes and goes and
        sends nothing would otherwise age no queue.
        """
        away, turn = self._away_since, self._turn_since
        self._away_since, self._turn_since = {}, {}
        for one in state.waiting:
            key, now = (one.org, one.queue), state.up_s
            if one.away:
                left = self._away_since[key] = away.get(key, now)
                if key in turn and now - left < CALM_S:
                    self._turn_since[key] = turn[key]
            else:
                self._turn_since[key] = turn.get(key, now)

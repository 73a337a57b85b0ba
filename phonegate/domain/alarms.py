"""Alarms: what an operator should look at, reported once when it begins and once when it is over.

Pure. A snapshot of the gateway gives `Signal`s, and `Alarms.heed` returns those that are news. A
signal that swings about its threshold raises one alarm, not one a minute: an alarm is over only
when all has been well for a while, and "well" is some way from the threshold.
"""

import math
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any, Final

import attrs

CALM_S: Final = 30.0
"""An alarm is over when all has been well for this time. A phone that connects and disconnects
every few seconds is one problem, not a hundred. Half a minute leaves time to report the end of the
alarm within a minute."""

BLINK_S: Final = 60.0
"""A phone that was away for less has not let its queue rest: it may come and go for ever."""

DAY_S: Final = 24 * 60 * 60

ENOUGH_ROOM: Final = 1.1
"""The free space counts as enough again at the threshold times this factor."""

FOR_ORGS: Final = frozenset({"phone_hint", "webhook_disabled"})
"""The alarms that stay on until the owner of an org does something, while the gateway is well."""

Key = tuple[str, str]
"""An alarm's name, and what it is about. The second part is empty where that is the gateway."""


@attrs.frozen
class Signal:
    """The present state of one thing. One that is neither bad nor well changes nothing."""

    key: Key
    bad: bool
    well: bool
    fields: Mapping[str, Any] = attrs.field(factory=dict)
    """The fields that the log line has besides."""
    org: str | None = None
    """The org that it is about. None where it concerns the operator alone."""
    age_s: float = 0.0
    """For how long it has been so already."""


@attrs.frozen
class News:
    """An alarm that begins, or one that is over."""

    key: Key
    begins: bool
    fields: Mapping[str, Any]
    """As they were last while it was on."""
    org: str | None = None
    """The org that it is about. None where it concerns the operator alone."""
    since: float = 0.0
    """When that which it is about began, in seconds of the wall clock."""
    lasted_s: float = 0.0
    """How long it lasted, if it is over."""


@attrs.define
class _Raised:
    """An alarm that is on. Times ending in `at` are seconds of a monotonic clock."""

    signal: Signal
    since: float
    began_at: float
    well_at: float | None = None
    """Since when all is well again."""

    def news(self, *, begins: bool) -> News:
        ended = self.began_at if begins or self.well_at is None else self.well_at
        return News(
            self.signal.key,
            begins,
            self.signal.fields,
            self.signal.org,
            self.since,
            ended - self.began_at,
        )


@attrs.frozen(kw_only=True)
class AlarmThresholds:
    """Thresholds (`[alarms]` in the configuration). A threshold of 0 disables its alarm."""

    phone_away_s: float = 0
    queue_age_s: float = 0
    disk_low_bytes: int = 0
    database_bytes: int = 0
    log_bytes: int = 0
    carrier_failures: int = 0
    certificate_days: float = 0


@attrs.frozen(kw_only=True)
class WaitingMessages:
    """The messages of an org that wait in one of its queues. Times: seconds of the wall clock."""

    org: str
    count: int
    since: float
    away: bool
    """Whether no phone that could send them is connected."""
    queue: Hashable = None
    """Tells the queues of an org apart."""


@attrs.frozen(kw_only=True)
class HintedPhone:
    """A phone that its owner should do something for."""

    phone: int
    org: str
    hint: str
    """What to do, in a sentence."""


@attrs.frozen(kw_only=True)
class DeadWebhook:
    """A webhook that is called no more, since its calls have failed for too long."""

    webhook: int
    org: str
    reason: str
    """Why, in a sentence."""
    since: float
    """When the calls ended, in seconds of the wall clock."""


@attrs.frozen(kw_only=True)
class GatewayHealth:
    """What alarms are raised about, as it is at one time."""

    now: float
    """Seconds of the wall clock, which may jump."""
    up_s: float
    """Seconds of a clock that never does."""
    waiting: tuple[WaitingMessages, ...] = ()
    free_bytes: int = 1 << 62
    database_bytes: int = 0
    log_bytes: int = 0
    in_place: bool = True
    """Whether the database's file is where it was opened."""
    carrier_failures: Mapping[int, int] = attrs.field(factory=dict)
    """The number of successive sends that were not answered, by assistant."""
    hinted: tuple[HintedPhone, ...] = ()
    """The phones that their owners should do something for."""
    dead_webhooks: tuple[DeadWebhook, ...] = ()
    """The webhooks that are called no more."""
    certificate_s: float | None = None
    """Seconds until the certificate in use ends. None without one."""
    modem_problem: str | None = None
    """Why the modem of `[modem]` can't be used, in a sentence. None where it works, or is not."""
    mute: Mapping[str, str] = attrs.field(factory=dict)
    """The targets of `[alarms] notify` that take no notices, each with the reason."""
    assistant_orgs: Mapping[int, str] = attrs.field(factory=dict)
    """The orgs of the assistants in `carrier_failures`, by assistant."""


class Alarms:
    """Remembers which alarms are on."""

    def __init__(self, thresholds: AlarmThresholds) -> None:
        self.thresholds = thresholds
        """The thresholds, which may be changed at any time."""
        self._raised: dict[Key, _Raised] = {}
        self._away_since: dict[Hashable, float] = {}
        self._turn_since: dict[Hashable, float] = {}
        """For each queue, since when it has waited for an absent phone, or for its turn."""

    @property
    def on(self) -> list[Key]:
        """Returns the alarms that are on, the oldest first."""
        return list(self._raised)

    @property
    def trouble(self) -> str | None:
        """The oldest alarm that is on and is no advice to an org. None where there is none."""
        return next((name for name, _ in self._raised if name not in FOR_ORGS), None)

    @property
    def standing(self) -> list[News]:
        """Returns the beginnings of the alarms that are on, with what is known of them now."""
        return [one.news(begins=True) for one in self._raised.values()]

    def fields(self, key: Key) -> Mapping[str, Any] | None:
        """Returns what is known now of an alarm that is on, and None for any other."""
        raised = self._raised.get(key)
        return None if raised is None else raised.signal.fields

    def restore(self, standing: Iterable[News], now: float, wall: float) -> None:
        """Takes alarms that were on when the gateway ended. They are on until all is well.

        Args:
            standing: Their beginnings.
            now: Seconds of the monotonic clock.
            wall: Seconds of the wall clock.
        """
        for news in standing:
            signal = Signal(news.key, True, False, news.fields, news.org)
            began_at = now - max(0.0, wall - news.since)
            self._raised[news.key] = _Raised(signal, news.since, began_at)

    def look(self, health: GatewayHealth) -> list[News]:
        """Returns the alarms that begin or are over at this health of the gateway."""
        return self.heed(self.signals(health), health.up_s, health.now)

    def heed(self, signals: Iterable[Signal], now: float, wall: float = 0.0) -> list[News]:
        """Returns the alarms that begin or are over by these signals.

        An alarm whose signal is missing counts as well.

        Args:
            signals: All that there are.
            now: Seconds of a monotonic clock.
            wall: Seconds of the wall clock.
        """
        news = []
        seen = set()
        for signal in signals:
            key = signal.key
            if not signal.well:
                seen.add(key)
            raised = self._raised.get(key)
            if raised is not None and not signal.well:
                raised.signal = signal
            elif raised is None and signal.bad:
                age = signal.age_s
                raised = self._raised[key] = _Raised(signal, wall - age, now - age)
                news.append(raised.news(begins=True))
        for key, raised in list(self._raised.items()):
            if key in seen:
                raised.well_at = None
            elif raised.well_at is None:
                raised.well_at = now
            elif now - raised.well_at >= CALM_S:
                del self._raised[key]
                news.append(raised.news(begins=False))
        return news

    def signals(self, health: GatewayHealth) -> Iterator[Signal]:
        """Yields a signal for everything that is watched."""
        thresholds = self.thresholds
        yield from self._of_queues(health)
        yield Signal(("database_gone", ""), not health.in_place, health.in_place)
        if thresholds.disk_low_bytes:
            yield Signal(
                ("disk_low", ""),
                health.free_bytes < thresholds.disk_low_bytes,
                health.free_bytes >= thresholds.disk_low_bytes * ENOUGH_ROOM,
                {"free_bytes": health.free_bytes},
            )
        if thresholds.database_bytes:
            yield Signal(
                ("database_large", ""),
                health.database_bytes >= thresholds.database_bytes,
                health.database_bytes < thresholds.database_bytes,
                {"bytes": health.database_bytes},
            )
        if thresholds.log_bytes:
            yield Signal(
                ("log_large", ""),
                health.log_bytes >= thresholds.log_bytes,
                health.log_bytes < thresholds.log_bytes / 2,
                {"bytes": health.log_bytes},
            )
        if thresholds.carrier_failures:
            for assistant, count in health.carrier_failures.items():
                yield Signal(
                    ("carrier_failing", str(assistant)),
                    count >= thresholds.carrier_failures,
                    False,
                    {"assistant": assistant, "failures": count},
                    health.assistant_orgs.get(assistant),
                )
        yield from _of_parts(health)
        if thresholds.certificate_days and health.certificate_s is not None:
            days = health.certificate_s / DAY_S
            bad = days < thresholds.certificate_days
            yield Signal(("certificate_expires", ""), bad, not bad, {"days": math.floor(days)})

    def _of_queues(self, health: GatewayHealth) -> Iterator[Signal]:
        thresholds = self.thresholds
        self._see(health)
        away: dict[str, list[WaitingMessages]] = {}
        turn: dict[str, list[WaitingMessages]] = {}
        for one in health.waiting:
            (away if one.away else turn).setdefault(one.org, []).append(one)
        for name, limit, groups, seen in (
            ("phone_away", thresholds.phone_away_s, away, self._away_since),
            ("queue_ageing", thresholds.queue_age_s, turn, self._turn_since),
        ):
            if not limit:
                continue
            for org, queues in groups.items():
                # By both clocks: messages may be older than the wait of their queue, such as
                # when their phone or the gateway comes back, or when the clock jumps.
                waited = max(
                    min(health.now - queue.since, health.up_s - seen[org, queue.queue])
                    for queue in queues
                )
                fields = {
                    "org": org,
                    "messages": sum(queue.count for queue in queues),
                    "waited_s": round(waited),
                }
                well = name == "queue_ageing" and waited < limit / 2
                bad = waited >= limit
                yield Signal((name, org), bad, well, fields, org, age_s=waited)

    def _see(self, health: GatewayHealth) -> None:
        """Notes since when each queue has waited for what it waits for now.

        A phone that has been away for less than `BLINK_S` counts as never gone: one that comes and
        goes and sends nothing would otherwise age no queue.
        """
        away, turn = self._away_since, self._turn_since
        self._away_since, self._turn_since = {}, {}
        for one in health.waiting:
            key, now = (one.org, one.queue), health.up_s
            if one.away:
                left = self._away_since[key] = away.get(key, now)
                if key in turn and now - left < BLINK_S:
                    self._turn_since[key] = turn[key]
            else:
                self._turn_since[key] = turn.get(key, now)


def _of_parts(health: GatewayHealth) -> Iterator[Signal]:
    """Yields a signal for each thing that is bad as long as it is there."""
    for one in health.hinted:
        fields = {"phone": one.phone, "org": one.org, "hint": one.hint}
        yield Signal(("phone_hint", str(one.phone)), True, False, fields, one.org)
    for dead in health.dead_webhooks:
        fields = {"webhook": dead.webhook, "org": dead.org, "reason": dead.reason}
        age_s = max(0.0, health.now - dead.since)
        key = ("webhook_disabled", str(dead.webhook))
        yield Signal(key, True, False, fields, dead.org, age_s)
    if health.modem_problem is not None:
        yield Signal(("modem_away", ""), True, False, {"problem": health.modem_problem})
    for target, reason in health.mute.items():
        fields = {"target": target, "reason": reason}
        yield Signal(("notices_failing", target), True, False, fields)

"""The loop that looks at the gateway every few seconds and reports alarms that begin or end."""

from collections import deque
from collections.abc import Callable
from typing import Final

import trio

from phonegate import log
from phonegate.domain.alarms import Alarms, News
from phonegate.model.storage_errors import StorageUnavailable, StoreClosed
from phonegate.operations.collector import Collector
from phonegate.operations.snapshot import Count, Snapshot

EVERY_S: Final = 5.0
"""Seconds between two snapshots. A person is to learn within a minute of a phone that was lost:
half a minute until its dead link is noticed, `phone_away_s`, and two of these."""

REST: Final = 20
"""The pause before the next snapshot is at least this many times as long as the last one took. With
a million queued that takes up to a second, and must not keep a database reader busy all the time,
nor delay the news of a lost phone for long."""

LATE_S: Final = 60.0
"""A look that is later than this is overdue: something holds the loop up."""

MINUTE_S: Final = 60.0

_log = log.get("operations")


class AlarmLoop:
    """Takes snapshots by the clock, and keeps the counts of the last minute."""

    def __init__(
        self, collector: Collector, alarms: Alarms, publish: Callable[[News], None] | None = None
    ) -> None:
        """Looks through `collector`. `publish` gets all news of alarms, and must not wait."""
        self._collector = collector
        self._alarms = alarms
        self._publish = publish
        self._good_until: float | None = None
        self._past: deque[_Moment] = deque(maxlen=round(MINUTE_S / EVERY_S) + 1)

    @property
    def alarms(self) -> list[tuple[str, str]]:
        """The alarms that are on: the name of each, and what it is about."""
        return self._alarms.on

    @property
    def standing(self) -> list[News]:
        """The alarms that are on, with what is known of them now."""
        return self._alarms.standing

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Takes snapshots until cancelled, or until the store is closed."""
        task_status.started()
        while True:
            begun = trio.current_time()
            try:
                self.take(await self._collector.snapshot())
            except (StorageUnavailable, OSError) as error:
                _log.warning("look_failed", reason=str(error))
                self._good_until = None
            except StoreClosed:
                return
            except Exception:  # noqa: BLE001 - the loop must not end the gateway that it watches
                _log.exception("look_failed")
                self._good_until = None
            else:
                ended = trio.current_time()
                self._good_until = ended + max(EVERY_S, REST * (ended - begun)) + LATE_S
            await trio.sleep(max(EVERY_S, REST * (trio.current_time() - begun)))

    @property
    def works(self) -> bool:
        """Whether the last look succeeded, and the next one is not overdue."""
        return self._good_until is not None and trio.current_time() < self._good_until

    def take(self, snapshot: Snapshot) -> None:
        """Keeps a snapshot, and logs the alarms that begin or are over by it."""
        self._past.append(_Moment(snapshot))
        for news in self._alarms.look(snapshot.health):
            name, subject = news.key
            if news.begins:
                _log.warning("alarm", alarm=name, **news.fields)
            else:
                _log.info("alarm_over", alarm=name, **({"about": subject} if subject else {}))
            if self._publish is not None:
                self._publish(news)

    def lately(self, snapshot: Snapshot) -> tuple[float, dict[Count, int]]:
        """Returns a number of seconds before a snapshot, and what happened to messages in them.

        They are a minute at most, and shorter by no more than the time between two snapshots.
        """
        now, past = snapshot.counts, self._minute_ago(snapshot)
        if past is None:
            return snapshot.up_s, now
        return snapshot.up_s - past.up_s, {name: now[name] - past.counts[name] for name in now}

    def requests_lately(self, snapshot: Snapshot) -> int:
        """Returns the number of requests that were answered in the seconds of `lately`."""
        past = self._minute_ago(snapshot)
        return snapshot.answered - (0 if past is None else past.answered)

    def _minute_ago(self, snapshot: Snapshot) -> "_Moment | None":
        return next((one for one in self._past if one.up_s >= snapshot.up_s - MINUTE_S), None)


class _Moment:
    """What is kept of a snapshot, to compare a later one with."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.up_s = snapshot.up_s
        self.counts = snapshot.counts
        self.answered = snapshot.answered

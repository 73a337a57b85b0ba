"""The loop that looks at the gateway every few seconds and logs alarms that begin or are over."""

from collections import deque
from typing import Final

import trio

from phonegate import log
from phonegate.domain.alarms import Alarms
from phonegate.model.storage_errors import StorageUnavailable, StoreClosed
from phonegate.operations.collector import Collector
from phonegate.operations.snapshot import Count, Snapshot

EVERY_S: Final = 15.0
"""Seconds between two snapshots: alarms are about minutes, and a snapshot reads the whole queue."""

REST: Final = 50
"""The pause before the next snapshot is at least this many times as long as the last one took. With
millions queued that is seconds, and must not keep a database reader busy for much of the time."""

MINUTE_S: Final = 60.0

_log = log.get("operations")


class AlarmLoop:
    """Takes snapshots by the clock, and keeps the counts of the last minute."""

    def __init__(self, collector: Collector, alarms: Alarms) -> None:
        self._collector = collector
        self._alarms = alarms
        self._past: deque[tuple[float, dict[Count, int]]] = deque(
            maxlen=round(MINUTE_S / EVERY_S) + 1
        )

    @property
    def alarms(self) -> list[tuple[str, str]]:
        """The alarms that are on: the name of each, and what it is about."""
        return self._alarms.on

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Takes snapshots until cancelled, or until the store is closed."""
        task_status.started()
        while True:
            begun = trio.current_time()
            try:
                self.take(await self._collector.snapshot())
            except (StorageUnavailable, OSError) as error:
                _log.warning("look_failed", reason=str(error))
            except StoreClosed:
                return
            except Exception:  # noqa: BLE001 - the loop must not end the gateway that it watches
                _log.exception("look_failed")
            await trio.sleep(max(EVERY_S, REST * (trio.current_time() - begun)))

    def take(self, snapshot: Snapshot) -> None:
        """Keeps a snapshot, and logs the alarms that begin or are over by it."""
        self._past.append((snapshot.up_s, snapshot.counts))
        for news in self._alarms.look(snapshot.health):
            name, subject = news.key
            if news.begins:
                _log.warning("alarm", alarm=name, **news.fields)
            else:
                _log.info("alarm_over", alarm=name, **({"about": subject} if subject else {}))

    def lately(self, snapshot: Snapshot) -> tuple[float, dict[Count, int]]:
        """Returns a number of seconds before a snapshot, and what happened to messages in them.

        They are a minute at most, and shorter by no more than the time between two snapshots.
        """
        now = snapshot.counts
        for at, counts in self._past:
            if at >= snapshot.up_s - MINUTE_S:
                return snapshot.up_s - at, {name: now[name] - counts[name] for name in now}
        return snapshot.up_s, now

"""The watchman: looks at the gateway every few seconds, and tells the log what is news."""

from collections import deque
from typing import Final

import trio

from phonegate import log
from phonegate.domain.alarms import Alarms
from phonegate.model.storage_errors import StorageUnavailable, StoreClosed
from phonegate.operations.collector import Collector
from phonegate.operations.snapshot import Count, Snapshot

EVERY_S: Final = 15.0
"""Between two looks: alarms are about minutes, and a look reads the whole queue."""

REST: Final = 50
"""Times as long as a look took, at least, before the next one: with a queue of millions it is
seconds, and must not keep a reader busy for a large part of them."""

MINUTE_S: Final = 60.0

_log = log.get("operations")


class Watch:
    """Samples by the clock; keeps what has happened within the last minute."""

    def __init__(self, collector: Collector, alarms: Alarms) -> None:
        self._collector = collector
        self._alarms = alarms
        self._past: deque[tuple[float, dict[Count, int]]] = deque(
            maxlen=round(MINUTE_S / EVERY_S) + 1
        )

    @property
    def alarms(self) -> list[tuple[str, str]]:
        """The alarms that are on: their names, and whom they are about."""
        return self._alarms.on

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Looks until cancelled, or until the store is closed."""
        task_status.started()
        while True:
            begun = trio.current_time()
            try:
                self.take(await self._collector.sample())
            except (StorageUnavailable, OSError) as error:
                _log.warning("look_failed", reason=str(error))
            except StoreClosed:
                return
            except Exception:  # noqa: BLE001 - whoever only watches must not end what it watches
                _log.exception("look_failed")
            await trio.sleep(max(EVERY_S, REST * (trio.current_time() - begun)))

    def take(self, sample: Snapshot) -> None:
        """Notes a sample, and tells what is news in it."""
        self._past.append((sample.up_s, sample.counts))
        for news in self._alarms.look(sample.state):
            name, subject = news.key
            if news.begins:
                _log.warning("alarm", alarm=name, **news.fields)
            else:
                _log.info("alarm_over", alarm=name, **({"about": subject} if subject else {}))

    def lately(self, sample: Snapshot) -> tuple[float, dict[Count, int]]:
        """What has happened to messages before a sample, and within how many seconds.

        A minute at most; less by no more than the time between two looks, where one is shorter.
        """
        now = sample.counts
        for at, counts in self._past:
            if at >= sample.up_s - MINUTE_S:
                return sample.up_s - at, {name: now[name] - counts[name] for name in now}
        return sample.up_s, now

"""Alarms about an org as events of that org, for its apps."""

from collections.abc import Callable
from typing import Any, Final

import trio

from phonegate import log
from phonegate.domain import alarm_wording
from phonegate.domain.alarms import News
from phonegate.model.events import EventType
from phonegate.model.storage_errors import StoreClosed, StoreError
from phonegate.store.database import Database
from phonegate.store.tables import Tables

MOST_WAITING: Final = 1_000
"""News that wait to be recorded while the disk is slow. Those beyond are only in the log."""

_log = log.get("operations")


class OrgAlarms:
    """Records the alarms that are about an org. Those of the operator never reach an org.

    Args:
        database: Where events are.
        now_ms: The wall clock.
    """

    def __init__(self, database: Database, *, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms
        self._send, self._receive = trio.open_memory_channel[News](MOST_WAITING)

    def take(self, news: News) -> None:
        """Takes the beginning or the end of an alarm, of an org or not. Never waits."""
        if news.org is None:
            return
        try:
            self._send.send_nowait(news)
        except trio.WouldBlock:
            _log.warning("alarm_not_recorded", alarm=news.key[0], reason="too many wait")

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Records until cancelled, or until the store is closed."""
        task_status.started()
        async for news in self._receive:
            try:
                await self.record(news)
            except StoreClosed:
                return
            except StoreError as error:
                _log.warning("alarm_not_recorded", alarm=news.key[0], reason=str(error))

    async def record(self, news: News) -> None:
        """Records one, where its org listens.

        Raises:
            StoreError: The database can't be written to.
        """
        now = self._now_ms()
        kind: EventType = "alarm.raised" if news.begins else "alarm.cleared"
        data = event_data(news, now / 1000)

        def op(tx: Tables) -> None:
            org = tx.orgs.get(news.org or "")
            if org is not None:
                tx.events.record(org.id, kind, now, data=data)

        await self._database.write(op)


def event_data(news: News, now: float) -> dict[str, Any]:
    """Returns what an event holds of an alarm. Pure. `now` is in seconds of the wall clock."""
    name, _ = news.key
    if news.begins:
        sentence = alarm_wording.problem(name, news.fields, since=news.since, now=now)
    else:
        sentence = alarm_wording.all_clear(
            name, news.fields, since=news.since, lasted_s=news.lasted_s, now=now
        )
    return {
        "alarm": name,
        "since": round(news.since * 1000),
        "sentence": sentence,
        "remedy": (alarm_wording.WORDINGS[name].remedy or None) if news.begins else None,
        "fields": dict(news.fields),
    }

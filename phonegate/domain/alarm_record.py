"""The record of alarms: those that are on outlive a restart, and those of an org are its events."""

from collections.abc import Callable
from typing import Any, Final

import trio

from phonegate import log
from phonegate.domain import alarm_wording
from phonegate.domain.alarms import Key, News
from phonegate.model.alarms import StandingAlarm
from phonegate.model.events import EventType
from phonegate.model.storage_errors import StoreClosed, StoreError
from phonegate.store.database import Database
from phonegate.store.tables import Tables

MOST_WAITING: Final = 1_000
"""News that wait to be recorded while the disk is slow. Those beyond are only in the log."""

KEPT: Final = frozenset(
    {
        "phone_away",
        "phone_hint",
        "webhook_disabled",
        "disk_low",
        "database_large",
        "log_large",
        "certificate_expires",
    }
)
"""The alarms whose cause is seen at once after a start, so that they go on, or are over, by what is
so. Of the others nothing is known then, and they are raised anew if need be."""

_log = log.get("operations")


class AlarmRecord:
    """Writes down alarms as they begin and end. Those of the operator never reach an org.

    Args:
        database: Where they are kept.
        now_ms: The wall clock.
    """

    def __init__(self, database: Database, *, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms
        self._send, self._receive = trio.open_memory_channel[News | Key](MOST_WAITING)

    async def load(self) -> list[tuple[News, bool]]:
        """Returns the alarms that were on when the gateway ended, and whether each was reported.

        Those that are not `KEPT`, such as by another version, are left out.

        Raises:
            StoreError: The database can't be read.
        """
        found = await self._database.read(lambda tx: tx.alarms.all())
        return [
            (
                News((one.name, one.about), True, one.fields, one.org, one.since / 1000),
                one.reported,
            )
            for one in found
            if one.name in KEPT
        ]

    def take(self, news: News) -> None:
        """Takes the beginning or the end of an alarm. Never waits."""
        self._take(news, news.key)

    def reported(self, key: Key) -> None:
        """Takes that a notice of an alarm has reached a target. Never waits."""
        self._take(key, key)

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Records until cancelled, or until the store is closed."""
        task_status.started()
        async for what in self._receive:
            try:
                if isinstance(what, News):
                    await self.record(what)
                else:
                    await self._mark(*what)
            except StoreClosed:
                return
            except StoreError as error:
                key = what.key if isinstance(what, News) else what
                _log.warning("alarm_not_recorded", alarm=key[0], reason=str(error))

    async def record(self, news: News) -> None:
        """Records one, also as an event where its org listens.

        Raises:
            StoreError: The database can't be written to.
        """
        now = self._now_ms()
        name, about = news.key
        kind: EventType = "alarm.raised" if news.begins else "alarm.cleared"
        data = event_data(news, now / 1000)
        standing = StandingAlarm(
            name=name,
            about=about,
            org=news.org,
            since=round(news.since * 1000),
            fields=news.fields,
        )

        def op(tx: Tables) -> None:
            if name in KEPT and news.begins:
                tx.alarms.add(standing)
            elif name in KEPT:
                tx.alarms.remove(name, about)
            org = None if news.org is None else tx.orgs.get(news.org)
            if org is not None:
                tx.events.record(org.id, kind, now, data=data)

        await self._database.write(op)

    async def _mark(self, name: str, about: str) -> None:
        await self._database.write(lambda tx: tx.alarms.mark_reported(name, about))

    def _take(self, what: News | Key, key: Key) -> None:
        try:
            self._send.send_nowait(what)
        except trio.WouldBlock:
            _log.warning("alarm_not_recorded", alarm=key[0], reason="too many wait")


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

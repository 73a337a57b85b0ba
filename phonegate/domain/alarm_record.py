"""The record of alarms: those that are on outlive a restart, and those of an org are its events."""

from collections.abc import Callable
from contextlib import suppress
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

MOST_WAITING: Final = 10_000
"""News that wait to be recorded while the disk is slow, some 10 MB. When a network fails, thousands
of orgs have theirs at once. Those beyond are only in the log."""

AT_ONCE: Final = 100
"""News that one write records: some 10 ms, where their orgs listen."""

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
            waiting = [what]
            with suppress(trio.WouldBlock):
                while len(waiting) < AT_ONCE:
                    waiting.append(self._receive.receive_nowait())
            try:
                await self.record(*waiting)
            except StoreClosed:
                return
            except StoreError as error:
                for one in waiting:
                    key = one.key if isinstance(one, News) else one
                    _log.warning("alarm_not_recorded", alarm=key[0], reason=str(error))

    async def record(self, *whats: News | Key) -> None:
        """Records news, also as events where their orgs listen, and what was reported.

        Raises:
            StoreError: The database can't be written to. None of it is recorded.
        """
        ops = [self._recording(one) if isinstance(one, News) else _marking(one) for one in whats]

        def record(tx: Tables) -> None:
            for op in ops:
                op(tx)

        await self._database.write(record)

    def _recording(self, news: News) -> Callable[[Tables], None]:
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

        return op

    def _take(self, what: News | Key, key: Key) -> None:
        try:
            self._send.send_nowait(what)
        except trio.WouldBlock:
            _log.warning("alarm_not_recorded", alarm=key[0], reason="too many wait")


def _marking(key: Key) -> Callable[[Tables], None]:
    return lambda tx: tx.alarms.mark_reported(*key)


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

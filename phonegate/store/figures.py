"""Figures by hour: what happened to the messages of an org, counted by SIM or carrier.

They are written in the transaction that makes the change, from its facts, once for all of it: so
they hold after any end of the process. They outlive the messages.
"""

import json
import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from phonegate.model.facts import Changed, Fact
from phonegate.model.figures import (
    COUNTED,
    MAX_SENDER,
    WAITS,
    Figures,
    GatewayHour,
    SenderFigures,
    sender_name,
    slot_name,
    wait_step,
)
from phonegate.model.messages import Message
from phonegate.model.states import DELIVERED, EXPIRED, FAILED, RECEIVED, UNCERTAIN
from phonegate.model.times import HOUR_MS

_COLUMNS: Final = (
    *COUNTED,
    *(f"to_sent_{n}" for n in range(WAITS)),
    *(f"to_delivered_{n}" for n in range(WAITS)),
)
_SENT, _DELIVERED, _RECEIVED, _SEGMENTS = map(
    COUNTED.index, ("sent", "delivered", "received", "segments")
)
_TO_SENT: Final = len(COUNTED)
_TO_DELIVERED: Final = _TO_SENT + WAITS
_ENDED: Final = {status: COUNTED.index(status) for status in (FAILED, EXPIRED, UNCERTAIN)}
_NOTHING: Final = (0,) * len(_COLUMNS)
_FEW: Final = 3
"""Columns of a row that change with one message."""

ADD: Final = f"""
    INSERT INTO figures (org, hour, sender, {", ".join(_COLUMNS)})
    VALUES (?, ?, ?, {", ".join("?" * len(_COLUMNS))})
    ON CONFLICT (org, hour, sender) DO UPDATE SET
        {", ".join(f"{name} = {name} + excluded.{name}" for name in _COLUMNS)}
"""  # noqa: S608 - constants

_SUMS: Final = ", ".join(f"sum({name})" for name in _COLUMNS)

BY_SLOT: Final = f"""
    SELECT slot.key, {_SUMS}
    FROM json_each(?2) AS slot CROSS JOIN figures
    WHERE figures.org = ?1
        AND figures.hour >= json_extract(slot.value, '$[0]')
        AND figures.hour < json_extract(slot.value, '$[1]')
        AND (?3 IS NULL OR figures.sender IN (SELECT value FROM json_each(?3)))
    GROUP BY slot.key
"""  # noqa: S608 - constants

BY_SLOT_AND_SENDER: Final = f"""
    SELECT slot.key, figures.sender, {_SUMS}
    FROM json_each(?2) AS slot CROSS JOIN figures
    WHERE figures.org = ?1
        AND figures.hour >= json_extract(slot.value, '$[0]')
        AND figures.hour < json_extract(slot.value, '$[1]')
        AND (?3 IS NULL OR figures.sender IN (SELECT value FROM json_each(?3)))
    GROUP BY slot.key, figures.sender ORDER BY slot.key, figures.sender LIMIT ?4
"""  # noqa: S608 - constants

BY_SENDER: Final = f"""
    SELECT sender, max(segments), {_SUMS} FROM figures
    WHERE org = ? AND hour >= ? AND hour < ?
    GROUP BY sender ORDER BY sum(sent) + sum(received) + sum(failed) DESC, sender LIMIT ?
"""  # noqa: S608 - constants

DROP: Final = """
    DELETE FROM figures WHERE (org, hour, sender) IN (
        SELECT org, hour, sender FROM figures WHERE org = ? AND hour < ? LIMIT ?
    )
"""

FOLLOWING: Final = "SELECT org, hour FROM figures WHERE org > ? ORDER BY org, hour LIMIT 1"

_SAMPLE: Final = """
    INSERT INTO gateway_hours (hour, database_bytes, free_bytes, messages) VALUES (?, ?, ?, ?)
    ON CONFLICT (hour) DO UPDATE SET database_bytes = excluded.database_bytes,
        free_bytes = excluded.free_bytes, messages = excluded.messages
"""

_SAMPLES: Final = """
    SELECT hour, database_bytes, free_bytes, messages FROM gateway_hours
    WHERE hour >= ? AND hour < ? ORDER BY hour
"""

_ALL_MESSAGES: Final = "SELECT coalesce(sum(n), 0) FROM tallies"

MAX_HOUR: Final = 1 << 40
"""After every hour."""

_Key = tuple[int, int, str]


class HourlyFigures:
    """The rows of `figures` and of `gateway_hours`."""

    def __init__(self, connection: sqlite3.Connection, facts: list[Fact]) -> None:
        self._connection = connection
        self._facts = facts

    # -- reading

    def by_slot(
        self, org: int, slots: Sequence[tuple[int, int]], senders: Sequence[str] | None = None
    ) -> list[Figures]:
        """Returns what happened in each of some spans of hours, the second of each excluded.

        Args:
            org: Whose messages.
            slots: The spans.
            senders: Which SIMs and carriers did it. None: all.
        """
        found = [Figures()] * len(slots)
        given = None if senders is None else json.dumps(list(senders))
        for slot, *sums in self._connection.execute(BY_SLOT, (org, json.dumps(slots), given)):
            found[slot] = _figures(sums)
        return found

    def by_slot_and_sender(
        self,
        org: int,
        slots: Sequence[tuple[int, int]],
        senders: Sequence[str] | None,
        limit: int,
    ) -> list[tuple[int, str, Figures]]:
        """Returns the same for each SIM or carrier that did anything, the first *limit* rows.

        Each comes with the number of its span.
        """
        given = None if senders is None else json.dumps(list(senders))
        rows = self._connection.execute(BY_SLOT_AND_SENDER, (org, json.dumps(slots), given, limit))
        return [(slot, sender, _figures(sums)) for slot, sender, *sums in rows]

    def by_sender(self, org: int, begin: int, end: int, limit: int) -> list[SenderFigures]:
        """Returns what each SIM or carrier did in some hours, those that did most first."""
        rows = self._connection.execute(BY_SENDER, (org, begin, end, limit))
        return [
            SenderFigures(sender=sender, busiest=busiest, figures=_figures(sums))
            for sender, busiest, *sums in rows
        ]

    def gateway(self, begin: int, end: int) -> list[GatewayHour]:
        """Returns how the gateway was at each of these hours that was sampled."""
        rows = self._connection.execute(_SAMPLES, (begin, end))
        return [
            GatewayHour(hour=hour, database_bytes=size, free_bytes=free, messages=messages)
            for hour, size, free, messages in rows
        ]

    # -- keeping

    def sample(self, hour: int, *, database_bytes: int, free_bytes: int) -> None:
        """Notes how the gateway is in an hour. What was noted of it before is replaced."""
        (messages,) = self._connection.execute(_ALL_MESSAGES).fetchone()
        self._connection.execute(_SAMPLE, (hour, database_bytes, free_bytes, messages))

    def drop_samples(self, before: int) -> None:
        """Deletes what was noted of the gateway in earlier hours."""
        self._connection.execute("DELETE FROM gateway_hours WHERE hour < ?", (before,))

    def next_org(self, after: int, before: int) -> int | None:
        """Returns the org of the next id that has figures of hours before one."""
        while (row := self._connection.execute(FOLLOWING, (after,)).fetchone()) is not None:
            after, oldest = row
            if oldest < before:
                return int(after)
        return None

    def drop(self, org: int, limit: int, before: int = MAX_HOUR) -> bool:
        """Deletes up to *limit* rows of an org of earlier hours. Returns whether that was all."""
        return self._connection.execute(DROP, (org, before, limit)).rowcount < limit

    # -- chores of the writer

    def write(self, now: int) -> None:
        """Counts what has happened. Part of every commit, before it.

        Args:
            now: When messages ended that have no time of their own for it, in ms.
        """
        sums: dict[_Key, dict[int, int]] = {}
        for fact in self._facts:
            if type(fact) is not Changed:
                continue
            if fact.sent is not None:
                _, org, phone, at, since, segments, sim_slot, sender = fact.sent
                if not sender:
                    sender = slot_name(phone or 0, sim_slot)
                counts = sums.setdefault((org, at // HOUR_MS, sender[:MAX_SENDER]), {})
                step = _TO_SENT + wait_step(at - since)
                counts[_SENT] = counts.get(_SENT, 0) + 1
                counts[_SEGMENTS] = counts.get(_SEGMENTS, 0) + (segments or 1)
                counts[step] = counts.get(step, 0) + 1
            message = fact.message
            if message is None:
                continue
            if fact.after == RECEIVED:
                name = sender_name(message.sim, message.phone, message.sim_slot, message.provider)
                counts = sums.setdefault((fact.org, message.created_at // HOUR_MS, name), {})
                counts[_RECEIVED] = counts.get(_RECEIVED, 0) + 1
            elif isinstance(message, Message):
                _note_end(sums, message, now)
        for key, counts in sums.items():
            self._add(key, counts)

    def _add(self, key: _Key, counts: dict[int, int]) -> None:
        # Mostly there is such a row, and few of its columns change: half of what all would cost.
        if len(counts) <= _FEW:
            values = (*counts.values(), *key)
            if self._connection.execute(_add_few(tuple(counts)), values).rowcount:
                return
        row = [*key, *_NOTHING]
        for place, count in counts.items():
            row[len(key) + place] = count
        self._connection.execute(ADD, row)


def _note_end(sums: dict[_Key, dict[int, int]], message: Message, now: int) -> None:
    if message.status == DELIVERED:
        at = now if message.delivered_at is None else message.delivered_at
        counts = sums.setdefault((message.org, at // HOUR_MS, message.sender), {})
        step = _TO_DELIVERED + wait_step(at - message.since)
        counts[_DELIVERED] = counts.get(_DELIVERED, 0) + 1
        counts[step] = counts.get(step, 0) + 1
    elif (place := _ENDED.get(message.status)) is not None:
        counts = sums.setdefault((message.org, now // HOUR_MS, message.sender), {})
        counts[place] = counts.get(place, 0) + 1


@lru_cache(maxsize=256)
def _add_few(places: tuple[int, ...]) -> str:
    """Returns a statement that adds to some columns of a row."""
    changes = ", ".join(f"{_COLUMNS[place]} = {_COLUMNS[place]} + ?" for place in places)
    return f"UPDATE figures SET {changes} WHERE org = ? AND hour = ? AND sender = ?"  # noqa: S608


def _figures(sums: Sequence[Any]) -> Figures:
    return Figures(
        **dict(zip(COUNTED, sums[:_TO_SENT], strict=True)),
        to_sent=tuple(sums[_TO_SENT:_TO_DELIVERED]),
        to_delivered=tuple(sums[_TO_DELIVERED:]),
    )

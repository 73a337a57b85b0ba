"""Figures by hour: what happened to the messages of an org, counted by SIM or carrier.

They are written in the transaction that makes the change, from its facts, once for all of it: so
they hold after any end of the process. They outlive the messages.
"""

import json
import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from phonegate.model.facts import Changed, Fact
from phonegate.model.figures import (
    COUNTED,
    HOUR_MS,
    WAITS,
    Figures,
    GatewayHour,
    SenderFigures,
    sender_name,
    wait_step,
)
from phonegate.model.messages import Message
from phonegate.model.states import DELIVERED, EXPIRED, FAILED, RECEIVED, UNCERTAIN

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
_NOTHING: Final = [0] * len(_COLUMNS)

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

_FOLLOWING: Final = "SELECT min(org) FROM figures WHERE org > ?"

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

    def next_org(self, after: int) -> int | None:
        """Returns the org of the next id that has figures."""
        (org,) = self._connection.execute(_FOLLOWING, (after,)).fetchone()
        return None if org is None else int(org)

    def drop(self, org: int, limit: int, before: int = MAX_HOUR) -> bool:
        """Deletes up to *limit* rows of an org of earlier hours. Returns whether that was all."""
        return self._connection.execute(DROP, (org, before, limit)).rowcount < limit

    # -- chores of the writer

    def write(self, now: int) -> None:
        """Counts what has happened. Part of every commit, before it.

        Args:
            now: When messages ended that have no time of their own for it, in ms.
        """
        sums: dict[_Key, list[int]] = {}
        for fact in self._facts:
            if type(fact) is not Changed:
                continue
            sent = fact.sent
            if sent is not None:
                at, since, segments, phone, sim_slot, sim, provider = sent
                name = sender_name(sim, phone, sim_slot, provider)
                key = (fact.org, at // HOUR_MS, name)
                counts = sums.get(key)
                if counts is None:
                    counts = sums[key] = _NOTHING.copy()
                counts[_SENT] += 1
                counts[_SEGMENTS] += segments or 1
                counts[_TO_SENT + wait_step(at - since)] += 1
            message = fact.message
            if message is None:
                continue
            if fact.after == RECEIVED:
                name = sender_name(message.sim, message.phone, message.sim_slot, message.provider)
                key = (fact.org, message.created_at // HOUR_MS, name)
                sums.setdefault(key, _NOTHING.copy())[_RECEIVED] += 1
            elif isinstance(message, Message):
                _note_end(sums, message, now)
        if sums:
            self._connection.executemany(ADD, [(*key, *counts) for key, counts in sums.items()])


def _note_end(sums: dict[_Key, list[int]], message: Message, now: int) -> None:
    if message.status == DELIVERED:
        at = now if message.delivered_at is None else message.delivered_at
        counts = sums.setdefault((message.org, at // HOUR_MS, _sender(message)), _NOTHING.copy())
        counts[_DELIVERED] += 1
        counts[_TO_DELIVERED + wait_step(at - message.since)] += 1
    elif (place := _ENDED.get(message.status)) is not None:
        key = (message.org, now // HOUR_MS, _sender(message))
        sums.setdefault(key, _NOTHING.copy())[place] += 1


def _sender(message: Message) -> str:
    return sender_name(message.sim, message.phone, message.sim_slot, message.provider)


def _figures(sums: Sequence[Any]) -> Figures:
    return Figures(
        **dict(zip(COUNTED, sums[:_TO_SENT], strict=True)),
        to_sent=tuple(sums[_TO_SENT:_TO_DELIVERED]),
        to_delivered=tuple(sums[_TO_DELIVERED:]),
    )

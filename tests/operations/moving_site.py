"""Two gateways' stores, and orgs with rows in every table that can hold some."""

import itertools
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from phonegate.domain.accounts import Accounts
from phonegate.domain.rate_limits import RateLimits
from phonegate.events.bus import Bus
from phonegate.operations.moving import OrgMover
from phonegate.store.database import Database
from phonegate.store.moving.contents import PARTS, SPACES, Part
from phonegate.store.moving.org_file import Chunk, Head, Reader
from tests import new_database
from tests.domain.account_site import CHEAP, OPEN, SECRET, Clock
from tests.patience import PATIENCE_S

VERSION_OF_TESTS = 10_000
"""Newer than every schema: what reads a file in a test takes them all."""

OWN = {table: (column,) for ((table, column), *_) in SPACES.values()}
"""The columns whose ids a gateway counts up."""

_TEXTS: dict[str, tuple[str | None, ...]] = {
    "direction": ("in", "out"),
    "status": ("queued", "sending", "sent", "delivered", "received", "uncertain"),
    "provider": ("phone",),
    "scopes": ("send read manage",),
    "grants": ("messages:send",),
    "headers": ("[]",),
    "sims": ("[]",),
    "mapping": ("{{}}",),
    "verification": (None,),
    "limits": (None,),
    "media_urls": (None,),
    "status_callback": (None,),
    "credentials": ("{{}}",),
    "shape": ("standard",),
    "method": ("POST",),
    "kind": ("link", "smsgate"),
    "on_uncertain": ("hold",),
    "approval": (None,),
    "sender": ("#{phone}:0", "+15551112222", "@twilio"),
}


@attrs.frozen
class Site:
    """A store with its accounts, as a gateway has them."""

    database: Database
    accounts: Accounts
    mover: OrgMover
    bus: Bus

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.database.path)) as connection:
            return connection.execute(sql, values).fetchall()

    async def cleared(self) -> None:
        """Returns when nothing is left of removed orgs."""
        with trio.fail_after(PATIENCE_S):
            while await self.database.write(lambda tx: tx.orgs.doomed()) is not None:
                await trio.lowlevel.checkpoint()

    async def content(self, name: str, folder: Path) -> tuple[Head, dict[str, list[Any]]]:
        """What an export of an org holds, by table."""
        path = folder / f"look-{next(_NUMBERS)}.org"
        await self.mover.export(name, path, lambda *_: None)
        return read(path)


_NUMBERS = itertools.count()


def read(path: Path) -> tuple[Head, dict[str, list[Any]]]:
    found: dict[str, list[Any]] = {}
    with path.open("rb") as file:
        reader = Reader(file, VERSION_OF_TESTS)
        for chunk in reader.chunks():
            found.setdefault(chunk.table, []).extend(chunk.rows)
    return reader.head, found


def chunks_of(path: Path) -> list[Chunk]:
    with path.open("rb") as file:
        return list(Reader(file, VERSION_OF_TESTS).chunks())


@asynccontextmanager
async def site(folder: Path, nursery: trio.Nursery, name: str) -> AsyncIterator[Site]:
    bus = Bus()
    database = Database.open(new_database.make(folder / f"{name}.db"), publish=bus.publish)
    await nursery.start(database.run_writer)
    clock = Clock()
    accounts = Accounts(
        database,
        registration=OPEN,
        now_ms=clock,
        cost=CHEAP,
        rate_limits=RateLimits(),
        publish=bus.publish,
    )
    await accounts.load()
    try:
        yield Site(database, accounts, OrgMover(database, accounts.moves, clock), bus)
    finally:
        database.stop_writing()
        database.close()


class Filler:
    """Fills every table with rows of an org. Each has a number of its own in all its texts."""

    def __init__(self, site: Site, mark: str) -> None:
        self._site = site
        self._mark = mark
        self._count = itertools.count(1)
        self._made: dict[tuple[str, str], list[Any]] = {}

    async def fill(self, name: str, each: int = 3) -> int:
        """Makes an org. Returns its id."""
        org, _ = await self._site.accounts.orgs.add(name, SECRET)
        await self._site.database.write(lambda tx: self._fill(tx._connection, org.id, each))
        return org.id

    def _fill(self, connection: sqlite3.Connection, org: int, each: int) -> None:
        # What refers to something comes after it.
        for part in (*PARTS[1:], PARTS[0]):
            many = 1 if part.key == ("org",) else each
            self._rows(connection, part, org, many)
            for child in part.children:
                self._rows(connection, child, org, many)
        messages = connection.execute(
            "SELECT address, max(id), max(iif(direction = 'in', id, 0)) FROM messages"
            " WHERE org = ? GROUP BY address",
            (org,),
        ).fetchall()
        connection.execute("DELETE FROM conversations WHERE org = ?", (org,))
        connection.executemany(
            "INSERT INTO conversations VALUES (?, ?, ?, ?, ?)",
            [(org, *row, row[2]) for row in messages],
        )
        tallies = connection.execute(
            "SELECT status, count(*) FROM messages WHERE org = ? GROUP BY status", (org,)
        ).fetchall()
        connection.executemany(
            "INSERT INTO tallies VALUES (?, ?)"
            " ON CONFLICT (status) DO UPDATE SET n = n + excluded.n",
            tallies,
        )

    def _rows(self, connection: sqlite3.Connection, part: Part, org: int, count: int) -> None:
        kinds = {row[1]: row for row in connection.execute(f"PRAGMA table_info({part.table})")}
        foreign = {
            row[3]: (row[2], row[4])
            for row in connection.execute(f"PRAGMA foreign_key_list({part.table})")
        }
        for turn in range(count):
            number = next(self._count)
            row: dict[str, Any] = {}
            for column in part.columns:
                row[column] = self._value(part, column, kinds[column], foreign, org, number, turn)
            if part.table == "events":
                kind = ("message.sent", "phone.online", "webhook.disabled")[turn % 3]
                about = row["message"], row["phone"], self._one("webhooks", "id", 0)
                row |= {"type": kind, "message": None, "phone": None}
                if turn % 3 < 2:
                    row[("message", "phone")[turn % 3]] = about[turn % 3]
                data = {"id": about[turn % 3] or 0, "body": self._mark}
                row["data"] = json.dumps(data, separators=(",", ":"))
            if part.table == "assistants":
                # None that a configuration declares, which would not stay so on another gateway.
                row["from_file"] = 0
            if part.table == "deliveries":
                row["subject"] = f"message/{self._one('messages', 'id', turn)}"
            names = ", ".join(f'"{name}"' for name in row)
            cursor = connection.execute(
                f"INSERT INTO {part.table} ({names}) VALUES ({', '.join('?' * len(row))})",
                tuple(row.values()),
            )
            for column in OWN.get(part.table, ()):
                row[column] = cursor.lastrowid
            for column in part.columns:
                self._made.setdefault((part.table, column), []).append(row[column])

    def _value(
        self,
        part: Part,
        column: str,
        kind: Any,
        foreign: dict[str, tuple[str, str]],
        org: int,
        number: int,
        turn: int,
    ) -> Any:
        if column == "org":
            return org
        if column in OWN.get(part.table, ()):
            return None if part.table != "events" else 1_000 * org + number
        source = self._source(part, column, foreign)
        if source is not None:
            return self._one(*source, turn)
        if kind[2] == "INTEGER":
            return None if column == "disabled_at" else number
        text: str | None = f"{self._mark} {column} {number}"
        if kind[2] == "TEXT" and column in _TEXTS:
            text = _TEXTS[column][turn % len(_TEXTS[column])]
            return text and text.format(phone=self._one("phones", "id", turn))
        return text if kind[2] == "TEXT" else str(text).encode()

    @staticmethod
    def _source(
        part: Part, column: str, foreign: dict[str, tuple[str, str]]
    ) -> tuple[str, str] | None:
        """Whose value a column has, where it refers to something."""
        if column in part.ids:
            return SPACES[part.ids[column]][0]
        if column == "key" and part.table in {"key_sends", "messages", "ended_keys"}:
            return "api_keys", "id"
        return foreign.get(column)

    def _one(self, table: str, column: str, turn: int) -> Any:
        made = self._made.get((table, column), [])
        return made[turn % len(made)] if made else None


@pytest.fixture
async def here(tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[Site]:
    async with site(tmp_path, nursery, "here") as made:
        yield made


@pytest.fixture
async def there(tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[Site]:
    async with site(tmp_path, nursery, "there") as made:
        yield made

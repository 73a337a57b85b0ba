"""(d): `GET /messages` from small tables and large ones."""

import argparse
import contextlib
import hashlib
import itertools
import random
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

import trio

from bench import pages
from bench.figures import BARE, FULLER, OURS, Figure, Figures
from bench.fuller import store
from bench.plan import Plan
from bench.servers import Server
from kit.load import http
from kit.load.deliveries import Quantiles
from kit.load.loops import Loops
from phonegate.domain.credentials import hash_secret

ORG = "org-0"
SECRET = "org-0-secret-key"
SALT = b"sixteen bytes!!!"
PAGE = 100
SLICES = 8
"""Turns that each reader gets in a round."""

BATCH = 10_000
CREATED = "2026-11-21T08:00:00.000Z"

NEWEST, DEEP = "newest 100", "100 since the middle"
P50 = "answer p50"


def case(rows: int, query: str) -> str:
    return f"{rows:,} rows, {query}"


class Reader:
    """One client of a server whose file holds that many rows of its org."""

    def __init__(self, server: Server, rows: int) -> None:
        self.rows = rows
        self.side = server.side.name
        self.answers: dict[str, list[float]] = {NEWEST: [], DEEP: []}
        self._loops = {
            NEWEST: _loop(server.port, f"limit={PAGE}"),
            DEEP: _loop(server.port, f"limit={PAGE}&since_id={rows // 2}"),
        }

    async def read(self, query: str, seconds: float) -> None:
        loop = self._loops[query]
        await loop.run(seconds)
        self.answers[query] += loop.answers

    def close(self) -> None:
        for loop in self._loops.values():
            loop.close()


def _loop(port: int, query: str) -> Loops:
    request = http.encode("GET", f"/messages/{ORG}?{query}", headers={"X-Secret-Key": SECRET})
    return Loops(port, 1, lambda: request, lambda: None)


async def read(readers: Sequence[Reader], plan: Plan, figures: Figures) -> None:
    """Lets all readers take short turns, so that the machine's moods meet each of them."""
    try:
        for reader, query in itertools.product(readers, (NEWEST, DEEP)):
            await reader.read(query, plan.warm_s / 2)
            reader.answers[query].clear()
        for _ in range(SLICES):
            for query, reader in itertools.product((NEWEST, DEEP), readers):
                await reader.read(query, plan.seconds / SLICES)
    finally:
        for reader in readers:
            reader.close()
    for reader, query in itertools.product(readers, (NEWEST, DEEP)):
        taken = Quantiles.of(reader.answers[query])
        shown = case(reader.rows, query)
        figures.add(reader.side, Figure("d", shown, P50, "ms"), taken.p50)
        figures.add(reader.side, Figure("d", shown, "answer p99", "ms"), taken.p99)


def fill(side: str, path: Path, rows: int) -> None:
    """Makes a file with that many messages of one org."""
    FILLERS[side](path, rows)


def _fill_phonegate(path: Path, rows: int) -> None:
    database, _ = trio.run(pages.build, path, rows, 0)
    database.close()
    with contextlib.closing(sqlite3.connect(path)) as file:
        changed = "UPDATE orgs SET secret_hash = ? WHERE name = ?"
        file.execute(changed, (hash_secret(SECRET), ORG))
        file.commit()


def _fill_bare(path: Path, rows: int) -> None:
    from bench import bare  # noqa: PLC0415 - loads FastAPI

    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA journal_mode=WAL")
        file.executescript(bare.SCHEMA)
        into = f"INSERT INTO messages ({bare.COLUMNS}) VALUES {bare.ROW}"
        _add_rows(file, into, ORG, rows)


def _fill_fuller(path: Path, rows: int) -> None:
    digest = hashlib.scrypt(SECRET.encode(), salt=SALT, n=2**14, r=8, p=1)
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA journal_mode=WAL")
        file.executescript(store.SCHEMA)
        file.execute("INSERT INTO orgs (name, salt, hash) VALUES (?, ?, ?)", (ORG, SALT, digest))
        into = f"INSERT INTO messages ({store.COLUMNS}) VALUES {store.ROW}"
        _add_rows(file, into, 1, rows)


def _add_rows(file: sqlite3.Connection, into: str, org: object, rows: int) -> None:
    chance = random.Random(rows)
    for start in range(0, rows, BATCH):
        numbers = range(start, min(start + BATCH, rows))
        file.executemany(into, [_row(org, number, chance) for number in numbers])
        file.commit()


def _row(org: object, number: int, chance: random.Random) -> tuple[object, ...]:
    """Both baselines have the same columns."""
    direction, status = ("in", "received") if number % 2 else ("out", "sent")
    slot = number % 4 // 2
    return (
        org,
        direction,
        f"+1555{number % 40:07d}",
        pages.body(chance, number),
        status,
        CREATED,
        f"+1555000111{slot}",
        slot,
        pages.NOW + number,
    )


FILLERS = {OURS: _fill_phonegate, BARE: _fill_bare, FULLER: _fill_fuller}


def main() -> int:
    """`python -m bench.measures.reading SIDE FILE ROWS`: fills a file, in a process of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("side", choices=tuple(FILLERS))
    parser.add_argument("file", type=Path)
    parser.add_argument("rows", type=int)
    chosen = parser.parse_args()
    fill(chosen.side, chosen.file, chosen.rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())

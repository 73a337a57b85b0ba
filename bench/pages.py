"""Times `GET /messages` pages from a small table and a large one, filter by filter.

    python -m bench.pages --rows 1000000

Both files are measured in the same run, in turns. "noise" is the ratio of the small table
against itself, from the two halves of its own measurements: a ratio within it says nothing.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import trio

from phonegate.model.messages import NewInbound, NewMessage, PageQuery
from phonegate.model.states import QUEUED, SENDING, Cause
from phonegate.store.database import Database
from phonegate.store.tables import Tables

SMALL = 1_000
PAGE = 100
TURNS = 60
BATCH = 2_000
NOW = 1_700_000_000_000
WORDS = ["alarm", "code", "meeting", "parcel", "doctor", "invoice", "battery", "train", "dinner"]
"""Words of the bodies; "needle" stands in one of a hundred."""

OTHERS = 3
"""Orgs beside the measured one, each with a third as many rows."""


def body(chance: random.Random, number: int) -> str:
    rare = " needle" if number % 100 == 0 else ""
    return " ".join(chance.choices(WORDS, k=8)) + f" {number}{rare}"


def fill(tx: Tables, *, org: int, start: int, count: int, chance: random.Random) -> None:
    for number in range(start, start + count):
        address = f"+1555{number % 40:07d}"
        if number % 2:
            tx.messages.insert_inbound(
                NewInbound(
                    org=org,
                    address=address,
                    body=body(chance, number),
                    created_at=NOW + number,
                    date=NOW + number,
                    phone=None,
                    sim_slot=number % 4 // 2,
                    sim=f"+1555000111{number % 4 // 2}",
                )
            )
        else:
            stored = tx.messages.insert(
                NewMessage(
                    org=org,
                    address=address,
                    body=body(chance, number),
                    created_at=NOW + number,
                    segments=1,
                    status=SENDING if number % 200 else QUEUED,
                    sim_slot=number % 4 // 2,
                    sim=f"+1555000111{number % 4 // 2}",
                )
            )
            message = tx.messages.find(org, stored)
            assert message is not None
            if message.status == SENDING:
                tx.messages.transition(message, Cause.RADIOED, sent_at=NOW + number)


async def build(path: Path, rows: int, others: int = OTHERS) -> tuple[Database, int]:
    database = Database.open(path)
    async with trio.open_nursery() as nursery:
        await nursery.start(database.run_writer)
        chance = random.Random(rows)

        def add(tx: Tables) -> list[int]:
            return [tx.orgs.add(f"org-{n}", "hash", NOW).id for n in range(1 + others)]

        measured, *rest = await database.write(add)
        for start in range(0, rows, BATCH):
            size = min(BATCH, rows - start)
            # The orgs' rows lie among each other, as they do in life.
            parts = [(measured, size), *((org, size // others) for org in rest)]
            for org, count in parts:
                await database.write(
                    partial(fill, org=org, start=start, count=count, chance=chance)
                )
        # Else the writer would go on with it while pages are timed.
        while not (await database.write(lambda tx: tx.word_index.add_missing(BATCH)))[1]:
            pass
        database.stop_writing()
    return database, measured


def queries(rows: int) -> dict[str, Callable[[], PageQuery]]:
    middle = rows // 2
    return {
        "newest": lambda: PageQuery(limit=PAGE),
        "since_id": lambda: PageQuery(limit=PAGE, since_id=middle),
        "before_id": lambda: PageQuery(limit=PAGE, before_id=middle),
        "direction=in": lambda: PageQuery(limit=PAGE, direction="in"),
        "status=queued": lambda: PageQuery(limit=5, status="queued"),
        "address": lambda: PageQuery(limit=10, address="+15550000001"),
        "sim=number": lambda: PageQuery(limit=PAGE, sim="+15550001111"),
        "sim=slot": lambda: PageQuery(limit=PAGE, sim="1"),
        "direction+sim": lambda: PageQuery(limit=PAGE, direction="out", sim="+15550001111"),
        "q=needle": lambda: PageQuery(limit=10, search="needle"),
        "q=alarm code": lambda: PageQuery(limit=10, search="alarm code"),
        "q=cod*": lambda: PageQuery(limit=10, search="cod*"),
    }


async def clock(database: Database, org: int, query: PageQuery) -> float:
    begun = time.perf_counter()
    await database.read(lambda tx: tx.messages.page(org, query))
    return (time.perf_counter() - begun) * 1000


async def measure(folder: Path, rows: int, turns: int = TURNS) -> int:
    begun = time.monotonic()
    small, small_org = await build(folder / "small.db", SMALL)
    large, large_org = await build(folder / "large.db", rows)
    print(f"built {rows:,} rows (and as many of other orgs) in {time.monotonic() - begun:.0f} s")
    print(f"{'filter':16}{SMALL:>10,} ms{rows:>12,} ms   ratio   noise")
    slow = 0
    for name, small_query in queries(SMALL).items():
        large_query = queries(rows)[name]
        few, many = [], []
        for _ in range(turns):
            few.append(await clock(small, small_org, small_query()))
            many.append(await clock(large, large_org, large_query()))
        ratio = statistics.median(many) / statistics.median(few)
        halves = statistics.median(few[::2]), statistics.median(few[1::2])
        noise = max(halves) / min(halves)
        slow += ratio > max(1.2, noise)
        print(
            f"{name:16}{statistics.median(few):13.3f}{statistics.median(many):15.3f}"
            f"{ratio:8.2f}{noise:8.2f}"
        )
    small.close()
    large.close()
    print("every page costs the same" if not slow else f"{slow} filters cost more on the large one")
    return 1 if slow else 0


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.pages",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the large table")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="phonegate-pages-") as folder:
        return trio.run(measure, Path(folder), chosen.rows)


if __name__ == "__main__":
    sys.exit(main())

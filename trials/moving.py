"""Moves a large org between two gateways, kills both in the midst, and measures what others notice.

    python -m trials.moving --messages 200000 --kills 3

First an org is exported and imported undisturbed, while a client of another org reads and stores
on the gateway at work: how long that takes, what the process holds of memory, and how long the
client waits. Then it moves once more, and each gateway is ended by SIGKILL again and again while
it writes or reads the file. What has arrived is compared with what was there, row by row.
Exits 1 where a row is missing, twice there or different.
"""

import argparse
import random
import shutil
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import httpx

from kit.gateway import UNLIMITED, GatewayProcess
from phonegate.operations.control_client import ControlError, OwnerRequest, ask
from phonegate.store import migrations
from phonegate.store.moving.org_file import Reader

ORG: Final = "large"
OTHER, SECRET = "other", "a-secret-of-this-trial"
PAUSE_S: Final = 0.01
"""Between two requests of the client, which makes some sixty a second."""
CALM_S: Final = 5.0
SAMPLE_S: Final = 0.02
KILLED_S: Final = 5.0
"""In which a gateway has ended that was killed."""
INDEXED_S: Final = 600.0
"""In which the words of all messages must be indexed."""

SETTINGS: Final = {"here": UNLIMITED, "there": {**UNLIMITED, "DATABASE_FIRST_ID": 100_000_000}}
"""By the names of the gateways. Each has ids of its own, and so all ids are kept."""

FILL: Final = """
    INSERT INTO messages (org, direction, address, body, status, created_at, provider, segments)
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
    SELECT ?, iif(i % 3, 'out', 'in'), printf('+1555%07d', i % 1000),
        'message ' || i || ' of some sixty characters, as most people write',
        iif(i % 3, iif(i % 2, 'delivered', 'sent'), 'received'), 1700000000000 + i, 'phone', 1
    FROM n
"""


class Broken(Exception):
    """What has arrived is not what was there."""


@attrs.define
class Noticed:
    """What another org's client waits, in ms."""

    waits: list[float] = attrs.field(factory=list)
    failed: int = 0

    def words(self) -> str:
        some = sorted(self.waits)
        place = min(len(some) - 1, round(0.99 * len(some)))
        return (
            f"median {statistics.median(some):.1f} ms, 99 % {some[place]:.1f} ms,"
            f" longest {some[-1]:.1f} ms of {len(some)}, {self.failed} failed"
        )


@contextmanager
def client(gateway: GatewayProcess) -> Iterator[Noticed]:
    """A client of another org, which stores an SMS and reads a page, in turns."""
    seen, over = Noticed(), threading.Event()

    def go_on() -> None:
        headers = {"X-Secret-Key": SECRET}
        with httpx.Client(base_url=gateway.url, headers=headers, timeout=30) as http:
            turn = 0
            while not over.wait(PAUSE_S):
                turn += 1
                begun = time.perf_counter()
                if turn % 2:
                    message = {"address": "+15553334444", "body": f"no. {turn}"}
                    body = {"org_id": OTHER, "secret_key": SECRET, "messages": [message]}
                    answer = http.post("/webhook", json=body)
                else:
                    answer = http.get(f"/messages/{OTHER}?limit=20")
                seen.waits.append((time.perf_counter() - begun) * 1000)
                seen.failed += not answer.is_success

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


@contextmanager
def memory(gateway: GatewayProcess) -> Iterator[list[int]]:
    """The process's memory in bytes, looked at again and again."""
    seen, over = [gateway.rss_bytes()], threading.Event()

    def look() -> None:
        while not over.wait(SAMPLE_S):
            seen.append(gateway.rss_bytes())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def do(gateway: GatewayProcess, method: str, target: str, **fields: Any) -> dict[str, Any]:
    """Carries out a command of the owner."""
    request = OwnerRequest(method, target, fields or None)
    long = target in {"/exports", "/imports"}
    return ask(gateway.database, request, progress=(lambda *_: None) if long else None)


def fill(folder: Path, messages: int) -> None:
    """Makes an org of so many messages, in the file of a gateway that does not run."""
    with closing(sqlite3.connect(folder / "gate.db", isolation_level=None)) as connection:
        (org,) = connection.execute("SELECT id FROM orgs WHERE name = ?", (ORG,)).fetchone()
        connection.execute(FILL, (messages, org))
        connection.execute(
            "INSERT INTO tallies SELECT status, count(*) FROM messages WHERE org = ?"
            " GROUP BY status ON CONFLICT (status) DO UPDATE SET n = n + excluded.n",
            (org,),
        )


def wait_for_words(gateway: GatewayProcess) -> None:
    end = time.monotonic() + INDEXED_S
    with closing(sqlite3.connect(gateway.database)) as connection:
        while time.monotonic() < end:
            (left,) = connection.execute(
                "SELECT (SELECT coalesce(max(id), 0) FROM messages) - value FROM marks"
                " WHERE name = 'indexed'"
            ).fetchone()
            if left <= 0:
                return
            time.sleep(0.2)
    raise Broken("the words were not indexed in time")


def measured(name: str, gateway: GatewayProcess, work: Callable[[], Any]) -> None:
    """Does something, and prints what it takes and what another org's client notices."""
    with client(gateway) as calm:
        time.sleep(CALM_S)
    print(f"{name}: before, the client waits {calm.words()}")
    with client(gateway) as seen, memory(gateway) as held:
        begun, cpu = time.monotonic(), gateway.cpu_s()
        work()
        seconds, used = time.monotonic() - begun, gateway.cpu_s() - cpu
    grown = (max(held) - held[0]) / 1e6
    print(f"{name}: {seconds:.1f} s, of which {used:.1f} s of a processor with the client's part")
    print(f"{name}: memory grows by {grown:.1f} MB to {max(held) / 1e6:.0f} MB")
    print(f"{name}: meanwhile, the client waits {seen.words()}")


def killed(
    gateway: GatewayProcess, kills: int, chance: random.Random, work: Callable[[], Any]
) -> int:
    """Does something, while the gateway is killed again and again. Returns how often it was."""
    done = 0
    while True:
        timer = threading.Timer(chance.uniform(0.1, 2.0), gateway.process.kill)
        if done < kills:
            timer.start()
        try:
            work()
        except ControlError:
            # It was killed, or this is what the trial looks for.
            if not timer.finished.wait(KILLED_S) or gateway.process.wait(KILLED_S) >= 0:
                raise
            done += 1
            gateway = restarted(gateway)
        else:
            timer.cancel()
            return done


def restarted(gateway: GatewayProcess) -> GatewayProcess:
    """Starts a gateway again on its file. The same object goes on."""
    again = GatewayProcess(gateway.database, settings=SETTINGS[gateway.database.parent.name])
    again.wait_until_ready()
    gateway.process, gateway.port = again.process, again.port
    _KEPT.append(again)
    return gateway


_KEPT: Final[list[GatewayProcess]] = []
"""Those that were started again: their logs are closed with them."""


def _kill_all() -> None:
    for one in _KEPT:
        one.process.kill()


def content(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    with path.open("rb") as file:
        for chunk in Reader(file, migrations.VERSION).chunks():
            found.setdefault(chunk.table, []).extend(map(str, chunk.rows))
    return {table: sorted(rows) for table, rows in found.items() if table != "org_places"}


def require_same(before: Path, after: Path) -> None:
    there, here = content(before), content(after)
    for table in there.keys() | here.keys():
        if there.get(table) != here.get(table):
            raise Broken(f"the rows of {table} differ")
    print(f"same: {sum(map(len, here.values()))} rows of {len(here)} tables")


def trial(folder: Path, messages: int, kills: int, chance: random.Random) -> None:
    """Runs the whole trial.

    Raises:
        Broken: Something was lost.
    """
    with ExitStack() as stack:
        sides = {}
        for name in ("here", "there"):
            (folder / name).mkdir()
            gateway = GatewayProcess(folder / name / "gate.db", settings=SETTINGS[name])
            gateway.wait_until_ready()
            stack.callback(gateway.process.kill)
            do(gateway, "POST", "/orgs", org=OTHER, secret=SECRET)
            if name == "here":
                do(gateway, "POST", "/orgs", org=ORG)
                gateway.stop()
                fill(folder / name, messages)
                gateway = restarted(gateway)
            sides[name] = gateway
        here, there = sides["here"], sides["there"]
        stack.callback(_kill_all)
        wait_for_words(here)
        # The first command of a gateway loads what all of them need.
        do(here, "GET", "/orgs")
        first = folder / "first.org"
        measured("export", here, lambda: do(here, "POST", "/exports", org=ORG, file=str(first)))
        print(f"file: {first.stat().st_size / 1e6:.1f} MB")
        measured("import", there, lambda: do(there, "POST", "/imports", file=str(first)))
        second = folder / "second.org"
        do(there, "POST", "/exports", org=ORG, file=str(second))
        require_same(first, second)
        do(there, "DELETE", f"/orgs/{ORG}")

        third, fourth = folder / "third.org", folder / "fourth.org"
        do(here, "PUT", f"/orgs/{ORG}/suspension")
        order = {"org": ORG, "file": str(third)}
        times = killed(here, kills, chance, lambda: do(here, "POST", "/exports", **order))
        print(f"export: killed {times} times")
        require_same(first, third)
        times = killed(there, kills, chance, lambda: do(there, "POST", "/imports", file=str(third)))
        print(f"import: killed {times} times")
        do(there, "POST", "/exports", org=ORG, file=str(fourth))
        require_same(first, fourth)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    given = parser.parse_args(arguments)
    # A trial of minutes is watched.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    print(f"seed {given.seed}")
    folder = Path(tempfile.mkdtemp(prefix="phonegate-moving-"))
    try:
        trial(folder, given.messages, given.kills, random.Random(given.seed))
    except Broken as broken:
        print(f"broken: {broken}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

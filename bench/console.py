"""Times the console's pages over a small inbox and a large one, in turns.

    python -m bench.console --messages 1000000 --conversations 10000
    python -m bench.console --messages 1000000 --conversations 10000 --browser

Each answer is timed from its request to its last byte, over a connection that is kept; in brackets
is what it takes of the server's processor, which a busy machine changes little. With `--browser`,
Chromium opens the list too, and says when it first painted it. With `--folder`, the inboxes stay
there, and are used again.
"""

import argparse
import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import attrs

from kit import console, inbox
from kit.console import Session
from kit.gateway import UNLIMITED, GatewayProcess
from kit.load import http
from kit.load.deliveries import Quantiles
from kit.load.loops import Wrong

ORG: Final = "myorg"
SECRET: Final = "my-secret-key-123"
SMALL: Final = (1_000, 100)
"""Messages and conversations of the small one."""

TURNS: Final = 40
WARM: Final = 3

BUSY: Final = "%2B15550000001"
"""One of the parties who wrote most."""

PAINTED: Final = """
const done = arguments[0];
const page = performance.getEntriesByType("navigation")[0];
new PerformanceObserver((list) => {
  const paint = list.getEntriesByName("first-contentful-paint")[0];
  if (paint) done([page.responseEnd, page.domContentLoadedEventEnd, paint.startTime]);
}).observe({ type: "paint", buffered: true });
"""


@attrs.frozen
class Inbox:
    """A gateway with an inbox, and a person who reads it."""

    messages: int
    gateway: GatewayProcess
    session: Session
    caller: http.Caller
    middle: int
    """The id of a message in the middle of the busy conversation."""
    page_two: int
    """Where a later page of the list begins."""

    @classmethod
    async def of(cls, gateway: GatewayProcess, messages: int) -> "Inbox":
        """Signs in."""
        session = await console.sign_in(gateway.url, ORG, SECRET)
        caller = http.Caller(lambda: gateway.port)
        middle = messages // 2
        return cls(messages, gateway, session, caller, middle, messages - messages // 50)

    def pages(self) -> Mapping[str, bytes]:
        """Returns the requests that are timed."""
        get, busy = self.session.get, f"/conversations/{BUSY}"
        return {
            "list, first page": get("/conversations"),
            "list, later page": get(f"/conversations?before={self.page_two}"),
            "list, unread alone": get("/conversations?unread=1"),
            "list, the part for a script": get("/conversations?part=list"),
            "count of unread": get("/unread"),
            "conversation beside the list": get(busy),
            "conversation, older messages": get(f"{busy}?part=bubbles&before={self.middle}"),
            "search, a rare word": get("/conversations?q=needle"),
            "search, two common words": get("/conversations?q=alarm+code"),
            "search, a beginning": get("/conversations?q=cod*"),
            "search, nothing found": get("/conversations?q=zebra"),
            "search, a number": get("/conversations?q=%2B155500000"),
            "mark read": self.session.post(f"{busy}/read", {"upto": 1}),
            "GET /messages, for scale": http.encode(
                "GET",
                f"/messages/{ORG}?limit=50",
                headers={"X-Secret-Key": SECRET},
            ),
        }

    async def time(self, name: str) -> float:
        """Returns how long an answer takes, in s."""
        request = self.pages()[name]
        begun = time.perf_counter()
        status, body = await self.caller.ask(request)
        if status != 200:
            raise Wrong(f"{name}: {status} {body[:300]!r}")
        return time.perf_counter() - begun


async def measure(inboxes: Sequence[Inbox], turns: int) -> None:
    """Prints how long each page takes in each inbox."""
    head = "".join(f"{one.messages:>13,} messages" for one in inboxes)
    print(f"{'p50 (CPU), ms':32}{head}   ratio of CPU")
    for name in inboxes[0].pages():
        took: list[list[float]] = [[] for _ in inboxes]
        cpu = [0.0 for _ in inboxes]
        for turn in range(WARM + turns):
            for at, one in enumerate(inboxes):
                begun = one.gateway.cpu_s()
                passed = await one.time(name)
                if turn >= WARM:
                    took[at].append(passed)
                    cpu[at] += one.gateway.cpu_s() - begun
        shown = "".join(
            f"{Quantiles.of(seconds).p50:13.1f} ({used / turns * 1000:5.1f}) "
            for seconds, used in zip(took, cpu, strict=True)
        )
        print(f"{name:32}{shown}{cpu[-1] / cpu[0]:8.2f}", flush=True)


def paint(inboxes: Sequence[Inbox], folder: Path, turns: int) -> None:
    """Prints when Chromium has the list, and when it first paints it."""
    # Selenium is there where the tests are.
    from selenium import webdriver  # noqa: PLC0415
    from selenium.webdriver.chrome.service import Service  # noqa: PLC0415

    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={folder / 'profile'}")
    # With its path, Selenium asks no other host for a driver.
    service = Service(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        for one in inboxes:
            driver.get(f"{one.gateway.url}/console/sign-in")
            for cookie in one.session.cookie.split("; "):
                name, _, value = cookie.partition("=")
                driver.add_cookie({"name": name, "value": value, "path": "/console"})
            found: list[list[float]] = []
            for turn in range(WARM + turns):
                driver.get(f"{one.gateway.url}/console/conversations")
                if turn >= WARM:
                    found.append(driver.execute_async_script(PAINTED))
            answered, loaded, painted = (
                statistics.median(column) for column in zip(*found, strict=True)
            )
            print(
                f"list in Chromium, {one.messages:,} messages: answered after {answered:.0f} ms, "
                f"loaded {loaded:.0f} ms, first paint {painted:.0f} ms"
            )
    finally:
        driver.quit()


async def run(chosen: argparse.Namespace, folder: Path) -> None:
    """Fills both inboxes, and measures."""
    inboxes = []
    gateways = []
    try:
        sizes = (SMALL, (chosen.messages, chosen.conversations))
        for messages, conversations in sizes:
            database = folder / f"{messages}.db"
            if not database.exists():
                fill = partial(inbox.fill, messages=messages, conversations=conversations)
                await asyncio.to_thread(fill, database, ORG, SECRET)
            gateways.append(GatewayProcess(database, settings=UNLIMITED))
            await asyncio.to_thread(gateways[-1].wait_until_ready)
            inboxes.append(await Inbox.of(gateways[-1], messages))
        await measure(inboxes, chosen.turns)
        if chosen.browser:
            await asyncio.to_thread(paint, inboxes, folder, chosen.turns)
    finally:
        for one in inboxes:
            one.caller.close()
        for gateway in gateways:
            gateway.stop()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.console",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--messages", type=int, default=1_000_000, help="of the large inbox")
    parser.add_argument("--conversations", type=int, default=10_000, help="of the large inbox")
    parser.add_argument("--turns", type=int, default=TURNS, help=f"of each page ({TURNS})")
    parser.add_argument("--browser", action="store_true", help="Chromium too")
    parser.add_argument("--folder", type=Path, help="keeps the inboxes there")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="phonegate-console-") as folder:
        asyncio.run(run(chosen, chosen.folder or Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

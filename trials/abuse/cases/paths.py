"""Targets that want to be another path than they are."""

from collections import Counter

import trio

from trials.abuse.case import case
from trials.abuse.victim import Victim, statuses
from trials.attackers import ORG, SECRET

OURS = f"/messages/{ORG}/{SECRET}"
TARGETS = [
    f"/messages/../messages/{ORG}/{SECRET}",
    f"/messages/{ORG}/../{ORG}/{SECRET}",
    f"/messages/{ORG}/%2e%2e/{ORG}/{SECRET}",
    f"/messages/{ORG}/%252e%252e/{SECRET}",
    f"//messages/{ORG}/{SECRET}",
    f"/messages//{ORG}/{SECRET}",
    f"{OURS}/",
    f"{OURS}//",
    f"{OURS};x=y",
    f"/messages;x/{ORG}/{SECRET}",
    f"{OURS}%00",
    f"/messages%00/{ORG}/{SECRET}",
    f"/messages/{ORG}%00/{SECRET}",
    f"/messages/{ORG}/{SECRET}%0d%0aX-Injected:%20yes",
    f"/messages%2f{ORG}%2f{SECRET}",
    f"/messages/{ORG}%2f{SECRET}",
    f"/messages/{ORG}/{SECRET}%2f..%2f",
    f"/messages/{ORG}/%c0%af{SECRET}",
    f"/messages/{ORG}/%ed%a0%80",
    f"/messages/{ORG}/%ff%fe",
    f"/messages/{ORG}/%",
    f"/messages/{ORG}/%zz",
    f"/messages/{ORG}/%u0041",
    f"/MESSAGES/{ORG}/{SECRET}",
    f"/messages\\{ORG}\\{SECRET}",
    f"/messages/{ORG}/{SECRET}#fragment",
    f"/messages/{ORG}/{SECRET}?limit=1&limit=2",
    f"/messages/{ORG}/{SECRET}?limit=%00",
    f"/messages/{ORG}/{SECRET}?q=%ff&limit=1",
    f"/messages/{ORG}/{SECRET}?" + "&".join(f"a{i}=1" for i in range(1_500)),
    "/" + "a" * 15_000,
    "/" + "a/" * 7_000,
    "/" + "%2e%2e/" * 2_000,
    "/messages/" + "%61" * 5_000,
    "/docs/../../../../etc/passwd",
    "/docs/..%2f..%2f..%2fetc/passwd",
    "/docs/%2e%2e/%2e%2e/etc/passwd",
    "/docs//etc/passwd",
    "/docs/....//....//etc/passwd",
    "/favicon.ico/..",
    "/health/../metrics",
    "*",
    "?",
    "messages",
    "http://",
    "http://x",
    "http:///messages",
    f"http://u:p@other{OURS}",
    f"https://[::1{OURS}",
    f"ftp://x{OURS}",
]
ALLOWED = {200, 301, 308, 400, 401, 404, 405, 426, 429, 431}


@case("path tricks", "each is the path that it says or is refused; no 5xx, no secret in the log")
async def path_tricks(victim: Victim) -> None:
    counts: Counter[int] = Counter()

    async def ask(target: str, limit: trio.CapacityLimiter) -> None:
        async with limit, await victim.connect() as wire:
            head = f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            await wire.send(head.encode())
            answer = await wire.answer() or b""
        status = (statuses(answer) or [0])[0]
        counts[status] += 1
        short = target if len(target) < 90 else target[:90] + "…"
        victim.expect(status in ALLOWED, f"{short}: {answer[:60]!r}")
        victim.expect(b"root:" not in answer, f"{short}: a file of the machine")
        victim.expect(b"\r\nX-Injected" not in answer, f"{short}: a header of the client's making")
        if status == 200:
            victim.expect(_is_itself(target), f"{short}: 200")
        if status != 200:
            victim.expect(SECRET.encode() not in answer, f"{short}: the answer holds the secret")

    limit = trio.CapacityLimiter(10)
    async with trio.open_nursery() as nursery:
        for target in [OURS, *TARGETS]:
            nursery.start_soon(ask, target, limit)
    victim.expect(counts[200] > 0, "the plain path isn't answered either")
    lines = [line for line in victim.gateway.log if SECRET in line]
    victim.expect(not lines, f"the log holds a secret: {lines[:1]}")
    victim.seen(", ".join(f"{status}: {times}" for status, times in sorted(counts.items())))


def _is_itself(target: str) -> bool:
    """Tells whether a target may be answered: the plain path, in whatever form HTTP allows."""
    path = target.removeprefix("http://u:p@other").partition("?")[0]
    return path.rstrip("/") in {OURS, ""} or target in {"http://x", "?"}

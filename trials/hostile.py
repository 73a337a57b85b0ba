"""Makes hostile connections to a gateway and checks that it neither falls, hangs nor leaks.

    python -m trials.hostile --connections 1000

Mutated handshakes, the inputs that are known to stop this stack's parts, dripped heads, early
resets, oversized heads, bodies and frames, broken WebSocket frames, and peers that never read.
While it lasts an honest client goes on asking; at the end the gateway's tasks and descriptors
must be back at their start level. Exits 1 when they are not, or when an answer failed.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx
import trio

from kit.gateway import GatewayProcess
from trials.attackers import ORG, SECRET, Attackers

SETTINGS = {"HTTP_HEAD_TIMEOUT_S": 3, "HTTP_PEER_TIMEOUT_S": 3}
AT_ONCE = 100
"""Hostile connections at the same time."""
SETTLE_S = 30.0
"""Time for the gateway to clear up after the last of them."""
HONEST_DEADLINE_S = 5.0
"""An honest request that takes longer counts as refused service, even on a busy machine."""


async def besiege(gateway: GatewayProcess, connections: int, seed: int) -> list[str]:
    """Makes the connections. Returns what went wrong."""
    faults: list[str] = []
    url = f"{gateway.url}/messages/{ORG}"
    async with httpx.AsyncClient(headers={"X-Secret-Key": SECRET}, timeout=60) as honest:
        sms = [{"address": "+15551112222", "body": "x" * 1_000, "id": str(i)} for i in range(500)]
        content = {"org_id": ORG, "secret_key": SECRET, "messages": sms}
        (await honest.post(f"{gateway.url}/webhook", json=content)).raise_for_status()
        # What serves pages has tasks of its own, from the first request for one on.
        await honest.get(f"{gateway.url}/")
        await honest.get(url)
        before = await trio.to_thread.run_sync(gateway.holdings)
        done: Counter[str] = Counter()
        slowest = 0.0
        attackers = Attackers(gateway.port, random.Random(seed))
        limiter = trio.CapacityLimiter(AT_ONCE)

        async def attack() -> None:
            async with limiter:
                await attackers.one(done)

        async with trio.open_nursery() as siege:
            for _ in range(connections):
                siege.start_soon(attack)
            while done.total() < connections:
                begun = time.monotonic()
                try:
                    answer = await honest.get(url, params={"limit": 1})
                    if answer.status_code != 200:
                        faults.append(f"an honest client was answered {answer.status_code}")
                except httpx.HTTPError as error:
                    faults.append(f"an honest client failed: {error!r}")
                slowest = max(slowest, time.monotonic() - begun)
                await trio.sleep(0.1)
        if slowest > HONEST_DEADLINE_S:
            faults.append(f"an honest client waited {slowest:.1f} s")
        print(f"{done.total()} connections: {dict(sorted(done.items()))}")
        print(f"slowest honest answer: {slowest * 1000:.0f} ms")
        after = before
        with trio.move_on_after(SETTLE_S):
            while True:
                after = await trio.to_thread.run_sync(gateway.holdings)
                if after.within(before):
                    break
                await trio.sleep(0.2)
        print(f"before {before}, after {after}")
        if not after.within(before):
            faults.append(f"left behind: {after} where it began with {before}")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m trials.hostile",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--connections", type=int, default=1000, help="how many (1000)")
    parser.add_argument("--seed", type=int, default=1, help="seed of all chance (1)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="phonegate-hostile-") as folder:
        with GatewayProcess(Path(folder) / "phonegate.db", settings=SETTINGS) as gateway:
            faults = trio.run(besiege, gateway, chosen.connections, chosen.seed)
            if gateway.process.poll() is not None:
                faults.append("the gateway is gone")
        faults += [line for line in gateway.log if '"error"' in line][:10]
    for fault in faults:
        print("FAULT:", fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

"""Who asks and never reads: zero-window clients of big pages, phones with their ears shut."""

import json
from collections import Counter

import trio

from kit.load import http
from trials.abuse.case import case
from trials.abuse.org import GONE_S, HEADERS, call, known, phone, stay_alive
from trials.abuse.victim import Victim, Wire
from trials.attackers import ORG

READERS = 30
WINDOW = 2_048
PAGES = 20
"""Pages that one client asks for in a row: 1.1 MB each."""
TRIES = 3
"""To be online together: on a machine that stands still for two seconds, one is found dead."""
MESSAGES = 100
"""For each deaf phone, 5 KB each: as many as it may have in flight, and more than its window."""


@case(
    "zero-window readers", "dropped after the peer's time; no more than a page in memory for each"
)
async def unread_pages(victim: Victim) -> None:
    request = http.encode("GET", f"/messages/{ORG}?limit=1000", headers=HEADERS)
    at_start = await trio.to_thread.run_sync(victim.gateway.holdings)
    ended = 0

    async def client() -> None:
        nonlocal ended
        async with await victim.connect(window=WINDOW) as wire:
            await wire.send(request * PAGES)
            # The gateway's end comes as an error here: what it wrote last was never read.
            with trio.move_on_after(GONE_S) as scope:
                while await wire.send(b"\r\n"):  # noqa: ASYNC110 - only sending tells
                    await trio.sleep(0.2)
            ended += not scope.cancelled_caught

    async with trio.open_nursery() as nursery:
        for _ in range(READERS):
            nursery.start_soon(client)
    victim.expect(ended == READERS, f"{READERS - ended} of {READERS} readers were never dropped")
    grown = (await trio.to_thread.run_sync(victim.gateway.holdings)).rss_bytes - at_start.rss_bytes
    victim.seen(f"{ended} of {READERS} dropped, memory {grown / 2**20:+.0f} MiB meanwhile")


@case(
    "phones that never read", "dropped after the write's time; their messages wait on, none fails"
)
async def deaf_phones(victim: Victim) -> None:
    numbers = [f"+1555000{i:04d}" for i in range(3)]
    wires: list[Wire] = []
    gone: set[Wire] = set()

    async def live(wire: Wire) -> None:
        await stay_alive(wire)
        gone.add(wire)

    ids: list[int] = []
    async with trio.open_nursery() as nursery:
        for _ in range(TRIES):
            wires = [await phone(victim, one[1:], one, window=WINDOW) for one in numbers]
            for wire in wires:
                nursery.start_soon(live, wire)
            if shown := await known(victim, numbers, within_s=GONE_S / TRIES):
                break
        victim.expect(shown, "deaf phones are not shown online")
        for number in numbers:
            item = {"to": "+15553334444", "sim": number, "body": "\u20ac" * 1_600}
            batch = {"messages": [item] * MESSAGES}
            status, body = await call(victim, "POST", f"/send/{ORG}", batch)
            victim.expect(status == 200, f"/send: {status} {body[:200]!r}")
            ids += [result["id"] for result in json.loads(body).get("results", ())]
        nursery.cancel_scope.deadline = trio.current_time() + GONE_S
    for wire in wires:
        await trio.aclose_forcefully(wire.stream)
    left = [wire for wire in wires if wire not in gone]
    victim.expect(not left, f"{len(left)} deaf phones were never dropped")
    since, states = min(ids, default=1) - 1, Counter[str]()
    while True:
        # A page of such texts ends long before its limit.
        target = f"/messages/{ORG}?direction=out&limit=1000&since_id={since}"
        status, body = 503, b""
        with trio.move_on_after(GONE_S):
            # 503: what the readers before were answered has not left yet.
            while status == 503:
                status, body = await call(victim, "GET", target, None)
                await trio.sleep(0.1)
        victim.expect(status == 200, f"reading was answered {status} {body[:200]!r}")
        page = json.loads(body).get("messages", ()) if status == 200 else ()
        if not page:
            break
        since = page[-1]["id"]
        states.update(m["status"] for m in page if m["id"] in ids)
    waiting = states["queued"] + states["sending"]
    victim.expect(waiting >= len(set(ids)), f"of {len(ids)} messages are {dict(states)}")
    victim.seen(
        f"{len(wires) - len(left)} phones dropped, {waiting} of {len(ids)} messages wait for them"
    )

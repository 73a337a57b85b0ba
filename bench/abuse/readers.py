"""Who asks and never reads: zero-window clients of big pages, phones with their ears shut."""

import json
from collections.abc import Collection

import trio

from bench.abuse.ground import Ground, Wire
from bench.abuse.kind import kind
from bench.hostile import ORG, SECRET, frame, handshake
from bench.load import http, phones

READERS = 30
WINDOW = 2_048
PAGES = 20
"""Pages that one client asks for in a row: 1.1 MB each."""
GONE_S = 30.0
"""For the gateway to give up who doesn't read; its deadlines are 2 s here."""
MESSAGES = 100
"""For each deaf phone, 5 KB each: as many as it may have in flight, and more than its window."""

_HEADERS = {"X-Secret-Key": SECRET}


async def tell(ground: Ground, method: str, target: str, content: object) -> tuple[int, bytes]:
    """A well-formed request of the attackers' own org, on a connection of its own."""
    body = None if content is None else json.dumps(content).encode()
    request = http.encode(method, target, body, headers=_HEADERS)
    async with await ground.connect() as wire:
        await wire.send(request.replace(b"Accept: */*", b"Connection: close"))
        head, _, answer = (await wire.answer() or b"").partition(b"\r\n\r\n")
    return int(head[9:12] or b"0"), answer


async def stock(ground: Ground) -> None:
    """Makes the attackers' org, with pages to ask for."""
    sms = [{"address": "+15551112222", "body": "x" * 1_000, "id": str(i)} for i in range(500)]
    for half in (0, 1):
        content = {"org_id": ORG, "messages": [{**m, "date": half + 1} for m in sms]}
        status, body = await tell(ground, "POST", "/webhook", content)
        ground.expect(status == 200, f"/webhook: {status} {body!r}")


async def phone(ground: Ground, device: str, number: str, *, window: int | None = None) -> Wire:
    """A phone of the attackers' own org with one SIM."""
    wire = await ground.connect(window=window)
    await wire.send(handshake(device=device))
    await wire.some(b"\r\n\r\n")
    await wire.send(phones.hello(device) + phones.sims(number))
    return wire


async def stay_alive(wire: Wire) -> None:
    """Gives signs of life without reading, until the gateway has gone."""
    while await wire.send(frame(b"", opcode=10)):  # noqa: ASYNC110 - only sending tells
        await trio.sleep(0.2)


async def known(ground: Ground, numbers: Collection[str], *, online: bool = True) -> bool:
    """Waits until all of these SIMs are shown as online, or none; whether that came to be."""
    with trio.move_on_after(GONE_S):
        while True:
            status, body = await tell(ground, "GET", f"/sims/{ORG}", None)
            if status == 200:
                live = {sim["number"] for sim in json.loads(body)["live_sims"]}
                if live.issuperset(numbers) if online else live.isdisjoint(numbers):
                    return True
            await trio.sleep(0.1)
    return False


@kind(
    "zero-window readers", "dropped after the peer's time; no more than a page in memory for each"
)
async def unread_pages(ground: Ground) -> None:
    request = http.encode("GET", f"/messages/{ORG}?limit=1000", headers=_HEADERS)
    at_start = await trio.to_thread.run_sync(ground.holdings)
    ended = 0

    async def client() -> None:
        nonlocal ended
        async with await ground.connect(window=WINDOW) as wire:
            await wire.send(request * PAGES)
            # The gateway's end comes as an error here: what it wrote last was never read.
            with trio.move_on_after(GONE_S) as scope:
                while await wire.send(b"\r\n"):  # noqa: ASYNC110 - only sending tells
                    await trio.sleep(0.2)
            ended += not scope.cancelled_caught

    async with trio.open_nursery() as nursery:
        for _ in range(READERS):
            nursery.start_soon(client)
    ground.expect(ended == READERS, f"{READERS - ended} of {READERS} readers were never dropped")
    grown = (await trio.to_thread.run_sync(ground.holdings)).rss_bytes - at_start.rss_bytes
    ground.seen(f"{ended} of {READERS} dropped, memory {grown / 2**20:+.0f} MiB meanwhile")


@kind(
    "phones that never read", "dropped after the write's time; their messages wait on, none fails"
)
async def deaf_phones(ground: Ground) -> None:
    numbers = [f"+1555000{i:04d}" for i in range(3)]
    wires = [await phone(ground, number[1:], number, window=WINDOW) for number in numbers]
    gone = 0

    async def live(wire: Wire) -> None:
        nonlocal gone
        await stay_alive(wire)
        gone += 1

    ids: list[int] = []
    async with trio.open_nursery() as nursery:
        for wire in wires:
            nursery.start_soon(live, wire)
        ground.expect(await known(ground, numbers), "deaf phones are not shown online")
        for number in numbers:
            item = {"to": "+15553334444", "sim": number, "body": "\u20ac" * 1_600}
            batch = {"messages": [item] * MESSAGES}
            status, body = await tell(ground, "POST", f"/send/{ORG}", batch)
            ground.expect(status == 200, f"/send: {status} {body[:200]!r}")
            ids += [result["id"] for result in json.loads(body).get("results", ())]
        nursery.cancel_scope.deadline = trio.current_time() + GONE_S
    for wire in wires:
        await trio.aclose_forcefully(wire.stream)
    ground.expect(gone == len(wires), f"{len(wires) - gone} deaf phones were never dropped")
    waiting, since = 0, min(ids, default=1) - 1
    while True:
        # A page of such texts ends long before its limit.
        target = f"/messages/{ORG}?direction=out&limit=1000&since_id={since}"
        status, body = await tell(ground, "GET", target, None)
        page = json.loads(body).get("messages", ())
        if not page:
            break
        since = page[-1]["id"]
        waiting += sum(m["id"] in ids and m["status"] in {"queued", "sending"} for m in page)
    ground.expect(waiting >= len(set(ids)), f"{waiting} of {len(ids)} messages still wait")
    ground.seen(f"{gone} phones dropped, {waiting} of {len(ids)} messages wait for them")

"""The attackers' own org: its requests and its phones."""

import json
from collections.abc import Collection

import trio

from kit.load import http, phones
from trials.abuse.victim import Victim, Wire
from trials.attackers import ORG, SECRET, frame, handshake

GONE_S = 30.0
"""For the gateway to give up who doesn't read; its deadlines are 2 s here."""

HEADERS = {"X-Secret-Key": SECRET}


async def call(victim: Victim, method: str, target: str, content: object) -> tuple[int, bytes]:
    """Returns a well-formed request of the attackers' own org, on a connection of its own."""
    body = None if content is None else json.dumps(content).encode()
    request = http.encode(method, target, body, headers=HEADERS)
    async with await victim.connect() as wire:
        await wire.send(request.replace(b"Accept: */*", b"Connection: close"))
        head, _, answer = (await wire.answer() or b"").partition(b"\r\n\r\n")
    return int(head[9:12] or b"0"), answer


async def stock(victim: Victim) -> None:
    """Makes the attackers' org, with pages to ask for."""
    sms = [{"address": "+15551112222", "body": "x" * 1_000, "id": str(i)} for i in range(500)]
    for half in (0, 1):
        content = {"org_id": ORG, "messages": [{**m, "date": half + 1} for m in sms]}
        status, body = await call(victim, "POST", "/webhook", content)
        victim.expect(status == 200, f"/webhook: {status} {body!r}")


async def phone(victim: Victim, device: str, number: str, *, window: int | None = None) -> Wire:
    """Returns a phone of the attackers' own org with one SIM."""
    wire = await victim.connect(window=window)
    await wire.send(handshake(device=device))
    await wire.some(b"\r\n\r\n")
    await wire.send(phones.hello(device) + phones.sims(number))
    return wire


async def stay_alive(wire: Wire) -> None:
    """Gives signs of life without reading, until the gateway has gone."""
    while await wire.send(frame(b"", opcode=10)):  # noqa: ASYNC110 - only sending tells
        await trio.sleep(0.2)


async def known(
    victim: Victim, numbers: Collection[str], *, online: bool = True, within_s: float = GONE_S
) -> bool:
    """Waits until all of these SIMs are shown as online, or none. Returns whether they were."""
    with trio.move_on_after(within_s):
        while True:
            status, body = await call(victim, "GET", f"/sims/{ORG}", None)
            if status == 200:
                live = {sim["number"] for sim in json.loads(body)["live_sims"]}
                if live.issuperset(numbers) if online else live.isdisjoint(numbers):
                    return True
            await trio.sleep(0.1)
    return False

"""A disk that takes no more: full, or failing at writes, or at flushes."""

import json
import sqlite3
from itertools import count

import trio

from trials.abuse.case import case
from trials.abuse.org import call, phone, stay_alive
from trials.abuse.victim import Victim, Wire
from trials.attackers import ORG, frame

FAILS_S = 20.0
"""For the first refusal: a log that was written before has room for some more."""
RECOVERS_S = 25.0
"""Past the longest pause between two tries."""
NUMBER = "+15550002222"


async def _refused(victim: Victim, numbers: "count[int]") -> set[str]:
    """Sends until it is refused. Returns the bodies that were accepted."""
    accepted: set[str] = set()
    with trio.move_on_after(FAILS_S) as scope:
        while True:
            body = f"storage {next(numbers)} " + "x" * 1_000
            status, answer = await call(victim, "POST", f"/send/{ORG}", _send(body))
            victim.expect(status in {200, 503}, f"/send: {status} {answer[:200]!r}")
            if status == 503:
                victim.expect(
                    json.loads(answer)["code"] == "storage_unavailable", f"/send: {answer!r}"
                )
                break
            accepted.add(body)
    victim.expect(not scope.cancelled_caught, "no write was ever refused")
    return accepted


def _send(body: str) -> dict[str, str]:
    return {"to": "+15553334444", "sim": NUMBER, "body": body}


async def _inbound(wire: Wire, number: int) -> None:
    message = {"address": "+15557770000", "body": f"kept {number}", "date": 1, "id": str(number)}
    await wire.send(frame(json.dumps({"type": "inbound", "message": message}).encode()))


async def _answered(wire: Wire, kind_: str, seconds: float) -> bool:
    """Tells whether the phone gets a frame of this type in time."""
    until = trio.current_time() + seconds
    while (came := await wire.frame(max(0.0, until - trio.current_time()))) is not None:
        opcode, payload = came
        if opcode == 1 and json.loads(payload)["type"] == kind_:
            return True
    return False


async def _fail(victim: Victim, how: str) -> None:
    numbers = count()
    wire = await phone(victim, "careful", NUMBER)
    async with wire, trio.open_nursery() as nursery:
        nursery.start_soon(stay_alive, wire)
        victim.hurt(how)
        accepted = await _refused(victim, numbers)
        refused = {f"storage {next(numbers)} refused" for _ in range(5)}
        for body in refused:
            status, _ = await call(victim, "POST", f"/send/{ORG}", _send(body))
            if status == 200:
                accepted.add(body)
        refused -= accepted
        status, _ = await call(victim, "GET", f"/messages/{ORG}?limit=1", None)
        victim.expect(status == 200, f"reading was answered {status}")
        await _inbound(wire, 1)
        acked = await _answered(wire, "inbound_ack", max(1.0, victim.seconds))
        victim.expect(
            not acked or _stored(victim, "kept 1") == 1, "an inbound was acked and not stored"
        )
        victim.heal()
        status = 0
        with trio.move_on_after(RECOVERS_S):
            while status != 200:
                status, _ = await call(victim, "POST", f"/send/{ORG}", _send("afterwards"))
                await trio.sleep(0.1)
        victim.expect(status == 200, "writing never worked again")
        if not acked:
            acked = await _answered(wire, "inbound_ack", RECOVERS_S)
        victim.expect(acked, "an inbound was never acked")
        nursery.cancel_scope.cancel()
    victim.expect(_stored(victim, "kept 1") == 1, "an inbound was not stored once")
    for body in accepted:
        victim.expect(_stored(victim, body) == 1, f"an accepted message is gone: {body[:20]}")
    for body in refused:
        victim.expect(_stored(victim, body) == 0, f"a refused message was stored: {body[:20]}")
    victim.expect(_sound(victim), "the file is damaged")
    victim.seen(f"{len(accepted)} accepted and {len(refused)} refused meanwhile; recovered")


def _query(victim: Victim, question: str, *values: str) -> object:
    connection = sqlite3.connect(f"file:{victim.gateway.database}?mode=ro", uri=True, timeout=10)
    try:
        return connection.execute(question, values).fetchone()[0]
    finally:
        connection.close()


def _stored(victim: Victim, body: str) -> object:
    return _query(victim, "SELECT count(*) FROM messages WHERE body = ?", body)


def _sound(victim: Victim) -> bool:
    return _query(victim, "PRAGMA integrity_check") == "ok"


_EXPECTED = "503 for what must be stored, reading goes on, no ack; all or nothing, and recovery"


@case("disk full", _EXPECTED, environment="small disk", writes_may_fail=True)
async def disk_full(victim: Victim) -> None:
    await _fail(victim, "space")


@case("failing writes", _EXPECTED, environment="failing disk", writes_may_fail=True)
async def failing_writes(victim: Victim) -> None:
    await _fail(victim, "write")


@case("failing flushes", _EXPECTED, environment="failing disk", writes_may_fail=True)
async def failing_flushes(victim: Victim) -> None:
    await _fail(victim, "flush")

"""A clock that is set forward a day and back again, past where it was."""

import json

import trio

from bench.abuse.ground import Ground
from bench.abuse.kind import kind
from bench.abuse.readers import tell
from bench.hostile import ORG

DAY_S = 86_400
HOUR_S = 3_600
EXPIRES_S = 20.0
"""For what became too old at once to be found so."""


async def _send(ground: Ground, body: str, ttl_s: int, key: str) -> int:
    item = {"to": "+15553334444", "sim": "+15550003333", "body": body, "ttl": ttl_s}
    status, answer = await tell(ground, "POST", f"/send/{ORG}", item)
    ground.expect(status == 200, f"/send {key}: {status} {answer[:200]!r}")
    return int(json.loads(answer)["results"][0]["id"])


async def _status(ground: Ground, message: int) -> str:
    _, answer = await tell(ground, "GET", f"/messages/{ORG}/id/{message}", None)
    found = json.loads(answer)
    return str(found.get("message", found)["status"])


@kind(
    "clock jumps",
    "nothing lost or sent twice, ids ascend; a ttl ends no earlier than the clock says",
    stage="other clock",
)
async def jumps(ground: Ground) -> None:
    short = await _send(ground, "an hour", HOUR_S, "short")
    long = await _send(ground, "a week", 7 * DAY_S, "long")
    await trio.sleep(ground.seconds / 3)
    ground.hurt(f"+{DAY_S}")
    status = ""
    with trio.move_on_after(EXPIRES_S):
        while (status := await _status(ground, short)) != "expired":  # noqa: ASYNC110 - as users ask
            await trio.sleep(0.1)
    ground.expect(status == "expired", f"a day later, a message of an hour is {status}")
    ahead = await _send(ground, "a minute, tomorrow", 60, "ahead")
    await trio.sleep(ground.seconds / 3)
    ground.hurt(f"-{HOUR_S}")
    behind = await _send(ground, "a minute, earlier", 60, "behind")
    await trio.sleep(max(1.0, ground.seconds / 3))
    found = {m: await _status(ground, m) for m in (short, long, ahead, behind)}
    ground.expect(found[short] == "expired", f"what had expired is {found[short]}")
    for message in (long, ahead, behind):
        ground.expect(found[message] == "queued", f"a message with time left is {found[message]}")
    ground.expect(short < long < ahead < behind, "ids do not ascend")
    ground.heal()
    ground.seen("a day forward, 25 hours back: " + ", ".join(found.values()))

"""A clock that is set forward a day and back again, past where it was."""

import json
from http import HTTPStatus

import trio

from trials.abuse.case import case
from trials.abuse.org import call
from trials.abuse.victim import Victim
from trials.attackers import ORG

DAY_S = 86_400
HOUR_S = 3_600
EXPIRES_S = 60.0
"""For what became too old at once to be found so."""


async def _send(victim: Victim, body: str, ttl_s: int, key: str) -> int:
    item = {"to": "+15553334444", "sim": "+15550003333", "body": body, "ttl": ttl_s}
    status, answer = await call(victim, "POST", f"/send/{ORG}", item)
    victim.expect(status == 200, f"/send {key}: {status} {answer[:200]!r}")
    return int(json.loads(answer)["results"][0]["id"])


async def _status(victim: Victim, message: int) -> str:
    status, answer = await call(victim, "GET", f"/messages/{ORG}/id/{message}", None)
    if status != HTTPStatus.OK:
        return f"answered with {status}"
    found = json.loads(answer)
    return str(found.get("message", found)["status"])


@case(
    "clock jumps",
    "nothing lost or sent twice, ids ascend; a ttl ends no earlier than the clock says",
    environment="other clock",
)
async def jumps(victim: Victim) -> None:
    short = await _send(victim, "an hour", HOUR_S, "short")
    long = await _send(victim, "a week", 7 * DAY_S, "long")
    await trio.sleep(victim.seconds / 3)
    victim.hurt(f"+{DAY_S}")
    status = ""
    with trio.move_on_after(EXPIRES_S):
        while (status := await _status(victim, short)) != "expired":  # noqa: ASYNC110 - as users ask
            await trio.sleep(0.1)
    victim.expect(status == "expired", f"a day later, a message of an hour is {status}")
    ahead = await _send(victim, "a minute, tomorrow", 60, "ahead")
    await trio.sleep(victim.seconds / 3)
    victim.hurt(f"-{HOUR_S}")
    behind = await _send(victim, "a minute, earlier", 60, "behind")
    await trio.sleep(max(1.0, victim.seconds / 3))
    found = {m: await _status(victim, m) for m in (short, long, ahead, behind)}
    victim.expect(found[short] == "expired", f"what had expired is {found[short]}")
    for message in (long, ahead, behind):
        victim.expect(found[message] == "queued", f"a message with time left is {found[message]}")
    victim.expect(short < long < ahead < behind, "ids do not ascend")
    victim.heal()
    victim.seen("a day forward, 25 hours back: " + ", ".join(found.values()))

"""One case of abuse on its victim: calm, attack, calm again, and what came of it."""

import time

import attrs
import trio

from kit.gateway import Holdings
from trials.abuse.case import Case
from trials.abuse.honest_clients import ROLES
from trials.abuse.honest_process import Latency
from trials.abuse.org import stock
from trials.abuse.victim import Victim

SETTLE_S = 40.0
"""For the gateway to clear up: past all of its deadlines, and the kernel's."""
GROWTH_BYTES = 64 * 2**20
"""Memory that an attack may leave behind: Python's allocator keeps what was used once, and a
document of a megabyte becomes many small objects before it is refused."""
TIMES = 5.0
"""Honest clients' p99 during an attack may be so many times what it was in the calm. Gateway,
attackers and honest clients share the machine's cores here, which alone costs a factor of two
or three; a user who waits for an attacker waits for seconds."""
NOISE_MS = 100.0
"""And as much as this in any case: what a machine of two cores does without an attack."""
LEVELS = 5
"""Looks at what is held, before it begins: honest clients come and go meanwhile."""


@attrs.frozen(kw_only=True)
class Report:
    """What was seen of one case."""

    case: Case
    facts: tuple[str, ...]
    faults: tuple[str, ...]
    calm: dict[str, Latency]
    during: dict[str, Latency]
    after: dict[str, Latency]
    before: Holdings
    left: Holdings
    seconds: float

    def worst(self, phase: dict[str, Latency]) -> float:
        """Returns the highest p99 of all roles, in milliseconds."""
        return max(latency.p99 for latency in phase.values())


async def prepare(victim: Victim) -> None:
    """Makes the attackers' org and has all lanes loaded, once."""
    if not victim.stocked:
        await stock(victim)
        # What serves pages has tasks of its own, from the first request for one on.
        async with await victim.connect() as wire:
            await wire.send(b"GET / HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n")
            await wire.answer()
        victim.stocked = True


async def run(
    case: Case, victim: Victim, *, seconds: float, calm_s: float, measured: bool = True
) -> Report:
    """Runs one case. With `measured`, latency and memory must keep their bounds as well."""
    await prepare(victim)
    victim = attrs.evolve(victim, seconds=seconds, faults=[], facts=[])
    logged = len(victim.gateway.log)
    begun = time.monotonic()
    looks = []
    for _ in range(LEVELS):
        await trio.sleep(calm_s / LEVELS)
        looks.append(await trio.to_thread.run_sync(victim.gateway.holdings))
    before = Holdings(
        max(look.tasks for look in looks),
        max(look.descriptors for look in looks),
        max(look.rss_bytes for look in looks),
    )
    attacked = time.monotonic()
    await case.attack(victim)
    relieved = time.monotonic()
    left = await _settled(victim, before)
    victim.expect(left.tasks <= before.tasks, f"tasks: {before.tasks}, then {left.tasks}")
    victim.expect(
        left.descriptors <= before.descriptors,
        f"descriptors: {before.descriptors}, then {left.descriptors}",
    )
    grown = left.rss_bytes - before.rss_bytes
    victim.expect(grown <= GROWTH_BYTES or not measured, f"memory grew by {grown / 2**20:.0f} MiB")
    settled = time.monotonic()
    await trio.sleep(calm_s)
    phases = [(begun, attacked), (attacked, relieved), (settled, time.monotonic())]
    calm, during, after = [_latencies(case, victim, *phase) for phase in phases]
    if measured and not case.writes_may_fail:
        _in_time(victim, calm, during, after)
    _log_is_clean(case, victim, logged)
    victim.expect(victim.gateway.process.poll() is None, "the gateway is gone")
    return Report(
        case=case,
        facts=tuple(victim.facts),
        faults=tuple(victim.faults),
        calm=calm,
        during=during,
        after=after,
        before=before,
        left=left,
        seconds=time.monotonic() - begun,
    )


async def _settled(victim: Victim, before: Holdings) -> Holdings:
    now = await trio.to_thread.run_sync(victim.gateway.holdings)
    with trio.move_on_after(SETTLE_S):
        while not now.within(before):
            await trio.sleep(0.1)
            now = await trio.to_thread.run_sync(victim.gateway.holdings)
    return now


def _latencies(case: Case, victim: Victim, begun: float, ended: float) -> dict[str, Latency]:
    """Returns how long the honest clients waited in a phase, and checks their answers."""
    found = {}
    for role, samples in victim.honest.between(begun, ended).items():
        allowed = {200, 503} if case.writes_may_fail and role in {"send", "webhook"} else {200}
        wrong = [sample.status for sample in samples if sample.status not in allowed]
        victim.expect(not wrong, f"an honest {role} was answered {wrong[:3]} ({len(wrong)} times)")
        found[role] = Latency.of([sample for sample in samples if sample.status == 200])
    return found


def _in_time(
    victim: Victim, calm: dict[str, Latency], during: dict[str, Latency], after: dict[str, Latency]
) -> None:
    for role in ROLES:
        usual = max(calm[role].p99, after[role].p99)
        bound = TIMES * usual + NOISE_MS
        victim.expect(
            during[role].p99 <= bound,
            f"honest {role}: p99 {during[role].p99:.0f} ms, bound {bound:.0f} ms",
        )


def _log_is_clean(case: Case, victim: Victim, logged: int) -> None:
    """Checks that the log has no fault of the gateway's own. A failing disk may be logged."""
    marks = ['"request_failed"', '"connection_failed"', "Traceback"]
    marks += [] if case.writes_may_fail else ['"level": "error"']
    bad = [line for line in victim.gateway.log[logged:] if any(mark in line for mark in marks)]
    victim.expect(not bad, f"{len(bad)} faults in the log, as {bad[:1]}")

"""One kind of abuse on its ground: calm, attack, calm again, and what came of it."""

import time

import attrs
import trio

from bench.abuse.ground import Ground, Holdings
from bench.abuse.honest import ROLES
from bench.abuse.kind import Kind
from bench.abuse.party import Latency
from bench.abuse.readers import stock

SETTLE_S = 40.0
"""For the gateway to clear up: past all of its deadlines, and the kernel's."""
GROWTH_BYTES = 64 * 2**20
"""Memory that an attack may leave behind: Python's allocator keeps what was used once, and a
document of a megabyte becomes many small objects before it is refused."""
TIMES = 5.0
"""Honest users' p99 during an attack may be so many times what it was in the calm. Gateway,
attackers and honest users share the machine's cores here, which alone costs a factor of two
or three; a user who waits for an attacker waits for seconds."""
NOISE_MS = 100.0
"""And as much as this in any case: what a machine of two cores does without an attack."""
LEVELS = 5
"""Looks at what is held, before it begins: honest users come and go meanwhile."""


@attrs.frozen(kw_only=True)
class Report:
    """What was seen of one kind."""

    kind: Kind
    facts: tuple[str, ...]
    faults: tuple[str, ...]
    calm: dict[str, Latency]
    during: dict[str, Latency]
    after: dict[str, Latency]
    before: Holdings
    left: Holdings
    seconds: float

    def worst(self, phase: dict[str, Latency]) -> float:
        """The highest p99 of all roles, in milliseconds."""
        return max(latency.p99 for latency in phase.values())


async def prepare(ground: Ground) -> None:
    """Makes the attackers' org, once."""
    if not ground.stocked:
        await stock(ground)
        ground.stocked = True


async def run(
    kind: Kind, ground: Ground, *, seconds: float, calm_s: float, measured: bool = True
) -> Report:
    """Runs one kind; `measured` holds latency and memory to their bounds as well."""
    await prepare(ground)
    ground = attrs.evolve(ground, seconds=seconds, faults=[], facts=[])
    logged = len(ground.log_lines())
    begun = time.monotonic()
    looks = []
    for _ in range(LEVELS):
        await trio.sleep(calm_s / LEVELS)
        looks.append(await trio.to_thread.run_sync(ground.holdings))
    before = Holdings(
        max(look.tasks for look in looks),
        max(look.descriptors for look in looks),
        max(look.rss_bytes for look in looks),
    )
    attacked = time.monotonic()
    await kind.attack(ground)
    relieved = time.monotonic()
    left = await _settled(ground, before)
    ground.expect(left.tasks <= before.tasks, f"tasks: {before.tasks}, then {left.tasks}")
    ground.expect(
        left.descriptors <= before.descriptors,
        f"descriptors: {before.descriptors}, then {left.descriptors}",
    )
    grown = left.rss_bytes - before.rss_bytes
    ground.expect(grown <= GROWTH_BYTES or not measured, f"memory grew by {grown / 2**20:.0f} MiB")
    settled = time.monotonic()
    await trio.sleep(calm_s)
    phases = [(begun, attacked), (attacked, relieved), (settled, time.monotonic())]
    calm, during, after = [_latencies(kind, ground, *phase) for phase in phases]
    if measured and not kind.writes_may_fail:
        _in_time(ground, calm, during, after)
    _log_is_clean(kind, ground, logged)
    ground.expect(ground.gateway.process.poll() is None, "the gateway is gone")
    return Report(
        kind=kind,
        facts=tuple(ground.facts),
        faults=tuple(ground.faults),
        calm=calm,
        during=during,
        after=after,
        before=before,
        left=left,
        seconds=time.monotonic() - begun,
    )


async def _settled(ground: Ground, before: Holdings) -> Holdings:
    now = await trio.to_thread.run_sync(ground.holdings)
    with trio.move_on_after(SETTLE_S):
        while not now.within(before):
            await trio.sleep(0.1)
            now = await trio.to_thread.run_sync(ground.holdings)
    return now


def _latencies(kind: Kind, ground: Ground, begun: float, ended: float) -> dict[str, Latency]:
    """What the honest users waited in a phase; that they were answered is checked."""
    found = {}
    for role, samples in ground.party.between(begun, ended).items():
        allowed = {200, 503} if kind.writes_may_fail and role in {"send", "webhook"} else {200}
        wrong = [sample.status for sample in samples if sample.status not in allowed]
        ground.expect(not wrong, f"an honest {role} was answered {wrong[:3]} ({len(wrong)} times)")
        found[role] = Latency.of([sample for sample in samples if sample.status == 200])
    return found


def _in_time(
    ground: Ground, calm: dict[str, Latency], during: dict[str, Latency], after: dict[str, Latency]
) -> None:
    for role in ROLES:
        usual = max(calm[role].p99, after[role].p99)
        bound = TIMES * usual + NOISE_MS
        ground.expect(
            during[role].p99 <= bound,
            f"honest {role}: p99 {during[role].p99:.0f} ms, bound {bound:.0f} ms",
        )


def _log_is_clean(kind: Kind, ground: Ground, logged: int) -> None:
    """No fault of the gateway's own in its log; a disk that fails may be told of."""
    marks = ['"request_failed"', '"connection_failed"', "Traceback"]
    marks += [] if kind.writes_may_fail else ['"level": "error"']
    bad = [line for line in ground.log_lines()[logged:] if any(mark in line for mark in marks)]
    ground.expect(not bad, f"{len(bad)} faults in the log, as {bad[:1]}")

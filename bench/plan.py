"""How much of everything is measured: profiles that bound the time."""

import attrs


@attrs.frozen(kw_only=True)
class Plan:
    """One run of the bench."""

    rounds: int = 3
    minutes: float = 20
    """When these are over, no further round is begun."""
    warm_s: float = 0.5
    seconds: float = 1.0
    """Of each turn of a load that lasts a time."""
    turns: int = 2
    """Of each side with each load, in each round."""
    phones: int = 8
    """That share the sends of one org."""
    orgs: int = 20
    """That send, with a phone each."""
    inbound: int = 10_000
    """Frames of the phone link's measure, all turns together."""
    rows: tuple[int, ...] = (1_000, 100_000, 1_000_000)
    fleets: tuple[int, ...] = (1_000, 10_000)
    fleet_orgs: int = 10
    """That the phones of a fleet belong to."""
    fleet_sends: int = 300
    apps: int = 1_000
    """Phones with the app SMS Gateway for Android, and as many links beside them."""
    app_haste: float = 1.0
    """How many times shorter the pauses of the app are than those of a real one."""
    streams: int = 1_000
    """Of events, open at once in one org."""
    stream_events: int = 50
    settle_s: float = 1.0
    """Before memory is looked at."""
    idle_s: float = 21.0
    """A whole ping interval of both sides; for the largest fleet, once."""
    starts: int = 2
    """Of each program, in each round."""
    zipapp: bool = True
    drain: int = 100_000
    match: str = ""
    """Sends are measured of cases with this text alone."""
    fair_s: float = 2.0
    slices: int = 7
    """Turns of each of two orgs that are compared on one server."""


DEFAULT = Plan()
QUICK = Plan(
    rounds=1,
    minutes=3,
    warm_s=0.3,
    seconds=0.7,
    turns=1,
    inbound=2_000,
    rows=(1_000, 20_000),
    fleets=(500,),
    apps=100,
    streams=200,
    stream_events=20,
    idle_s=3.0,
    starts=1,
    zipapp=False,
    drain=10_000,
    fair_s=1.5,
    slices=3,
)
QUICK_PAIR = attrs.evolve(QUICK, seconds=0.4, turns=8)
"""For two revisions: many short turns, so that a machine with other work meets both alike."""
TINY = attrs.evolve(
    QUICK,
    warm_s=0.02,
    seconds=0.1,
    orgs=2,
    inbound=100,
    rows=(100, 1_000),
    fleets=(20,),
    apps=4,
    streams=8,
    stream_events=3,
    app_haste=20.0,
    fleet_orgs=2,
    fleet_sends=10,
    settle_s=0.05,
    idle_s=0.2,
    drain=400,
    fair_s=0.15,
    slices=1,
)
"""For the test that every measure works."""

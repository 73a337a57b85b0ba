"""What the app SMS Gateway for Android was given when it enrolled as a phone, as plain values.

Every time is an integer: milliseconds since 1970-01-01 UTC.
"""

from collections.abc import Sequence

import attrs


@attrs.frozen(kw_only=True)
class SimCard:
    """A SIM card as the app reports it, most of its number and name hidden by stars."""

    slot: int
    """Counted from 0."""
    number: str | None = attrs.field(default=None, repr=False)
    """Its whole number. None where it is hidden or not known."""
    carrier: str | None = None
    """The whole name of its network. None where it is hidden or not known."""
    traits: tuple[str, ...] = attrs.field(default=(), repr=False)
    """What the app shows of its number and of its card's own number: the same at each report."""


def completed(sims: Sequence[SimCard], known: Sequence[SimCard]) -> tuple[SimCard, ...]:
    """Returns SIM cards with what was known of them before, where it is hidden now."""
    before = {(sim.slot, sim.traits): sim for sim in known if sim.traits}
    return tuple(
        attrs.evolve(sim, number=sim.number or kept.number, carrier=sim.carrier or kept.carrier)
        if (kept := before.get((sim.slot, sim.traits))) is not None
        else sim
        for sim in sims
    )


@attrs.frozen(kw_only=True)
class Enrolment:
    """An app that may be a phone: the row of its phone, and what it was given.

    The app's token is kept as a digest. Its signing key must be at hand, for what it signs is
    verified by it.
    """

    phone: int
    org: int
    key: str
    """The id of the API key that it enrolled with. It is good as long as that is."""
    app_id: str
    """By which name the app knows itself here."""
    device_id: str
    """What its phone is called, which outlives a new enrolment."""
    token: bytes = attrs.field(repr=False)
    hook: str = attrs.field(repr=False)
    """The last part of the address that it calls with what happens."""
    signing_key: str = attrs.field(repr=False)
    name: str | None = None
    """What the app calls the phone: its maker and model."""
    sims: tuple[SimCard, ...] = ()
    agent: str = ""
    """Its User-Agent."""
    enrolled_at: int
    known_since: int
    """When its phone enrolled for the first time."""
    used_at: int | None = None
    """When its token was first used. None: the app may never have got it."""
    pushed_at: int | None = None
    """When it said last that it is rung by another service. None: it is not."""
    streamed_at: int | None = None
    """When it opened a stream last."""
    heard_at: int
    """Until when it was surely in reach: what it received later may be missing."""

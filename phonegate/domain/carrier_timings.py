"""How long sending through carriers waits for what."""

from typing import Final

import attrs

EACH_AT_ONCE: Final = 8
"""Messages of one assistant that the reconciler has in hand: half of those that may be on their
way to its account, so that new ones always find room."""


@attrs.frozen(kw_only=True)
class PollTimings:
    """When a carrier is asked what became of a message that it has."""

    first_ms: int = 5_000
    """How soon after the message left. Each later pause is twice as long."""
    first_called_ms: int = 120_000
    """The same where the carrier reports by itself: only what its calls did not bring is asked
    for."""
    longest_pause_ms: int = 3_600_000
    """Between two polls: an hour late is soon enough for what took hours already."""


@attrs.frozen(kw_only=True)
class CarrierTimings:
    """The waits of a gateway for its carriers. Trials and tests pass shorter ones."""

    polls: PollTimings = attrs.field(factory=PollTimings)
    grace_s: float | None = None
    """How long after a try its message may still turn up. None is what its carrier takes."""

    # -- a send

    first_pause_s: float = 0.5
    """Before the first repeat: a carrier that restarts a process is back by then."""
    longest_pause_s: float = 5.0
    """The first pause between two repeats. Each later one is twice as long."""
    shortest_try_s: float = 0.5
    """A try with less time than a carrier's usual answer takes could only end in uncertainty."""
    margin_ms: int = 5_000
    """Past the deadline of a send before its message is looked at: for storing the outcome."""
    store_pause_s: float = 1.0
    """Between tries to store an outcome: a carrier's answer is too dear to drop at the first."""
    store_deadline_s: float = 10.0
    """For all tries to store an outcome."""

    # -- the reconciler

    longest_sleep_s: float = 2.0
    """What is newly due, and a changed wall clock, is noticed within this time."""
    shortest_sleep_s: float = 0.05
    """What falls due within it is taken in hand together."""
    storage_pause_s: float = 2.0
    """Before another try when the disk refuses."""
    each_every_ms: int = 100
    """Between two messages of one assistant: the least of what carriers take (10 a second)."""
    first_rest_ms: int = 5_000
    """How long a carrier that can't be asked is left alone first, then twice as long each time."""
    longest_rest_ms: int = 300_000
    """The longest of those rests."""
    patience_s: float = 5.0
    """For a place among an assistant's messages, all of which new ones may have taken."""

    @property
    def burst_ms(self) -> int:
        """The time of as many messages as may be in hand: so many go at once after a pause."""
        return EACH_AT_ONCE * self.each_every_ms

"""The counts of what simulated phones with the app did. Pure."""

import attrs


@attrs.define
class AppStats:
    """The counts of one phone. Those that every simulated phone has bear the same names."""

    links: int = 0
    """Streams that were opened."""
    received: int = 0
    """Messages stored from a pull. One that is known already is counted in `repeats` only."""
    repeats: int = 0
    radioed: int = 0
    """SMS given to the radio, repeats of the app's own hole included."""
    radioed_again: int = 0
    failed: int = 0
    uncertain: int = 0
    cancelled: int = 0
    inbound_sent: int = 0
    """Posts of events about received SMS and MMS, repeats included."""
    inbound_acked: int = 0
    cuts: int = 0
    crashes: int = 0
    registrations: int = 0
    """New ones. A patch of a known phone is none."""
    unreadable: int = 0
    """Answers that the app could not read."""
    reports_given_up: int = 0

    def __add__(self, other: "AppStats") -> "AppStats":
        mine, theirs = attrs.astuple(self), attrs.astuple(other)
        return AppStats(*(a + b for a, b in zip(mine, theirs, strict=True)))

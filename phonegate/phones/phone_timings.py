"""How long the gateway waits for one connected phone, and for the disk on its behalf."""

import attrs


@attrs.frozen(kw_only=True)
class PhoneTimings:
    """The waits of a phone's connection. Tests pass shorter ones."""

    goodbye_s: float = 2.0
    """How long a phone may take to answer a close frame. What it sends until then still counts."""
    drain_s: float = 5.0
    """How long it may take, after the link's end, to write down what had arrived."""
    gather_s: float = 0.05
    """How long little room is left unused, so that it becomes more: each helping of messages costs
    a read and a commit, however small it is."""
    feeding_pause_s: float = 2.0
    """Before messages are looked for again when the disk refuses."""
    first_retry_s: float = 0.5
    """Before the first new try to store a report when there is no room. It doubles each time."""
    health_s: float = 300.0
    """Between two times at which a phone's health is written down. How it is meanwhile is known as
    long as it is connected."""
    longest_retry_s: float = 10.0
    """A disk that has room again is noticed within this time."""

"""The deadlines and pauses of a phone with Termux."""

import attrs


@attrs.frozen(kw_only=True)
class Timings:
    """Seconds, for a real phone. Tests pass shorter ones."""

    answer_s: float = 30
    """For a command. A call takes 1 to 4 s, and more on a phone that just woke up."""
    sent_within_s: float = 75
    """For the row in the sent box. Android tries four times, and waits for the network before."""
    part_s: float = 5
    """More for that, for each part of a long text after the first: it is there after the last."""
    look_every_s: float = 2
    """Between looks into the sent box."""
    poll_every_s: float = 8
    """Between looks into the inbox. Each wakes the app Termux:API."""
    again_after_s: float = 15
    """Before the next try where the app did not answer."""
    status_every_s: float = 300
    farewell_s: float = 5
    """For giving the wake lock back at the end."""

    def sent_s(self, parts: int) -> float:
        """Returns the seconds for the row of a text of so many parts."""
        return self.sent_within_s + (parts - 1) * self.part_s


TIMINGS = Timings()
"""The timings for a real phone."""

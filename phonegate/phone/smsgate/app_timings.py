"""How long the app waits for what, and how a trial makes it wait less. Pure."""

from typing import Self

import attrs


@attrs.frozen(kw_only=True)
class Backoff:
    """Pauses that double, from the first to the longest, in seconds."""

    first_s: float
    longest_s: float

    def pause_s(self, failures: int) -> float:
        """Returns the pause after so many failures in a row, of which there is at least one."""
        # 2 ** 40 times any pause is beyond any limit.
        return min(self.first_s * 2.0 ** min(failures - 1, 40), self.longest_s)


@attrs.frozen(kw_only=True)
class AppTimings:
    """The waits of the app. All are in seconds, and those of version 1.68."""

    work: Backoff = Backoff(first_s=10, longest_s=5 * 3600)
    """Of Android's WorkManager, by which the app registers, pulls and reports."""
    pull_every_s: float = 15 * 60
    """The shortest period that Android allows for work that repeats."""
    refresh_every_s: float = 24 * 3600
    """Between looks at the webhooks and settings."""
    stream_pauses_s: tuple[tuple[int, float], ...] = ((5, 5.0), (10, 30.0))
    """Up to so many failures in a row, the stream is opened again after this pause."""
    stream_pause_s: float = 60.0
    """After more failures than that."""
    stream_silence_s: float = 3600.0
    """After which a stream that says nothing counts as dead."""
    event: Backoff = Backoff(first_s=5, longest_s=7 * 24 * 3600)
    """Between tries to deliver a webhook event."""
    event_kept_s: float = 7 * 24 * 3600
    """After which an event that could not be delivered is dropped."""
    connect_s: float = 5.0
    socket_s: float = 5.0
    """For each read and write of a webhook's request."""
    request_s: float = 30.0
    """For a whole request."""
    restart_s: float = 3.0
    """From the death of the app to its next start."""
    owner_s: float = 2.0
    """Until the owner starts the app again after it asked for that."""
    part_s: float = 0.0
    """Between the results of two parts of one SMS."""

    def stream_pause(self, failures: int) -> float:
        """Returns the pause before the stream is opened again, after so many failures in a row."""
        for most, pause in self.stream_pauses_s:
            if failures <= most:
                return pause
        return self.stream_pause_s

    def hastened(self, factor: float) -> Self:
        """Returns the same timings with all pauses so many times shorter. Deadlines stay."""

        def shorter(backoff: Backoff) -> Backoff:
            return Backoff(
                first_s=backoff.first_s / factor, longest_s=max(backoff.longest_s / factor, 1.0)
            )

        return attrs.evolve(
            self,
            work=shorter(self.work),
            pull_every_s=self.pull_every_s / factor,
            refresh_every_s=self.refresh_every_s / factor,
            stream_pauses_s=tuple((most, s / factor) for most, s in self.stream_pauses_s),
            stream_pause_s=self.stream_pause_s / factor,
            event=shorter(self.event),
            restart_s=self.restart_s / factor,
            owner_s=self.owner_s / factor,
            part_s=self.part_s / factor,
        )


EVENT_TRIES = 15
"""How often a webhook event is tried, unless the settings say otherwise."""
REPORT_TRIES = 10
"""How often the state of a message is reported before the app gives up."""
EVENT_BATCH = 20
"""Events that are taken from the queue at once."""

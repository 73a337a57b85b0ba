"""How one phone says that it is, and when that is written down. Pure.

Phones say so each minute, mostly the same. What is news is written down at times, and with the end
of the link.
"""

from phonegate.model.phones import Health
from phonegate.phones import frames


class ReportedHealth:
    """The health of one phone, by its `status` frames over one link."""

    __slots__ = ("_due", "_interval_s", "_news", "latest")

    def __init__(self, interval_s: float, now: float) -> None:
        """Makes one that is written down at once, and each `interval_s` seconds after that."""
        self._interval_s = interval_s
        self._due = now
        self._news: frames.Status | None = None
        self.latest: Health | None = None
        """What the phone said last. None if it said nothing over this link."""

    def heed(self, status: frames.Status) -> None:
        """Takes what the phone says now."""
        if (health := status.health) != self.latest:
            self.latest = health
            self._news = status

    def due(self, now: float) -> frames.Status | None:
        """Returns what is to be written down now, and only once. None where there is nothing."""
        if self._news is None or now < self._due:
            return None
        self._due = now + self._interval_s
        news, self._news = self._news, None
        return news

    def rest(self) -> Health | None:
        """Returns what is left to write down at the end of the link, if there is anything."""
        news, self._news = self._news, None
        return None if news is None else self.latest

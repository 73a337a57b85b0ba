"""What one target has yet to be sent: at most one beginning of an alarm in a quarter of an hour.

Pure: the times are passed in. An alarm that comes and goes is summed up in the next notice about
it. One that was sent as begun is sent as over at once when it is, and so is one that began and
ended while its target could not be reached. Nothing is kept as text: a notice that could not be
delivered is worded anew, as things are by then.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from phonegate.domain.alarms import Key, News
from phonegate.operations.notices import notice
from phonegate.operations.notices.notice import Notice

QUARTER_S: Final = 900.0
"""Between two notices that the same alarm about the same thing began."""

STALE_S: Final = 86_400.0
"""What is over and could not be delivered for a day is no news any more."""

MOST_KINDS: Final = 2_000
"""Alarms that are remembered, each about one thing. Those beyond are only in the log."""

Fields = Callable[[Key], Mapping[str, Any] | None]
"""Returns what is known now of an alarm that is on, or None."""


@attrs.define
class _Kind:
    """One alarm about one thing, as its target knows it. Times are of a monotonic clock."""

    news: News
    """The last."""
    at: float
    """When that came."""
    on: bool = False
    reported_on: bool = False
    """Whether the last notice said that it is on."""
    begun: int = 0
    """How often it has begun since the last notice."""
    began_at: float | None = None
    """When the last notice that it began was delivered."""

    def due_at(self, quarter_s: float) -> float | None:
        """Returns from when on there is something to send about it. None: there is nothing."""
        if self.reported_on and not self.on:
            return self.at
        if not self.begun:
            return None
        return self.at if self.began_at is None else max(self.at, self.began_at + quarter_s)


@attrs.frozen
class Due:
    """What is to be sent now about one alarm."""

    key: Key
    on: bool
    begun: int
    news: News


class Digest:
    """Takes the news of alarms, and gives what is due to be sent."""

    def __init__(self, *, quarter_s: float = QUARTER_S, most: int = MOST_KINDS) -> None:
        self._quarter_s = quarter_s
        self._most = most
        self._kinds: dict[Key, _Kind] = {}
        self.lost = 0
        """How many alarms were not taken, since there were too many."""

    def __len__(self) -> int:
        return len(self._kinds)

    def take(self, news: News, now: float) -> None:
        """Takes the beginning or the end of an alarm."""
        kind = self._kinds.get(news.key)
        if kind is None:
            if not news.begins:
                return
            if len(self._kinds) >= self._most:
                self._forget(now)
            if len(self._kinds) >= self._most:
                self.lost += 1
                return
            kind = self._kinds[news.key] = _Kind(news, now)
        kind.news, kind.at, kind.on = news, now, news.begins
        kind.begun += news.begins

    def restore(self, news: News, now: float, *, reported: bool) -> None:
        """Takes an alarm that was on when the gateway ended, and whether it was reported then.

        A gateway that is started again and again does not report it each time.
        """
        self._kinds[news.key] = _Kind(
            news,
            now,
            on=True,
            reported_on=reported,
            begun=0 if reported else 1,
            began_at=now if reported else None,
        )

    def due(self, now: float) -> list[Due]:
        """Returns what is to be sent now, the oldest news first."""
        self._forget(now)
        found = []
        for key, kind in list(self._kinds.items()):
            due_at = kind.due_at(self._quarter_s)
            if due_at is None or due_at > now:
                continue
            if not kind.on and now - kind.at > STALE_S:
                kind.begun, kind.reported_on = 0, False
                continue
            found.append((kind.at, Due(key, kind.on, kind.begun, kind.news)))
        return [due for _, due in sorted(found, key=lambda one: one[0])]

    def next_at(self, now: float) -> float | None:
        """Returns when something is to be sent next, if no news come. None: nothing is."""
        times = (kind.due_at(self._quarter_s) for kind in self._kinds.values())
        return min((max(now, at) for at in times if at is not None), default=None)

    def delivered(self, due: Due, now: float) -> None:
        """Notes that something was sent. What has come since then is due in its turn."""
        kind = self._kinds.get(due.key)
        if kind is None:
            return
        if due.begun and (due.on or not kind.reported_on):
            kind.began_at = now
        kind.begun -= due.begun
        kind.reported_on = due.on

    def _forget(self, now: float) -> None:
        """Forgets what is over and reported, once it may be reported anew at any time."""
        for key, kind in list(self._kinds.items()):
            resting = not kind.on and not kind.reported_on and not kind.begun
            if resting and (kind.began_at is None or now - kind.began_at >= self._quarter_s):
                del self._kinds[key]


def worded(due: Due, fields: Fields, wall: float) -> Notice:
    """Words what is due as things are now.

    Args:
        due: What is due.
        fields: What is known of alarms that are on.
        wall: The time, in seconds of the wall clock.
    """
    news = due.news
    if due.on:
        known = fields(due.key)
        latest = news.fields if known is None else known
        return notice.raised(due.key, latest, since=news.since, now=wall, times=due.begun or 1)
    return notice.cleared(
        due.key,
        news.fields,
        since=news.since,
        lasted_s=news.lasted_s,
        now=wall,
        times=due.begun or 1,
    )

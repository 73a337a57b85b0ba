"""The bus tells every committed fact to its subscribers, in the order of the commits.

It keeps nothing: a subscriber that must not wait takes what it needs and does the work in a task
of its own.
"""

from collections.abc import Sequence

from phonegate import log
from phonegate.model.facts import Fact, Publish

_log = log.get("events")


class Bus:
    """Passes facts on to named subscribers, one after the other.

    A subscriber runs within the call that publishes, on the event loop, so it must be quick and
    never wait. One that fails is logged with its name, and neither the publisher nor any other
    subscriber notices.
    """

    def __init__(self) -> None:
        self._subscribers: dict[str, Publish] = {}

    def subscribe(self, name: str, subscriber: Publish) -> None:
        """Adds a subscriber for all facts from now on, after those that subscribed before.

        Raises:
            ValueError: There is a subscriber of this name.
        """
        if name in self._subscribers:
            raise ValueError(f"there is a subscriber named {name} already")
        self._subscribers[name] = subscriber

    def publish(self, facts: Sequence[Fact]) -> None:
        """Tells facts to every subscriber."""
        if not facts:
            return
        for name, subscriber in self._subscribers.items():
            try:
                subscriber(facts)
            except Exception:  # noqa: BLE001 - one subscriber's fault must not cost the others
                _log.exception("subscriber_failed", subscriber=name)

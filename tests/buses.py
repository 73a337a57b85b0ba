"""What tests need of the bus of a store that a fixture has opened."""

from typing import TypeVar

from phonegate.events.bus import Bus
from phonegate.model.facts import Publish
from phonegate.store.database import Database

F = TypeVar("F")


def bus_of(database: Database) -> Bus:
    """The bus on which a store publishes."""
    bus = getattr(database._writer._publish, "__self__", None)
    assert isinstance(bus, Bus)
    return bus


def subscribe(database: Database, subscriber: Publish) -> None:
    """Subscribes under a name that is no other's, since a test may build a part twice."""
    bus_of(database).subscribe(f"test {id(subscriber)}", subscriber)


def heard(bus: Bus, kind: type[F]) -> list[F]:
    """The facts of a kind that are published from now on."""
    facts: list[F] = []
    bus.subscribe("test", lambda all_: facts.extend(f for f in all_ if isinstance(f, kind)))
    return facts

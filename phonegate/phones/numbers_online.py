"""The numbers of the SIMs that are online, and which connections hold each."""

from collections.abc import Collection

from phonegate.domain.dispatch import OnlinePhone
from phonegate.phones.switchboard_station import Station


class NumbersOnline:
    """The connections that hold each number, by org and the form in which numbers are compared.

    An org may have thousands of phones, and each reports.
    """

    def __init__(self) -> None:
        # Tuples, for nearly every number is one connection's, and a dict takes four times as much.
        self._by_org: dict[int, dict[str, tuple[Station, ...]]] = {}

    def of(self, org: int) -> Collection[str]:
        """Returns all numbers of an org."""
        return self._by_org.get(org, {}).keys()

    def holders(self, org: int, numbers: Collection[str]) -> dict[Station, None]:
        """Returns the org's connections that hold one of these numbers, each once."""
        known = self._by_org.get(org, {})
        return {station: None for number in numbers for station in known.get(number, ())}

    def add(self, station: Station) -> None:
        """Takes the numbers of a connection in."""
        for number in _forms(station.online):
            known = self._by_org.setdefault(station.org, {})
            known[number] = (*known.get(number, ()), station)

    def remove(self, station: Station) -> None:
        """Takes the numbers of a connection out, which are those that it had when it was added."""
        known = self._by_org.get(station.org, {})
        for number in _forms(station.online):
            others = tuple(other for other in known[number] if other is not station)
            if others:
                known[number] = others
            else:
                del known[number]
        if not known:
            self._by_org.pop(station.org, None)


def _forms(online: OnlinePhone) -> set[str]:
    return {sim.form for sim in online.sims if sim.form is not None}

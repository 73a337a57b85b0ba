"""The phones of each org that are online, and the routes found among them so far."""

from collections.abc import Sequence
from typing import Final

from phonegate.domain import routing
from phonegate.domain.dispatch import OnlinePhone
from phonegate.model.phones import ANY_SIM, Sim

ROSTERS: Final = 1_024
"""Orgs whose routes are remembered while the same phones are online. The oldest is dropped."""


class Roster:
    """The phones of an org that are online, the SIM selectors that they meet, and their routes."""

    def __init__(self, online: Sequence[OnlinePhone]) -> None:
        self.online = online
        sims = [sim for phone in online for sim in phone.sims]
        self._live = {ANY_SIM, *(str(sim.slot) for sim in sims), *(sim.form for sim in sims)}
        self._routes: dict[str, routing.Route] = {}

    def route(self, sim_selector: str) -> routing.Route | None:
        """Returns the route of a message that selects this SIM. None where none here has it."""
        route = self._routes.get(sim_selector)
        if route is None and sim_selector in self._live:
            route = self._routes[sim_selector] = routing.choose(sim_selector, self.online, ())
        return route

    def beyond(self, sim_selector: str, known: Sequence[Sim]) -> routing.Route:
        """Returns the route of one that selects a SIM of an absent phone, of all that are `known`.

        It is good for this once: the store may say otherwise next time.

        Raises:
            UnknownSim: As `routing.choose`.
        """
        return routing.choose(sim_selector, self.online, known)


class Rosters:
    """The rosters of all orgs that have sent lately."""

    def __init__(self) -> None:
        self._rosters: dict[int, Roster] = {}

    def of(self, org: int, online: Sequence[OnlinePhone]) -> Roster:
        """Returns the roster of an org whose phones are these, made anew once they have changed."""
        roster = self._rosters.get(org)
        if roster is None or roster.online is not online:
            roster = self._rosters[org] = Roster(online)
            if len(self._rosters) > ROSTERS:
                del self._rosters[next(iter(self._rosters))]
        return roster

"""Simulated phones within the gateway, as the domain sees them: at most one for each org.

`builtin_phone.simulated` has them. They send nothing over the air: a newcomer tries the gateway by
one, and forgets it when a real phone has come.
"""

from typing import Protocol

from phonegate.model.refusals import Conflict


class Simulation(Protocol):
    """Runs simulated phones until the gateway stops. None of them comes back by itself."""

    def runs(self, org: int) -> bool:
        """Tells whether the org has a simulated phone now."""

    async def start(self, org: int, org_name: str) -> None:
        """Gives an org a simulated phone, unless it has one. Returns once it is connected.

        Raises:
            Conflict: There may be no more of them now, or it could not connect.
        """

    async def stop(self, org: int) -> None:
        """Ends an org's simulated phone, if it has one. Returns once it is gone."""


class NoSimulation:
    """Simulates no phones, where no gateway serves."""

    def runs(self, org: int) -> bool:
        """Tells that there is none."""
        del org
        return False

    async def start(self, org: int, org_name: str) -> None:
        """Refuses it.

        Raises:
            Conflict: Always.
        """
        del org, org_name
        raise Conflict("No phone can be simulated here.")

    async def stop(self, org: int) -> None:
        """Does nothing."""

"""The networks that each org's right secrets have come from. Pure but for its own memory.

A restart forgets which secrets were right. The networks that they came from are stored in the
database, so that callers there get their turn before guessers, until their secret is checked anew.
"""

from collections.abc import Iterable
from typing import Final

from phonegate.domain.shared_memory import SharedMemory

NETWORKS_EACH: Final = 64
"""Networks kept for one org. Phones on the road change theirs each day, and the network used
longest ago is the least worth keeping."""

CAPACITY: Final = 32_768
"""Networks of all orgs, some 10 MB."""

LIFETIME_MS: Final = 90 * 86_400_000
"""After a quarter of a year, an address may well belong to another customer."""

NOTED_MS: Final = 86_400_000
"""How often it is stored that an org was in a network again."""


class KnownAddresses:
    """Orgs by name, and the networks in which they are known."""

    def __init__(self) -> None:
        self._seen: SharedMemory[str, tuple[str, str], int] = SharedMemory(CAPACITY, NETWORKS_EACH)

    def __len__(self) -> int:
        return len(self._seen)

    def load(self, seen: Iterable[tuple[str, str, int]]) -> None:
        """Loads what was stored: org, network and time in ms, the oldest first."""
        for org, network, at in seen:
            self._seen.put(org, (org, network), at)

    def knows(self, org: str, network: str, now: int) -> bool:
        """Tells whether an org's right secret came from this network within `LIFETIME_MS`."""
        at = self._seen.peek((org, network))
        return at is not None and now - at < LIFETIME_MS

    def meet(self, org: str, network: str, now: int) -> bool:
        """Notes that a right secret came from a network. Returns whether to store that."""
        at = self._seen.get((org, network))
        if at is not None and abs(now - at) < NOTED_MS:
            return False
        self._seen.put(org, (org, network), now)
        return True

    def forget(self, org: str) -> None:
        """Forgets a removed org."""
        self._seen.forget(org)

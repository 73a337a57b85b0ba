"""Where each org's right secrets have come from of late. Pure but for its own memory.

A restart forgets which secrets were right. The places that they came from are kept in the
database, so that callers there are let in past guessers before any secret is checked anew.
"""

from collections.abc import Iterable
from typing import Final

from phonegate.domain.shared_memory import SharedMemory

PLACES_EACH: Final = 64
"""Places that are known of one org: phones on the road change theirs each day, and the one used
longest ago is the least worth knowing."""

CAPACITY: Final = 32_768
"""Places of all orgs, some 10 MB."""

LIFETIME_MS: Final = 90 * 86_400_000
"""A quarter of a year, and an address may well be another's."""

NOTED_MS: Final = 86_400_000
"""How often it is written down that an org was at a place again."""


class KnownAddresses:
    """Orgs by name, and the places at which they are known."""

    def __init__(self) -> None:
        self._seen: SharedMemory[str, tuple[str, str], int] = SharedMemory(CAPACITY, PLACES_EACH)

    def __len__(self) -> int:
        return len(self._seen)

    def load(self, seen: Iterable[tuple[str, str, int]]) -> None:
        """Takes what was written down: org, place and time in ms, the oldest first."""
        for org, place, at in seen:
            self._seen.put(org, (org, place), at)

    def knows(self, org: str, place: str, now: int) -> bool:
        """Whether an org's right secret came from this place of late."""
        at = self._seen.peek((org, place))
        return at is not None and now - at < LIFETIME_MS

    def meet(self, org: str, place: str, now: int) -> bool:
        """Notes that a right secret came from there. Returns whether to write that down."""
        at = self._seen.get((org, place))
        if at is not None and abs(now - at) < NOTED_MS:
            return False
        self._seen.put(org, (org, place), now)
        return True

    def forget(self, org: str) -> None:
        """Forgets an org that is no more."""
        self._seen.forget(org)

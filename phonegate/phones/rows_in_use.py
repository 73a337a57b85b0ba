"""Which rows of phones are in use by connections, from the making of each to its last report."""

from collections.abc import Sequence
from typing import Final

from phonegate.phones.switchboard_station import Station

MOST_EXPELLED: Final = 1_000
"""Forgotten phones that are known as such. A connection that began on the row of one before it was
forgotten is accepted, and so known, within seconds."""


class RowsInUse:
    """The rows that connections have, are being made on, or may have no more."""

    def __init__(self) -> None:
        self._claimed: dict[int, object] = {}
        self._seated: dict[int, tuple[Station, ...]] = {}
        self._expelled: dict[int, None] = {}

    # --- connections that are being made

    def claim(self, phone: int, by: object) -> bool:
        """Sets a row aside for a connection that is being made. Returns False if another has it."""
        return self._claimed.setdefault(phone, by) is by

    def unclaim(self, by: object) -> None:
        """Ends the claims of a connection that is not made after all."""
        for phone in [phone for phone, holder in self._claimed.items() if holder is by]:
            del self._claimed[phone]

    def claimed(self, phone: int) -> None:
        """Ends the claim on a row whose connection is made."""
        self._claimed.pop(phone, None)

    # --- connections that there are

    def seat(self, station: Station) -> None:
        """Notes that a connection has its row now."""
        self._seated[station.online.phone] = (*self._without(station), station)

    def release(self, station: Station) -> None:
        """Notes that a connection has its row no longer: all that it said is recorded."""
        if others := self._without(station):
            self._seated[station.online.phone] = others
        else:
            self._seated.pop(station.online.phone, None)

    def seated(self, phone: int) -> Sequence[Station]:
        """Returns the connections that have a row, earliest first, those that are ending too."""
        return self._seated.get(phone, ())

    def _without(self, station: Station) -> tuple[Station, ...]:
        """Returns the other connections that have its row."""
        seats = self._seated.get(station.online.phone, ())
        return tuple(other for other in seats if other is not station)

    def is_vacant(self, phone: int) -> bool:
        """Tells whether no connection has this row, be it one that begins or ends.

        Of one all whose words are recorded nothing more comes, though it may not be gone yet.
        """
        seats = self._seated.get(phone, ())
        return phone not in self._claimed and all(one.ended.is_set() for one in seats)

    # --- phones that are forgotten

    def expel(self, phone: int) -> None:
        """Notes that no connection may have a row from now on."""
        while len(self._expelled) >= MOST_EXPELLED:
            del self._expelled[next(iter(self._expelled))]
        self._expelled[phone] = None

    def readmit(self, phone: int) -> None:
        """Notes that connections may have a row again."""
        self._expelled.pop(phone, None)

    def is_expelled(self, phone: int) -> bool:
        """Tells whether no connection may have a row."""
        return phone in self._expelled

"""The one try that each PIN has: a SIM blocks itself after three wrong ones."""

import hashlib
from typing import Final, Protocol

from phonegate.phone.radios.modem.objects import Modem

TRIES: Final = 3
"""Wrong PINs after which a SIM asks for its PUK (3GPP TS 31.101, 9.5.1)."""
SAFE_TRIES: Final = 2
"""With fewer left, a wrong PIN would block the SIM."""


class Marks(Protocol):
    """What is written down over the end of the program."""

    def mark(self, name: str) -> str | None:
        """Returns what was last written under a name."""
        ...

    def set_mark(self, name: str, value: str) -> None:
        """Writes a value under a name."""
        ...


class PinMemory:
    """Which PINs were tried on which SIM and did not unlock it, as far as is known.

    A try is written down before it is made, so that a crash within it counts as one. Only a SIM
    that is seen open is forgotten: by then its own count of wrong tries is back at zero.

    Args:
        marks: Where it is written down.
        pin: The PIN.
    """

    def __init__(self, marks: Marks, pin: str) -> None:
        self._marks = marks
        self.pin = pin

    def was_tried(self, modem: Modem, iccid: str) -> bool:
        """Says whether this PIN was tried on this SIM, or in this modem, in vain."""
        return any(self._sign(name) in self._tried(name) for name in _names(modem.imei, iccid))

    def tries_left(self, modem: Modem, iccid: str) -> int:
        """Returns how many wrong PINs the SIM still takes, as far as is known."""
        used = max(len(self._tried(name)) for name in _names(modem.imei, iccid))
        known = TRIES if modem.lock_tries is None else modem.lock_tries
        return min(TRIES - used, known)

    def note_try(self, modem: Modem, iccid: str) -> None:
        """Writes down that the PIN is about to be tried."""
        for name in _names(modem.imei, iccid):
            self._marks.set_mark(name, " ".join([*self._tried(name), self._sign(name)]))

    def note_unasked(self, modem: Modem, iccid: str) -> None:
        """Takes back the last try, which the SIM was never asked."""
        for name in _names(modem.imei, iccid):
            self._marks.set_mark(name, " ".join(self._tried(name)[:-1]))

    def note_open(self, modem: Modem, iccid: str) -> None:
        """Forgets the tries on a SIM that is open."""
        for name in _names(modem.imei, iccid):
            if self._tried(name):
                self._marks.set_mark(name, "")

    def _tried(self, name: str) -> list[str]:
        return (self._marks.mark(name) or "").split()

    def _sign(self, name: str) -> str:
        # It hides the PIN from a glance only. One that did not open the SIM needs no more.
        return hashlib.sha256(f"{name}:{self.pin}".encode()).hexdigest()[:16]


def _names(imei: str, iccid: str) -> list[str]:
    """Returns the names of the marks: many SIMs tell who they are only once they are open."""
    return [f"pin tried in {imei}", *([f"pin tried on {iccid}"] if iccid else [])]

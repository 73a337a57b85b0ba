"""The radio of a simulated phone: an SMS given to it counts as sent."""

import hashlib
import json
import os
from pathlib import Path
from typing import Protocol

import attrs

from phonegate.phone.errors import RadioLogUnusable

LOG_MODE = 0o600
"""Recipients are personal data."""

# GSM-7 has every printable ASCII character but the backtick. These take two septets each
# (3GPP TS 23.038, 6.2.1.1).
_TWO_SEPTETS = frozenset("^{}\\[~]|")

ERRORS = (
    "RESULT_ERROR_GENERIC_FAILURE",
    "RESULT_ERROR_RADIO_OFF",
    "RESULT_ERROR_NO_SERVICE",
    "RESULT_ERROR_LIMIT_EXCEEDED",
    "RESULT_RIL_NETWORK_ERR",
)
"""The errors of Android's SmsManager for an SMS that it did not send."""


@attrs.frozen(kw_only=True)
class Transmission:
    """One SMS on its way over the air. `time` is ms since 1970, UTC."""

    phone: str
    id: int | str
    """The gateway's id of it. The app SMS Gateway for Android knows it by a text."""
    to: str = attrs.field(repr=False)
    body: str = attrs.field(repr=False)
    sim: str | None
    time: int


class Radio(Protocol):
    """Anything that can put an SMS on the air. It is called at most once for an id."""

    def transmit(self, transmission: Transmission) -> None:
        """Sends an SMS. Returns at once."""


class QuietRadio:
    """A radio that sends nothing, for load tests of the gateway."""

    def transmit(self, transmission: Transmission) -> None:
        """Does nothing."""


class RadioMemory:
    """A radio that keeps every SMS that it sent in memory."""

    def __init__(self) -> None:
        self.sent: list[Transmission] = []

    def transmit(self, transmission: Transmission) -> None:
        """Keeps the SMS."""
        self.sent.append(transmission)


class RadioLog:
    """A radio that appends one JSON line for each SMS to a file, to be counted later.

    The body is written as its SHA-256. A line is one `write` to a file opened for appending, so
    that lines of several programs never mix, and a sent SMS is in the file even after a kill.
    """

    def __init__(self, path: Path) -> None:
        """Opens or creates the log.

        Raises:
            RadioLogUnusable: It can't be opened for writing.
        """
        self.path = path
        try:
            self._fd = os.open(
                path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, LOG_MODE
            )
        except OSError as error:
            raise RadioLogUnusable(path, error.strerror or "not writable") from error

    def transmit(self, transmission: Transmission) -> None:
        """Appends the line.

        Raises:
            RadioLogUnusable: It could not be written.
        """
        fields = {
            "id": transmission.id,
            "to": transmission.to,
            "sha256": hashlib.sha256(transmission.body.encode(errors="surrogatepass")).hexdigest(),
            "sim": transmission.sim,
            "time": transmission.time,
            "phone": transmission.phone,
        }
        try:
            line = json.dumps(fields, separators=(",", ":")).encode() + b"\n"
            whole = os.write(self._fd, line) == len(line)
        except OSError as error:
            raise RadioLogUnusable(self.path, error.strerror or "not writable") from error
        if not whole:
            raise RadioLogUnusable(self.path, "no room left")

    def close(self) -> None:
        """Closes the log."""
        os.close(self._fd)


def segments(body: str) -> int:
    """Returns how many SMS a phone would make of a text, counted as ASCII or else UCS-2."""
    if body.isascii() and "`" not in body:
        units = len(body) + sum(letter in _TWO_SEPTETS for letter in body)
        single, part = 160, 153
    else:
        units = len(body.encode("utf-16-le", errors="surrogatepass")) // 2
        single, part = 70, 67
    return 1 if units <= single else -(-units // part)

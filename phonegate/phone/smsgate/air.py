"""What a phone with the app puts on the air."""

from typing import Protocol

import attrs

from phonegate.phone.radios.simulated import OnAir


@attrs.frozen(kw_only=True)
class AirSms:
    """The SMS to one recipient of a message. `time` is ms since 1970, UTC."""

    phone: str
    id: str
    to: str = attrs.field(repr=False)
    body: str = attrs.field(repr=False)
    sim: str | None
    time: int


class AppAntenna(Protocol):
    """What the app's SMS are given to. It gets one twice in the app's own hole alone."""

    def transmit(self, sms: OnAir) -> None:
        """Sends an SMS. Returns at once."""


class AirMemory:
    """An antenna that keeps every SMS in memory."""

    def __init__(self) -> None:
        self.sent: list[OnAir] = []

    def transmit(self, sms: OnAir) -> None:
        """Keeps the SMS."""
        self.sent.append(sms)

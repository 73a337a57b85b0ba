"""Which version of the app calls, and what it can do. Pure."""

import re
from typing import Final

import attrs

_AGENT: Final = re.compile(r"me\.capcom\.smsgateway(?:\.[a-z]+)*/([0-9]{1,4})\.([0-9]{1,4})")

_KNOWN: Final = (1, 68)
"""The oldest version whose words are known for certain. To an older one, a state or an event that
it does not know costs all that comes with it."""

_SENDS_MEDIA: Final = (1, 69)
"""The oldest version that sends MMS. To an older one such a message is empty."""

EARLIEST_EVENTS: Final = ("sms:received", "sms:sent", "sms:delivered", "sms:failed", "system:ping")
"""What every version reports by a call."""

EVENTS: Final = (
    *EARLIEST_EVENTS,
    "sms:cancelled",
    "sms:data-received",
    "mms:received",
    "mms:downloaded",
    "app:started",
)
"""What a known version reports by a call."""


@attrs.frozen
class AppVersion:
    """The version of the app, as far as its User-Agent says."""

    number: tuple[int, int] | None = None

    @property
    def is_known(self) -> bool:
        """Tells whether it is sure which words it knows."""
        return self.number is not None and self.number >= _KNOWN

    @property
    def sends_media(self) -> bool:
        """Tells whether it sends MMS."""
        return self.number is not None and self.number >= _SENDS_MEDIA

    @property
    def events(self) -> tuple[str, ...]:
        """What it may be asked to report by a call."""
        return EVENTS if self.is_known else EARLIEST_EVENTS


def version_of(agent: str) -> AppVersion:
    """Reads a User-Agent such as `me.capcom.smsgateway/1.68.0`."""
    found = _AGENT.match(agent)
    return AppVersion(None if found is None else (int(found[1]), int(found[2])))

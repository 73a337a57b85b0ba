"""The versions of the app whose behaviour differs, as far as a gateway can see. Pure."""

from typing import Final, Literal

import attrs

Profile = Literal["1.68", "later"]

_EVENTS: Final = frozenset(
    {
        "sms:received",
        "sms:data-received",
        "sms:sent",
        "sms:delivered",
        "sms:failed",
        "sms:cancelled",
        "mms:received",
        "mms:downloaded",
        "app:started",
        "system:ping",
    }
)
_BATCHES: Final = frozenset(
    {
        "sms:batch:received",
        "sms:batch:data-received",
        "mms:batch:received",
        "mms:batch:downloaded",
    }
)


@attrs.frozen(kw_only=True)
class Release:
    """One version of the app."""

    name: str
    sends_mms: bool
    events: frozenset[str]
    """The webhook events that it knows. An unknown one spoils the whole list of webhooks."""

    @property
    def user_agent(self) -> str:
        """The `User-Agent` of its requests."""
        return f"me.capcom.smsgateway/{self.name}"


RELEASES: Final[dict[Profile, Release]] = {
    "1.68": Release(name="1.68.0", sends_mms=False, events=_EVENTS),
    "later": Release(name="1.75.1", sends_mms=True, events=_EVENTS | _BATCHES),
}

"""The settings that the app takes from a gateway. Pure.

Sections and keys that it does not know are ignored. One value that it can't use refuses them all.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, Self

import attrs

from phonegate.phone.smsgate.app_errors import SentAway, UnreadableAnswer
from phonegate.phone.smsgate.app_timings import EVENT_TRIES

Order = Literal["LIFO", "FIFO"]
Channel = Literal["AUTO", "SSE_ONLY"]


def _whole(least: int) -> Callable[[Any], bool]:
    # A number may come as `5.0`, as JSON readers of Java give it.
    return lambda value: (
        type(value) in {int, float} and float(value).is_integer() and value >= least
    )


def _one_of(*names: str) -> Callable[[Any], bool]:
    return lambda value: value in names


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


_KEYS: Final[dict[str, dict[str, Callable[[Any], bool]]]] = {
    "messages": {
        "send_interval_min": _whole(0),
        "send_interval_max": _whole(0),
        "limit_period": _one_of("Disabled", "PerMinute", "Per30Minutes", "PerHour", "PerDay"),
        "limit_value": _whole(1),
        "sim_selection_mode": _one_of("OSDefault", "RoundRobin", "Random"),
        "log_lifetime_days": _whole(1),
        "processing_order": _one_of("LIFO", "FIFO"),
    },
    "ping": {"interval_seconds": _whole(1)},
    "logs": {"lifetime_days": _whole(1)},
    "webhooks": {"internet_required": _flag, "retry_count": _whole(1), "signing_key": _text},
    "gateway": {"private_token": _text, "notification_channel": _one_of("AUTO", "SSE_ONLY")},
    "encryption": {"passphrase": _text},
}


@attrs.frozen(kw_only=True)
class AppSettings:
    """The settings that change what a gateway sees of the app.

    The limits of messages per period are read and not kept: the double sends as fast as its radio
    takes it.
    """

    processing_order: Order = "LIFO"
    send_interval_s: float = 0.0
    """Pause between two messages: the longer end of the range."""
    ping_every_s: float | None = None
    event_tries: int = EVENT_TRIES
    signing_key: str | None = attrs.field(default=None, repr=False)
    channel: Channel = "AUTO"
    private_token: str | None = attrs.field(default=None, repr=False)

    def updated(self, sections: Mapping[str, Any]) -> Self:
        """Returns the settings after an answer to `GET /settings`.

        Raises:
            UnreadableAnswer: A section or a value is not of its type.
            SentAway: There is a `cloud_url`.
        """
        if "cloud_url" in _section(sections, "gateway"):
            raise SentAway
        for name, keys in _KEYS.items():
            for key, value in _section(sections, name).items():
                if value is not None and key in keys and not keys[key](value):
                    raise UnreadableAnswer(f"the setting {name}.{key} has no such value")
        messages, ping = _section(sections, "messages"), _section(sections, "ping")
        webhooks, gateway = _section(sections, "webhooks"), _section(sections, "gateway")
        changes: dict[str, Any] = {}
        for section, key, field in (
            (messages, "processing_order", "processing_order"),
            (messages, "send_interval_max", "send_interval_s"),
            (ping, "interval_seconds", "ping_every_s"),
            (webhooks, "retry_count", "event_tries"),
            (webhooks, "signing_key", "signing_key"),
            (gateway, "notification_channel", "channel"),
            (gateway, "private_token", "private_token"),
        ):
            if key in section:
                default = getattr(type(self)(), field)
                changes[field] = default if section[key] is None else section[key]
        return attrs.evolve(self, **changes)

    def asks_for_restart(self, before: "AppSettings") -> bool:
        """Tells whether a change takes effect only when the app is started again."""
        mine, theirs = (self.channel, self.ping_every_s), (before.channel, before.ping_every_s)
        return mine != theirs


def _section(sections: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = sections.get(name)
    if section is None:
        return {}
    if not isinstance(section, dict):
        raise UnreadableAnswer(f"the section {name} of the settings is not an object")
    return section

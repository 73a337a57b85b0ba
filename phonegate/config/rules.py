"""The rules for the value of each setting beyond its type: ranges, addresses, networks.

Pure: a rule takes a value and returns a sentence that says what is wrong, or None.

A rule imports the other parts that it needs when it is used, which is when its setting is given:
`phonegate health` reads the configuration every few seconds, on small machines too.
"""

import ipaddress
import types
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs

from phonegate.bind_address import parse_bind
from phonegate.config.settings import CarrierSettings
from phonegate.http.prefix import read_prefix
from phonegate.model.dialects import DIALECTS

Rule = Callable[[Any], str | None]
"""Checks a value of the right type. Returns what is wrong and what would be right, or None."""

MAX_RATE = 100_000
"""Segments a minute that no radio reaches, so that more is a mistake in the unit."""

_MOST_LIMIT = 1_000_000


def _between(low: float, high: float, *, above: bool = False) -> Rule:
    """Returns a rule for numbers from `low` to `high`. With `above`, `low` itself is excluded."""

    def rule(value: Any) -> str | None:
        if low <= value <= high and not (above and value == low):
            return None
        lower = f"more than {low:g}" if above else f"at least {low:,}"
        return f"{value:,} is out of range: {lower} and at most {high:,} is right"

    return rule


def _bind(values: tuple[str, ...]) -> str | None:
    if not values:
        return "at least one host:port is needed"
    for value in values:
        try:
            parse_bind(value)
        except ValueError as error:
            return str(error)
    return None


def _networks(values: tuple[str, ...]) -> str | None:
    for value in values:
        try:
            network = ipaddress.ip_network(value, strict=False)
        except ValueError:
            return f"{value!r} is no network, such as 10.0.0.0/8, 192.0.2.7 or fd00::/8"
        address = value.partition("/")[0]
        if ipaddress.ip_address(address) != network.network_address:
            return f"{value!r} names an address inside a network; the network is {network}"
    return None


def _url(value: str) -> str | None:
    if not value:
        return None
    wrong = f"{value!r} is no address such as https://sms.example.org"
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return wrong
    if parts.scheme not in ("http", "https") or not host or any(map(str.isspace, value)):
        return wrong
    if parts.query or parts.fragment or "@" in parts.netloc:
        return f"{value!r} must end with its host, port and path: no user, ? or #"
    return None


def _prefix(value: str) -> str | None:
    if value.endswith("/") or read_prefix(value) is None:
        return f"{value!r} is no path such as /sms, of A-Z, a-z, 0-9, -, _, . and ~"
    return None


def _origins(values: tuple[str, ...]) -> str | None:
    from phonegate.http.origins import parse_origin  # noqa: PLC0415 - see above

    for value in values:
        if parse_origin(value) is None:
            return (
                f"{value!r} names no site as browsers do: its scheme and host, and its port if it "
                "has one, such as https://app.example.org"
            )
    return None


def _filled_url(value: str) -> str | None:
    return _url(value) if value else "an address such as https://api.example.org is needed"


def _targets(values: tuple[str, ...]) -> str | None:
    """Returns what is wrong with targets of alarms, without quoting them."""
    from phonegate.domain.alarm_targets import parse_targets  # noqa: PLC0415 - see above

    try:
        parse_targets(values)
    except ValueError as error:
        return str(error)
    return None


def _secret_url(value: str) -> str | None:
    """Returns what is wrong with an address that is a secret, without quoting it."""
    from phonegate.domain.alarm_targets import url_problem  # noqa: PLC0415 - see above

    return url_problem(value) if value else None


def _filled(value: str) -> str | None:
    return None if value.strip() else "a path is needed"


MIN_TOKEN = 20
"""Fewest characters of the operator's token: guesses at it are not counted."""


def _binds(values: tuple[str, ...]) -> str | None:
    return _bind(values) if values else None


def _dialects(values: tuple[str, ...]) -> str | None:
    wrong = next((value for value in values if value not in DIALECTS), None)
    return None if wrong is None else f"{wrong!r} is none of {', '.join(DIALECTS)}"


def _one_bind(value: str) -> str | None:
    return _bind((value,)) if value else None


def _token(value: str) -> str | None:
    """Returns what is wrong with a token, without quoting it."""
    if not value:
        return None
    if not value.isascii() or not value.isprintable() or " " in value:
        return "printable ASCII characters without spaces are needed"
    if len(value) < MIN_TOKEN:
        return f"at least {MIN_TOKEN} characters are needed, such as `openssl rand -hex 24` prints"
    return None


def _org(value: str) -> str | None:
    from phonegate.domain.credentials import org_problem  # noqa: PLC0415 - see above

    return org_problem(value) if value else None


def _imei(value: str) -> str | None:
    if not value or (value.isascii() and value.isdigit() and len(value) in _IMEI_DIGITS):
        return None
    return f"{value!r} is no IMEI of 14 to 16 digits, such as `mmcli -m 0` shows"


def _pin(value: str) -> str | None:
    """Returns what is wrong with a PIN, without quoting it."""
    if not value or (value.isascii() and value.isdigit() and len(value) in _PIN_DIGITS):
        return None
    return "a PIN of 4 to 8 digits is needed"


def _number(value: str) -> str | None:
    from phonegate.model.numbers import is_e164  # noqa: PLC0415 - see above

    if not value or is_e164(value):
        return None
    return f"{value!r} is no number such as +15551112222"


_IMEI_DIGITS = range(14, 17)
"""Without the check digit, with it, and with the version of the modem's software."""

_PIN_DIGITS = range(4, 9)
"""3GPP TS 31.101, 9.5.1."""

_DAY_S = 86_400


def _limits(values: tuple[str, ...]) -> str | None:
    from phonegate.domain.pacing import parse_limit  # noqa: PLC0415 - see above

    for value in values:
        try:
            _, rate = parse_limit(value)
        except ValueError as error:
            return str(error)
        problem = _between(0, MAX_RATE)(rate.segments_per_minute)
        if problem is not None:
            return f"{value!r}: {problem}"
    return None


def _sim_limits(values: tuple[str, ...]) -> str | None:
    from phonegate.domain.routing import is_slot, parse_sim_selector  # noqa: PLC0415 - see above
    from phonegate.model.refusals import BadInput  # noqa: PLC0415 - see above

    for value in values:
        number = value.rpartition("=")[0].strip()
        try:
            wrong = is_slot(parse_sim_selector(number))
        except BadInput:
            wrong = True
        if wrong and number:
            return f"{value!r} names no SIM by its number, such as +15551112222=10"
    return _limits(values)


_SECONDS = _between(0, _DAY_S, above=True)

_CARRIER_URLS = [one.name for one in attrs.fields(CarrierSettings) if one.name.endswith("_url")]

RULES: Mapping[str, Rule] = types.MappingProxyType(
    {
        "http.bind": _bind,
        "http.plain_bind": _binds,
        "http.public_url": _url,
        "http.prefix": _prefix,
        "http.trusted_proxies": _networks,
        "http.allowed_origins": _origins,
        # No real request fits into less than a kibibyte. Above the upper ends, one client could
        # take the memory of a small machine.
        "http.max_body_bytes": _between(1_024, 1 << 30),
        "http.max_head_bytes": _between(1_024, 1 << 20),
        "http.head_timeout_s": _SECONDS,
        "http.keepalive_timeout_s": _SECONDS,
        "http.request_timeout_s": _SECONDS,
        "http.peer_timeout_s": _SECONDS,
        "http.max_connections": _between(1, 1_000_000),
        "http.drain_s": _between(0, _DAY_S),
        "stand_in.bind": _binds,
        "database.path": _filled,
        "database.readers": _between(1, 64),
        # Old programs of phones read ids into 32 bits with a sign.
        "database.first_id": _between(1, 2_000_000_000),
        "delivery.max_attempts": _between(1, 1_000),
        "delivery.late_result_grace_s": _between(0, _DAY_S),
        "delivery.result_timeout_s": _SECONDS,
        "delivery.away_timeout_s": _between(60, 365 * _DAY_S),
        "delivery.default_ttl_s": _between(0, 365 * _DAY_S),
        "delivery.window": _between(1, 10_000),
        "delivery.widest_window": _between(0, 10_000),
        "pacing.segments_per_minute": _between(0, MAX_RATE),
        "pacing.orgs": _limits,
        "pacing.sims": _sim_limits,
        "phones.ping_interval_s": _SECONDS,
        "phones.pong_timeout_s": _SECONDS,
        "phones.write_timeout_s": _SECONDS,
        "phones.max_frame_bytes": _between(1_024, 1 << 24),
        "phones.max_inbound_bytes": _between(1_024, 1 << 24),
        "phones.max_nonsense": _between(1, 1_000_000),
        "modem.org": _org,
        "modem.imei": _imei,
        "modem.pin": _pin,
        "modem.number": _number,
        "media.allow": _networks,
        "webhooks.allow": _networks,
        "webhooks.calls_at_once": _between(4, 10_000),
        "webhooks.log_days": _between(1, 36_500),
        **{f"carriers.{name}": _filled_url for name in _CARRIER_URLS},
        "carriers.deadline_s": _SECONDS,
        "dialects.enabled": _dialects,
        "operator.bind": _one_bind,
        "operator.token": _token,
        # A day is longer than any client repeats a request. Ten years are as good as for ever.
        "retention.messages_days": _between(0, 3_650),
        "retention.figures_days": _between(1, 3_650),
        # At least what a listener needs to write down that it goes on. A year is more than any app
        # is away for and then wants to read everything.
        "events.keep_hours": _between(1, 8_760),
        "log.trouble_per_s": _between(0, _MOST_LIMIT),
        "limits.address_connections": _between(0, _MOST_LIMIT),
        "limits.address_handshakes_per_s": _between(0, _MOST_LIMIT),
        "limits.address_requests_per_s": _between(0, _MOST_LIMIT),
        "limits.address_orgs_per_hour": _between(0, _MOST_LIMIT),
        "limits.orgs_per_hour": _between(0, _MOST_LIMIT),
        "limits.org_requests_per_s": _between(0, _MOST_LIMIT),
        "limits.org_queue": _between(0, 1 << 40),
        "limits.org_bytes_per_day": _between(0, 1 << 50),
        "limits.self_made_org_bytes_per_day": _between(0, 1 << 50),
        "limits.phone_frames_per_s": _between(0, _MOST_LIMIT),
        "limits.org_frames_per_s": _between(0, _MOST_LIMIT),
        "limits.org_phones": _between(0, _MOST_LIMIT),
        "limits.org_sims": _between(0, _MOST_LIMIT),
        "limits.org_keys": _between(0, _MOST_LIMIT),
        "limits.org_assistants": _between(0, _MOST_LIMIT),
        "limits.org_events": _between(0, 1 << 40),
        "limits.org_webhooks": _between(0, _MOST_LIMIT),
        "limits.bodies_bytes": _between(0, 1 << 50),
        "limits.answers_bytes": _between(0, 1 << 50),
        "alarms.notify": _targets,
        "alarms.heartbeat_url": _secret_url,
        "alarms.phone_away_s": _between(0, 30 * _DAY_S),
        "alarms.queue_age_s": _between(0, 30 * _DAY_S),
        "alarms.disk_low_bytes": _between(0, 1 << 50),
        "alarms.database_bytes": _between(0, 1 << 50),
        "alarms.log_bytes": _between(0, 1 << 50),
        "alarms.carrier_failures": _between(0, 1_000_000),
        "alarms.certificate_days": _between(0, 3_650),
    }
)
"""The rule for each setting's value beyond its type, by dotted key."""

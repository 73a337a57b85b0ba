"""What programs call the parts of an SMS, and the one name that each is read by. Pure.

Names are compared without regard to case and marks: `phone_number`, `phoneNumber` and
`Phone-Number` are one. Of several names of one part, the first of its list counts that is given
and not empty.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from phonegate.api.field_names import MAX_SPELLING, plain

TO: Final = "to"
TEXT: Final = "text"
TITLE: Final = "title"
SENDER: Final = "from"
SEND_AT: Final = "send_at"
PRIORITY: Final = "priority"
USER: Final = "user"
KEY: Final = "key"
FORMAT: Final = "format"

ORG_PARAMETERS: Final = ("user", "username", "login", "u", "org", "org_id")
"""What may name the org, as clients write it: in lower case, with their marks."""

KEY_PARAMETERS: Final = (
    "key",
    "api_key",
    "apikey",
    "api-key",
    "token",
    "access_token",
    "accesstoken",
    "access-token",
    "password",
    "pass",
    "h",
    "secret",
    "secret_key",
    "secretkey",
)
"""What may hold the org's secret or an API key, in the same way."""


def _plain_names(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(plain, names)))


NAMES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        TO: (
            "to",
            "number",
            "phone",
            "recipient",
            "phonenumber",
            "mobile",
            "numbers",
            "phones",
            "recipients",
            "phonenumbers",
            "mobiles",
            "receiver",
            "receivers",
            "destination",
            "destinations",
            "target",
            "targets",
            "msisdn",
            "tel",
            "telephone",
            "mobileno",
            "mobilenumber",
            "sendto",
        ),
        # authentik sends a sentence as Message, and nothing but its code as Body.
        TEXT: ("message", "text", "msg", "content", "body", "smsbody", "smstext"),
        TITLE: ("title", "subject"),
        SENDER: ("from", "sender", "originator", "fromnumber", "senderid"),
        "sim": ("sim", "simslot"),
        "ttl": ("ttl",),
        SEND_AT: ("sendat", "date", "scheduledat", "scheduleat"),
        PRIORITY: ("priority",),
        "media_urls": ("mediaurls", "mediaurl", "media"),
        FORMAT: ("format", "responsetype"),
        USER: _plain_names(ORG_PARAMETERS),
        KEY: _plain_names(KEY_PARAMETERS),
    }
)
"""Every part with its names, as `plain` writes them."""

LISTS: Final = frozenset({TO, "media_urls"})
"""The parts that may have several values."""

_MEANING: Final = MappingProxyType(
    {name: (part, place) for part, names in NAMES.items() for place, name in enumerate(names)}
)

_INDEX: Final = re.compile(r"\[[0-9]{0,6}\]$")
"""What PHP writes behind the name of each value of a list: `to[]`, `to[0]`."""


def meaning(name: str) -> tuple[str, int] | None:
    """Returns the part of an SMS that a name means, and the place of the name in its list.

    None for a name that means nothing here.
    """
    if len(name) > MAX_SPELLING:
        return None
    return _MEANING.get(plain(_INDEX.sub("", name)))


def by_part(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Returns what is given and not empty, each part under its own name.

    Args:
        pairs: Names and values, in their order. A name may come several times.

    Returns:
        All values of a part that may have several, as one name gave them, and the first of any
        other. Names without a meaning are left out.
    """
    found: dict[str, dict[int, list[str]]] = {}
    for name, value in pairs:
        meant = meaning(name)
        if meant is None or not value.strip():
            continue
        part, place = meant
        found.setdefault(part, {}).setdefault(place, []).append(value)
    return {part: _counting(part, places) for part, places in found.items()}


def given_by_part(given: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Does the same for parameters that are gathered by name already."""
    return by_part((name, value) for name, values in given.items() for value in values)


def _counting(part: str, places: Mapping[int, Sequence[str]]) -> tuple[str, ...]:
    values = places[min(places)]
    return tuple(values) if part in LISTS else (values[0],)

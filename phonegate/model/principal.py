"""Whom a request or a phone speaks for, once its credential was found right."""

from collections.abc import Collection
from typing import Final, Literal

import attrs

from phonegate.model.orgs import ApiKey, KeyLimits

Scope = Literal["send", "read", "manage", "phone"]
OwnerScope = Literal["owner"]
OWNER_SCOPE: Final[OwnerScope] = "owner"
"""What the owner of the gateway may do beside all that orgs may. No key has it."""

SCOPES: Final[tuple[Scope, ...]] = ("send", "read", "manage", "phone")
"""What a key may be allowed. An org's own secret may do all of it. `phone` lets a phone deliver
received SMS and take SMS to send."""

USUAL_SCOPES: Final[tuple[Scope, ...]] = ("send", "read", "manage")
"""Those of a key for which none are named. With `manage` it may be a phone too."""

_ADMITTING: Final = frozenset({"manage", "phone"})
"""By which a phone may have been let in."""

LIMITED_SCOPES: Final[tuple[Scope, ...]] = ("send", "read")
"""What a key with limits may be allowed: one that manages could lift them, and one that is a
phone is given every text that leaves by it."""


def scopes_for(limits: KeyLimits | None) -> tuple[Scope, ...]:
    """What a key with these limits may do, where its owner does not say."""
    return USUAL_SCOPES if limits is None else LIMITED_SCOPES


def allows(scopes: Collection[str], wanted: Scope) -> bool:
    """Tells whether these scopes allow what needs one."""
    return wanted in scopes or (wanted == "phone" and "manage" in scopes)


def admits_phones(key: ApiKey) -> bool:
    """Tells whether a phone may have connected with a key."""
    return not _ADMITTING.isdisjoint(key.scopes)


def usable(key: ApiKey) -> tuple[str, ...]:
    """The scopes of a key as far as its limits leave them to it."""
    return tuple(s for s in key.scopes if key.limits is None or s in LIMITED_SCOPES)


@attrs.frozen(kw_only=True)
class Principal:
    """Whom a right credential speaks for. `key_id` is set where it was an API key."""

    org: int
    org_name: str
    scopes: tuple[str, ...]
    key_id: str | None = None
    limits: KeyLimits | None = None
    """What the API key may do. None where there is no limit."""
    generation: int = attrs.field(default=0, repr=False, eq=False)
    """How often the org's credentials had changed, see `Authentication.is_current`."""

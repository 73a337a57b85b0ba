"""The principal of a request or a phone: the org that its right credential speaks for."""

from collections.abc import Collection
from typing import Final, Literal

import attrs

from phonegate.model.orgs import ApiKey, KeyLimits

Scope = Literal["send", "read", "manage", "phone"]
OwnerScope = Literal["owner"]
OWNER_SCOPE: Final[OwnerScope] = "owner"
"""The scope of the gateway's owner, who may do all that orgs may and more. No key has it."""

SCOPES: Final[tuple[Scope, ...]] = ("send", "read", "manage", "phone")
"""The scopes that a key may have. An org's own secret has all of them. `phone` lets a phone deliver
received SMS and take SMS to send."""

USUAL_SCOPES: Final[tuple[Scope, ...]] = ("send", "read", "manage")
"""The scopes of a key for which none are named. With `manage` it may be a phone too."""

_ADMITTING: Final = frozenset({"manage", "phone"})
"""The scopes by which a phone may have been authenticated."""

LIMITED_SCOPES: Final[tuple[Scope, ...]] = ("send", "read")
"""The scopes that a key with limits may have. With `manage` it could lift them, and a phone is
given every text that it sends."""


def scopes_for(limits: KeyLimits | None) -> tuple[Scope, ...]:
    """Returns the scopes of a key with these limits for which its owner names none."""
    return USUAL_SCOPES if limits is None else LIMITED_SCOPES


def allows(scopes: Collection[str], wanted: Scope) -> bool:
    """Tells whether these scopes include a wanted one."""
    return wanted in scopes or (wanted == "phone" and "manage" in scopes)


def admits_phones(key: ApiKey) -> bool:
    """Tells whether a phone may have connected with a key."""
    return not _ADMITTING.isdisjoint(key.scopes)


def usable(key: ApiKey) -> tuple[str, ...]:
    """Returns the scopes of a key that its limits leave it."""
    return tuple(s for s in key.scopes if key.limits is None or s in LIMITED_SCOPES)


@attrs.frozen(kw_only=True)
class Principal:
    """The org that a right credential speaks for. `key_id` is set where it is an API key."""

    org: int
    org_name: str
    scopes: tuple[str, ...]
    key_id: str | None = None
    limits: KeyLimits | None = None
    """The limits of the API key. None where there are none."""
    generation: int = attrs.field(default=0, repr=False, eq=False)
    """How often the org's credentials had changed, see `Authentication.is_current`."""
    session: int | None = attrs.field(default=None, repr=False, eq=False)
    """The session of the console that it was found by. None for a credential itself."""
    grants: tuple[str, ...] | None = None
    """What the token of a dialect may do that it was found by, in that dialect's words. None for a
    credential itself."""

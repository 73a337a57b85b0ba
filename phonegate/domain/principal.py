"""Whom a request or a phone speaks for, once its credential was found right."""

from typing import Final, Literal

import attrs

from phonegate.store.records import ApiKey, Limits

Scope = Literal["send", "read", "manage"]
SCOPES: Final[tuple[Scope, ...]] = ("send", "read", "manage")
"""What a key may be allowed; an org's own secret may do all of it."""

LIMITED_SCOPES: Final[tuple[Scope, ...]] = ("send", "read")
"""What a key with limits may be allowed: one that manages could lift them."""


def scopes_for(limits: Limits | None) -> tuple[Scope, ...]:
    """All that a key with these limits may be allowed."""
    return SCOPES if limits is None else LIMITED_SCOPES


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
    limits: Limits | None = None
    """What the API key may send; None where there is no limit."""
    generation: int = attrs.field(default=0, repr=False, eq=False)
    """How often the org's credentials had changed; see `Accounts.is_current`."""

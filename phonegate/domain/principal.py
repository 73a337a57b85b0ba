"""Whom a request or a phone speaks for, once its credential was found right."""

from typing import Final, Literal

import attrs

Scope = Literal["send", "read", "manage"]
SCOPES: Final[tuple[Scope, ...]] = ("send", "read", "manage")
"""What a key may be allowed; an org's own secret may do all of it."""


@attrs.frozen(kw_only=True)
class Principal:
    """Whom a right credential speaks for. `key_id` is set where it was an API key."""

    org: int
    org_name: str
    scopes: tuple[str, ...]
    key_id: str | None = None
    generation: int = attrs.field(default=0, repr=False, eq=False)
    """How often the org's credentials had changed; see `Accounts.is_current`."""

"""Who sends, in tests: an org's owner, or an API key with limits."""

from typing import Any

from phonegate.model.orgs import KeyLimits
from phonegate.model.principal import LIMITED_SCOPES, SCOPES, Principal


def owner(org: int) -> Principal:
    """The org's own secret."""
    return Principal(org=org, org_name="myorg", scopes=SCOPES)


def limited(org: int, key_id: str = "key1", **limits: Any) -> Principal:
    """A key with these limits."""
    return Principal(
        org=org,
        org_name="myorg",
        scopes=LIMITED_SCOPES,
        key_id=key_id,
        limits=KeyLimits(**limits),
    )

"""Assistants: named owners of sender numbers, as plain values.

Every time is an integer: milliseconds since 1970-01-01 UTC.
"""

from collections.abc import Mapping
from typing import Final

import attrs

PHONE: Final = "phone"
"""The provider of messages that an org's own phones send. Any other is the name of a carrier."""


@attrs.frozen(kw_only=True)
class Assistant:
    """A named owner of sender numbers, with the provider that sends for it."""

    id: int
    org: int
    org_name: str
    name: str
    provider: str
    phone_numbers: tuple[str, ...] = attrs.field(repr=False)
    credentials: Mapping[str, str] = attrs.field(repr=False)
    token: str = attrs.field(repr=False)
    """The unguessable part of its callback addresses."""
    from_file: bool
    created_at: int

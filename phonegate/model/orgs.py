"""Orgs, their API keys and what those may do, as plain values.

Every time is an integer: milliseconds since 1970-01-01 UTC. `org` is the row's integer key; an
org's public name is `Org.name`.
"""

import attrs

from phonegate.model.bounds import MAX_BODY


@attrs.frozen(kw_only=True)
class Options:
    """What an org has chosen for itself."""

    default_country: str | None = None
    """The country of numbers that are written without one, as ISO 3166 names it in two letters."""
    max_characters: int = MAX_BODY
    """Most characters of a text that it sends."""


@attrs.frozen(kw_only=True)
class Org:
    """A tenant. `secret_hash` is a slow hash (see `domain.credentials`), never the secret."""

    id: int
    name: str
    secret_hash: str = attrs.field(repr=False)
    created_at: int
    suspended_at: int | None = None
    """Since when it is not served, since it is about to move, or has not wholly come yet."""


@attrs.frozen(kw_only=True)
class QuietHours:
    """A part of every day, by the clocks of a time zone. It may extend past midnight."""

    begin: int
    """The first quiet minute, counted from midnight."""
    end: int
    """The first minute that is no longer quiet. Never the same as `begin`."""
    zone: str
    """An IANA name, such as `Europe/Berlin`."""


@attrs.frozen(kw_only=True)
class KeyLimits:
    """The limits of an API key, as its org's owner has set them. By default there are none."""

    to: tuple[str, ...] = attrs.field(default=(), repr=False)
    """The only recipients: numbers, or prefixes with a `*` at the end. Empty: any."""
    per_hour: int | None = None
    per_day: int | None = None
    """Most messages accepted within any 60 minutes, or 24 hours."""
    quiet: QuietHours | None = None
    """The hours in which nothing may be sent."""
    hold: bool = False
    """Whether a person must approve each message before it is sent."""
    sees: tuple[str, ...] = attrs.field(default=(), repr=False)
    """The only other parties whose messages it may read, written as in `to`. Empty: all."""
    codes_hidden: bool = False
    """Whether one-time codes are blanked in the messages that it reads."""


@attrs.frozen(kw_only=True)
class ApiKey:
    """A bearer token of an org. `digest` is the SHA-256 of its 190-bit random part."""

    id: str
    org: int
    org_name: str
    name: str
    scopes: tuple[str, ...]
    digest: bytes = attrs.field(repr=False)
    created_at: int
    last_used_at: int | None = None
    limits: KeyLimits | None = None
    """None for a key without limits, which takes no time to check."""


@attrs.frozen(kw_only=True)
class KeptAnswer:
    """The first answer to a request that carried an Idempotency-Key, kept for a day."""

    fingerprint: bytes
    status: int
    body: bytes = attrs.field(repr=False)
    created_at: int

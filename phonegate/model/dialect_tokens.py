"""A token of a dialect: what a program was given for a credential, for some time and some uses."""

import attrs


@attrs.frozen(kw_only=True)
class DialectToken:
    """A pair of an access token and a refresh token, without either.

    Every time is in milliseconds since 1970-01-01 UTC.
    """

    id: str
    """Names it, so that it can be revoked."""
    org: int
    key: str | None
    """The id of the API key that it was given for. None for the org's own secret."""
    grants: tuple[str, ...]
    """What it may do, in the dialect's words."""
    expires_at: int
    refresh_until: int
    """Until then its refresh token gets a new pair, once."""
    created_at: int

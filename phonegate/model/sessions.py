"""A session: a browser in which a person has signed in to the console."""

import attrs


@attrs.frozen(kw_only=True)
class Session:
    """A sign-in, without the cookie that shows it."""

    id: int
    org: int | None
    """None where the operator signed in."""
    key: str | None
    """The id of the API key by which it was begun. None where that was a secret or a token."""
    key_name: str | None = None
    """What the owner of that key calls it."""
    operator: bytes | None = attrs.field(default=None, repr=False)
    """The operator's token by which it was begun, sealed by the session's own."""
    created_at: int
    """In ms, as all times."""
    used_at: int
    """When it was last used, some minutes more or less."""
    browser: str
    """What the browser calls itself."""
    network: str
    """The network that it was begun from."""

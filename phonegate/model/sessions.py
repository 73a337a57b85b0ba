"""A session: a browser in which someone has signed in to the console."""

import attrs


@attrs.frozen(kw_only=True)
class Session:
    """A sign-in, without the cookie that shows it."""

    id: int
    org: int | None
    """None where the operator signed in."""
    key: str | None
    """The id of the API key by which it was begun. None where that was a secret or a token."""
    operator: bytes | None = attrs.field(default=None, repr=False)
    """A digest of the operator's token by which it was begun."""
    created_at: int
    """In ms, as all times."""
    used_at: int
    browser: str
    """What the browser calls itself, in a few words."""
    network: str
    """The network that it was begun from."""

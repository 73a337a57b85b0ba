"""The head of a plain request: what passes from the server to what answers the busy endpoints."""

from collections.abc import Mapping

import attrs


@attrs.frozen(kw_only=True)
class PlainRequest:
    """A head. Nearly every field may hold a secret, hence the short `repr`."""

    method: str
    path: str = attrs.field(repr=False)
    query: str = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)
    """By lower-case name. Each was sent once."""
    length: int
    """Bytes of the body."""
    stays: bool
    """Whether the client wants to use the connection again."""

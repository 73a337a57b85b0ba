"""The head of a request, and what follows from it alone.

A client that keeps its connection sends the same head again and again. So what needs no more than
the head is found once, and kept for as long as the next head is the same.
"""

from collections.abc import Mapping, Sequence

import attrs

from phonegate.api.endpoint import Request
from phonegate.api.query import parse_query
from phonegate.api.table import Match
from phonegate.model.messages import PageQuery
from phonegate.model.principal import OwnerScope, Principal, Scope


@attrs.frozen
class KnownCaller:
    """Whom a request speaks for, as far as that is known before its body is parsed."""

    principal: Principal
    credential: str | None = attrs.field(repr=False)
    """What proves it. None where another credential may turn out to be the one that counts."""


@attrs.frozen
class ShownCredential:
    """A credential that the head shows, and that no body can make another one count instead of."""

    credential: str = attrs.field(repr=False)
    org: str | None
    """The org that the head names."""
    scope: Scope | OwnerScope | None
    """What it must allow."""
    mark: bytes = attrs.field(repr=False)
    """What `Authentication.remembered` knows it by."""


@attrs.frozen(kw_only=True)
class AskedPage:
    """A page of messages that a head asks for."""

    org_name: str
    query: PageQuery
    media: str
    """The beginning of the addresses of its messages' parts."""
    size: int
    """What it takes of its org's share."""


@attrs.define(eq=False)
class KnownHead:
    """A head that was read, and what was found of it. It is the same for many requests."""

    request: Request
    """The request without its body."""
    match: Match | None
    """What it means. None where that is still to be found, or refused."""
    foreign: bool
    """Whether a page of a site that is not let in may have sent it."""
    foreign_host: bool
    """Whether it was for a name that anyone may own."""
    credential: str | None = attrs.field(repr=False)
    """That of its headers, where its endpoint looks there first."""
    shown: ShownCredential | None = None
    """The credential that counts, once it was found right."""
    caller: KnownCaller | None = None
    """Whom it spoke for last."""
    plain_send: bool | None = None
    """Whether a request with it may be a plain send. None until that was looked at."""
    plain_push: bool | None = None
    """Whether it may be a plain push, likewise."""
    page: AskedPage | None = None
    """The page that it asks for, if that is a plain one."""
    looked_for_page: bool = False
    """Whether that was looked at."""
    _query: Mapping[str, Sequence[str]] | None = attrs.field(default=None, repr=False)

    @property
    def query(self) -> Mapping[str, Sequence[str]]:
        """The parameters of the query, each with all the values that it was given.

        Raises:
            BadInput: as `parse_query`.
        """
        if self._query is None:
            endpoint = None if self.match is None else self.match.endpoint
            # A dialect may have clients that send texts in another encoding.
            strict = endpoint is None or endpoint.given is None
            self._query = parse_query(self.request.query, strict=strict)
        return self._query

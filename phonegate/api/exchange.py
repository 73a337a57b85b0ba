"""One request on its way to its answer: all that is known of it so far."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import attrs
import trio

from phonegate.api.answer_budget import ANYBODY, Reader
from phonegate.api.endpoint import Endpoint, Request
from phonegate.api.known_head import KnownCaller, KnownHead
from phonegate.api.table import Match
from phonegate.domain.client_network import client_network
from phonegate.http.credentials import find_credential
from phonegate.http.login import ShownLogin, find_login
from phonegate.model.principal import Principal
from phonegate.rates import Standing

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@attrs.define(eq=False)
class Exchange:
    """A request and what the pipeline has found out about it."""

    head: KnownHead
    began: float
    """The monotonic time at which it came, in seconds."""
    match: Match | None = None
    scope: trio.CancelScope | None = attrs.field(default=None, repr=False)
    """What is cancelled where it takes too long, if that is not its own."""
    sent: bytes = attrs.field(default=b"", repr=False)
    """Its body as it came, where its endpoint takes one."""
    query: Mapping[str, Sequence[str]] = attrs.field(default=_NOTHING, repr=False)
    """The parameters of its query, each with all the values that it was given."""
    body: Mapping[str, Any] = attrs.field(default=_NOTHING, repr=False)
    """The JSON object of its body, where its endpoint takes one."""
    known: KnownCaller | None = None
    org: str | None = None
    """The name of the org that has proved to call."""
    counted: bool = False
    """Whether it was counted against the limit of its address."""
    address_exhausted: bool = False
    """Whether its address has made all the requests that unknown callers may."""
    body_bytes: int = 0
    cost: float = 0.0
    """What was counted of its address before its caller was known."""
    reader: Reader = ANYBODY
    """Who is answerable for the memory of its answer."""
    ignored: Sequence[str] = ()
    """The fields of its body that mean nothing here."""
    standing: Standing | None = None
    """How its org stands, where that is near its limit."""

    @property
    def request(self) -> Request:
        """The request, without its body."""
        return self.head.request

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint that the request is for."""
        if self.match is None or self.match.endpoint is None:
            raise TypeError("no endpoint of this request is known")
        return self.match.endpoint

    @property
    def path(self) -> Mapping[str, str]:
        """The parameters of the path, decoded once."""
        return _NOTHING if self.match is None else self.match.path

    @property
    def owner(self) -> int | str:
        """Who is answerable for the memory that it takes: an org, or a network."""
        known = self.known
        return client_network(self.request.client) if known is None else known.principal.org

    def credential(self) -> str | None:
        """Finds the credential that counts, as far as the request was read.

        Raises:
            BadInput: as `find_credential`.
        """
        if self.endpoint.dialect is not None:
            return self.login().credential
        return self.head.credential or find_credential(
            self.endpoint.credential_places,
            self.head.request.headers,
            path=self.path,
            query=self.query,
            body=self.body,
        )

    def login(self) -> ShownLogin:
        """Finds who a dialect's request says that it speaks for, as far as it was read."""
        dialect = self.endpoint.dialect
        if dialect is None:
            raise TypeError("only a dialect has a login of its own")
        # What was read of the body is parameters where the endpoint says so, and else JSON.
        body = _NOTHING if self.endpoint.given is None else self.body
        return find_login(dialect.login, self.head.request.headers, self.query, body)

    def set_reader(self, principal: Principal | None) -> None:
        """Makes the caller answerable for the memory of the answer."""
        if principal is None:
            self.reader = Reader(client_network(self.request.client))
        else:
            self.reader = Reader(principal.org, principal.key_id or "")

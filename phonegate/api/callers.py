"""Who calls, as far as the head of a request tells it, and what is counted of whom.

A body is read and parsed only for callers who are known already, or whose address has some left of
the requests that unknown callers may make. A body counts there by its size.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from phonegate.api.answer_budget import ANYBODY, Reader
from phonegate.api.convert import refusal
from phonegate.api.credentials import find_credential
from phonegate.api.endpoint import Endpoint, Request
from phonegate.api.parameters import read_parameters
from phonegate.api.services import Services
from phonegate.api.table import Match
from phonegate.domain.client_network import place
from phonegate.domain.credentials import is_key_like
from phonegate.domain.rate_limits import RateLimits
from phonegate.http.origins import Origins
from phonegate.model.principal import Principal
from phonegate.model.refusals import FieldProblem, RateExceeded, Refused
from phonegate.rates import Standing
from phonegate.typed_json.fields import fields_of

ORG_FIELD: Final = "org_id"
"""Names the org in a body or a query, where no path does."""

_BODY_ORG: Final = re.compile(rb'"org_id"\s*+:\s*+"([A-Za-z0-9_-]{3,50})"')
"""Where a body names its org, found without parsing it."""


@attrs.define
class Trace:
    """What is known so far of a request: for its log line, and for the limits."""

    began: float
    match: Match | None = None
    org: str | None = None
    counted: bool = False
    """Whether it was counted against the limit of its address."""
    spent: bool = False
    """Whether its address has made all the requests that unknown callers may."""
    body_bytes: int = 0
    cost: float = 0.0
    """What was counted of its address before its caller was known."""
    owner: Reader = ANYBODY
    """Who is answerable for the memory of its answer."""
    ignored: Sequence[str] = ()
    """The fields of its body that mean nothing here."""
    standing: Standing | None = None
    """How its org stands, where that is near its limit."""


@attrs.frozen
class Known:
    """Whom a request speaks for, as far as that is known before its body is parsed."""

    principal: Principal
    credential: str | None = attrs.field(repr=False)
    """What proves it. None where another credential may turn out to be the one that counts."""


class Callers:
    """Tells known callers from others, and counts the requests of both."""

    def __init__(self, services: Services, origins: Origins) -> None:
        self._authentication = services.accounts.authentication
        self._rate_limits: RateLimits = services.rate_limits
        self._origins = origins

    async def by_head(
        self,
        endpoint: Endpoint,
        request: Request,
        path: Mapping[str, str],
        query: Mapping[str, Sequence[str]],
        trace: Trace,
    ) -> Known | None:
        """Whom the head of a request speaks for. None if only its body can say that.

        Where the caller's address is spent, only who shows a credential in the head goes on.

        Raises:
            Unauthorized, Forbidden, Throttled, BadInput: as `Authentication.authenticate`.
        """
        if endpoint.scope is None:
            return None
        trace.spent = self._rate_limits.is_spent(request.client, trace.began)
        credential = find_credential(endpoint, request, path, query, {})
        if credential is None:
            if trace.spent:
                trace.counted = True
                self._rate_limits.stranger(request.client, trace.began)
            return None
        org = path.get("org")
        if org is None:
            org = org_of_query(endpoint, query)
        if org is None and not is_key_like(credential):
            return None
        # One in the body goes before one in the path or the query.
        first = "body" not in endpoint.secret_places or not _stands_last(endpoint, request)
        if not first and not trace.spent:
            return None
        # The body may yet name another org than that of an API key.
        final = first and (org is not None or not takes_org_id(endpoint))
        principal = await self._authentication.authenticate(
            credential,
            org_name=org,
            address=request.client,
            scope=endpoint.scope if final and endpoint.scope != "any" else None,
            relayed=request.relayed,
            foreign_host=self._origins.is_foreign_host(request.headers),
        )
        self.note(principal, request, trace)
        return Known(principal, credential if final else None)

    async def by_body(
        self,
        endpoint: Endpoint,
        request: Request,
        path: Mapping[str, str],
        query: Mapping[str, Sequence[str]],
        trace: Trace,
    ) -> Known | None:
        """Counts a body whose caller is not known by the head, before any of it is parsed.

        Where the caller's address is spent, the head has a credential, and the body may name its
        org: that is looked for, and who is not known by the two is not heard.

        Raises:
            Unauthorized, Throttled, BadInput: as `Authentication.authenticate`.
        """
        trace.body_bytes = size = len(request.body)
        if endpoint.scope is None:
            return None
        credential = find_credential(endpoint, request, path, query, {})
        if not trace.spent:
            try:
                trace.cost = self._rate_limits.stranger(
                    request.client, trace.began, body_bytes=size
                )
            except RateExceeded:  # spent by others while this body came
                if credential is None:
                    raise
            else:
                trace.counted = True
                return None
        found = _BODY_ORG.search(request.body)
        principal = await self._authentication.authenticate(
            credential,
            org_name=None if found is None else found[1].decode(),
            address=request.client,
            scope=None,
            relayed=request.relayed,
            foreign_host=self._origins.is_foreign_host(request.headers),
        )
        self.note(principal, request, trace)
        return Known(principal, None)

    def note(self, principal: Principal, request: Request, trace: Trace) -> None:
        """Counts a request for its caller's org, once, and no more for its address.

        Raises:
            RateExceeded: the org has made too many.
        """
        if trace.cost:
            self._rate_limits.pardon(request.client, trace.began, trace.cost)
            trace.cost = 0.0
        if trace.org != principal.org_name:
            trace.org = principal.org_name
            trace.standing = self._rate_limits.request(principal.org, trace.began)

    def counted(self, error: Exception, request: Request, trace: Trace) -> Exception:
        """Counts a refused request of an unknown caller. Returns the error to answer with."""
        if trace.org is not None or not isinstance(error, Refused):
            return error
        if not trace.counted:
            try:
                size = trace.body_bytes
                self._rate_limits.stranger(request.client, trace.began, body_bytes=size)
            except RateExceeded as exceeded:
                return exceeded
        problems = len(getattr(error, "problems", ()))
        self._rate_limits.found_wrong(request.client, trace.began, problems)
        return error


def owner_of(request: Request, principal: Principal | None) -> int | str:
    """Who is answerable for the memory that a request takes: an org, or a place."""
    return place(request.client) if principal is None else principal.org


def reader_of(request: Request, principal: Principal | None) -> Reader:
    """Who reads the answer to a request."""
    key = None if principal is None else principal.key_id
    return Reader(owner_of(request, principal), key or "")


def org_of_query(endpoint: Endpoint, query: Mapping[str, Sequence[str]]) -> str | None:
    """The org that a query names, where the endpoint says that one may."""
    if endpoint.query is None or not any(f.name == ORG_FIELD for f in fields_of(endpoint.query)):
        return None
    given = {ORG_FIELD: query.get(ORG_FIELD, ())}
    asked, wrong = read_parameters(endpoint.query, given)
    if ORG_FIELD in wrong:
        raise refusal((FieldProblem(ORG_FIELD, wrong[ORG_FIELD]),))
    org: str | None = getattr(asked, ORG_FIELD, None)
    return org


def takes_org_id(endpoint: Endpoint) -> bool:
    """Whether the body may name the org."""
    return endpoint.body is not None and ORG_FIELD in attrs.fields_dict(endpoint.body)


def _stands_last(endpoint: Endpoint, request: Request) -> bool:
    """Whether the credential of a head stands where one in the body would go before it."""
    return find_credential(endpoint, request, {}, {}, {}) is None

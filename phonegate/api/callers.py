"""Who calls, and what is counted of whom.

A body is read and parsed only for callers who are known already, or whose address has some left of
the requests that unknown callers may make. A body counts there by its size.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from phonegate.api.convert import refusal
from phonegate.api.endpoint import Endpoint
from phonegate.api.exchange import Exchange
from phonegate.api.known_head import KnownCaller, KnownHead, ShownCredential
from phonegate.api.parameters import read_parameters
from phonegate.api.services import Services
from phonegate.domain.authentication import require_scope
from phonegate.domain.credential_check import WRONG_CREDENTIAL
from phonegate.domain.credentials import TOKEN_PREFIXES, is_key_like
from phonegate.domain.rate_limits import RateLimits
from phonegate.http.credentials import find_credential
from phonegate.http.login import ShownLogin
from phonegate.model.principal import OwnerScope, Principal, Scope
from phonegate.model.refusals import (
    FieldProblem,
    Forbidden,
    RateExceeded,
    Refused,
    Unauthorized,
)
from phonegate.model.twilio_ids import org_of
from phonegate.typed_json.fields import fields_of

ORG_FIELD: Final = "org_id"
"""Names the org in a body or a query, where no path does."""

NEEDS_KEY: Final = (
    "This needs an API key (Authorization: Bearer pgk_...), or the org's SecretKey in "
    "X-Secret-Key with ?org_id= beside it."
)

NEEDS_ORG: Final = (
    "The SecretKey of an org needs the OrgId beside it, as in the user name of Authorization: "
    "Basic. An API key (pgk_...) needs none."
)

SEND_ALONE: Final = (
    "By GET, or with a secret in the address, only an API key may send that can do nothing else, "
    "since addresses end in logs. This one can do more. Make one whose only scope is send "
    "(phonegate key add ORG NAME --scope send, or API keys in the console), or use POST and a "
    "header."
)

KEPT_NAMES: Final = 1_000
"""Orgs whose names are remembered."""

_BODY_ORG: Final = re.compile(rb'"org_id"\s*+:\s*+"([A-Za-z0-9_-]{3,50})"')
"""Where a body names its org, found without parsing it."""


class Callers:
    """Tells known callers from others, and counts the requests of both."""

    def __init__(self, services: Services) -> None:
        self._authentication = services.authentication
        self._rate_limits: RateLimits = services.rate_limits
        self._services = services
        self._names: dict[int, str] = {}
        """The names of orgs by their number, which never changes."""

    def remembered(self, exchange: Exchange) -> KnownCaller | None:
        """Finds out whom the head of a request speaks for, where it spoke for the same lately.

        Returns:
            The caller, or None where `by_head` has to be asked.

        Raises:
            RateExceeded: the org has made too many requests.
        """
        head = exchange.head
        shown = head.shown
        if shown is None:
            return None
        principal = self._authentication.remembered(shown.mark, shown.org, shown.scope)
        if principal is None:
            return None
        self.note(principal, exchange)
        known = head.caller
        if known is None or known.principal is not principal:
            known = head.caller = KnownCaller(principal, shown.credential)
        return known

    def recalled(self, head: KnownHead) -> Principal | None:
        """Finds out the same as `remembered`, of a head that names its org, and counts nothing.

        It need not have come before.
        """
        shown = head.shown
        if shown is None:
            match = head.match
            org = None if match is None else match.path.get("org")
            if match is None or match.endpoint is None or head.credential is None or org is None:
                return None
            shown = self._shown(head, head.credential, org, match.endpoint.needed_scope)
        principal = self._authentication.remembered(shown.mark, shown.org, shown.scope)
        if principal is not None:
            head.shown = shown
        return principal

    async def by_head(self, exchange: Exchange) -> KnownCaller | None:
        """Finds out whom the head of a request speaks for.

        Where the address has made all the requests that unknown callers may, only those who show
        a credential in the head go on.

        Returns:
            The caller, or None if only the body can say who that is.

        Raises:
            Unauthorized, Forbidden, Throttled, BadInput: as `Authentication.authenticate`.
        """
        endpoint, request = exchange.endpoint, exchange.request
        if endpoint.scope is None:
            return None
        exchange.address_exhausted = self._rate_limits.is_exhausted(request.client, exchange.began)
        credential = exchange.credential()
        if credential is None:
            if exchange.address_exhausted:
                exchange.counted = True
                self._rate_limits.count_unauthenticated(request.client, exchange.began)
            return None
        org = await self._org_of_head(exchange)
        if org is None and not names_org(credential):
            return None
        # One in the body goes before one in the path or the query.
        first = "body" not in endpoint.credential_places or not _stands_last(exchange)
        if not first and not exchange.address_exhausted:
            return None
        # The body may yet name another org than that of an API key.
        final = first and (org is not None or not takes_org_id(endpoint))
        scope = endpoint.needed_scope if final else None
        principal = await self._authenticate(exchange, credential, org, scope)
        if final and not credential.startswith(TOKEN_PREFIXES):
            exchange.head.shown = self._shown(exchange.head, credential, org, scope)
        self.note(principal, exchange)
        return KnownCaller(principal, credential if final else None)

    async def by_body(self, exchange: Exchange) -> KnownCaller | None:
        """Counts a body whose caller is not known by the head, before any of it is parsed.

        Where the address has made all the requests that unknown callers may, the org that the
        body may name is looked for, and the request goes on only if the credential of the head
        is one of that org.

        Raises:
            Unauthorized, Throttled, BadInput: as `Authentication.authenticate`.
        """
        request = exchange.request
        exchange.body_bytes = size = len(exchange.sent)
        if exchange.endpoint.scope is None:
            return None
        credential = exchange.credential()
        if not exchange.address_exhausted:
            try:
                exchange.cost = self._rate_limits.count_unauthenticated(
                    request.client, exchange.began, body_bytes=size
                )
            except RateExceeded:  # others used it up while this body came
                if credential is None:
                    raise
            else:
                exchange.counted = True
                return None
        found = _BODY_ORG.search(exchange.sent)
        org = None if found is None else found[1].decode()
        forms = exchange.endpoint.forms
        if org is None and forms is not None:
            org = forms.find_org(exchange.sent, request.headers, exchange.query)
        principal = await self._authenticate(exchange, credential, org, None)
        self.note(principal, exchange)
        return KnownCaller(principal, None)

    async def identify(self, exchange: Exchange) -> Principal | None:
        """Finds out who calls, once the whole request was read.

        Returns:
            The caller, or None where the endpoint needs none.

        Raises:
            Unauthorized, Forbidden, Throttled, BadInput: as `Authentication.authenticate`.
        """
        endpoint, known = exchange.endpoint, exchange.known
        if endpoint.scope is None:
            return None
        credential = exchange.credential()
        if endpoint.dialect is not None:
            org = await self._org_of_login(exchange.login())
            if org is None and credential is not None and not names_org(credential):
                raise Unauthorized(NEEDS_ORG)
            if credential is None:
                raise Unauthorized(endpoint.dialect.login.needed)
        else:
            org = _named_org(exchange, credential)
        # What was right in the head may have been changed while the body came.
        if (
            known is not None
            and known.credential == credential
            and self._authentication.is_current(known.principal)
        ):
            principal = known.principal
        else:
            principal = await self._authenticate(
                exchange, credential, org, endpoint.needed_scope, create=endpoint.creates_org
            )
        if org is not None and principal.org_name != org:
            raise Unauthorized("The org and its credential don't fit together.")
        if endpoint.dialect is not None and not _may_show(exchange, principal):
            raise Forbidden(SEND_ALONE)
        return principal

    async def _org_of_head(self, exchange: Exchange) -> str | None:
        """Returns the org that a head names."""
        endpoint = exchange.endpoint
        if endpoint.dialect is not None:
            return await self._org_of_login(exchange.login())
        org = exchange.path.get("org")
        return org_of_query(endpoint, exchange.query) if org is None else org

    async def _org_of_login(self, login: ShownLogin) -> str | None:
        """Returns the name of the org that a dialect's client means. An API key needs none."""
        credential, org = login.credential, login.org
        if org is None or credential is None or is_key_like(credential):
            return None
        number = org_of(org)
        if number is None:
            return org
        known = self._names.get(number)
        if known is None:
            found = await self._services.accounts.orgs.find(number)
            if found is None:
                return org
            if len(self._names) >= KEPT_NAMES:
                self._names.clear()
            known = self._names[number] = found.name
        return known

    def note(self, principal: Principal, exchange: Exchange) -> None:
        """Counts a request for its caller's org, once, and no more for its address.

        Raises:
            RateExceeded: the org has made too many.
        """
        if exchange.cost:
            self._rate_limits.pardon(exchange.request.client, exchange.began, exchange.cost)
            exchange.cost = 0.0
        if exchange.org != principal.org_name:
            exchange.org = principal.org_name
            exchange.standing = self._rate_limits.request(principal.org, exchange.began)

    def count_refusal(self, error: Exception, exchange: Exchange) -> Exception:
        """Counts a refused request of an unknown caller. Returns the error to answer with."""
        if exchange.org is not None or not isinstance(error, Refused):
            return error
        client, began = exchange.request.client, exchange.began
        if not exchange.counted:
            try:
                self._rate_limits.count_unauthenticated(
                    client, began, body_bytes=exchange.body_bytes
                )
            except RateExceeded as exceeded:
                return exceeded
        self._rate_limits.found_wrong(client, began, len(getattr(error, "problems", ())))
        return error

    def _shown(
        self, head: KnownHead, credential: str, org: str | None, scope: Scope | OwnerScope | None
    ) -> ShownCredential:
        request = head.request
        mark = self._authentication.mark(
            credential,
            org,
            request.client,
            relayed=request.relayed,
            foreign_host=head.foreign_host,
        )
        return ShownCredential(credential, org, scope, mark)

    async def _authenticate(
        self,
        exchange: Exchange,
        credential: str | None,
        org: str | None,
        scope: Scope | OwnerScope | None,
        *,
        create: bool = False,
    ) -> Principal:
        request = exchange.request
        # A token names no org. Beside one, it is a secret that only looks like a token.
        if credential is not None and credential.startswith(TOKEN_PREFIXES) and org is None:
            return await self._of_token(exchange.endpoint, credential, scope)
        return await self._authentication.authenticate(
            credential,
            org_name=org,
            address=request.client,
            scope=scope,
            create=create,
            relayed=request.relayed,
            foreign_host=exchange.head.foreign_host,
        )

    async def _of_token(
        self, endpoint: Endpoint, token: str, scope: Scope | OwnerScope | None
    ) -> Principal:
        """Finds whom a token speaks for, which a dialect has given out.

        Raises:
            Unauthorized: It is none, or not of this dialect.
            Forbidden: It lacks the scope.
        """
        if endpoint.dialect is None or not endpoint.dialect.has_tokens:
            raise Unauthorized(WRONG_CREDENTIAL)
        principal = await self._services.dialect_tokens.principal_of(token)
        require_scope(principal, scope)
        return principal


def org_of_query(endpoint: Endpoint, query: Mapping[str, Sequence[str]]) -> str | None:
    """Returns the org that a query names, where the endpoint says that one may."""
    if endpoint.query is None or not any(f.name == ORG_FIELD for f in fields_of(endpoint.query)):
        return None
    given = {ORG_FIELD: query.get(ORG_FIELD, ())}
    asked, wrong = read_parameters(endpoint.query, given)
    if ORG_FIELD in wrong:
        raise refusal((FieldProblem(ORG_FIELD, wrong[ORG_FIELD]),))
    org: str | None = getattr(asked, ORG_FIELD, None)
    return org


def names_org(credential: str) -> bool:
    """Tells whether a credential names its org by itself, as an API key and a token do."""
    return is_key_like(credential) or credential.startswith(TOKEN_PREFIXES)


def takes_org_id(endpoint: Endpoint) -> bool:
    """Tells whether the body may name the org."""
    return endpoint.body is not None and ORG_FIELD in attrs.fields_dict(endpoint.body)


def _named_org(exchange: Exchange, credential: str | None) -> str | None:
    """Returns the org that a whole request names.

    Raises:
        Unauthorized: it names none, and can't, where its credential needs one.
        BadInput: it names none where its credential needs one, or not by a text.
    """
    endpoint, org = exchange.endpoint, exchange.path.get("org")
    if org is not None:
        return org
    org = exchange.body.get(ORG_FIELD)
    if org is not None and not isinstance(org, str):
        raise refusal((FieldProblem(ORG_FIELD, "must be text"),))
    if org is None:
        org = org_of_query(endpoint, exchange.query)
    if org is None and credential is not None and not is_key_like(credential):
        if not takes_org_id(endpoint):
            raise Unauthorized(NEEDS_KEY)
        raise refusal((FieldProblem(ORG_FIELD, "is required"),))
    return org


def _may_show(exchange: Exchange, principal: Principal) -> bool:
    """Tells whether a dialect's caller may use the method and the place that it chose.

    What sends by GET may be done by whatever opens a link, and a query ends in logs.
    """
    is_link = exchange.endpoint.sends and exchange.request.method == "GET"
    return not (is_link or exchange.login().in_query) or tuple(principal.scopes) == ("send",)


def _stands_last(exchange: Exchange) -> bool:
    """Tells whether a credential in the body would go before the one that the head has."""
    return find_credential(exchange.endpoint.credential_places, exchange.request.headers) is None

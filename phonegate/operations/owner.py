"""The owner of a gateway as a caller: may do everything, for every org."""

from collections.abc import Sequence
from typing import Final

import attrs

from phonegate.api.endpoint import Answer, Call, Endpoint
from phonegate.api.pipeline import Pipeline
from phonegate.api.services import Services
from phonegate.api.table import Table, build_table
from phonegate.domain.orgs import Orgs
from phonegate.domain.rate_limits import RateLimits
from phonegate.model.principal import OWNER_SCOPE, SCOPES, OwnerScope, Principal, Scope
from phonegate.model.refusals import BadInput, FieldProblem

AUTHORIZATION: Final = "Bearer pgk_owner"
"""The credential that stands in the owner's requests. It opens nothing anywhere else: that a
request came through the control socket, or from within, is what proves it."""

EVERY_ORG: Final = "*"
"""What stands for an org in the log line of a request that is about none."""

_READING: Final = frozenset({"GET", "HEAD"})
"""The methods by which nothing changes."""

TIMEOUT_S: Final = 55.0
"""Seconds for one command, on a machine under heavy load. Backups may take longer."""


class OwnerAuthentication:
    """Takes every request for the owner's, on behalf of the org that it names."""

    def __init__(self, orgs: Orgs) -> None:
        self._orgs = orgs

    async def authenticate(
        self,
        credential: str | None,  # noqa: ARG002 - none is needed here
        *,
        org_name: str | None,
        address: str,  # noqa: ARG002 - failures are not counted
        scope: Scope | OwnerScope | None,
        create: bool = False,  # noqa: ARG002 - only the owner's own command makes an org
        relayed: bool = False,  # noqa: ARG002 - no proxy is in between
        foreign_host: bool = False,  # noqa: ARG002 - nor a browser
    ) -> Principal:
        """Returns the owner, acting for the org of that name.

        Raises:
            NotFound: There is no such org.
            BadInput: The request names no org.
        """
        if scope == OWNER_SCOPE:
            return Principal(org=0, org_name=org_name or EVERY_ORG, scopes=(OWNER_SCOPE,))
        if org_name is None and scope is None:
            # The head of a request whose body is yet to name the org.
            return Principal(org=0, org_name=EVERY_ORG, scopes=SCOPES)
        if org_name is None:
            raise BadInput("org_id is required.", [FieldProblem("org_id", "is required")])
        org = await self._orgs.named(org_name)
        return Principal(org=org.id, org_name=org.name, scopes=SCOPES)

    def mark(
        self,
        credential: str,
        org_name: str | None,
        address: str,
        *,
        relayed: bool,
        foreign_host: bool = False,
    ) -> bytes:
        """Returns nothing: there is nothing to remember the owner by."""
        del credential, org_name, address, relayed, foreign_host
        return b""

    def remembered(
        self, mark: bytes, org_name: str | None, scope: Scope | OwnerScope | None
    ) -> Principal | None:
        """Returns None: see `mark`."""
        del mark, org_name, scope
        return None

    def is_current(self, principal: Principal) -> bool:  # noqa: ARG002 - it is always so
        """Tells that the owner stays the owner."""
        return True


def owner_pipeline(services: Services, endpoints: Sequence[Endpoint]) -> Pipeline:
    """Returns what answers the owner: the whole table, and the owner's own endpoints.

    No limit holds for the owner but those of memory.
    """
    services = attrs.evolve(
        services,
        authentication=OwnerAuthentication(services.accounts.orgs),
        rate_limits=RateLimits(),
    )
    orgs = services.accounts.orgs
    table = Table([*(_changing(one, orgs) for one in build_table().endpoints), *endpoints])
    return Pipeline(services, table, request_timeout_s=TIMEOUT_S, logged="errors")


def _changing(endpoint: Endpoint, orgs: Orgs) -> Endpoint:
    """Has an endpoint refuse to change something of an org that is suspended."""
    if endpoint.scope is None or endpoint.method in _READING:
        return endpoint

    async def handler(call: Call) -> Answer:
        await orgs.changeable(call.caller.org_name)
        return await endpoint.handler(call)

    return attrs.evolve(endpoint, handler=handler)

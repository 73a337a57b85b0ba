"""Which phones may come in, and the row that each begins on, whatever they connect by."""

from math import ceil
from time import perf_counter
from typing import Protocol

import attrs

from phonegate import log
from phonegate.domain.authentication import Authentication
from phonegate.domain.phone_registry import Introduction, PhoneRegistry, Start
from phonegate.domain.rate_limits import RateLimits
from phonegate.model.principal import Principal
from phonegate.model.refusals import Refused, Throttled, Unauthorized
from phonegate.phones.switchboard import Switchboard

_log = log.get("phones")


class Peer(Protocol):
    """Who the client is. The server's `Peer` is one."""

    @property
    def address(self) -> str:
        """The client's address, behind trusted proxies."""

    @property
    def relayed(self) -> bool:
        """Tells whether a proxy that is not trusted passed it on."""

    @property
    def scheme(self) -> str:
        """What the client speaks, `https` where that is encrypted."""


@attrs.frozen(kw_only=True)
class Arrival:
    """A phone that wants to come in, and what it has shown."""

    credential: str | None = attrs.field(repr=False)
    org_name: str | None
    says: Introduction
    is_foreign_host: bool
    """It has called the gateway by a host name that is not the gateway's."""


@attrs.frozen(kw_only=True)
class Admitted:
    """A phone that may come in, with the row that it begins on."""

    principal: Principal
    start: Start
    last_woken: int
    """See `Switchboard.last_woken`: of before the start."""

    @property
    def org(self) -> int:
        """The id of its org."""
        return self.principal.org

    @property
    def org_name(self) -> str:
        """The name of its org."""
        return self.principal.org_name


@attrs.frozen(kw_only=True)
class Admission:
    """Lets phones in, or says why not."""

    authentication: Authentication
    registry: PhoneRegistry
    switchboard: Switchboard
    rate_limits: RateLimits

    async def admit(self, arrival: Arrival, peer: Peer) -> Admitted:
        """Checks who a phone is, and claims the row that it begins on.

        The claim is held by `arrival`, until the phone is online or `withdraw` is called.

        Raises:
            Refused: It may not come in now.
            StoreError: It can't be stored.
        """
        return await self.enter(await self._authenticate(arrival, peer), arrival)

    async def enter(self, principal: Principal, arrival: Arrival) -> Admitted:
        """Claims the row that a phone begins on which is known to speak for a principal.

        The claim is held by `arrival`, as with `admit`.

        Raises:
            Refused: It may not come in now.
            StoreError: It can't be stored.
        """
        self.authentication.require_served(principal.org)
        while True:
            last_woken = self.switchboard.last_woken(principal.org)
            try:
                start = await self._try_row(principal, arrival)
            except BaseException:
                self.withdraw(arrival)
                raise
            # Another phone may have found a new row before it was claimed for this one.
            if arrival.says.device_id is not None or self.switchboard.claim(start.row.id, arrival):
                if start.row.first_seen == start.row.last_seen:
                    _log.info("phone_added", org=principal.org_name, phone=start.row.id)
                return Admitted(principal=principal, start=start, last_woken=last_woken)

    def withdraw(self, arrival: Arrival) -> None:
        """Ends the claim of a phone that does not come in after all."""
        self.switchboard.unclaim(arrival)

    def is_current(self, phone: Admitted) -> bool:
        """Tells whether the credential that a phone has shown is still good."""
        return self.authentication.is_current(phone.principal)

    async def _authenticate(self, arrival: Arrival, peer: Peer) -> Principal:
        """Returns who the phone is, if it may come in now.

        Raises:
            Refused: As `Authentication.authenticate`, or too many phones come at once.
        """
        address, now = peer.address, perf_counter()
        wait = self.rate_limits.handshake(address, now)
        if wait and not (
            arrival.credential
            and self.authentication.recalls(
                arrival.credential,
                arrival.org_name,
                address,
                relayed=peer.relayed,
                foreign_host=arrival.is_foreign_host,
            )
        ):
            seconds = ceil(wait)
            raise Throttled(
                f"Too many phones come from this address at once. Try again in {seconds} s.",
                seconds,
            )
        try:
            principal = await self.authentication.authenticate(
                arrival.credential,
                org_name=arrival.org_name,
                address=address,
                scope="phone",
                create=True,
                relayed=peer.relayed,
                foreign_host=arrival.is_foreign_host,
            )
        except Refused:
            self.rate_limits.count_unauthenticated(address, now)
            raise
        self.rate_limits.request(principal.org, now)
        return principal

    async def _try_row(self, principal: Principal, arrival: Arrival) -> Start:
        free, likely = None, None
        if arrival.says.device_id is None:
            free, likely = await self._free_row(principal.org, arrival)
        start = await self.registry.start(
            principal.org, arrival.says, key=principal.key_id, free=free, likely=likely
        )
        if start is None:
            raise Unauthorized("The org or its secret is wrong.")
        return start

    async def _free_row(self, org: int, arrival: Arrival) -> tuple[int | None, int | None]:
        """Claims a row for an unnamed phone that has reported no number yet.

        That is never the row of a phone whose numbers are known: that phone is recognised when it
        reports them, and what waits for it is for no other. Of these the second value is the one
        seen last, by whose SIM the connection is paced until it has reported its own.
        """
        likely = None
        for row in await self.registry.unnamed(org):
            if not row.numbered:
                if self.switchboard.claim(row.id, arrival):
                    return row.id, likely
            elif likely is None and self.switchboard.at(row.id) is None:
                likely = row.id
        return None, likely

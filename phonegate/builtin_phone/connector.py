"""Connects the gateway's own phone, which needs no credential, to the gateway."""

import attrs
import trio

from phonegate import log
from phonegate.builtin_phone.link import InnerTransport, open_link
from phonegate.domain.accounts import Accounts
from phonegate.domain.phone_registry import Introduction
from phonegate.model.principal import Principal
from phonegate.model.refusals import NotFound, Refused
from phonegate.model.storage_errors import StoreError
from phonegate.phone.connector import Session as PhoneSession
from phonegate.phone.link import End, LinkLost, end_of
from phonegate.phones.admission import Admission, Admitted, Arrival
from phonegate.phones.session import Session
from phonegate.phones.station import PhoneServices

_log = log.get("phones")


@attrs.define(kw_only=True)
class InnerConnector:
    """Connects within the process. It implements `phone.connector.Connector`.

    Args:
        org: The name of the org whose phone it is.
        accounts: The gateway's orgs.
        admission: Lets phones in.
        services: What a phone's session needs.
    """

    org: str
    accounts: Accounts
    admission: Admission
    services: PhoneServices
    refusal: str | None = attrs.field(default=None, init=False)
    """Why the gateway did not let the phone in at its last try. None where it did."""

    async def hold(
        self, session: PhoneSession, *, device_id: str | None, name: str | None, known: bool
    ) -> End:
        """Lets the phone in and runs `session` on the link. Returns how the link ended."""
        del known
        arrival = Arrival(
            credential=None,
            org_name=self.org,
            says=Introduction(device_id=device_id, plain_device_id=device_id, name=name),
            is_foreign_host=False,
        )
        try:
            admitted = await self.admission.enter(await self._principal(), arrival)
        except NotFound:
            return self._refused(
                f"there is no org {self.org}; make it with: phonegate org add {self.org}"
            )
        except (Refused, StoreError) as error:
            return self._refused(str(error))
        self.refusal = None
        delivery = self.services.settings.delivery
        link, transport = open_link(max(delivery.window, delivery.widest_window))
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._serve, transport, admitted)
                try:
                    await session(link)
                finally:
                    # The gateway's end hears of it, and records what the phone said last.
                    link.cut()
        except LinkLost as lost:
            return End(code=lost.code, detail=lost.reason)
        except BaseExceptionGroup as group:
            return end_of(group)
        return End(code=1000)

    def _refused(self, reason: str) -> End:
        self.refusal = reason
        return End(detail=reason)

    async def _principal(self) -> Principal:
        org = await self.accounts.orgs.named(self.org)
        generation = self.accounts.authentication.checks.generation(org.id)
        return Principal(org=org.id, org_name=org.name, scopes=("phone",), generation=generation)

    async def _serve(self, transport: InnerTransport, admitted: Admitted) -> None:
        """Runs the gateway's end. Whatever goes wrong there ends this link alone."""
        try:
            await Session(transport, self.services, admitted).run()
        except* Exception as group:  # noqa: BLE001 - one phone's fault must stay its own
            _log.error("phone_link_failed", peer="built in", exc_info=group)
        finally:
            transport.finish()

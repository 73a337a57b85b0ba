"""Phones that connect by websocket: from a handshake at the server to a session, or a refusal."""

from collections.abc import Mapping
from time import perf_counter
from typing import Final

import trio

from phonegate import log
from phonegate.http.origins import ForeignPage, Origins
from phonegate.http.problem import Problem
from phonegate.model.refusals import Refused
from phonegate.model.storage_errors import StoreError
from phonegate.phones.admission import Admission, Admitted, Arrival, Peer
from phonegate.phones.close_codes import POLICY_VIOLATION
from phonegate.phones.link.frame_budget import FrameBudget
from phonegate.phones.link.handshake import Handshake, Head, fields_of, refusal
from phonegate.phones.link.transport import WebsocketTransport
from phonegate.phones.link.websocket import PhoneWebsocket
from phonegate.phones.session import Session
from phonegate.phones.station import PhoneServices

HANDSHAKE_S: Final = 15.0
"""From the head to the answer. Checking a new secret takes a fraction of a second.
The rest is for a queue of such checks after a restart."""

CLOSING_S: Final = 4.0
"""For the end of the connection, a little more than the stream's own deadline."""

UNAVAILABLE: Final = "The gateway's storage is not available now. Try again soon."

_log = log.get("phones")


class PhoneLink:
    """Serves the websockets of phones."""

    def __init__(self, admission: Admission, services: PhoneServices) -> None:
        self._admission = admission
        self._services = services
        http = services.settings.http
        self._origins = Origins(http.public_url, http.allowed_origins)
        self._budget = FrameBudget()
        self.refused = 0
        """Handshakes refused since the start: wrong secrets, for the most part."""

    async def serve(self, stream: trio.abc.Stream, head: Head, peer: Peer) -> None:
        """Serves one handshake to the end of its link, and closes the stream.

        Whatever goes wrong ends this link alone. Nothing but a cancellation is raised.
        """
        address = peer.address
        phones = self._services.settings.phones
        websocket = PhoneWebsocket(
            stream,
            max_frame_bytes=phones.max_frame_bytes,
            max_inbound_bytes=phones.max_inbound_bytes,
            write_timeout_s=phones.write_timeout_s,
            budget=self._budget,
        )
        try:
            session = await self._meet(stream, websocket, head, peer)
            # A link may last for weeks: what only its beginning needed goes now.
            del head, peer
            if session is not None:
                try:
                    await session.run()
                finally:
                    with trio.move_on_after(CLOSING_S, shield=True):
                        await websocket.drop()
        except* Exception as group:  # noqa: BLE001 - one phone's fault must stay its own
            _log.error("phone_link_failed", peer=address, exc_info=group)
        finally:
            await trio.aclose_forcefully(stream)

    async def _meet(
        self, stream: trio.abc.Stream, websocket: PhoneWebsocket, head: Head, peer: Peer
    ) -> Session | None:
        """Checks the handshake. Returns the session to run, if it is let in."""
        with trio.move_on_after(HANDSHAKE_S):
            try:
                fields = fields_of(head)
                self._expect_no_page(fields, peer)
                handshake = Handshake.read(head)
                arrival = Arrival(
                    credential=handshake.credential,
                    org_name=handshake.org_name,
                    says=handshake.says,
                    is_foreign_host=self._origins.is_foreign_host(fields),
                )
                admitted = await self._admission.admit(arrival, peer)
            except Refused as refused:
                self.refused += 1
                _log.info("phone_refused", peer=peer.address, code=refused.code)
                await _refuse(stream, Problem.of(refused))
            except StoreError as error:
                self.refused += 1
                _log.warning("phone_refused", peer=peer.address, reason=str(error))
                await _refuse(stream, Problem.storage_unavailable(UNAVAILABLE))
            else:
                return self._accept(websocket, handshake.key, admitted)
        return None

    def _expect_no_page(self, fields: Mapping[str, str], peer: Peer) -> None:
        """Refuses a web page of another site: browsers let any of them open a websocket anywhere.

        Raises:
            ForeignPage: One may have opened this.
            Throttled: One may have, and too many such requests came from its address.
        """
        if self._origins.is_foreign(fields, secure=peer.scheme == "https"):
            self._services.rate_limits.count_unauthenticated(peer.address, perf_counter())
            raise ForeignPage

    def _accept(self, websocket: PhoneWebsocket, key: bytes, admitted: Admitted) -> Session:
        """Makes the session whose first frame answers the upgrade with it.

        It is to be run at once, so that no claim is left of a phone that has gone meanwhile.
        """
        settings = self._services.settings
        transport = WebsocketTransport(
            websocket,
            first=websocket.upgrade(key),
            window=max(settings.delivery.window, settings.delivery.widest_window),
            max_frame_bytes=settings.phones.max_frame_bytes,
        )
        session = Session(transport, self._services, admitted)
        if not self._admission.is_current(admitted):
            session.station.close(POLICY_VIOLATION, "the credentials of this org have changed")
        return session


async def _refuse(stream: trio.abc.Stream, problem: Problem) -> None:
    try:
        await stream.send_all(refusal(problem))
        await stream.aclose()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return

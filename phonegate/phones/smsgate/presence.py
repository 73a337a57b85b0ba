"""The phones that are there by the app SMS Gateway for Android, each with one session.

A session begins with the first call of a phone and lasts until it was away for a minute. Streams
come and go meanwhile.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import attrs
import trio

from phonegate import log
from phonegate.domain.enrolments import Enrolments, KnownApp
from phonegate.domain.phone_delivery import PhoneReports, Reporter
from phonegate.domain.phone_registry import Introduction
from phonegate.http.body_stream import Produce, SendPiece
from phonegate.model.enrolments import SimCard
from phonegate.model.messages import Message
from phonegate.model.phones import ACK, CANCEL, DELIVERY_REPORT, MMS
from phonegate.model.refusals import Busy
from phonegate.model.storage_errors import StoreError
from phonegate.model.times import iso
from phonegate.phones import frames
from phonegate.phones.admission import Admission, Arrival
from phonegate.phones.close_codes import POLICY_VIOLATION
from phonegate.phones.frames import PhoneFrame
from phonegate.phones.session import Session
from phonegate.phones.smsgate.app_event import Messages, Mms
from phonegate.phones.smsgate.app_version import version_of
from phonegate.phones.smsgate.event_stream import (
    EXPORT_ASKED,
    HOOKS_CHANGED,
    SETTINGS_CHANGED,
    EventStream,
)
from phonegate.phones.smsgate.media_desk import MediaDesk
from phonegate.phones.smsgate.media_source import MediaSource
from phonegate.phones.smsgate.mobile_message import app_message_id
from phonegate.phones.smsgate.smsgate_timings import SmsgateTimings
from phonegate.phones.smsgate.state_report import StateReport
from phonegate.phones.smsgate.transport import SmsgateTransport
from phonegate.phones.station import PhoneServices

FEATURES: Final = frozenset({ACK, CANCEL, DELIVERY_REPORT})
"""What every version of the app can do. It writes down all that it is given, before the radio has
it."""

NOT_RECORDED: Final = "The gateway could not write this down now. Send it again."

ENDED: Final = "The phone was shut out or comes in anew. Ask again."

NOTE_S: Final = 5.0
"""For noting until when a phone was in reach. It is late by one stream at most without."""

_log = log.get("phones")


@attrs.define(eq=False)
class Presence:
    """One phone that is there."""

    app: KnownApp
    transport: SmsgateTransport
    session: Session
    missed_since: int | None
    """Since when it may have received what is not known here. None once that was asked for."""
    gone: trio.Event = attrs.field(factory=trio.Event)
    """Set when all that it has said is written down, or given up."""


class Presences:
    """Runs the sessions of these phones, and does what their calls ask."""

    def __init__(
        self,
        services: PhoneServices,
        admission: Admission,
        enrolments: Enrolments,
        media: MediaSource,
        timings: SmsgateTimings,
    ) -> None:
        self._services = services
        self._admission = admission
        self._enrolments = enrolments
        self._timings = timings
        self._desk = MediaDesk(media, timings)
        self._here: dict[int, Presence] = {}
        self._beginning: dict[int, trio.Event] = {}
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Runs the sessions until cancelled."""
        async with trio.open_nursery() as self._nursery:
            self._desk.open(self._nursery)
            task_status.started()
            await trio.sleep_forever()

    def of_phone(self, phone: int) -> Presence | None:
        """Returns the session of a phone, if it is there."""
        return self._here.get(phone)

    # --- what calls ask

    async def pull(self, app: KnownApp) -> list[dict[str, Any]]:
        """Returns the messages that the app is to send, or to drop.

        Raises:
            Busy: The phone can't come in now.
        """
        with trio.fail_after(self._timings.commit_s):
            while True:
                here = await self._present(app)
                with trio.move_on_after(self._timings.feed_s):
                    # What an earlier session left open comes first, and then what waits.
                    if await here.transport.say([]):
                        await here.session.station.feeder.worker.done()
                        await here.transport.gather()
                if not here.transport.ended:
                    return here.transport.pull()
                if here.transport.close_code is not None:
                    # What it lists may be given up by now, or kept for the app that comes after.
                    raise Busy(ENDED)

    async def report(self, app: KnownApp, reports: Sequence[StateReport], size: int) -> None:
        """Records what became of messages. Returns once it is committed.

        Reports on what is no message of this gateway's are left out.

        Raises:
            Busy: It is not known whether it was recorded.
        """
        said = await self._said(app.enrolment.org, reports)
        if said:
            await self.say(app, said, size)

    async def say(self, app: KnownApp, said: Sequence[PhoneFrame], size: int) -> None:
        """Records what a phone says. Returns once it is committed.

        Raises:
            Busy: It is not known whether it was recorded.
        """
        with trio.move_on_after(self._timings.commit_s):
            here = await self._present(app)
            if await here.transport.say(said, size):
                return
        raise Busy(NOT_RECORDED)

    async def receive(self, app: KnownApp, event: Messages | Mms) -> None:
        """Stores what a phone has received, each once. Returns once it is committed.

        Raises:
            StorageSpent, DiskLow: There is no room for it now.
            StoreError: It can't be stored now.
        """

        def receive(tx: PhoneReports) -> None:
            match event:
                case Messages(received):
                    tx.receive(received)
                case Mms(received, are_there=True):
                    for item in received:
                        tx.receive_mms(item)
                case Mms(received):
                    for item in received:
                        tx.announce_mms(item)

        enrolment = app.enrolment
        by = Reporter(org=enrolment.org, phone=enrolment.phone, device_id=enrolment.device_id)
        await self._services.delivery.report(by, receive, patient=False)
        if (here := self._here.get(enrolment.phone)) is not None:
            here.transport.touch()

    async def stream(self, app: KnownApp) -> Produce:
        """Returns the stream by which a phone is rung. It takes the place of an older one.

        Raises:
            Busy: The phone can't come in now.
        """
        with trio.fail_after(self._timings.commit_s):
            # Noting may take longer than the phone may be silent, so that its session comes after.
            await self._enrolments.streams(app)
            here = await self._present(app)

        async def produce(send: SendPiece) -> None:
            stream = here.transport.open_stream()
            stream.say(HOOKS_CHANGED)
            stream.say(SETTINGS_CHANGED)
            if here.missed_since is not None:
                stream.say(EXPORT_ASKED, self._gap(here, here.missed_since))
            try:
                await stream.produce(send)
            finally:
                await self._has_streamed(here, stream)

        return produce

    async def replace(self, phone: int | None) -> Sequence[int]:
        """Ends the session of a phone whose app is about to enrol anew, if it has one.

        Returns:
            The messages that were kept for it, and that its app surely has not got.
        """
        if phone is None or (here := self._here.get(phone)) is None:
            return ()
        here.session.station.close(POLICY_VIOLATION, "the app has registered anew")
        unfetched = here.transport.pulls.unfetched()
        with trio.move_on_after(self._timings.commit_s):
            await here.gone.wait()
        return unfetched

    def _gap(self, here: Presence, since: int) -> Mapping[str, str]:
        """Says which messages a phone is to report that may have been missed."""
        begin = max(since - self._timings.margin_ms, here.app.enrolment.known_since)
        return {
            "since": iso(begin),
            "until": iso(self._services.now_ms()),
            "messageTypes": "SMS,MMS",
            "triggerWebhooks": "true",
        }

    async def _has_streamed(self, here: Presence, stream: EventStream) -> None:
        """Notes that a phone was in reach until now, by a stream that has ended."""
        if trio.current_time() - stream.began < self._timings.away_s:
            # It may not have come to asking for what the phone has received meanwhile.
            return
        here.missed_since = None
        with trio.move_on_after(NOTE_S, shield=True), suppress(StoreError):
            await self._enrolments.was_heard(here.app.enrolment.phone)

    # --- sessions

    async def _present(self, app: KnownApp) -> Presence:
        """Returns the session of a phone, which is there as it has called.

        Raises:
            Busy: The gateway is stopping.
            Refused, StoreError: As `Admission.enter`.
        """
        phone = app.enrolment.phone
        while True:
            here = self._here.get(phone)
            if here is not None and not here.transport.ended:
                here.transport.touch()
                _heed_version(here, app)
                return here
            if here is not None:
                await here.gone.wait()
            elif (beginning := self._beginning.get(phone)) is not None:
                await beginning.wait()
            else:
                return await self._begin(app)

    async def _begin(self, app: KnownApp) -> Presence:
        phone = app.enrolment.phone
        begun = self._beginning[phone] = trio.Event()
        try:
            nursery = self._nursery
            if nursery is None or nursery.cancel_scope.cancel_called:
                raise Busy("The gateway is stopping. Try again shortly.")
            here = await self._admit(app)
            self._here[phone] = here
            nursery.start_soon(self._serve, here)
            return here
        finally:
            del self._beginning[phone]
            begun.set()

    async def _admit(self, app: KnownApp) -> Presence:
        enrolment = app.enrolment
        awaited = await self._services.delivery.awaiting(enrolment.phone)
        arrival = Arrival(
            credential=None,
            org_name=app.principal.org_name,
            says=Introduction(
                device_id=enrolment.device_id,
                plain_device_id=enrolment.device_id,
                name=None,
                kind="smsgate",
                row=enrolment.phone,
            ),
            is_foreign_host=False,
        )
        admitted = await self._admission.enter(app.principal, arrival)
        greeting: list[PhoneFrame] = [_hello(app)]
        if enrolment.sims:
            greeting.append(sims_frame(enrolment.sims))
        transport = SmsgateTransport(
            greeting,
            version_of(enrolment.agent),
            self._timings,
            self._desk,
            org=enrolment.org,
            org_name=app.principal.org_name,
            known={one.id: _app_id(one) for one in awaited},
            now_ms=self._services.now_ms,
        )
        session = Session(transport, self._services, admitted)
        transport.window = session.station.state.window
        if not self._admission.is_current(admitted):
            session.station.close(POLICY_VIOLATION, "the credentials of this org have changed")
        return Presence(app, transport, session, enrolment.heard_at)

    async def _serve(self, here: Presence) -> None:
        phone = here.app.enrolment.phone
        try:
            await here.session.run()
        except* Exception as group:  # noqa: BLE001 - one phone's fault must stay its own
            _log.error("phone_link_failed", phone=phone, exc_info=group)
        finally:
            del self._here[phone]
            here.transport.over()
            here.gone.set()

    async def _said(self, org: int, reports: Sequence[StateReport]) -> list[PhoneFrame]:
        """Returns what reports say, but for those on texts that are not the gateway's."""
        found = await self._services.delivery.find(org, {report.number for report in reports})
        known = {message.id: _app_id(message) for message in found}
        return [
            frame
            for report in reports
            if known.get(report.number) == report.app_id
            for frame in report.frames()
        ]


def _app_id(message: Message) -> str:
    return app_message_id(message.id, message.address, message.body, message.media_urls)


def _hello(app: KnownApp) -> frames.Hello:
    agent = app.enrolment.agent
    features = FEATURES | {MMS} if version_of(agent).sends_media else FEATURES
    return frames.Hello(name=app.enrolment.name, app=agent or None, features=features)


def _heed_version(here: Presence, app: KnownApp) -> None:
    """Takes note of another version of the app, which came while its session went on."""
    version = version_of(app.enrolment.agent)
    if version != here.transport.version:
        here.transport.version = version
        here.transport.tell([_hello(app)])


def sims_frame(sims: Sequence[SimCard]) -> frames.Sims:
    """Returns the frame by which a phone says which SIM cards it has."""
    return frames.Sims(
        sims=tuple(
            frames.SimReport(slot=sim.slot, number=sim.number, carrier=sim.carrier) for sim in sims
        )
    )

"""The phone link on a real socket over the real store, and phones to connect to it."""

import json
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, connect_websocket_url

from phonegate.config.settings import (
    DeliverySettings,
    PacingSettings,
    PhoneSettings,
    Settings,
)
from phonegate.domain.acceptance import Acceptance
from phonegate.domain.accounts import Accounts
from phonegate.domain.credentials import Cost
from phonegate.domain.delivery import Policy
from phonegate.domain.enrolments import Enrolments
from phonegate.domain.media import Media
from phonegate.domain.phone_delivery import PhoneDelivery
from phonegate.domain.phone_events import Attendance
from phonegate.domain.phone_registry import PhoneRegistry
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.registration import Registration
from phonegate.domain.reported_values import Kind
from phonegate.domain.sending import Outgoing, Sending, SendOutcome
from phonegate.domain.withdrawal import Withdrawal
from phonegate.http.outgoing_address import Guard
from phonegate.http.outgoing_guard import Rules, parse_networks
from phonegate.model.events import Event
from phonegate.model.messages import Message, PageQuery
from phonegate.phones.admission import Admission
from phonegate.phones.attendance_book import AttendanceBook
from phonegate.phones.link.phone_link import PhoneLink
from phonegate.phones.phone_timings import PhoneTimings
from phonegate.phones.session import Session
from phonegate.phones.smsgate.media_source import MediaSource
from phonegate.phones.smsgate.presence import Presence, Presences
from phonegate.phones.smsgate.smsgate_timings import SmsgateTimings
from phonegate.phones.station import PhoneServices, PhoneStation
from phonegate.phones.switchboard import Switchboard
from phonegate.server.forwarded import Peer
from phonegate.server.head import HeadReader, check_handshake, parse
from phonegate.server.streams import LINGER_S, Connection, Replay
from phonegate.store.database import Database
from tests.buses import bus_of, subscribe
from tests.domain.callers import owner
from tests.patience import PATIENCE_S

ORG = "myorg"
SECRET = "my-secret-key-123"
NUMBER = "+15551112222"
OTHER = "+15553334444"

PATIENT = Settings(
    delivery=DeliverySettings(late_result_grace_s=60.0),
    pacing=PacingSettings(segments_per_minute=0),
    phones=PhoneSettings(ping_interval_s=60.0),
)
"""Nothing happens by the clock."""

HASTY = attrs.evolve(PATIENT, delivery=DeliverySettings(late_result_grace_s=0.0))
"""Open messages are pushed again at once."""


LOOPBACK = Rules(allow=parse_networks(["127.0.0.0/8"]))
"""Where media of tests are."""

APP_TIMINGS = SmsgateTimings(
    away_s=PATIENCE_S,
    feed_s=PATIENCE_S,
    commit_s=PATIENCE_S,
    fetch_s=PATIENCE_S,
    fetch_pauses_s=(0.01, 0.01),
    room_s=0.01,
)
"""A phone that is an app counts as away only where a test has it so (`leave`)."""


def leave(here: Presence) -> None:
    """Has a phone that is an app count as away from now on, unless it has a stream."""
    here.transport._lost_at = trio.current_time()
    here.transport._look()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Site:
    """A gateway's inside without web and server."""

    def __init__(
        self,
        database: Database,
        settings: Settings = PATIENT,
        rate_limits: RateLimits | None = None,
        timings: PhoneTimings | None = None,
    ) -> None:
        self.database = database
        self.own_ports: set[int] = set()
        self.switchboard = Switchboard()
        bus = bus_of(database)
        self.accounts = Accounts(
            database,
            now_ms=now_ms,
            cost=Cost(log2_n=4, r=1, p=1),
            registration=Registration(),
            rate_limits=RateLimits(),
            publish=bus.publish,
        )
        subscribe(database, self.switchboard.note)
        acceptance = Acceptance(database, RateLimits(), now_ms=now_ms)
        self.sending = Sending(database, self.switchboard, acceptance)
        self.withdrawal = Withdrawal(database, self.switchboard, now_ms=now_ms)
        policy = Policy(
            max_attempts=settings.delivery.max_attempts,
            unacknowledged=settings.delivery.unacknowledged,
        )
        self.cleaned: Counter[Kind] = Counter()
        rate_limits = RateLimits() if rate_limits is None else rate_limits
        registry = PhoneRegistry(database, now_ms, rate_limits)
        self.admission = Admission(
            authentication=self.accounts.authentication,
            registry=registry,
            switchboard=self.switchboard,
            rate_limits=rate_limits,
        )
        self.services = PhoneServices(
            settings=settings,
            registry=registry,
            delivery=PhoneDelivery(database, now_ms, policy, rate_limits),
            switchboard=self.switchboard,
            rate_limits=rate_limits,
            now_ms=now_ms,
            cleaned=self.cleaned,
            timings=timings or PhoneTimings(),
        )
        self.attendance = AttendanceBook(self.switchboard, Attendance(database, now_ms))
        self.link = PhoneLink(self.admission, self.services)
        self.enrolments = Enrolments(
            database, self.accounts.authentication, rate_limits, now_ms=now_ms
        )
        guard = Guard(rules=lambda: LOOPBACK, own_ports=self.own_ports)
        self.presences = Presences(
            self.services,
            self.admission,
            self.enrolments,
            MediaSource(Media(database), guard),
            APP_TIMINGS,
        )
        self.port = 0
        self.serving = 0
        self.send_buffer = 0
        self.linger_s = LINGER_S
        self.scope = trio.CancelScope()
        """Cancels all that is served."""

    async def serve(self, *, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        with self.scope:
            await self._serve(task_status)

    async def _serve(self, task_status: Any) -> None:
        async with trio.open_nursery() as nursery:
            (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
            self.port = listener.socket.getsockname()[1]
            await nursery.start(self.services.heartbeat.run)
            await nursery.start(self.presences.run)
            await nursery.start(self.attendance.run)
            await trio.serve_listeners(
                self._handle, [listener], handler_nursery=nursery, task_status=task_status
            )

    async def _handle(self, plain: trio.SocketStream) -> None:
        self.serving += 1
        if self.send_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.send_buffer)
        stream = Connection(plain.socket, peer_timeout_s=PATIENCE_S, linger_s=self.linger_s)
        reader = HeadReader(16_384)
        try:
            while data := await stream.receive_some(16_384):
                whole = reader.feed(bytes(data))
                if whole is not None:
                    head = parse(whole[0])
                    check_handshake(head)
                    peer = Peer(address="127.0.0.1", scheme="http")
                    await self.link.serve(Replay(stream, whole[1]), head, peer)
                    return
        except trio.BrokenResourceError:
            pass
        finally:
            await trio.aclose_forcefully(stream)
            self.serving -= 1

    def target(self, **query: str | None) -> str:
        """The request target; a field that is None is left out."""
        both: dict[str, str | None] = {"org_id": ORG, "secret_key": SECRET, **query}
        fields = (f"{name}={value}" for name, value in both.items() if value is not None)
        return f"/websocket?{'&'.join(fields)}"

    def url(self, **query: str | None) -> str:
        return f"ws://127.0.0.1:{self.port}{self.target(**query)}"

    @asynccontextmanager
    async def phone(
        self,
        *,
        headers: list[tuple[bytes, bytes]] | None = None,
        subprotocols: list[str] | None = None,
        **query: str | None,
    ) -> AsyncIterator["Phone"]:
        """A connected phone that has had its `connected` frame."""
        async with trio.open_nursery() as nursery:
            with trio.fail_after(PATIENCE_S):
                link = await connect_websocket_url(
                    nursery,
                    self.url(**query),
                    message_queue_size=500,
                    extra_headers=headers,
                    subprotocols=subprotocols,
                )
            phone = Phone(link)
            phone.connected = await phone.get()
            assert phone.connected["type"] == "connected"
            try:
                yield phone
            finally:
                with trio.move_on_after(PATIENCE_S, shield=True):
                    await link.aclose()
                # Which the library leaves open where the far end closed first.
                await trio.aclose_forcefully(link._stream)
            nursery.cancel_scope.cancel()

    async def org(self) -> int:
        found = await self.database.read(lambda tx: tx.orgs.get(ORG))
        assert found is not None
        return found.id

    async def send(
        self, *bodies: str, sim_selector: str = "", to: str = OTHER, priority: int = 0
    ) -> SendOutcome:
        items = [
            Outgoing(to=to, body=body, sim_selector=sim_selector, priority=priority)
            for body in bodies
        ]
        return await self.sending.send(owner(await self.org()), items)

    async def messages(self, **query: Any) -> list[Message]:
        org = await self.org()
        return await self.database.read(lambda tx: tx.messages.page(org, PageQuery(**query)))

    async def message(self, message_id: int) -> Message:
        org = await self.org()
        found = await self.database.read(lambda tx: tx.messages.find(org, message_id))
        assert found is not None
        return found

    async def until_status(self, message_id: int, status: str) -> Message:
        """Waits for a message to get there; only for what has no frame of its own."""
        with trio.fail_after(PATIENCE_S):
            while (message := await self.message(message_id)).status != status:  # noqa: ASYNC110 - the store tells nobody
                await trio.sleep(0.005)
        return message

    async def until_fed(self) -> None:
        """Waits until no phone has messages to pull, so that a new one is pushed at once.

        A phone that leaves meanwhile pulls no more.
        """
        with trio.fail_after(PATIENCE_S):
            for station in self.stations():
                while station.order.behind and not station.state.parting:  # noqa: ASYNC110 - it tells nobody
                    await trio.sleep(0.001)

    def stations(self) -> list[PhoneStation]:
        return [one for one in self.switchboard._open if isinstance(one, PhoneStation)]

    def sessions(self) -> list[Session]:
        """The running sessions, earliest first."""
        turns = (watch.timed for _, _, watch in self.services.heartbeat._turns)
        return sorted(
            (timed for timed in turns if isinstance(timed, Session)),
            key=lambda session: session.station.began,
        )

    async def listen(self) -> int:
        """Makes the org, and has its events recorded. Returns the org."""
        org = (await self.accounts.orgs.add(ORG, SECRET))[0].id
        await self.database.write(lambda tx: tx.events.listen(org, 2**50))
        return org

    async def events(self, *types: str) -> list[Event]:
        """What was recorded, of these types only where there are any."""
        org = await self.org()
        found = await self.database.read(lambda tx: tx.events.page(org, 0, 1000))
        return [event for event in found if not types or event.type in types]

    async def until_events(self, count: int, *types: str) -> list[Event]:
        """Waits until so many were recorded, and no more by then."""
        with trio.fail_after(PATIENCE_S):
            while len(found := await self.events(*types)) < count:  # noqa: ASYNC110 - they are stored
                await trio.sleep(0.005)
        assert len(found) == count, [event.type for event in found]
        return found

    async def until_online(self, count: int) -> None:
        org = await self.org()
        with trio.fail_after(PATIENCE_S):
            while len(self.switchboard.online(org)) != count:  # noqa: ASYNC110 - it tells nobody
                await trio.sleep(0.005)


class Phone:
    """The far end of a link, frame by frame."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self.socket = socket
        self.connected: dict[str, Any] = {}

    async def say(self, kind: str, **fields: Any) -> None:
        await self.raw(json.dumps({"type": kind, **fields}))

    async def raw(self, data: str | bytes) -> None:
        with trio.fail_after(PATIENCE_S):
            await self.socket.send_message(data)

    async def get(self) -> dict[str, Any]:
        with trio.fail_after(PATIENCE_S):
            frame = json.loads(await self.socket.get_message())
        assert isinstance(frame, dict)
        return frame

    async def settled(self) -> list[dict[str, Any]]:
        """All frames up to the answer of a `ping`: everything said before is recorded by then."""
        await self.say("ping")
        frames = []
        while (frame := await self.get())["type"] != "pong":
            frames.append(frame)
        return frames

    async def closed(self) -> int:
        """The close code, once the gateway has closed."""
        with trio.fail_after(PATIENCE_S):
            while True:
                try:
                    await self.socket.get_message()
                except ConnectionClosed as closed:
                    return 0 if closed.reason is None else closed.reason.code

    async def sims(self, *numbers: str | None) -> None:
        reports = [{"slot": slot, "number": number} for slot, number in enumerate(numbers)]
        await self.say("sims", sims=reports)
        assert await self.settled() == []

    async def hello(self, *features: str, **fields: Any) -> None:
        await self.say("hello", features=list(features), **fields)

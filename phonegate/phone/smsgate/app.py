"""One life of the app, from its start to its death: its workers, and the stream that wakes them."""

import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import attrs
import trio

from phonegate.event_stream import StreamEvent, StreamReader
from phonegate.phone.errors import CredentialsRefused, PhoneError
from phonegate.phone.radios.radio import SimCard
from phonegate.phone.smsgate import outbox, request_bodies
from phonegate.phone.smsgate.answers import (
    Registration,
    read_messages,
    read_object,
    read_registration,
    read_webhooks,
)
from phonegate.phone.smsgate.app_errors import Refused, Trouble, Unreachable, UnreadableAnswer
from phonegate.phone.smsgate.app_faults import CrashPoint, Die
from phonegate.phone.smsgate.app_memory import (
    HooksTaken,
    Moved,
    Registered,
    SettingsTaken,
    Stored,
)
from phonegate.phone.smsgate.app_timings import AppTimings
from phonegate.phone.smsgate.dates import read_date
from phonegate.phone.smsgate.event_poster import EventPoster
from phonegate.phone.smsgate.handset import Bell, Handset
from phonegate.phone.smsgate.reporter import Reporter
from phonegate.phone.smsgate.sender import Sender

UNAUTHORIZED = 401
_REFUSALS = frozenset({UNAUTHORIZED, 403})

_MAIL_TEXT = "mail"
_PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
    "awAAAABJRU5ErkJggg=="
)
"""A picture of one pixel (PNG), which every received MMS holds."""


class App:
    """The app while it runs. What it finds and leaves is on the handset's disk.

    Args:
        handset: The phone.
        die: As for the sender.
        restart: Asks for a new start of the app.
        online: Called when the gateway can reach this phone.
        turnstile: Limits how many phones connect at once.
    """

    def __init__(
        self,
        handset: Handset,
        *,
        die: Die,
        restart: Callable[[], None],
        online: Callable[[], None],
        turnstile: trio.CapacityLimiter,
    ) -> None:
        self._handset = handset
        self._die = die
        self._restart = restart
        self._online = online
        self._turnstile = turnstile
        self._pulls, self._webhooks, self._settings = Bell(), Bell(), Bell()
        settings = handset.memory.settings
        # Both are read once, at the start.
        self._streams = handset.plan.push_token is None or settings.channel == "SSE_ONLY"
        self._ping_every_s = settings.ping_every_s

    async def run(self) -> None:
        """Runs all workers until cancelled.

        Raises:
            CredentialsRefused: The private token of a phone that was never registered is refused.
            SentAway: The gateway moves the phone to another server.
        """
        handset = self._handset
        handset.record(*handset.events_of({"app:started": request_bodies.started(self._sims)}))
        timings = handset.timings
        refusals: ExceptionGroup[PhoneError] | None = None
        try:
            await self._work(timings)
        except* PhoneError as caught:
            refusals = caught
        if refusals is not None:
            raise _first(refusals)

    async def _work(self, timings: AppTimings) -> None:
        handset, plan = self._handset, self._handset.plan
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._connect)
            nursery.start_soon(self._repeat, self._pull, self._pulls, timings.pull_every_s)
            nursery.start_soon(
                self._repeat, self._take_webhooks, self._webhooks, timings.refresh_every_s
            )
            nursery.start_soon(
                self._repeat, self._take_settings, self._settings, timings.refresh_every_s
            )
            nursery.start_soon(Sender(handset, self._die, nursery).run)
            nursery.start_soon(Reporter(handset, self._die).run)
            nursery.start_soon(EventPoster(handset, self._die).run)
            if self._ping_every_s is not None:
                nursery.start_soon(self._ping, self._ping_every_s)
            if plan.inbound_every_s is not None:
                nursery.start_soon(self._get_mail, plan.inbound_every_s, False)
            if plan.mms_every_s is not None:
                nursery.start_soon(self._get_mail, plan.mms_every_s, True)

    @property
    def _sims(self) -> tuple[SimCard, ...]:
        return self._handset.owner.sims

    # --- registration

    async def _connect(self) -> None:
        failures = 0
        while True:
            try:
                async with self._turnstile:
                    await self._register()
                break
            except Trouble as trouble:
                failures += 1
                pause = self._handset.timings.work.pause_s(failures)
                self._handset.notice(f"not registered: {trouble} Trying again in {pause:.1f} s")
            await trio.sleep(pause)
        if self._streams:
            await self._stay_connected()
        self._handset.notice(
            "registered, but opens no stream: it waits for Google's pushes. Choose SSE only"
        )
        self._online()

    async def _register(self) -> None:
        """Makes the phone known, or known again, to the gateway."""
        handset, known = self._handset, self._handset.memory.registration
        push_token = None if self._streams else handset.plan.push_token
        if known is not None:
            change = request_bodies.device_change(known.id, self._sims, push_token)
            try:
                await handset.api.ask("PATCH", "/device", known.token, content=change)
            except Refused as refused:
                if refused.status != UNAUTHORIZED:
                    raise
                handset.notice("the gateway no longer knows this phone; registering it anew")
            else:
                return
        token = handset.memory.settings.private_token or handset.owner.token
        body = request_bodies.registration(handset.owner.name, self._sims, push_token)
        try:
            answer = await handset.api.ask("POST", "/device", token, content=body)
        except Refused as refused:
            if known is None and refused.status in _REFUSALS:
                raise CredentialsRefused(None, refused.status, refused.detail) from None
            raise
        handset.record(Registered(registration=read_registration(answer)))
        handset.stats.registrations += 1
        handset.notice("registered")

    # --- the stream

    async def _stay_connected(self) -> None:
        handset, failures = self._handset, 0

        def opened() -> None:
            nonlocal failures
            failures = 0

        while True:
            try:
                await self._hold_stream(opened)
                why = "the gateway ended it"
            except Trouble as trouble:
                why = str(trouble).rstrip(".")
            failures += 1
            pause = handset.timings.stream_pause(failures)
            handset.notice(f"no stream ({why}); connecting again in {pause:.1f} s")
            handset.change()
            await trio.sleep(pause)

    async def _hold_stream(self, opened: Callable[[], None]) -> None:
        """Reads one stream to its end."""
        handset = self._handset
        async with AsyncExitStack() as stack:
            async with self._turnstile:
                registration = self._registration()
                chunks = await stack.enter_async_context(handset.api.stream(registration.token))
            opened()
            handset.stats.links += 1
            handset.notice("connected")
            self._online()
            self._pulls.ring()
            handset.change()
            if handset.dice.happens(handset.plan.double_streams):
                self._nursery.start_soon(self._hold_second_stream)
            reader = StreamReader()
            with trio.CancelScope() as cut:
                async for chunk in chunks:
                    self._hear(reader, chunk)
                    if handset.dice.happens(handset.plan.lose_links):
                        handset.stats.cuts += 1
                        # Ends the loop at its next chunk. Leaving it here would leave the
                        # client's generators half run.
                        cut.cancel()

    async def _hold_second_stream(self) -> None:
        """Holds another stream beside the first, as after a loss that only this side noticed."""
        try:
            async with self._handset.api.stream(self._registration().token) as chunks:
                reader = StreamReader()
                async for chunk in chunks:
                    self._hear(reader, chunk)
        except Trouble:
            return

    def _hear(self, reader: StreamReader, chunk: bytes) -> None:
        try:
            events = reader.feed(chunk)
        except ValueError as error:
            raise Unreachable(str(error)) from None
        for event in events:
            self._obey(event)

    def _obey(self, event: StreamEvent) -> None:
        """Does what one event of the stream asks for. An unknown one asks for nothing."""
        try:
            match event.name:
                case "" | "MessageEnqueued":
                    self._pulls.ring()
                case "WebhooksUpdated":
                    self._webhooks.ring()
                case "SettingsUpdated":
                    self._settings.ring()
                case "MessageCancelled":
                    self._cancel(str(json.loads(event.data)["messageId"]))
                case "MessagesExportRequested":
                    self._export(event.data)
        except (KeyError, TypeError, ValueError):
            self._handset.stats.unreadable += 1
            self._handset.notice(f"can't read an event {event.name} of the stream")
            self._handset.change()

    def _cancel(self, message: str) -> None:
        handset = self._handset
        steps = outbox.cancelled(handset.memory, message, handset.now_ms())
        for step in steps:
            if isinstance(step, Moved):
                handset.stats.cancelled += handset.move(message, None, step.state)
            else:
                handset.record(step)

    def _export(self, data: str) -> None:
        """Posts what lies in the phone's store of a period and made no event yet."""
        handset, wanted = self._handset, json.loads(data)
        since, until = read_date(wanted["since"]), read_date(wanted["until"])
        kinds = str(wanted["messageTypes"]).split(",")
        if wanted.get("triggerWebhooks") != "true":
            return
        memory = handset.memory
        for mail in memory.mails:
            kind = "SMS" if mail.parts is None else "MMS"
            if mail.number in memory.heard or kind not in kinds:
                continue
            if since <= mail.received_at <= until:
                handset.record(*handset.mail_events(mail))

    # --- work that repeats

    async def _repeat(
        self, work: Callable[[], Awaitable[None]], bell: Bell, every_s: float
    ) -> None:
        failures = 0
        while True:
            pause = every_s
            try:
                await work()
                failures = 0
            except Trouble as trouble:
                failures += 1
                pause = self._handset.timings.work.pause_s(failures)
                if isinstance(trouble, UnreadableAnswer):
                    self._handset.stats.unreadable += 1
                    self._handset.notice(str(trouble))
                    self._handset.change()
            if await bell.wait(pause):
                failures = 0

    def _registration(self) -> Registration:
        registration = self._handset.memory.registration
        if registration is None:
            raise Unreachable("the phone is not registered")
        return registration

    async def _pull(self) -> None:
        handset, registration = self._handset, self._handset.memory.registration
        if registration is None:
            return
        order = handset.memory.settings.processing_order.lower()
        answer = await handset.api.ask(
            "GET", "/message", registration.token, query={"order": order}
        )
        for pulled in read_messages(answer, handset.version):
            for step in outbox.taken(handset.memory, pulled, handset.now_ms()):
                if isinstance(step, Moved):
                    handset.stats.cancelled += handset.move(pulled.id, None, step.state)
                    continue
                handset.stats.received += isinstance(step, Stored)
                handset.stats.repeats += not isinstance(step, Stored)
                handset.record(step)

    async def _take_webhooks(self) -> None:
        handset, registration = self._handset, self._handset.memory.registration
        if registration is None:
            return
        answer = await handset.api.ask("GET", "/webhooks", registration.token)
        webhooks = tuple(read_webhooks(answer, handset.version))
        if webhooks != handset.memory.webhooks:
            handset.record(HooksTaken(webhooks=webhooks))

    async def _take_settings(self) -> None:
        handset, registration = self._handset, self._handset.memory.registration
        if registration is None:
            return
        answer = await handset.api.ask("GET", "/settings", registration.token)
        before = handset.memory.settings
        settings = before.updated(read_object(answer, "the settings"))
        if settings == before:
            return
        handset.record(SettingsTaken(settings=settings))
        if settings.asks_for_restart(before) and handset.plan.restarts_when_asked:
            handset.notice("settings changed; the owner starts the app again")
            self._nursery.start_soon(self._restart_by_owner)

    async def _restart_by_owner(self) -> None:
        await trio.sleep(self._handset.timings.owner_s)
        self._restart()

    async def _ping(self, every_s: float) -> None:
        handset = self._handset
        while True:
            health = request_bodies.Health(
                version=handset.version.name,
                battery=100 - handset.memory.events_made % 80,
                charging=True,
                failed=handset.stats.failed,
            )
            handset.record(*handset.events_of({"system:ping": request_bodies.ping(health)}))
            self._pulls.ring()
            await trio.sleep(every_s)

    async def _get_mail(self, every_s: float, mms: bool) -> None:  # noqa: FBT001 - as start_soon calls it
        handset, rng = self._handset, self._handset.dice.other
        await trio.sleep(rng.uniform(0, every_s))
        while True:
            number = len(handset.memory.mails) + 1
            handset.receive(
                f"+1555{rng.randrange(10**7):07d}",
                f"{_MAIL_TEXT} {number}",
                attachments=(picture(number),) if mms else None,
            )
            await trio.sleep(every_s)


def _first(group: ExceptionGroup[PhoneError]) -> PhoneError:
    """Returns one error of a group of them: a person can do something about one at a time."""
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, ExceptionGroup) else inner


def picture(number: int) -> dict[str, object]:
    """Returns the part of an MMS that holds a picture."""
    return {
        "partId": number,
        "contentType": "image/png",
        "name": "picture.png",
        "size": len(_PICTURE) * 3 // 4,
        "data": _PICTURE,
    }


@attrs.define
class Lives:
    """Where the app died already: once at each place, so that it comes through in the end."""

    died: set[tuple[str, str]] = attrs.field(factory=set)

    def dies(self, wanted: CrashPoint | None, point: CrashPoint, key: str) -> bool:
        """Tells whether the app dies at this step of this message."""
        if wanted != point or (point, key) in self.died:
            return False
        self.died.add((point, key))
        return True

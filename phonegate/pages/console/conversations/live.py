"""The live stream of the console: what happens in an org, for its pages that are open.

An event comes as the API shows it, and a message's has its bubble beside it. Both are made once for
all consoles that see the same. Read marks come between the events, without an id. Where a stream
ends since its session has, it says so: the console then comes back no more.
"""

import json
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Annotated, Any, Final

import attrs
import trio

from phonegate import event_stream
from phonegate.api.convert import CONVERTER
from phonegate.api.endpoint import Answer, Call, Endpoint
from phonegate.api.event_json import EventJson, event_json
from phonegate.api.events_api import SILENCE_S, EventStream
from phonegate.api.events_types import last_event_id
from phonegate.api.media_api import media_of
from phonegate.domain.authentication import require_scope
from phonegate.domain.event_filter import EVERYTHING
from phonegate.events.feed import View
from phonegate.events.read_marks import ReadMarks
from phonegate.http.body_stream import SendPiece
from phonegate.model.bounds import MAX_ID
from phonegate.model.events import Event
from phonegate.model.facts import ConversationRead
from phonegate.model.principal import OWNER_SCOPE, Principal, allows
from phonegate.model.refusals import Forbidden, Refused, Unauthorized
from phonegate.model.storage_errors import StoreError
from phonegate.pages.console.access.session_cookies import Shown, find_session
from phonegate.pages.console.conversations.bubble_printer import BubblePrinter
from phonegate.pages.console.conversations.bubbles import bubble, own_key
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import Whole

NO_SESSION: Final = "You are not signed in, or your session has ended."
NO_ORG: Final = "The gateway's operator is of no org, and has no events."

ENDED: Final = b"event: ended\ndata: {}\n\n"
"""The last that a stream says whose session has ended."""

CHECKED_EACH_S: Final = 15.0
"""How soon a stream ends after its session has."""


@attrs.frozen(kw_only=True)
class LiveQuery:
    """Where a console goes on."""

    since_id: Annotated[int, Whole(0, MAX_ID)] | None = field(
        "The first events after this id; without, those from now on.", default=None
    )
    session: Annotated[int, Whole(0, MAX_ID)] | None = field(
        "The session of the page that asks: events of another, which began in this browser "
        "meanwhile, are not for it.",
        default=None,
    )


@attrs.frozen(kw_only=True)
class LiveStream:
    """One console that is open. `produce` is the body of its stream."""

    events: EventStream
    marks: ReadMarks
    is_open: Callable[[], bool]
    """Tells whether its session is still one, and speaks for the same."""
    has_ended: Callable[[], Awaitable[bool]]
    """Finds out whether the session has ended."""
    checked_each_s: float = CHECKED_EACH_S

    async def produce(self, send: SendPiece) -> None:
        """Sends until the console leaves, its session ends or the gateway stops."""
        failed: list[Exception] = []
        async with trio.open_nursery() as nursery:

            async def watched(run: Callable[[], Any]) -> None:
                try:
                    await run()
                except Exception as error:  # noqa: BLE001 - raised below, without a group around it
                    failed.append(error)
                nursery.cancel_scope.cancel()

            async def send_marks() -> None:
                with self.marks.follow(self.events.reader) as follower:
                    while True:
                        found = await follower.take()
                        await send(b"".join(_mark_text(mark) for mark in found))

            nursery.start_soon(watched, send_marks)
            nursery.start_soon(watched, self._watch_session)
            await watched(lambda: self.events.produce(send))
        if failed:
            raise failed[0]
        if await self.has_ended():
            await send(ENDED)

    async def _watch_session(self) -> None:
        """Returns once the session has ended, or speaks for something else."""
        while True:
            await trio.sleep(self.checked_each_s)
            if not self.is_open():
                return


async def live(call: Call) -> Answer:
    """Answers a console with the stream of its org."""
    services, request = call.services, call.request
    shown = await _require_session(call)
    signed_in = shown.signed_in
    reader = signed_in.principal
    log, feed = services.event_log, services.feed
    await log.listen(reader.org)
    last = last_event_id(request.headers)
    since_id = call.query.since_id if last is None else last
    if since_id is None:
        since_id = (await log.extent(reader.org)).last
    media = media_of(reader.org_name, request, services.public_url)
    feed.require_room(reader)

    async def has_ended() -> bool:
        try:
            return await services.sessions.find(shown.token) is None
        except (Refused, StoreError):
            return False  # it is not known

    stream = LiveStream(
        events=EventStream(
            feed=feed,
            reader=reader,
            since_id=since_id,
            wanted=EVERYTHING,
            view=live_view(reader, media, request.prefix),
            blank=True,
            silence_s=SILENCE_S,
        ),
        marks=services.read_marks,
        # To follow a stream is no use of a session: one that is left open somewhere ends too.
        is_open=partial(services.sessions.is_open, signed_in),
        has_ended=has_ended,
    )
    return Answer(
        stream=stream.produce, media=event_stream.MEDIA, headers=(("X-Accel-Buffering", "no"),)
    )


def live_view(reader: Principal, media: str, prefix: str) -> View[bytes]:
    """Returns how a console is shown events.

    Args:
        reader: Who has signed in.
        media: The beginning of the addresses of its org's parts (see `media_of`).
        prefix: The path prefix under which its browser sees the gateway.
    """
    may_send, only_key = allows(reader.scopes, "send"), own_key(reader)
    key: Hashable = ("console", media, prefix, may_send, only_key)
    printer = BubblePrinter(prefix)

    def show(event: Event) -> bytes:
        made = event_json(event, media=media)
        message = made.data.message
        if message is None:
            return _event_text(made, None)
        shown = bubble(vars(message), may_send=may_send, only_key=only_key)
        return _event_text(made, printer.print(shown))

    return View(key, show)


async def _require_session(call: Call) -> Shown:
    shown = await find_session(call.services, call.request)
    if shown is None or call.query.session not in {None, shown.signed_in.session.id}:
        raise Unauthorized(NO_SESSION)
    signed_in = shown.signed_in
    if OWNER_SCOPE in signed_in.principal.scopes:
        raise Forbidden(NO_ORG)
    require_scope(signed_in.principal, "read")
    return shown


def _event_text(event: EventJson, html: str | None) -> bytes:
    content = CONVERTER.encode(event)
    if html is not None:
        content = b'%b,"html":%b}' % (content[:-1], json.dumps(html).encode())
    return b"id: %d\ndata: %b\n\n" % (event.id, content)


def _mark_text(mark: ConversationRead) -> bytes:
    content = {"type": "read", "data": {"address": mark.address, "upto": mark.upto}}
    return b"data: %b\n\n" % json.dumps(content).encode()


ENDPOINTS: Final = (
    Endpoint(
        name="console_live",
        method="GET",
        paths=("/console/live",),
        # Its handler knows the session by the cookie.
        scope=None,
        knows_caller=True,
        group="console",
        summary="Follow what happens in the console",
        query=LiveQuery,
        answer=None,
        media=event_stream.MEDIA,
        streamed=EventJson,
        size=None,
        protocol=True,
        listed=False,
        fast_path=True,
        handler=live,
    ),
)

"""`GET /events/{org}`: what has happened, as a stream, as a page, or as a page that waits.

To ask makes the org a listener, whose events are recorded. What has happened before it first asked
is in no event.
"""

from collections.abc import Sequence
from random import uniform
from typing import Final

import attrs
import trio

from phonegate import event_stream
from phonegate.api.convert import CONVERTER
from phonegate.api.endpoint import Answer, Call, Endpoint, Example
from phonegate.api.event_json import EventJson, event_json
from phonegate.api.events_types import (
    EventsAnswer,
    EventsQuery,
    event_text,
    gap_text,
    last_event_id,
    opening_text,
    page_text,
    silence_text,
    wants_stream,
)
from phonegate.api.media_api import media_address
from phonegate.api.messages_examples import WHOLE_MESSAGE
from phonegate.domain.event_filter import EventFilter
from phonegate.events.feed import Feed, Follower, View
from phonegate.http.body_stream import SendPiece
from phonegate.model.events import Event
from phonegate.model.principal import Principal
from phonegate.model.refusals import Throttled
from phonegate.model.storage_errors import StoreError

SILENCE_S: Final = 15.0
"""A stream is never silent for longer: proxies and routers forget what is silent for a minute, and
a client that vanished is missed when something is sent to it."""

RETRY_MS: Final = (1_000, 4_000)
"""When a client comes back that has lost its stream, from and to. Each stream has its own time, so
that those which were lost together don't come back together."""

PIECE_BYTES: Final = 16_000
"""Most bytes of events that are sent at once, unless one event has more. The kernel takes so much
at once from one that reads."""

ANSWER_S: Final = 2.0
"""Of the time that a request may take, kept for its answer."""

_BY_STANDARD: Final = ("mozilla/", "phonegate/")
"""How User-Agents begin, in lower case, of those that take an id with a blank line alone, as the
standard has it: browsers, and our own commands."""


async def events(call: Call) -> Answer:
    """Answers with a stream, or with a page."""
    query: EventsQuery = call.query
    await call.services.event_log.listen(call.caller.org)
    if wants_stream(call.request.headers):
        return await _stream(call, query)
    if query.wait and call.request.method != "HEAD":
        return await _waited(call, query, query.wait)
    return await _page(call, query)


# --- Pages ------------------------------------------------------------------------------------


async def _page(call: Call, query: EventsQuery) -> Answer:
    """Answers with the events that there are."""
    # As much as a page of messages takes. One that waits holds none while it does.
    async with call.services.shares.take(call.caller.org, query.limit // 2):
        return await _read_page(call, query)


async def _read_page(call: Call, query: EventsQuery) -> Answer:
    log, show = call.services.event_log, _json_view(call).show
    if query.since_id is None:
        page = await log.newest(
            call.caller, query.limit, wanted=query.wanted, show=show, before_id=query.before_id
        )
        gap = False
    else:
        page = await log.page(
            call.caller, query.since_id, query.limit, wanted=query.wanted, show=show
        )
        gap = not page.extent.first <= query.since_id <= page.extent.last
    texts = [text for _, text in page.events]
    return Answer(content=page_text(texts, min(page.upto, page.extent.last), gap=gap))


async def _waited(call: Call, query: EventsQuery, seconds: int) -> Answer:
    """Answers with the first events that there are, or that come in time."""
    feed = call.services.feed
    with feed.follow(
        call.caller,
        since_id=await _begin(call, query.since_id),
        wanted=query.wanted,
        view=_json_view(call),
    ) as follower:
        found: Sequence[tuple[int, bytes]] = []
        # The pipeline's own deadline: an answer without events is better than none.
        answer_at = trio.current_effective_deadline() - ANSWER_S
        with trio.move_on_at(min(trio.current_time() + seconds, answer_at)):
            found = await follower.take()
        last_id = follower.position
    if len(found) > query.limit:
        found = found[: query.limit]
        last_id = found[-1][0]
    texts = [text for _, text in found]
    return Answer(content=page_text(texts, last_id, gap=follower.missed is not None))


async def _begin(call: Call, since_id: int | None) -> int:
    """Returns the id after which the events of a call come: all from now on without one."""
    if since_id is not None:
        return since_id
    return (await call.services.event_log.extent(call.caller.org)).last


def _json_view(call: Call) -> View[bytes]:
    media = media_address(call)

    def show(event: Event) -> bytes:
        return CONVERTER.encode(event_json(event, media=media))

    return View(("json", media), show)


# --- Streams ----------------------------------------------------------------------------------


async def _stream(call: Call, query: EventsQuery) -> Answer:
    """Answers with the events that there are and all that come, for as long as the client reads."""
    feed, media = call.services.feed, media_address(call)
    last = last_event_id(call.request.headers)
    since_id = await _begin(call, query.since_id if last is None else last)

    def show(event: Event) -> bytes:
        return event_text(event_json(event, media=media))

    stream = EventStream(
        feed=feed,
        reader=call.caller,
        since_id=since_id,
        wanted=query.wanted,
        view=View(("stream", media), show),
        blank=call.request.headers.get("user-agent", "").lower().startswith(_BY_STANDARD),
    )
    feed.require_room(call.caller)
    return Answer(
        stream=stream.produce,
        media=event_stream.MEDIA,
        # nginx would keep events back until it has a buffer full of them.
        headers=(("X-Accel-Buffering", "no"),),
    )


@attrs.frozen(kw_only=True)
class EventStream:
    """One stream of events. `produce` is its body."""

    feed: Feed
    reader: Principal
    since_id: int
    wanted: EventFilter
    view: View[bytes]
    blank: bool
    """Whether a blank line follows an id without an event."""
    silence_s: float = SILENCE_S

    async def produce(self, send: SendPiece) -> None:
        """Sends events until the client leaves, its credential is revoked or the gateway stops.

        A piece is sent when the one before it has left, so that a client which does not read keeps
        back what comes for it, and is dropped by the server.
        """
        retry_ms = round(uniform(*RETRY_MS))  # noqa: S311 - no secret
        await send(opening_text(self.since_id, retry_ms, blank=self.blank))
        try:
            with self.feed.follow(
                self.reader, since_id=self.since_id, wanted=self.wanted, view=self.view
            ) as follower:
                while not follower.ended:
                    await self._send_next(follower, send)
        except (Throttled, StoreError):
            # It has begun with 200: the client comes back, and is answered as it is then.
            return

    async def _send_next(self, follower: Follower[bytes], send: SendPiece) -> None:
        found: Sequence[tuple[int, bytes]] = []
        # Also where it is never silent: an org whose app keeps one stream open asks but once.
        await self.feed.event_log.listen(self.reader.org)
        with trio.move_on_after(self.silence_s) as silence:
            found = await follower.take()
        if silence.cancelled_caught:
            await send(silence_text(follower.position, blank=self.blank))
            return
        if follower.missed is not None:
            # Who is cut off after it goes on at its id: some below `missed` may be there yet.
            position = found[0][0] - 1 if found else follower.position
            await send(gap_text(follower.missed, position))
            follower.missed = None
        piece = b""
        for _, text in found:
            if piece and len(piece) + len(text) > PIECE_BYTES:
                await send(piece)
                piece = b""
            piece = piece + text if piece else text
        if piece:
            await send(piece)


# --- The table's part -------------------------------------------------------------------------

_EVENT: Final = (
    '{"id":2,"type":"message.received","created_at":"2026-11-21T08:00:00.000Z",'
    f'"data":{{"message":{WHOLE_MESSAGE}}}}}'
)

_SECRET: Final = (("X-Secret-Key", "my-secret-key-123"),)

ENDPOINTS: Final = (
    Endpoint(
        name="get_events",
        method="GET",
        paths=("/events/{org}", "/events/{org}/{secret}"),
        scope="read",
        group="events",
        summary="Follow what happens",
        description="What happens to messages and phones, by ascending id. Events are recorded for "
        "an org that has asked here within the time that they are kept (72 hours), or that has a "
        "webhook: to ask is enough, and what happened before it first asked is in none. "
        "With `Accept: text/event-stream` the answer is a stream that stays open: each event with "
        "`id`, `event` (its type) and `data` (its JSON), and a comment each 15 seconds without "
        "one. `Last-Event-ID`, or else `since_id`, goes on after an event, so that none is missed "
        "and none comes twice. Where events after that id are missing, an event `gap` comes first: "
        'its data is `{"first":N}`, and of events up to N some may be missing. '
        "A client that does not read is dropped, and a stream ends when its credential is revoked "
        "or changed, or the gateway stops: come back with the last id. "
        "Without that header the answer is a page, and `wait` makes it wait for its first event. "
        "`last_id` is where to go on, whether or not there were events. A key with limits gets "
        "what it may read: one with `from` only events of messages from and to these numbers.",
        query=EventsQuery,
        answer=EventsAnswer,
        media=event_stream.MEDIA,
        streamed=EventJson,
        # It waits for most of its time, and there costs a fraction of the memory.
        fast_path=True,
        # A page takes its share by itself: what waits is not under way.
        size=None,
        examples=(
            Example(
                title="what has happened since an event",
                path="/events/myorg?since_id=1&types=message.*",
                headers=_SECRET,
                answer='{"ok":true,"events":[{"id":2,"type":"message.received",'
                '"created_at":"2026-11-21T08:00:00.000Z","data":{"message":{"id":1,'
                '"direction":"in","address":"+15551112222","body":"hello"}}}],"last_id":2}',
                whole=f'{{"ok":true,"events":[{_EVENT}],"last_id":2}}',
            ),
        ),
        handler=events,
    ),
)

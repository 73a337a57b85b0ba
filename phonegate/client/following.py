"""Follows what happens at a gateway, over its restarts and behind proxies, as operations.

The stream of events is followed. Where a proxy holds that back until it ends, long polls are asked
instead, whose answers are whole and so pass through any proxy.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs

from phonegate.client.answers import understood
from phonegate.client.calls import Calls, Manner, onward
from phonegate.client.effects import (
    Answer,
    Clock,
    Close,
    Effect,
    Found,
    Open,
    Operation,
    Pause,
    Read,
    Request,
    Retrying,
)
from phonegate.client.errors import GatewayError, NoEvents, NotAGateway, NotFound, TimedOut
from phonegate.client.events import GAP, Event, Gap, News
from phonegate.client.messages import Message, given
from phonegate.client.retries import Patience, unending
from phonegate.event_stream import StreamEvent, StreamReader
from phonegate.model.bounds import MAX_PAGE

SILENCE_S: Final = 25.0
"""Without a byte for so long, a stream is dead, or held back: the gateway writes each 15 s."""

LONG_POLL_S: Final = 25
"""Seconds of a long poll: fewer than the 30 after which many proxies give up."""

LATE_S: Final = 10.0
"""Seconds in which the answer of a long poll comes, once its own have passed."""

SHORT_S: Final = 1.0
"""A stream that brings nothing and ends sooner was no success: the next is opened later."""

POLL_S: Final = 1.0
"""Between two reads of new messages, of a gateway that has no events."""

_EVENTS: Final = "/events/{org}"
_RECEIVED: Final = "message.received"


class Following:
    """What happens to an org's messages and phones.

    Args:
        calls: The gateway and the org.
        silence_s: How long a stream may be silent.
        poll_s: Seconds between two looks, where there are no events.
    """

    def __init__(
        self, calls: Calls, *, silence_s: float = SILENCE_S, poll_s: float = POLL_S
    ) -> None:
        self._calls = calls
        self._silence_s = silence_s
        self._poll_s = poll_s
        self._endless = endless(calls.manner)

    def page(self, query: Mapping[str, Any], manner: Manner | None = None) -> Operation[News]:
        """Reads one page of events: the first after `since_id`, or without it the newest.

        Raises:
            NoEvents: The gateway does not know what they are.
        """
        manner = manner or self._calls.manner
        if wait_s := query.get("wait"):
            # Given up sooner, it would bring nothing.
            manner = attrs.evolve(manner, timeout_s=max(manner.timeout_s, wait_s + LATE_S))
        try:
            answer = yield from self._calls.request("GET", _EVENTS, query=query, manner=manner)
        except NotFound:
            raise NoEvents(self._calls.url) from None
        found, upto = answer.get("events"), answer.get("last_id")
        if not isinstance(found, list) or not isinstance(upto, int):
            raise NoEvents(self._calls.url)
        events = tuple(map(Event.read, found))
        if not answer.get("gap"):
            return News(events, upto)
        return News(events, upto, Gap(events[0].id - 1 if events else upto))

    def follow(self, about: Mapping[str, Any], since: int | None) -> Operation[None]:
        """Finds the `News` after an id, or from now on, without end.

        While the gateway is away it goes on trying.
        """
        if since is None:
            since = (yield from self.page({**about, "limit": 1})).upto
        held_back = False
        patience = self._patience()
        while True:
            if held_back:
                query = {**about, "since_id": since, "limit": MAX_PAGE, "wait": LONG_POLL_S}
                began = yield Clock()
                news = yield from self.page(query, self._endless)
                since = news.upto
                yield Found(news)
                if news.events or (yield Clock()) - began >= SHORT_S:
                    patience = self._patience()
                else:
                    # Something between answers for the gateway, at once.
                    yield Pause(patience.pause() or 0.0)
                continue
            began = yield Clock()
            stream = _Stream(since)
            yield from self._read(stream, about)
            since, held_back = stream.upto, stream.is_held_back
            if stream.brought_something or (yield Clock()) - began >= SHORT_S:
                patience = self._patience()
            if not held_back:
                yield Pause(patience.pause() or 0.0)

    def events(self, about: Mapping[str, Any], since: int | None) -> Operation[None]:
        """Finds each `Event` after an id, or from now on, and a `Gap` where some are missing."""

        def one_by_one(news: News) -> Operation[None]:
            for item in (*filter(None, [news.gap]), *news.events):
                yield Found(item)

        yield from _each(self.follow(about, since), one_by_one)

    def received(self, about: Mapping[str, Any], since: int | None) -> Operation[None]:
        """Finds each received `Message` after an id, or from now on, in their order.

        Events only say when to look: messages are kept for longer than those.

        Args:
            about: Filters that both messages and events have.
            since: The id of a message.
        """
        position = yield from self._position()
        last = since
        if last is None:
            newest = yield from self._page({**about, "limit": 1})
            last = newest[-1].id if newest else 0

        def new_ones() -> Operation[None]:
            nonlocal last
            while True:
                found = yield from self._page({**about, "since_id": last, "limit": MAX_PAGE})
                # One that is not full may not be the last: a page holds a bounded number of bytes.
                if not found:
                    return
                for message in found:
                    yield Found(message)
                    last = onward(last or 0, message.id)

        def look(news: News) -> Operation[None]:
            if news.events or news.gap is not None:
                yield from new_ones()

        yield from new_ones()
        while position is None:
            yield Pause(self._poll_s)
            yield from new_ones()
        yield from _each(self.follow({**about, "types": _RECEIVED}, position), look)

    def _position(self) -> Operation[int | None]:
        """Returns the id of the newest event, or None where the gateway has no events."""
        try:
            return (yield from self.page({"limit": 1})).upto
        except NoEvents:
            return None

    def _page(self, query: Mapping[str, Any]) -> Operation[list[Message]]:
        return (yield from self._calls.page({**query, "direction": "in"}, self._endless))

    def _patience(self) -> Patience:
        return Patience(self._endless.retries, self._endless.dice)

    def _read(self, stream: "_Stream", about: Mapping[str, Any]) -> Operation[None]:
        """Finds what one stream brings. It ends when the stream is cut."""
        request = Request(
            method="GET",
            path=(yield from self._calls.in_path(_EVENTS, self._endless)),
            query={**about, "since_id": stream.upto},
            is_repeatable=True,
        )
        if not (yield from self._begin(request, stream)):
            return
        while True:
            chunk: bytes | GatewayError = yield Read()
            if isinstance(chunk, TimedOut):
                stream.is_held_back = not stream.has_spoken
            if isinstance(chunk, GatewayError) or not chunk:
                # It is held back, or the gateway restarts, or a proxy has cut it.
                break
            try:
                news = stream.feed(chunk)
            except ValueError:
                raise NotAGateway(f"{self._calls.url} answered with no event stream.") from None
            if news is not None:
                yield Found(news)
        yield Close()

    def _begin(self, request: Request, stream: "_Stream") -> Operation[bool]:
        """Opens a stream, however long the gateway is away. Tells whether it has begun."""
        patience = self._patience()
        tries = 0
        while True:
            answer: Answer | GatewayError = yield Open(request, self._silence_s)
            tries += 1
            try:
                if isinstance(answer, TimedOut):
                    stream.is_held_back = True
                    return False
                if isinstance(answer, GatewayError):
                    raise answer
                if answer.is_stream:
                    return True
                understood(answer, request, self._calls.url)
            except GatewayError as error:
                if not error.is_transient:
                    raise
                yield Retrying(error, tries)
                yield Pause(patience.pause(error.retry_after_s) or 0.0)
            else:
                raise NotAGateway(
                    f"{self._calls.url} answered without a stream. Is it a phonegate gateway?"
                )


class _Stream:
    """One stream of events, after the id `upto`."""

    def __init__(self, upto: int) -> None:
        self.upto = upto
        self.has_spoken = False
        self.is_held_back = False
        """Whether something between holds streams back."""
        self.brought_something = False
        self._reader = StreamReader()

    def feed(self, chunk: bytes) -> News | None:
        """Takes the next bytes, and returns what they bring.

        Raises:
            ValueError: They are no events of a gateway.
        """
        self.has_spoken = True
        news = read_news(self._reader.feed(chunk), self.upto, self._reader.last_id)
        self.upto = news.upto
        if not news.events and news.gap is None:
            return None
        self.brought_something = True
        return news


def event_filters(
    types: Sequence[str], address: str | None, sim: str | int | None, phone: int | None
) -> dict[str, Any]:
    """Returns the filters of events, as the API takes them."""
    return given(types=",".join(types) or None, address=address, sim=sim, phone=phone)


def read_news(found: Sequence[StreamEvent], since: int, last_id: str) -> News:
    """Reads the events of a stream. Those up to the id `since` were read before.

    Args:
        found: The events.
        since: The id of the last one before.
        last_id: The last id that the stream has named.

    Raises:
        ValueError: They are none of a gateway's.
    """
    gap, events = None, list[Event]()
    for one in found:
        content = json.loads(one.data)
        name = "first" if one.name == GAP else "id"
        number = content.get(name) if isinstance(content, dict) else None
        if type(number) is not int:
            raise ValueError(f"an event of the stream has no {name}")
        if one.name == GAP:
            # Its id is where the events go on that are there. It may be lower than that of the last
            # one, where the gateway's database was begun anew.
            since = _named(one.id, number)
            gap = Gap(number)
        elif number > since:
            since = number
            events.append(Event.read(content))
    # It may be beyond the last event, where none of those after it fitted.
    return News(tuple(events), max(since, _named(last_id, since)), gap)


def endless(manner: Manner) -> Manner:
    """Returns the manner of calls that never give up while the gateway is away."""
    return attrs.evolve(manner, retries=unending(manner.retries), deadline_s=None)


def _named(text: str, otherwise: int) -> int:
    """Reads the id that a stream has named."""
    return int(text) if text.isascii() and text.isdigit() else otherwise


def _each(operation: Operation[None], then: Callable[[Any], Operation[None]]) -> Operation[None]:
    """Runs an operation, and another one for each item that it finds, in place of the item."""
    outcome: Any = None
    try:
        while True:
            try:
                effect: Effect = operation.send(outcome)
            except StopIteration:
                return
            outcome = None
            if isinstance(effect, Found):
                yield from then(effect.item)
            else:
                outcome = yield effect
    finally:
        operation.close()

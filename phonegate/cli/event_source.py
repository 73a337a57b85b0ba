"""Reads an org's events from a gateway as they happen, over its restarts and behind proxies.

It follows the event stream. Where a proxy holds that back until it ends, it asks by long polls
instead, whose answers are whole and so pass through any proxy.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any, Final

import attrs
import click
import httpx

from phonegate.cli.client import Client, Refusal, Silence, with_retries
from phonegate.cli.failure import Failure
from phonegate.cli.retries import Pauses, Retries
from phonegate.event_stream import StreamEvent, StreamReader
from phonegate.model.bounds import MAX_PAGE

SILENCE_S: Final = 25.0
"""Without a byte for so long, a stream is dead, or held back: the gateway writes each 15 s."""

LONG_POLL_S: Final = 25
"""Seconds of a long poll: fewer than the 30 after which many proxies give up."""

SHORT_S: Final = 1.0
"""A stream that brings nothing and ends sooner was no success: the next is opened later."""

_NOT_FOUND: Final = 404

GAP: Final = "gap"
"""The name of the event that says that others are missing."""

Event = Mapping[str, Any]
"""An event as the gateway writes it in JSON."""


class NoEvents(Failure):
    """A gateway has no events, since it is of an earlier version."""

    def __init__(self, url: str) -> None:
        super().__init__(f"The gateway at {url} has no events: it is older than this command.")


@attrs.frozen
class News:
    """What came at once: events by ascending id, perhaps after a gap."""

    events: Sequence[Event]
    upto: int
    """The id after which to go on: everything up to it has been looked at."""
    gap: int | None = None
    """Events up to this id are missing, since the gateway keeps them no longer."""


class EventSource:
    """The events of an org that fit some filters.

    Args:
        client: The gateway and the org.
        about: The filters, as the query of `/events` has them.
        pauses: Those between tries.
        silence_s: How long a stream may be silent.
    """

    def __init__(
        self,
        client: Client,
        about: Mapping[str, Any],
        pauses: Pauses,
        *,
        silence_s: float = SILENCE_S,
    ) -> None:
        self._client = client
        self._about = about
        self._pauses = pauses
        self._silence_s = silence_s
        self._held_back = False
        """Whether something between holds streams back."""

    def page(self, since: int | None, limit: int | None = None, wait: int | None = None) -> News:
        """Asks once: for the first events after an id, or for the newest.

        Args:
            since: The id. None: the newest.
            limit: The most events.
            wait: Seconds to wait where there is none yet.

        Raises:
            NoEvents: The gateway does not know what they are.
            Failure: It refuses, or does not answer.
        """
        query = {**self._about, "since_id": since, "limit": limit, "wait": wait}
        try:
            answer = self._client.get(self._path, query)
        except Refusal as refused:
            if refused.status == _NOT_FOUND:
                raise NoEvents(self._client.url) from None
            raise
        events, upto = answer.get("events"), answer.get("last_id")
        if not isinstance(events, list) or not isinstance(upto, int):
            raise NoEvents(self._client.url)
        if not answer.get("gap"):
            return News(events, upto)
        return News(events, upto, events[0]["id"] - 1 if events else upto)

    def follow(self, since: int) -> Iterator[News]:
        """Yields what happens after an id, without end.

        While the gateway is away it goes on trying, and says so once.

        Raises:
            Failure: The gateway refuses, and would again.
        """
        retries = Retries(None, pauses=self._pauses)
        while True:
            if self._held_back:
                ask = partial(self.page, since, MAX_PAGE, LONG_POLL_S)
                news: News = with_retries(ask, Retries(None, pauses=self._pauses))
                since = news.upto
                yield news
                continue
            began, came = time.monotonic(), False
            for news in self._stream(since):
                since = news.upto
                if news.events or news.gap is not None:
                    came = True
                    yield news
            if came or time.monotonic() - began >= SHORT_S:
                retries = Retries(None, pauses=self._pauses)
            if not self._held_back:
                time.sleep(retries.pause() or 0.0)

    @property
    def _path(self) -> str:
        return f"/events/{self._client.org}"

    def _stream(self, since: int) -> Iterator[News]:
        """Yields what one stream brings. It ends when the stream is cut."""
        query = {**self._about, "since_id": since}
        begin = partial(self._client.open_stream, self._path, query, self._silence_s)
        heard = False
        try:
            response: httpx.Response = with_retries(begin, Retries(None, pauses=self._pauses))
            with closing(response):
                reader = StreamReader()
                for chunk in response.iter_bytes():
                    heard = True
                    news = understood(reader.feed(chunk), since, reader.last_id)
                    since = news.upto
                    yield news
        except Silence:
            self._held_back = True
        except httpx.ReadTimeout:
            self._held_back = not heard
        except (httpx.HTTPError, OSError):
            # The gateway restarts, or a proxy has cut it.
            pass
        except ValueError:
            raise Failure(f"{self._client.url} answered with no event stream.") from None


def tell_of_gap(upto: int, since: int | None = None) -> None:
    """Prints that events are missing, for the person and not for the reader of the output.

    Args:
        upto: The last one that is missing, or the newest that there is.
        since: The id that the person has named, if any.
    """
    if since is not None and since > upto:
        click.echo(f"phonegate: There is no event {since}: the newest is {upto}.", err=True)
    else:
        click.echo(f"phonegate: Events up to {upto} are no longer kept.", err=True)


def understood(found: Sequence[StreamEvent], since: int, last_id: str) -> News:
    """Reads the events of a stream. Those up to the id `since` were read before.

    Args:
        found: The events.
        since: The id of the last one before.
        last_id: The last id that the stream has named.

    Raises:
        ValueError: They are none of a gateway's.
    """
    gap, events = None, []
    for one in found:
        content = json.loads(one.data)
        name = "first" if one.name == GAP else "id"
        number = content.get(name) if isinstance(content, dict) else None
        if type(number) is not int:
            raise ValueError(f"an event of the stream has no {name}")
        if one.name == GAP:
            # Its id is where the events go on that are there. It may be lower than that of the last
            # one, where the gateway's database was begun anew.
            gap, since = number, _named(one.id, number)
        elif number > since:
            since = number
            events.append(content)
    # It may be beyond the last event, where none of those after it fitted.
    return News(events, max(since, _named(last_id, since)), gap)


def _named(text: str, otherwise: int) -> int:
    """Reads the id that a stream has named."""
    return int(text) if text.isascii() and text.isdigit() else otherwise

"""Shows messages as they come and change: what `phonegate messages --follow` does."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NoReturn, TypeVar

import click

from phonegate.cli.client import Client, with_retries
from phonegate.cli.event_source import EventSource, NoEvents, tell_of_gap
from phonegate.cli.following import Following, Message, same_state, spans
from phonegate.cli.retries import Pauses, Retries
from phonegate.model.bounds import MAX_PAGE
from phonegate.model.states import QUEUED

T = TypeVar("T")

TYPES: Final = "message.*"

_NEW_ALONE: Final = "New messages are shown, but not how they change."

_OWN: Final = frozenset({"direction", "key"})
"""The filters that the gateway has for messages and not for events."""

Show = Callable[[Sequence[Message]], None]


class MessageFollower:
    """The messages of an org that fit some filters, and each of their changes.

    Args:
        client: The gateway and the org.
        about: The filters that a message fits or not whatever becomes of it, as `/messages` has
            them in its query.
        state: Those that it comes to fit: `status` and `waiting_for`.
        pauses: Those between tries.
        show: Shows messages.
    """

    def __init__(
        self,
        client: Client,
        about: Mapping[str, Any],
        state: Mapping[str, Any],
        pauses: Pauses,
        show: Show,
    ) -> None:
        self._client = client
        self._about = {name: value for name, value in about.items() if value is not None}
        self._state = {name: value for name, value in state.items() if value is not None}
        own = {name: value for name, value in self._about.items() if name in _OWN}
        self._wanted = {**own, **self._state}
        self._pauses = pauses
        self._show = show
        known = {name: self._about.get(name) for name in ("address", "sim")}
        self._source = EventSource(client, {"types": TYPES, **known}, pauses)
        self._following = Following()

    def run(self, bounds: Mapping[str, Any]) -> None:
        """Shows the messages within some bounds, and from then on what happens, without end.

        Args:
            bounds: `since_id`, `before_id` and `limit`, as `/messages` has them.

        Raises:
            Failure: The gateway refuses, or does not answer at the beginning.
        """
        try:
            position = with_retries(self._newest, Retries(pauses=self._pauses))
        except NoEvents as error:
            click.echo(f"phonegate: {error} {_NEW_ALONE}", err=True)
            self._show_new(bounds)
        self._show_pages(bounds)
        self._following.read(self._patiently(self._newest))
        for news in self._source.follow(position):
            if news.gap is not None:
                tell_of_gap(news.gap)
                self._show_pages({"since_id": self._following.last})
                self._following.read(self._patiently(self._newest))
            self._show_changes(self._following.news(news.events))

    def _show_new(self, bounds: Mapping[str, Any]) -> NoReturn:
        """Shows the messages within some bounds, and each that comes, without end."""
        self._show_pages(bounds)
        while True:
            time.sleep(self._pauses.received_s)
            self._show_pages({"since_id": max(bounds["since_id"] or 0, self._following.last)})

    def _newest(self) -> int:
        return self._source.page(None, 1).upto

    def _show_pages(self, bounds: Mapping[str, Any]) -> None:
        """Shows the messages within some bounds: a page, or all of those after an id."""
        bounds = dict(bounds)
        while True:
            found = self._patiently(partial(self._page, {**self._state, **bounds}))
            self._following.shown(found)
            self._show(found)
            if not found or bounds.get("since_id") is None:
                break
            bounds |= {"since_id": found[-1]["id"], "limit": MAX_PAGE}

    def _show_changes(self, messages: Sequence[Message]) -> None:
        now = self._now(messages)
        for message in messages:
            latest = now.get(message["id"])
            if latest is None and "q" in self._about:
                continue
            # What it waits for, an event does not say.
            shown = message if latest is None or not same_state(message, latest) else latest
            if self._fits(shown):
                self._show([shown])

    def _fits(self, message: Message) -> bool:
        return all(message.get(name) == value for name, value in self._wanted.items())

    def _now(self, messages: Iterable[Message]) -> dict[int, Message]:
        """Reads messages as they are now, as far as that says more than their events."""
        asked = (
            message["id"]
            for message in messages
            if "q" in self._about or message["status"] == QUEUED
        )
        found: dict[int, Message] = {}
        for first, last in spans(asked):
            after = first - 1
            while after < last:
                bounds = {"since_id": after, "before_id": last + 1, "limit": MAX_PAGE}
                page = self._patiently(partial(self._page, bounds))
                found.update((message["id"], message) for message in page)
                after = page[-1]["id"] if page else last
        return found

    def _page(self, query: Mapping[str, Any]) -> list[Message]:
        path = f"/messages/{self._client.org}"
        messages: list[Message] = self._client.get(path, {**self._about, **query})["messages"]
        return messages

    def _patiently(self, step: Callable[[], T]) -> T:
        """Takes a step, however long the gateway is away."""
        found: T = with_retries(step, Retries(None, pauses=self._pauses))
        return found

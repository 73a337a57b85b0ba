"""Shows messages as they come and change: what `phonegate messages --follow` does."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NoReturn

import click

from phonegate.cli.event_lines import missing
from phonegate.cli.following import Following, Message, same_state, spans
from phonegate.cli.pauses import Pauses
from phonegate.client import Gateway, NoEvents
from phonegate.client.retries import unending
from phonegate.model.bounds import MAX_PAGE
from phonegate.model.states import QUEUED

TYPES: Final = "message.*"

_NEW_ALONE: Final = "New messages are shown, but not how they change."

_OWN: Final = frozenset({"direction", "key"})
"""The filters that the gateway has for messages and not for events."""

Show = Callable[[Sequence[Message]], None]


class MessageFollower:
    """The messages of an org that fit some filters, and each of their changes.

    Args:
        gateway: The gateway and the org.
        about: The filters that a message fits or not whatever becomes of it, as
            `Gateway.page` has them.
        state: Those that it comes to fit: `status` and `waiting_for`.
        pauses: Those between tries.
        show: Shows messages.
    """

    def __init__(
        self,
        gateway: Gateway,
        about: Mapping[str, Any],
        state: Mapping[str, Any],
        pauses: Pauses,
        show: Show,
    ) -> None:
        self._gateway = gateway.with_retries(pauses.retries())
        self._patient = gateway.with_retries(unending(pauses.retries()))
        self._about = {name: value for name, value in about.items() if value is not None}
        self._state = {name: value for name, value in state.items() if value is not None}
        own = {name: value for name, value in self._about.items() if name in _OWN}
        self._wanted = {**own, **self._state}
        self._pauses = pauses
        self._show = show
        self._known = {name: self._about.get(name) for name in ("address", "sim")}
        self._following = Following()

    def run(self, bounds: Mapping[str, Any]) -> None:
        """Shows the messages within some bounds, and from then on what happens, without end.

        Args:
            bounds: `since`, `before` and `limit`.

        Raises:
            Failure: The gateway refuses, or does not answer at the beginning.
        """
        try:
            position = self._newest(self._gateway)
        except NoEvents as error:
            click.echo(f"phonegate: {error} {_NEW_ALONE}", err=True)
            self._show_new(bounds)
        self._show_pages(bounds)
        self._following.read(self._newest(self._patient))
        for news in self._patient.news(TYPES, since=position, **self._known):
            if news.gap is not None:
                click.echo(missing(news.gap.upto), err=True)
                self._show_pages({"since": self._following.last})
                self._following.read(self._newest(self._patient))
            self._show_changes(self._following.news(event.raw for event in news.events))

    def _show_new(self, bounds: Mapping[str, Any]) -> NoReturn:
        """Shows the messages within some bounds, and each that comes, without end."""
        self._show_pages(bounds)
        while True:
            time.sleep(self._pauses.received_s)
            self._show_pages({"since": max(bounds["since"] or 0, self._following.last)})

    def _newest(self, gateway: Gateway) -> int:
        return gateway.events_page(TYPES, limit=1, **self._known).upto

    def _show_pages(self, bounds: Mapping[str, Any]) -> None:
        """Shows the messages within some bounds: a page, or all of those after an id."""
        bounds = dict(bounds)
        while True:
            found = self._page({**self._state, **bounds})
            self._following.shown(found)
            self._show(found)
            if not found or bounds.get("since") is None:
                break
            bounds |= {"since": found[-1]["id"], "limit": MAX_PAGE}

    def _show_changes(self, messages: Sequence[Message]) -> None:
        now = self._now(messages)
        for message in messages:
            latest = now.get(message["id"])
            if latest is None and "search" in self._about:
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
            if "search" in self._about or message["status"] == QUEUED
        )
        found: dict[int, Message] = {}
        for first, last in spans(asked):
            after = first - 1
            while after < last:
                bounds = {"since": after, "before": last + 1, "limit": MAX_PAGE}
                page = self._page(bounds)
                found.update((message["id"], message) for message in page)
                after = page[-1]["id"] if page else last
        return found

    def _page(self, query: Mapping[str, Any]) -> list[Message]:
        """Reads a page, however long the gateway is away."""
        asked: dict[str, Any] = {**self._about, **query}
        return [message.raw for message in self._patient.page(**asked)]

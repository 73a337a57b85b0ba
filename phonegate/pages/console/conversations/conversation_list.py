"""The list of conversations, what a search finds in them, and what counts as read."""

from collections.abc import Sequence
from typing import Any, Final

import attrs
from markupsafe import Markup
from quart import Response

from phonegate.domain.conversations import ConversationPage, ConversationView, Found
from phonegate.domain.message_access import KnownSims
from phonegate.model.conversations import MOST_UNREAD
from phonegate.model.messages import MessageView
from phonegate.model.times import iso
from phonegate.pages.console.conversations.bubbles import one_line
from phonegate.pages.console.conversations.conversation_path import BASE, conversation
from phonegate.pages.console.conversations.found_words import excerpt
from phonegate.pages.console.visit import Route, Visit
from phonegate.pages.console.whole_numbers import whole
from phonegate.pages.console.words import MOODS, STATE_WORDS, Mood

UNKNOWN_SENDER: Final = "Unknown sender"
"""Who a message is from that named no sender."""

PAGE: Final = 50
"""Conversations, or messages that were found, of one page."""

MAX_SEARCH: Final = 200
"""Characters of a search, as in the API."""


@attrs.frozen(kw_only=True)
class Row:
    """A conversation in the list."""

    address: str = attrs.field(repr=False)
    title: str = attrs.field(repr=False)
    text: str = attrs.field(repr=False)
    own: bool
    at: str
    status: str
    state: str
    mood: Mood
    unread: int
    last: int

    @property
    def path(self) -> str:
        """Where it is shown."""
        return conversation(self.address)

    @property
    def count(self) -> str:
        """How much of it is unread, in a badge."""
        return badge(self.unread)


@attrs.frozen(kw_only=True)
class Hit:
    """A message that was found."""

    id: int
    address: str = attrs.field(repr=False)
    title: str = attrs.field(repr=False)
    excerpt: Markup = attrs.field(repr=False)
    own: bool
    at: str

    @property
    def path(self) -> str:
        """Where its conversation is shown."""
        return conversation(self.address)


@attrs.frozen(kw_only=True)
class Listed:
    """What stands in the list."""

    rows: Sequence[Row] = ()
    hits: Sequence[Hit] = ()
    before: int | None = None
    """Where the next page begins."""
    search: str = ""
    only_unread: bool = False
    texts_searched: bool = True

    @property
    def newest(self) -> int:
        """The id of the newest message in it."""
        return max((row.last for row in self.rows), default=0)


def badge(unread: int) -> str:
    """Returns how much is unread, as it is counted."""
    return f"{MOST_UNREAD - 1}+" if unread >= MOST_UNREAD else str(unread)


def title_of(address: str, name: str | None) -> str:
    """Returns what a conversation is called."""
    return name or address or UNKNOWN_SENDER


async def listed(visit: Visit) -> Listed:
    """Reads what the query asks for: a page of the list, or of what a search finds."""
    before = whole(visit.query.get("before"))
    search = visit.query.get("q", "").strip()[:MAX_SEARCH]
    if search:
        return await visit.services.conversations.find(
            visit.principal,
            search,
            lambda found, _: _found(found, search),
            before=before,
            limit=PAGE,
        )
    only_unread = visit.query.get("unread") == "1"

    def show(page: ConversationPage, _: KnownSims) -> Listed:
        return Listed(
            rows=[_row(one) for one in page.conversations],
            before=page.before,
            only_unread=only_unread,
        )

    return await visit.services.conversations.page(
        visit.principal, show, before=before, limit=PAGE, only_unread=only_unread
    )


async def live_context(visit: Visit) -> dict[str, Any]:
    """Returns where the live stream of a page begins, for what is read after it."""
    log, org = visit.services.event_log, visit.principal.org
    await log.listen(org)
    return {"since": (await log.extent(org)).last}


async def list_context(visit: Visit) -> dict[str, Any]:
    """Returns what the list's side of a page is made from."""
    return {
        "listed": await listed(visit),
        "unread": await visit.services.conversations.unread(visit.principal),
        "badge": badge,
    }


async def show(visit: Visit) -> Response:
    """Shows the list, or its part for a script."""
    if visit.query.get("part") == "list":
        return await visit.part("console/parts/talk_list.html", **await list_context(visit))
    return await visit.page(
        "console/conversations.html",
        **await live_context(visit),
        **await list_context(visit),
        thread=None,
    )


async def count_unread(visit: Visit) -> Response:
    """Answers how many conversations are unread, for the title of any page."""
    count = await visit.services.conversations.unread(visit.principal)
    return visit.answer({"ok": True, "unread": count})


async def read_all(visit: Visit) -> Response:
    """Marks all as read that the list has shown."""
    upto = whole((await visit.form()).get("upto"))
    count = 0
    if upto is not None:
        count = await visit.services.conversations.mark_all_read(visit.principal, upto)
    if visit.by_script:
        return visit.answer({"ok": True, "read": count})
    return visit.go(BASE, said="All conversations are marked as read.")


def _row(view: ConversationView) -> Row:
    last = view.last
    return Row(
        address=view.address,
        title=title_of(view.address, view.name),
        text=one_line(last.body, has_media=_has_media(last)),
        own=last.direction == "out",
        at=iso(last.created_at),
        status=last.status,
        state=STATE_WORDS[last.status],
        mood=MOODS[last.status],
        unread=view.unread,
        last=last.id,
    )


def _found(found: Found, search: str) -> Listed:
    return Listed(
        rows=[_row(one) for one in found.conversations],
        hits=[
            Hit(
                id=one.id,
                address=one.address,
                title=title_of(one.address, found.names.get(one.address)),
                excerpt=excerpt(one.body, search),
                own=one.direction == "out",
                at=iso(one.created_at),
            )
            for one in found.messages
        ],
        before=found.before,
        search=search,
        texts_searched=found.texts_searched,
    )


def _has_media(message: MessageView) -> bool:
    return bool(message.parts or message.media_urls)


ROUTES: Final = (
    Route(path=BASE, scope="read", view=show),
    Route(path="/unread", scope="read", view=count_unread),
    Route(path="/read-all", methods=("POST",), scope="read", view=read_all),
)

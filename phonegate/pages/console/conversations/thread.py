"""A conversation: its messages as bubbles, and the box to answer in.

Messages are read as conversations, and not by the API's own pages: these know no part around a
message, and no conversation with a sender who named no number. The reader's limits hold here too.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final
from uuid import uuid4

import attrs
from quart import Response

from phonegate.api.inner_calls import CallRefused
from phonegate.api.media_api import media_of
from phonegate.api.presenters import message_json
from phonegate.domain.conversations import ConversationView, Thread
from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.message_access import KnownSims
from phonegate.model.messages import Message, MessageView, PageQuery
from phonegate.model.numbers import is_recipient
from phonegate.model.refusals import NotFound, Refused
from phonegate.pages.console.conversations.bubbles import Bubble, bubble, own_key
from phonegate.pages.console.conversations.conversation_list import (
    list_context,
    live_context,
    title_of,
)
from phonegate.pages.console.conversations.conversation_path import BASE, address_of, conversation
from phonegate.pages.console.conversations.found_words import marked_words
from phonegate.pages.console.sending import senders
from phonegate.pages.console.visit import Route, Visit
from phonegate.pages.console.whole_numbers import whole

PAGE: Final = 50
"""Messages that a conversation shows at once."""

MOST_AGAIN: Final = 200
"""Messages that a script asks for at once, to show those again that it has."""

Json = Mapping[str, Any]


@attrs.frozen(kw_only=True)
class Shown:
    """Some messages of a conversation."""

    messages: Sequence[Json] = ()
    """As the API shows them, by ascending id."""
    older: bool = False
    newer: bool = False


# --- Reading -----------------------------------------------------------------------------------


async def show(visit: Visit) -> Response:
    """Shows a conversation beside the list, or a part of it for a script."""
    part = visit.query.get("part")
    if part == "bubbles":
        return await _more(visit)
    if part == "thread":
        live = await live_context(visit)
        return await visit.part(
            "console/parts/thread.html", **live, thread=await _thread(visit), **_drafted(visit)
        )
    return await thread_page(visit)


async def thread_page(
    visit: Visit, *, status: int = 200, refused: Refused | None = None, form: Json | None = None
) -> Response:
    """Shows a conversation beside the list, with what was refused beside the box."""
    live = await live_context(visit)
    return await visit.page(
        "console/conversations.html",
        status=status,
        **live,
        **await list_context(visit),
        thread=await _thread(visit),
        **_drafted(visit, refused, form),
    )


async def _more(visit: Visit) -> Response:
    """Shows bubbles alone: older ones, newer ones, or those again that are shown."""
    address = address_in(visit)
    before, since = (whole(visit.query.get(name)) for name in ("before", "since"))
    limit = PAGE if since is None else MOST_AGAIN
    shown = await _read(visit, address, before=before, since=since, limit=limit)
    return await visit.part(
        "console/parts/bubbles.html", bubbles=bubbles_of(visit, shown.messages), shown=shown
    )


async def _thread(visit: Visit) -> dict[str, Any]:
    """Returns what a conversation's side of a page is made from."""
    address, principal = address_in(visit), visit.principal
    one = await visit.services.conversations.one(principal, address, lambda found, _: found)
    at = whole(visit.query.get("at"))
    if one is None and not is_recipient(address):
        raise NotFound("There is no conversation with this party.")
    if at is not None:
        shown = await _around(visit, at)
    else:
        before, since = (whole(visit.query.get(name)) for name in ("before", "since"))
        shown = await _read(visit, address, before=before, since=since)
    search = visit.query.get("q", "")
    may_answer = visit.may("send") and is_recipient(address)
    choices = await senders.senders(visit) if may_answer else ()
    usual = senders.usual(shown.messages, choices)
    if usual is not None and usual not in choices:
        choices = [*choices, usual]
    return {
        "address": address,
        "path": conversation(address),
        "title": _title(address, one),
        "named": one is not None and one.name is not None,
        "bubbles": bubbles_of(visit, shown.messages),
        "shown": shown,
        "at": at,
        "marked": (lambda text: marked_words(text, search)) if at and search else None,
        "unread": 0 if one is None else one.unread,
        "upto": 0 if one is None else one.last.id,
        "may_answer": may_answer,
        "is_recipient": is_recipient(address),
        "choices": choices,
        "templates": (await visit.services.templates.of_org(visit.principal) if may_answer else ()),
        "usual": None if usual is None else usual.value,
        "most_text": visit.services.org_options.of(principal.org).max_characters,
    }


def _drafted(visit: Visit, refused: Refused | None = None, form: Json | None = None) -> Json:
    """Returns what stands in the box to answer in."""
    form = {} if form is None else form
    problems = getattr(refused, "problems", ())
    return {
        "draft": form.get("body", visit.query.get("text", "")),
        "key": form.get("key") or str(uuid4()),
        "sender": form.get("sender"),
        "send_at": form.get("send_at", ""),
        "problem": "" if refused is None else _sentence(refused),
        "wrong": {one.field for one in problems},
    }


def _sentence(refused: Refused) -> str:
    if isinstance(refused, CallRefused):
        reason = refused.content.get("reason")
        return f"{refused.detail}: {reason}" if reason else refused.detail
    return refused.detail


def address_in(visit: Visit) -> str:
    """Returns the party whose conversation is asked for."""
    return address_of(visit.path["address"])


def _title(address: str, one: ConversationView | None) -> str:
    return title_of(address, None if one is None else one.name)


async def _read(
    visit: Visit,
    address: str,
    *,
    before: int | None = None,
    since: int | None = None,
    limit: int = PAGE,
) -> Shown:
    services, org = visit.services, visit.principal.org
    query = PageQuery(address=address, limit=limit + 1, before_id=before, since_id=since)
    shown = as_json(visit)

    def show(views: Sequence[MessageView], known: KnownSims) -> list[Json]:
        return [shown(known, one) for one in views]

    async with services.shares.take(org, limit // 2):
        found = await services.messages.page(visit.principal, query, show)
    more = len(found) > limit
    if since is not None:
        return Shown(messages=found[:limit], older=True, newer=more)
    return Shown(messages=found[-limit:], older=more, newer=before is not None)


async def _around(visit: Visit, message_id: int) -> Shown:
    services, org = visit.services, visit.principal.org
    shown, address = as_json(visit), address_in(visit)

    def show(thread: Thread, known: KnownSims) -> Shown | None:
        if thread.address != address:
            return None
        return Shown(
            messages=[shown(known, one) for one in thread.messages],
            older=thread.older,
            newer=thread.newer,
        )

    async with services.shares.take(org, PAGE // 2):
        found = await services.conversations.around(visit.principal, message_id, show, limit=PAGE)
    if found is None:
        raise NotFound("There is no such message in this conversation.")
    return found


def as_json(visit: Visit) -> Callable[[KnownSims, Message | MessageView], Json]:
    """Returns what makes of a message its JSON, as the API shows it to this person."""
    online = visit.services.switchboard.online(visit.principal.org)
    media = media_of(visit.principal.org_name, visit.request, visit.services.public_url)
    return partial(_json, online, media)


def _json(
    online: Sequence[OnlinePhone], media: str, known: KnownSims, one: Message | MessageView
) -> Json:
    return vars(message_json(one, online, known, media=media))


def bubbles_of(visit: Visit, messages: Sequence[Json]) -> list[Bubble]:
    """Makes the bubbles of messages for this person."""
    may_send, only_key = visit.may("send"), own_key(visit.principal)
    return [bubble(one, may_send=may_send, only_key=only_key) for one in messages]


ROUTES: Final = (Route(path=f"{BASE}/<address>", scope="read", view=show),)

"""A conversation: its messages as bubbles, the box to answer in, and what can be done about each.

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
from phonegate.api.messages_types import MAX_BODY
from phonegate.api.presenters import message_json
from phonegate.domain.conversations import ConversationView, Thread
from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.message_access import KnownSims
from phonegate.domain.routing import parse_sim_selector
from phonegate.http.problem import Problem
from phonegate.model.messages import Message, MessageView, PageQuery
from phonegate.model.numbers import is_recipient
from phonegate.model.principal import Principal
from phonegate.model.refusals import BadInput, NotFound, Refused
from phonegate.pages.console import senders
from phonegate.pages.console.bubble_printer import BubblePrinter
from phonegate.pages.console.bubbles import Bubble, bubble
from phonegate.pages.console.conversation_list import (
    list_context,
    live_context,
    number_of,
    title_of,
)
from phonegate.pages.console.conversation_path import BASE, address_of, conversation
from phonegate.pages.console.found_words import marked_words
from phonegate.pages.console.local_moment import moment
from phonegate.pages.console.visit import Route, Visit

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
    return await _page(visit)


async def _page(
    visit: Visit, *, status: int = 200, refused: Refused | None = None, form: Json | None = None
) -> Response:
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
    address = _address(visit)
    before, since = (number_of(visit.query.get(name)) for name in ("before", "since"))
    limit = PAGE if since is None else MOST_AGAIN
    shown = await _read(visit, address, before=before, since=since, limit=limit)
    return await visit.part(
        "console/parts/bubbles.html", bubbles=_bubbles(visit, shown.messages), shown=shown
    )


async def _thread(visit: Visit) -> dict[str, Any]:
    """Returns what a conversation's side of a page is made from."""
    address, principal = _address(visit), visit.principal
    one = await visit.services.conversations.one(principal, address, lambda found, _: found)
    at = number_of(visit.query.get("at"))
    if one is None and not is_recipient(address):
        raise NotFound("There is no conversation with this party.")
    if at is not None:
        shown = await _around(visit, at)
    else:
        before, since = (number_of(visit.query.get(name)) for name in ("before", "since"))
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
        "bubbles": _bubbles(visit, shown.messages),
        "shown": shown,
        "at": at,
        "marked": (lambda text: marked_words(text, search)) if at and search else None,
        "unread": 0 if one is None else one.unread,
        "upto": 0 if one is None else one.last.id,
        "may_answer": may_answer,
        "is_recipient": is_recipient(address),
        "choices": choices,
        "usual": None if usual is None else usual.value,
        "most_text": MAX_BODY,
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


def _address(visit: Visit) -> str:
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
    as_json = _as_json(visit)

    def show(views: Sequence[MessageView], known: KnownSims) -> list[Json]:
        return [as_json(known, one) for one in views]

    async with services.shares.take(org, limit // 2):
        found = await services.messages.page(visit.principal, query, show)
    more = len(found) > limit
    if since is not None:
        return Shown(messages=found[:limit], older=True, newer=more)
    return Shown(messages=found[-limit:], older=more, newer=before is not None)


async def _around(visit: Visit, message_id: int) -> Shown:
    services, org = visit.services, visit.principal.org
    as_json, address = _as_json(visit), _address(visit)

    def show(thread: Thread, known: KnownSims) -> Shown | None:
        if thread.address != address:
            return None
        return Shown(
            messages=[as_json(known, one) for one in thread.messages],
            older=thread.older,
            newer=thread.newer,
        )

    async with services.shares.take(org, PAGE // 2):
        found = await services.conversations.around(
            visit.principal, message_id, show, limit=PAGE
        )
    if found is None:
        raise NotFound("There is no such message in this conversation.")
    return found


def _as_json(visit: Visit) -> Callable[[KnownSims, Message | MessageView], Json]:
    online = visit.services.switchboard.online(visit.principal.org)
    media = media_of(visit.principal.org_name, visit.request, visit.services.public_url)
    return partial(_json, online, media)


def _json(
    online: Sequence[OnlinePhone], media: str, known: KnownSims, one: Message | MessageView
) -> Json:
    return vars(message_json(one, online, known, media=media))


def _bubbles(visit: Visit, messages: Sequence[Json]) -> list[Bubble]:
    may_send, only_key = visit.may("send"), own_key(visit.principal)
    return [bubble(one, may_send=may_send, only_key=only_key) for one in messages]


def own_key(reader: Principal) -> str | None:
    """Returns the only API key whose messages a person may cancel. None: all."""
    return None if reader.limits is None else reader.key_id


# --- Acting ------------------------------------------------------------------------------------


async def answer(visit: Visit) -> Response:
    """Sends what stands in the box."""
    address, form = _address(visit), await visit.form()
    try:
        sent = await _send(
            visit,
            form.get("sender", senders.ANY),
            address,
            form.get("body", "").replace("\r\n", "\n"),
            moment(form.get("send_at", ""), form.get("offset", "")),
            form.get("key") or None,
        )
    except Refused as refused:
        if visit.by_script:
            raise
        status = refused.status if isinstance(refused, CallRefused) else Problem.of(refused).status
        return await _page(visit, status=status, refused=refused, form=form.to_dict())
    return await _sent(visit, address, sent)


async def again(visit: Visit) -> Response:
    """Sends a message again, as a new one. To ask for it twice sends one."""
    message = await _message(visit)
    if message["direction"] != "out":
        raise BadInput("Only a message that you sent can be sent again.")
    sender, body = senders.again(message), message["body"]
    key = f"again-{message['id']}"
    sent = await _send(visit, sender, message["address"], body, None, key)
    return await _sent(visit, message["address"], sent)


async def cancel(visit: Visit) -> Response:
    """Withdraws a message that still waits."""
    message = await _message(visit)
    made = await visit.call("cancel_message", path={"id": message["id"]})
    if visit.by_script:
        return visit.answer({"ok": True, "id": made["id"], "html": await _html(visit, made["id"])})
    return visit.go(conversation(message["address"]))


async def read(visit: Visit) -> Response:
    """Marks a conversation as read, or as unread."""
    address, form = _address(visit), await visit.form()
    conversations, principal = visit.services.conversations, visit.principal
    if form.get("unread"):
        await conversations.mark_unread(principal, address)
        return visit.go(BASE)
    upto = number_of(form.get("upto"))
    if upto is not None:
        await conversations.mark_read(principal, address, upto)
    if visit.by_script:
        return visit.answer({"ok": True, "unread": await conversations.unread(principal)})
    return visit.go(conversation(address))


async def estimate(visit: Visit) -> Response:
    """Answers when a message would leave, for a script."""
    sim = senders.sim_of(visit.query.get("sender", senders.ANY))
    segments = number_of(visit.query.get("segments")) or 1
    if sim is None:
        return visit.answer({"ok": True, "eta_s": 0})
    try:
        eta_s = await visit.services.sending.forecast(
            visit.principal.org, parse_sim_selector(sim or None), min(segments, MAX_BODY)
        )
    except Refused:
        eta_s = None
    return visit.answer({"ok": True, "eta_s": eta_s})


async def _message(visit: Visit) -> Json:
    answered = await visit.call("get_message", path={"id": visit.path["id"]})
    message: Json = answered["message"]
    return message


async def _send(
    visit: Visit, sender: str, to: str, body: str, send_at: str | None, key: str | None
) -> Json:
    """Sends a message. Returns its id, where that is known, and when it leaves."""
    endpoint, fields = senders.asked(sender, to, body, send_at)
    made = await visit.call(endpoint, body=fields, idempotency_key=key)
    if endpoint == "send_sms":
        result: Json = made["results"][0]
        return {"id": result["id"], "eta_s": result.get("eta_s")}
    # The answer has the carrier's own id.
    query = PageQuery(address=to, direction="out", limit=1)
    found = await visit.services.messages.page(
        visit.principal, query, lambda views, _: [one.id for one in views]
    )
    return {"id": found[0] if found else None, "eta_s": made.get("eta_s")}


async def _sent(visit: Visit, address: str, sent: Json) -> Response:
    if not visit.by_script:
        return visit.go(conversation(address))
    html = None if sent["id"] is None else await _html(visit, sent["id"])
    return visit.answer({"ok": True, **sent, "html": html})


async def _html(visit: Visit, message_id: int) -> str | None:
    as_json = _as_json(visit)
    found = await visit.services.messages.one(
        visit.principal, message_id, lambda one, known: as_json(known, one)
    )
    if found is None:
        return None
    return BubblePrinter(visit.prefix).print(_bubbles(visit, [found])[0])


ROUTES: Final = (
    Route(path=f"{BASE}/<address>", scope="read", view=show),
    Route(path=f"{BASE}/<address>/send", methods=("POST",), scope="send", view=answer),
    Route(path=f"{BASE}/<address>/read", methods=("POST",), scope="read", view=read),
    Route(path="/messages/<id>/again", methods=("POST",), scope="send", view=again),
    Route(path="/messages/<id>/cancel", methods=("POST",), scope="send", view=cancel),
    Route(path="/estimate", scope="send", view=estimate),
)

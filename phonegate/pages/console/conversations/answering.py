"""What can be done in a conversation: answer, send again, cancel, mark as read."""

from typing import Final

import attrs
from quart import Response

from phonegate.api.errors import answer_for
from phonegate.api.inner_calls import CallRefused
from phonegate.domain.routing import parse_sim_selector
from phonegate.model.bounds import MAX_SEGMENTS
from phonegate.model.refusals import BadInput, Refused
from phonegate.pages.console.conversations.bubble_printer import BubblePrinter
from phonegate.pages.console.conversations.conversation_path import BASE, conversation
from phonegate.pages.console.conversations.thread import (
    Json,
    address_in,
    as_json,
    bubbles_of,
    thread_page,
)
from phonegate.pages.console.local_moment import moment
from phonegate.pages.console.sending import senders
from phonegate.pages.console.visit import Route, Visit
from phonegate.pages.console.whole_numbers import whole

MOST_ESTIMATED: Final = 1_000
"""Messages whose leaving is simulated as one types."""


@attrs.frozen(kw_only=True)
class Written:
    """A message as a person asks for it."""

    sender: str
    """The choice by which it is sent, see `senders`."""
    to: str = attrs.field(repr=False)
    body: str = attrs.field(repr=False)
    send_at: str | None = None
    key: str | None = None
    """Under it, it is sent once, however often it is asked for."""


async def answer(visit: Visit) -> Response:
    """Sends what stands in the box."""
    address, form = address_in(visit), await visit.form()
    written = Written(
        sender=form.get("sender", senders.ANY),
        to=address,
        body=form.get("body", "").replace("\r\n", "\n"),
        send_at=moment(form.get("send_at", ""), form.get("offset", "")),
        key=form.get("key") or None,
    )
    try:
        sent = await _send(visit, written)
    except Refused as refused:
        if visit.by_script:
            raise
        status = refused.status if isinstance(refused, CallRefused) else answer_for(refused).status
        return await thread_page(visit, status=status, refused=refused, form=form.to_dict())
    return await _sent(visit, address, sent)


async def again(visit: Visit) -> Response:
    """Sends a message again, as a new one. To ask for it twice sends one."""
    message = await _message(visit)
    if message["direction"] != "out":
        raise BadInput("Only a message that you sent can be sent again.")
    written = Written(
        sender=senders.again(message),
        to=message["address"],
        body=message["body"],
        key=f"again-{message['id']}",
    )
    sent = await _send(visit, written)
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
    address, form = address_in(visit), await visit.form()
    conversations, principal = visit.services.conversations, visit.principal
    if form.get("unread"):
        await conversations.mark_unread(principal, address)
        return visit.go(BASE)
    upto = whole(form.get("upto"))
    if upto is not None:
        await conversations.mark_read(principal, address, upto)
    if visit.by_script:
        return visit.answer({"ok": True, "unread": await conversations.unread(principal)})
    return visit.go(conversation(address))


async def estimate(visit: Visit) -> Response:
    """Answers when a message would leave, or the last of several, for a script."""
    sim = senders.sim_of(visit.query.get("sender", senders.ANY))
    segments = whole(visit.query.get("segments")) or 1
    count = whole(visit.query.get("count")) or 1
    if sim is None:
        return visit.answer({"ok": True, "eta_s": 0})
    try:
        eta_s = await visit.services.sending.forecast(
            visit.principal.org,
            parse_sim_selector(sim or None),
            *[min(segments, MAX_SEGMENTS)] * min(count, MOST_ESTIMATED),
        )
    except Refused:
        eta_s = None
    return visit.answer({"ok": True, "eta_s": eta_s})


async def _message(visit: Visit) -> Json:
    answered = await visit.call("get_message", path={"id": visit.path["id"]})
    message: Json = answered["message"]
    return message


async def _send(visit: Visit, written: Written) -> Json:
    """Sends a message. Returns its id, where that is known, and when it leaves."""
    endpoint, fields = senders.asked(written.sender, written.to, written.body, written.send_at)
    made = await visit.call(endpoint, body=fields, idempotency_key=written.key)
    if endpoint == "send_sms":
        result: Json = made["results"][0]
        return {"id": result["id"], "eta_s": result.get("eta_s")}
    named = str(made["message_id"])  # by the carrier, as a rule
    found = await visit.services.batches.message_of(visit.principal, named)
    return {"id": found, "eta_s": made.get("eta_s")}


async def _sent(visit: Visit, address: str, sent: Json) -> Response:
    if not visit.by_script:
        return visit.go(conversation(address))
    html = None if sent["id"] is None else await _html(visit, sent["id"])
    return visit.answer({"ok": True, **sent, "html": html})


async def _html(visit: Visit, message_id: int) -> str | None:
    shown = as_json(visit)
    found = await visit.services.messages.one(
        visit.principal, message_id, lambda one, known: shown(known, one)
    )
    if found is None:
        return None
    return BubblePrinter(visit.prefix).print(bubbles_of(visit, [found])[0])


ROUTES: Final = (
    Route(path=f"{BASE}/<address>/send", methods=("POST",), scope="send", view=answer),
    Route(path=f"{BASE}/<address>/read", methods=("POST",), scope="read", view=read),
    Route(path="/messages/<id>/again", methods=("POST",), scope="send", view=again),
    Route(path="/messages/<id>/cancel", methods=("POST",), scope="send", view=cancel),
    Route(path="/estimate", scope="send", view=estimate),
)

"""Twilio's Messages: listed, read, cancelled, redacted and deleted."""

import json
from functools import partial
from typing import Any, Final

import attrs

from phonegate.api.convert import refusal
from phonegate.api.dialects.twilio import resources
from phonegate.api.dialects.twilio.account import (
    SUFFIX,
    require_account,
    sid_of,
    written,
)
from phonegate.api.dialects.twilio.fields import (
    TwilioFeedback,
    TwilioMessageChange,
    TwilioMessageList,
)
from phonegate.api.dialects.twilio.paging import Place, message_before, page, token_before
from phonegate.api.endpoint import Answer, Call
from phonegate.api.messages_types import MAX_AHEAD_MS
from phonegate.api.query import parse_query
from phonegate.domain.authentication import require_scope
from phonegate.domain.message_access import KnownSims, Newest
from phonegate.http.problem import JSON_MEDIA
from phonegate.model.messages import Message, MessageView, PageQuery
from phonegate.model.phones import number_form
from phonegate.model.principal import allows
from phonegate.model.refusals import FieldProblem, NotFound
from phonegate.model.times import DAY_MS, MAX_TIME_MS
from phonegate.model.twilio_ids import message_of

LOOKED_AT: Final = 1_000
"""Messages among which those of a time are looked for, for one page. Where few fit, a page has few
and names the one that follows."""


NO_MESSAGE: Final = "No message has such an id."

FILTERS: Final = frozenset({"To", "From", "DateSent", "DateSent<", "DateSent>"})
"""The parameters that the page which follows has too."""


# -- reading


async def messages(call: Call) -> Answer:
    """Lists messages, the newest first."""
    org = require_account(call)
    asked: TwilioMessageList = call.body
    before = _before(asked)
    first, last = _span(asked)
    if last < MAX_TIME_MS:
        # Nothing is sent before it is stored.
        bound = await call.services.messages.first_stored(last + 1)
        before = bound if before is None else min(before, bound)
    dated = first > 0 or last < MAX_TIME_MS
    limit = max(asked.PageSize, LOOKED_AT) if dated else asked.PageSize
    place = Place(
        path=f"{resources.account_uri(org)}/Messages{SUFFIX}",
        filters=_filters(call),
        number=asked.Page,
        size=asked.PageSize,
    )
    show = partial(_show_page, org, place, first, last)
    queries = _queries(asked, PageQuery(limit=limit, before_id=before))
    content = await call.services.messages.newest(call.caller, queries, show)
    return Answer(content=content, media=JSON_MEDIA)


def _before(asked: TwilioMessageList) -> int | None:
    """Returns the message that the page comes before."""
    if asked.PageToken is None:
        if asked.Page:
            raise refusal((FieldProblem("Page", "needs the PageToken that next_page_uri has"),))
        return None
    found = message_before(asked.PageToken)
    if found is None:
        raise refusal((FieldProblem("PageToken", "is none that next_page_uri has"),))
    return found


def _span(asked: TwilioMessageList) -> tuple[int, int]:
    """Returns from when to when the messages were sent, in ms."""
    first, last = 0, MAX_TIME_MS
    if asked.DateSent is not None:
        # The libraries write a day as its first second.
        first = asked.DateSent.first // DAY_MS * DAY_MS
        last = first + DAY_MS - 1
    if asked.DateSentAfter is not None:
        first = max(first, asked.DateSentAfter.first)
    if asked.DateSentBefore is not None:
        last = min(last, asked.DateSentBefore.last)
    return first, last


def _queries(asked: TwilioMessageList, any_: PageQuery) -> list[PageQuery]:
    """Returns what is to be read: a number may be a party's or one of the org's own."""
    if asked.To is None and asked.From is None:
        return [any_]
    own_from = None if asked.From is None else number_form(asked.From)
    own_to = None if asked.To is None else number_form(asked.To)
    return [
        attrs.evolve(any_, direction="out", address=asked.To, sim=own_from),
        attrs.evolve(any_, direction="in", address=asked.From, sim=own_to),
    ]


def _filters(call: Call) -> list[tuple[str, str]]:
    """Returns the filters of a list, as they stood in its query."""
    return [
        (name, value)
        for name, values in parse_query(call.request.query, strict=False).items()
        if name in FILTERS
        for value in values
    ]


def _show_page(org: int, place: Place, first: int, last: int, newest: Newest) -> bytes:
    """Makes the JSON of a page, in the thread that has read it."""
    shown: list[dict[str, Any]] = []
    seen: MessageView | None = None
    for one in newest.messages:
        if len(shown) == place.size:
            break
        seen = one
        at = resources.sent_at(one) or one.created_at
        if first <= at <= last:
            shown.append(resources.message(one, org))
    is_last = newest.are_all and (seen is None or seen is newest.messages[-1])
    # What is held leaves within a year, so that nothing older can have been sent since then.
    is_last = is_last or seen is None or seen.created_at < first - MAX_AHEAD_MS
    following = None if is_last or seen is None else token_before(seen.id)
    return json.dumps(page("messages", shown, place, following)).encode()


async def message(call: Call) -> Answer:
    """Reads one message."""
    org = require_account(call)
    return written(await _read(call, org, _message_id(call)))


async def _read(call: Call, org: int, message_id: int) -> dict[str, Any]:
    def show(found: Message, _: KnownSims) -> dict[str, Any]:
        return resources.message(found, org)

    found = await call.services.messages.one(call.caller, message_id, show)
    if found is None:
        raise NotFound(f"No message {message_id} in this org.")
    return found


def _message_id(call: Call) -> int:
    found = message_of(sid_of(call))
    if found is None:
        raise NotFound(NO_MESSAGE)
    return found


# -- changing


async def update(call: Call) -> Answer:
    """Cancels a message, or takes its text away."""
    org, message_id = require_account(call), _message_id(call)
    asked: TwilioMessageChange = call.body
    if any(asked.Body or ()):
        raise refusal((FieldProblem("Body", "can be emptied, and nothing else"),))
    if asked.Body:
        require_scope(call.caller, "manage")
    changed: Message | None = None
    if asked.Status is not None:
        changed = await call.services.withdrawal.cancel(call.caller, message_id)
    if asked.Body:
        changed = await call.services.message_erasure.redact(call.caller, message_id)
    if changed is not None and not allows(call.caller.scopes, "read"):
        return written(_without_secrets(changed, org))
    require_scope(call.caller, "read")
    return written(await _read(call, org, message_id))


def _without_secrets(found: Message, org: int) -> dict[str, Any]:
    """Returns a message for one who may change it, and read none."""
    return {**resources.message(found, org, body=""), "to": "", "from": None}


async def delete(call: Call) -> Answer:
    """Deletes a finished message."""
    require_account(call)
    await call.services.message_erasure.delete(call.caller, _message_id(call))
    return Answer(status=204)


async def feedback(call: Call) -> Answer:
    """Takes what a client says of a message's success."""
    org, message_id = require_account(call), _message_id(call)
    asked: TwilioFeedback = call.body
    await _read(call, org, message_id)
    now = call.services.now_ms()
    return written(resources.feedback(message_id, org, asked.Outcome, now), 201)

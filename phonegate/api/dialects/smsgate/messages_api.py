"""Messages by the third-party API of SMS Gateway for Android: sent, listed, shown and cancelled."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final
from urllib.parse import quote

from phonegate.api.convert import refusal
from phonegate.api.dialects.sending import recipients, send
from phonegate.api.dialects.smsgate.dialect import (
    DIALECT,
    endpoints,
    no_device,
    phone_of,
    shown,
)
from phonegate.api.dialects.smsgate.forms import SmsgateListMessages, SmsgateNewMessage
from phonegate.api.dialects.smsgate.wording import accepted, message, statuses_of
from phonegate.api.dialects.wanted import SENDING_CODES, Accepted, Wanted
from phonegate.api.endpoint import Answer, Call
from phonegate.domain.dialect_tokens import random_id
from phonegate.domain.managed_phones import ManagedPhones
from phonegate.model.messages import ListQuery
from phonegate.model.principal import allows
from phonegate.model.refusals import BadInput, Conflict, FieldProblem, NotFound
from phonegate.model.states import QUEUED, SENDING

ACCEPTED: Final = 202

TOTAL: Final = "X-Total-Count"

MOST_LISTED: Final = 100
"""Messages of a page. One who asks for more gets so many, as by the API's own server."""

FIELDS: Final = ("phoneNumbers", "textMessage.text")


async def post(call: Call) -> Answer:
    """Accepts a message to one or several numbers."""
    body: SmsgateNewMessage = call.body
    text, ttl_s = _content(body), _ttl_s(body, call.services.now_ms())
    numbers = await recipients(call, body.phoneNumbers, FIELDS[0])
    device = phone_of(body.deviceId)
    sender, slot = await _sim(call, device, body.simNumber or None)
    client_id = body.id or random_id()
    wanted = [
        Wanted(
            to=number,
            body=text,
            sender=sender,
            slot=slot,
            send_at=body.scheduleAt,
            ttl_s=ttl_s,
            priority=body.priority or 0,
            client_id=client_id,
        )
        for number in numbers
    ]
    place = quote(client_id, safe="")
    location = f"{call.request.prefix}{call.request.path.rstrip('/')}/{place}"
    now = call.services.now_ms()

    def render(found: Sequence[Accepted]) -> Answer:
        sent = [(one.to, one.status, one.error) for one in found]
        answer = accepted(client_id, body.deviceId or "", sent, now)
        return shown(answer, status=ACCEPTED, headers=(("Location", location),))

    async with AsyncExitStack() as stack:
        if body.id:
            taking = call.services.client_messages.taking(call.caller.org, client_id)
            await stack.enter_async_context(taking)
        return await send(DIALECT, call, wanted, render, fields=FIELDS)


async def show_all(call: Call) -> Answer:
    """Lists messages, the newest first."""
    asked: SmsgateListMessages = call.body
    found = await call.services.client_messages.sent(
        call.caller,
        ListQuery(
            outbound=True,
            since=asked.from_,
            until=asked.to,
            statuses=() if asked.state is None else statuses_of(asked.state),
            phone=phone_of(asked.deviceId),
            ascending=not asked.sort.startswith("-"),
            limit=min(asked.limit, MOST_LISTED),
            offset=asked.offset,
        ),
    )
    shown_all = [message(group, content=asked.includeContent) for group in found.groups]
    return shown(shown_all, headers=((TOTAL, str(found.total)),))


async def show_one(call: Call) -> Answer:
    """Shows a message with its text."""
    group = await call.services.client_messages.one(call.caller, call.path["id"])
    return shown(message(group, content=True))


async def cancel(call: Call) -> Answer:
    """Withdraws a message that has not left yet, from those recipients that it has not gone to."""
    services, client_id = call.services, call.path["id"]
    cancelled = False
    for one in await services.client_messages.one(call.caller, client_id):
        if one.status not in {QUEUED, SENDING}:
            continue
        try:
            await services.withdrawal.cancel(call.caller, one.id)
        except (Conflict, NotFound):
            continue  # it has left meanwhile
        cancelled = True
    if not cancelled:
        raise Conflict("Message is not pending.")
    group = await services.client_messages.one(call.caller, client_id)
    cancelled_one = message(group, content=False)
    if not allows(call.caller.scopes, "read"):
        # Who may cancel it by its id need not know whom it was for.
        bare = [{"phoneNumber": "", "state": one["state"]} for one in cancelled_one["recipients"]]
        cancelled_one["recipients"] = bare
    return shown(cancelled_one)


def _content(body: SmsgateNewMessage) -> str:
    """Returns the text of a message.

    Raises:
        BadInput: It has none, several, or something else.
    """
    problems = []
    for name, problem in (
        ("dataMessage", "can't be sent: no phone of the gateway sends data SMS"),
        ("mmsMessage", "can't be sent here: use POST /sms/send, with media_urls"),
    ):
        if getattr(body, name) is not None:
            problems.append(FieldProblem(name, problem))
    if body.isEncrypted:
        problem = "can't be: the gateway has no passphrase, and sends texts as they are"
        problems.append(FieldProblem("isEncrypted", problem))
    if not problems and (body.textMessage is None) == (body.message is None):
        problem = "is required" if body.message is None else "can't stand beside message"
        problems.append(FieldProblem("textMessage", problem))
    if problems:
        raise refusal(tuple(problems))
    return body.textMessage.text if body.textMessage is not None else body.message or ""


def _ttl_s(body: SmsgateNewMessage, now: int) -> int | None:
    """Returns for how many seconds a message may leave, from its time to be sent on.

    Raises:
        BadInput: It has two ends, or one that is past.
    """
    if not body.ttl and body.validUntil is None:
        return None
    if body.validUntil is None:
        return body.ttl
    if body.ttl:
        raise _wrong("validUntil", "can't stand beside ttl")
    begins = now if body.scheduleAt is None else max(now, body.scheduleAt)
    left = (body.validUntil - begins) // 1000
    if left < 1:
        past = "is past" if body.validUntil <= now else "is before scheduleAt"
        raise _wrong("validUntil", past)
    return left


async def _sim(call: Call, device: int | None, number: int | None) -> tuple[str | None, int | None]:
    """Finds the SIM of a message.

    Args:
        call: The request.
        device: The phone that is to send it, if it must be a certain one.
        number: Which SIM of it, counted from 1.

    Returns:
        The number of the SIM, or else its slot. Neither where any SIM may send it.

    Raises:
        BadInput: There is no such phone or SIM, or it can't be chosen.
    """
    slot = None if number is None else number - 1
    if device is None:
        return None, slot

    def look(found: ManagedPhones) -> ManagedPhones:
        return found

    phones = (await call.services.phones.show(call.caller.org, look)).phones
    phone = next((one for one in phones if one.row.id == device), None)
    if phone is None:
        raise no_device()
    sims = [sim for sim in phone.sims if slot is None or sim.slot == slot]
    if slot is not None and phone.sims and not sims:
        raise _wrong("simNumber", "is that of no SIM of this phone")
    named = next((sim.number for sim in sims if sim.number is not None), None)
    if named is not None:
        return named, None
    if len(phones) == 1:
        return None, slot
    raise _wrong("deviceId", "can't be chosen, since no number of its SIMs is known: name one")


def _wrong(field: str, problem: str) -> BadInput:
    return refusal((FieldProblem(field, problem),))


_LISTS: Final = ("/messages", "/message")
_ONES: Final = ("/messages/{id}", "/message/{id}")

ENDPOINTS: Final = (
    *endpoints(
        "send",
        "POST",
        _LISTS,
        post,
        "Send a message",
        scope="send",
        grant="messages:send",
        body=SmsgateNewMessage,
        statuses=(ACCEPTED,),
        error_codes=SENDING_CODES,
        idempotent=True,
        sends=True,
    ),
    *endpoints(
        "list_messages",
        "GET",
        _LISTS,
        show_all,
        "List messages",
        scope="read",
        grant="messages:list",
        given=SmsgateListMessages,
        lists=True,
    ),
    *endpoints(
        "get_message",
        "GET",
        _ONES,
        show_one,
        "Show a message",
        scope="read",
        grant="messages:read",
        error_codes=("not_found",),
    ),
    *endpoints(
        "cancel_message",
        "DELETE",
        _ONES,
        cancel,
        "Cancel a message",
        scope="send",
        grant="messages:cancel",
        error_codes=("not_found", "conflict"),
    ),
)

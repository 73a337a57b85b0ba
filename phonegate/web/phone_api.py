"""The phone gateway's face: the seed's routes, and those that the design adds to them."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Final, Literal

import attrs

from phonegate.domain import inbox
from phonegate.domain.errors import FieldProblem, NotFound, UnknownSim
from phonegate.domain.inbox import Received
from phonegate.domain.routing import SLOT_DIGITS
from phonegate.domain.sending import Keep, Outgoing, SendOutcome
from phonegate.domain.states import STATES
from phonegate.store.records import ANY_SIM, Message, PageQuery
from phonegate.store.tables import Tables
from phonegate.web import phone_examples
from phonegate.web.convert import CONVERTER, refusal
from phonegate.web.endpoint import Answer, Call, Endpoint
from phonegate.web.errors import FieldsRefused
from phonegate.web.fields import (
    MAX_ID,
    MAX_TIME_MS,
    LocalId,
    Moment,
    OneOf,
    Recipient,
    Sender,
    Several,
    SimWish,
    Text,
    Whole,
    Wrong,
    field,
)
from phonegate.web.idempotency_key import once
from phonegate.web.presenters import MessageJson, SimJson, message_json, sim_json

MAX_MESSAGES: Final = 500
"""Messages in one call: what the default body limit holds as plain text."""

MAX_BODY: Final = 1600
"""Characters of an outbound text: the limit of the carriers' own APIs, so that every provider
can take what a phone can."""

MAX_RECEIVED: Final = 65_536
"""Characters of a received text: above the 39,015 of 255 parts (3GPP TS 23.040, 9.2.3.24.1)."""

MAX_SLOT: Final = 10**SLOT_DIGITS - 1
"""The highest slot that `sim` can name; a phone that knows no slot leaves the field out."""

MAX_TTL_S: Final = 30 * 24 * 60 * 60
"""A text that is worth sending a month late does not need an end."""

MAX_AHEAD_MS: Final = 365 * 24 * 60 * 60 * 1000
"""Beyond a year, a time to send at is more likely a slip in its unit."""

MAX_PAGE: Final = 1000
DEFAULT_PAGE: Final = 100

_SECRET = "The org's SecretKey, where it is not sent in X-Secret-Key."  # noqa: S105 - a description


# --- What goes in -----------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class ReceivedSms:
    """An SMS that a phone received."""

    address: Annotated[str, Sender()] = field("Who sent it.", example="+15551112222")
    body: Annotated[str, Text(0, MAX_RECEIVED)] = field("Its text.", example="hello", private=True)
    date: Annotated[int, Whole(0, MAX_TIME_MS)] | None = field(
        "When, by the phone's clock, in ms since 1970.", default=None, example=1700000000000
    )
    sim_slot: Annotated[int, Whole(0, MAX_SLOT)] | None = field(
        "The receiving SIM's slot.", default=None, example=0
    )
    sim: Annotated[str, Text(1, 64)] | None = field("The receiving SIM's number.", default=None)
    id: Annotated[str, LocalId()] | None = field(
        "The phone's own id of it, text or integer; tells equal texts apart.",
        default=None,
        example="123",
    )


@attrs.frozen(kw_only=True)
class Webhook:
    """Received SMS that a phone pushes."""

    org_id: Annotated[str, Text(0, 200)] | None = field(
        "The OrgId; an API key makes it unnecessary.", default=None, example="myorg"
    )
    secret_key: Annotated[str, Text(0, 400)] | None = field(
        _SECRET, default=None, example="my-secret-key-123", private=True
    )
    device_id: Annotated[str, Text(1, 200)] | None = field(
        "The phone's own name, the same in every call.", default=None
    )
    messages: Annotated[tuple[ReceivedSms, ...], Several(1, MAX_MESSAGES)] = field(
        "The messages, oldest first."
    )


@attrs.frozen(kw_only=True)
class SendItem:
    """One message of a batch; what it leaves out is taken from the call."""

    to: Annotated[str, Recipient()] = field(
        "The recipient's number (E.164) or short code.", example="+15553334444"
    )
    body: Annotated[str, Text(1, MAX_BODY)] = field("The text.", example="a", private=True)
    sim: Annotated[str, SimWish()] | None = field(
        "The SIM's number or slot index; omit for the first phone.",
        default=None,
        example="+15551112222",
    )
    ttl: Annotated[int, Whole(1, MAX_TTL_S)] | None = field(
        "Seconds to try before it is given up as expired; up to 30 days.", default=None
    )
    send_at: Annotated[int, Moment()] | None = field(
        "Not before this time: ISO 8601 with an offset, or seconds or milliseconds since 1970 "
        "(from 100000000000 on they are milliseconds); at most a year ahead. A past time sends "
        "now.",
        default=None,
        example="2030-01-31T08:00:00Z",
    )
    priority: Annotated[int, Whole(-128, 127)] | None = field(
        "Higher ones leave first; 0 without.", default=None, example=0
    )
    on_uncertain: Annotated[Literal["hold", "resend"], OneOf(("hold", "resend"))] | None = field(
        "If a phone took it and vanished: hold it as uncertain, or resend it, which may send it "
        "twice.",
        default=None,
    )


@attrs.frozen(kw_only=True)
class Send:
    """One message, or a batch of them in `messages` with options for all beside it."""

    secret_key: Annotated[str, Text(0, 400)] | None = field(
        _SECRET, default=None, example="my-secret-key-123", private=True
    )
    to: Annotated[str, Recipient()] | None = field(
        "The recipient's number (E.164) or short code.", default=None, example="+15553334444"
    )
    body: Annotated[str, Text(1, MAX_BODY)] | None = field(
        "The text.", default=None, example="sent from the API", private=True
    )
    messages: Annotated[tuple[SendItem, ...], Several(1, MAX_MESSAGES)] | None = field(
        "Several messages, instead of to and body: all are accepted, or none.", default=None
    )
    sim: Annotated[str, SimWish()] | None = field(
        "The SIM's number or slot index; omit for the first phone.",
        default=None,
        example="+15551112222",
    )
    ttl: Annotated[int, Whole(1, MAX_TTL_S)] | None = field(
        "Seconds to try before it is given up as expired; up to 30 days.", default=None
    )
    send_at: Annotated[int, Moment()] | None = field(
        "Not before this time, as in a batch's item.", default=None
    )
    priority: Annotated[int, Whole(-128, 127)] | None = field(
        "Higher ones leave first; 0 without.", default=None
    )
    on_uncertain: Annotated[Literal["hold", "resend"], OneOf(("hold", "resend"))] | None = field(
        "hold or resend, as in a batch's item.", default=None
    )


@attrs.frozen(kw_only=True)
class MessagesQuery:
    """Which messages to read."""

    limit: Annotated[int, Whole(1, MAX_PAGE)] = field(
        "At most so many.", default=DEFAULT_PAGE, example=100
    )
    since_id: Annotated[int, Whole(0, MAX_ID)] | None = field(
        "The first ones after this id; without, the newest.", default=None, example=0
    )
    before_id: Annotated[int, Whole(1, MAX_ID)] | None = field(
        "The newest ones before this id.", default=None
    )
    direction: Annotated[Literal["in", "out"], OneOf(("in", "out"))] | None = field(
        "Only received ones (in) or sent ones (out).", default=None
    )
    sim: Annotated[str, SimWish()] | None = field(
        "Only those of this SIM, by number or slot index.", default=None, example="+15551112222"
    )
    status: Annotated[str, OneOf(STATES)] | None = field("Only those in this state.", default=None)
    address: Annotated[str, Sender()] | None = field(
        "Only those from or to this number or name.", default=None, private=True
    )
    q: Annotated[str, Text(1, 200)] | None = field(
        "Only those whose text has all these words; the last may be the beginning of one.",
        default=None,
        private=True,
    )


# --- What comes out ---------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class WebhookAnswer:
    """What became of pushed messages."""

    ok: bool = field("Always true.", default=True)
    org_id: str = field("The org that has them now.", example="myorg")
    stored: int = field("New ones, stored for good.", example=1)
    duplicates: int | None = field(
        "Repeats of earlier ones, if there were any.", default=None, omit=True
    )


@attrs.frozen(kw_only=True)
class SendResult:
    """One accepted message."""

    id: int = field("Its ticket: see it in /messages.", example=5)
    to: str = field("The recipient.", example="+15553334444")
    status: str = field("queued, or sending when a phone was given it.", example="sending")
    eta_s: int | None = field("Seconds it will wait for its SIM's pacing.", default=None, omit=True)


@attrs.frozen(kw_only=True)
class SendAnswer:
    """What became of messages to send: all are stored."""

    ok: bool = field("Always true.", default=True)
    device_online: bool = field("Whether a phone of the org is connected.")
    queued: int = field("Messages accepted.", example=1)
    results: tuple[SendResult, ...] = field("One for each message, in order.")


@attrs.frozen(kw_only=True)
class MessagesAnswer:
    """A page of messages."""

    org_id: str = field("The org.", example="myorg")
    count: int = field("Messages in this answer.", example=1)
    messages: tuple[MessageJson, ...] = field("By ascending id.")


@attrs.frozen(kw_only=True)
class MessageAnswer:
    """One message."""

    org_id: str = field("The org.", example="myorg")
    message: MessageJson = field("The message.")  # noqa: RUF009 - field() makes an attribute


@attrs.frozen(kw_only=True)
class CancelAnswer:
    """What became of a withdrawal."""

    ok: bool = field("Always true.", default=True)
    id: int = field("The message.", example=5)
    status: str = field("cancelled; or sending while the phone is asked.", example="cancelled")


@attrs.frozen(kw_only=True)
class SimsAnswer:
    """The SIMs of an org."""

    online_devices: int = field("Phones connected now.", example=1)
    live_sims: tuple[SimJson, ...] = field("SIMs of the phones that are connected.")
    known_sims: tuple[SimJson, ...] = field("Every SIM a phone has reported, online or not.")


# --- What happens -----------------------------------------------------------------------------


async def receive(call: Call) -> Answer:
    """Stores what a phone pushes; answered after the commit."""
    body: Webhook = call.body
    caller, now = call.caller, call.services.now_ms()
    items = [
        Received(
            address=sms.address,
            body=sms.body,
            date=sms.date,
            sim_slot=sms.sim_slot,
            sim=sms.sim,
            local_id=sms.id,
        )
        for sms in body.messages
    ]

    def store(tx: Tables) -> inbox.Receipt:
        return inbox.receive(tx, caller.org, items, phone=None, device_id=body.device_id, now=now)

    receipt = await call.services.database.write(store)
    return Answer(
        content=WebhookAnswer(
            org_id=caller.org_name,
            stored=receipt.stored,
            duplicates=receipt.duplicates or None,
        )
    )


async def send(call: Call) -> Answer:
    """Accepts messages to send, all or none, under the Idempotency-Key if there is one."""
    items = _outgoing(call.body, call.services.now_ms())
    org, sending = call.caller.org, call.services.sending

    async def accept(keep: Keep | None) -> SendOutcome:
        try:
            return await sending.send(org, items, keep=keep)
        except UnknownSim as error:
            fields = _fields_of_sim(call.body, items, error.wish)
            problem = f"is none of the org's SIMs: {', '.join(error.known)}"
            raise FieldsRefused(error, [FieldProblem(f, problem) for f in fields]) from None

    return await once(call, "send", items, accept, _render)


async def messages(call: Call) -> Answer:
    """A page of the org's messages."""
    query: MessagesQuery = call.query
    caller = call.caller
    page = PageQuery(
        limit=query.limit,
        since_id=query.since_id,
        before_id=query.before_id,
        direction=query.direction,
        status=query.status,
        address=query.address,
        sim=query.sim or None,
        search=query.q,
    )
    found = await call.services.database.read(lambda tx: tx.messages.page(caller.org, page))
    online = call.services.switchboard.online(caller.org)
    shown = tuple(message_json(message, online) for message in found)
    return Answer(content=MessagesAnswer(org_id=caller.org_name, count=len(shown), messages=shown))


async def message(call: Call) -> Answer:
    """One message by its id."""
    caller, message_id = call.caller, _message_id(call)
    found: Message | None = await call.services.database.read(
        lambda tx: tx.messages.find(caller.org, message_id)
    )
    if found is None:
        raise NotFound(f"No message {message_id} in this org.")
    online = call.services.switchboard.online(caller.org)
    return Answer(
        content=MessageAnswer(org_id=caller.org_name, message=message_json(found, online))
    )


async def cancel(call: Call) -> Answer:
    """Withdraws a message; 202 when the phone that holds it was asked to drop it."""
    found = await call.services.sending.cancel(call.caller.org, _message_id(call))
    return Answer(
        status=200 if found.status == "cancelled" else 202,
        content=CancelAnswer(id=found.id, status=found.status),
    )


async def sims(call: Call) -> Answer:
    """The SIMs that are online, and all that are known."""
    org = call.caller.org
    online = call.services.switchboard.online(org)
    known = await call.services.database.read(lambda tx: tx.phones.known_sims(org))
    return Answer(
        content=SimsAnswer(
            online_devices=len(online),
            live_sims=tuple(sim_json(sim) for phone in online for sim in phone.sims),
            known_sims=tuple(sim_json(sim) for sim in known),
        )
    )


def _outgoing(body: Send, now: int) -> list[Outgoing]:
    """The messages of a send, each with its own options or else the call's.

    Raises:
        BadInput: neither or both forms were used, or a time lies too far ahead.
    """
    problems = []
    if body.messages is None:
        problems += [
            FieldProblem(name, "is required, or else messages")
            for name, value in (("to", body.to), ("body", body.body))
            if value is None
        ]
    else:
        problems += [
            FieldProblem(name, "can't stand beside messages")
            for name, value in (("to", body.to), ("body", body.body))
            if value is not None
        ]
    for at, options in _options(body):
        if options.send_at is not None and options.send_at > now + MAX_AHEAD_MS:
            problems.append(FieldProblem(f"{at}send_at", "is more than a year ahead"))
    if problems:
        raise refusal(tuple(problems))
    if body.messages is None:
        single = SendItem(to=body.to or "", body=body.body or "")
        return [_with_options(single, body)]
    return [_with_options(item, body) for item in body.messages]


def _options(body: Send) -> Iterator[tuple[str, Send | SendItem]]:
    """Every place where options stand, with the beginning of its fields' names."""
    yield "", body
    for at, item in enumerate(body.messages or ()):
        yield f"messages[{at}].", item


def _with_options(item: SendItem, call: Send) -> Outgoing:
    priority = item.priority if item.priority is not None else call.priority
    wish = item.sim if item.sim is not None else call.sim
    return Outgoing(
        to=item.to,
        body=item.body,
        wish=ANY_SIM if wish is None else wish,
        ttl_s=item.ttl if item.ttl is not None else call.ttl,
        send_at=item.send_at if item.send_at is not None else call.send_at,
        priority=0 if priority is None else priority,
        on_uncertain=item.on_uncertain or call.on_uncertain,
    )


def _fields_of_sim(body: Send, items: Sequence[Outgoing], wish: str) -> list[str]:
    """The fields that named a SIM which the org does not have."""
    if body.sim == wish:
        return ["sim"]
    return [f"messages[{at}].sim" for at, item in enumerate(items) if item.wish == wish]


def _render(outcome: SendOutcome) -> tuple[int, bytes]:
    results = tuple(
        SendResult(id=sent.id, to=sent.to, status=sent.status, eta_s=sent.eta_s)
        for sent in outcome.results
    )
    answer = SendAnswer(device_online=outcome.device_online, queued=len(results), results=results)
    return 200, CONVERTER.encode(answer)


def _message_id(call: Call) -> int:
    try:
        return Whole(1, MAX_ID).read_text(call.path["id"])
    except Wrong as error:
        raise refusal((FieldProblem("id", str(error)),)) from None


# --- The table's part -------------------------------------------------------------------------

ENDPOINTS: Final = (
    Endpoint(
        name="push_messages",
        method="POST",
        paths=("/webhook",),
        scope="manage",
        creates_org=True,
        group="phones",
        summary="Push received SMS",
        description="Phones push SMS they received here. The first push with a new OrgId and a "
        "SecretKey creates the org. A message that was pushed before is not stored again; it "
        "counts under duplicates.",
        body=Webhook,
        answer=WebhookAnswer,
        examples=phone_examples.WEBHOOK,
        handler=receive,
    ),
    Endpoint(
        name="get_messages",
        method="GET",
        paths=("/messages/{org}", "/messages/{org}/{secret}"),
        scope="read",
        group="messages",
        summary="Read messages",
        description="In ascending id. With since_id the first ones after it, so that a poller "
        "misses nothing; without, the newest.",
        query=MessagesQuery,
        answer=MessagesAnswer,
        examples=phone_examples.MESSAGES,
        handler=messages,
    ),
    Endpoint(
        name="get_message",
        method="GET",
        paths=("/messages/{org}/id/{id}", "/messages/{org}/{secret}/id/{id}"),
        scope="read",
        group="messages",
        summary="Read one message",
        answer=MessageAnswer,
        error_codes=("not_found",),
        handler=message,
    ),
    Endpoint(
        name="cancel_message",
        method="DELETE",
        paths=("/messages/{org}/id/{id}", "/messages/{org}/{secret}/id/{id}"),
        scope="send",
        group="messages",
        summary="Cancel a message that is still unsent",
        description="202 when a phone holds it already and was asked to drop it: read the "
        "message to learn which of the two was faster.",
        answer=CancelAnswer,
        statuses=(200, 202),
        error_codes=("not_found", "conflict"),
        handler=cancel,
    ),
    Endpoint(
        name="send_sms",
        method="POST",
        paths=("/send/{org}", "/send/{org}/{secret}"),
        scope="send",
        group="messages",
        summary="Send SMS",
        description="One message as to and body, or up to 500 as messages. The id of a result is "
        "its ticket. Status: queued (no phone online yet, or it waits its turn), sending (pushed "
        "to a phone), sent (confirmed; see sent_at), delivered, or failed. Poll "
        "GET /messages/{org}?direction=out to watch it.",
        body=Send,
        answer=SendAnswer,
        error_codes=("unknown_sim", "conflict", "idempotency_key_reused"),
        idempotent=True,
        examples=phone_examples.SEND,
        handler=send,
    ),
    Endpoint(
        name="list_sims",
        method="GET",
        paths=("/sims/{org}", "/sims/{org}/{secret}"),
        scope="read",
        group="phones",
        summary="List SIMs",
        answer=SimsAnswer,
        examples=phone_examples.SIMS,
        handler=sims,
    ),
)

"""Messages and SIMs of an org over HTTP: pushed by phones, sent, read, cancelled and approved."""

from collections.abc import Sequence
from functools import partial
from typing import Final, TypeVar

from phonegate import log
from phonegate.api import messages_examples
from phonegate.api.convert import CONVERTER, id_in_path, refusal
from phonegate.api.endpoint import (
    Answer,
    Call,
    Endpoint,
    Forms,
    a_list,
)
from phonegate.api.errors import (
    LIMIT_CODES,
    NOT_ALLOWED,
    ROOM_CODES,
    FieldsRefused,
)
from phonegate.api.flat_message import (
    FORM,
    MULTIPART,
    TEXT,
    FlatSms,
    org_named,
    read_pushed,
)
from phonegate.api.idempotency_key import once
from phonegate.api.media_api import media_address
from phonegate.api.message_text import PageText
from phonegate.api.messages_types import (
    CancelAnswer,
    DecisionAnswer,
    MessageAnswer,
    MessagesAnswer,
    MessagesQuery,
    Send,
    SendAnswer,
    SimsAnswer,
    Webhook,
    WebhookAnswer,
    page_query,
)
from phonegate.api.presenters import (
    MessageJson,
    message_json,
    sim_json,
)
from phonegate.api.push_answer import push_answer
from phonegate.api.reported_types import Batch
from phonegate.api.send_request import answer, asked, fields_of_sim, outgoing
from phonegate.domain.idempotency import Keep
from phonegate.domain.message_access import KnownSims, Show, ShowRows, has_words
from phonegate.domain.sending import SendOutcome
from phonegate.model.messages import PAGE_BYTES, Message
from phonegate.model.phones import Sim
from phonegate.model.principal import Principal
from phonegate.model.refusals import (
    FieldProblem,
    NotFound,
    RecipientNotAllowed,
    UnknownSim,
)
from phonegate.model.states import SENDING

T = TypeVar("T")

ROUTE: Final = "send"
"""Under it the answers to an Idempotency-Key are kept."""

NO_WORD: Final = "has no letter and no digit, and only words are searched for"

_log = log.get("api")


async def receive(call: Call) -> Answer:
    """Stores what a phone pushes. Answers after the commit."""
    body: Webhook = call.body
    batch: Batch = call.body.messages
    call.services.cleaned.update(batch.cleaned)
    receipt = await call.services.inbox.receive(
        call.caller.org, batch.readable, device_id=body.device_id, key=call.caller.key_id
    )
    return Answer(content=push_answer(call.caller.org_name, batch, receipt))


async def send(call: Call) -> Answer:
    """Accepts messages to send, all or none of them."""
    body: Send = call.body
    most = call.services.org_options.of(call.caller.org).max_characters
    items = outgoing(body, call.services.now_ms(), most)
    sending = call.services.sending

    async def accept(keep: Keep[SendOutcome] | None) -> SendOutcome:
        try:
            return await sending.send(call.caller, items, keep=keep)
        except RecipientNotAllowed as error:
            to = ["to" if body.messages is None else f"messages[{i}].to" for i in error.indexes]
            raise FieldsRefused(error, [FieldProblem(f, NOT_ALLOWED) for f in to]) from None
        except UnknownSim as error:
            fields = fields_of_sim(call.body, items, error.sim_selector)
            problem = f"is none of the org's SIMs: {', '.join(error.known)}"
            raise FieldsRefused(error, [FieldProblem(f, problem) for f in fields]) from None

    return await once(call, ROUTE, partial(asked, items), accept, answer)


async def messages(call: Call) -> Answer:
    """Reads a page of the org's messages."""
    caller = call.caller
    online = call.services.switchboard.online(caller.org)
    shown = PageText(caller.org_name, online, media=media_address(call))
    return Answer(content=await read_page(call, shown.of_views, shown.of_rows))


async def read_page(
    call: Call,
    show: Show[T],
    show_rows: ShowRows[T] | None = None,
    *,
    most_bytes: int = PAGE_BYTES,
) -> T:
    """Returns what `show` makes of a page, which has `most_bytes` of JSON at most.

    For `show_rows` see `MessageAccess.page`.
    """
    query: MessagesQuery = call.query
    caller = call.caller
    if query.q is not None and not has_words(query.q):
        raise refusal((FieldProblem("q", NO_WORD),))
    page = page_query(query, most_bytes)
    return await call.services.messages.page(caller, page, show, show_rows)


async def message(call: Call) -> Answer:
    """Reads one message by its id."""
    caller, message_id = call.caller, id_in_path(call.path["id"])
    online = call.services.switchboard.online(caller.org)

    def show(found: Message, known: KnownSims) -> MessageJson:
        return message_json(found, online, known, media=media_address(call))

    found = await call.services.messages.one(caller, message_id, show)
    if found is None:
        raise NotFound(f"No message {message_id} in this org.")
    return Answer(content=MessageAnswer(org_id=caller.org_name, message=found))


async def cancel(call: Call) -> Answer:
    """Withdraws a message. Answers 202 when the phone that holds it was asked to drop it."""
    found = await call.services.withdrawal.cancel(call.caller, id_in_path(call.path["id"]))
    return Answer(
        status=202 if found.status == SENDING else 200,
        content=CancelAnswer(id=found.id, status=found.status),
    )


async def approve(call: Call) -> Answer:
    """Lets a message leave that waits for approval."""
    note, message_id = partial(_note_decision, call.caller), id_in_path(call.path["id"])
    found = await call.services.approval.approve(call.caller.org, message_id, on_change=note)
    return _decided(call, found)


async def refuse(call: Call) -> Answer:
    """Cancels a message that waits for approval."""
    note, message_id = partial(_note_decision, call.caller), id_in_path(call.path["id"])
    found = await call.services.approval.refuse(call.caller.org, message_id, on_change=note)
    return _decided(call, found)


def _note_decision(caller: Principal, decided: Message) -> None:
    """Logs who decided."""
    _log.info(
        "message_decided",
        org=caller.org_name,
        message=decided.id,
        approval=decided.approval,
        key=caller.key_id,
    )


def _decided(call: Call, found: Message) -> Answer:
    """Makes the answer to an approval or refusal."""
    online = call.services.switchboard.online(call.caller.org)
    shown = message_json(found, online, media=media_address(call))
    return Answer(content=DecisionAnswer(message=shown))


async def sims(call: Call) -> Answer:
    """Lists the SIMs that are online, and all that are known."""
    org = call.caller.org
    online = call.services.switchboard.online(org)

    def show(known: Sequence[Sim]) -> bytes:
        answer = SimsAnswer(
            online_devices=len(online),
            live_sims=tuple(sim_json(sim) for phone in online for sim in phone.sims),
            known_sims=tuple(sim_json(sim) for sim in known),
        )
        # An org may have thousands.
        return CONVERTER.encode(answer)

    return Answer(content=await call.services.messages.sims(org, show))


# --- The table's part -------------------------------------------------------------------------

ENDPOINTS: Final = (
    Endpoint(
        name="push_messages",
        method="POST",
        paths=("/webhook",),
        scope="phone",
        creates_org=True,
        group="phones",
        summary="Push received SMS",
        description="Phones push SMS they received here. The first push with a new OrgId and a "
        "SecretKey creates the org, if the gateway lets its caller do so. A message that was "
        "pushed before is not stored again; it counts under duplicates. What was received is never "
        "refused for what decorates it: an unknown SIM, a date that is none, half an emoji or no "
        "sender are put right and stored. "
        "An API key with the scope phone (or manage) names its org, so that no org_id is needed. "
        "Apps that only forward SMS may send one message flat: the fields of a form, the same "
        "fields as JSON without messages, or the text itself as text/plain.",
        body=Webhook,
        forms=Forms(
            read=read_pushed,
            find_org=org_named,
            media={FORM: FlatSms, MULTIPART: FlatSms, TEXT: None},
            text="The text of the SMS, exactly as it is, and no field needs escaping. The query "
            "has the rest: address, date, sim, sim_slot, id, org_id and device_id, or headers "
            "X-Address and so on. Without an address, a text that begins with { is read as JSON.",
        ),
        answer=WebhookAnswer,
        error_codes=ROOM_CODES,
        examples=messages_examples.WEBHOOK,
        size=lambda call: len(call.body.messages.entries),
        fast_path=True,
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
        examples=messages_examples.MESSAGES,
        size=lambda call: call.query.limit // 2,  # reading one costs half of sending one
        fast_path=True,
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
        examples=messages_examples.MESSAGE,
        handler=message,
    ),
    Endpoint(
        name="cancel_message",
        method="DELETE",
        paths=("/messages/{org}/id/{id}", "/messages/{org}/{secret}/id/{id}"),
        scope="send",
        group="messages",
        summary="Cancel a message that is still unsent",
        description="A key with limits can cancel what it sent itself. "
        "202 when a phone holds it already and was asked to drop it: read the "
        "message to learn which of the two was faster.",
        answer=CancelAnswer,
        statuses=(200, 202),
        error_codes=("not_found", "conflict"),
        examples=messages_examples.CANCEL,
        handler=cancel,
    ),
    Endpoint(
        name="approve_message",
        method="POST",
        paths=(
            "/messages/{org}/id/{id}/approve",
            "/messages/{org}/{secret}/id/{id}/approve",
        ),
        scope="manage",
        group="messages",
        summary="Approve a message that waits for it",
        description="A message of an API key with the limit hold waits for a person. Approved, it "
        "leaves at once, or at its send_at. To approve it twice changes nothing. "
        "GET /messages/{org}?waiting_for=approval lists those that wait.",
        answer=DecisionAnswer,
        error_codes=("not_found", "conflict"),
        examples=messages_examples.APPROVE,
        handler=approve,
    ),
    Endpoint(
        name="refuse_message",
        method="POST",
        paths=(
            "/messages/{org}/id/{id}/refuse",
            "/messages/{org}/{secret}/id/{id}/refuse",
        ),
        scope="manage",
        group="messages",
        summary="Refuse a message that waits for approval",
        description="It is cancelled. To refuse it twice changes nothing.",
        answer=DecisionAnswer,
        error_codes=("not_found", "conflict"),
        examples=messages_examples.REFUSE,
        handler=refuse,
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
        error_codes=("unknown_sim", "conflict", "idempotency_key_reused", *LIMIT_CODES),
        idempotent=True,
        examples=messages_examples.SEND,
        size=lambda call: len(call.body.messages or ()),
        fast_path=True,
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
        examples=messages_examples.SIMS,
        size=a_list,
        fast_path=True,
        handler=sims,
    ),
)

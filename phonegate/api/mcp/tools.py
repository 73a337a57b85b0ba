"""The tools that agents get: the endpoints of the table under another protocol, and waits.

A tool runs its endpoint's own handler within the org's fair share, so that limits, idempotency
and errors are the same either way.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import attrs
import trio

from phonegate.api import messages_api
from phonegate.api.answer_budget import Reader
from phonegate.api.convert import CONVERTER
from phonegate.api.endpoint import Answer, Call, Endpoint
from phonegate.api.idempotency_key import REPLAYED
from phonegate.api.mcp.protocol import Json
from phonegate.api.mcp.tool_types import (
    TOOL_PAGE_BYTES,
    GetMessage,
    GetMessages,
    ListSims,
    Messages,
    OneMessage,
    Outcome,
    Reply,
    SendSms,
    Sent,
    Sims,
    WaitForOutcome,
    WaitForReply,
)
from phonegate.api.mcp.untrusted import NOTICE, SIMS_NOTICE
from phonegate.api.media_api import media_address
from phonegate.api.messages_types import MessagesQuery, Send
from phonegate.api.openapi.schema import Components, schema_of
from phonegate.api.presenters import message_json
from phonegate.domain.message_access import KnownSims
from phonegate.model.messages import ROW_BYTES, MessageView
from phonegate.model.principal import Scope
from phonegate.model.refusals import Unauthorized

ANSWER_S: Final = 2.0
"""Kept of a request's time for its answer: a wait ends so long before the request would."""

T = TypeVar("T")

_ENDPOINTS: Final[Mapping[str, Endpoint]] = {one.name: one for one in messages_api.ENDPOINTS}


@attrs.frozen(kw_only=True)
class Tool:
    """A tool: its description for a model, and the function that runs."""

    name: str
    title: str
    description: str
    scope: Scope
    takes: type
    gives: type
    reads_only: bool
    reaches_out: bool = False
    """Whether it reaches other people, and not the gateway alone."""
    run: Callable[[Call, Any], Awaitable[Json]]

    @property
    def declaration(self) -> Json:
        """As `tools/list` shows it."""
        parts = Components("#/$defs/")
        output = parts.of_object(self.gives, answer=True)
        if parts.schemas:
            output["$defs"] = parts.schemas
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": schema_of(self.takes),
            "outputSchema": output,
            "annotations": {
                "title": self.title,
                "readOnlyHint": self.reads_only,
                # What was sent can't be taken back, and may cost its sender money.
                "destructiveHint": not self.reads_only,
                "idempotentHint": self.reads_only,
                "openWorldHint": self.reaches_out,
            },
        }


async def _get_messages(call: Call, asked: GetMessages) -> Json:
    names = attrs.fields_dict(MessagesQuery)
    query = MessagesQuery(**{name: getattr(asked, name) for name in names})
    caller, media = call.caller, media_address(call)
    online = call.services.switchboard.online(caller.org)

    def show(found: Sequence[MessageView], known: KnownSims) -> Json:
        messages = [dict(vars(message_json(one, online, known, media=media))) for one in found]
        return {"org_id": caller.org_name, "count": len(messages), "messages": messages}

    read = partial(messages_api.read_page, show=show, most_bytes=TOOL_PAGE_BYTES)
    page = await _through(call, _ENDPOINTS["get_messages"], query=query, handler=read)
    _require_room(call, sum(ROW_BYTES + len(one["body"]) for one in page["messages"]))
    return {**page, "notice": NOTICE}


async def _get_message(call: Call, asked: GetMessage) -> Json:
    answer = await _answer_of(call, _ENDPOINTS["get_message"], path={"id": str(asked.id)})
    return {**_read(call, answer), "notice": NOTICE}


async def _send_sms(call: Call, asked: SendSms) -> Json:
    names = attrs.fields_dict(SendSms).keys() - {"idempotency_key"}
    body = Send(**{name: getattr(asked, name) for name in names})
    endpoint = _ENDPOINTS["send_sms"]
    answer = await _answer_of(call, endpoint, body=body, key=asked.idempotency_key)
    return {**_plain(answer), "replayed": REPLAYED in answer.headers}


async def _list_sims(call: Call, asked: ListSims) -> Json:
    del asked
    sims = _read(call, await _answer_of(call, _ENDPOINTS["list_sims"]))
    return {**sims, "notice": SIMS_NOTICE}


async def _wait_for_reply(call: Call, asked: WaitForReply) -> Json:
    waits, caller = call.services.waits, call.caller
    since = await waits.newest(caller) if asked.since_id is None else asked.since_id
    found = await waits.reply(
        caller, address=asked.address, since_id=since, seconds=_patience(asked.timeout_s)
    )
    _require_current(call)
    message = None if found is None else message_json(found, (), media=media_address(call))
    return _plain(
        Answer(
            content=Reply(
                message=message,
                timed_out=message is None,
                since_id=since if message is None else message.id,
            )
        )
    )


async def _wait_for_outcome(call: Call, asked: WaitForOutcome) -> Json:
    reached = await call.services.waits.outcome(
        call.caller, asked.id, until=asked.until, seconds=_patience(asked.timeout_s)
    )
    _require_current(call)
    message = await _get_message(call, GetMessage(id=asked.id))
    return {**message, "timed_out": not reached}


def _patience(seconds: float) -> float:
    """Returns how long to wait, so that the answer leaves before the request's time is over."""
    left = trio.current_effective_deadline() - trio.current_time() - ANSWER_S
    return max(0, min(seconds, left))


def _require_current(call: Call) -> None:
    """Refuses to answer after a wait whose caller would not be let in any more.

    Raises:
        OrgSuspended: Its org is not served now.
        Unauthorized: Its credential was changed meanwhile.
    """
    call.services.accounts.authentication.require_served(call.caller.org)
    if not call.services.authentication.is_current(call.caller):
        raise Unauthorized("Credentials of this org were changed during the wait. Call again.")


async def _answer_of(
    call: Call,
    endpoint: Endpoint,
    *,
    path: Mapping[str, str] | None = None,
    body: Any = None,
    key: str | None = None,
) -> Answer:
    """Runs an endpoint's own handler."""
    return await _through(call, endpoint, handler=endpoint.handler, path=path, body=body, key=key)


async def _through(
    call: Call,
    endpoint: Endpoint,
    *,
    handler: Callable[[Call], Awaitable[T]],
    path: Mapping[str, str] | None = None,
    query: Any = None,
    body: Any = None,
    key: str | None = None,
) -> T:
    """Runs a handler as the pipeline runs its endpoint's.

    Only an Idempotency-Key among the tool's arguments counts. One in the header would be the same
    for all calls of a client.
    """
    headers = {k: v for k, v in call.request.headers.items() if k != "idempotency-key"}
    if key is not None:
        headers["idempotency-key"] = _header(key)
    inner = attrs.evolve(
        call,
        request=attrs.evolve(call.request, headers=headers),
        path={} if path is None else path,
        query=query,
        body=body,
    )
    size = 1 if endpoint.size is None else endpoint.size(inner)
    async with call.services.shares.take(call.caller.org, size):
        return await handler(inner)


def _header(key: str) -> str:
    """Makes an Idempotency-Key of any text: the text itself if it can be one, or else a digest."""
    if key.isascii() and key.isprintable() and key == key.strip() and not key.startswith('"'):
        return key
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def _require_room(call: Call, size: int) -> None:
    """Refuses to read more for a client that leaves much unread. What was sent is answered."""
    caller = call.caller
    call.services.answer_budget.require_room(Reader(caller.org, caller.key_id or ""), size)


def _read(call: Call, answer: Answer) -> Json:
    text = _text(answer)
    _require_room(call, len(text))
    plain: Json = json.loads(text)
    return plain


def _plain(answer: Answer) -> Json:
    plain: Json = json.loads(_text(answer))
    return plain


def _text(answer: Answer) -> bytes:
    content = answer.content
    return content if isinstance(content, bytes) else CONVERTER.encode(content)


TOOLS: Final = (
    Tool(
        name="get_messages",
        title="Read messages",
        description="Reads SMS that were received (direction in) or sent (direction out), in "
        "ascending id. With since_id the first ones after it; without, the newest. To wait for "
        "an answer use wait_for_reply instead of calling this again and again.",
        scope="read",
        takes=GetMessages,
        gives=Messages,
        reads_only=True,
        run=_get_messages,
    ),
    Tool(
        name="get_message",
        title="Read one message",
        description="Reads one SMS by its id, for one that was sent with what became of it: "
        "queued, sending, sent, delivered, failed, expired, cancelled or uncertain (a phone took "
        "it and never said whether it was sent: don't send it again without asking).",
        scope="read",
        takes=GetMessage,
        gives=OneMessage,
        reads_only=True,
        run=_get_message,
    ),
    Tool(
        name="send_sms",
        title="Send an SMS",
        description="Sends one SMS from a phone of the gateway's owner. It can't be taken back. "
        "The answer's results hold its id: see what becomes of it with wait_for_outcome, and wait "
        "for an answer with wait_for_reply and since_id set to it. Give an idempotency_key, and "
        "the same one if you have to repeat a call. Where waiting_for is approval, a person has to "
        "approve it first: don't send it again.",
        scope="send",
        takes=SendSms,
        gives=Sent,
        reads_only=False,
        reaches_out=True,
        run=_send_sms,
    ),
    Tool(
        name="list_sims",
        title="List SIMs",
        description="Lists the SIMs that can send: those of phones online now (live_sims), and "
        "all known ones. Use a number or slot as sim in send_sms.",
        scope="read",
        takes=ListSims,
        gives=Sims,
        reads_only=True,
        run=_list_sims,
    ),
    Tool(
        name="wait_for_outcome",
        title="Wait until an SMS is sent",
        description="Waits until an SMS that was sent has left, or with until set to delivered "
        "until its recipient's phone has confirmed it, and returns it; at once if that is so "
        "already, or if it ended otherwise (failed, expired, cancelled, uncertain). Many networks "
        "never confirm a delivery. With timed_out true it is still under way, and its waiting_for "
        "says why: call again, or go on with something else.",
        scope="read",
        takes=WaitForOutcome,
        gives=Outcome,
        reads_only=True,
        run=_wait_for_outcome,
    ),
    Tool(
        name="wait_for_reply",
        title="Wait for an SMS",
        description="Waits until an SMS is received, from anybody or from one address, and "
        "returns it; at once if one has come after since_id already. It returns one: for those "
        "after it, and with timed_out true, where none came, call again with the since_id of the "
        "answer. So nothing is missed between two calls.",
        scope="read",
        takes=WaitForReply,
        gives=Reply,
        reads_only=True,
        reaches_out=True,
        run=_wait_for_reply,
    ),
)
"""In the order in which they are listed."""

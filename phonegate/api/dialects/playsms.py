"""The dialect of playSMS, a messaging system: its webservices `?app=ws` (playsms.org).

Its words and codes are those of `web/inc/app/webservices.php`. playSMS answers with 200 in any
case. Errors have statuses of their own here, since Nextcloud and LibreNMS look at nothing else.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final

import attrs

from phonegate.api.convert import refusal
from phonegate.api.dialect import Dialect, Given, Refusal, Texts, Worded
from phonegate.api.dialects.local_times import local_ms, local_text
from phonegate.api.dialects.plain_xml import plain_xml
from phonegate.api.dialects.sending import Accepted, Wanted, recipients, send
from phonegate.api.endpoint import Answer, Call, Endpoint, Example
from phonegate.api.errors import LIMIT_CODES
from phonegate.http.login import Login
from phonegate.model import states
from phonegate.model.bounds import MAX_ID, MAX_PAGE, MAX_RECEIVED
from phonegate.model.messages import Direction, MessageView, PageQuery
from phonegate.model.principal import allows
from phonegate.model.refusals import BadInput, FieldProblem, Forbidden, NotFound
from phonegate.typed_json.fields import Rule, Wrong, field
from phonegate.typed_json.rules import Text, Whole

JSON: Final = "application/json"
XML: Final = "text/xml; charset=utf-8"

LOGIN_FAILED: Final = "100"
UNKNOWN_ACTION: Final = "101"
FIELD_EMPTY: Final = "102"
NO_CREDIT: Final = "103"
NO_TOKEN: Final = "104"
NOT_ENABLED: Final = "105"
SEND_FAILED: Final = "200"
NOTHING_TO_SEND: Final = "201"
NO_STATUS: Final = "400"
NO_DATA: Final = "501"
NO_ADMIN: Final = "600"

WORDS: Final[Mapping[str, str]] = {
    LOGIN_FAILED: "authentication failed",
    UNKNOWN_ACTION: "type of action is invalid or unknown",
    FIELD_EMPTY: "one or more field empty",
    NO_CREDIT: "not enough credit for this operation",
    NO_TOKEN: "webservice token is not available",
    NOT_ENABLED: "webservice token not enable for this user",
    SEND_FAILED: "send message failed",
    NOTHING_TO_SEND: "destination number or message is empty",
    NO_STATUS: "no delivery status available",
    NO_DATA: "no data returned or result is empty",
    NO_ADMIN: "admin level authentication failed",
}

CREDIT: Final = "1000000"
"""What an account has left, which never is less. Clients want a number, and there is no bound."""

PENDING, SENT, FAILED, DELIVERED = "0", "1", "2", "3"

STATUSES: Final[Mapping[str, str]] = {
    states.QUEUED: PENDING,
    states.SENDING: PENDING,
    states.UNCERTAIN: PENDING,
    states.SENT: SENT,
    states.DELIVERED: DELIVERED,
    states.FAILED: FAILED,
    states.EXPIRED: FAILED,
    states.CANCELLED: FAILED,
}
"""What playSMS calls the states of a message."""

SCHEDULE: Final = "%Y-%m-%d %H:%M:%S"
"""`schedule`, in the zone of the machine."""

USUAL_PAGE: Final = 100

ADMINS_OPS: Final = frozenset(
    {"inject", "accountadd", "accountremove", "parentset", "parentget", "accountban"}
    | {"accountunban", "accountpref", "accountconf", "creditview", "creditadd", "creditdeduct"}
    | {"loginkeyset", "stoplist"}
)
"""What only an administrator of playSMS may do."""

TOKENS_OPS: Final = frozenset({"get_token", "set_token", "ws_login"})
"""What gives another credential. Here they are made in the console or by command."""


@attrs.frozen
class Schedule(Rule):
    """A time, `YYYY-MM-DD hh:mm:ss` in the zone of the machine."""

    def read(self, value: object) -> int:
        """Returns milliseconds since 1970-01-01 UTC."""
        found = local_ms(str(value), SCHEDULE)
        if found is None:
            raise Wrong("is no time: YYYY-MM-DD hh:mm:ss")
        return found


@attrs.frozen(kw_only=True)
class Parameters:
    """What the webservices take. Those of playSMS's that are not here are ignored."""

    app: Annotated[str, Text(0, 40)] = field("ws", default="ws", example="ws")
    op: Annotated[str, Text(0, 40)] = field(
        "pv sends; ds lists what was sent; in and ix list what was received; cr and query tell of "
        "the account.",
        default="",
        example="pv",
    )
    format: Annotated[str, Text(0, 20)] = field("json or xml.", default="json")
    to: tuple[str, ...] = field("Numbers, with commas between.", default=(), private=True)
    msg: Annotated[str, Text(0, MAX_RECEIVED)] = field("The text.", default="", private=True)
    footer: Annotated[str, Text(0, MAX_RECEIVED)] = field(
        "Stands behind the text.", default="", private=True
    )
    nofooter: Annotated[str, Text(0, 20)] = field("1: no footer.", default="")
    from_: Annotated[str, Text(0, 64)] | None = field(
        "A number of the org. A name is ignored.", default=None
    )
    schedule: Annotated[int, Schedule()] | None = field(
        "When to send it: YYYY-MM-DD hh:mm:ss in the zone of the gateway's machine.", default=None
    )
    smslog_id: Annotated[int, Whole(0, MAX_ID)] | None = field("Of ds: one message.", default=None)
    queue: Annotated[str, Text(0, 32)] = field("Of ds: what pv called queue.", default="")
    src: Annotated[str, Text(0, 64)] = field("Of in: the sender.", default="", private=True)
    dst: Annotated[str, Text(0, 64)] = field("Of ds: the recipient.", default="", private=True)
    last: Annotated[int, Whole(0, MAX_ID)] | None = field(
        "Only messages behind this one.", default=None
    )
    c: Annotated[int, Whole(0, MAX_PAGE)] | None = field("How many to list.", default=None)


class NothingFound(NotFound):
    """A list is empty, which playSMS calls an error. `ws_code` is its own code."""

    def __init__(self, ws_code: str) -> None:
        self.ws_code = ws_code
        super().__init__(WORDS[ws_code])


# --- What it does -----------------------------------------------------------------------------


async def act(call: Call) -> Answer:
    """Does what `op` says."""
    asked: Parameters = call.body
    op = asked.op.strip().lower()
    if asked.format.strip().lower() not in {"", "json", "xml"}:
        raise refusal((FieldProblem("format", "must be json or xml"),))
    if asked.app.strip().lower() != "ws":
        raise refusal((FieldProblem("app", "must be ws"),))
    if not op:
        raise refusal((FieldProblem("op", "is required"),))
    if op in ADMINS_OPS:
        raise Forbidden(WORDS[NO_ADMIN])
    if op in TOKENS_OPS:
        raise Forbidden(WORDS[NO_TOKEN])
    do = _OPS.get(op)
    if do is None:
        raise refusal((FieldProblem("op", f"must be one of: {', '.join(_OPS)}"),))
    answer = await do(call)
    is_json = answer.content.startswith(b"{")
    return attrs.evolve(answer, media=JSON if is_json else XML)


async def put(call: Call) -> Answer:
    """Sends a message to each of its recipients."""
    asked: Parameters = call.body
    missing = [
        FieldProblem(name, "is required")
        for name, is_there in (("to", any(asked.to)), ("msg", bool(asked.msg.strip())))
        if not is_there
    ]
    if missing:
        raise refusal(tuple(missing))
    footer = "" if asked.nofooter.strip() else asked.footer.strip()
    wanted = [
        Wanted(
            to=number,
            body=f"{asked.msg} {footer}" if footer else asked.msg,
            sender=asked.from_,
            send_at=asked.schedule,
        )
        for number in await recipients(call, asked.to)
    ]
    render = partial(_taken, as_xml=_as_xml(asked), now_ms=call.services.now_ms())
    return await send(call, wanted, render, fields=("to", "msg"))


def _taken(done: Sequence[Accepted], *, as_xml: bool, now_ms: int) -> Answer:
    data = [
        {"status": "ERR", "error": SEND_FAILED, "smslog_id": "", "queue": "", "to": one.to}
        if one.status == states.FAILED
        else {
            "status": "OK",
            "error": "0",
            "smslog_id": str(one.id),
            "queue": _queue(one.id),
            "to": one.to,
        }
        for one in done
    ]
    return _answer({"data": data}, now_ms, as_xml=as_xml)


async def list_sent(call: Call) -> Answer:
    """Lists what was sent, the newest first, with what became of it."""
    asked: Parameters = call.body
    one = asked.smslog_id or _id_of(asked.queue)
    if asked.queue and not one:
        raise NothingFound(NO_STATUS)
    query = _query(asked, "out", asked.dst)
    if one:
        query = attrs.evolve(query, since_id=one - 1, limit=1)
    found = await _page(call, query, _shown_sent)
    if one:
        found = [entry for entry in found if entry["smslog_id"] == str(one)]
    return _list(call, found, NO_STATUS)


async def list_received(call: Call) -> Answer:
    """Lists what was received, the newest first."""
    asked: Parameters = call.body
    return _list(call, await _page(call, _query(asked, "in", asked.src), _shown_received), NO_DATA)


async def show_credit(call: Call) -> Answer:
    """Says how much may be sent."""
    return _of_account(call, {"credit": CREDIT})


async def show_account(call: Call) -> Answer:
    """Says whose account it is, and which messages are its last."""
    asked: Parameters = call.body
    last = PageQuery(limit=1)
    received = await _page(call, attrs.evolve(last, direction="in"), _ids)
    sent = await _page(call, attrs.evolve(last, direction="out"), _ids)
    newest = received[0] if received else 0
    name = call.caller.org_name
    user = {"username": name, "uid": call.caller.org, "status": 3, "name": name, "email": ""}
    data = {
        "user": {**user, "mobile": "", "credit": CREDIT},
        "last_id": {
            "user_inbox": newest,
            "user_incoming": newest,
            "user_outgoing": sent[0] if sent else 0,
        },
    }
    body = {"status": "OK", "error": "0", "data": data}
    return _answer(body, call.services.now_ms(), as_xml=_as_xml(asked))


_OPS: Final[Mapping[str, Callable[[Call], Awaitable[Answer]]]] = {
    "pv": put,
    "ds": list_sent,
    "in": list_received,
    "ix": list_received,
    "cr": show_credit,
    "query": show_account,
}


# --- Reading ----------------------------------------------------------------------------------


def _query(asked: Parameters, direction: Direction, address: str) -> PageQuery:
    return PageQuery(
        limit=asked.c or USUAL_PAGE,
        direction=direction,
        address=address or None,
        since_id=asked.last or None,
    )


async def _page(
    call: Call, query: PageQuery, show: Callable[[MessageView], Any]
) -> list[Any]:
    """Returns a page of messages as playSMS shows them, the newest first.

    Raises:
        Forbidden: The caller may not read.
    """
    if not allows(call.caller.scopes, "read"):
        raise Forbidden("This API key may not read messages: its scopes lack read.")
    found: list[Any] = await call.services.messages.page(
        call.caller, query, lambda page, _: [show(one) for one in page]
    )
    return found[::-1]


def _shown_sent(one: MessageView) -> dict[str, str]:
    update = one.delivered_at or one.sent_at
    return {
        "smslog_id": str(one.id),
        "src": one.sim or "",
        "dst": one.address,
        "msg": one.body,
        "dt": local_text(one.created_at),
        "update": "" if update is None else local_text(update),
        "status": STATUSES.get(one.status, PENDING),
    }


def _shown_received(one: MessageView) -> dict[str, str]:
    return {
        "id": str(one.id),
        "src": one.address,
        "dst": one.sim or "",
        "kwd": "",
        "msg": one.body,
        "dt": local_text(one.created_at if one.date is None else one.date),
        "status": "1",
    }


def _ids(one: MessageView) -> int:
    return one.id


def _queue(message: int) -> str:
    """Returns what playSMS calls the queue of a message: 32 hexadecimal digits."""
    return f"{message:032x}"


def _id_of(queue: str) -> int:
    """Returns the message of a queue. 0 where there is none."""
    try:
        found = int(queue, 16) if queue else 0
    except ValueError:
        return 0
    return found if 0 <= found <= MAX_ID else 0


# --- Answers ----------------------------------------------------------------------------------


def _list(call: Call, found: Sequence[Any], ws_code: str) -> Answer:
    if not found:
        raise NothingFound(ws_code)
    return _answer({"data": found}, call.services.now_ms(), as_xml=_as_xml(call.body))


def _of_account(call: Call, more: Mapping[str, Any]) -> Answer:
    body = {"status": "OK", "error": "0", **more}
    return _answer(body, call.services.now_ms(), as_xml=_as_xml(call.body))


def _answer(body: Mapping[str, Any], now_ms: int, *, as_xml: bool) -> Answer:
    whole = {**body, "error_string": None, "timestamp": now_ms // 1000}
    return Answer(content=_written(whole, as_xml=as_xml))


def _written(body: Mapping[str, Any], *, as_xml: bool) -> bytes:
    text = plain_xml("response", body) if as_xml else json.dumps(body)
    return text.encode("utf-8", "replace")


def _as_xml(asked: Parameters) -> bool:
    return asked.format.strip().lower() == "xml"


def refuse(refusal: Refusal) -> Worded:
    """Words an error with a code of playSMS. What a person may do about it stands in `info`."""
    code = _code(refusal)
    as_xml = any(text.strip().lower() == "xml" for text in refusal.given.get("format", ()))
    body = {
        "status": "ERR",
        "error": code,
        "error_string": WORDS[code],
        "info": refusal.detail,
    }
    status = refusal.status
    if status < HTTPStatus.BAD_REQUEST:
        status = HTTPStatus.INTERNAL_SERVER_ERROR
    return Worded(
        status=status, body=_written(body, as_xml=as_xml), media=XML if as_xml else JSON
    )


_BY_WORDS: Final = {words: code for code, words in WORDS.items()}


def _code(refusal: Refusal) -> str:
    """Returns playSMS's own code of an error."""
    if (known := _BY_WORDS.get(refusal.detail)) is not None:
        return known
    match refusal.code:
        case "unauthorized":
            return LOGIN_FAILED
        case "forbidden":
            return NOT_ENABLED
        case "key_limit_reached" | "batch_over_key_limit" | "quiet_hours":
            return NO_CREDIT
        case "not_found" | "method_not_allowed":
            return UNKNOWN_ACTION
        case "bad_input" if refusal.problems:
            return _of_problem(refusal.problems[0])
    return SEND_FAILED


def _of_problem(problem: FieldProblem) -> str:
    if problem.field in {"app", "op", "format"}:
        return FIELD_EMPTY if problem.problem == "is required" else UNKNOWN_ACTION
    is_missing = problem.problem == "is required"
    return NOTHING_TO_SEND if is_missing and problem.field in {"to", "msg"} else SEND_FAILED


# --- The table's part -------------------------------------------------------------------------

DIALECT: Final = Dialect(
    name="playsms",
    title="playSMS",
    text="For programs that send by playSMS: Nextcloud (Two-Factor Gateway), LibreNMS. The address "
    "to enter is `/playsms?app=ws`, or `/index.php?app=ws`. `u` is the OrgId and `h` its secret, "
    "or any name and an API key. **By GET it takes an API key alone whose only scope is send**; "
    "what lists messages needs POST and the scope read. Times are in the zone of the gateway's "
    "machine. Of a list of recipients all are accepted, or none.",
    login=Login(org_names=("u",), secret_names=("h",)),
    refuse=refuse,
    bases=("/playsms", "/index.php"),
)

_USUAL: Final[Mapping[str, Any]] = {
    "paths": ("/playsms", "/index.php", "/playsms/index.php"),
    "scope": "send",
    "group": "playsms",
    "answer": None,
    "media": JSON,
    "error_codes": (
        "not_found",
        "unknown_sim",
        "idempotency_key_reused",
        "conflict",
        "provider_failed",
        "outcome_unknown",
        *LIMIT_CODES,
    ),
    "idempotent": True,
    "dialect": DIALECT,
    "given": Given(type=Parameters),
    "sends": True,
    "listed": False,
    "handler": act,
}

ENDPOINTS: Final = (
    Endpoint(name="playsms_ws", method="GET", summary="Send SMS by playSMS's API", **_USUAL),
    Endpoint(
        name="playsms_ws_post",
        method="POST",
        summary="Send or list SMS by playSMS's API",
        examples=(
            Example(
                title="Send an SMS",
                path="/playsms?app=ws",
                headers=(("Content-Type", "application/x-www-form-urlencoded"),),
                body="op=pv&u=myorg&h=my-secret-key-123&to=15553334444&msg=Hello",
                answer='{"data":[{"status":"OK","error":"0","smslog_id":"7","queue":'
                '"00000000000000000000000000000007","to":"+15553334444"}],"error_string":null,'
                '"timestamp":1767888000}',
            ),
        ),
        **_USUAL,
    ),
)

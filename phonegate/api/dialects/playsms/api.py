"""playSMS's address: `/playsms?app=ws`, also `/index.php?app=ws` as playSMS itself has it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import attrs

from phonegate.api.convert import refusal
from phonegate.api.dialect import Dialect, Given
from phonegate.api.dialects.playsms.parameters import PlaysmsCall
from phonegate.api.dialects.playsms.wording import (
    CREDIT,
    NO_ADMIN,
    NO_DATA,
    NO_STATUS,
    NO_TOKEN,
    SEND_FAILED,
    WORDS,
    XML,
    id_of,
    queue_of,
    refuse,
    shown_received,
    shown_sent,
    written,
)
from phonegate.api.dialects.sending import recipients, send
from phonegate.api.dialects.wanted import SENDING_CODES, Accepted, Wanted
from phonegate.api.endpoint import Answer, Call, Endpoint, Example
from phonegate.http.login import Login
from phonegate.http.problem import JSON_MEDIA
from phonegate.model import states
from phonegate.model.messages import Direction, MessageView, PageQuery
from phonegate.model.principal import allows
from phonegate.model.refusals import FieldProblem, Forbidden, NotFound

USUAL_PAGE: Final = 100

ADMINS_OPS: Final = frozenset(
    {"inject", "accountadd", "accountremove", "parentset", "parentget", "accountban"}
    | {"accountunban", "accountpref", "accountconf", "creditview", "creditadd", "creditdeduct"}
    | {"loginkeyset", "stoplist"}
)
"""What only an administrator of playSMS may do."""

TOKENS_OPS: Final = frozenset({"get_token", "set_token", "ws_login"})
"""What gives another credential. Here they are made in the console or by command."""


class NothingFound(NotFound):
    """A list is empty, which playSMS calls an error. `ws_code` is its own code."""

    def __init__(self, ws_code: str) -> None:
        self.ws_code = ws_code
        super().__init__(WORDS[ws_code])


# --- What it does -----------------------------------------------------------------------------


async def act(call: Call) -> Answer:
    """Does what `op` says."""
    asked: PlaysmsCall = call.body
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
    return attrs.evolve(answer, media=JSON_MEDIA if is_json else XML)


async def put(call: Call) -> Answer:
    """Sends a message to each of its recipients."""
    asked: PlaysmsCall = call.body
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
    return await send(DIALECT, call, wanted, render, fields=("to", "msg"))


def _taken(done: Sequence[Accepted], *, as_xml: bool, now_ms: int) -> Answer:
    data = [
        {"status": "ERR", "error": SEND_FAILED, "smslog_id": "", "queue": "", "to": one.to}
        if one.status == states.FAILED
        else {
            "status": "OK",
            "error": "0",
            "smslog_id": str(one.id),
            "queue": queue_of(one.id),
            "to": one.to,
        }
        for one in done
    ]
    return _answer({"data": data}, now_ms, as_xml=as_xml)


async def list_sent(call: Call) -> Answer:
    """Lists what was sent, the newest first, with what became of it."""
    asked: PlaysmsCall = call.body
    one = asked.smslog_id or id_of(asked.queue)
    if asked.queue and not one:
        raise NothingFound(NO_STATUS)
    query = _query(asked, "out", asked.dst)
    if one:
        query = attrs.evolve(query, since_id=one - 1, limit=1)
    found = await _page(call, query, shown_sent)
    if one:
        found = [entry for entry in found if entry["smslog_id"] == str(one)]
    return _list(call, found, NO_STATUS)


async def list_received(call: Call) -> Answer:
    """Lists what was received, the newest first."""
    asked: PlaysmsCall = call.body
    return _list(call, await _page(call, _query(asked, "in", asked.src), shown_received), NO_DATA)


async def show_credit(call: Call) -> Answer:
    """Says how much may be sent."""
    return _of_account(call, {"credit": CREDIT})


async def show_account(call: Call) -> Answer:
    """Says whose account it is, and which messages are its last."""
    asked: PlaysmsCall = call.body
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


def _query(asked: PlaysmsCall, direction: Direction, address: str) -> PageQuery:
    return PageQuery(
        limit=asked.c or USUAL_PAGE,
        direction=direction,
        address=address or None,
        since_id=asked.last or None,
    )


async def _page(call: Call, query: PageQuery, show: Callable[[MessageView], Any]) -> list[Any]:
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


def _ids(one: MessageView) -> int:
    return one.id


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
    return Answer(content=written(whole, as_xml=as_xml))


def _as_xml(asked: PlaysmsCall) -> bool:
    return asked.format.strip().lower() == "xml"


# --- The table's part -------------------------------------------------------------------------

DIALECT: Final = Dialect(
    name="playsms",
    title="playSMS",
    text="For programs that send by playSMS: Nextcloud (Two-Factor Gateway), LibreNMS. `u` is the "
    "OrgId and `h` its secret, or any name and an API key.",
    addresses=("/playsms?app=ws",),
    login=Login(org_names=("u",), secret_names=("h",)),
    refuse=refuse,
    bases=("/playsms", "/index.php"),
)

_USUAL: Final[Mapping[str, Any]] = {
    "paths": ("/playsms", "/index.php", "/playsms/index.php"),
    "scope": "send",
    "group": f"dialect: {DIALECT.name}",
    "answer": None,
    "media": JSON_MEDIA,
    "error_codes": ("not_found", *SENDING_CODES),
    "idempotent": True,
    "dialect": DIALECT,
    "given": Given(type=PlaysmsCall),
    "sends": True,
    "listed": False,
    "description": "Of a list of recipients all are accepted, or none. What lists messages needs "
    "POST and the scope read. Times are in the zone of the gateway's machine.",
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

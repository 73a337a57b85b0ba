"""Jasmin's addresses: `/send`, `/rate`, `/balance`, and those of its REST API below `/secure`."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

import attrs

from phonegate.api.convert import refusal
from phonegate.api.dialect import Dialect, Given
from phonegate.api.dialects.coded_text import NotText
from phonegate.api.dialects.jasmin.parameters import (
    Batch,
    JasminAsker,
    JasminSms,
    JasminText,
    folded,
    read_batch,
    read_send,
    text_of,
)
from phonegate.api.dialects.jasmin.wording import refuse, success
from phonegate.api.dialects.local_times import smpp_ms
from phonegate.api.dialects.sending import recipients, send
from phonegate.api.dialects.wanted import SENDING_CODES, Accepted, Wanted
from phonegate.api.endpoint import Answer, Call, Endpoint, Example
from phonegate.api.given import structured
from phonegate.domain.segmentation import count
from phonegate.http.login import Login
from phonegate.http.problem import JSON_MEDIA, PLAIN_MEDIA
from phonegate.model.bounds import MAX_MESSAGES
from phonegate.model.callbacks import Callback
from phonegate.model.refusals import FieldProblem

FIELDS: Final = ("to", "content")
"""What Jasmin calls the recipient and the text."""

BATCH_BYTES: Final = 1_048_576
"""Bytes of a batch: 500 texts of the longest that is usual, with some room."""

UNLIMITED: Final = "ND"
"""What Jasmin says of a balance that has no bound."""


async def send_one(call: Call) -> Answer:
    """Sends one message."""
    wanted = await _wanted(call, call.body, (call.body.to,), call.services.now_ms())
    if len(wanted) > 1:
        raise refusal((FieldProblem("to", "is more than one number"),))
    answer = await send(
        DIALECT, call, wanted, lambda done: Answer(content=success(done[0].id)), fields=FIELDS
    )
    return attrs.evolve(answer, media=PLAIN_MEDIA)


async def send_secure(call: Call) -> Answer:
    """Sends one message, for the REST API."""
    wanted = await _wanted(call, call.body, (call.body.to,), call.services.now_ms())
    if len(wanted) > 1:
        raise refusal((FieldProblem("to", "is more than one number"),))

    def render(done: Sequence[Accepted]) -> Answer:
        return Answer(content=_json({"data": success(done[0].id).decode()}))

    return attrs.evolve(await send(DIALECT, call, wanted, render, fields=FIELDS), media=JSON_MEDIA)


async def send_batch(call: Call) -> Answer:
    """Sends messages to many, for the REST API: all of them or none."""
    services, body = call.services, call.request.body
    now = services.now_ms()
    batch, messages = await services.large_bodies.read(
        partial(_read, body, now), len(body), call.caller.org
    )
    wanted: list[Wanted] = []
    for to, asked, text in messages:
        wanted += await _wanted(call, asked, to, now, at=batch.send_at, text=text)
        if len(wanted) > MAX_MESSAGES:
            break  # and so refused: to read all numbers of such a batch may take long
    answer = await send(
        DIALECT, call, wanted, lambda done: _batch_answer(done, batch), fields=FIELDS
    )
    return attrs.evolve(answer, media=JSON_MEDIA)


def _read(body: bytes, now: int) -> tuple[Batch, list[tuple[Sequence[str], JasminSms, str]]]:
    """Reads a batch: the recipients, parameters and text of each message.

    Raises:
        BadInput: Something is wrong in it.
    """
    batch = read_batch(body, now)
    texts: dict[tuple[object, ...], str] = {}
    messages: list[tuple[Sequence[str], JasminSms, str]] = []
    for to, given in batch.messages:
        asked = structured(JasminSms, folded({**given, "to": to[:1]}))
        # Many have that of `globals`.
        coded = (asked.coding, asked.content, asked.hex_content)
        if coded not in texts:
            texts[coded] = _text(asked)
        messages.append((to, asked, texts[coded]))
    return batch, messages


def _batch_answer(done: Sequence[Accepted], batch: Batch) -> Answer:
    taken = [one for one in done if one.id]
    # A repeat of the request gets the same answer, which a number drawn by chance would change.
    data: dict[str, Any] = {"batchId": str(UUID(int=taken[0].id)), "messageCount": len(taken)}
    if batch.delay_s:
        data["scheduled"] = f"{batch.delay_s}s"
    return Answer(content=_json({"data": data}))


async def _wanted(
    call: Call,
    asked: JasminSms,
    to: Sequence[str],
    now: int,
    *,
    at: int | None = None,
    text: str | None = None,
) -> list[Wanted]:
    """Returns the messages that parameters ask for, one for each recipient.

    Args:
        call: The request.
        asked: Its parameters.
        to: The recipients.
        now: The time, in ms.
        at: When they are to be sent, where the parameters don't say.
        text: Their text, where it was read already.

    Raises:
        BadInput: Some are wrong.
    """
    if asked.sdt is not None and (at := smpp_ms(asked.sdt, now)) is None:
        raise refusal((FieldProblem("sdt", "is no time of SMPP: YYMMDDhhmmsstnn and +, - or R"),))
    callback = None
    if asked.dlr == "yes" and asked.dlr_url is not None:
        callback = Callback(
            shape="jasmin",
            url=asked.dlr_url,
            mask=asked.dlr_level,
            method="GET" if asked.dlr_method == "GET" else "POST",
            field="dlr-url",
        )
    minutes = asked.validity_period
    body = _text(asked) if text is None else text
    return [
        Wanted(
            to=number,
            body=body,
            sender=asked.from_,
            send_at=at,
            ttl_s=None if minutes is None else 60 * minutes,
            priority=asked.priority,
            callback=callback,
        )
        for number in await recipients(call, to)
    ]


def _text(asked: JasminSms | JasminText) -> str:
    try:
        return text_of(asked.coding, asked.content, asked.hex_content)
    except NotText as error:
        name = "content" if asked.hex_content is None else "hex-content"
        raise refusal((FieldProblem(name, str(error)),)) from None


async def rate(call: Call) -> Answer:
    """Says what a message would cost, which is nothing, and how many SMS it would be."""
    return Answer(content=_json(await _rate(call)), media=JSON_MEDIA)


async def rate_secure(call: Call) -> Answer:
    """Says the same, for the REST API."""
    return Answer(content=_json({"data": await _rate(call)}), media=JSON_MEDIA)


async def _rate(call: Call) -> Mapping[str, Any]:
    asked: JasminText = call.body
    await recipients(call, (asked.to,))
    is_empty = asked.content is None and asked.hex_content is None
    text = "" if is_empty else _text(asked)
    return {"unit_rate": 0.0, "submit_sm_count": count(text)}


async def balance(_: Call) -> Answer:
    """Says how much may be sent. There is no balance."""
    return Answer(content=_json(_BALANCE), media=JSON_MEDIA)


async def balance_secure(_: Call) -> Answer:
    """Says the same, for the REST API."""
    return Answer(content=_json({"data": _BALANCE}), media=JSON_MEDIA)


_BALANCE: Final = {"balance": UNLIMITED, "sms_count": UNLIMITED}


async def ping(_: Call) -> Answer:
    """Shows that this is a gateway that speaks as Jasmin does."""
    return Answer(content=b"Jasmin/PONG", media=PLAIN_MEDIA)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


# --- The table's part -------------------------------------------------------------------------

DIALECT: Final = Dialect(
    name="jasmin",
    title="Jasmin",
    text="For programs that send by the SMS gateway Jasmin, by its HTTP API or its REST API: "
    "Rocket.Chat (Mobex), RapidPro (JS). `username` is the OrgId and `password` its secret, or any "
    "name and an API key.",
    addresses=("/send", ""),
    login=Login(org_names=("username",), secret_names=("password",)),
    refuse=refuse,
    bases=("/secure",),
)


def _endpoint(name: str, method: str, path: str, summary: str, **more: Any) -> Endpoint:
    usual: dict[str, Any] = {
        "scope": "send",
        "group": f"dialect: {DIALECT.name}",
        "answer": None,
        "media": PLAIN_MEDIA,
        "dialect": DIALECT,
        "listed": False,
    }
    return Endpoint(
        name=f"jasmin_{name}",
        method=method,
        paths=(path,),
        summary=summary,
        **{**usual, **more},
    )


_SENDS: Final[Mapping[str, Any]] = {
    "description": "A text is sent in the alphabet that fits it, whatever coding it came in. With "
    "dlr-url, Jasmin's delivery reports are called.",
    "given": Given(type=JasminSms, read=read_send),
    "sends": True,
    "idempotent": True,
    "error_codes": SENDING_CODES,
}

_SENT: Final = "username=myorg&password=my-secret-key-123&to=15553334444&content=Hello"

ENDPOINTS: Final = (
    _endpoint("send", "GET", "/send", "Send one SMS", fast_path=True, handler=send_one, **_SENDS),
    _endpoint(
        "post",
        "POST",
        "/send",
        "Send one SMS by a form or JSON",
        fast_path=True,
        handler=send_one,
        examples=(
            Example(
                title="Send one SMS",
                path="/send",
                headers=(("Content-Type", "application/x-www-form-urlencoded"),),
                body=_SENT,
                answer='Success "7"',
            ),
        ),
        **_SENDS,
    ),
    _endpoint(
        "rate",
        "GET",
        "/rate",
        "Ask what an SMS would cost",
        given=Given(type=JasminText, read=read_send),
        media=JSON_MEDIA,
        handler=rate,
    ),
    _endpoint(
        "balance",
        "GET",
        "/balance",
        "Ask how much may be sent",
        given=Given(type=JasminAsker, read=read_send),
        media=JSON_MEDIA,
        handler=balance,
    ),
    _endpoint("ping", "GET", "/ping", "Ask whether it is there", scope=None, handler=ping),
    _endpoint(
        "secure_send",
        "POST",
        "/secure/send",
        "Send one SMS by JSON",
        media=JSON_MEDIA,
        handler=send_secure,
        **_SENDS,
    ),
    _endpoint(
        "secure_sendbatch",
        "POST",
        "/secure/sendbatch",
        "Send SMS to many",
        description="All messages are accepted, or none. callback_url and errback_url are not "
        "called.",
        media=JSON_MEDIA,
        raw_limit=BATCH_BYTES,
        sends=True,
        idempotent=True,
        error_codes=SENDING_CODES,
        handler=send_batch,
    ),
    _endpoint(
        "secure_rate",
        "GET",
        "/secure/rate",
        "Ask what an SMS would cost",
        given=Given(type=JasminText, read=read_send),
        media=JSON_MEDIA,
        handler=rate_secure,
    ),
    _endpoint(
        "secure_balance",
        "GET",
        "/secure/balance",
        "Ask how much may be sent",
        media=JSON_MEDIA,
        handler=balance_secure,
    ),
)

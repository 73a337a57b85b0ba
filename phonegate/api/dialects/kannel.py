"""The dialect of Kannel, the SMS gateway: `/cgi-bin/sendsms` of its smsbox (www.kannel.org).

Its words and statuses are those of `gw/smsbox.c`, version 1.4.5. A text without a charset is UTF-8
with coding 0, as Kannel has it since 1.4.4, Latin-1 with coding 1, and UTF-16BE with coding 2.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final

import attrs

from phonegate.api.convert import refusal
from phonegate.api.dialect import Dialect, Given, Refusal, Texts, Worded
from phonegate.api.dialects import coded_text
from phonegate.api.dialects.coded_text import NotText, Undecoded
from phonegate.api.dialects.sending import recipients, send
from phonegate.api.dialects.wanted import SENDING_CODES, Accepted, Wanted
from phonegate.api.endpoint import Answer, Call, Endpoint, Example
from phonegate.api.given import form_pairs, given_texts
from phonegate.api.messages_types import MAX_AHEAD_MS, MAX_TTL_S
from phonegate.http.login import Login
from phonegate.http.problem import PLAIN_MEDIA
from phonegate.model.bounds import MAX_URL
from phonegate.model.callbacks import MOST, Callback
from phonegate.model.refusals import FieldProblem
from phonegate.model.states import QUEUED
from phonegate.model.times import MINUTE_MS
from phonegate.typed_json.fields import Wrong, field
from phonegate.typed_json.rules import Text, Whole, Written

ACCEPTED: Final = b"0: Accepted for delivery"
BUFFERED: Final = b"3: Queued for later delivery"
"""It waits, as for a phone that is away."""

LOGIN_FAILED: Final = "Authorization failed for sendsms"
NOT_ROUTABLE: Final = "Not routable. Do not try again."
TEMPORAL: Final = "Temporal failure, try again later."
FAILED: Final = "Sending failed."
UNKNOWN: Final = "Unknown request."
WRONG_MEDIA: Final = "Unsupported content-type, rejected"
DENIED: Final = "Number(s) has/have been denied by white- and/or black-lists."
NO_RECEIVER: Final = "Missing receiver number, rejected"
EMPTY_RECEIVER: Final = "Empty receiver number not allowed, rejected"

MISFORMED: Final[Mapping[str, str]] = {
    "text": "Charset or body misformed, rejected",
    "charset": "Charset or body misformed, rejected",
    "udh": "UDH field misformed, rejected",
    "coding": "Coding field misformed, rejected",
    "priority": "Priority field misformed, rejected",
    "validity": "Validity field misformed, rejected",
    "ttl": "Validity field misformed, rejected",
    "deferred": "Deferred field misformed, rejected",
    "send_at": "Deferred field misformed, rejected",
    "dlr_mask": "DLR-Mask field misformed, rejected",
    "dlr_url": "DLR-URL field misformed, rejected",
    "dlr-url": "DLR-URL field misformed, rejected",
}
"""What Kannel says of a wrong parameter."""

SEVEN_BIT: Final = 0
EIGHT_BIT: Final = 1
UCS2: Final = 2

MOST_MINUTES: Final = MAX_TTL_S // 60
MOST_AHEAD: Final = MAX_AHEAD_MS // MINUTE_MS

_ALIASES: Final[Mapping[str, str]] = {
    "dlr-url": "dlr_url",
    "dlrurl": "dlr_url",
    "dlr-mask": "dlr_mask",
    "dlrmask": "dlr_mask",
}


@attrs.frozen
class NoHeader(Written):
    """A header within the text, as of ring tones and parts. Phones here make their own."""

    def read(self, value: object) -> str:
        """Returns nothing where there is nothing."""
        if value:
            raise Wrong("can't be sent: texts are divided by the phone")
        return ""


@attrs.frozen(kw_only=True)
class KannelSms:
    """What `/cgi-bin/sendsms` takes. Those of Kannel's that are not here are ignored."""

    to: tuple[str, ...] = field(
        "Numbers, with spaces or commas between.", example=["15553334444"], private=True
    )
    text: Annotated[str, Undecoded()] = field(
        "The text, in the bytes of its charset.", default="", example="Hello", private=True
    )
    from_: Annotated[str, Text(0, 64)] | None = field(
        "A number of the org. A name is ignored.", default=None
    )
    coding: Annotated[int, Whole(SEVEN_BIT, UCS2)] = field(
        "0: text is UTF-8; 1: Latin-1; 2: UTF-16BE. A text is sent in what fits it.", default=0
    )
    charset: Annotated[str, Text(0, 40)] | None = field(
        "The charset of text, where it is another.", default=None
    )
    udh: Annotated[str, NoHeader()] = field("Refused.", default="")
    priority: Annotated[int, Whole(0, 3)] = field("Higher ones leave first.", default=0)
    validity: Annotated[int, Whole(1, MOST_MINUTES)] | None = field("Minutes to try.", default=None)
    deferred: Annotated[int, Whole(0, MOST_AHEAD)] | None = field(
        "Minutes to wait before.", default=None
    )
    dlr_mask: Annotated[int, Whole(0, 63)] = field(
        "`dlr-mask`: which reports are wanted, as a sum of 1 delivered, 2 not delivered, "
        "4 queued, 8 taken, 16 not taken.",
        default=0,
    )
    dlr_url: Annotated[str, Text(8, MAX_URL)] | None = field(
        "`dlr-url`: what is called with the reports, with Kannel's escapes such as %d.",
        default=None,
    )


def read(body: bytes, headers: Mapping[str, str], query: Texts) -> Texts:
    """Reads the parameters of a query, and of a form.

    Raises:
        BadInput, UnsupportedMedia: The body can't be read.
    """
    pairs = [(name, value) for name, values in query.items() for value in values]
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and media in {"", "application/x-www-form-urlencoded"} and body.lstrip()[:1] != b"{":
        pairs += form_pairs(body, "surrogateescape")
    else:
        more = given_texts(body, headers, {})
        pairs += [(name, value) for name, values in more.items() for value in values]
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(_ALIASES.get(name, name), []).append(value)
    return found


def text_of(text: str, coding: int, charset: str | None) -> str:
    """Returns the text of a message.

    Raises:
        NotText: It can't be read in its charset.
    """
    data = coded_text.raw(text)
    if charset:
        return coded_text.by_charset(data, charset)
    if coding == UCS2:
        return coded_text.ucs2(data)
    return coded_text.latin1(data) if coding == EIGHT_BIT else coded_text.utf8(text)


def receivers(texts: Sequence[str]) -> list[str]:
    """Returns the numbers of `to`. Spaces divide them, and may stand within one that has a plus."""
    found: list[str] = []
    for text in texts:
        for part in text.split(","):
            words = part.split()
            if all(_is_whole(word) for word in words):
                found += words
            else:
                found.append(part)
    return found


SHORTEST: Final = 7
"""Digits of a number that is not a part of one."""


def _is_whole(word: str) -> bool:
    return sum(map(str.isdecimal, word)) >= SHORTEST


async def send_sms(call: Call) -> Answer:
    """Sends a text to all receivers, or to none."""
    asked: KannelSms = call.body
    try:
        text = text_of(asked.text, asked.coding, asked.charset)
    except NotText as error:
        raise refusal((FieldProblem("text", str(error)),)) from None
    numbers = await recipients(call, receivers(asked.to))
    callback = None
    if asked.dlr_url is not None and (mask := asked.dlr_mask & MOST["kannel"]):
        callback = Callback(
            shape="kannel", url=asked.dlr_url, mask=mask, method="GET", field="dlr-url"
        )
    deferred = None if not asked.deferred else asked.deferred * MINUTE_MS
    wanted = [
        Wanted(
            to=number,
            body=text,
            sender=asked.from_,
            send_at=None if deferred is None else call.services.now_ms() + deferred,
            ttl_s=None if asked.validity is None else 60 * asked.validity,
            priority=asked.priority,
            callback=callback,
        )
        for number in numbers
    ]
    answer = await send(DIALECT, call, wanted, render)
    return attrs.evolve(answer, media=PLAIN_MEDIA)


def render(done: Sequence[Accepted]) -> Answer:
    """Returns the answer to messages that were accepted."""
    waits = any(one.status == QUEUED for one in done)
    return Answer(status=HTTPStatus.ACCEPTED, content=BUFFERED if waits else ACCEPTED)


def refuse(refusal: Refusal) -> Worded:
    """Words an error in one line, and what a person may do about it in the next."""
    status, text = _words(refusal)
    more = f"\n{refusal.detail}" if refusal.status != HTTPStatus.UNAUTHORIZED else ""
    return Worded(status=status, body=f"{text}{more}".encode("utf-8", "replace"), media=PLAIN_MEDIA)


_BY_CODE: Final[Mapping[str, tuple[int, str]]] = {
    "unauthorized": (HTTPStatus.FORBIDDEN, LOGIN_FAILED),
    "forbidden": (HTTPStatus.FORBIDDEN, LOGIN_FAILED),
    "recipient_not_allowed": (HTTPStatus.BAD_REQUEST, DENIED),
    "unknown_sim": (HTTPStatus.FORBIDDEN, NOT_ROUTABLE),
    "batch_over_key_limit": (HTTPStatus.FORBIDDEN, NOT_ROUTABLE),
    "not_found": (HTTPStatus.NOT_FOUND, UNKNOWN),
    "method_not_allowed": (HTTPStatus.METHOD_NOT_ALLOWED, UNKNOWN),
    "unsupported_media_type": (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, WRONG_MEDIA),
    "too_large": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, MISFORMED["text"]),
}
"""The status and the words for each code of an error."""

_LATER: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


def _words(refusal: Refusal) -> tuple[int, str]:
    if refusal.code in {"bad_input", "address_refused"}:
        return HTTPStatus.BAD_REQUEST, _misformed(refusal)
    if refusal.status in _LATER:
        return HTTPStatus.SERVICE_UNAVAILABLE, TEMPORAL
    is_fault = refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return _BY_CODE.get(refusal.code, (refusal.status, FAILED if is_fault else UNKNOWN))


def _misformed(refusal: Refusal) -> str:
    if not refusal.problems:
        return MISFORMED["text"]
    problem = refusal.problems[0]
    if problem.field == "to":
        if "to" not in refusal.given:
            return NO_RECEIVER
        return DENIED if any(map(str.strip, refusal.given["to"])) else EMPTY_RECEIVER
    return MISFORMED.get(problem.field, MISFORMED["text"])


# --- The table's part -------------------------------------------------------------------------

DIALECT: Final = Dialect(
    name="kannel",
    title="Kannel",
    text="For programs that send by Kannel's smsbox: RapidPro (KN), sachet. `username` is the "
    "OrgId and `password` its secret, or any name and an API key.",
    addresses=("/cgi-bin/sendsms",),
    login=Login(org_names=("username", "user"), secret_names=("password", "pass")),
    refuse=refuse,
    bases=("/cgi-bin",),
)

_USUAL: Final[Mapping[str, Any]] = {
    "paths": ("/cgi-bin/sendsms",),
    "scope": "send",
    "group": f"dialect: {DIALECT.name}",
    "answer": None,
    "media": PLAIN_MEDIA,
    "statuses": (HTTPStatus.ACCEPTED.value,),
    "error_codes": SENDING_CODES,
    "idempotent": True,
    "dialect": DIALECT,
    "given": Given(type=KannelSms, read=read),
    "sends": True,
    "fast_path": True,
    "listed": False,
    "description": "A text is sent in the alphabet that fits it, whatever coding it came in. Of a "
    "list of receivers all are accepted, or none. With dlr-mask and dlr-url, Kannel's delivery "
    "reports are called. smsc, mclass, account, binfo and what is unknown are ignored.",
    "handler": send_sms,
}

ENDPOINTS: Final = (
    Endpoint(name="kannel_sendsms", method="GET", summary="Send an SMS", **_USUAL),
    Endpoint(
        name="kannel_sendsms_post",
        method="POST",
        summary="Send an SMS by a form",
        examples=(
            Example(
                title="Send an SMS",
                path="/cgi-bin/sendsms",
                headers=(("Content-Type", "application/x-www-form-urlencoded"),),
                body="username=myorg&password=my-secret-key-123&to=15553334444&text=Hello",
                answer="3: Queued for later delivery",
                status=HTTPStatus.ACCEPTED.value,
            ),
        ),
        **_USUAL,
    ),
)

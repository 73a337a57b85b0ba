"""`GET|POST /sms`, and Uptime Kuma's address: an SMS in whatever form a program writes it."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Final

import attrs

from phonegate.api.convert import CONVERTER, refusal
from phonegate.api.dialect import Dialect, Given, Refusal, Worded
from phonegate.api.dialects.generic import teltonika_answers, textbee_answers
from phonegate.api.dialects.generic.answers import (
    SmsAccepted,
    SmsResult,
    json_refused,
    reason_of,
    text_accepted,
    text_refused,
    wants_text,
)
from phonegate.api.dialects.generic.bodies import read_given
from phonegate.api.dialects.generic.names import KEY_PARAMETERS, ORG_PARAMETERS
from phonegate.api.dialects.sending import recipients, send
from phonegate.api.dialects.wanted import SENDING_CODES, Accepted, CarrierFailed, Wanted
from phonegate.api.endpoint import Answer, Call, Endpoint, Example
from phonegate.api.messages_types import MAX_TTL_S
from phonegate.api.presenters import APPROVAL
from phonegate.api.rules import Moment, SimSelector, WebAddress
from phonegate.domain.routing import is_slot
from phonegate.http.login import Login
from phonegate.http.problem import JSON_MEDIA, PLAIN_MEDIA
from phonegate.http.refusals import CODES, FIRST_ERROR
from phonegate.model.bounds import MAX_LABEL, MAX_MEDIA, MAX_RECEIVED
from phonegate.model.refusals import FieldProblem
from phonegate.model.states import FAILED
from phonegate.typed_json.fields import Wrong, field
from phonegate.typed_json.rules import Text, Whole

NO_RECIPIENT: Final = "is required, by this name or as number, phone, recipient or mobile"
NO_TEXT: Final = "is required, by this name or as message, msg, content or body"

_MEDIA: Final = WebAddress()


@attrs.frozen(kw_only=True)
class GenericSms:
    """An SMS as programs ask for it. Names are compared without regard to case and marks."""

    to: tuple[str, ...] | None = field(
        "Required. The recipients, up to 500: numbers in any form, one by one, as a list, or with "
        "commas or semicolons between. Also `number`, `phone`, `recipient`, `phoneNumber`, "
        "`mobile`, `receiver`, `destination`, `target`, `tel`, `msisdn`, each with an s too.",
        default=None,
        example=["+15553334444"],
    )
    text: Annotated[str, Text(1, MAX_RECEIVED)] | None = field(
        "Required, unless there are media. The text, up to 255 segments. Also `message`, `msg`, "
        "`content`, `body`; the first of `message`, `text`, `msg`, `content`, `body` that is not "
        "empty counts.",
        default=None,
        example="Backup failed",
        private=True,
    )
    title: Annotated[str, Text(1, MAX_RECEIVED)] | None = field(
        "Stands before the text, in a line of its own. Also `subject`.", default=None, private=True
    )
    from_: Annotated[str, Text(1, MAX_LABEL)] | None = field(
        "The number that sends: of a SIM of the org, or of an assistant. A name leaves the choice "
        "to the gateway. Also `sender`, `originator`.",
        default=None,
        private=True,
    )
    sim: Annotated[str, SimSelector()] | None = field(
        "The SIM, by its number or slot index, where no sender is given.", default=None
    )
    ttl: Annotated[int, Whole(1, MAX_TTL_S)] | None = field(
        "Seconds to try before it is given up; up to 30 days.", default=None
    )
    send_at: Annotated[int, Moment()] | None = field(
        "Not before this time: ISO 8601 with an offset, or seconds or milliseconds since 1970. "
        "Also `date`.",
        default=None,
    )
    priority: Annotated[int, Whole(-128, 127)] = field(
        "Higher ones leave first: -128 to 127, or low, normal, high.", default=0
    )
    media_urls: tuple[str, ...] | None = field(
        "Media for an MMS: up to 10 http or https URLs.", default=None, private=True
    )
    format: Annotated[str, Text(0, MAX_LABEL)] | None = field(
        "`text`: the answer is a line of text, also by `responsetype=text` or by an `Accept` that "
        "begins with text/plain.",
        default=None,
        example="json",
    )


async def wanted_of(call: Call) -> list[Wanted]:
    """Returns what a request asks for.

    Raises:
        BadInput: Something is wrong in it. All of it is named.
    """
    sms: GenericSms = call.body
    media = sms.media_urls or ()
    wrong = [problem for url in enumerate(media) if (problem := _media_problem(*url))]
    if len(media) > MAX_MEDIA:
        wrong.append(
            FieldProblem("media_urls", f"holds {len(media)}, at most {MAX_MEDIA} are sent")
        )
    text = "\n".join(filter(None, ((sms.title or "").strip(), sms.text)))
    if not sms.to:
        wrong.append(FieldProblem("to", NO_RECIPIENT))
    if not text and not media:
        wrong.append(FieldProblem("text", NO_TEXT))
    if wrong:
        raise refusal(tuple(wrong))
    sim = sms.sim or ""
    slot = int(sim) if is_slot(sim) else None
    sender = sms.from_ or (sim if slot is None else "") or None
    return [
        Wanted(
            to=to,
            body=text,
            sender=sender,
            slot=slot,
            send_at=sms.send_at,
            ttl_s=sms.ttl,
            priority=sms.priority,
            media_urls=media,
        )
        for to in await recipients(call, sms.to or ())
    ]


async def send_sms(call: Call) -> Answer:
    """Sends an SMS to each of its recipients."""
    as_text = wants_text({"format": [call.body.format or ""]}, call.request.headers)
    answer = await send(DIALECT, call, await wanted_of(call), partial(_answer, as_text=as_text))
    content: bytes = answer.content
    # One that was given before may be of the other kind.
    is_json = content.startswith(b"{")
    if is_json and as_text and answer.status >= FIRST_ERROR:
        content, is_json = text_refused(reason_of(content)), False
    return attrs.evolve(answer, content=content, media=JSON_MEDIA if is_json else PLAIN_MEDIA)


def _answer(accepted: Sequence[Accepted], *, as_text: bool) -> Answer:
    failed = all_failed(accepted)
    if failed is not None:
        return failed
    results = [
        SmsResult(
            id=one.id or None,
            to=one.to,
            status=one.status,
            waiting_for=APPROVAL if one.held else None,
            error=one.error,
        )
        for one in accepted
    ]
    if as_text:
        return Answer(content=text_accepted(results))
    return Answer(content=CONVERTER.encode(SmsAccepted.of(results)))


def all_failed(accepted: Sequence[Accepted]) -> Answer | None:
    """Returns the error where a carrier took none of the messages, and else None."""
    if not all(one.status == FAILED for one in accepted):
        return None
    code = CarrierFailed.code
    detail = next((one.error for one in accepted if one.error), "The carrier took none of them.")
    return Answer(status=CODES[code].status, content=json_refused(code, detail, [], {}))


def _media_problem(index: int, url: str) -> FieldProblem | None:
    try:
        _MEDIA.read(url)
    except Wrong as error:
        return FieldProblem(f"media_urls[{index}]", str(error))
    return None


def refuse(refusal: Refusal) -> Worded:
    """Words an error as the client looks for it."""
    if (refusal.endpoint or "").startswith("textbee_"):
        body = textbee_answers.refused(refusal.detail)
        return Worded(status=refusal.status, body=body, media=JSON_MEDIA)
    if (refusal.endpoint or "").startswith("teltonika_"):
        source = "Authentication" if refusal.endpoint == "teltonika_login" else "Messages"
        body = teltonika_answers.refused(refusal.status, refusal.detail, source)
        return Worded(status=refusal.status, body=body, media=JSON_MEDIA)
    if wants_text(refusal.given, refusal.headers):
        return Worded(status=refusal.status, body=text_refused(refusal.detail), media=PLAIN_MEDIA)
    problems = [(one.field, one.problem) for one in refusal.problems]
    body = json_refused(refusal.code, refusal.detail, problems, refusal.limit)
    return Worded(status=refusal.status, body=body, media=JSON_MEDIA)


# --- The table's part -------------------------------------------------------------------------

DIALECT: Final = Dialect(
    name="generic",
    title="Generic SMS",
    text="For programs that let you write the address and the names of its parameters, or speak "
    "of an *HTTP SMS gateway*: Home Assistant, Keycloak, ERPNext, WordPress, LibreNMS, Traccar, "
    "RapidPro, authentik, Zabbix; and for the *SMSGateway* and *Teltonika* of Uptime "
    "Kuma and programs of textbee. "
    "An SMS may stand in the query, in a form, in JSON, or be a plain text with the number in the "
    "query.",
    addresses=("/sms", ""),
    login=Login(headers=("x-api-key",), org_names=ORG_PARAMETERS, secret_names=KEY_PARAMETERS),
    refuse=refuse,
)

GIVEN: Final = Given(type=GenericSms, read=read_given)

_ANSWER: Final = (
    '{"ok":true,"status":"queued","id":7,"ids":[7],"results":[{"id":7,"to":"+15553334444",'
    '"status":"queued"}],"message":"OK"}'
)


def _endpoint(name: str, method: str, path: str, summary: str, **more: Any) -> Endpoint:
    settled: dict[str, Any] = {
        "scope": "send",
        "group": f"dialect: {DIALECT.name}",
        "listed": False,
        "answer": SmsAccepted,
        "error_codes": SENDING_CODES,
        "idempotent": True,
        "dialect": DIALECT,
        "given": GIVEN,
        "sends": True,
        "fast_path": True,
        "handler": send_sms,
    }
    return Endpoint(name=name, method=method, paths=(path,), summary=summary, **{**settled, **more})


_KEY: Final = ("X-API-Key", "YOUR_API_KEY")
_BASIC: Final = ("Authorization", "Basic bXlvcmc6bXktc2VjcmV0LWtleS0xMjM=")
_JSON: Final = ("Content-Type", "application/json")

ENDPOINTS: Final = (
    _endpoint(
        "generic_send_by_get",
        "GET",
        "/sms",
        "Send an SMS by a link",
        description="For programs that know nothing but an address to open. It takes an API key "
        "alone whose only scope is send: in a header, as `key`, `token`, `api_key` or "
        "`access_token`, or as `password` beside any `user`. A browser that opens it ahead "
        "of a click, and pages of other sites, send nothing. With `responsetype=text` the "
        "answer is a line, such as `OK; ID=7` or `ERROR: to is required.`",
        examples=(
            Example(
                title="a link",
                path="/sms?key=YOUR_API_KEY&to=%2B15553334444&text=Backup+failed",
                answer=_ANSWER,
            ),
        ),
        media=PLAIN_MEDIA,
    ),
    _endpoint(
        "generic_send",
        "POST",
        "/sms",
        "Send an SMS in any form",
        description="The parameters may stand in the query, in a form (urlencoded or multipart) or "
        "in JSON, which may be declared as a form or as text; line ends within a text of JSON need "
        "no escaping. A body of text/plain is the text itself where the query has the number.",
        examples=(
            Example(
                title="a form",
                path="/sms",
                headers=(
                    _BASIC,
                    ("Content-Type", "application/x-www-form-urlencoded"),
                ),
                body="number=%2B15553334444&message=Backup+failed",
                answer=_ANSWER,
            ),
            Example(
                title="JSON",
                path="/sms",
                headers=(_KEY, _JSON),
                body='{"to":["+15553334444"],"text":"Backup failed"}',
                answer=_ANSWER,
            ),
        ),
        media=PLAIN_MEDIA,
    ),
    _endpoint(
        "uptime_kuma_send",
        "POST",
        "/api/v1/sms/send",
        "Send an SMS for Uptime Kuma",
        description="What *SMSGateway* of Uptime Kuma calls. Its *URL* is the gateway's own "
        "address, its *API key* one with the scope send.",
        examples=(
            Example(
                title="a notification",
                path="/api/v1/sms/send",
                headers=(_KEY, _JSON),
                body='{"to":"+15553334444","body":"[web] [DOWN] timeout"}',
                answer=_ANSWER,
            ),
        ),
    ),
)

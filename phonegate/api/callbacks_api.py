"""What carriers call: states of messages that they carry, and messages for our numbers.

Only whoever knows the address may call, and the call must bear its carrier's signature. It is
answered once everything of it is committed, so that the carrier tries again what got lost.
"""

import hmac
from typing import Final

import attrs

from phonegate import log
from phonegate.api.endpoint import Answer, Call, Endpoint
from phonegate.api.errors import ROOM_CODES
from phonegate.carriers import callbacks
from phonegate.carriers.callbacks import BadSignature, MalformedCallback, SignatureUnsupported
from phonegate.domain.carrier import InboundReport, StatusReport
from phonegate.domain.carrier_sending import MESSAGE_FIELD
from phonegate.model.assistants import Assistant
from phonegate.model.bounds import MAX_ID
from phonegate.model.refusals import BadInput, Forbidden
from phonegate.typed_json.fields import Wrong, field
from phonegate.typed_json.rules import Whole

MAX_CALL_BYTES: Final = 262_144
"""Twilio's calls have some 2 kB, Telnyx's up to 30."""

TWIML: Final = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'
"""Tells Twilio to answer nothing to whoever wrote."""
TWIML_MEDIA: Final = "text/xml"

REFUSED: Final = "This address takes no calls like this one."
"""The same for a wrong token as for a wrong signature."""

MAX_ADDRESS: Final = 2_048
"""Characters of a callback address that are worth checking a signature of."""

_log = log.get("callbacks")

Report = StatusReport | InboundReport | None


@attrs.frozen(kw_only=True)
class Taken:
    """The call was understood."""

    ok: bool = field("Always true.", default=True, example=True)


async def from_twilio(call: Call) -> Answer:
    """Takes a call of Twilio's."""
    assistant = await _assistant(call, "twilio")
    report = _read_twilio(call, assistant)
    await _store(call, assistant, report)
    if isinstance(report, InboundReport):
        return Answer(content=TWIML, media=TWIML_MEDIA)
    return Answer(content=Taken())


async def from_telnyx(call: Call) -> Answer:
    """Takes a call of Telnyx's."""
    assistant = await _assistant(call, "telnyx")
    try:
        report = callbacks.read_telnyx(
            headers=call.request.headers,
            body=call.request.body,
            public_key=assistant.credentials.get("public_key"),
            now=call.services.now_ms(),
        )
    except MalformedCallback as error:
        raise BadInput(f"This is no event of Telnyx's: {error}.") from None
    except (BadSignature, SignatureUnsupported) as error:
        raise _refused(assistant, error) from None
    await _store(call, assistant, report)
    return Answer(content=Taken())


async def _assistant(call: Call, provider: str) -> Assistant:
    """The assistant that the address is of.

    Raises:
        Forbidden: there is none, or the token is not its own.
    """
    try:
        number = Whole(1, MAX_ID).read_text(call.path["id"])
    except Wrong:
        raise Forbidden(REFUSED) from None
    assistant: Assistant | None = await call.services.database.read(
        lambda tx: tx.assistants.get(number)
    )
    token = "" if assistant is None else assistant.token
    right = hmac.compare_digest(token.encode(), call.path["token"].encode())
    if assistant is None or not right or assistant.provider != provider:
        raise Forbidden(REFUSED)
    return assistant


def _read_twilio(call: Call, assistant: Assistant) -> Report:
    """What the call says, once its signature fits one of the addresses that it may have had."""
    problem: Exception | None = None
    for address in _addresses(call, assistant):
        try:
            return callbacks.read_twilio(
                url=address,
                headers=call.request.headers,
                body=call.request.body,
                auth_token=assistant.credentials.get("auth_token", ""),
            )
        except MalformedCallback as error:
            raise BadInput(f"This is no call of Twilio's: {error}.") from None
        except BadSignature as error:
            problem = problem or error
    raise _refused(assistant, problem)


def _addresses(call: Call, assistant: Assistant) -> list[str]:
    """The whole address as Twilio may have been given it: ours, or as its own request has it."""
    query = f"?{call.request.query}" if call.request.query else ""
    found = []
    if (handed_out := call.services.assistants.callback_url(assistant)) is not None:
        found.append(handed_out + query)
    host = call.request.headers.get("host", "")
    found += [f"{scheme}://{host}{call.request.path}{query}" for scheme in ("https", "http")]
    return [address for address in found if len(address) <= MAX_ADDRESS]


def _refused(assistant: Assistant, problem: Exception | None) -> Forbidden:
    _log.warning("callback_refused", assistant=assistant.id, reason=str(problem))
    return Forbidden(REFUSED)


async def _store(call: Call, assistant: Assistant, report: Report) -> None:
    if report is None:
        return
    if isinstance(report, InboundReport):
        call.services.cleaned.update(report.cleaned)
        await call.services.carrier_sending.receive(assistant, report)
    else:
        await call.services.carrier_sending.apply(
            assistant, report, _message_id(call.request.query)
        )


def _message_id(query: str) -> int | None:
    """The message that a report was asked for, from its address."""
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name == MESSAGE_FIELD:
            try:
                return Whole(1, MAX_ID).read_text(value)
            except Wrong:
                return None
    return None


# --- The table's part -------------------------------------------------------------------------

ENDPOINTS: Final = (
    Endpoint(
        name="twilio_callback",
        method="POST",
        paths=("/callbacks/twilio/{id}/{token}",),
        scope=None,
        knows_caller=True,
        group="callbacks",
        summary="What Twilio calls",
        description="The address is an assistant's callback_url. States of messages come here by "
        "themselves; for inbound messages, set it as the webhook of the number or messaging "
        "service. Each call must bear Twilio's X-Twilio-Signature.",
        raw_limit=MAX_CALL_BYTES,
        raw_media="application/x-www-form-urlencoded",
        answer=Taken,
        media=TWIML_MEDIA,
        error_codes=("forbidden", *ROOM_CODES),
        handler=from_twilio,
    ),
    Endpoint(
        name="telnyx_callback",
        method="POST",
        paths=("/callbacks/telnyx/{id}/{token}",),
        scope=None,
        knows_caller=True,
        group="callbacks",
        summary="What Telnyx calls",
        description="The address is an assistant's callback_url. States of messages come here by "
        "themselves; for inbound messages, set it as the webhook of the messaging profile. With "
        "the public_key of the account each call must bear Telnyx's signature.",
        raw_limit=MAX_CALL_BYTES,
        answer=Taken,
        error_codes=("forbidden", *ROOM_CODES),
        handler=from_telnyx,
    ),
)

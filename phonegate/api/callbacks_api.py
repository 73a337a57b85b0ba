"""The addresses that carriers call with the states of messages, and with messages for our numbers.

A call needs the assistant's own address and its carrier's signature. It is answered once all of it
is committed, so that the carrier repeats what got lost.
"""

import hmac
from functools import partial
from typing import Final

import attrs

from phonegate import log
from phonegate.api.endpoint import Answer, Call, Endpoint
from phonegate.api.errors import ROOM_CODES
from phonegate.carriers.provider import Callback, CallbackError, MalformedCallback, Provider
from phonegate.carriers.registry import CARRIERS
from phonegate.domain.carrier import InboundReport, StatusReport
from phonegate.domain.carrier_sending import MESSAGE_FIELD
from phonegate.model.assistants import Assistant
from phonegate.model.bounds import MAX_ID
from phonegate.model.refusals import BadInput, Forbidden
from phonegate.typed_json.fields import Wrong, field
from phonegate.typed_json.rules import Whole

MAX_CALL_BYTES: Final = 262_144
"""Twilio's calls have some 2 kB, Telnyx's up to 30."""

REFUSED: Final = "This address takes no calls like this one."
"""Says the same of a wrong token as of a wrong signature."""

MAX_ADDRESS: Final = 2_048
"""Characters of the longest address whose signature is checked."""

_log = log.get("callbacks")

Report = StatusReport | InboundReport | None


@attrs.frozen(kw_only=True)
class Taken:
    """The call was understood."""

    ok: bool = field("Always true.", default=True, example=True)


async def receive(call: Call, *, carrier: Provider) -> Answer:
    """Takes a callback of one carrier."""
    assistant = await _assistant(call, carrier.name)
    try:
        report = carrier.callbacks.read(
            Callback(
                addresses=_addresses(call, assistant),
                headers=call.request.headers,
                body=call.request.body,
                credentials=assistant.credentials,
                now=call.services.now_ms(),
            )
        )
    except MalformedCallback as error:
        text = f"This is no {carrier.callbacks.noun} of {carrier.title}'s: {error}."
        raise BadInput(text) from None
    except CallbackError as error:
        _log.warning("callback_refused", assistant=assistant.id, reason=str(error))
        raise Forbidden(REFUSED) from None
    await _store(call, assistant, report)
    if isinstance(report, InboundReport) and carrier.callbacks.received is not None:
        media, content = carrier.callbacks.received
        return Answer(content=content, media=media)
    return Answer(content=Taken())


async def _assistant(call: Call, provider: str) -> Assistant:
    """Finds the assistant whose address was called.

    Raises:
        Forbidden: There is none, or the token is not its own.
        OrgSuspended: Its org is not served now. The carrier repeats the call.
    """
    try:
        number = Whole(1, MAX_ID).read_text(call.path["id"])
    except Wrong:
        raise Forbidden(REFUSED) from None
    assistant = await call.services.assistants.find(number)
    token = "" if assistant is None else assistant.token
    right = hmac.compare_digest(token.encode(), call.path["token"].encode())
    if assistant is None or not right or assistant.provider != provider:
        raise Forbidden(REFUSED)
    call.services.accounts.authentication.require_served(assistant.org)
    return assistant


def _addresses(call: Call, assistant: Assistant) -> tuple[str, ...]:
    """Gives the whole addresses that the carrier may have called.

    They are the one that it was given, and those that its request names, since a proxy may have
    changed the scheme.
    """
    query = f"?{call.request.query}" if call.request.query else ""
    found = []
    if (handed_out := call.services.assistants.callback_url(assistant)) is not None:
        found.append(handed_out + query)
    host = call.request.headers.get("host", "")
    found += [f"{scheme}://{host}{call.request.path}{query}" for scheme in ("https", "http")]
    return tuple(address for address in found if len(address) <= MAX_ADDRESS)


async def _store(call: Call, assistant: Assistant, report: Report) -> None:
    if report is None:
        return
    if isinstance(report, InboundReport):
        call.services.cleaned.update(report.cleaned)
        await call.services.carrier_reports.receive(assistant, report)
    else:
        await call.services.carrier_reports.apply(
            assistant, report, _message_id(call.request.query)
        )


def _message_id(query: str) -> int | None:
    """Reads the message that a report was asked for from its address."""
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name == MESSAGE_FIELD:
            try:
                return Whole(1, MAX_ID).read_text(value)
            except Wrong:
                return None
    return None


# --- The table's part -------------------------------------------------------------------------


def _endpoint(carrier: Provider) -> Endpoint:
    callbacks = carrier.callbacks
    return Endpoint(
        name=f"{carrier.name}_callback",
        method="POST",
        paths=(f"/callbacks/{carrier.name}/{{id}}/{{token}}",),
        scope=None,
        knows_caller=True,
        group="callbacks",
        summary=f"What {carrier.title} calls",
        description="The address is an assistant's callback_url. States of messages come here by "
        f"themselves; for inbound messages, set it as the webhook of {callbacks.setup}",
        raw_limit=MAX_CALL_BYTES,
        raw_media=callbacks.media,
        answer=Taken,
        media=None if callbacks.received is None else callbacks.received[0],
        error_codes=("forbidden", *ROOM_CODES),
        handler=partial(receive, carrier=carrier),
    )


ENDPOINTS: Final = tuple(_endpoint(carrier) for carrier in CARRIERS.values())

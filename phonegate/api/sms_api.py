"""`POST /sms/send`: one message from one of the org's numbers, by its carrier or phone."""

from functools import partial
from math import ceil
from typing import Final

from phonegate.api.assistants_types import OrgQuery
from phonegate.api.convert import CONVERTER, refusal
from phonegate.api.endpoint import (
    Answer,
    Call,
    Endpoint,
    Example,
)
from phonegate.api.errors import LIMIT_CODES, NOT_ALLOWED, FieldsRefused
from phonegate.api.idempotency_key import once
from phonegate.api.messages_types import MAX_AHEAD_MS, TOO_FAR_AHEAD
from phonegate.api.sms_types import SmsFailed, SmsSend, SmsSent
from phonegate.carriers.registry import CARRIERS, alternatives
from phonegate.domain.carrier_answers import Answered, CarrierSent
from phonegate.domain.carrier_sending import Draft
from phonegate.domain.idempotency import Keep
from phonegate.model.refusals import FieldProblem, RecipientNotAllowed
from phonegate.model.states import QUEUED

ROUTE: Final = "sms_send"


async def send(call: Call) -> Answer:
    """Sends a message. Answers once its provider has taken or refused it."""
    body: SmsSend = call.body
    if body.send_at is not None and body.send_at > call.services.now_ms() + MAX_AHEAD_MS:
        raise refusal((FieldProblem("send_at", TOO_FAR_AHEAD),))
    draft = Draft(
        sender=body.from_phone_number,
        to=body.to_phone_number,
        body=body.message,
        media_urls=body.media_urls or (),
        ttl_s=body.ttl,
        send_at=body.send_at,
    )
    service = call.services.carrier_sending

    async def accept(keep: Keep[Answered] | None) -> Answered:
        try:
            return await service.send(call.caller, draft, keep=keep)
        except RecipientNotAllowed as error:
            problem = FieldProblem("to_phone_number", NOT_ALLOWED)
            raise FieldsRefused(error, [problem]) from None

    return await once(
        call,
        ROUTE,
        partial(_asked, draft),
        accept,
        _answer,
        recall=partial(service.recall, call.caller.org),
    )


def _asked(draft: Draft) -> list[object]:
    """Returns what two requests under one Idempotency-Key must have in common."""
    return [draft.sender, draft.to, draft.body, draft.media_urls, draft.ttl_s, draft.send_at]


def _answer(answered: Answered) -> Answer:
    status, content = _render(answered)
    headers: tuple[tuple[str, str], ...] = ()
    if not isinstance(answered, CarrierSent) and answered.retry_after_s is not None:
        headers = (("Retry-After", str(max(1, ceil(answered.retry_after_s)))),)
    return Answer(status=status, content=content, headers=headers)


def _render(answered: Answered) -> tuple[int, bytes]:
    if isinstance(answered, CarrierSent):
        sent = SmsSent(
            message_id=answered.message_id,
            message=_sentence(answered),
            provider=answered.provider,
            eta_s=answered.eta_s,
        )
        return 200, CONVERTER.encode(sent)
    failed = SmsFailed(
        detail=f"Failed to send SMS via {answered.provider}",
        code="outcome_unknown" if answered.uncertain else "provider_failed",
        provider=answered.provider,
        provider_code=answered.code,
        reason=answered.reason,
        id=answered.id,
    )
    return 500, CONVERTER.encode(failed)


def _sentence(answered: CarrierSent) -> str:
    if answered.held:
        return f"SMS accepted, waiting for approval to be sent via {answered.provider}"
    if answered.status == QUEUED:
        return f"SMS accepted, waiting to be sent via {answered.provider}"
    return f"SMS sent successfully via {answered.provider}"


# --- The table's part -------------------------------------------------------------------------

_HEADERS: Final = (
    ("Authorization", "Bearer YOUR_API_KEY"),
    ("Content-Type", "application/json"),
)

ENDPOINTS: Final = (
    Endpoint(
        name="send_sms_from_number",
        method="POST",
        paths=("/sms/send",),
        scope="send",
        group="assistants",
        summary="Send an SMS or MMS from one of your numbers",
        description="The sender's number decides who carries it: the assistant that owns the "
        f"number says by which provider ({alternatives(CARRIERS)}), and a number of one of the "
        "org's own "
        "SIMs is sent by its phone. Needs an API key with the scope send. 500 when the provider "
        "refused it, or could not be reached in time; reason then tells more. With a send_at in "
        "the future the message is accepted and waits.",
        query=OrgQuery,
        body=SmsSend,
        answer=SmsSent,
        error_codes=(
            "not_found",
            "unknown_sim",
            "conflict",
            "idempotency_key_reused",
            "provider_failed",
            "outcome_unknown",
            *LIMIT_CODES,
        ),
        idempotent=True,
        examples=(
            Example(
                title="a message with a picture",
                path="/sms/send",
                headers=_HEADERS,
                body="""{
  "from_phone_number": "+1234567890",
  "to_phone_number": "+1555123456",
  "message": "Hello! This is a follow-up message from your AI assistant.",
  "media_urls": ["https://example.com/image.jpg"]
}""",
                answer='{"success":true,"message_id":"SM1234567890abcdef",'
                '"message":"SMS sent successfully via telnyx","provider":"telnyx"}',
            ),
        ),
        fast_path=True,
        handler=send,
    ),
)

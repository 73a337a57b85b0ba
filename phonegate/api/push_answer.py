"""The answer to a push of received SMS."""

from phonegate.api.field_names import MAX_PROBLEMS
from phonegate.api.messages_types import WebhookAnswer
from phonegate.api.presenters import FieldError
from phonegate.api.reported_types import Batch
from phonegate.domain.inbox import Receipt
from phonegate.domain.received_sms import Unread


def push_answer(org_name: str, batch: Batch, receipt: Receipt) -> WebhookAnswer:
    """Makes the answer: what was stored, and what of it could not be read."""
    unread = batch.unread
    return WebhookAnswer(
        org_id=org_name,
        stored=receipt.stored,
        duplicates=receipt.duplicates or None,
        refused=len(unread) or None,
        errors=tuple(_field_error(at, one) for at, one in unread[:MAX_PROBLEMS]) or None,
    )


def _field_error(at: int, one: Unread) -> FieldError:
    field = f"messages[{at}].{one.field}" if one.field else f"messages[{at}]"
    return FieldError(field=field, problem=one.problem)

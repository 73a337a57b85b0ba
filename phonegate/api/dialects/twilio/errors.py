"""Words errors as Twilio does: its JSON, with its own number of what went wrong. Pure.

Source: twilio.com/docs/api/errors, and its REST API's answers.
"""

import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import attrs

from phonegate.api.dialect import Refusal, Worded
from phonegate.http.problem import JSON_MEDIA
from phonegate.model.twilio_ids import API_VERSION

MAX_BODY: Final = 1_600
"""Characters of a text. Twilio's clients split longer ones themselves, or expect 21617."""

UPDATE: Final = "twilio_update_message"
"""The endpoint that cancels or redacts a message."""

DELETE: Final = "twilio_delete_message"
"""The endpoint that deletes one."""

CHANNELS: Final = ("whatsapp:", "messenger:", "rcs:")
"""How addresses begin that are no phone numbers."""

_CODE: Final = re.compile(r"[1-9][0-9]{4}")
"""A number of Twilio's."""

MORE: Final = "https://www.twilio.com/docs/errors"


@attrs.frozen
class Number:
    """Twilio's number of an error, and its HTTP status where that is not the gateway's own."""

    code: int
    status: int | None = None


_PARAMETER: Final = Number(20001)
"""A wrong parameter, and all that Twilio has no number for."""

_PAST_RECALL: Final = Number(30409)
_UNFINISHED: Final = Number(20009)

NUMBERS: Final[Mapping[str, Number]] = MappingProxyType(
    {
        "bad_input": _PARAMETER,
        "refused": _PARAMETER,
        "bad_request": _PARAMETER,
        "https_required": _PARAMETER,
        "unauthorized": Number(20003),
        "forbidden": Number(20006),
        "foreign_page": Number(20006),
        # No other number says that it never will: what is 429 or 5xx is tried again.
        "recipient_not_allowed": Number(21408, 400),
        "batch_over_key_limit": Number(20006),
        "address_refused": Number(20006, 400),
        "not_found": Number(20404),
        "unknown_sim": Number(21606, 400),
        "method_not_allowed": Number(20004),
        "request_timeout": _PARAMETER,
        "conflict": _PARAMETER,
        "org_full": _PARAMETER,
        "gone": Number(20404),
        "too_large": _PARAMETER,
        "unsupported_media_type": _PARAMETER,
        "expectation_failed": _PARAMETER,
        "idempotency_key_reused": Number(20422),
        "upgrade_required": Number(20426),
        "too_many_requests": Number(20429),
        "queue_full": Number(21611),
        "storage_spent": Number(20429),
        "key_limit_reached": Number(20429),
        "quiet_hours": Number(20429),
        "too_many_connections": Number(20429),
        "head_too_large": _PARAMETER,
        "internal_error": Number(20500),
        # It will be refused again: no fault of the server, which is tried again.
        "provider_failed": Number(21612, 400),
        "outcome_unknown": Number(20500),
        "not_implemented": _PARAMETER,
        "unavailable": Number(20503),
        "org_suspended": Number(20503),
        "storage_unavailable": Number(20503),
        "disk_low": Number(20503),
        "timeout": Number(20503),
        "http_version_not_supported": _PARAMETER,
    }
)
"""Twilio's number of each code of the gateway (`http/refusals.CODES`)."""

_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {"send_at": "SendAt", "ttl": "ValidityPeriod", "media_urls": "MediaUrl"}
)
"""Twilio's names for what the act of sending calls its own way."""

_MISSING: Final[Mapping[str, int]] = MappingProxyType(
    {"To": 21604, "From": 21603, "Body": 21602, "SendAt": 35111}
)
"""A field that should be there."""


def _to(text: str) -> int:  # noqa: ARG001 - as the others
    return 21211


def _from(text: str) -> int:
    return 63007 if text.lower().startswith(CHANNELS) else 21212


def _body(text: str) -> int:
    return 21617 if len(text) > MAX_BODY else _PARAMETER.code


_WRONG: Final[Mapping[str, Callable[[str], int]]] = MappingProxyType(
    {
        "To": _to,
        "From": _from,
        "Body": _body,
        "SendAt": lambda _: 35114,
        "ScheduleType": lambda _: 35111,
        "ValidityPeriod": lambda _: 21624,
        "MediaUrl": lambda _: 21620,
        "StatusCallback": lambda _: 21609,
        "MessagingServiceSid": lambda _: 21701,
        "ContentSid": lambda _: 21655,
        "SmsUrl": lambda _: 21402,
        "SmsMethod": lambda _: 21403,
        "StatusCallbackMethod": lambda _: 21403,
    }
)
"""A field that is wrong, by its text."""


NO_SUCH_ADDRESS: Final = (
    "Nothing is at this address. This is a phonegate gateway, which has the part of Twilio's API "
    f"that is about messages, below /{API_VERSION}."
)
"""For all that Twilio has beside them. Its clients know nothing of the gateway's own pages."""


def refuse(refusal: Refusal) -> Worded:
    """Words an error. Its message is the gateway's own sentence, which says what to do here."""
    number = _number_of(refusal)
    is_unknown = refusal.code == "not_found" and refusal.endpoint is None
    status = number.status or refusal.status
    content = {
        "code": number.code,
        "message": NO_SUCH_ADDRESS if is_unknown else refusal.detail,
        "more_info": f"{MORE}/{number.code}",
        "status": status,
    }
    return Worded(status=status, body=json.dumps(content).encode(), media=JSON_MEDIA)


def _number_of(refusal: Refusal) -> Number:
    known = NUMBERS.get(refusal.code, _PARAMETER)
    if refusal.code == "conflict" and refusal.endpoint in {UPDATE, DELETE}:
        return _PAST_RECALL if _given(refusal, "Status") else _UNFINISHED
    if refusal.code == "provider_failed" and refusal.limit.get("provider") == "twilio":
        code = str(refusal.limit.get("provider_code"))
        # A client may know what 21610 means: that the recipient wants no more.
        return Number(int(code), known.status) if _CODE.fullmatch(code) else known
    if refusal.code not in {"bad_input", "address_refused"}:
        return known
    for problem in refusal.problems:
        field = _NAMES.get(problem.field, problem.field)
        text = _given(refusal, field)
        if not text and field in _MISSING:
            return Number(_MISSING[field], known.status)
        if field in _WRONG:
            return Number(_WRONG[field](text), known.status)
    return known


def _given(refusal: Refusal, field: str) -> str:
    """Returns the text of a parameter, empty where there is none."""
    return next(iter(refusal.given.get(field, ())), "")

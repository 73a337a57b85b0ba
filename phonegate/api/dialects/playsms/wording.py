"""playSMS's answers and errors. Pure.

Its words and codes are those of `web/inc/app/webservices.php`. playSMS answers with 200 in any
case. Errors have statuses of their own here, since Nextcloud and LibreNMS look at nothing else.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from phonegate.api.dialect import Refusal, Worded
from phonegate.api.dialects.local_times import local_text
from phonegate.api.dialects.plain_xml import plain_xml
from phonegate.http.problem import JSON_MEDIA
from phonegate.model import states
from phonegate.model.bounds import MAX_ID
from phonegate.model.messages import MessageView
from phonegate.model.refusals import FieldProblem

XML: Final = "text/xml; charset=utf-8"

LOGIN_FAILED: Final = "100"
UNKNOWN_ACTION: Final = "101"
FIELD_EMPTY: Final = "102"
NO_CREDIT: Final = "103"
NO_TOKEN: Final = "104"  # noqa: S105 - the code of an error
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


# --- Messages ---------------------------------------------------------------------------------


def shown_sent(one: MessageView) -> dict[str, str]:
    """Returns a message that was sent, as `ds` lists it."""
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


def shown_received(one: MessageView) -> dict[str, str]:
    """Returns a received message, as `in` and `ix` list it."""
    return {
        "id": str(one.id),
        "src": one.address,
        "dst": one.sim or "",
        "kwd": "",
        "msg": one.body,
        "dt": local_text(one.created_at if one.date is None else one.date),
        "status": "1",
    }


def queue_of(message: int) -> str:
    """Returns what playSMS calls the queue of a message: 32 hexadecimal digits."""
    return f"{message:032x}"


def id_of(queue: str) -> int:
    """Returns the message of a queue. 0 where there is none."""
    try:
        found = int(queue, 16) if queue else 0
    except ValueError:
        return 0
    return found if 0 <= found <= MAX_ID else 0


# --- Answers ----------------------------------------------------------------------------------


def written(body: Mapping[str, Any], *, as_xml: bool) -> bytes:
    """Returns an answer as JSON or XML."""
    text = plain_xml("response", body) if as_xml else json.dumps(body)
    return text.encode("utf-8", "replace")


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
    return Worded(
        status=refusal.status,
        body=written(body, as_xml=as_xml),
        media=XML if as_xml else JSON_MEDIA,
    )


_BY_WORDS: Final = {words: code for code, words in WORDS.items()}

_BY_CODE: Final[Mapping[str, str]] = {
    "unauthorized": LOGIN_FAILED,
    "forbidden": NOT_ENABLED,
    "key_limit_reached": NO_CREDIT,
    "batch_over_key_limit": NO_CREDIT,
    "quiet_hours": NO_CREDIT,
    "not_found": UNKNOWN_ACTION,
    "method_not_allowed": UNKNOWN_ACTION,
}


def _code(refusal: Refusal) -> str:
    """Returns playSMS's own code of an error."""
    if (known := _BY_WORDS.get(refusal.detail)) is not None:
        return known
    if refusal.code == "bad_input" and refusal.problems:
        return _of_problem(refusal.problems[0])
    return _BY_CODE.get(refusal.code, SEND_FAILED)


def _of_problem(problem: FieldProblem) -> str:
    if problem.field in {"app", "op", "format"}:
        return FIELD_EMPTY if problem.problem == "is required" else UNKNOWN_ACTION
    is_missing = problem.problem == "is required"
    return NOTHING_TO_SEND if is_missing and problem.field in {"to", "msg"} else SEND_FAILED

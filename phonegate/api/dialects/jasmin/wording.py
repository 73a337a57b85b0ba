"""Jasmin's words for what goes wrong, with its statuses. Pure.

Jasmin is at https://github.com/jookies/jasmin: `jasmin/protocols/http` has both.
"""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from phonegate.api.dialect import Refusal, Worded
from phonegate.domain.credentials import is_key_like
from phonegate.http.problem import JSON_MEDIA, PLAIN_MEDIA
from phonegate.model.refusals import FieldProblem

LOGIN_FAILED: Final = "Authentication failure for username:"
OWN_API: Final = " This is Jasmin's API; phonegate's own is at POST /send/{{org}}."
"""For programs that mean the gateway's own API and have left the org out."""
NO_LOGIN: Final = LOGIN_FAILED + " none is given."
NOT_ALLOWED: Final = "Authorization failed for user [{user}] (Cannot send MT messages)."
FILTERED: Final = "Value filter failed for user [{user}] (destination_address filter mismatch)."
NO_ROUTE: Final = "No route found"
TOO_FAST: Final = "User throughput exceeded"
NOT_SENT: Final = "Cannot send submit_sm, check SMPPClientManagerPB log file for details"

_IN_JSON: Final = frozenset({"jasmin_balance", "jasmin_rate"})
_REST: Final = "jasmin_secure_"

_DASHED: Final = frozenset({"hex_content", "validity_period", "dlr_url", "dlr_level", "dlr_method"})

_ORG: Final = re.compile(r"[A-Za-z0-9_-]{1,50}")

_OURS: Final = {"text": "content", "ttl": "validity-period", "send_at": "sdt"}
"""Fields of the gateway's own, by what Jasmin calls them."""


def refuse(refusal: Refusal) -> Worded:
    """Words an error: quoted in a line, or as JSON at the addresses that answer JSON.

    The REST API has HTTP's own status for who may not enter, where the other has 403.
    """
    status, text = _words(refusal)
    endpoint = refusal.endpoint or ""
    if endpoint.startswith(_REST):
        if refusal.status == HTTPStatus.UNAUTHORIZED:
            status = refusal.status
        return Worded(status=status, body=_json({"message": text}), media=JSON_MEDIA)
    if endpoint in _IN_JSON:
        return Worded(status=status, body=_json(text), media=JSON_MEDIA)
    return Worded(
        status=status, body=f'Error "{text}"'.encode("utf-8", "replace"), media=PLAIN_MEDIA
    )


def success(message_id: int) -> bytes:
    """Returns the answer to a message that was accepted."""
    return f'Success "{message_id}"'.encode()


_BY_CODE: Final[Mapping[str, tuple[int, str]]] = {
    "unauthorized": (HTTPStatus.FORBIDDEN, LOGIN_FAILED + "{user}"),
    "recipient_not_allowed": (HTTPStatus.BAD_REQUEST, FILTERED),
    "forbidden": (HTTPStatus.BAD_REQUEST, NOT_ALLOWED + " {detail}"),
    "unknown_sim": (HTTPStatus.PRECONDITION_FAILED, NO_ROUTE + ": {detail}"),
    "batch_over_key_limit": (HTTPStatus.FORBIDDEN, TOO_FAST + ": {detail}"),
    "provider_failed": (HTTPStatus.INTERNAL_SERVER_ERROR, NOT_SENT),
    "outcome_unknown": (HTTPStatus.INTERNAL_SERVER_ERROR, NOT_SENT),
}
"""The status and the sentence for each code of an error."""


def _words(refusal: Refusal) -> tuple[int, str]:
    """Returns the status and the sentence of an error."""
    if refusal.code == "bad_input" and refusal.problems:
        return HTTPStatus.BAD_REQUEST, _argument(refusal.problems[0])
    usual = refusal.status, "{detail}"
    if refusal.status == HTTPStatus.TOO_MANY_REQUESTS:
        usual = HTTPStatus.FORBIDDEN, TOO_FAST + ": {detail}"
    status, sentence = _BY_CODE.get(refusal.code, usual)
    if "username" not in refusal.given and not (refusal.endpoint or "").startswith(_REST):
        # Jasmin's clients always send one.
        if sentence.startswith(LOGIN_FAILED):
            sentence = NO_LOGIN
        sentence += OWN_API
    return status, sentence.format(user=_user(refusal), detail=refusal.detail)


def _argument(problem: FieldProblem) -> str:
    name = problem.field.removesuffix("_")
    name = _OURS.get(name, name.replace("_", "-") if name in _DASHED else name)
    if problem.problem == "is required":
        return f"Mandatory argument [{name}] is not found."
    return f"Argument [{name}] has an invalid value: [{problem.problem}]."


def _user(refusal: Refusal) -> str:
    texts = refusal.given.get("username", ())
    found = texts[0] if texts else ""
    # A secret may stand there by mistake, and an error may end in a log of its client's.
    return found if _ORG.fullmatch(found) and not is_key_like(found) else ""


def _json(value: object) -> bytes:
    return json.dumps(value).encode()

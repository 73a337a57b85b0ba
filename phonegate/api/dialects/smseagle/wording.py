"""SMSEagle's answers and errors, in each of the forms that its clients read. Pure.

The texts are those of its manual (SMSEagle MHD-8100, chapters on the API). The box answers APIv1
with 200 in any case. Errors have their own statuses here, since Zabbix looks at nothing else.
"""

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from phonegate.api.dialect import Refusal, Texts, Worded
from phonegate.api.dialects.plain_xml import plain_xml
from phonegate.api.dialects.wanted import Accepted
from phonegate.http.problem import JSON_MEDIA, PLAIN_MEDIA
from phonegate.model.states import FAILED

XML: Final = "text/xml; charset=utf-8"

WRONG_TOKEN: Final = "Invalid access token"  # noqa: S105 - words of an error
WRONG_LOGIN: Final = "Invalid login or password"
WRONG_PARAMETERS: Final = "Wrong parameters"
NO_CONTACT: Final = "Invalid contact name"
NO_GROUP: Final = "Invalid group name"

RPC: Final = "smseagle_jsonrpc"
V2: Final = "smseagle_v2"

GOOD: Final = "OK"
"""What clients look for in a text, anywhere in it: no error may hold it."""

Form = str
"""One of `parameters.FORMS`."""


def form_of(given: Texts, endpoint: str | None) -> Form:
    """Returns the form in which a request is to be answered."""
    asked = next(iter(given.get("responsetype", ())), "").strip().lower()
    if asked == "json":
        return "extended"
    if endpoint == RPC:
        return asked if asked in {"simple", "extended"} else "simple"
    return asked if asked in {"text", "xml", "simple", "extended"} else "text"


def accepted(done: Sequence[Accepted], form: Form) -> bytes:
    """Returns the answer to messages that were accepted."""
    if form in {"text", "simple"}:
        ids = ",".join(str(one.id) for one in done if one.status != FAILED)
        failed = ",".join(one.to for one in done if one.status == FAILED)
        text = f"{GOOD}; ID={ids}" + (f"; failed: {failed}" if failed else "")
        return text.encode() if form == "text" else _json({"result": text})
    items = [_item(one) for one in done]
    result = items[0] if len(items) == 1 else items
    return plain_xml("xml", result).encode() if form == "xml" else _json({"result": result})


def _item(one: Accepted) -> dict[str, str]:
    if one.status == FAILED:
        return {"error_text": one.error or "Sending failed", "status": "error"}
    return {"message_id": str(one.id), "status": "ok"}


def queued(done: Sequence[Accepted]) -> bytes:
    """Returns the answer of APIv2."""
    return _json(
        [
            {"status": "error", "message": one.error or "Sending failed", "number": one.to}
            if one.status == FAILED
            else {"status": "queued", "message": GOOD, "number": one.to, "id": one.id}
            for one in done
        ]
    )


def media_of(body: bytes) -> str:
    """Returns the Content-Type of an answer, which may be that of a request before."""
    start = body[:1]
    return JSON_MEDIA if start in {b"{", b"["} else XML if start == b"<" else PLAIN_MEDIA


def refuse(refusal: Refusal) -> Worded:
    """Words an error as the request's API and `responsetype` have it."""
    text = _words(refusal)
    if refusal.endpoint == V2:
        message = refusal.detail if text.startswith(WRONG_PARAMETERS) else text
        return Worded(status=refusal.status, body=_json({"message": message}), media=JSON_MEDIA)
    form = form_of(refusal.given, refusal.endpoint)
    if form == "text":
        return Worded(
            status=refusal.status, body=text.encode("utf-8", "replace"), media=PLAIN_MEDIA
        )
    if form == "simple":
        return Worded(status=refusal.status, body=_json({"result": text}), media=JSON_MEDIA)
    error = {"error_text": text, "status": "error"}
    if form == "xml":
        body = plain_xml("xml", error).encode("utf-8", "replace")
        return Worded(status=refusal.status, body=body, media=XML)
    return Worded(status=refusal.status, body=_json({"result": error}), media=JSON_MEDIA)


def _words(refusal: Refusal) -> str:
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        has_token = bool(refusal.given.get("access_token") or refusal.headers.get("access-token"))
        return WRONG_TOKEN if has_token else WRONG_LOGIN
    detail = refusal.detail
    if detail.startswith((NO_CONTACT, NO_GROUP)):
        return detail if GOOD not in detail else detail.partition(" - ")[0]
    if refusal.code in {"bad_input", "unknown_sim", "recipient_not_allowed"}:
        return WRONG_PARAMETERS if GOOD in detail else f"{WRONG_PARAMETERS}: {detail}"
    return detail.replace(GOOD, GOOD.capitalize())


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()

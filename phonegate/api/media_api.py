"""The parts of received MMS over HTTP."""

import re
from typing import Final
from urllib.parse import quote

from phonegate.api.address import own_address
from phonegate.api.convert import refusal
from phonegate.api.endpoint import NUMBERED, Answer, Call, Endpoint, Request, a_list
from phonegate.domain.media import TEXT, plain_text
from phonegate.model.refusals import FieldProblem
from phonegate.typed_json.fields import Wrong

_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9 ._-]")
"""What not every client reads alike between the quotes of a header field (RFC 6266, 4.3)."""


def media_address(call: Call) -> str:
    """Returns the beginning of the addresses of the parts that the caller's org has."""
    return media_of(call.caller.org_name, call.request, call.services.public_url)


def media_of(org_name: str, request: Request, public_url: str) -> str:
    """Returns the same for an org and a request.

    They are whole URLs, since programs fetch them as such: at `public_url` where that is set, else
    at the host that the caller itself has asked.
    """
    scheme = "https" if request.secure else "http"
    host = request.headers.get("host", "")
    base = own_address(public_url, scheme, host, request.prefix)
    return f"{base}/media/{org_name}"


async def part(call: Call) -> Answer:
    """Reads one part."""
    message_id, number = _number(call, "id"), _number(call, "n")
    found = await call.services.media.file(call.caller, message_id, number)
    content_type = found.content_type
    if content_type == TEXT and plain_text(found.data) is not None:
        content_type = f"{TEXT}; charset=utf-8"
    return Answer(
        content=found.data,
        media=content_type,
        headers=(("Content-Disposition", attachment(found.name)),),
    )


def attachment(name: str) -> str:
    """Returns the `Content-Disposition` of a file that is to be saved, and not shown (RFC 6266)."""
    plain = _NOT_PLAIN.sub("_", name)
    whole = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'attachment; filename="{plain}"{whole}'


def _number(call: Call, name: str) -> int:
    try:
        number: int = NUMBERED.read_text(call.path[name])
    except Wrong as error:
        raise refusal((FieldProblem(name, str(error)),)) from None
    return number


ENDPOINTS: Final = (
    Endpoint(
        name="get_media",
        method="GET",
        paths=("/media/{org}/{id}/{n}",),
        scope="read",
        group="messages",
        summary="Read a part of a received MMS",
        description="A picture, sound, video or text, as a file to save: media_urls of the message "
        "has its address. Its Content-Type is that which the phone declared, if it is one of "
        "common media, and else application/octet-stream. A key from which one-time codes are "
        "hidden gets texts without them, and no files of kinds that may hold one unseen.",
        answer=None,
        media="*/*",
        error_codes=("not_found",),
        size=a_list,
        handler=part,
    ),
)

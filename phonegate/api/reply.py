"""Answers as status, headers and bytes, ready to be written. Pure."""

from typing import Final

import attrs

from phonegate.api.answer_budget import ANYBODY, Reader
from phonegate.api.convert import CONVERTER
from phonegate.api.endpoint import Answer
from phonegate.http.body_stream import BodyStream

BASE_HEADERS: Final = (
    # Messages must not be cached, and a path may hold a secret that a Referer would pass on.
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    # No page of another origin may show it or run it, whatever a browser makes of it.
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
)

STAY_ENCRYPTED: Final = ("Strict-Transport-Security", "max-age=2592000")
"""Where the gateway itself encrypts: a browser that has been here asks by HTTPS alone, for 30 days
from its last visit. Not longer, since it binds all other ports of the same name too."""

NO_LENGTH: Final = (204, 304)
"""A 204 has none, and a 304's would be that of the answer it stands for (RFC 9110, 8.6)."""


@attrs.frozen(kw_only=True)
class Reply:
    """An answer ready to be written."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = attrs.field(repr=False)
    owner: Reader = ANYBODY
    """Who is answerable for the memory that it takes until it has left."""
    stream: BodyStream | None = None
    """The body, where it is produced while it is sent."""


def render(
    answer: Answer,
    base: tuple[tuple[str, str], ...] = BASE_HEADERS,
    *,
    head: bool = False,
    owner: Reader = ANYBODY,
) -> Reply:
    """Renders an answer, with the headers that all answers have.

    For HEAD it is without the bytes, but with their length.
    """
    if answer.stream is not None:
        headers = (("Content-Type", answer.media), *base, *answer.headers)
        return Reply(status=answer.status, headers=headers, body=b"", owner=owner)
    if answer.content is None:
        # Of others it tells that nothing follows.
        none = () if answer.status in NO_LENGTH else (("Content-Length", "0"),)
        headers = (*none, *base, *answer.headers)
        return Reply(status=answer.status, headers=headers, body=b"")
    body = answer.content if isinstance(answer.content, bytes) else CONVERTER.encode(answer.content)
    length = ("Content-Length", str(len(body)))
    headers = (("Content-Type", answer.media), length, *base, *answer.headers)
    return Reply(status=answer.status, headers=headers, body=b"" if head else body, owner=owner)

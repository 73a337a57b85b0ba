"""The parts of received MMS as a conversation shows them: pictures in place, the rest as files."""

from typing import Any, Final

from markupsafe import Markup
from quart import Response

from phonegate.model.refusals import Refused
from phonegate.pages.console.visit import Route, Visit

PICTURES: Final = ("image/jpeg", "image/png", "image/gif", "image/webp", "image/bmp")
"""What every browser shows. None of them can hold a script, as SVG can."""

_NO_POLICY: Final = "default-src 'none'; sandbox; frame-ancestors 'none'"

_DRAWING: Final = Markup(
    '<svg xmlns="http://www.w3.org/2000/svg" width="220" height="64" viewBox="0 0 220 64">'
    '<rect x="1" y="1" width="218" height="62" rx="10" fill="#e3dfd4" stroke="#8a857a"/>'
    '<path d="M22 14h14l8 8v28H22z" fill="none" stroke="#1c1b19" stroke-width="2"/>'
    '<text x="58" y="38" font-family="sans-serif" font-size="16" fill="#1c1b19">{}</text></svg>'
)

_KINDS: Final = {"audio": "Sound", "video": "Video", "text": "Text", "image": "Picture"}


async def part(visit: Visit) -> Response:
    """Gives out a part: a picture to look at, or a file to save."""
    found = await _found(visit)
    response = _response(found.content, found.media)
    for name, value in found.headers:
        shown = found.media in PICTURES and name == "Content-Disposition"
        response.headers[name] = value.replace("attachment", "inline", 1) if shown else value
    return response


async def preview(visit: Visit) -> Response:
    """Gives out what stands for a part in its bubble: the picture, or a drawing of a file."""
    try:
        found = await _found(visit)
    except Refused:
        return _drawing("Hidden or gone")
    if found.media in PICTURES:
        return _response(found.content, found.media)
    return _drawing(_KINDS.get(found.media.partition("/")[0], "File"))


async def _found(visit: Visit) -> Any:
    path = {name: visit.path[name] for name in ("id", "n")}
    return await visit.calls.answer(visit.principal, "get_media", visit.request, path=path)


def _drawing(words: str) -> Response:
    return _response(_DRAWING.format(words).encode(), "image/svg+xml")


def _response(content: bytes, media: str) -> Response:
    response = Response(content, content_type=media)
    response.headers["Content-Security-Policy"] = _NO_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


ROUTES: Final = (
    Route(path="/media/<id>/<n>", scope="read", view=part),
    Route(path="/media/<id>/<n>/preview", scope="read", view=preview),
)

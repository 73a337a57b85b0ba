"""Files that the console gives out, to be stored and never opened as a page."""

from collections.abc import Callable
from typing import Final

from quart import Response

from phonegate.pages.console.visit import Visit
from phonegate.pages.policies import NO_POLICY

ROW_BYTES: Final = 200
"""What a row takes to be written, about as many bytes of a body take to be read."""


async def in_turn(visit: Visit, rows: int, write: Callable[[], bytes]) -> bytes:
    """Returns what `write` makes of so many rows. Many are written in a thread, in the org's turn.

    Raises:
        Throttled: Too many of this org wait already.
    """
    return await visit.services.large_bodies.read(write, rows * ROW_BYTES, visit.principal.org)


def download(content: bytes, name: str, media: str) -> Response:
    """Returns an answer that a browser stores as a file.

    Args:
        content: What is in it.
        name: What it is called: ASCII without quotes.
        media: Its Content-Type.
    """
    response = Response(content, content_type=media)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Content-Security-Policy"] = NO_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response

"""Files that the console gives out, to be stored and never opened as a page."""

from quart import Response

from phonegate.pages.policies import NO_POLICY


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

"""What pages and files are sent as: media types, for how long they are kept, what they may load."""

from typing import Final

from werkzeug.datastructures import Headers

KEEP: Final = "public, max-age=31536000, immutable"
"""For what stands under an address of its content: a year, the longest that is of use."""

ASK: Final = "no-cache"
"""For pages: kept, and asked for again each time, which costs no more than their tag."""

HTML: Final = "text/html; charset=utf-8"
PLAIN: Final = "text/plain; charset=utf-8"

_ALONE: Final = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

PAGE_POLICY: Final = (
    f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; {_ALONE}"
)
DOCS_POLICY: Final = (
    # Swagger UI writes styles into its elements and has pictures within its stylesheet.
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    f"img-src 'self' data:; connect-src 'self'; {_ALONE}"
)
CONSOLE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
WORKER_POLICY: Final = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'"
)
"""For a script that runs as a worker: it has a policy of its own, and not that of its page."""

NO_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"

FRAMING: Final = "X-Frame-Options", "DENY"
"""The same as `frame-ancestors 'none'`, for browsers that don't know that."""


def guard_console(headers: Headers, *, secure: bool) -> None:
    """Puts into an answer what keeps other pages away from one of the console.

    Args:
        headers: Those of the answer.
        secure: Whether the browser asks by HTTPS: where not, it heeds no Opener-Policy, and says so
            as an error.
    """
    headers["Content-Security-Policy"] = CONSOLE_POLICY
    headers[FRAMING[0]] = FRAMING[1]
    # With no referrer at all, browsers say "null" for the origin of a form, also to its own site.
    headers["Referrer-Policy"] = "same-origin"
    if secure:
        headers["Cross-Origin-Opener-Policy"] = "same-origin"

"""What pages and files are sent as: media types, for how long they are kept, what they may load."""

from collections.abc import Mapping
from typing import Final

from werkzeug.datastructures import Headers

from phonegate.http.prefix import INGRESS

KEEP: Final = "public, max-age=31536000, immutable"
"""For what stands under an address of its content: a year, the longest that is of use."""

ASK: Final = "no-cache"
"""For pages: kept, and asked for again each time, which costs no more than their tag."""

HTML: Final = "text/html; charset=utf-8"

NO_FRAMES: Final = "frame-ancestors 'none'"
OWN_FRAMES: Final = "frame-ancestors 'self'"

_ALONE: Final = f"base-uri 'none'; form-action 'none'; {NO_FRAMES}"

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
    f"worker-src 'self'; form-action 'self'; base-uri 'none'; {NO_FRAMES}"
)
WORKER_POLICY: Final = f"default-src 'none'; script-src 'self'; connect-src 'self'; {NO_FRAMES}"
"""For a script that runs as a worker: it has a policy of its own, and not that of its page."""

NO_POLICY: Final = f"default-src 'none'; {NO_FRAMES}"


def framed(policy: str, *, ingress: bool) -> str:
    """Returns a policy for a request.

    Args:
        policy: As for all others.
        ingress: Whether it has the field of Home Assistant, whose own page shows ours in a frame.
            Then a page of the same host may. No page of another site can have a browser add the
            field to what it loads into a frame.
    """
    return policy.replace(NO_FRAMES, OWN_FRAMES) if ingress else policy


def guard_console(headers: Headers, asked: Mapping[str, str], *, secure: bool) -> None:
    """Puts into an answer what keeps other pages away from one of the console.

    Args:
        headers: Those of the answer.
        asked: The fields of the request, by names in lower case.
        secure: Whether the browser asks by HTTPS: where not, it heeds no Opener-Policy, and says so
            as an error.
    """
    ingress = INGRESS in asked
    headers["Content-Security-Policy"] = framed(CONSOLE_POLICY, ingress=ingress)
    # For browsers that don't know `frame-ancestors`.
    headers["X-Frame-Options"] = "SAMEORIGIN" if ingress else "DENY"
    # With no referrer at all, browsers say "null" for the origin of a form, also to its own site.
    headers["Referrer-Policy"] = "same-origin"
    if secure:
        headers["Cross-Origin-Opener-Policy"] = "same-origin"

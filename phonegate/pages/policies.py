"""What pages and files are sent as: media types, for how long they are kept, what they may load."""

from typing import Final

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

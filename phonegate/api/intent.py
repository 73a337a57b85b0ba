"""Refuses what a browser asks for by itself, or for another site's page, where it matters. Pure."""

from typing import Final

from phonegate.api.endpoint import Endpoint
from phonegate.api.known_head import KnownHead
from phonegate.http.login import speaks_basic
from phonegate.http.origins import ForeignPage, is_blind, is_prefetched
from phonegate.model.refusals import Forbidden

PREFETCHED: Final = "A browser asked for this before anyone has opened it, and it sends messages."

REMEMBERED: Final = (
    "A browser adds a password by itself that it remembers, also where another site's page leads "
    "here, and over plain HTTP it does not say so. Put an API key into the address, or use HTTPS."
)


def require_intent(head: KnownHead, endpoint: Endpoint | None) -> None:
    """Refuses what a browser asks for without the person who uses it.

    Raises:
        ForeignPage: A page of another site may have asked.
        Forbidden: It would send messages, and no person may have meant it to.
    """
    if head.foreign:
        # A page of another site, before anything of what it may have sent counts.
        raise ForeignPage
    if endpoint is None or not endpoint.sends:
        return
    request = head.request
    if is_prefetched(request.headers):
        raise Forbidden(PREFETCHED)
    if request.method == "GET" and speaks_basic(request.headers) and is_blind(request.headers):
        raise Forbidden(REMEMBERED)

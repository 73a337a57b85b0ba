"""Whose session a request shows, for what is answered without Quart."""

from phonegate.api.endpoint import Request
from phonegate.api.services import Services
from phonegate.domain.sessions import SignedIn
from phonegate.http.session_cookie import shown_cookies
from phonegate.pages.console.sign_in import COOKIE


async def find_session(services: Services, request: Request) -> SignedIn | None:
    """Finds the session of a request's cookie. None where there is none that has not ended."""
    for cookie in shown_cookies(request.headers, COOKIE):
        found = await services.sessions.find(cookie)
        if found is not None:
            return found
    return None

"""The cookies of the console: which session a request shows, and what its browser is to keep."""

from typing import Final

import attrs
from quart import Response

from phonegate.api.endpoint import Request
from phonegate.api.services import Services
from phonegate.domain.sessions import UNUSED_MS, SignedIn
from phonegate.http.session_cookie import (
    MOST_SHOWN,
    clear_cookie,
    cookie_name,
    set_cookie,
    shown_cookies,
)

SIGNED_OUT: Final = "Your session has ended. Sign in again."

_SESSION: Final = "session"
_VISITOR: Final = "visitor"


@attrs.frozen(kw_only=True)
class Shown:
    """A session that a request shows by its cookie."""

    signed_in: SignedIn
    token: str = attrs.field(repr=False)
    """What the cookie holds."""


async def find_session(services: Services, request: Request) -> Shown | None:
    """Finds the session that a request shows. None where it shows none that is open, or several.

    A page of the same host may set a cookie of ours for a longer path. Were its session taken for
    that of the person, they would write into the org of another without seeing it.

    Raises:
        StoreError: The database can't be asked.
    """
    name = await _name(services, request, _SESSION)
    found: list[Shown] = []
    tokens = list(shown_cookies(request.headers, name))
    if len(tokens) == MOST_SHOWN:
        return None  # there may be more, one of which is right
    for token in dict.fromkeys(tokens):
        signed_in = await services.sessions.find(token)
        if signed_in is not None:
            found.append(Shown(signed_in=signed_in, token=token))
    return found[0] if len(found) == 1 else None


async def keep_session(
    services: Services, request: Request, response: Response, token: str
) -> None:
    """Has the browser keep a session for as long as it may stay unused, from now on."""
    line = set_cookie(
        await _name(services, request, _SESSION),
        token,
        prefix=request.prefix,
        secure=request.secure,
        seconds=UNUSED_MS // 1000,
    )
    response.headers.add("Set-Cookie", line)


async def forget_session(services: Services, request: Request, response: Response) -> None:
    """Has the browser forget its session."""
    name = await _name(services, request, _SESSION)
    line = clear_cookie(name, prefix=request.prefix, secure=request.secure)
    response.headers.add("Set-Cookie", line)


async def visitor_form(services: Services, request: Request) -> tuple[str, str | None]:
    """Returns what the form of a visitor must hold to be taken, for one who has not signed in.

    So no page of another site can sign a person in to an org of its own.

    Returns:
        That, and the Set-Cookie that goes with it where the browser has none yet.
    """
    form = await visitor_shown(services, request)
    if form is not None:
        return form, None
    token = await services.sessions.visitor_token()
    form = await services.sessions.read_visitor(token)
    line = set_cookie(
        await _name(services, request, _VISITOR),
        token,
        prefix=request.prefix,
        secure=request.secure,
    )
    return form or "", line


async def visitor_shown(services: Services, request: Request) -> str | None:
    """Returns what the form of this visitor must hold. None where the browser shows no cookie."""
    name = await _name(services, request, _VISITOR)
    for token in shown_cookies(request.headers, name):
        form = await services.sessions.read_visitor(token)
        if form is not None:
            return form
    return None


async def _name(services: Services, request: Request, kind: str) -> str:
    signer = await services.sessions.signer()
    return cookie_name(kind, signer.mark, secure=request.secure)

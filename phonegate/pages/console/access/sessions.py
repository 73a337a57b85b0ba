"""The screen of sessions: where people have signed in, and the end of any of these."""

from collections.abc import Sequence
from typing import Final

from quart import Response

from phonegate.model.refusals import NotFound
from phonegate.model.sessions import Session
from phonegate.pages.console.access.browsers import browser_words
from phonegate.pages.console.access.session_cookies import forget_session
from phonegate.pages.console.visit import Route, Visit


async def show(visit: Visit) -> Response:
    """Lists the sessions: those of the org for who may manage it, else those of one's own key."""
    return await visit.page(
        "console/sessions.html",
        sessions=await _shown(visit),
        browser_words=browser_words,
        of_all=visit.is_operator or visit.may("manage"),
    )


async def end(visit: Visit) -> Response:
    """Ends one of them."""
    wanted = visit.path["id"]
    if wanted not in {str(one.id) for one in await _shown(visit)}:
        raise NotFound("There is no such session. It may have ended already.")
    await visit.services.sessions.end(visit.session.org, int(wanted))
    if int(wanted) == visit.session.id:
        response = visit.go("/sign-in")
        await forget_session(visit.services, visit.request, response)
        return response
    return visit.go("/sessions", said="That session has ended.")


async def end_others(visit: Visit) -> Response:
    """Ends all but this one."""
    others = [one for one in await _shown(visit) if one.id != visit.session.id]
    for one in others:
        await visit.services.sessions.end(one.org, one.id)
    return visit.go("/sessions", said=f"Sessions that have ended: {len(others)}.")


async def _shown(visit: Visit) -> Sequence[Session]:
    found = await visit.services.sessions.of_org(visit.session.org)
    if visit.is_operator or visit.may("manage"):
        return found
    return [one for one in found if one.key == visit.session.key]


ROUTES: Final = (
    Route(path="/sessions", scope=None, view=show),
    Route(path="/sessions/end", methods=("POST",), scope=None, view=end_others),
    Route(path="/sessions/<id>/end", methods=("POST",), scope=None, view=end),
)

"""The screen of sessions: where one has signed in, and the end of any of these."""

from typing import Final

from quart import Response

from phonegate.model.refusals import NotFound
from phonegate.pages.console.visit import Route, Visit


async def show(visit: Visit) -> Response:
    """Lists the sessions."""
    found = await visit.services.sessions.of_org(visit.session.org)
    if not visit.may("manage"):
        found = [one for one in found if one.key == visit.session.key]
    return await visit.page("console/sessions.html", sessions=found)


async def end(visit: Visit) -> Response:
    """Ends one."""
    sessions = visit.services.sessions
    mine = [
        one.id
        for one in await sessions.of_org(visit.session.org)
        if visit.may("manage") or one.key == visit.session.key
    ]
    wanted = visit.path["id"]
    if not wanted.isdecimal() or int(wanted) not in mine:
        raise NotFound("There is no such session.")
    await sessions.end(visit.session.org, int(wanted))
    return visit.go("/sessions", said="That session has ended.")


ROUTES: Final = (
    Route(path="/sessions", scope=None, view=show),
    Route(path="/sessions/<id>/end", methods=("POST",), scope=None, view=end),
)

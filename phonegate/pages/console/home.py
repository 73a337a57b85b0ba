"""Where the console begins: the first screen that a person may see."""

from typing import Final

from quart import Response

from phonegate.pages.console.visit import Route, Visit


async def begin(visit: Visit) -> Response:
    """Leads to the first screen of the menu."""
    return visit.go(visit.menu[0].path if visit.menu else "/sessions")


ROUTES: Final = (Route(path="", scope=None, view=begin),)

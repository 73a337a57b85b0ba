"""All screens of the console: their routes, and the menu."""

from typing import Final

from phonegate.pages.console import first_steps, home, sessions
from phonegate.pages.console.visit import MenuEntry, Route

ROUTES: Final[tuple[Route, ...]] = (
    *home.ROUTES,
    *first_steps.ROUTES,
    *sessions.ROUTES,
)

MENU: Final[tuple[MenuEntry, ...]] = (
    MenuEntry(title="Sessions", path="/sessions", icon="sessions", scope="read"),
)
"""In the order in which it is shown. On a phone the first four stand at the bottom, the others
behind "More"."""

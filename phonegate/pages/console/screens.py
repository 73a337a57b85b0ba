"""All screens of the console: their routes, and the menu."""

from typing import Final

from phonegate.pages.console import (
    answering,
    conversation_list,
    home,
    message_media,
    sessions,
    thread,
)
from phonegate.pages.console.visit import MenuEntry, Route

ROUTES: Final[tuple[Route, ...]] = (
    *home.ROUTES,
    *conversation_list.ROUTES,
    *thread.ROUTES,
    *answering.ROUTES,
    *message_media.ROUTES,
    *sessions.ROUTES,
)

MENU: Final[tuple[MenuEntry, ...]] = (
    MenuEntry(title="Conversations", path="/conversations", icon="conversations", scope="read"),
    MenuEntry(title="Sessions", path="/sessions", icon="sessions", scope="read"),
)
"""In the order in which it is shown. On a phone the first four stand at the bottom, the others
behind "More"."""

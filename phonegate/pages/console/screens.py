"""All screens of the console: their routes, and the menu."""

from typing import Final

from phonegate.model.principal import OWNER_SCOPE
from phonegate.pages.console import first_steps, home, organisation
from phonegate.pages.console.access import sessions
from phonegate.pages.console.conversations import (
    answering,
    contacts,
    conversation_list,
    message_media,
    thread,
)
from phonegate.pages.console.figures import figure_screen
from phonegate.pages.console.operator import operator_page
from phonegate.pages.console.phones import phone_pairing, phone_screens
from phonegate.pages.console.programs import assistants, dialects, events, hooks, keys, webhooks
from phonegate.pages.console.sending import approvals, batches, compose, templates
from phonegate.pages.console.visit import MenuEntry, Route

ROUTES: Final[tuple[Route, ...]] = (
    *home.ROUTES,
    *first_steps.ROUTES,
    *conversation_list.ROUTES,
    *thread.ROUTES,
    *answering.ROUTES,
    *message_media.ROUTES,
    *compose.ROUTES,
    *batches.ROUTES,
    *phone_screens.ROUTES,
    *contacts.ROUTES,
    *templates.ROUTES,
    *phone_pairing.ROUTES,
    *figure_screen.ROUTES,
    *approvals.ROUTES,
    *keys.ROUTES,
    *dialects.ROUTES,
    *webhooks.ROUTES,
    *hooks.ROUTES,
    *assistants.ROUTES,
    *events.ROUTES,
    *organisation.ROUTES,
    *sessions.ROUTES,
    *operator_page.ROUTES,
)

MENU: Final[tuple[MenuEntry, ...]] = (
    MenuEntry(
        title="Conversations", path="/conversations", icon="conversations", scope="read", key="c"
    ),
    MenuEntry(title="Compose", path="/compose", icon="compose", scope="send", key="n"),
    MenuEntry(title="Phones", path="/phones", icon="phones", scope="read", key="p"),
    MenuEntry(title="Approvals", path="/approvals", icon="approvals", scope="manage", key="a"),
    MenuEntry(title="Contacts", path="/contacts", icon="contacts", scope="read", key="o"),
    MenuEntry(title="Templates", path="/templates", icon="templates", scope="send", key="t"),
    MenuEntry(title="Figures", path="/figures", icon="figures", scope="read", key="f"),
    MenuEntry(title="API keys", path="/keys", icon="keys", scope="manage", key="k"),
    MenuEntry(title="Other programs", path="/dialects", icon="plug", scope="send", key="d"),
    MenuEntry(title="Webhooks", path="/webhooks", icon="webhooks", scope="manage", key="w"),
    MenuEntry(title="Hooks", path="/hooks", icon="hooks", scope="manage", key="h"),
    MenuEntry(title="Assistants", path="/assistants", icon="assistants", scope="manage", key="i"),
    MenuEntry(title="Events", path="/events", icon="events", scope="read", key="e"),
    MenuEntry(
        title="Organisation", path="/organisation", icon="organisation", scope="manage", key="r"
    ),
    MenuEntry(title="Gateway", path="/operator", icon="operator", scope=OWNER_SCOPE, key="g"),
    MenuEntry(title="Sessions", path="/sessions", icon="sessions", scope=None, key="s"),
)
"""In the order in which it is shown. On a phone the first four stand at the bottom, the others
behind "More"."""

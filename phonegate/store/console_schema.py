"""The tables of what people do in the console, as one step of the schema (see `migrations`).

Statements that users have run are never edited.
"""

from typing import Final

_SESSIONS: Final = (
    # `digest` is that of the cookie. Of a session of an org's own secret `key` is NULL, of one of
    # the operator's token `org` too; `operator` is then a digest of that token.
    """
    CREATE TABLE sessions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        digest BLOB NOT NULL UNIQUE,
        org INTEGER REFERENCES orgs (id) ON DELETE CASCADE,
        key TEXT REFERENCES api_keys (id) ON DELETE CASCADE,
        operator BLOB,
        created_at INTEGER NOT NULL,
        used_at INTEGER NOT NULL,
        browser TEXT NOT NULL,
        network TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX sessions_by_org ON sessions (org, id)",
    "CREATE INDEX sessions_by_use ON sessions (used_at)",
)

# --- conversations -----------------------------------------------------------------------------

_CONVERSATIONS: Final = ()

# --- names for numbers, and texts to send again --------------------------------------------------

_CONTACTS: Final = ()

# --- health of phones over time ------------------------------------------------------------------

_PHONE_HEALTH: Final = ()

# --- figures by hour, and of the gateway ---------------------------------------------------------

_FIGURES: Final = ()

CONSOLE: Final = (
    *_SESSIONS,
    *_CONVERSATIONS,
    *_CONTACTS,
    *_PHONE_HEALTH,
    *_FIGURES,
)

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

_CONVERSATIONS: Final = (
    # Each has the ids of its newest message and of the newest received one, and up to which
    # received one all were read. Messages above the mark `conversations` are not counted in it yet.
    """
    CREATE TABLE conversations (
        org INTEGER NOT NULL,
        address TEXT NOT NULL,
        last INTEGER NOT NULL,
        last_in INTEGER NOT NULL,
        read_to INTEGER NOT NULL,
        PRIMARY KEY (org, address)
    ) STRICT, WITHOUT ROWID
    """,
    # What came before there was a console counts as read. The index has all that this reads.
    """
    INSERT INTO conversations
    SELECT org, address, max(id), max(iif(direction = 'in', id, 0)), max(id)
    FROM messages INDEXED BY messages_by_address GROUP BY org, address
    """,
    "INSERT INTO marks SELECT 'conversations', coalesce(max(id), 0) FROM messages",
    "CREATE INDEX conversations_by_last ON conversations (org, last)",
    """
    CREATE INDEX conversations_unread ON conversations (org, last) WHERE last_in > read_to
    """,
)

# --- names for numbers, and texts to send again --------------------------------------------------

_CONTACTS: Final = ()

# --- health of phones over time ------------------------------------------------------------------

_PHONE_HEALTH: Final = (
    # How phones said that they were, and when each was connected (`went_at` is NULL while it is).
    # Nothing refers to the phone: an org may have thousands of phones, each with thousands of rows
    # here, which are deleted in small steps once their phone is gone. No id is given twice.
    """
    CREATE TABLE phone_health (
        phone INTEGER NOT NULL,
        at INTEGER NOT NULL,
        battery INTEGER,
        charging INTEGER,
        signal INTEGER,
        network TEXT,
        PRIMARY KEY (phone, at)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE phone_presence (
        phone INTEGER NOT NULL,
        came_at INTEGER NOT NULL,
        went_at INTEGER,
        PRIMARY KEY (phone, came_at)
    ) STRICT, WITHOUT ROWID
    """,
    """
    INSERT INTO phone_health (phone, at, battery, charging, signal, network)
    SELECT id, health_at, battery, charging, signal, network FROM phones
    WHERE health_at IS NOT NULL
    """,
)

# --- figures by hour, and of the gateway ---------------------------------------------------------

_WAITS: Final = (
    *("500", "1000", "2000", "3000", "5000", "10000", "20000", "30000", "60000", "120000"),
    *("300000", "900000", "3600000", "21600000"),
)
"""The bounds of the waits that are counted, in ms."""


def _wait_columns(kind: str) -> tuple[str, ...]:
    return tuple(f"to_{kind}_{n}" for n in range(len(_WAITS) + 1))


def _first_figures(columns: tuple[str, ...], rows: str) -> str:
    """Returns the statement that counts what has happened to the messages which there are.

    `rows` are their org, the time and sender of each, and 0 or 1 for each column.
    """
    sums = ", ".join(f"sum({name})" for name in columns)
    added = ", ".join(f"{name} = {name} + excluded.{name}" for name in columns)
    return f"""
        INSERT INTO figures (org, hour, sender, {", ".join(columns)})
        SELECT org, at / 3600000, sender, {sums} FROM ({rows})
        WHERE at >= 0 GROUP BY org, at / 3600000, sender
        ON CONFLICT (org, hour, sender) DO UPDATE SET {added}
    """  # noqa: S608 - constants


def _steps(kind: str, wait: str) -> str:
    """Returns the columns that say among which waits one is counted."""
    lower = ("-1", *_WAITS)
    upper = (*_WAITS, str(1 << 62))
    return ", ".join(
        f"max({wait}, 0) > {low} AND max({wait}, 0) <= {high} AS {name}"
        for low, high, name in zip(lower, upper, _wait_columns(kind), strict=True)
    )


_SENDER: Final = """
    coalesce(
        nullif(substr(sim, 1, 40), ''),
        '#' || phone || ':' || coalesce(sim_slot, ''),
        '@' || provider
    ) AS sender
"""

_SINCE: Final = "coalesce(first_tried_at, created_at)"

_FIGURES: Final = (
    # What happened in each hour (since 1970), by SIM or carrier: see `model/figures.py`. The waits
    # are counted in steps. Nothing refers to the org: its rows are deleted in small steps.
    f"""
    CREATE TABLE figures (
        org INTEGER NOT NULL,
        hour INTEGER NOT NULL,
        sender TEXT NOT NULL,
        sent INTEGER NOT NULL DEFAULT 0,
        delivered INTEGER NOT NULL DEFAULT 0,
        failed INTEGER NOT NULL DEFAULT 0,
        expired INTEGER NOT NULL DEFAULT 0,
        uncertain INTEGER NOT NULL DEFAULT 0,
        received INTEGER NOT NULL DEFAULT 0,
        segments INTEGER NOT NULL DEFAULT 0,
        {", ".join(f"{name} INTEGER NOT NULL DEFAULT 0" for name in _wait_columns("sent"))},
        {", ".join(f"{name} INTEGER NOT NULL DEFAULT 0" for name in _wait_columns("delivered"))},
        PRIMARY KEY (org, hour, sender)
    ) STRICT, WITHOUT ROWID
    """,
    # The messages that there are. When one ended unsent was not kept: the last time that is known.
    _first_figures(
        ("sent", "segments", *_wait_columns("sent")),
        f"""
        SELECT org, sent_at AS at, {_SENDER}, 1 AS sent, coalesce(segments, 1) AS segments,
            {_steps("sent", f"sent_at - {_SINCE}")}
        FROM messages WHERE sent_at IS NOT NULL
        """,  # noqa: S608 - constants
    ),
    _first_figures(
        ("delivered", *_wait_columns("delivered")),
        f"""
        SELECT org, delivered_at AS at, {_SENDER}, 1 AS delivered,
            {_steps("delivered", f"delivered_at - {_SINCE}")}
        FROM messages WHERE status = 'delivered' AND delivered_at IS NOT NULL
        """,  # noqa: S608 - constants
    ),
    _first_figures(
        ("received", "failed", "expired", "uncertain"),
        f"""
        SELECT org, coalesce(acked_at, pushed_at, expires_at, created_at) AS at, {_SENDER},
            status = 'received' AS received, status = 'failed' AS failed,
            status = 'expired' AS expired, status = 'uncertain' AS uncertain
        FROM messages WHERE status IN ('received', 'failed', 'expired', 'uncertain')
        """,  # noqa: S608 - constants
    ),
    # How the gateway was in each hour.
    """
    CREATE TABLE gateway_hours (
        hour INTEGER PRIMARY KEY,
        database_bytes INTEGER NOT NULL,
        free_bytes INTEGER NOT NULL,
        messages INTEGER NOT NULL
    ) STRICT
    """,
)

CONSOLE: Final = (
    *_SESSIONS,
    *_CONVERSATIONS,
    *_CONTACTS,
    *_PHONE_HEALTH,
    *_FIGURES,
)

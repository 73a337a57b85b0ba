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
    # What cookies are signed with. It is made when it is first needed.
    "CREATE TABLE session_keys (id INTEGER PRIMARY KEY CHECK (id = 1), key BLOB NOT NULL) STRICT",
    # The copies of this database that were made lately.
    """
    CREATE TABLE copies (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        file TEXT NOT NULL,
        bytes INTEGER NOT NULL
    ) STRICT
    """,
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
    # All of an org in their order are the merge of the unread ones and the others. With an index
    # for each, a group of messages took half as long again.
    "CREATE INDEX conversations_by_last ON conversations (org, last_in > read_to, last)",
)

# --- names for numbers, and texts to send again --------------------------------------------------

_CONTACTS: Final = (
    # Numbers have the form in which messages are sent to them. `sorting` is the name as it is
    # searched for and sorted by.
    """
    CREATE TABLE contacts (
        org INTEGER NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
        number TEXT NOT NULL,
        name TEXT NOT NULL,
        label TEXT NOT NULL,
        sorting TEXT NOT NULL,
        PRIMARY KEY (org, number)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX contacts_by_name ON contacts (org, sorting, number)",
    """
    CREATE TABLE templates (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        org INTEGER NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        body TEXT NOT NULL,
        UNIQUE (org, name)
    ) STRICT
    """,
    # Messages that were written together. `draft` is what they are made from, until all of them
    # are accepted; `accepted` counts them. `digest` is that of what is sent.
    """
    CREATE TABLE batches (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        org INTEGER NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
        key TEXT,
        token TEXT NOT NULL UNIQUE,
        created_at INTEGER NOT NULL,
        begun_at INTEGER,
        digest BLOB,
        total INTEGER NOT NULL DEFAULT 0,
        accepted INTEGER NOT NULL DEFAULT 0,
        draft BLOB NOT NULL
    ) STRICT
    """,
    "CREATE INDEX batches_by_org ON batches (org, id)",
    # The ids of the messages of a batch.
    """
    CREATE TABLE batch_ranges (
        batch INTEGER NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        PRIMARY KEY (batch, first)
    ) STRICT, WITHOUT ROWID
    """,
)

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


def _step(wait: str) -> str:
    """Returns among which waits one is counted."""
    steps = " ".join(f"WHEN {wait} <= {bound} THEN {n}" for n, bound in enumerate(_WAITS))
    return f"CASE {steps} ELSE {len(_WAITS)} END"


def _first_figures(columns: tuple[str, ...], kind: str | None, rows: str) -> str:
    """Returns the statement that counts what has happened to the messages which there are.

    `rows` are their org, the time and sender of each, the step of its wait, and what to add to
    each column. `kind` says which waits those are.
    """
    waits = () if kind is None else _wait_columns(kind)
    summed = ", ".join(f"sum({name}) AS {name}" for name in columns)
    sums = [f"sum({name})" for name in columns]
    sums += [f"sum(iif(step = {n}, {kind}, 0))" for n in range(len(waits))]
    names = (*columns, *waits)
    added = ", ".join(f"{name} = {name} + excluded.{name}" for name in names)
    return f"""
        INSERT INTO figures (org, hour, sender, {", ".join(names)})
        SELECT org, hour, sender, {", ".join(sums)} FROM (
            SELECT org, at / 3600000 AS hour, sender, step, {summed} FROM ({rows})
            GROUP BY org, at / 3600000, sender, step
        )
        WHERE hour >= 0 GROUP BY org, hour, sender
        ON CONFLICT (org, hour, sender) DO UPDATE SET {added}
    """  # noqa: S608 - constants


_SENDER: Final = """
    coalesce(
        nullif(substr(sim, 1, 40), ''),
        '#' || phone || ':' || coalesce(sim_slot, ''),
        '@' || provider
    ) AS sender
"""

_RECENT: Final = "id > (SELECT coalesce(max(id), 0) - 1000000 FROM messages)"
"""The newest million messages, for which it takes five seconds."""

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
        ("sent", "segments"),
        "sent",
        f"""
        SELECT org, sent_at AS at, {_SENDER}, {_step(f"sent_at - {_SINCE}")} AS step, 1 AS sent,
            coalesce(segments, 1) AS segments
        FROM messages WHERE {_RECENT} AND sent_at IS NOT NULL
        """,  # noqa: S608 - constants
    ),
    _first_figures(
        ("delivered",),
        "delivered",
        f"""
        SELECT org, delivered_at AS at, {_SENDER}, {_step(f"delivered_at - {_SINCE}")} AS step,
            1 AS delivered
        FROM messages
        WHERE {_RECENT} AND status = 'delivered' AND delivered_at IS NOT NULL
        """,  # noqa: S608 - constants
    ),
    _first_figures(
        ("received", "failed", "expired", "uncertain"),
        None,
        f"""
        SELECT org, coalesce(acked_at, pushed_at, expires_at, created_at) AS at, {_SENDER},
            0 AS step, status = 'received' AS received, status = 'failed' AS failed,
            status = 'expired' AS expired, status = 'uncertain' AS uncertain
        FROM messages
        WHERE {_RECENT} AND status IN ('received', 'failed', 'expired', 'uncertain')
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

"""The schema, as numbered steps from an empty file to today's.

A step is never edited once released; a change is a new step. `PRAGMA user_version` says how
many have run, `PRAGMA application_id` that the file is ours.

Notes on the first step:

- Every table is STRICT: a wrong type is an error at once, not a surprise on another machine.
- `id` is AUTOINCREMENT where an id once given out must never name another row.
- An org whose `name` is NULL has been removed; its rows are being cleared away in slices.
- The four `messages_by_*` indexes that end in `direction` give any page in id order: SQLite
  appends the rowid to every key, and a page of both directions is a merge of two ranges.
- The partial indexes are the queues. Finished messages are in none of them.
- `tallies` counts messages by status, so that ten million rows need not be counted.
- `words` is contentless: bodies are stored once. Messages above the mark `indexed` are not in
  it yet; the writer adds them in groups, which costs a third of adding each with its commit.
"""

import sqlite3
from typing import Final

from phonegate.model.phones import number_form
from phonegate.store.console_schema import CONSOLE

APPLICATION_ID: Final = 0x70686774
"""`phgt` in ASCII, at byte 68 of the file (https://www.sqlite.org/fileformat.html)."""

_FIRST: Final = (
    """
    CREATE TABLE orgs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT UNIQUE,
        secret_hash TEXT NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX orgs_removed ON orgs (id) WHERE name IS NULL",
    """
    CREATE TABLE api_keys (
        id TEXT PRIMARY KEY,
        org INTEGER NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        scopes TEXT NOT NULL,
        digest BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        last_used_at INTEGER
    ) STRICT
    """,
    "CREATE INDEX api_keys_by_org ON api_keys (org, created_at, id)",
    """
    CREATE TABLE phones (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        org INTEGER NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
        device_id TEXT,
        name TEXT,
        model TEXT,
        app TEXT,
        first_seen INTEGER NOT NULL,
        last_seen INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE UNIQUE INDEX phones_by_device ON phones (org, device_id)",
    """
    CREATE TABLE sims (
        phone INTEGER NOT NULL REFERENCES phones (id) ON DELETE CASCADE,
        slot INTEGER NOT NULL,
        org INTEGER NOT NULL,
        number TEXT,
        carrier TEXT,
        PRIMARY KEY (phone, slot)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX sims_by_org ON sims (org, phone, slot)",
    "CREATE INDEX sims_by_number ON sims (org, number) WHERE number IS NOT NULL",
    """
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        org INTEGER NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
        direction TEXT NOT NULL CHECK (direction IN ('in', 'out')),
        address TEXT NOT NULL,
        body TEXT NOT NULL,
        status TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        phone INTEGER,
        wish TEXT NOT NULL DEFAULT '',
        sim_slot INTEGER,
        sim TEXT,
        date INTEGER,
        sent_at INTEGER,
        delivered_at INTEGER,
        error TEXT,
        segments INTEGER,
        provider TEXT NOT NULL,
        media_urls TEXT,
        priority INTEGER NOT NULL DEFAULT 0,
        held_until INTEGER,
        expires_at INTEGER,
        attempts INTEGER NOT NULL DEFAULT 0,
        pushed_at INTEGER,
        acked_at INTEGER,
        on_uncertain TEXT NOT NULL DEFAULT 'hold',
        resend_of INTEGER,
        fingerprint BLOB
    ) STRICT
    """,
    "CREATE INDEX messages_by_org ON messages (org, direction)",
    "CREATE INDEX messages_by_status ON messages (org, status)",
    "CREATE INDEX messages_by_address ON messages (org, address, direction)",
    """
    CREATE INDEX messages_by_sim ON messages (org, sim, direction)
    WHERE sim IS NOT NULL
    """,
    """
    CREATE INDEX messages_by_slot ON messages (org, sim_slot, direction)
    WHERE sim_slot IS NOT NULL
    """,
    """
    CREATE UNIQUE INDEX messages_by_fingerprint ON messages (org, fingerprint)
    WHERE fingerprint IS NOT NULL
    """,
    """
    CREATE INDEX messages_ready
    ON messages (org, wish, phone, priority DESC, id, segments)
    WHERE status = 'queued' AND held_until IS NULL
    """,
    """
    CREATE INDEX messages_held ON messages (held_until)
    WHERE status = 'queued' AND held_until IS NOT NULL
    """,
    """
    CREATE INDEX messages_expiring ON messages (expires_at)
    WHERE status = 'queued' AND expires_at IS NOT NULL
    """,
    "CREATE INDEX messages_unsettled ON messages (phone) WHERE status = 'sending'",
    """
    CREATE INDEX messages_pushed ON messages (coalesce(acked_at, pushed_at))
    WHERE status = 'sending'
    """,
    """
    CREATE TABLE replies (
        id INTEGER PRIMARY KEY,
        org INTEGER NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
        route TEXT NOT NULL,
        key TEXT NOT NULL,
        fingerprint BLOB NOT NULL,
        status INTEGER NOT NULL,
        body BLOB NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE UNIQUE INDEX replies_by_key ON replies (org, route, key)",
    "CREATE INDEX replies_by_age ON replies (created_at)",
    """
    CREATE TABLE tallies (status TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE marks (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID
    """,
    "INSERT INTO marks VALUES ('indexed', 0)",
    # No positions and no sizes: a search asks which messages hold all of its words, no more.
    # The `ascii` tokenizer cuts at ASCII punctuation only, and store/search.py leaves none.
    """
    CREATE VIRTUAL TABLE words
    USING fts5(tokens, content='', detail=none, columnsize=0, tokenize='ascii')
    """,
)

_ASSISTANTS: Final = (
    # Credentials are kept as the owner typed them, since the carriers want them in clear: the
    # file's mode is what guards them. `from_file` marks those that gateway.toml declares.
    """
    CREATE TABLE assistants (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        org INTEGER NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        provider TEXT NOT NULL,
        credentials TEXT NOT NULL,
        token TEXT NOT NULL,
        from_file INTEGER NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX assistants_by_org ON assistants (org, id)",
    """
    CREATE TABLE assistant_numbers (
        org INTEGER NOT NULL,
        number TEXT NOT NULL,
        assistant INTEGER NOT NULL REFERENCES assistants (id) ON DELETE CASCADE,
        PRIMARY KEY (org, number)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX assistant_numbers_by_assistant ON assistant_numbers (assistant, number)",
    "ALTER TABLE messages ADD COLUMN assistant INTEGER",
    "ALTER TABLE messages ADD COLUMN carrier_id TEXT",
    "ALTER TABLE messages ADD COLUMN reference TEXT",
    "ALTER TABLE messages ADD COLUMN callback_url TEXT",
    "ALTER TABLE messages ADD COLUMN first_tried_at INTEGER",
    "ALTER TABLE messages ADD COLUMN look_at INTEGER",
    "ALTER TABLE messages ADD COLUMN looks INTEGER NOT NULL DEFAULT 0",
    """
    CREATE INDEX messages_by_carrier_id ON messages (assistant, carrier_id)
    WHERE carrier_id IS NOT NULL
    """,
    "CREATE INDEX messages_to_look_at ON messages (look_at) WHERE look_at IS NOT NULL",
    # A carrier's messages are looked at by times of their own.
    "DROP INDEX messages_pushed",
    """
    CREATE INDEX messages_pushed ON messages (coalesce(acked_at, pushed_at))
    WHERE status = 'sending' AND assistant IS NULL
    """,
    """
    CREATE INDEX messages_ready_for_carriers ON messages (id)
    WHERE status = 'queued' AND held_until IS NULL AND assistant IS NOT NULL
    """,
)

_ALLOWANCES: Final = (
    # JSON; NULL where a key may send as much as it likes to whom it likes.
    "ALTER TABLE api_keys ADD COLUMN limits TEXT",
    # What keys with a limit on their number have sent within a day, by steps of some seconds.
    """
    CREATE TABLE key_sends (
        key TEXT NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
        at INTEGER NOT NULL,
        n INTEGER NOT NULL,
        PRIMARY KEY (key, at)
    ) STRICT, WITHOUT ROWID
    """,
    "ALTER TABLE messages ADD COLUMN approval TEXT",
    "ALTER TABLE messages ADD COLUMN wanted_at INTEGER",
    """
    CREATE INDEX messages_to_approve ON messages (org)
    WHERE status = 'queued' AND approval = 'asked'
    """,
)

_QUIET = ("ALTER TABLE messages ADD COLUMN quiet_at INTEGER",)

_ADMISSIONS: Final = (
    # Where right secrets came from: those places are let in past guessers after a restart.
    """
    CREATE TABLE org_places (
        org INTEGER NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
        place TEXT NOT NULL,
        seen_at INTEGER NOT NULL,
        PRIMARY KEY (org, place)
    ) STRICT, WITHOUT ROWID
    """,
    # Names of orgs that were removed, as digests: the phone of one must not make it again.
    "CREATE TABLE removed_orgs (digest BLOB PRIMARY KEY) STRICT, WITHOUT ROWID",
    # Orgs whose secret is one that documents print.
    """
    CREATE TABLE published_secrets (
        org INTEGER PRIMARY KEY REFERENCES orgs (id) ON DELETE CASCADE
    ) STRICT
    """,
    # What the owner chose by command where the configuration says nothing.
    "CREATE TABLE choices (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
)

_SENDERS: Final = (
    # NULL for what the org's own secret sent, and for all that was sent before this step.
    "ALTER TABLE messages ADD COLUMN key TEXT",
    "CREATE INDEX messages_by_key ON messages (org, key) WHERE key IS NOT NULL",
    """
    CREATE INDEX messages_waiting_of_key ON messages (key)
    WHERE status = 'queued' AND key IS NOT NULL
    """,
    # Revoked keys of which messages are still to be cancelled, in slices.
    """
    CREATE TABLE ended_keys (key TEXT PRIMARY KEY, ended_at INTEGER NOT NULL) STRICT, WITHOUT ROWID
    """,
)

_FINGERPRINTS: Final = (
    # The fingerprints of received messages up to this one leave out their SIM, their media, and the
    # row of a phone without a name. Until then domain/inbox.py looks for both forms.
    """
    INSERT INTO marks
    SELECT 'plain_fingerprints', id FROM messages ORDER BY id DESC LIMIT 1
    """,
)

_RECOGNITION: Final = (
    # An unnamed phone that ever reported a number is known again by numbers alone.
    "ALTER TABLE phones ADD COLUMN numbered INTEGER NOT NULL DEFAULT 0",
    """
    UPDATE phones SET numbered = 1 WHERE id IN (SELECT phone FROM sims WHERE number IS NOT NULL)
    """,
    "ALTER TABLE phones ADD COLUMN acks INTEGER NOT NULL DEFAULT 0",
    # Numbers stand as the phone wrote them. What is compared is their form.
    "ALTER TABLE sims ADD COLUMN form TEXT",
    "UPDATE sims SET form = number_form(number) WHERE number IS NOT NULL",
    "DROP INDEX sims_by_number",
    "CREATE INDEX sims_by_form ON sims (org, form) WHERE form IS NOT NULL",
    # What waits asks for a SIM by that form too: one statement for each index that holds it.
    """
    UPDATE messages SET wish = number_form(wish)
    WHERE status = 'queued' AND held_until IS NULL AND assistant IS NULL AND length(wish) > 2
    """,
    """
    UPDATE messages SET wish = number_form(wish)
    WHERE status = 'queued' AND held_until IS NOT NULL AND assistant IS NULL AND length(wish) > 2
    """,
    """
    UPDATE messages SET wish = number_form(wish)
    WHERE status = 'sending' AND assistant IS NULL AND length(wish) > 2
    """,
)

_BOUNDS: Final = (
    # Until now bodies were indexed whole, and what is in the index must be known to take it out.
    """
    INSERT INTO marks SELECT 'indexed_whole', value FROM marks WHERE name = 'indexed'
    """,
    # Whether an org came by itself. Those of before count as made by the owner. Beside it what
    # it has stored of late: so many bytes as of that time (ms), fewer with each moment since.
    "ALTER TABLE orgs ADD COLUMN self_made INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE orgs ADD COLUMN stored_bytes INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE orgs ADD COLUMN stored_at INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX orgs_of_owner ON orgs (id) WHERE name IS NOT NULL AND self_made = 0",
    # For whose turn it is among the orgs that have something due.
    """
    CREATE INDEX messages_held_by_org ON messages (org, held_until)
    WHERE status = 'queued' AND held_until IS NOT NULL
    """,
    """
    CREATE INDEX messages_expiring_by_org ON messages (org, expires_at)
    WHERE status = 'queued' AND expires_at IS NOT NULL
    """,
)

# The columns bear the names of the fields that they hold.
_NAMES: Final = (
    "ALTER TABLE messages RENAME COLUMN wish TO sim_selector",
    "ALTER TABLE messages RENAME COLUMN look_at TO next_poll_at",
    "ALTER TABLE messages RENAME COLUMN looks TO polls",
    "DROP INDEX messages_to_look_at",
    """
    CREATE INDEX messages_to_poll ON messages (next_poll_at) WHERE next_poll_at IS NOT NULL
    """,
)

_PHONES_OF_A_KIND: Final = (
    # What phones are beside who they are: their kind, what their owner calls them, how they are.
    "ALTER TABLE phones ADD COLUMN kind TEXT NOT NULL DEFAULT 'link'",
    "ALTER TABLE phones ADD COLUMN given_name TEXT",
    "ALTER TABLE phones ADD COLUMN battery INTEGER",
    "ALTER TABLE phones ADD COLUMN charging INTEGER",
    "ALTER TABLE phones ADD COLUMN signal INTEGER",
    "ALTER TABLE phones ADD COLUMN network TEXT",
    "ALTER TABLE phones ADD COLUMN health_at INTEGER",
    "ALTER TABLE phones ADD COLUMN window INTEGER",
    "ALTER TABLE phones ADD COLUMN hint TEXT",
    "CREATE INDEX phones_hinted ON phones (id) WHERE hint IS NOT NULL",
    # The API key by which a phone came last. NULL is the org's secret, or a time before this step.
    "ALTER TABLE phones ADD COLUMN key TEXT",
    "CREATE INDEX phones_by_key ON phones (key) WHERE key IS NOT NULL",
    # Numbers that owners gave to SIMs, which outlive what phones report of them. Where a number
    # stands in `sims` because of that, it is `given` there.
    """
    CREATE TABLE sim_numbers (
        phone INTEGER NOT NULL REFERENCES phones (id) ON DELETE CASCADE,
        slot INTEGER NOT NULL,
        org INTEGER NOT NULL,
        number TEXT NOT NULL,
        form TEXT NOT NULL,
        PRIMARY KEY (phone, slot)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE UNIQUE INDEX sim_numbers_by_form ON sim_numbers (org, form)",
    "ALTER TABLE sims ADD COLUMN given INTEGER NOT NULL DEFAULT 0",
    # The apps that are phones by an API of their own, each with what it was given.
    """
    CREATE TABLE enrolments (
        phone INTEGER PRIMARY KEY REFERENCES phones (id) ON DELETE CASCADE,
        org INTEGER NOT NULL,
        key TEXT NOT NULL,
        app_id TEXT NOT NULL,
        token BLOB NOT NULL,
        hook TEXT NOT NULL,
        signing_key TEXT NOT NULL,
        name TEXT,
        sims TEXT NOT NULL,
        agent TEXT NOT NULL,
        enrolled_at INTEGER NOT NULL,
        used_at INTEGER,
        pushed_at INTEGER,
        streamed_at INTEGER,
        heard_at INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE UNIQUE INDEX enrolments_by_token ON enrolments (token)",
    "CREATE UNIQUE INDEX enrolments_by_hook ON enrolments (hook)",
    "CREATE INDEX enrolments_by_name ON enrolments (org, name)",
    # The parts of received MMS. Their data come last, so that their size is known without them.
    """
    CREATE TABLE media_parts (
        message INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        content_type TEXT NOT NULL,
        name TEXT,
        digest BLOB NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (message, number)
    ) STRICT
    """,
    "ALTER TABLE messages ADD COLUMN parts INTEGER NOT NULL DEFAULT 0",
)

_EVENTS: Final = (
    # What apps get to know. `data` is JSON: of a message what a reader sees, without what is NULL.
    # Ids are counted by the writer; 'events' in `marks` is the highest one whose row may be gone.
    """
    CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        org INTEGER NOT NULL,
        type TEXT NOT NULL,
        at INTEGER NOT NULL,
        message INTEGER,
        phone INTEGER,
        data TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX events_by_org ON events (org, id)",
    # Orgs whose events are recorded: until then (ms), and as long as they have a webhook. Of events
    # up to the first one some may be missing.
    """
    CREATE TABLE listeners (
        org INTEGER PRIMARY KEY REFERENCES orgs (id) ON DELETE CASCADE,
        until INTEGER NOT NULL,
        first INTEGER NOT NULL
    ) STRICT
    """,
    # Whether a phone is connected, to report those that the end of a process took along.
    "ALTER TABLE phones ADD COLUMN online INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX phones_online ON phones (id) WHERE online = 1",
    # Secrets are kept as they were shown, since calls are signed with them.
    """
    CREATE TABLE webhooks (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        org INTEGER NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
        url TEXT NOT NULL,
        events TEXT NOT NULL,
        address TEXT,
        sim TEXT,
        phone INTEGER,
        headers TEXT NOT NULL,
        shape TEXT NOT NULL,
        name TEXT,
        secret TEXT NOT NULL,
        old_secret TEXT,
        old_secret_until INTEGER,
        key TEXT,
        created_at INTEGER NOT NULL,
        position INTEGER NOT NULL,
        failing_since INTEGER,
        disabled_at INTEGER,
        disabled_reason TEXT,
        missed_at INTEGER
    ) STRICT
    """,
    "CREATE INDEX webhooks_by_org ON webhooks (org, id)",
    "CREATE INDEX webhooks_by_key ON webhooks (key) WHERE key IS NOT NULL",
    # One event on its way to one webhook, with its last attempt. `next_at` is NULL where it is
    # over. `event` is NULL for a test. Those of a removed webhook may be many: they are deleted
    # little by little, and not by a rule of the schema.
    """
    CREATE TABLE deliveries (
        n INTEGER PRIMARY KEY AUTOINCREMENT,
        webhook INTEGER NOT NULL,
        event INTEGER,
        type TEXT NOT NULL,
        subject TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        at INTEGER,
        ms INTEGER,
        status INTEGER,
        error TEXT,
        answer TEXT,
        next_at INTEGER
    ) STRICT
    """,
    "CREATE INDEX deliveries_by_webhook ON deliveries (webhook, n)",
    """
    CREATE INDEX deliveries_waiting ON deliveries (webhook, subject, n) WHERE next_at IS NOT NULL
    """,
    """
    CREATE INDEX deliveries_due ON deliveries (webhook, n, next_at) WHERE next_at IS NOT NULL
    """,
    # The alarms that are on, so that their end is reported after a restart too.
    """
    CREATE TABLE alarms (
        name TEXT NOT NULL,
        about TEXT NOT NULL,
        org TEXT,
        since INTEGER NOT NULL,
        fields TEXT NOT NULL,
        reported INTEGER NOT NULL,
        PRIMARY KEY (name, about)
    ) STRICT
    """,
)

_CALLBACKS: Final = (
    # What is called with what becomes of a message, as JSON, with what signs it.
    "ALTER TABLE messages ADD COLUMN status_callback TEXT",
    # A webhook of shape `twilio` may be called by GET, and be signed by a state of HMAC-SHA1 in
    # place of its secret. `used_at` is NULL but for those that the callbacks of messages go by,
    # one for each receiver: when one was last asked for.
    "ALTER TABLE webhooks ADD COLUMN method TEXT NOT NULL DEFAULT 'POST'",
    "ALTER TABLE webhooks ADD COLUMN signing_state BLOB",
    "ALTER TABLE webhooks ADD COLUMN used_at INTEGER",
    """
    CREATE UNIQUE INDEX webhooks_of_callbacks ON webhooks (org, shape, url)
    WHERE used_at IS NOT NULL
    """,
)

_CLIENT_IDS: Final = (
    # What the programs of senders call their messages: all of one request have the same.
    "ALTER TABLE messages ADD COLUMN client_id TEXT",
    """
    CREATE INDEX messages_by_client_id ON messages (org, client_id) WHERE client_id IS NOT NULL
    """,
    # What programs call their webhooks, and which event of their own API each is for.
    "ALTER TABLE webhooks ADD COLUMN client_id TEXT",
    "ALTER TABLE webhooks ADD COLUMN client_event TEXT",
    """
    CREATE UNIQUE INDEX webhooks_by_client_id ON webhooks (org, client_id)
    WHERE client_id IS NOT NULL
    """,
    # The one secret of all webhooks of shape `smsgate` that an org has.
    """
    CREATE TABLE smsgate_signing_keys (
        org INTEGER PRIMARY KEY REFERENCES orgs (id) ON DELETE CASCADE,
        signing_key TEXT NOT NULL
    ) STRICT
    """,
    # Tokens that were given for a credential: `key` is NULL for an org's own secret. `access` and
    # `refresh` are digests; the second is NULL once it was used.
    """
    CREATE TABLE dialect_tokens (
        id TEXT PRIMARY KEY,
        org INTEGER NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
        key TEXT REFERENCES api_keys (id) ON DELETE CASCADE,
        grants TEXT NOT NULL,
        access BLOB NOT NULL UNIQUE,
        expires_at INTEGER NOT NULL,
        refresh BLOB UNIQUE,
        refresh_until INTEGER NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX dialect_tokens_by_org ON dialect_tokens (org, created_at)",
    """
    CREATE INDEX dialect_tokens_by_key ON dialect_tokens (key) WHERE key IS NOT NULL
    """,
)

_ORG_OPTIONS: Final = (
    # NULL: no country, and as many characters as `model.bounds` says.
    "ALTER TABLE orgs ADD COLUMN default_country TEXT",
    "ALTER TABLE orgs ADD COLUMN max_characters INTEGER",
)

_HOOKS: Final = (
    # Of the token that their URLs end with, the SHA-256. What verifies their calls is kept as it
    # was entered, since signatures are made with it.
    """
    CREATE TABLE hooks (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        org INTEGER NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        digest BLOB NOT NULL UNIQUE,
        mapping TEXT NOT NULL,
        verification TEXT,
        key TEXT,
        created_at INTEGER NOT NULL,
        calls INTEGER NOT NULL DEFAULT 0,
        last_used_at INTEGER,
        last_kind TEXT,
        last_detail TEXT,
        disabled_at INTEGER,
        disabled_reason TEXT
    ) STRICT
    """,
    "CREATE INDEX hooks_by_org ON hooks (org, id)",
    "CREATE INDEX hooks_by_key ON hooks (key) WHERE key IS NOT NULL",
)

_MOVES: Final = (
    # Since when an org is not served, since it is about to move to another gateway, or has not
    # wholly come from one. NULL: it is served.
    "ALTER TABLE orgs ADD COLUMN suspended_at INTEGER",
    "CREATE INDEX orgs_suspended ON orgs (id) WHERE suspended_at IS NOT NULL",
    # Orgs that have not wholly come yet: of which file, by how much their ids grow (JSON; NULL
    # until that is known), and how many chunks of it are stored.
    """
    CREATE TABLE imports (
        org INTEGER PRIMARY KEY REFERENCES orgs (id) ON DELETE CASCADE,
        file TEXT NOT NULL,
        shifts TEXT,
        chunks INTEGER NOT NULL DEFAULT 0
    ) STRICT
    """,
)

STEPS: Final[tuple[tuple[str, ...], ...]] = (
    _FIRST,
    _ASSISTANTS,
    _ALLOWANCES,
    _QUIET,
    _ADMISSIONS,
    _SENDERS,
    _FINGERPRINTS,
    _RECOGNITION,
    _BOUNDS,
    _NAMES,
    _PHONES_OF_A_KIND,
    _EVENTS,
    CONSOLE,
    _CALLBACKS,
    _CLIENT_IDS,
    _ORG_OPTIONS,
    _HOOKS,
    _MOVES,
)
"""Step n brings a file from version n to n + 1."""

VERSION: Final = len(STEPS)


def version(connection: sqlite3.Connection) -> int:
    """Returns the number of steps that have run on this file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(
    connection: sqlite3.Connection, steps: tuple[tuple[str, ...], ...] | None = None
) -> bool:
    """Runs the steps that this file lacks, all or none. Returns whether there were any.

    Raises:
        sqlite3.Error: A step failed; the file is as it was.
    """
    steps = STEPS if steps is None else steps
    done = version(connection)
    if done >= len(steps):
        return False
    connection.create_function("number_form", 1, number_form, deterministic=True)
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in steps[done:]:
            for statement in step:
                connection.execute(statement)
        # PRAGMA takes no parameters; both are our own integers.
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(steps)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return True

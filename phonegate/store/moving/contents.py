"""What belongs to an org: its rows in every table, declared once. Pure.

A test compares this with the real schema, so that no table and no column can be forgotten. Names
stand here as the schema has them.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import attrs

ORGS: Final = "orgs"
MESSAGES: Final = "messages"
PHONES: Final = "phones"
EVENTS: Final = "events"
WEBHOOKS: Final = "webhooks"

SPACES: Final[Mapping[str, tuple[tuple[str, str], ...]]] = MappingProxyType(
    {
        ORGS: ((ORGS, "id"),),
        PHONES: ((PHONES, "id"), ("phone_health", "phone"), ("phone_presence", "phone")),
        MESSAGES: ((MESSAGES, "id"),),
        "assistants": (("assistants", "id"),),
        EVENTS: ((EVENTS, "id"),),
        WEBHOOKS: ((WEBHOOKS, "id"), ("deliveries", "webhook")),
        "deliveries": (("deliveries", "n"),),
        "templates": (("templates", "id"),),
        "batches": (("batches", "id"),),
        "hooks": (("hooks", "id"),),
    }
)
"""The numbers that a gateway counts up for all its orgs, by the table that gives them. An id is
taken where a row has it in one of these columns: what a removed phone or webhook has left is
deleted later than its own row."""


@attrs.frozen(kw_only=True)
class Part:
    """The rows of one table that belong to an org."""

    table: str
    columns: tuple[str, ...]
    """What is kept of them, in this order. Where the table names its org, the first is `org`."""
    key: tuple[str, ...]
    """In the order of these they are read."""
    ids: Mapping[str, str] = MappingProxyType({})
    """The columns that hold an id, and of which space it is. 0 and NULL are none."""
    left_out: tuple[str, ...] = ()
    """Columns that are not kept."""
    credentials: tuple[str, ...] = ()
    """Columns that give a right: to act as the org, or as what the org trusts."""
    is_credential: bool = False
    """Whether the rows are of use with such a right alone, as a whole."""
    of: str | None = None
    """For the rows of something else: the column that names it, by the first of its key."""
    children: tuple["Part", ...] = ()


def _columns(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_MESSAGE_PARTS: Final = Part(
    table="media_parts",
    columns=_columns("message number content_type name digest data"),
    key=("message", "number"),
    ids={"message": MESSAGES},
    of="message",
)

PARTS: Final[Sequence[Part]] = (
    Part(table="ended_keys", columns=_columns("key ended_at"), key=("key",)),
    Part(
        table="api_keys",
        columns=_columns("org id name scopes digest created_at last_used_at limits"),
        key=("id",),
        credentials=("digest",),
        children=(
            Part(table="key_sends", columns=_columns("key at n"), key=("key", "at"), of="key"),
        ),
    ),
    Part(
        table="dialect_tokens",
        columns=_columns("org id key grants access expires_at refresh refresh_until created_at"),
        key=("id",),
        is_credential=True,
    ),
    # What guessers do is not held against callers from these.
    Part(
        table="org_places",
        columns=_columns("org place seen_at"),
        key=("place",),
        is_credential=True,
    ),
    # It says that the secret can be read in the documents.
    Part(table="published_secrets", columns=("org",), key=("org",), is_credential=True),
    Part(
        table="smsgate_signing_keys",
        columns=_columns("org signing_key"),
        key=("org",),
        is_credential=True,
    ),
    Part(
        table="assistants",
        columns=_columns("org id name provider credentials token from_file created_at"),
        key=("id",),
        ids={"id": "assistants"},
        credentials=("credentials", "token"),
    ),
    Part(
        table="assistant_numbers",
        columns=_columns("org number assistant"),
        key=("number",),
        ids={"assistant": "assistants"},
    ),
    Part(
        table=PHONES,
        columns=_columns(
            "org id device_id name model app first_seen last_seen numbered acks kind given_name"
            " battery charging signal network health_at window hint key"
        ),
        key=("id",),
        ids={"id": PHONES},
        left_out=("online",),
        children=(
            Part(
                table="sim_numbers",
                columns=_columns("org phone slot number form"),
                key=("phone", "slot"),
                ids={"phone": PHONES},
                of="phone",
            ),
            Part(
                table="enrolments",
                columns=_columns(
                    "org phone key app_id token hook signing_key name sims agent enrolled_at"
                    " used_at pushed_at streamed_at heard_at"
                ),
                key=("phone",),
                ids={"phone": PHONES},
                of="phone",
                is_credential=True,
            ),
            Part(
                table="phone_health",
                columns=_columns("phone at battery charging signal network"),
                key=("phone", "at"),
                ids={"phone": PHONES},
                of="phone",
            ),
            Part(
                table="phone_presence",
                columns=_columns("phone came_at went_at"),
                key=("phone", "came_at"),
                ids={"phone": PHONES},
                of="phone",
            ),
        ),
    ),
    Part(
        table="sims",
        columns=_columns("org phone slot number carrier form given"),
        key=("phone", "slot"),
        ids={"phone": PHONES},
    ),
    Part(
        table=MESSAGES,
        columns=_columns(
            "org id direction address body status created_at phone sim_selector sim_slot sim date"
            " sent_at delivered_at error segments provider media_urls priority held_until"
            " expires_at attempts pushed_at acked_at on_uncertain resend_of fingerprint assistant"
            " carrier_id reference callback_url first_tried_at next_poll_at polls approval"
            " wanted_at quiet_at key parts status_callback client_id"
        ),
        key=("id",),
        ids={
            "id": MESSAGES,
            "phone": PHONES,
            "resend_of": MESSAGES,
            "assistant": "assistants",
        },
        # A carrier's reports, and what signs those of the gateway.
        credentials=("callback_url", "status_callback"),
        children=(_MESSAGE_PARTS,),
    ),
    Part(
        table="replies",
        columns=_columns("org route key fingerprint status body created_at"),
        key=("route", "key"),
        left_out=("id",),
        is_credential=True,
    ),
    Part(
        table="conversations",
        columns=_columns("org address last last_in read_to"),
        key=("address",),
        ids={"last": MESSAGES, "last_in": MESSAGES, "read_to": MESSAGES},
    ),
    Part(
        table="figures",
        columns=_columns(
            "org hour sender sent delivered failed expired uncertain received segments"
            + "".join(f" to_sent_{n}" for n in range(15))
            + "".join(f" to_delivered_{n}" for n in range(15))
        ),
        key=("hour", "sender"),
    ),
    Part(table="contacts", columns=_columns("org number name label sorting"), key=("number",)),
    Part(
        table="templates",
        columns=_columns("org id name body"),
        key=("id",),
        ids={"id": "templates"},
    ),
    Part(
        table="batches",
        columns=_columns("org id key token created_at begun_at digest total accepted draft"),
        key=("id",),
        ids={"id": "batches"},
        credentials=("token",),
        children=(
            Part(
                table="batch_ranges",
                columns=_columns("batch first last"),
                key=("batch", "first"),
                ids={"batch": "batches", "first": MESSAGES, "last": MESSAGES},
                of="batch",
            ),
        ),
    ),
    Part(
        table="hooks",
        columns=_columns(
            "org id name digest mapping verification key created_at calls last_used_at last_kind"
            " last_detail disabled_at disabled_reason"
        ),
        key=("id",),
        ids={"id": "hooks"},
        credentials=("digest", "verification"),
    ),
    Part(
        table=EVENTS,
        columns=_columns("org id type at message phone data"),
        key=("id",),
        ids={"id": EVENTS, "message": MESSAGES, "phone": PHONES},
    ),
    Part(
        table="listeners",
        columns=_columns("org until first"),
        key=("org",),
        ids={"first": EVENTS},
    ),
    Part(
        table=WEBHOOKS,
        columns=_columns(
            "org id url events address sim phone headers shape name secret old_secret"
            " old_secret_until key created_at position failing_since disabled_at disabled_reason"
            " missed_at method signing_state used_at client_id client_event"
        ),
        key=("id",),
        ids={"id": WEBHOOKS, "phone": PHONES, "position": EVENTS},
        # Who knows the URL of a chat's webhook may post there.
        credentials=("url", "headers", "secret", "old_secret", "signing_state"),
        children=(
            Part(
                table="deliveries",
                columns=_columns(
                    "n webhook event type subject created_at attempts at ms status error answer"
                    " next_at"
                ),
                key=("webhook", "n"),
                ids={"n": "deliveries", "webhook": WEBHOOKS, "event": EVENTS},
                of="webhook",
                # A receiver may repeat what it was called with.
                credentials=("answer",),
            ),
        ),
    ),
)
"""Parents before what refers to them.

`ended_keys` are those of which there are messages. They come first: once a key's messages are all
cancelled, its row is gone, so who reads them in this order misses none that still bars a message.
"""

ORG_COLUMNS: Final = _columns(
    "id name secret_hash created_at self_made stored_bytes stored_at default_country max_characters"
)
"""What is kept of the org's own row."""

ORG_CREDENTIALS: Final = ("secret_hash",)
"""Its columns that give a right."""

NOT_OF_ORGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tallies": "counts the messages of all orgs; counted again where they arrive",
        "marks": "numbers of the gateway; what an org needs of them is in the head",
        "words": "the index of words, made again where messages arrive",
        "removed_orgs": "names that this gateway had",
        "choices": "the owner's choices for this gateway",
        "alarms": "raised again where there is reason to",
        "sessions": "browsers that have signed in to this gateway; they sign in again",
        "session_keys": "what this gateway signs cookies with",
        "copies": "where this gateway's copies were put",
        "gateway_hours": "how this gateway was",
        "imports": "what this gateway is about to take in",
    }
)
"""The tables that hold nothing of an org that it takes along, and why."""


def every_part() -> Mapping[str, Part]:
    """Returns all parts by their table, children too."""
    found: dict[str, Part] = {}
    for part in PARTS:
        found[part.table] = part
        found.update((child.table, child) for child in part.children)
    return found


def without_credentials(parts: Sequence[Part] = PARTS) -> tuple[Part, ...]:
    """Returns parts as they are in a file that gives no right to its reader."""
    return tuple(
        attrs.evolve(
            part,
            columns=tuple(name for name in part.columns if name not in part.credentials),
            children=without_credentials(part.children),
        )
        for part in parts
        if not part.is_credential
    )

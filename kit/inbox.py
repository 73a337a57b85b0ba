"""A database with many messages in many conversations, as a busy gateway has after some years."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from phonegate.domain.credentials import hash_secret
from phonegate.model.messages import NewInbound, NewMessage
from phonegate.store.database import Database
from phonegate.store.tables import Tables

BATCH: Final = 5_000
NOW: Final = 1_790_000_000_000
MINUTE_MS: Final = 60_000

WORDS: Final = (
    *("alarm", "code", "meeting", "parcel", "doctor", "invoice", "battery", "train", "dinner"),
    *("thanks", "tomorrow", "morning", "school", "call", "later", "office", "delivery", "please"),
    *("confirm", "appointment", "street", "garden", "ready", "waiting"),
)
"""Words of the texts. "needle" stands in one of a hundred."""

UNREAD_EACH: Final = 10
"""One conversation of so many is unread."""


def address(number: int) -> str:
    """Returns the other party of a conversation."""
    return f"+1555{number:07d}"


def fill(path: Path, org: str, secret: str, *, messages: int, conversations: int) -> None:
    """Makes the file. Of all messages half were received, and a few parties wrote many of them."""
    Database.open(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        # The file is lost with the machine, so no flush is waited for.
        file.execute("PRAGMA synchronous = OFF")
        tables = Tables(file)
        file.execute("BEGIN")
        owner = tables.orgs.add(org, hash_secret(secret), NOW).id
        file.execute("COMMIT")
        chance = random.Random(messages)
        for start in range(0, messages, BATCH):
            file.execute("BEGIN")
            for new in _messages(owner, start, min(start + BATCH, messages), conversations, chance):
                if isinstance(new, NewInbound):
                    tables.messages.insert_inbound(new)
                else:
                    tables.messages.insert(new)
            while not tables.word_index.add_missing(BATCH, chars=10 * BATCH * 80)[1]:
                pass
            tables.conversations.add_missing(BATCH)
            tables.facts.clear()
            file.execute("COMMIT")
        file.execute("BEGIN")
        file.execute(
            "UPDATE messages SET status = 'sent', sent_at = created_at + 3000"
            " WHERE direction = 'out'"
        )
        file.execute("DELETE FROM tallies")
        file.execute("INSERT INTO tallies SELECT status, count(*) FROM messages GROUP BY status")
        file.execute("UPDATE conversations SET read_to = last WHERE last % ? != 0", (UNREAD_EACH,))
        file.execute("COMMIT")


def _messages(
    owner: int, start: int, end: int, conversations: int, chance: random.Random
) -> Iterator[NewInbound | NewMessage]:
    for number in range(start, end):
        party = address(int(chance.random() ** 2 * conversations))
        rare = " needle" if number % 100 == 0 else ""
        body = f"{' '.join(chance.choices(WORDS, k=10))} {number}{rare}"
        at = NOW + number * MINUTE_MS // 10
        if number % 2:
            yield NewInbound(
                org=owner,
                address=party,
                body=body,
                created_at=at,
                date=at,
                phone=None,
                sim_slot=0,
                sim="+15550001110",
                segments=1,
            )
        else:
            yield NewMessage(
                org=owner,
                address=party,
                body=body,
                created_at=at,
                segments=1,
                status="sending",
                sim_slot=0,
                sim="+15550001110",
            )

"""All tables over one connection."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from phonegate.model.facts import Fact
from phonegate.store.alarms import StandingAlarms
from phonegate.store.assistants import Assistants
from phonegate.store.batches import Batches
from phonegate.store.carrier_queue import CarrierQueue
from phonegate.store.client_messages import ClientMessages
from phonegate.store.contacts import Contacts
from phonegate.store.conversations import Conversations
from phonegate.store.copies import Copies
from phonegate.store.counters import Counters
from phonegate.store.deliveries import Deliveries
from phonegate.store.dialect_tokens import DialectTokens
from phonegate.store.due_messages import DueMessages
from phonegate.store.enrolments import Enrolments
from phonegate.store.events import Events
from phonegate.store.figures import HourlyFigures
from phonegate.store.hooks import Hooks
from phonegate.store.kept_answers import KeptAnswers
from phonegate.store.keys import ApiKeys
from phonegate.store.media_parts import MediaParts
from phonegate.store.message_counts import MessageCounts
from phonegate.store.message_removal import MessageRemoval
from phonegate.store.messages import Messages
from phonegate.store.moving.org_imports import OrgImports
from phonegate.store.orgs import Orgs
from phonegate.store.phone_history import PhoneHistory
from phonegate.store.phone_queue import PhoneQueue
from phonegate.store.phones import Phones
from phonegate.store.queue_lengths import QueueLengths
from phonegate.store.registrations import Registrations
from phonegate.store.sessions import Sessions
from phonegate.store.storage_quota import StorageQuota
from phonegate.store.templates import Templates
from phonegate.store.webhooks import Webhooks
from phonegate.store.word_index import WordIndex

CLEARED_AT_ONCE = 500
"""Rows of a removed org that one slice deletes: some 20 ms, which others may have to wait."""


_WIPING = ("OFF", "ON", "FAST")
"""What SQLite calls the numbers of its mode."""

Mark = tuple[int, int]
"""Where a transaction stands: the number of its facts, and of what was counted."""


class Tables:
    """What an operation gets: it reads and writes through these and sees one state throughout.

    Methods raise nothing of SQLite's for values that the domain has checked. Whatever an
    operation raises undoes all it did.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.facts: list[Fact] = []
        """What the transaction has changed so far."""
        self.events = Events(connection, self.facts)
        self.orgs = Orgs(connection, self.events)
        self.registrations = Registrations(connection)
        self.keys = ApiKeys(connection)
        self.sessions = Sessions(connection)
        self.dialect_tokens = DialectTokens(connection)
        self.assistants = Assistants(connection)
        self.phones = Phones(connection)
        self.phone_history = PhoneHistory(connection)
        self.enrolments = Enrolments(connection)
        self.word_index = WordIndex(connection)
        self.queue_lengths = QueueLengths(connection)
        self.messages = Messages(connection, self.facts, self.queue_lengths, self.word_index)
        self.conversations = Conversations(connection, self.facts)
        self.client_messages = ClientMessages(connection)
        self.media_parts = MediaParts(connection)
        self.phone_queue = PhoneQueue(connection, self.facts)
        self.carrier_queue = CarrierQueue(connection)
        self.due_messages = DueMessages(connection, self.facts)
        self.message_counts = MessageCounts(connection, self.facts)
        self.figures = HourlyFigures(connection, self.facts)
        self.message_removal = MessageRemoval(
            connection, self.facts, self.word_index, self.conversations, self.media_parts
        )
        self.alarms = StandingAlarms(connection)
        self.webhooks = Webhooks(connection, self.facts, self.events)
        self.hooks = Hooks(connection)
        self.deliveries = Deliveries(connection, self.facts, self.events)
        self.kept_answers = KeptAnswers(connection)
        self.counters = Counters(connection)
        self.copies = Copies(connection)
        self.storage_quota = StorageQuota(connection)
        self.contacts = Contacts(connection)
        self.templates = Templates(connection)
        self.batches = Batches(connection)
        self.org_imports = OrgImports(
            connection, self.word_index, self.conversations, self.events, self.orgs
        )
        self._connection = connection

    @contextmanager
    def wiping(self) -> Iterator[None]:
        """Has SQLite overwrite what is deleted meanwhile: else its bytes may stay in the file.

        Some builds of SQLite always do so, which costs every deletion some writing.
        """
        (before,) = self._connection.execute("PRAGMA secure_delete").fetchone()
        self._connection.execute("PRAGMA secure_delete = ON")
        try:
            yield
        finally:
            self._connection.execute(f"PRAGMA secure_delete = {_WIPING[before]}")

    # -- business of the writer

    def complete(self, now: int) -> None:
        """Writes what follows from the facts. Part of every commit, before it.

        Args:
            now: When that is, in ms.
        """
        self.message_counts.write()
        self.figures.write(now)
        self.storage_quota.write()
        self.events.write(now)

    def committed(self) -> None:
        """Takes note that all of it is durable."""
        self.storage_quota.committed()
        self.events.committed()

    def mark(self) -> Mark:
        """Returns where the transaction stands, for `undo`."""
        return len(self.facts), self.storage_quota.mark()

    def undo(self, mark: Mark) -> None:
        """Forgets what an operation has changed since then, which is no more."""
        facts, counted = mark
        del self.facts[facts:]
        self.storage_quota.undo(counted)
        self.events.undone(wholly=False)
        self.orgs.undone()

    def undone(self) -> None:
        """Forgets what was changed in a transaction that is no more."""
        self.facts.clear()
        self.storage_quota.undo()
        self.events.undone(wholly=True)
        self.orgs.undone()

    def clear_slice(self) -> None:
        """Deletes one slice of what removed orgs have left, if anything.

        `orgs.removed` tells whether to come again.
        """
        org = self.orgs.doomed()
        if org is None:
            return
        if (
            self.webhooks.drop(org, CLEARED_AT_ONCE)
            and self.message_removal.drop(org, CLEARED_AT_ONCE)
            and self.kept_answers.drop(org, CLEARED_AT_ONCE)
            and self.figures.drop(org, CLEARED_AT_ONCE)
            and self.events.drop(org, CLEARED_AT_ONCE)
        ):
            self.orgs.forget(org)

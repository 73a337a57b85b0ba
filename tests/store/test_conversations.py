"""Conversations: always what the messages themselves say, however far the table has followed."""

import contextlib
import sqlite3
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from phonegate.model.conversations import MOST_UNREAD, Conversation
from phonegate.model.facts import ConversationRead
from phonegate.model.orgs import Org
from phonegate.store import conversations, messages, migrations
from phonegate.store.address_patterns import fits
from phonegate.store.console_schema import CONSOLE
from phonegate.store.tables import Tables
from tests.store.conftest import inbound, memory, outbound

ADDRESSES = ("+1555", "+15550", "+1666", "12345", "Amazon", "")
SEES = ((), ("+1555",), ("+1555*",), ("+1*", "12345"), ("+2*",))


class ConversationMachine(RuleBasedStateMachine):
    """Stores, deletes and reads messages of two orgs, beside a list of them."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = memory()
        self.tables = Tables(self.connection)
        self.orgs = [self.tables.orgs.add(name, "hash", 1).id for name in ("ours", "theirs")]
        self.messages: dict[int, tuple[int, str, str]] = {}
        """Each as org, direction and address."""
        self.read_to: dict[tuple[int, str], int] = {}

    def teardown(self) -> None:
        self.connection.close()

    @rule(
        org=st.integers(0, 1),
        way=st.sampled_from(("in", "out")),
        address=st.sampled_from(ADDRESSES),
    )
    def store(self, org: int, way: str, address: str) -> None:
        owner = self.orgs[org]
        if way == "in":
            id_ = self.tables.messages.insert_inbound(inbound(owner, address=address))
            assert id_ is not None
        else:
            id_ = self.tables.messages.insert(outbound(owner, address=address))
        self.messages[id_] = (owner, way, address)

    @rule(limit=st.integers(1, 4))
    def follow(self, limit: int) -> None:
        self.tables.conversations.add_missing(limit)

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        ids = data.draw(st.lists(st.sampled_from([*self.messages, 999]), max_size=4, unique=True))
        self.tables.message_removal.erase(ids, lambda _: True)
        for id_ in ids:
            self.messages.pop(id_, None)
        for known in list(self.read_to):
            if not any((org, address) == known for org, _, address in self.messages.values()):
                del self.read_to[known]

    @rule(org=st.integers(0, 1))
    def drop_one(self, org: int) -> None:
        """As a removed org is cleared away, slice by slice."""
        owner = self.orgs[org]
        self.tables.message_removal.drop(owner, 1)
        left = {row[0] for row in self.connection.execute("SELECT id FROM messages").fetchall()}
        for id_ in set(self.messages) - left:
            del self.messages[id_]
        for known in list(self.read_to):
            if not any((org_, address) == known for org_, _, address in self.messages.values()):
                del self.read_to[known]

    @rule(
        org=st.integers(0, 1),
        addresses=st.lists(st.sampled_from((*ADDRESSES, "none")), max_size=3, unique=True),
        upto=st.integers(-1, 40),
    )
    def read(self, org: int, addresses: list[str], upto: int) -> None:
        owner = self.orgs[org]
        news = []
        for address in addresses:
            found = self._expected(owner, address)
            if found is not None and found.is_unread and upto > found.read_to:
                self.read_to[owner, address] = min(upto, found.last)
                news.append(address)
        self.tables.facts.clear()
        assert self.tables.conversations.read(owner, addresses, upto) == len(news)
        if len(addresses) == 1 and news:
            upto = self.read_to[owner, news[0]]
            assert self.tables.facts == [ConversationRead(owner, news[0], upto)]
        else:
            assert self.tables.facts == ([ConversationRead(owner, None, upto)] if news else [])

    @rule(org=st.integers(0, 1), address=st.sampled_from((*ADDRESSES, "none")))
    def unread(self, org: int, address: str) -> None:
        owner = self.orgs[org]
        found = self._expected(owner, address)
        able = found is not None and not found.is_unread and found.last_in > 0
        self.tables.facts.clear()
        assert self.tables.conversations.unread(owner, address) is able
        if found is not None and able:
            self.read_to[owner, address] = found.last_in - 1
            fact = ConversationRead(owner, address, found.last_in - 1)
            assert self.tables.facts == [fact]
        else:
            assert self.tables.facts == []

    @invariant()
    def conversations_are_what_the_messages_say(self) -> None:
        table = self.tables.conversations
        for owner in self.orgs:
            found = (self._expected(owner, address) for address in ADDRESSES)
            everything = sorted((one for one in found if one), key=lambda one: -one.last)
            for sees in SEES:
                seen = [one for one in everything if fits(sees, one.address)]
                unread = [one for one in seen if one.is_unread]
                assert list(table.newest(owner, sees=sees)) == seen
                assert list(table.newest(owner, sees=sees, only_unread=True)) == unread
                for before in (2, 5):
                    older = [one for one in seen if one.last < before]
                    assert list(table.newest(owner, sees=sees, before=before)) == older
                begun = sorted(one for one in seen if one.address.startswith("+15"))
                assert table.beginning(owner, "+15", 9, sees=sees) == begun
                assert table.beginning(owner, "+15", 1, sees=sees) == begun[:1]
            for one in everything:
                assert table.one(owner, one.address) == one
                assert table.unread_messages(owner, one) == sum(
                    (org, way, address) == (owner, "in", one.address) and id_ > one.read_to
                    for id_, (org, way, address) in self.messages.items()
                )
            assert table.one(owner, "none") is None

    def _expected(self, owner: int, address: str) -> Conversation | None:
        ids = {
            id_: way
            for id_, (org, way, to) in self.messages.items()
            if (org, to) == (owner, address)
        }
        if not ids:
            return None
        last_in = max((id_ for id_, way in ids.items() if way == "in"), default=0)
        return Conversation(address, max(ids), last_in, self.read_to.get((owner, address), 0))


TestConversations = ConversationMachine.TestCase
TestConversations.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)


def test_a_reader_of_much_sees_the_same(
    monkeypatch: pytest.MonkeyPatch, tables: Tables, org: Org
) -> None:
    for address in ADDRESSES[:4]:
        tables.messages.insert_inbound(inbound(org.id, address=address))
    tables.conversations.add_missing(9)
    few = list(tables.conversations.newest(org.id, sees=("+1*",)))
    monkeypatch.setattr(conversations, "MANY_SEEN", 2)
    assert list(tables.conversations.newest(org.id, sees=("+1*",))) == few
    assert [one.address for one in few] == ["+1666", "+15550", "+1555"]
    tables.conversations.read(org.id, ["+1666"], 9)
    unread = tables.conversations.newest(org.id, sees=("+1*",), only_unread=True)
    assert [one.address for one in unread] == ["+15550", "+1555"]


def test_what_was_received_last_may_go_before_the_answer_to_it(tables: Tables, org: Org) -> None:
    received = tables.messages.insert_inbound(inbound(org.id, address="+1555"))
    sent = tables.messages.insert(outbound(org.id, address="+1555"))
    tables.conversations.add_missing(9)
    assert [one.is_unread for one in tables.conversations.newest(org.id)] == [True]
    tables.message_removal.erase([received or 0], lambda _: True)
    assert list(tables.conversations.newest(org.id)) == [Conversation("+1555", sent, 0, 0)]
    tables.message_removal.erase([sent], lambda _: True)
    assert list(tables.conversations.newest(org.id)) == []


def test_unread_messages_are_counted_up_to_a_bound(tables: Tables, org: Org) -> None:
    for at in range(MOST_UNREAD + 5):
        tables.messages.insert_inbound(inbound(org.id, date=at))
    (found,) = tables.conversations.newest(org.id)
    assert tables.conversations.unread_messages(org.id, found) == MOST_UNREAD


def test_what_can_be_no_address_is_no_conversation(tables: Tables, org: Org) -> None:
    assert tables.conversations.one(org.id, "\ud800") is None
    assert tables.conversations.beginning(org.id, "\ud800", 5) == []
    assert tables.conversations.read(org.id, ["\ud800"], 5) == 0


def test_what_an_earlier_version_stored_counts_as_read() -> None:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        before = migrations.STEPS.index(CONSOLE)
        migrations.migrate(connection, migrations.STEPS[:before])
        connection.execute(
            "INSERT INTO orgs (id, name, secret_hash, created_at) VALUES (1,'o','h',1)"
        )
        for id_, way, address in (
            (1, "in", "+1"),
            (2, "out", "+1"),
            (3, "out", "+2"),
            (7, "in", "+3"),
        ):
            connection.execute(
                "INSERT INTO messages"
                " (id, org, direction, address, body, status, created_at, provider)"
                " VALUES (?, 1, ?, ?, '', 'received', 7, 'phone')",
                (id_, way, address),
            )
        migrations.migrate(connection)
        tables = Tables(connection)
        assert list(tables.conversations.newest(1)) == [
            Conversation("+3", 7, 7, 7),
            Conversation("+2", 3, 0, 3),
            Conversation("+1", 2, 1, 2),
        ]
        assert tables.conversations.complete_upto() == 7
        new: Any = tables.messages.insert_inbound(inbound(1, address="+1"))
        assert next(tables.conversations.newest(1)) == Conversation("+1", new, new, 2)


PLANS = {
    conversations._TAIL: "USING INDEX messages_by_org (org=? AND direction=? AND rowid>?)",
    conversations._COUNT: "messages_by_address (org=? AND address=? AND direction=? AND rowid>?)",
    conversations._NEWEST_OF: "messages_by_address (org=? AND address=? AND direction=?)",
    conversations._BETWEEN: "USING PRIMARY KEY (org=? AND address>? AND address<?)",
    messages._VIEWS_OF: "SEARCH messages USING INTEGER PRIMARY KEY (rowid=?)",
    conversations._ADD: "SEARCH messages USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
}


@pytest.mark.parametrize("sql", PLANS)
def test_what_is_read_is_what_is_given(connection: sqlite3.Connection, sql: str) -> None:
    given = [1] * (2 if "?1" in sql else sql.count("?"))
    plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", given)
    steps = [row[3] for row in plan]
    assert any(PLANS[sql] in step for step in steps), steps
    assert not any(step.startswith("SCAN messages") for step in steps)

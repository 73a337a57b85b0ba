import contextlib
import sqlite3
import unicodedata
from collections.abc import Iterator
from typing import Literal

import pytest

from phonegate.model.events import Extent
from phonegate.model.messages import PageQuery
from phonegate.model.orgs import KeyLimits, Options
from phonegate.model.phones import Health, Phone, Sim
from phonegate.store import migrations, search
from phonegate.store.tables import Tables


@pytest.fixture
def empty() -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    yield opened
    opened.close()


def _schema(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


def test_an_empty_file_is_brought_to_today_once(empty: sqlite3.Connection) -> None:
    assert migrations.migrate(empty)
    assert migrations.version(empty) == migrations.VERSION
    assert empty.execute("PRAGMA application_id").fetchone() == (migrations.APPLICATION_ID,)
    before = _schema(empty)
    assert not migrations.migrate(empty)
    assert _schema(empty) == before


def test_only_missing_steps_run(empty: sqlite3.Connection) -> None:
    first = (("CREATE TABLE a (x)",),)
    migrations.migrate(empty, first)
    empty.execute("INSERT INTO a VALUES (1)")
    assert migrations.migrate(empty, (*first, ("ALTER TABLE a ADD y", "CREATE TABLE b (z)")))
    assert migrations.version(empty) == 2
    assert empty.execute("SELECT x, y FROM a").fetchall() == [(1, None)]


def test_a_step_that_fails_leaves_the_file_as_it_was(empty: sqlite3.Connection) -> None:
    first = (("CREATE TABLE a (x)",),)
    migrations.migrate(empty, first)
    with pytest.raises(sqlite3.OperationalError):
        migrations.migrate(empty, (*first, ("CREATE TABLE b (y)",), ("CREATE TABLE a (x)",)))
    assert migrations.version(empty) == 1
    assert [name for name, _ in _schema(empty)] == ["a"]
    assert not empty.in_transaction


def test_a_file_from_before_keys_had_limits(empty: sqlite3.Connection) -> None:
    empty.execute("PRAGMA foreign_keys = ON")
    migrations.migrate(empty, migrations.STEPS[:2])
    assert migrations.version(empty) == 2
    empty.execute("INSERT INTO orgs VALUES (1, 'myorg', 'hash', 5)")
    empty.execute("INSERT INTO api_keys VALUES ('k3v9', 1, 'app', 'send read', x'01', 6, NULL)")
    empty.execute(
        "INSERT INTO messages (org, direction, address, body, status, created_at, provider,"
        " held_until) VALUES (1, 'out', '+15553334444', 'hi', 'queued', 7, 'phone', 99)"
    )
    assert migrations.migrate(empty)
    tables = Tables(empty)
    key = tables.keys.get("k3v9")
    assert key is not None
    assert (key.scopes, key.limits) == (("send", "read"), None)
    message = tables.messages.find(1, 1)
    assert message is not None
    assert (message.body, message.held_until, message.approval) == ("hi", 99, None)
    assert tables.messages.page(1, PageQuery(approval=True)) == []
    tables.keys.limit("k3v9", KeyLimits(per_day=1))
    tables.keys.count("k3v9", 10, 1)
    assert tables.due_messages.release_held(99, 9) == {1}


def test_a_file_from_before_admissions_were_kept(empty: sqlite3.Connection) -> None:
    empty.execute("PRAGMA foreign_keys = ON")
    migrations.migrate(empty, migrations.STEPS[:4])
    empty.execute("INSERT INTO orgs VALUES (1, 'myorg', 'hash', 5)")
    assert migrations.migrate(empty)
    tables = Tables(empty)
    assert tables.orgs.published() == []
    assert not tables.orgs.was_removed("myorg")
    assert tables.registrations.choice("registration") is None
    tables.registrations.note(1, "192.0.2.1", 7, most=3, forget_before=0)
    assert tables.registrations.networks(9) == [("myorg", "192.0.2.1", 7)]


def test_a_file_from_before_messages_named_their_key(empty: sqlite3.Connection) -> None:
    empty.execute("PRAGMA foreign_keys = ON")
    before = migrations.STEPS.index(migrations._SENDERS)
    migrations.migrate(empty, migrations.STEPS[:before])
    empty.execute("INSERT INTO orgs VALUES (1, 'myorg', 'hash', 5)")
    empty.execute(
        "INSERT INTO api_keys VALUES ('k3v9', 1, 'app', 'send read', x'01', 6, NULL, ?)",
        ('{"to": ["1*"], "per_hour": 3, "per_day": null, "quiet": null, "hold": false}',),
    )
    empty.execute(
        "INSERT INTO messages (org, direction, address, body, status, created_at, provider)"
        " VALUES (1, 'out', '+15553334444', 'hi', 'queued', 7, 'phone')"
    )
    assert migrations.migrate(empty)
    tables = Tables(empty)
    key = tables.keys.get("k3v9")
    assert key is not None
    # It goes on as it was set, whatever the rules for new ones are.
    assert key.limits == KeyLimits(to=("1*",), per_hour=3)
    assert [one.key for one in tables.messages.page(1, PageQuery())] == [None]
    assert tables.messages.page(1, PageQuery(key="k3v9")) == []
    assert tables.messages.withdraw("k3v9", 9, error="x") == 0


def test_a_file_from_before_numbers_had_a_form(empty: sqlite3.Connection) -> None:
    empty.execute("PRAGMA foreign_keys = ON")
    migrations.migrate(empty, migrations.STEPS[:4])
    assert migrations.version(empty) == 4
    empty.execute("INSERT INTO orgs VALUES (1, 'myorg', 'hash', 5)")
    for phone, number in ((1, "+1 (555) 111-2222"), (2, None)):
        empty.execute("INSERT INTO phones VALUES (?, 1, NULL, NULL, NULL, NULL, 5, 6)", (phone,))
        empty.execute("INSERT INTO sims VALUES (?, 0, 1, ?, NULL)", (phone, number))
    for status, sim_selector, held in (
        ("queued", "15551112222", None),
        ("queued", "+15551112222", 99),
        ("sending", "15551112222", None),
        ("queued", "0", None),
        ("sent", "15551112222", None),
    ):
        empty.execute(
            "INSERT INTO messages (org, direction, address, body, status, created_at, provider,"
            " wish, held_until) VALUES (1, 'out', '+15553334444', 'hi', ?, 7, 'phone', ?, ?)",
            (status, sim_selector, held),
        )
    assert migrations.migrate(empty)
    tables = Tables(empty)
    assert [(phone.id, phone.numbered, phone.acks) for phone in tables.phones.of_org(1)] == [
        (1, True, False),
        (2, False, False),
    ]
    (held_by,) = tables.phones.holding(1, ["+15551112222"])
    assert (held_by.phone, held_by.number) == (1, "+1 (555) 111-2222")
    sim_selectors = [
        row[0] for row in empty.execute("SELECT sim_selector FROM messages ORDER BY id")
    ]
    assert sim_selectors == [*["+15551112222"] * 3, "0", "15551112222"]


def test_every_table_is_strict(empty: sqlite3.Connection) -> None:
    migrations.migrate(empty)
    tables = [
        str(row[0])
        for name, row in (
            (row[0], row[1:])
            for row in empty.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        )
        if not name.startswith(("sqlite_", "words"))
    ]
    assert tables
    assert all("STRICT" in sql for sql in tables)


Form = Literal["NFC", "NFD", "NFKC", "NFKD"]

POISON = "a" + "\u0345\u0315" * 32_767
"""To normalise this as it is takes seconds, in which the process does nothing else."""


def _before_bounds() -> sqlite3.Connection:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    opened.execute("PRAGMA foreign_keys = ON")
    migrations.migrate(opened, migrations.STEPS[:4])
    opened.execute("INSERT INTO orgs VALUES (1, 'myorg', 'hash', 5)")
    return opened


def _receive(connection: sqlite3.Connection, id_: int, body: str) -> None:
    connection.execute(
        "INSERT INTO messages (id, org, direction, address, body, status, created_at, provider)"
        " VALUES (?, 1, 'in', '+15551112222', ?, 'received', 7, 'phone')",
        (id_, body),
    )


def test_an_index_of_whole_texts_goes_on_and_leaves_nothing_behind() -> None:
    with contextlib.closing(_before_bounds()) as connection:
        for id_, body in enumerate(("x " * 5_000 + "distant", "short"), start=1):
            _receive(connection, id_, body)
            tokens = search.document(id_, 1, "in", "+15551112222", body, whole=True)
            connection.execute("INSERT INTO words (rowid, tokens) VALUES (?, ?)", (id_, tokens))
        connection.execute("UPDATE marks SET value = 2 WHERE name = 'indexed'")
        assert migrations.migrate(connection)
        tables = Tables(connection)
        _receive(connection, 3, "y " * 5_000 + "distant")
        assert tables.word_index.add_missing(1000) == (1, True)
        found = tables.messages.page(1, PageQuery(search="distant"))
        assert [message.id for message in found] == [1]
        assert tables.message_removal.erase([1, 2, 3], lambda _: True) == (3, 3)
        left = connection.execute("SELECT rowid FROM words WHERE words MATCH '1b0*'").fetchall()
        assert left == []
        connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")


def test_a_poisonous_text_that_was_not_indexed_yet_is_borne(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lengths: list[int] = []
    normalize = unicodedata.normalize

    def noted(form: Form, text: str) -> str:
        lengths.append(len(text))
        return normalize(form, text)

    with contextlib.closing(_before_bounds()) as connection:
        _receive(connection, 1, POISON)
        assert migrations.migrate(connection)
        monkeypatch.setattr(unicodedata, "normalize", noted)
        tables = Tables(connection)
        assert tables.messages.page(1, PageQuery(search="hello")) == []
        assert tables.word_index.add_missing(1000) == (1, True)
        assert [m.id for m in tables.messages.page(1, PageQuery(search="a*"))] == [1]
        assert tables.message_removal.erase([1], lambda _: True) == (1, 1)
    assert max(lengths) <= 2 * search.MAX_MARKS


def test_orgs_of_before_are_the_owner_s() -> None:
    with contextlib.closing(_before_bounds()) as connection:
        assert migrations.migrate(connection)
        made = connection.execute("SELECT self_made, stored_bytes FROM orgs").fetchall()
        assert made == [(0, 0)]


def test_a_file_from_before_phones_had_a_kind(empty: sqlite3.Connection) -> None:
    empty.execute("PRAGMA foreign_keys = ON")
    before = migrations.STEPS.index(migrations._PHONES_OF_A_KIND)
    migrations.migrate(empty, migrations.STEPS[:before])
    assert migrations.version(empty) == 10
    empty.execute("INSERT INTO orgs (id, name, secret_hash, created_at) VALUES (1, 'o', 'h', 5)")
    empty.execute(
        "INSERT INTO phones VALUES (7, 1, 'pixel', 'desk', 'Pixel 8', 'demo/1', 5, 6, 1, 1)"
    )
    empty.execute("INSERT INTO sims VALUES (7, 0, 1, '+1 555', 'AT&T', '+1555')")
    empty.execute("INSERT INTO sims VALUES (7, 1, 1, NULL, NULL, NULL)")
    assert migrations.migrate(empty)
    tables = Tables(empty)
    (phone,) = tables.phones.of_org(1)
    assert phone == Phone(
        id=7, org=1, device_id="pixel", kind="link", name="desk", model="Pixel 8", app="demo/1",
        first_seen=5, last_seen=6, numbered=True, acks=True,
    )  # fmt: skip
    assert tables.phones.known_sims(1) == [
        Sim(slot=0, number="+1 555", carrier="AT&T", phone=7),
        Sim(slot=1, phone=7),
    ]
    tables.phones.note_health(7, Health(battery=9, charging=False), 8)
    tables.phones.give_number(1, 7, 1, "+1777")
    assert [sim.number for sim in tables.phones.sims_of(7)] == ["+1 555", "+1777"]
    assert tables.phones.remove(1, 7)
    assert tables.phones.known_sims(1) == []
    assert empty.execute("SELECT * FROM sim_numbers").fetchall() == []


def test_a_file_from_before_there_were_events(empty: sqlite3.Connection) -> None:
    empty.execute("PRAGMA foreign_keys = ON")
    before = migrations.STEPS.index(migrations._EVENTS)
    migrations.migrate(empty, migrations.STEPS[:before])
    assert migrations.version(empty) == 11
    empty.execute("INSERT INTO orgs (id, name, secret_hash, created_at) VALUES (1, 'o', 'h', 5)")
    empty.execute(
        "INSERT INTO phones (id, org, device_id, first_seen, last_seen) VALUES (7, 1, 'a', 5, 6)"
    )
    columns = "id, org, direction, address, body, status, created_at, sim_selector, provider, phone"
    empty.execute(
        f"INSERT INTO messages ({columns}) VALUES (3, 1, 'out', '+1555', 'hi', 'sending', 5, '',"
        " 'phone', 7)"
    )
    assert migrations.migrate(empty)
    tables = Tables(empty)
    assert tables.events.listening() == tables.phones.online(10) == []
    # Nothing is known of before.
    tables.events.listen(1, 99)
    assert tables.events.page(1, 0, 10) == []
    assert tables.phones.set_online(7, True)
    tables.phone_queue.store_sent_all([(3, 1, 7, 1)], 8)
    tables.complete(1)
    (event,) = tables.events.page(1, 0, 10)
    assert (event.type, event.phone, event.id) == ("message.sent", 7, 2)
    assert tables.events.extent(1) == Extent(first=1, last=2)
    assert tables.webhooks.add(1, url="https://a", events=("*",), secret="s", created_at=9).id == 1


def test_a_file_from_before_orgs_had_options(empty: sqlite3.Connection) -> None:
    before = migrations.STEPS.index(migrations._ORG_OPTIONS)
    migrations.migrate(empty, migrations.STEPS[:before])
    empty.execute("INSERT INTO orgs (id, name, secret_hash, created_at) VALUES (1, 'o', 'h', 5)")
    assert migrations.migrate(empty)
    tables = Tables(empty)
    assert tables.orgs.options() == {}
    chosen = tables.orgs.choose(1, default_country="DE", max_characters=None)
    assert chosen == Options(default_country="DE")
    assert tables.orgs.options() == {1: chosen}
    tables.orgs.remove("o")
    assert tables.orgs.options() == {}
    assert tables.orgs.choose(1, default_country="DE", max_characters=None) is None


def test_a_file_from_before_messages_had_callbacks(empty: sqlite3.Connection) -> None:
    empty.execute("PRAGMA foreign_keys = ON")
    migrations.migrate(empty, migrations.STEPS[: migrations.STEPS.index(migrations._CALLBACKS)])
    empty.execute("INSERT INTO orgs (id, name, secret_hash, created_at) VALUES (1, 'o', 'h', 5)")
    empty.execute(
        "INSERT INTO webhooks (org, url, events, headers, shape, secret, created_at, position)"
        " VALUES (1, 'https://a', '*', '[]', 'twilio', 's', 5, 0)"
    )
    empty.execute(
        "INSERT INTO messages (id, org, direction, address, body, status, created_at, sim_selector,"
        " provider) VALUES (3, 1, 'out', '+1555', 'hi', 'sent', 5, '', 'phone')"
    )
    assert migrations.migrate(empty)
    tables = Tables(empty)
    (hook,) = tables.webhooks.of_org(1)
    assert (hook.method, hook.signing_state, hook.is_for_callbacks) == ("POST", None, False)
    assert tables.webhooks.count_of_org(1) == 1
    message = tables.messages.find(1, 3)
    assert message is not None
    assert message.status_callback is None

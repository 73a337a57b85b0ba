import sqlite3

import pytest

from phonegate.model.messages import PageQuery
from phonegate.model.orgs import KeptAnswer, Org
from phonegate.model.phones import Sim
from phonegate.model.storage_errors import NameTaken
from phonegate.store.tables import Tables
from tests.store.conftest import inbound, outbound


def test_add_get_and_by_id(tables: Tables) -> None:
    added = tables.orgs.add("myorg", "hash", 5)
    assert added == Org(id=added.id, name="myorg", secret_hash="hash", created_at=5)
    assert tables.orgs.get("myorg") == added == tables.orgs.by_id(added.id)
    assert tables.orgs.get("MyOrg") is None
    assert "hash" not in repr(added)


def test_a_name_is_taken_once(tables: Tables, org: Org) -> None:
    with pytest.raises(NameTaken):
        tables.orgs.add(org.name, "another", 6)
    assert tables.orgs.get(org.name) == org


def test_rotate(tables: Tables, org: Org) -> None:
    assert tables.orgs.rotate("myorg", "new")
    found = tables.orgs.get("myorg")
    assert found is not None
    assert found.secret_hash == "new"
    assert not tables.orgs.rotate("nobody", "new")


def test_all_is_by_name(tables: Tables) -> None:
    for name in ("b", "a", "c"):
        tables.orgs.add(name, "hash", 1)
    assert [org.name for org in tables.orgs.all()] == ["a", "b", "c"]


def _fill(tables: Tables, org: int, count: int) -> None:
    phone = tables.phones.connect(org, "device", 1)
    tables.phones.report_sims(org, phone.id, [Sim(slot=0, number="+1555")], 1)
    for number in range(count):
        tables.messages.insert(outbound(org, f"body number {number} überall"))
        tables.messages.insert_inbound(inbound(org, fingerprint=b"%d" % number))
    tables.kept_answers.put(
        org, "send", "key", KeptAnswer(fingerprint=b"", status=200, body=b"", created_at=1)
    )
    tables.message_counts.write()
    tables.facts.clear()


def test_removal_clears_everything_of_the_org_and_only_that(
    tables: Tables, connection: sqlite3.Connection, org: Org, other: Org
) -> None:
    _fill(tables, org.id, 700)
    _fill(tables, other.id, 3)
    assert tables.word_index.add_missing(1000) == (
        1000,
        False,
    )  # The rest is stored and not indexed yet.
    connection.execute("CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, words, row)")

    assert tables.orgs.remove("myorg")
    assert not tables.orgs.remove("myorg")
    assert tables.orgs.get("myorg") is None
    assert tables.orgs.by_id(org.id) is None
    assert [o.name for o in tables.orgs.all()] == ["other"]
    # The name is free at once, for another org.
    again = tables.orgs.add("myorg", "hash", 2)
    assert again.id != org.id

    rounds = 0
    while tables.orgs.removed:
        tables.clear_slice()
        rounds += 1
    tables.message_counts.write()
    assert rounds == 4  # 1400 messages in slices of 500, then nothing.

    for table in ("api_keys", "phones", "sims", "messages", "replies"):
        (left,) = connection.execute(
            f"SELECT count(*) FROM {table} WHERE org = ?", (org.id,)
        ).fetchone()
        assert left == 0, table
    found = connection.execute("SELECT count(*) FROM orgs WHERE id = ?", (org.id,)).fetchone()
    assert found == (0,)
    terms = {term for (term,) in connection.execute("SELECT term FROM terms")}
    assert not [term for term in terms if term.startswith(f"{org.id}b")]
    assert tables.message_counts.by_status() == {"queued": 3, "received": 3}

    tables.word_index.add_missing(1000)
    page = tables.messages.page(other.id, PageQuery(search="body uber*"))
    assert len(page) == 3


def test_the_name_of_a_removed_org_is_known_until_it_is_added_again(tables: Tables) -> None:
    tables.orgs.add("short-lived", "hash", 1)
    assert not tables.orgs.was_removed("short-lived")
    tables.orgs.remove("short-lived")
    assert tables.orgs.was_removed("short-lived")
    assert not tables.orgs.was_removed("Short-lived")
    tables.orgs.add("short-lived", "hash", 2)
    assert not tables.orgs.was_removed("short-lived")


def test_published_secrets_are_known_until_they_are_changed(tables: Tables) -> None:
    for name in ("a", "b", "c"):
        org = tables.orgs.add(name, "hash", 1)
        tables.orgs.publish(org.id)
        tables.orgs.publish(org.id)
    tables.orgs.rotate("a", "another")
    tables.orgs.remove("b")
    assert tables.orgs.published() == ["c"]


def test_the_last_places_of_an_org_are_kept(tables: Tables, org: Org, other: Org) -> None:
    for at in range(10):
        tables.registrations.note(org.id, f"192.0.2.{at}", at, most=3, forget_before=0)
    tables.registrations.note(other.id, "192.0.2.1", 5, most=3, forget_before=0)
    tables.registrations.note(99, "192.0.2.1", 5, most=3, forget_before=0)
    kept = [(org.name, f"192.0.2.{at}", at) for at in (7, 8, 9)]
    assert tables.registrations.networks(10) == [(other.name, "192.0.2.1", 5), *kept]
    assert tables.registrations.networks(1) == kept[-1:]
    tables.registrations.note(org.id, "192.0.2.7", 20, most=3, forget_before=9)
    assert [
        network for name, network, _ in tables.registrations.networks(10) if name == org.name
    ] == [
        "192.0.2.9",
        "192.0.2.7",
    ]
    tables.orgs.remove(org.name)
    assert tables.registrations.networks(10) == [(other.name, "192.0.2.1", 5)]


def test_the_owners_choice(tables: Tables) -> None:
    assert tables.registrations.choice("registration") is None
    tables.registrations.choose("registration", "open")
    tables.registrations.choose("registration", "closed")
    assert tables.registrations.choice("registration") == "closed"

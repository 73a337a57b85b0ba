"""The past of phones: what is kept of it, and what is deleted."""

import sqlite3

import pytest

from phonegate.model.orgs import Org
from phonegate.model.phone_history import Presence, Reading
from phonegate.model.phones import Health
from phonegate.store import migrations, phone_history
from phonegate.store.console_schema import CONSOLE
from phonegate.store.phone_history import BRIEF_MS, Stale
from phonegate.store.tables import Tables

HOUR = 3_600_000


@pytest.fixture
def phone(tables: Tables, org: Org) -> int:
    return tables.phones.connect(org.id, "pixel", 1).id


def said(tables: Tables, phone: int, at: int, battery: int) -> None:
    tables.phones.note_health(phone, Health(battery=battery, charging=True, network="wifi"), at)
    tables.phone_history.take([phone])


def test_presences_are_noted(tables: Tables, phone: int) -> None:
    history = tables.phone_history
    assert history.known_since(phone) is None
    history.came(phone, 1 * HOUR)
    history.went(phone, 2 * HOUR)
    history.came(phone, 3 * HOUR)
    ended, open_ = Presence(came_at=HOUR, went_at=2 * HOUR), Presence(came_at=3 * HOUR)
    assert history.presences(phone, 0) == [ended, open_]
    assert history.presences(phone, 2 * HOUR) == [open_]
    assert history.known_since(phone) == HOUR
    history.went(phone, 4 * HOUR)
    assert history.presences(phone, 0) == [ended, Presence(came_at=3 * HOUR, went_at=4 * HOUR)]


def test_a_brief_absence_is_none(tables: Tables, phone: int) -> None:
    history = tables.phone_history
    history.came(phone, HOUR)
    history.went(phone, 2 * HOUR)
    history.came(phone, 2 * HOUR + BRIEF_MS - 1)
    assert history.presences(phone, 0) == [Presence(came_at=HOUR)]
    history.went(phone, 2 * HOUR + BRIEF_MS)
    history.came(phone, 2 * HOUR + BRIEF_MS)  # within one millisecond
    assert history.presences(phone, 0) == [Presence(came_at=HOUR)]
    history.went(phone, 3 * HOUR)
    history.came(phone, 3 * HOUR + BRIEF_MS)
    assert len(history.presences(phone, 0)) == 2


def test_the_newest_presences_alone_are_kept(
    tables: Tables, phone: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phone_history, "MOST_PRESENCES", 3)
    for hour in range(1, 9, 2):
        tables.phone_history.came(phone, hour * HOUR)
        tables.phone_history.went(phone, (hour + 1) * HOUR)
    assert [one.came_at for one in tables.phone_history.presences(phone, 0)] == [
        3 * HOUR, 5 * HOUR, 7 * HOUR,
    ]  # fmt: skip


def test_a_reading_is_taken_once(tables: Tables, phone: int) -> None:
    history = tables.phone_history
    assert history.changed(0, 0, 10) == []
    said(tables, phone, 5, 80)
    history.take([phone])
    said(tables, phone, 9, 70)
    assert history.readings(phone, 6) == [
        Reading(at=at, health=Health(battery=battery, charging=True, network="wifi"))
        for at, battery in ((5, 80), (9, 70))
    ]
    assert [reading.at for reading in history.readings(phone, 9)] == [5, 9]
    assert history.changed(0, 9, 10) == [phone]
    assert history.changed(0, 10, 10) == []
    assert history.changed(phone, 0, 10) == []


def test_what_is_old_and_what_is_of_no_phone_is_deleted_in_steps(
    tables: Tables, org: Org, phone: int
) -> None:
    history = tables.phone_history
    gone = tables.phones.connect(org.id, "gone", 1).id
    for one in (phone, gone):
        for at in range(1, 5):
            said(tables, one, at, 50)
            history.came(one, at * HOUR)
            history.went(one, at * HOUR + 1)
    assert history.stale(0, 1, 10) == []
    assert history.stale(0, 2, 10) == [Stale(phone, gone=False), Stale(gone, gone=False)]
    assert history.stale(phone, 2, 10) == [Stale(gone, gone=False)]
    tables.phones.remove(org.id, gone)
    assert history.stale(0, 1, 10) == [Stale(gone, gone=True)]
    assert history.drop(Stale(gone, gone=True), 0, 3) == 3
    assert history.drop(Stale(gone, gone=True), 0, 9) == 5
    assert history.stale(0, 1, 10) == []
    assert history.drop(Stale(phone, gone=False), 3, 9) == 2
    assert [reading.at for reading in history.readings(phone, 0)] == [3, 4]
    assert len(history.presences(phone, 0)) == 4


def test_a_phone_that_is_there_still_keeps_its_open_presence(tables: Tables, phone: int) -> None:
    tables.phone_history.came(phone, 1)
    assert tables.phone_history.stale(0, 10 * HOUR, 10) == []
    assert tables.phone_history.drop(Stale(phone, gone=False), 10 * HOUR, 10) == 0


def test_what_was_known_before_is_the_first_reading() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrations.migrate(connection, migrations.STEPS[: migrations.STEPS.index(CONSOLE)])
    connection.execute("INSERT INTO orgs (name, secret_hash, created_at) VALUES ('o', 'h', 5)")
    columns = "org, first_seen, last_seen, battery, network, health_at"
    connection.execute(
        f"INSERT INTO phones ({columns}) VALUES (1, 5, 6, 80, 'wifi', 7), (1, 5, 6, 9, NULL, NULL)"
    )
    assert migrations.migrate(connection)
    history = Tables(connection).phone_history
    assert history.readings(1, 0) == [Reading(at=7, health=Health(battery=80, network="wifi"))]
    assert history.readings(2, 0) == []
    assert history.known_since(1) is None
    connection.close()

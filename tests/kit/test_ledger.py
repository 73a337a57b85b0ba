"""The ledger sees each way in which a promise can be broken."""

import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kit.ledger import BrokenPromise, Event, Ledger, check_events

SENT = {"direction": "out", "body": "text 1", "status": "sent"}
RECEIVED = {"direction": "in", "body": "inbound 1", "status": "received"}


def ledger() -> Ledger:
    return Ledger(tried=Counter({"text 1": 1}), received={"inbound 1"}, states={1: "sending"})


def test_a_file_that_keeps_all_promises_passes() -> None:
    kept = ledger()
    kept.check({1: SENT, 2: RECEIVED})
    assert kept.states == {1: "sent", 2: "received"}


@pytest.mark.parametrize(
    ("rows", "broken"),
    [
        ({1: {**SENT, "status": "queued"}, 2: RECEIVED}, "message 1 went back"),
        ({2: RECEIVED}, "stored once and gone"),
        ({1: SENT, 2: RECEIVED, 3: SENT}, "stored more often than it was asked for"),
        ({1: SENT}, "received, answered and gone"),
        ({1: SENT, 2: RECEIVED, 3: RECEIVED}, "received twice"),
    ],
)
def test_a_broken_promise_is_named(rows: dict[int, dict[str, Any]], broken: str) -> None:
    with pytest.raises(BrokenPromise, match=broken):
        ledger().check(rows)


def test_a_failed_message_does_not_expire() -> None:
    with pytest.raises(BrokenPromise, match="from failed to expired"):
        Ledger(states={1: "failed"}).check({1: {**RECEIVED, "status": "expired"}})


def told(*types: str, message: int = 3, org: int = 1) -> list[Event]:
    return [Event(org, message, type_, type_) for type_ in types]


STORED = {2: {"org": 1, "status": "sent"}, 3: {"org": 1, "status": "sent"}}


def test_events_that_tell_all_from_the_first_on_pass() -> None:
    check_events(STORED, [])
    check_events(STORED, told("sending", "sent"))
    check_events(STORED, [*told("queued", "sending", "sent", message=2), *told("sending", "sent")])


@pytest.mark.parametrize(
    ("events", "broken"),
    [
        (told("sending"), "is sent, and its events"),
        (told("sending", "sent", "sent"), "twice, or out of order"),
        (told("sending", "delivered", "sent"), "twice, or out of order"),
        (told("sent"), "without an event"),
        (told("sending", "sent", message=2), "message 3 was stored without an event"),
        (told("sending", "sent", org=2), "another org's"),
        (told("queued", message=9), "of no message"),
        ([Event(1, 3, "sending", "sent")], "of no message"),
    ],
)
def test_a_missing_or_wrong_event_is_named(events: list[Event], broken: str) -> None:
    with pytest.raises(BrokenPromise, match=broken):
        check_events(STORED, events)


def test_the_file_itself_is_examined(tmp_path: Path) -> None:
    path = tmp_path / "phonegate.db"
    connection = sqlite3.connect(path)
    columns = "id INTEGER PRIMARY KEY, org, direction, body, status, sent_at"
    connection.execute(f"CREATE TABLE messages ({columns})")
    connection.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, org, type, message, data)")
    connection.execute("CREATE TABLE figures (sent, delivered, received)")
    connection.execute("INSERT INTO messages VALUES (1, 1, 'out', 'text 1', 'queued', NULL)")
    connection.commit()
    connection.close()
    assert Ledger(tried=Counter({"text 1": 1})).examine(path) == "1 tried, {'queued': 1}"
    with pytest.raises(BrokenPromise, match="gone"):
        Ledger(received={"inbound 1"}, tried=Counter({"text 1": 1})).examine(path)
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO figures VALUES (1, 0, 0)")
    connection.commit()
    connection.close()
    with pytest.raises(BrokenPromise, match="the figures say"):
        Ledger(tried=Counter({"text 1": 1})).examine(path)

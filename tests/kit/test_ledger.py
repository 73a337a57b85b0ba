"""The ledger sees each way in which a promise can be broken."""

import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kit.ledger import BrokenPromise, Ledger

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
        ({1: SENT, 2: RECEIVED, 3: SENT}, "stored more than once"),
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


def test_the_file_itself_is_examined(tmp_path: Path) -> None:
    path = tmp_path / "phonegate.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE messages (id INTEGER PRIMARY KEY, direction, body, status)")
    connection.execute("INSERT INTO messages VALUES (1, 'out', 'text 1', 'queued')")
    connection.commit()
    connection.close()
    assert Ledger(tried=Counter({"text 1": 1})).examine(path) == "1 tried, {'queued': 1}"
    with pytest.raises(BrokenPromise, match="gone"):
        Ledger(received={"inbound 1"}, tried=Counter({"text 1": 1})).examine(path)

import sqlite3
from typing import Any

import attrs
import pytest

from phonegate.model.facts import WebhooksChanged
from phonegate.model.orgs import Org
from phonegate.model.webhooks import Webhook
from phonegate.store.tables import Tables

URL = "https://example.org/hook"


def _add(tables: Tables, org: Org, **columns: object) -> Webhook:
    given: dict[str, object] = {
        "url": URL,
        "events": ("message.*",),
        "secret": "whsec_s",
        "created_at": 7,
    }
    return tables.webhooks.add(org.id, **(given | columns))  # type: ignore[arg-type]


def test_what_was_added_comes_back_as_it_was(tables: Tables, org: Org, other: Org) -> None:
    made = _add(
        tables,
        org,
        events=("message.received", "phone.*"),
        address="+15551112222",
        sim="1",
        phone=4,
        headers=(("X-One", "é 1"), ("X-Two", "2")),
        shape="flat",
        name="crm",
        key="k3v9",
    )
    assert made == Webhook(
        id=made.id,
        org=org.id,
        org_name="myorg",
        url=URL,
        events=("message.received", "phone.*"),
        address="+15551112222",
        sim="1",
        phone=4,
        headers=(("X-One", "é 1"), ("X-Two", "2")),
        shape="flat",
        name="crm",
        secret="whsec_s",
        key="k3v9",
        created_at=7,
        position=1,
    )
    assert tables.webhooks.get(org.id, made.id) == made
    assert tables.webhooks.get(other.id, made.id) is None
    assert tables.facts == [WebhooksChanged(org.id, again=False)]
    assert tables.webhooks.count_of_org(org.id) == 1


def test_a_new_one_gets_the_events_from_then_on(tables: Tables, org: Org) -> None:
    tables.events.listen(org.id)
    for _ in range(3):
        tables.events.record(org.id, "phone.online", 1, data={})
    tables.complete(1)
    # What was deleted was an event all the same.
    assert tables.events.erase([2, 3, 4]) == 3
    assert _add(tables, org).position == 4


def test_with_one_an_org_listens(tables: Tables, org: Org, other: Org) -> None:
    _add(tables, org)
    assert tables.events.listening() == [org.id]


@pytest.mark.parametrize(
    "change",
    [
        {"url": "http://example.org", "events": ("alarm.raised",), "headers": (("A", "b"),)},
        {"secret": "whsec_n", "old_secret": "whsec_s", "old_secret_until": 99},
        {"failing_since": 3, "disabled_at": 5, "disabled_reason": "It answered 410."},
        {"address": None, "sim": None, "phone": None, "name": None, "position": 12},
    ],
    ids=str,
)
def test_changes(tables: Tables, org: Org, change: dict[str, Any]) -> None:
    made = _add(tables, org, address="+15551112222", sim="1", phone=4, name="crm")
    kept = _add(tables, org)
    tables.facts.clear()
    tables.webhooks.set(made.id, **change)
    assert tables.webhooks.of_org(org.id) == [attrs.evolve(made, **change), kept]
    assert tables.facts == [WebhooksChanged(org.id)]


def test_lists_are_of_one_org_or_of_all(tables: Tables, org: Org, other: Org) -> None:
    first, second, theirs = _add(tables, org), _add(tables, org, key="k"), _add(tables, other)
    tables.webhooks.set(second.id, disabled_at=1, disabled_reason="It answered 410.")
    assert tables.webhooks.of_org(org.id)[0] == first
    assert tables.webhooks.active() == [first, theirs]
    assert [one.id for one in tables.webhooks.by_key("k")] == [second.id]
    assert tables.webhooks.by_key("other") == []
    assert tables.webhooks.count_of_org(org.id) == 2


def test_one_is_removed_by_its_own_org(tables: Tables, org: Org, other: Org) -> None:
    made = _add(tables, org)
    tables.facts.clear()
    assert not tables.webhooks.remove(other.id, made.id)
    assert tables.facts == []
    assert tables.webhooks.remove(org.id, made.id)
    assert tables.facts == [WebhooksChanged(org.id)]
    assert tables.webhooks.of_org(org.id) == []


def test_those_of_a_removed_org_are_gone_at_once_and_cleared_away(
    tables: Tables, connection: sqlite3.Connection, org: Org, other: Org
) -> None:
    for one in (org, org, other):
        _add(tables, one)
    tables.orgs.remove(org.name)
    assert tables.webhooks.of_org(org.id) == []
    assert [one.org for one in tables.webhooks.active()] == [other.id]
    for _ in range(3):
        tables.clear_slice()
    assert connection.execute("SELECT org FROM webhooks").fetchall() == [(other.id,)]
    assert connection.execute("SELECT count(*) FROM orgs").fetchone() == (1,)


def test_secrets_and_addresses_are_in_no_repr(tables: Tables, org: Org) -> None:
    made = _add(tables, org, secret="whsec_abc", url="https://example.org/t0ken")
    assert "whsec_abc" not in repr(made)
    assert "t0ken" not in repr(made)


def test_those_that_failed_are_apart_from_those_that_were_ended(tables: Tables, org: Org) -> None:
    failed, ended, works, failing = (_add(tables, org) for _ in range(4))
    tables.webhooks.set(failed.id, failing_since=1, disabled_at=2, disabled_reason="It is gone.")
    tables.webhooks.set(ended.id, disabled_at=2, disabled_reason="Its key was revoked.")
    tables.webhooks.set(failing.id, failing_since=1)
    orphan = _add(tables, org, key="k3v9")
    tables.webhooks.set(orphan.id, failing_since=1, disabled_at=2, disabled_reason="As above.")
    assert [one.id for one in tables.webhooks.failed(9)] == [failed.id]
    assert tables.webhooks.failed(0) == []
    assert works.disabled_at is None

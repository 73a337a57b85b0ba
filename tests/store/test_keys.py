import attrs
import pytest

from phonegate.model.messages import FAR_AHEAD_MS
from phonegate.model.orgs import ApiKey, KeyLimits, Org, QuietHours
from phonegate.store.keys import FORGET, SENT, WAITING
from phonegate.store.tables import Tables
from tests.store.conftest import outbound


def _key(org: Org, id_: str = "abc", created_at: int = 1) -> ApiKey:
    return ApiKey(
        id=id_,
        org=org.id,
        org_name=org.name,
        name="app",
        scopes=("send", "read"),
        digest=b"\x01\x02",
        created_at=created_at,
    )


def test_round_trip_touch_and_remove(tables: Tables, org: Org, other: Org) -> None:
    key = _key(org)
    tables.keys.add(key)
    assert tables.keys.get("abc") == key
    tables.keys.touch("abc", 9)
    assert tables.keys.get("abc") == attrs.evolve(key, last_used_at=9)
    assert not tables.keys.remove(other.id, "abc")
    assert tables.keys.remove(org.id, "abc")
    assert tables.keys.get("abc") is None


def test_of_org_is_oldest_first_and_of_this_org_alone(tables: Tables, org: Org, other: Org) -> None:
    tables.keys.add(_key(org, "young", 3))
    tables.keys.add(_key(org, "old", 2))
    tables.keys.add(_key(other, "theirs", 1))
    assert [key.id for key in tables.keys.of_org(org.id)] == ["old", "young"]


@pytest.mark.parametrize(
    "limits",
    [
        KeyLimits(to=("+1555*", "911"), per_hour=1, per_day=2, hold=True),
        KeyLimits(sees=("+1555*", "911"), codes_hidden=True),
        KeyLimits(quiet=QuietHours(begin=1320, end=420, zone="Europe/Berlin")),
        None,
    ],
    ids=str,
)
def test_limits_come_back_as_they_were(tables: Tables, org: Org, limits: KeyLimits | None) -> None:
    tables.keys.add(attrs.evolve(_key(org), limits=limits))
    assert tables.keys.get("abc") == attrs.evolve(_key(org), limits=limits)
    tables.keys.add(_key(org, "later"))
    tables.keys.limit("later", limits)
    found = tables.keys.get("later")
    assert found is not None
    assert found.limits == limits


def test_what_keys_have_sent_is_counted_by_key_and_time(tables: Tables, org: Org) -> None:
    for id_ in ("abc", "other"):
        tables.keys.add(_key(org, id_))
    for at, n in ((10, 1), (30, 2), (10, 4), (20, 8)):
        tables.keys.count("abc", at, n)
    tables.keys.count("other", 20, 16)
    assert tables.keys.sends("abc", 0, FAR_AHEAD_MS) == [(10, 5), (20, 8), (30, 2)]
    assert tables.keys.sends("abc", 10, FAR_AHEAD_MS) == [(20, 8), (30, 2)]
    assert tables.keys.sends("abc", 10, 20) == [(20, 8)]
    tables.keys.forget_sends("abc", before=20, after=20)
    assert tables.keys.sends("abc", 0, FAR_AHEAD_MS) == [(20, 8)]
    tables.keys.count("abc", 50, 1)
    assert [tables.keys.sent("abc", *span) for span in ((0, 99), (20, 99), (19, 49), (50, 99))] == [
        9,
        1,
        8,
        0,
    ]
    # A key that is gone leaves nothing behind.
    tables.keys.remove(org.id, "abc")
    assert tables.keys.sends("abc", 0, FAR_AHEAD_MS) == []
    assert tables.keys.sends("other", 0, FAR_AHEAD_MS) == [(20, 16)]


def test_what_a_busy_key_has_sent_is_never_looked_through_to_forget(tables: Tables) -> None:
    def plan(text: str, values: tuple[object, ...]) -> list[str]:
        rows = tables.keys._connection.execute(f"EXPLAIN QUERY PLAN {text}", values)
        return [row[3] for row in rows]

    assert all("PRIMARY KEY (key=? AND at" in step for step in plan(SENT, ("abc", 0, 9)))
    for text in FORGET:
        assert all("PRIMARY KEY (key=? AND at" in step for step in plan(text, ("abc", 0)))


def test_what_waits_is_counted_by_key(tables: Tables, org: Org, other: Org) -> None:
    for one, id_ in ((org, "busy"), (org, "idle"), (other, "theirs")):
        tables.keys.add(_key(one, id_))
    for status in ("queued", "queued", "sent"):
        tables.messages.insert(outbound(org.id, key="busy", status=status))
    tables.messages.insert(outbound(other.id, key="theirs"))
    assert tables.keys.waiting(org.id) == {"busy": 2, "idle": 0}
    rows = tables.keys._connection.execute(f"EXPLAIN QUERY PLAN {WAITING}", (9, org.id))
    assert any("messages_waiting_of_key" in row[3] for row in rows)


def test_keys_of_a_removed_org_open_nothing(tables: Tables, org: Org) -> None:
    tables.keys.add(_key(org))
    tables.orgs.remove(org.name)
    assert tables.keys.get("abc") is None


def test_a_revoked_key_is_remembered_until_it_is_cleared(tables: Tables, org: Org) -> None:
    tables.keys.add(_key(org))
    assert tables.keys.exists("abc")
    tables.keys.remove(org.id, "abc")
    tables.keys.end("abc", 5)
    tables.keys.end("abc", 6)
    assert not tables.keys.exists("abc")
    assert tables.keys.ended(6) is None
    assert tables.keys.ended(7) == "abc"
    tables.keys.cleared("abc")
    assert tables.keys.ended(7) is None

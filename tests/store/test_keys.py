import attrs

from phonegate.store.records import ApiKey, Org
from phonegate.store.tables import Tables


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


def test_keys_of_a_removed_org_open_nothing(tables: Tables, org: Org) -> None:
    tables.keys.add(_key(org))
    tables.orgs.remove(org.name)
    assert tables.keys.get("abc") is None

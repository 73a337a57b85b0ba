from typing import Any

import attrs
import pytest

from phonegate.model.hooks import Hook, HookMapping, Outcome, Verification
from phonegate.model.orgs import Org
from phonegate.store.tables import Tables

MAPPING = HookMapping(
    to=("+15553334444", "{to}"),
    text="{text}",
    when=("a == b",),
    sender="+15551112222",
    max_characters=70,
    repeat_s=0,
    answer="supabase",
)
VERIFICATION = Verification(kind="hmac", secret="s", header="X-A", timestamp_header="X-B")


def _add(tables: Tables, org: Org, **columns: Any) -> Hook:
    given: dict[str, Any] = {
        "name": "program",
        "digest": b"d",
        "mapping": MAPPING,
        "verification": VERIFICATION,
        "key": "k3v9",
        "created_at": 7,
    }
    return tables.hooks.add(org.id, **(given | columns))


def test_what_was_added_comes_back_as_it_was(tables: Tables, org: Org, other: Org) -> None:
    made = _add(tables, org)
    assert made == Hook(
        id=made.id,
        org=org.id,
        org_name="myorg",
        name="program",
        mapping=MAPPING,
        verification=VERIFICATION,
        key="k3v9",
        created_at=7,
    )
    assert tables.hooks.get(org.id, made.id) == made
    assert tables.hooks.get(other.id, made.id) is None
    assert tables.hooks.by_digest(b"d") == made
    assert tables.hooks.by_digest(b"e") is None


def test_they_are_found_by_org_and_by_key(tables: Tables, org: Org, other: Org) -> None:
    one = _add(tables, org)
    two = _add(tables, org, digest=b"e", key=None, verification=None)
    three = _add(tables, other, digest=b"f", key="zzzz")
    assert tables.hooks.of_org(org.id) == [one, two]
    assert tables.hooks.count_of_org(org.id) == 2
    assert tables.hooks.by_key("k3v9") == [one]
    assert tables.hooks.of_org(other.id) == [three]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other", "key": None},
        {"mapping": HookMapping(to=("12345",), text="x")},
        {"verification": None},
        {"verification": Verification(kind="header", secret="t")},
        {"disabled_at": 5, "disabled_reason": "It was disabled."},
    ],
)
def test_what_was_changed_comes_back_so(tables: Tables, org: Org, change: dict[str, Any]) -> None:
    made = _add(tables, org)
    tables.hooks.set(made.id, **change)
    assert tables.hooks.get(org.id, made.id) == attrs.evolve(made, **change)


def test_another_token_takes_the_place_of_the_first(tables: Tables, org: Org) -> None:
    made = _add(tables, org)
    tables.hooks.set(made.id, digest=b"new")
    assert tables.hooks.by_digest(b"d") is None
    assert tables.hooks.by_digest(b"new") == made


def test_calls_are_counted_and_the_last_is_kept(tables: Tables, org: Org) -> None:
    made = _add(tables, org)
    tables.hooks.note(made.id, Outcome(kind="refused", detail="why"), 8)
    tables.hooks.note(made.id, Outcome(kind="repeat"), 9)
    assert tables.hooks.get(org.id, made.id) == attrs.evolve(
        made, calls=2, last_used_at=9, last=Outcome(kind="repeat")
    )


def test_removed_ones_and_those_of_removed_orgs_are_gone(
    tables: Tables, org: Org, other: Org
) -> None:
    made, theirs = _add(tables, org), _add(tables, other, digest=b"e")
    assert not tables.hooks.remove(other.id, made.id)
    assert tables.hooks.remove(org.id, made.id)
    assert not tables.hooks.remove(org.id, made.id)
    assert tables.hooks.get(org.id, made.id) is None
    tables.orgs.remove("other")
    assert tables.hooks.by_digest(b"e") is None
    assert tables.hooks.get(other.id, theirs.id) is None

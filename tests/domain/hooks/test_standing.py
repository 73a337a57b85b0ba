"""Whether a hook takes calls, and with whose rights it sends."""

import attrs
import pytest

from phonegate.domain.hooks.standing import end_of_key, sender_of
from phonegate.model.hooks import Hook, HookMapping
from phonegate.model.orgs import KeyLimits, Org
from phonegate.model.principal import Principal
from phonegate.model.refusals import Gone
from phonegate.store.tables import Tables
from tests.store.conftest import memory

KEY = Principal(
    org=1,
    org_name="myorg",
    scopes=("send", "read", "manage"),
    key_id="k3v9",
    limits=KeyLimits(per_day=3),
    generation=4,
)


@pytest.fixture
def tables() -> Tables:
    return Tables(memory())


@pytest.fixture
def org(tables: Tables) -> Org:
    return tables.orgs.add("myorg", "hash", 1)


def hook(tables: Tables, org: Org, key: str | None = None) -> Hook:
    return tables.hooks.add(
        org.id,
        name="program",
        digest=(key or "").encode(),
        mapping=HookMapping(to=("{to}",), text="{text}"),
        verification=None,
        key=key,
        created_at=1,
    )


def test_one_of_an_org_may_send_and_nothing_else(tables: Tables, org: Org) -> None:
    sender = sender_of(hook(tables, org), None)
    assert sender == Principal(org=org.id, org_name="myorg", scopes=("send",))


def test_one_of_a_key_has_its_limits_as_they_are_now(tables: Tables, org: Org) -> None:
    sender = sender_of(hook(tables, org, "k3v9"), KEY)
    assert sender == attrs.evolve(KEY, scopes=("send",))
    assert sender.generation == 4


@pytest.mark.parametrize(
    "key", [None, attrs.evolve(KEY, scopes=("read", "manage")), attrs.evolve(KEY, org=9)]
)
def test_one_whose_key_may_not_send_takes_no_calls(
    tables: Tables, org: Org, key: Principal | None
) -> None:
    with pytest.raises(Gone):
        sender_of(hook(tables, org, "k3v9"), key)


def test_the_end_of_a_key_ends_its_hooks_and_no_others(tables: Tables, org: Org) -> None:
    mine, other = hook(tables, org, "k3v9"), hook(tables, org)
    end_of_key(tables, "k3v9", 7)
    end_of_key(tables, "k3v9", 8)
    ended = tables.hooks.get(org.id, mine.id)
    assert ended is not None
    assert (ended.disabled_at, tables.hooks.get(org.id, other.id)) == (7, other)
    with pytest.raises(Gone, match="k3v9"):
        sender_of(ended, KEY)

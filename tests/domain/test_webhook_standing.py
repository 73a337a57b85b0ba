"""Whether a webhook is called, and with whose rights it reads."""

from typing import Any

import attrs
import pytest

from phonegate.domain.webhook_standing import disable, end_of_key, reader_of
from phonegate.model.orgs import ApiKey, KeyLimits, Org
from phonegate.model.principal import SCOPES, Scope
from phonegate.model.webhooks import Webhook
from phonegate.store.tables import Tables
from tests.store.conftest import memory


@pytest.fixture
def tables() -> Tables:
    return Tables(memory())


@pytest.fixture
def org(tables: Tables) -> Org:
    return tables.orgs.add("myorg", "hash", 1)


def hook(tables: Tables, org: Org, **columns: Any) -> Webhook:
    return tables.webhooks.add(
        org.id, url="https://example.org", events=("*",), secret="whsec_s", created_at=1, **columns
    )


def key(tables: Tables, org: Org, *scopes: Scope, limits: KeyLimits | None = None) -> None:
    made = ApiKey(
        id="k3v9",
        org=org.id,
        org_name=org.name,
        name="agent",
        scopes=scopes,
        digest=b"d",
        created_at=1,
        limits=limits,
    )
    tables.keys.add(made)


def test_a_disabled_one_says_since_when_and_why(tables: Tables, org: Org) -> None:
    made = hook(tables, org)
    disable(tables, made, "It answered 410.", 7)
    assert tables.webhooks.of_org(org.id) == [
        attrs.evolve(made, disabled_at=7, disabled_reason="It answered 410.")
    ]


def test_its_org_has_an_event_of_it_without_its_url(tables: Tables, org: Org) -> None:
    made = hook(tables, org, name="crm")
    disable(tables, made, "It answered 410.", 7)
    tables.complete(7)
    (event,) = tables.events.page(org.id, 0, 10)
    assert (event.type, event.at) == ("webhook.disabled", 7)
    assert event.data == {
        "id": made.id,
        "name": "crm",
        "disabled_at": 7,
        "disabled_reason": "It answered 410.",
    }


def test_those_of_a_revoked_key_are_disabled_and_no_others(tables: Tables, org: Org) -> None:
    theirs, own = hook(tables, org, key="k3v9"), hook(tables, org)
    failed = hook(tables, org, key="k3v9")
    disable(tables, failed, "It answered 410.", 7)
    end_of_key(tables, "k3v9", 9)
    reasons = {
        one.id: (one.disabled_at, one.disabled_reason) for one in tables.webhooks.of_org(org.id)
    }
    assert reasons == {
        own.id: (None, None),
        theirs.id: (9, "The API key k3v9, which made it, was revoked."),
        failed.id: (7, "It answered 410."),
    }
    assert tables.webhooks.active() == [own]


def test_one_that_an_org_made_reads_all_of_it(tables: Tables, org: Org) -> None:
    reader = reader_of(tables, hook(tables, org))
    assert reader is not None
    assert (reader.org, reader.scopes, reader.limits) == (org.id, SCOPES, None)


def test_one_that_a_key_made_reads_with_the_limits_that_the_key_has_now(
    tables: Tables, org: Org
) -> None:
    made = hook(tables, org, key="k3v9")
    assert reader_of(tables, made) is None
    key(tables, org, "read", "manage")
    reader = reader_of(tables, made)
    assert reader is not None
    assert (reader.key_id, reader.limits) == ("k3v9", None)
    limits = KeyLimits(sees=("+1555*",), codes_hidden=True)
    tables.keys.limit("k3v9", limits)
    reader = reader_of(tables, made)
    assert reader is not None
    assert (reader.scopes, reader.limits) == (("read",), limits)


def test_one_whose_key_may_not_read_gets_nothing(tables: Tables, org: Org) -> None:
    key(tables, org, "manage")
    assert reader_of(tables, hook(tables, org, key="k3v9")) is None

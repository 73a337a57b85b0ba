"""Messages by what programs call them, and lists of them."""

import pytest

from phonegate.model.messages import ListQuery, NewInbound, NewMessage
from phonegate.model.orgs import Org
from phonegate.store import client_messages
from phonegate.store.tables import Tables
from tests.store.conftest import bring


def sent(tables: Tables, org: Org, *, at: int = 1, to: str = "+15550001", **more: object) -> int:
    return tables.messages.insert(
        NewMessage(org=org.id, address=to, body="hi", created_at=at, segments=1, **more)  # type: ignore[arg-type]
    )


def received(tables: Tables, org: Org, *, at: int = 1, **more: object) -> int:
    fields = {"date": None, "phone": None, "sim_slot": None, "sim": None, **more}
    id_ = tables.messages.insert_inbound(
        NewInbound(org=org.id, address="+15550009", body="yes", created_at=at, **fields)  # type: ignore[arg-type]
    )
    assert id_ is not None
    return id_


def listed(tables: Tables, org: Org, **query: object) -> list[int]:
    asked = ListQuery(**{"outbound": True, "limit": 50, **query})  # type: ignore[arg-type]
    page = [one.id for one in tables.client_messages.page(org.id, asked)]
    unlimited = ListQuery(**{"outbound": True, **query, "limit": 1_000, "offset": 0})  # type: ignore[arg-type]
    assert tables.client_messages.count(org.id, asked) == len(
        tables.client_messages.page(org.id, unlimited)
    )
    return page


def test_messages_of_one_request_have_one_id(tables: Tables, org: Org, other: Org) -> None:
    first = sent(tables, org, client_id="mine", to="+15550002")
    second = sent(tables, org, client_id="mine", to="+15550001")
    alone, foreign = sent(tables, org), sent(tables, other, client_id="mine")
    found = tables.client_messages
    assert [one.id for one in found.of_client_id(org.id, "mine")] == [first, second]
    assert [one.id for one in found.of_client_id(other.id, "mine")] == [foreign]
    assert found.of_client_id(org.id, "others") == found.of_client_id(org.id, "\ud800") == []
    by_id = found.of_id(org.id, alone)
    assert by_id is not None
    assert by_id.id == alone
    assert found.of_id(org.id, first) is None, "it has another id"
    assert found.of_id(other.id, alone) is None


def test_a_list_has_each_request_once(tables: Tables, org: Org, other: Org) -> None:
    first = sent(tables, org, client_id="mine")
    sent(tables, org, client_id="mine")
    alone = sent(tables, org)
    sent(tables, other)
    mms = received(tables, org, parts=2)
    sms = received(tables, org)
    assert listed(tables, org) == [alone, first]
    assert listed(tables, org, ascending=True) == [first, alone]
    assert listed(tables, org, limit=1, offset=1) == [first]
    assert listed(tables, org, outbound=False) == [sms, mms]
    assert listed(tables, org, outbound=False, media=True) == [mms]
    assert listed(tables, org, outbound=False, media=False) == [sms]


def test_filters_narrow_a_list(tables: Tables, org: Org) -> None:
    phone = tables.phones.connect(org.id, "pixel", 1).id
    old = sent(tables, org, at=10, to="+4911", phone=phone)
    new = sent(tables, org, at=20, to="+3311")
    bring(tables, new, "delivered")
    assert listed(tables, org, since=11) == [new]
    assert listed(tables, org, until=19) == [old]
    assert listed(tables, org, statuses=("delivered", "failed")) == [new]
    assert listed(tables, org, phone=phone) == [old]
    assert listed(tables, org, sees=("+49*",)) == [old]
    assert listed(tables, org, sees=("+49*", "+3311")) == [new, old]


def test_a_list_ends_at_the_newest_ones(
    tables: Tables, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_messages, "LOOKED_AT", 2)
    ids = [sent(tables, org) for _ in range(4)]
    assert listed(tables, org) == ids[:1:-1]

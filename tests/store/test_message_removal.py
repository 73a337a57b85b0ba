from phonegate.model.messages import PageQuery
from phonegate.model.orgs import Org
from phonegate.store.message_removal import DELETED_AT_ONCE
from phonegate.store.tables import Tables
from tests.store.conftest import outbound


def test_deletion_of_long_texts_is_bounded_too(tables: Tables, org: Org) -> None:
    ids = [
        tables.messages.insert(outbound(org.id, "x" * (DELETED_AT_ONCE // 2 - 1))) for _ in range(7)
    ]
    assert tables.message_removal.erase(ids, lambda _: True) == (3, 3)
    assert not tables.message_removal.drop(org.id, 500)
    assert tables.message_removal.drop(org.id, 500)
    assert tables.messages.page(org.id, PageQuery()) == []

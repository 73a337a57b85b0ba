import sqlite3

from phonegate.model.media import Part
from phonegate.model.messages import PageQuery
from phonegate.model.orgs import Org
from phonegate.store.message_removal import BYTES_AS_CHARACTER, DELETED_AT_ONCE
from phonegate.store.tables import Tables
from tests.store.conftest import inbound, outbound


def test_deletion_of_long_texts_is_bounded_too(tables: Tables, org: Org) -> None:
    ids = [
        tables.messages.insert(outbound(org.id, "x" * (DELETED_AT_ONCE // 2 - 1))) for _ in range(7)
    ]
    assert tables.message_removal.erase(ids, lambda _: True) == (3, 3)
    assert not tables.message_removal.drop(org.id, 500)
    assert tables.message_removal.drop(org.id, 500)
    assert tables.messages.page(org.id, PageQuery()) == []


def test_parts_go_with_their_message_and_count_in_its_slice(
    connection: sqlite3.Connection, tables: Tables, org: Org
) -> None:
    large = Part(content_type="image/png", data=b"x" * (DELETED_AT_ONCE * BYTES_AS_CHARACTER // 2))
    ids = []
    for _ in range(4):
        id_ = tables.messages.insert_inbound(inbound(org.id, parts=1, date=None))
        assert id_ is not None
        tables.media_parts.add(id_, 1, [large])
        ids.append(id_)
    assert tables.message_removal.erase(ids, lambda _: True) == (2, 2)
    assert [row[0] for row in connection.execute("SELECT message FROM media_parts")] == ids[2:]
    tables.message_removal.drop(org.id, 500)
    assert connection.execute("SELECT count(*) FROM media_parts").fetchone() == (0,)

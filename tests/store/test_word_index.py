from phonegate.model.orgs import Org
from phonegate.store import search
from phonegate.store.tables import Tables
from phonegate.store.word_index import INDEXED_AT_ONCE
from tests.store.conftest import inbound


def test_one_go_of_the_index_is_bounded_by_the_length_of_texts(tables: Tables, org: Org) -> None:
    for _ in range(100):
        tables.messages.insert_inbound(inbound(org.id, "word " * 10_000, date=None))
    added = []
    while True:
        count, complete = tables.word_index.add_missing(1000)
        added.append(count)
        if complete:
            break
    assert sum(added) == 100
    assert max(added) == INDEXED_AT_ONCE // search.MAX_TEXT

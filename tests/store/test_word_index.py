import sqlite3

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


def test_a_message_whose_body_came_later_has_the_words_of_that_body_alone(
    connection: sqlite3.Connection, tables: Tables, org: Org
) -> None:
    new = inbound(org.id, "first", date=None)
    id_ = tables.messages.insert_inbound(new) or 0
    row = (id_, org.id, "in", new.address, "first")

    def indexed(body: str) -> list[int]:
        word = search.document(id_, org.id, "in", new.address, body).split()[0]
        found = connection.execute("SELECT rowid FROM words WHERE words MATCH ?", (f'"{word}"',))
        return [row[0] for row in found]

    tables.word_index.change(row, "unseen")
    assert indexed("unseen") == []
    tables.word_index.add_missing(10)
    assert indexed("first") == [id_]
    tables.word_index.change(row, "second")
    assert (indexed("first"), indexed("second")) == ([], [id_])

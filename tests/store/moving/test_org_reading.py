"""What is read of an org while others write."""

import sqlite3
from contextlib import closing

import pytest

from phonegate.model.messages import NewMessage
from phonegate.store.moving import org_reading
from phonegate.store.moving.org_reading import OrgReader
from phonegate.store.tables import Tables
from tests.operations.moving_site import Filler, Site


@pytest.mark.parametrize("suspended", [True, False])
async def test_only_an_org_that_goes_on_keeps_the_state_in_which_it_began(
    here: Site, monkeypatch: pytest.MonkeyPatch, *, suspended: bool
) -> None:
    """A state that is kept has the log of the database grow."""
    monkeypatch.setattr(org_reading, "PAGE", 1)
    await Filler(here, "mine").fill("myorg", each=2)
    if suspended:
        await here.accounts.moves.suspend("myorg")
    read = []
    with closing(sqlite3.connect(here.database.path, isolation_level=None)) as connection:
        reader = OrgReader(connection=connection, name="myorg")
        for chunk in reader.chunks(reader.head("a1", "0.1.0", 1)):
            read += [row for row in chunk.rows if chunk.table == "contacts"]
            if chunk.number == 0:
                await here.database.write(
                    lambda tx: tx._connection.execute("DELETE FROM contacts WHERE org = 1")
                )
    assert len(read) == (0 if suspended else 2)


async def test_a_chunk_holds_a_bounded_number_of_bytes(
    here: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(org_reading, "CHUNK_BYTES", 100)
    org = await Filler(here, "mine").fill("myorg")

    def store(tx: Tables) -> None:
        for body in ("a" * 60, "b" * 60, "c" * 500, "d", "e"):
            new = NewMessage(org=org, address="+1555", body=body, created_at=5, segments=1)
            tx.messages.insert(new)

    await here.database.write(store)
    with closing(sqlite3.connect(here.database.path, isolation_level=None)) as connection:
        reader = OrgReader(connection=connection, name="myorg")
        head = reader.head("a1", "0.1.0", 1)
        place = head.tables["messages"].index("body")
        chunks = [
            [row[place][:1] for row in chunk.rows]
            for chunk in reader.chunks(head)
            if chunk.table == "messages"
        ]
    assert chunks[-4:] == [["a"], ["b"], ["c"], ["d", "e"]]

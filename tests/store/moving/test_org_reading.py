"""What is read of an org while others write."""

import sqlite3
from contextlib import closing

import pytest

from phonegate.store.moving import org_reading
from phonegate.store.moving.org_reading import OrgReader
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

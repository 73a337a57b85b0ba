"""Fixtures that more than one folder needs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from phonegate.store.database import Database


@pytest.fixture
async def database(tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[Database]:
    """The real store, on a new file, with its writer running."""
    opened = Database.open(tmp_path / "phonegate.db")
    await nursery.start(opened.run_writer)
    yield opened
    opened.stop_writing()
    opened.close()

"""Two gateways' stores, from one of which orgs come to the other."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from tests.operations.moving_site import Site, site


@pytest.fixture
async def here(tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[Site]:
    async with site(tmp_path, nursery, "here") as made:
        yield made


@pytest.fixture
async def there(tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[Site]:
    async with site(tmp_path, nursery, "there") as made:
        yield made

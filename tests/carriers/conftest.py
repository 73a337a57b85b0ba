from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from .stand import STANDS
from .stand_base import Stand


@pytest.fixture
async def stand(
    request: pytest.FixtureRequest, nursery: trio.Nursery, tmp_path: Path
) -> AsyncIterator[Stand]:
    """Each implementation in turn."""
    made = await STANDS[request.param].open(nursery, tmp_path)
    yield made
    await made.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "stand" in metafunc.fixturenames:
        metafunc.parametrize("stand", STANDS, indirect=True)

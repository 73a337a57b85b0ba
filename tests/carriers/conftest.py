from collections.abc import AsyncIterator

import pytest
import trio

from .fake_carrier import FakeCarrier
from .stand import STANDS, Stand
from .stub import nowhere


@pytest.fixture
async def stand(request: pytest.FixtureRequest, nursery: trio.Nursery) -> AsyncIterator[Stand]:
    """Each implementation in turn."""
    fake = FakeCarrier()
    await nursery.start(fake.serve)
    made = STANDS[request.param](fake, await nowhere())
    yield made
    await made.carrier.aclose()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "stand" in metafunc.fixturenames:
        metafunc.parametrize("stand", STANDS, indirect=True)

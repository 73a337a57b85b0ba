"""A running gateway of the test's own."""

import pytest
import trio

from tests.phone.gateway import Gateway


@pytest.fixture
async def gateway(nursery: trio.Nursery) -> Gateway:
    running: Gateway = await nursery.start(Gateway().run)
    return running

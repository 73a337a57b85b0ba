from collections.abc import Awaitable, Callable

import pytest
import trio

from phonegate.config.settings import Settings
from phonegate.domain.rate_limits import RateLimits
from phonegate.phones.phone_timings import PhoneTimings
from phonegate.store.database import Database

from .site import PATIENT, Site

Start = Callable[..., Awaitable[Site]]


@pytest.fixture
def start(database: Database, nursery: trio.Nursery) -> Start:
    """Starts a site with other settings."""

    async def start(
        settings: Settings = PATIENT,
        rate_limits: RateLimits | None = None,
        **waits: float,
    ) -> Site:
        site = Site(database, settings, rate_limits, PhoneTimings(**waits))
        await nursery.start(site.serve)
        return site

    return start


@pytest.fixture
async def site(start: Start) -> Site:
    return await start()

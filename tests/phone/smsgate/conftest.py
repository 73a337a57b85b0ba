"""A server of the mobile API, and phones with the app, of the test's own."""

from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import attrs
import pytest
import trio

from phonegate.phone.radios.radio import SimCard
from phonegate.phone.smsgate.app_faults import AppPlan
from phonegate.phone.smsgate.app_journal import AppJournal
from phonegate.phone.smsgate.app_phone import AppPhone
from phonegate.phone.smsgate.app_timings import AppTimings
from phonegate.phone.smsgate.handset import Owner
from phonegate.phone.smsgate.mobile_api import Clients
from tests.patience import PATIENCE_S
from tests.phone.smsgate.mobile_server import TOKEN, MobileServer

SIMS = (
    SimCard(slot=0, number="+15557770001", carrier="Carrier"),
    SimCard(slot=1, number="+15557770002"),
)
OWNER = Owner(device_id="app-1", name="Google/panther", sims=SIMS, token=TOKEN)
PATIENT = AppTimings(connect_s=PATIENCE_S, socket_s=PATIENCE_S, request_s=PATIENCE_S)
FAST = attrs.evolve(PATIENT.hastened(1000), restart_s=0)

MakePhone = Callable[..., AppPhone]


@pytest.fixture
async def server(nursery: trio.Nursery) -> MobileServer:
    running: MobileServer = await nursery.start(MobileServer().run)
    return running


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    async with Clients.make() as made:
        yield made


@pytest.fixture
def make_phone(server: MobileServer, clients: Clients) -> MakePhone:
    def make(
        plan: AppPlan | None = None, journal: AppJournal | None = None, **more: Any
    ) -> AppPhone:
        given = {"timings": FAST, "owner": OWNER, "rng": Random(1), **more}
        return AppPhone(server.url, clients=clients, plan=plan, journal=journal, **given)

    return make

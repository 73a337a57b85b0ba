"""The owner's commands that move an org: what a suspension waits for."""

from types import SimpleNamespace
from typing import Any

import pytest
import trio

from phonegate.api.endpoint import Call
from phonegate.operations.moving_api import moving_endpoints
from tests.operations.moving_site import Filler, Site
from tests.patience import PATIENCE_S


@pytest.mark.parametrize("waits_for", ["phones", "callers"])
async def test_an_org_is_suspended_once_phones_and_callers_have_ended_what_they_began(
    here: Site, nursery: trio.Nursery, waits_for: str
) -> None:
    org = await Filler(here, "mine").fill("myorg")
    asked, ends, done = trio.Event(), trio.Event(), trio.Event()

    async def ended(found: int, who: str) -> None:
        assert found == org
        if who == waits_for:
            asked.set()
            await ends.wait()

    async def phones_left(found: int) -> None:
        await ended(found, "phones")

    async def idle(found: int) -> None:
        await ended(found, "callers")

    endpoints = moving_endpoints(
        here.database, here.accounts.moves, lambda: 5, phones_left=phones_left
    )
    (suspend,) = (one for one in endpoints if one.method == "PUT")
    services: Any = SimpleNamespace(shares=SimpleNamespace(idle=idle))
    request: Any = None
    call = Call(
        services=services,
        request=request,
        principal=None,
        path={"org": "myorg"},
        query=None,
        body=None,
    )

    async def ask() -> None:
        await suspend.handler(call)
        done.set()

    def stored() -> list[tuple[Any, ...]]:
        return here.rows("SELECT suspended_at IS NOT NULL FROM orgs WHERE name = 'myorg'")

    nursery.start_soon(ask)
    with trio.fail_after(PATIENCE_S):
        await asked.wait()
        assert stored() == [(0,)]
        ends.set()
        await done.wait()
    assert stored() == [(1,)]

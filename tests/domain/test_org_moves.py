"""What the rest of the gateway is asked to do when an org is suspended, resumed or has come."""

from pathlib import Path
from typing import Any

import pytest
import trio

from phonegate.domain.caller import Caller
from phonegate.model.facts import Rescheduled, WebhooksChanged
from phonegate.model.refusals import OrgSuspended, Unauthorized
from tests.buses import heard
from tests.domain.account_site import HERE, Clock, enter
from tests.operations.moving_site import Filler, Site
from tests.patience import PATIENCE_S

LOOKS: Any = WebhooksChanged | Rescheduled


def back(org: int) -> list[Any]:
    """What has all parts look again: the webhooks, what may leave now, and what is held."""
    now = Clock()()
    return [WebhooksChanged(org), Rescheduled(org, None), Rescheduled(org, now)]


def unseen(_done: int, _total: int) -> None:
    """Takes no notice of progress."""


async def test_all_parts_look_at_an_org_when_it_is_suspended_and_when_it_is_back(
    here: Site,
) -> None:
    org = await Filler(here, "mine").fill("myorg")
    facts = heard(here.bus, LOOKS)
    await here.accounts.moves.suspend("myorg")
    assert facts == [WebhooksChanged(org, again=False)]
    await here.accounts.moves.resume("myorg")
    assert facts[1:] == back(org)


async def test_all_parts_look_at_an_org_that_has_come(
    here: Site, there: Site, tmp_path: Path
) -> None:
    org = await Filler(here, "mine").fill("myorg")
    path = tmp_path / "myorg.org"
    await here.mover.export("myorg", path, unseen)
    facts = heard(there.bus, LOOKS)
    await there.mover.take_in(path, unseen)
    assert facts == back(org)


async def test_what_is_kept_in_memory_of_orgs_is_there_of_one_that_has_come(
    here: Site, there: Site, tmp_path: Path
) -> None:
    org = await Filler(here, "mine").fill("myorg")
    await here.accounts.options.set(org, default_country="DE")
    await enter(here.accounts)
    path = tmp_path / "myorg.org"
    await here.mover.export("myorg", path, unseen)
    await there.mover.take_in(path, unseen)
    assert there.accounts.options.of(org).default_country == "DE"
    familiar = there.accounts.authentication.checks._familiar
    assert familiar.has(Caller(address=HERE, relayed=False), "myorg")


async def test_who_was_refused_before_an_org_came_is_let_in_after(
    here: Site, there: Site, tmp_path: Path
) -> None:
    await Filler(here, "mine").fill("myorg")
    path = tmp_path / "myorg.org"
    await here.mover.export("myorg", path, unseen)
    for _ in range(2):
        with pytest.raises(Unauthorized):
            await enter(there.accounts)
    await there.mover.take_in(path, unseen)
    await enter(there.accounts)


async def test_a_suspension_that_fails_leaves_an_org_as_it_was(here: Site) -> None:
    await Filler(here, "mine").fill("myorg")
    await here.accounts.moves.suspend("myorg")

    async def fails(_: int) -> None:
        raise trio.TooSlowError

    with pytest.raises(trio.TooSlowError):
        await here.accounts.moves.suspend("myorg", fails)
    with pytest.raises(OrgSuspended):
        await enter(here.accounts)


async def overtaken_or_waited_for(site: Site, overtaken: trio.Event) -> None:
    """Returns when a second command waits for its turn, or has not waited."""
    while not (site.accounts.moves._turn.statistics().tasks_waiting or overtaken.is_set()):
        await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("given_up", [False, True])
async def test_an_org_is_what_the_last_command_made_of_it(
    here: Site, nursery: trio.Nursery, *, given_up: bool
) -> None:
    """Each command waits until the one before it is done, or given up."""
    await Filler(here, "mine").fill("myorg")
    waits, scope, resumed = trio.Event(), trio.CancelScope(), trio.Event()

    async def drain(_: int) -> None:
        waits.set()
        await overtaken_or_waited_for(here, resumed)
        if given_up:
            scope.cancel()
        await trio.lowlevel.checkpoint()

    async def suspend() -> None:
        with scope:
            await here.accounts.moves.suspend("myorg", drain)

    async def resume() -> None:
        await here.accounts.moves.resume("myorg")
        resumed.set()

    nursery.start_soon(suspend)
    with trio.fail_after(PATIENCE_S):
        await waits.wait()
        nursery.start_soon(resume)
        await resumed.wait()
    assert (await here.accounts.orgs.named("myorg")).suspended_at is None
    await enter(here.accounts)


async def test_a_second_suspension_that_is_given_up_leaves_the_first_as_it_is(
    here: Site, nursery: trio.Nursery
) -> None:
    await Filler(here, "mine").fill("myorg")
    drains, drained, goes_on, done = (trio.Event() for _ in range(4))

    async def drain(_: int) -> None:
        (drained if drains.is_set() else drains).set()
        await goes_on.wait()

    async def first() -> None:
        await here.accounts.moves.suspend("myorg", drain)
        done.set()

    nursery.start_soon(first)
    with trio.fail_after(PATIENCE_S):
        await drains.wait()
        async with trio.open_nursery() as second:
            second.start_soon(here.accounts.moves.suspend, "myorg", drain)
            await overtaken_or_waited_for(here, drained)
            second.cancel_scope.cancel()
        goes_on.set()
        await done.wait()
    with pytest.raises(OrgSuspended):
        await enter(here.accounts)

"""The set-up link: who is let in, for how long, and who of two makes the first org."""

from functools import partial

import attrs
import pytest
import trio

from phonegate.domain.accounts import Accounts
from phonegate.domain.caller import Caller
from phonegate.domain.set_up import PATH
from phonegate.domain.throttle import PAIR
from phonegate.model.refusals import BadInput, Conflict, NotFound, Throttled
from phonegate.store.database import Database
from tests.domain.account_site import HERE, SECRET, THERE, Clock, enter, fate, restarted

ME = Caller(address=HERE, relayed=False)
PUBLISHED = "my-secret-key-123"
OTHER = Caller(address=THERE, relayed=False)


@attrs.frozen
class Empty:
    """A gateway without an org, at a time that the test sets."""

    accounts: Accounts
    clock: Clock

    @property
    def token(self) -> str:
        path = self.accounts.set_up.path
        assert path is not None
        return path.removeprefix(f"{PATH}/")


@pytest.fixture
async def empty(database: Database) -> Empty:
    clock = Clock()
    return Empty(await restarted(database, clock), clock)


async def test_the_link_makes_the_first_org_and_has_ended_then(empty: Empty) -> None:
    set_up, token = empty.accounts.set_up, empty.token
    assert set_up.is_open
    set_up.admit(token, ME)
    org, secret = await set_up.make_org(token, ME, "home")
    assert (await enter(empty.accounts, secret, "home")).org == org.id
    assert not set_up.is_open
    assert set_up.path is None
    with pytest.raises(Conflict, match="set up already"):
        set_up.admit(token, ME)


async def test_of_two_at_once_one_makes_an_org(empty: Empty) -> None:
    results = []

    async def make(name: str) -> None:
        made = partial(empty.accounts.set_up.make_org, empty.token, ME, name)
        results.append(await fate(made))

    async with trio.open_nursery() as both:
        both.start_soon(make, "home")
        both.start_soon(make, "away")
    (refusal,) = (one for one in results if isinstance(one, Conflict))
    assert "set up already" in str(refusal)
    assert len(await empty.accounts.orgs.all()) == 1


async def test_an_org_that_came_by_another_way_ends_the_link(empty: Empty) -> None:
    token = empty.token
    await enter(empty.accounts, SECRET, "phones-own", create=True)
    assert empty.accounts.set_up.path is None
    with pytest.raises(Conflict):
        await empty.accounts.set_up.make_org(token, ME, "home")


async def test_each_start_has_another_link_and_none_where_there_is_an_org(
    empty: Empty, database: Database
) -> None:
    again = await restarted(database, empty.clock)
    assert again.set_up.path != empty.accounts.set_up.path
    with pytest.raises(NotFound):
        again.set_up.admit(empty.token, ME)
    await again.orgs.add("home")
    assert (await restarted(database, empty.clock)).set_up.path is None


async def test_guessing_is_slowed_for_the_guesser_alone(empty: Empty) -> None:
    set_up = empty.accounts.set_up
    for number in range(PAIR.burst):
        with pytest.raises(NotFound):
            set_up.admit(f"guess-{number}-\ud800", OTHER)
    with pytest.raises(Throttled):
        set_up.admit(empty.token, OTHER)
    set_up.admit(empty.token, ME)
    empty.clock.now += PAIR.refill_ms
    set_up.admit(empty.token, OTHER)


@pytest.mark.parametrize(
    ("name", "secret", "field"),
    [
        ("a", None, "org_id"),
        ("home", "short", "secret_key"),
        ("home", "my-secret-key-123", "secret_key"),
    ],
)
async def test_a_form_that_no_org_can_have_changes_nothing(
    empty: Empty, name: str, secret: str | None, field: str
) -> None:
    with pytest.raises(BadInput) as refused:
        await empty.accounts.set_up.make_org(empty.token, ME, name, secret)
    assert [problem.field for problem in refused.value.problems] == [field]
    assert empty.accounts.set_up.is_open

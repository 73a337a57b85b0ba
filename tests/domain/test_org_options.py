"""What orgs have chosen: kept, known at once, checked."""

from functools import partial

import pytest
import trio

from phonegate.domain.accounts import Accounts
from phonegate.domain.org_options import OrgOptions
from phonegate.model.bounds import MAX_BODY, MAX_CHARACTERS
from phonegate.model.orgs import Options
from phonegate.model.refusals import BadInput, NotFound
from phonegate.store.database import Database


@pytest.fixture
async def org(accounts: Accounts) -> int:
    return (await accounts.orgs.add("myorg", "a-secret-of-some-length"))[0].id


async def test_an_org_that_has_chosen_nothing(accounts: Accounts, org: int) -> None:
    assert accounts.options.of(org) == Options(default_country=None, max_characters=MAX_BODY)


async def test_what_is_chosen_holds_at_once_and_after_a_restart(
    database: Database, accounts: Accounts, org: int
) -> None:
    other = (await accounts.orgs.add("other", "a-secret-of-some-length"))[0].id
    assert await accounts.options.set(org, default_country="de") == accounts.options.of(org)
    assert accounts.options.of(org) == Options(default_country="DE")
    await accounts.options.set(org, max_characters=MAX_CHARACTERS)
    chosen = Options(default_country="DE", max_characters=MAX_CHARACTERS)
    restarted = OrgOptions(database)
    await restarted.load()
    assert accounts.options.of(org) == restarted.of(org) == chosen
    assert accounts.options.of(other) == restarted.of(other) == Options()
    await accounts.options.set(org, default_country="")
    assert accounts.options.of(org).default_country is None


async def test_accounts_load_them(database: Database, accounts: Accounts, org: int) -> None:
    await database.write(lambda tx: tx.orgs.choose(org, default_country="FR", max_characters=None))
    await accounts.load()
    assert accounts.options.of(org) == Options(default_country="FR")


async def test_each_wrong_value_is_named_and_nothing_changes(accounts: Accounts, org: int) -> None:
    for country in ("XX", "Germany", "+49", "D", "UK"):
        for characters in (0, MAX_CHARACTERS + 1):
            with pytest.raises(BadInput) as refused:
                await accounts.options.set(org, default_country=country, max_characters=characters)
            fields = [one.field for one in refused.value.problems]
            assert fields == ["default_country", "max_characters"]
            assert "ISO 3166" in refused.value.detail
            assert "from 1 to 39015" in refused.value.detail
    assert "must be GB" in refused.value.detail
    with pytest.raises(BadInput):
        await accounts.options.set(org, default_country="DE", max_characters=0)
    assert accounts.options.of(org) == Options()


async def test_an_org_that_is_gone(accounts: Accounts, org: int) -> None:
    await accounts.orgs.remove("myorg")
    with pytest.raises(NotFound):
        await accounts.options.set(org, default_country="DE")


async def test_of_changes_at_once_the_last_that_was_stored_is_known(
    database: Database, accounts: Accounts, org: int
) -> None:
    async with trio.open_nursery() as nursery:
        for characters in range(100, 120):
            nursery.start_soon(partial(accounts.options.set, org, max_characters=characters))
    stored = await database.read(lambda tx: tx.orgs.options())
    assert stored == {org: accounts.options.of(org)}

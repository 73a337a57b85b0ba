"""Orgs that their owner makes and ends, and who else may make one."""

from functools import partial

import pytest
import trio
import trio.lowlevel

from phonegate.domain.accounts import Accounts
from phonegate.domain.credential_check import WRONG_CREDENTIAL
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.registration import Registration
from phonegate.events.bus import Bus
from phonegate.model.facts import OrgChanged
from phonegate.model.refusals import (
    BadInput,
    Conflict,
    NotFound,
    Unauthorized,
)
from phonegate.store.database import Database
from tests.buses import heard
from tests.captured_logs import capture_logs
from tests.domain.account_site import (
    CHEAP,
    HERE,
    OTHER,
    SECRET,
    Clock,
    Hashes,
    enter,
    fate,
)


class TestOrgs:
    async def test_a_secret_is_made_when_none_is_given(self, accounts: Accounts) -> None:
        org, secret = await accounts.orgs.add("myorg")
        assert (await enter(accounts, secret)).org == org.id
        assert await accounts.orgs.all() == [org]

    async def test_there_is_one_of_a_name(self, accounts: Accounts) -> None:
        await accounts.orgs.add("myorg", SECRET)
        with pytest.raises(Conflict, match="myorg"):
            await accounts.orgs.add("myorg", OTHER)
        await enter(accounts)

    @pytest.mark.parametrize(("name", "secret"), [("a", SECRET), ("myorg", "short"), ("myorg", "")])
    async def test_forms_are_kept(self, accounts: Accounts, name: str, secret: str) -> None:
        with pytest.raises(BadInput):
            await accounts.orgs.add(name, secret)

    async def test_rotation_ends_the_old_secret_at_once(self, accounts: Accounts, bus: Bus) -> None:
        told = heard(bus, OrgChanged)
        org, _ = await accounts.orgs.add("myorg", SECRET)
        _, key = await accounts.keys.add(org.id, "app")
        before = await enter(accounts)
        assert accounts.authentication.is_current(before)
        rotated, secret = await accounts.orgs.rotate("myorg")
        assert rotated.id == org.id
        assert told == [OrgChanged(org.id)]
        assert not accounts.authentication.is_current(before)
        with pytest.raises(Unauthorized):
            await enter(accounts)
        assert accounts.authentication.is_current(await enter(accounts, secret))
        await enter(accounts, key)

    async def test_rotation_ends_it_for_a_check_under_way(
        self, accounts: Accounts, hashes: Hashes
    ) -> None:
        await accounts.orgs.add("myorg", SECRET)
        hashes.gate.clear()
        fates = []

        async def late() -> None:
            fates.append(await fate(partial(enter, accounts)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(late)
            await hashes.begun.receive()
            await accounts.orgs.rotate("myorg", OTHER)
            hashes.gate.set()
        assert isinstance(fates[0], Unauthorized)
        with pytest.raises(Unauthorized):
            await enter(accounts)
        await enter(accounts, OTHER)

    async def test_removal_takes_the_keys_along(self, accounts: Accounts, bus: Bus) -> None:
        told = heard(bus, OrgChanged)
        org, _ = await accounts.orgs.add("myorg", SECRET)
        _, key = await accounts.keys.add(org.id, "app")
        await enter(accounts)
        await enter(accounts, key)
        await accounts.orgs.remove("myorg")
        assert told == [OrgChanged(org.id)]
        for credential in (SECRET, key):
            with pytest.raises(Unauthorized):
                await enter(accounts, credential)
        assert await accounts.orgs.all() == []

    async def test_what_is_not_there_is_not_found(self, accounts: Accounts, bus: Bus) -> None:
        told = heard(bus, OrgChanged)
        with pytest.raises(NotFound):
            await accounts.orgs.remove("noorg")
        with pytest.raises(NotFound):
            await accounts.orgs.rotate("noorg", SECRET)
        assert told == []
        assert await accounts.orgs.all() == []

    async def test_a_change_is_seen_through_when_its_client_leaves(
        self, accounts: Accounts
    ) -> None:
        org, _ = await accounts.orgs.add("myorg", SECRET)
        key, text = await accounts.keys.add(org.id, "app")
        await enter(accounts, text)
        with trio.CancelScope() as scope:
            scope.cancel()
            await accounts.keys.revoke(org.id, key.id)
        with pytest.raises(Unauthorized):
            await enter(accounts, text)
        assert await accounts.keys.of_org(org.id) == []


class TestRegistration:
    @pytest.fixture
    def accounts(self, database: Database, clock: Clock) -> Accounts:
        return Accounts(
            database,
            now_ms=clock,
            cost=CHEAP,
            registration=Registration(),
            rate_limits=RateLimits(),
        )

    @pytest.mark.parametrize("address", ["127.0.0.1", "192.168.1.20", "100.64.3.2", "fd12::1"])
    async def test_the_own_networks_make_orgs(self, accounts: Accounts, address: str) -> None:
        await enter(accounts, create=True, address=address)

    @pytest.mark.parametrize(
        ("address", "relayed"),
        [(HERE, False), ("2001:db8::1", False), ("", False), ("127.0.0.1", True)],
    )
    async def test_from_afar_it_is_as_if_there_were_no_such_thing(
        self, accounts: Accounts, hashes: Hashes, address: str, *, relayed: bool
    ) -> None:
        far = partial(
            accounts.authentication.authenticate,
            address=address,
            scope="manage",
            create=True,
            relayed=relayed,
        )
        refused = await fate(partial(far, SECRET, org_name="myorg"))
        assert type(refused) is Unauthorized
        assert refused.detail == WRONG_CREDENTIAL
        # The same work as for an org that is there, and none for what no org can have.
        assert len(hashes.verified) == 1
        assert hashes.hashed == 0
        assert type(await fate(partial(far, "short", org_name="my org"))) is Unauthorized
        assert await accounts.orgs.all() == []
        await enter(accounts, create=True, address="127.0.0.1")
        await far(SECRET, org_name="myorg")

    async def test_a_proxy_that_has_no_name_is_told_once(
        self, accounts: Accounts, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for number in range(3):
            with pytest.raises(Unauthorized):
                await accounts.authentication.authenticate(
                    SECRET,
                    org_name=f"org-{number}",
                    address="172.17.0.1",
                    scope="manage",
                    create=True,
                    relayed=True,
                )
        assert "".join(capsys.readouterr()).count("proxy_not_named") == 1

    async def test_the_owner_changes_it_and_it_outlives_a_restart(
        self, accounts: Accounts, database: Database, clock: Clock
    ) -> None:
        with pytest.raises(Unauthorized):
            await enter(accounts, create=True)
        with capture_logs() as lines:
            await accounts.orgs.choose_registration("open")
        assert [(one["event"], one["mode"]) for one in lines] == [("registration_changed", "open")]
        await enter(accounts, create=True)
        started = Accounts(
            database,
            now_ms=clock,
            cost=CHEAP,
            registration=Registration(),
            rate_limits=RateLimits(),
        )
        await started.load()
        await enter(started, OTHER, "another", create=True)
        await started.orgs.choose_registration("closed")
        with pytest.raises(Unauthorized):
            await enter(started, SECRET, "third", create=True, address="127.0.0.1")

    async def test_what_the_configuration_sets_stays(
        self, database: Database, clock: Clock
    ) -> None:
        rule = Registration(forced="closed", forced_by="file gateway.toml")
        forced = Accounts(
            database, registration=rule, now_ms=clock, cost=CHEAP, rate_limits=RateLimits()
        )
        with pytest.raises(Conflict, match="file gateway"):
            await forced.orgs.choose_registration("open")
        assert (await forced.orgs.read_registration()).mode == "closed"

    async def test_a_removed_org_is_not_made_again_by_its_phone(
        self, accounts: Accounts, hashes: Hashes, database: Database
    ) -> None:
        again = partial(enter, accounts, create=True, address="127.0.0.1")
        await again()
        await accounts.orgs.remove("myorg")
        made = hashes.hashed
        with pytest.raises(Unauthorized):
            await again()
        assert hashes.hashed == made
        assert await accounts.orgs.all() == []
        await accounts.orgs.add("myorg", SECRET)
        await again()
        assert not await database.read(lambda tx: tx.orgs.was_removed("myorg"))

"""API keys: how far they reach, and when they end."""

from functools import partial
from typing import Any

import pytest
import trio
import trio.lowlevel

from phonegate.domain import authentication
from phonegate.domain.accounts import Accounts
from phonegate.domain.credential_check import WRONG_CREDENTIAL
from phonegate.events.bus import Bus
from phonegate.model.facts import OrgChanged
from phonegate.model.principal import Principal
from phonegate.model.refusals import (
    BadInput,
    Forbidden,
    NotFound,
    Unauthorized,
)
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.store.database import Database
from tests.buses import heard
from tests.domain.account_site import (
    OTHER,
    SECRET,
    Clock,
    Hashes,
    enter,
    fate,
)


class TestKeys:
    async def test_a_key_names_its_org(self, accounts: Accounts) -> None:
        org, _ = await accounts.orgs.add("myorg", SECRET)
        key, text = await accounts.keys.add(org.id, "app", ["send", "read"])
        assert key.scopes == ("send", "read")
        expected = Principal(org=org.id, org_name="myorg", scopes=("send", "read"), key_id=key.id)
        for _ in range(2):  # looked up, then remembered
            assert await enter(accounts, text, None, scope="read") == expected
            assert await enter(accounts, text, "myorg", scope="send") == expected

    async def test_it_reaches_as_far_as_its_scopes(self, accounts: Accounts) -> None:
        org, _ = await accounts.orgs.add("myorg", SECRET)
        _, text = await accounts.keys.add(org.id, "app", ["send"])
        for _ in range(2):
            with pytest.raises(Forbidden) as caught:
                await enter(accounts, text, scope="manage")
            assert "manage" in caught.value.detail
            assert text not in caught.value.detail

    async def test_it_is_wrong_in_another_org(self, accounts: Accounts) -> None:
        org, _ = await accounts.orgs.add("myorg", SECRET)
        await accounts.orgs.add("yourorg", OTHER)
        _, text = await accounts.keys.add(org.id, "app")
        for _ in range(2):
            with pytest.raises(Unauthorized) as caught:
                await enter(accounts, text, "yourorg")
            assert caught.value.detail == WRONG_CREDENTIAL
            await enter(accounts, text)

    async def test_it_is_wrong_with_another_random_part(self, accounts: Accounts) -> None:
        org, _ = await accounts.orgs.add("myorg", SECRET)
        key, text = await accounts.keys.add(org.id, "app")
        for wrong in (f"pgk_{key.id}_" + "a" * 32, text[:-1], text + "a", text.swapcase()):
            with pytest.raises(Unauthorized):
                await enter(accounts, wrong)

    async def test_wrong_keys_keep_nobody_waiting(self, accounts: Accounts, hashes: Hashes) -> None:
        org, _ = await accounts.orgs.add("myorg", SECRET)
        _, text = await accounts.keys.add(org.id, "app")
        for number in range(100):
            wrong = f"pgk_{number:08}_" + "a" * 32
            assert isinstance(await fate(partial(enter, accounts, wrong)), Unauthorized)
        await enter(accounts, text)
        await enter(accounts)
        assert len(hashes.verified) == 1

    async def test_a_revoked_one_is_wrong_at_once(self, accounts: Accounts, bus: Bus) -> None:
        told = heard(bus, OrgChanged)
        org, _ = await accounts.orgs.add("myorg", SECRET)
        other, _ = await accounts.orgs.add("yourorg", SECRET)
        key, text = await accounts.keys.add(org.id, "app")
        _, kept = await accounts.keys.add(org.id, "reader", ["read"])
        await enter(accounts, text)
        assert await accounts.keys.revoke(other.id, key.id) is None
        assert await accounts.keys.revoke(org.id, "nokey") is None
        await enter(accounts, text)
        assert told == []
        assert await accounts.keys.revoke(org.id, key.id) == 0
        assert told == [OrgChanged(org.id)]
        with pytest.raises(Unauthorized):
            await enter(accounts, text)
        await enter(accounts, kept, scope="read")
        assert [k.name for k in await accounts.keys.of_org(org.id)] == ["reader"]

    async def test_a_key_that_let_no_phone_in_drops_none(
        self, accounts: Accounts, bus: Bus
    ) -> None:
        told = heard(bus, OrgChanged)
        org, _ = await accounts.orgs.add("myorg", SECRET)
        key, text = await accounts.keys.add(org.id, "app", ["read"])
        await enter(accounts, text, scope="read")
        assert await accounts.keys.revoke(org.id, key.id) == 0
        assert told == []
        with pytest.raises(Unauthorized):
            await enter(accounts, text, scope="read")

    @pytest.mark.parametrize(
        ("name", "scopes", "fields"),
        [
            ("", ["send"], ["name"]),
            ("x" * 101, ["send"], ["name"]),
            ("a\nb", ["send"], ["name"]),
            ("app", [], ["scopes"]),
            ("", ["admin"], ["name", "scopes"]),
        ],
    )
    async def test_forms_are_kept(
        self, accounts: Accounts, name: str, scopes: list[Any], fields: list[str]
    ) -> None:
        org, _ = await accounts.orgs.add("myorg", SECRET)
        with pytest.raises(BadInput) as caught:
            await accounts.keys.add(org.id, name, scopes)
        assert [p.field for p in caught.value.problems] == fields

    async def test_none_has_a_scope_that_its_maker_lacks(self, accounts: Accounts) -> None:
        org, _ = await accounts.orgs.add("myorg", SECRET)
        with pytest.raises(Forbidden, match="lacks read, manage"):
            await accounts.keys.add(org.id, "app", granted_by=["send"])
        assert await accounts.keys.of_org(org.id) == []
        key, _ = await accounts.keys.add(
            org.id, "app", ["send", "phone"], granted_by=["manage", "send"]
        )
        assert key.scopes == ("send", "phone")

    async def test_a_removed_org_gets_none(self, accounts: Accounts) -> None:
        org, _ = await accounts.orgs.add("myorg", SECRET)
        await accounts.orgs.remove("myorg")
        with pytest.raises(NotFound):
            await accounts.keys.add(org.id, "app")

    @pytest.mark.usefixtures("notes_waited_for")
    async def test_its_last_use_is_noted_once_a_minute(
        self, accounts: Accounts, clock: Clock, database: Database
    ) -> None:
        org, _ = await accounts.orgs.add("myorg", SECRET)
        key, text = await accounts.keys.add(org.id, "app")

        async def last_used() -> int | None:
            found = await database.read(lambda tx: tx.keys.get(key.id))
            assert found is not None
            return found.last_used_at

        assert await last_used() is None
        start = clock.now
        await enter(accounts, text)
        assert await last_used() == start
        clock.now += 59_999
        await enter(accounts, text)
        assert await last_used() == start
        clock.now += 1
        await enter(accounts, text)
        assert await last_used() == start + 60_000

    async def test_a_full_disk_keeps_no_key_out(
        self, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        org, _ = await accounts.orgs.add("myorg", SECRET)
        _, text = await accounts.keys.add(org.id, "app")

        async def full(_op: object) -> None:
            raise StorageUnavailable("disk full")

        monkeypatch.setattr(Database, "write", lambda _self, op: full(op))
        await enter(accounts, text)

    @pytest.mark.usefixtures("notes_waited_for")
    async def test_a_stuck_disk_costs_a_bounded_time(
        self, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        org, _ = await accounts.orgs.add("myorg", SECRET)
        _, text = await accounts.keys.add(org.id, "app")
        allowed = []

        async def stuck(_op: object) -> None:
            allowed.append(trio.current_effective_deadline() - trio.current_time())
            await trio.lowlevel.checkpoint()

        monkeypatch.setattr(Database, "write", lambda _self, op: stuck(op))
        await enter(accounts, text)
        assert 0 < allowed[0] <= authentication._TOUCH_DEADLINE_S

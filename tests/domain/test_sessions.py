"""Sessions of the console: for whom they speak, and when they end."""

from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from phonegate.domain.accounts import Accounts
from phonegate.domain.credential_check import WRONG_CREDENTIAL
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.registration import Registration
from phonegate.domain.session_tokens import TokenSigner
from phonegate.domain.sessions import (
    MOST,
    MOST_EACH,
    TOUCH_MS,
    UNUSED_MS,
    Sessions,
    SignedIn,
)
from phonegate.domain.throttle import PAIR
from phonegate.events.bus import Bus
from phonegate.model.facts import CredentialsChanged
from phonegate.model.orgs import ApiKey, KeyLimits
from phonegate.model.principal import OWNER_SCOPE, SCOPES, Principal
from phonegate.model.refusals import Throttled, Unauthorized
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.store.database import Database
from tests.buses import heard
from tests.domain.account_site import CHEAP, HERE, OTHER, SECRET, THERE, Clock, enter

TOKEN = "operator-token-of-tests"


@attrs.define
class Site:
    """A gateway with one org and two keys of it, and the sessions there."""

    database: Database
    accounts: Accounts
    sessions: Sessions
    clock: Clock
    org: int
    key: ApiKey
    key_text: str

    async def by_secret(self, browser: str = "Firefox") -> str:
        return await self._begin(await enter(self.accounts), browser)

    async def by_key(self, text: str | None = None) -> str:
        principal = await enter(self.accounts, text or self.key_text, None, scope="read")
        return await self._begin(principal, "Chrome")

    async def by_token(self) -> str:
        return await self._begin(await self.sessions.operator(TOKEN, address=HERE), "Safari")

    async def _begin(self, principal: Principal, browser: str) -> str:
        return await self.sessions.begin(principal, browser=browser, address=HERE)

    async def found(self, token: str) -> SignedIn:
        found = await self.sessions.find(token)
        assert found is not None
        return found

    def restarted(self, token: str = TOKEN) -> Sessions:
        """Sessions as they are after a restart of the gateway, by what is stored."""
        accounts = Accounts(
            self.database,
            registration=Registration(),
            now_ms=self.clock,
            cost=CHEAP,
            rate_limits=RateLimits(),
        )
        return Sessions(
            self.database, accounts.authentication, now_ms=self.clock, operator_token=token
        )


@pytest.fixture
async def site(accounts: Accounts, database: Database, clock: Clock) -> Site:
    org, _ = await accounts.orgs.add("myorg", SECRET)
    key, text = await accounts.keys.add(org.id, "app", ["read"])
    sessions = Sessions(database, accounts.authentication, now_ms=clock, operator_token=TOKEN)
    return Site(database, accounts, sessions, clock, org.id, key, text)


async def test_it_speaks_for_its_credential(site: Site) -> None:
    by_secret = await site.found(await site.by_secret())
    assert by_secret.principal == Principal(org=site.org, org_name="myorg", scopes=SCOPES)
    by_key = await site.found(await site.by_key())
    assert (by_key.principal.scopes, by_key.principal.key_id) == (("read",), site.key.id)
    assert (by_key.session.key, by_key.session.key_name) == (site.key.id, "app")
    by_token = await site.found(await site.by_token())
    assert (by_token.principal.scopes, by_token.session.org) == ((OWNER_SCOPE,), None)
    assert len({one.csrf for one in (by_secret, by_key, by_token)}) == 3
    assert by_secret.session.network == HERE


async def test_it_goes_on_after_a_restart(site: Site) -> None:
    tokens = [await site.by_secret(), await site.by_key(), await site.by_token()]
    before = [await site.found(token) for token in tokens]
    after = [await site.restarted().find(token) for token in tokens]
    assert [one and one.csrf for one in after] == [one.csrf for one in before]
    assert [one and one.principal for one in after] == [one.principal for one in before]


async def test_a_made_up_cookie_costs_no_look_at_the_database(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = await site.sessions.signer()
    forged = TokenSigner(bytes(32)).make("session")

    async def refuse(*_: object) -> None:
        raise AssertionError("the database was asked")

    monkeypatch.setattr(Database, "read", refuse)
    for token in ("", "x", forged, signer.make("visitor")):
        assert await site.sessions.find(token) is None


async def test_one_that_is_known_costs_none_either(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await site.by_key()
    first = await site.found(token)

    async def refuse(*_: object) -> None:
        raise AssertionError("the database was asked")

    monkeypatch.setattr(Database, "read", refuse)
    assert await site.found(token) == first


@pytest.mark.parametrize("warm", [True, False])
@pytest.mark.parametrize("what", ["rotate", "remove", "revoke"])
async def test_it_ends_with_its_credential(site: Site, what: str, warm: bool) -> None:  # noqa: FBT001
    by_secret, by_key = await site.by_secret(), await site.by_key()
    if warm:
        await site.found(by_secret)
        await site.found(by_key)
    if what == "rotate":
        await site.accounts.orgs.rotate("myorg")
    elif what == "remove":
        await site.accounts.orgs.remove("myorg")
    else:
        await site.accounts.keys.revoke(site.org, site.key.id)
    left = [await site.sessions.find(by_secret), await site.sessions.find(by_key)]
    # A key goes on where the secret is another one, and the other way round.
    assert [one is not None for one in left] == [what == "revoke", what == "rotate"]
    stored = await site.database.read(lambda tx: tx.sessions.of_org(site.org))
    assert len(stored) == sum(one is not None for one in left)


async def test_another_org_of_its_name_is_another(site: Site) -> None:
    token = await site.by_secret()
    await site.accounts.orgs.remove("myorg")
    await site.accounts.orgs.add("myorg", SECRET)
    assert await site.sessions.find(token) is None


async def test_limits_of_its_key_hold_at_once(site: Site) -> None:
    token = await site.by_key()
    before = await site.found(token)
    assert before.principal.limits is None
    limits = KeyLimits(sees=("+1555",))
    await site.accounts.keys.limit(site.org, site.key.id, lambda _: limits)
    assert not site.sessions.is_open(before)
    after = await site.found(token)
    assert after.principal.limits == limits
    assert after.session == before.session


async def test_another_token_of_the_operator_ends_the_old_ones_sessions(site: Site) -> None:
    token = await site.by_token()
    assert await site.restarted().find(token) is not None
    assert await site.restarted("another-operator-token").find(token) is None
    assert await site.restarted("").find(token) is None


async def test_the_file_does_not_tell_the_operators_token(site: Site) -> None:
    one, other = await site.by_token(), await site.by_token()
    sealed = [(await site.found(token)).session.operator for token in (one, other)]
    assert None not in sealed
    assert sealed[0] != sealed[1]


async def test_one_that_was_ended_is_no_more_and_says_so_to_what_is_open(
    site: Site, bus: Bus
) -> None:
    mine, other = await site.by_secret(), await site.by_secret()
    found, stays = await site.found(mine), await site.found(other)
    facts = heard(bus, CredentialsChanged)
    assert site.sessions.is_open(found)
    assert await site.sessions.end(site.org, found.session.id)
    assert CredentialsChanged(site.org) in facts
    assert not site.sessions.is_open(found)
    assert await site.sessions.find(mine) is None
    assert site.sessions.is_open(stays)
    assert await site.sessions.find(other) is not None
    assert not await site.sessions.end(site.org, found.session.id)


async def test_none_ends_that_of_another_org(site: Site) -> None:
    token = await site.by_secret()
    found = await site.found(token)
    other, _ = await site.accounts.orgs.add("other", OTHER)
    assert not await site.sessions.end(other.id, found.session.id)
    assert not await site.sessions.end(None, found.session.id)
    assert site.sessions.is_open(found)
    assert await site.sessions.find(token) == found


async def test_it_ends_unused_and_is_kept_by_use(site: Site) -> None:
    used, unused = await site.by_secret(), await site.by_secret()
    site.clock.now += UNUSED_MS // 2
    assert (await site.found(used)).renewed
    site.clock.now += UNUSED_MS // 2 + 1
    assert await site.sessions.find(used) is not None
    assert await site.sessions.find(unused) is None
    assert await site.restarted().find(unused) is None
    assert len(await site.sessions.of_org(site.org)) == 1
    await site.by_secret()  # with which old ones are deleted
    stored = await site.database.read(lambda tx: tx.sessions.of_org(site.org))
    assert len(stored) == 2


async def test_a_clock_that_was_set_back_ends_none(site: Site) -> None:
    token = await site.by_secret()
    site.clock.now -= 2 * UNUSED_MS
    assert await site.sessions.find(token) is not None


@pytest.mark.usefixtures("notes_waited_for")
async def test_its_use_is_noted_once_in_minutes_and_so_is_that_of_its_key(site: Site) -> None:
    token = await site.by_key()

    async def noted() -> tuple[int, int | None]:
        (session,) = await site.sessions.of_org(site.org)
        (key,) = await site.accounts.keys.of_org(site.org)
        return session.used_at, key.last_used_at

    begun = await noted()
    site.clock.now += TOUCH_MS - 1
    assert not (await site.found(token)).renewed
    assert await noted() == begun
    site.clock.now += 1
    assert (await site.found(token)).renewed
    assert not (await site.found(token)).renewed
    assert await noted() == (site.clock.now, site.clock.now)


async def test_a_full_disk_locks_out_none_who_is_signed_in(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await site.by_secret()
    site.clock.now += TOUCH_MS

    async def full(*_: object, **__: object) -> None:
        raise StorageUnavailable("the disk is full")

    monkeypatch.setattr(Database, "write", full)
    assert (await site.found(token)).principal.org_name == "myorg"


async def test_one_credential_has_a_number_of_them(site: Site) -> None:
    first = await site.by_key()
    found = await site.found(first)
    others = await site.by_secret()
    for _ in range(MOST_EACH):
        site.clock.now += 1
        await site.by_key()
    assert await site.sessions.find(first) is None
    assert not site.sessions.is_open(found)
    assert await site.sessions.find(others) is not None
    assert len(await site.sessions.of_org(site.org)) == MOST_EACH + 1


async def test_an_org_has_a_number_of_them_and_who_has_most_gives_way(site: Site) -> None:
    lone = await site.by_secret()
    keys = [
        (await site.accounts.keys.add(site.org, f"k{n}", ["read"]))[1]
        for n in range(MOST // MOST_EACH)
    ]
    for text in keys:
        for _ in range(MOST_EACH):
            site.clock.now += 1
            await site.by_key(text)
    assert len(await site.sessions.of_org(site.org)) == MOST
    assert await site.sessions.find(lone) is not None


async def test_a_guess_at_the_operators_token_counts(site: Site) -> None:
    async def fails(guess: Callable[[], Awaitable[object]]) -> str:
        with pytest.raises(Unauthorized) as caught:
            await guess()
        return caught.value.detail

    for _ in range(PAIR.burst):
        assert (
            await fails(lambda: site.sessions.operator("wrong-token-of-some-length", address=HERE))
            == WRONG_CREDENTIAL
        )
    with pytest.raises(Throttled):
        await site.sessions.operator(TOKEN, address=HERE)
    assert await site.sessions.operator(TOKEN, address=THERE)


async def test_without_a_token_there_is_no_operator(site: Site) -> None:
    for token in ("", TOKEN):
        with pytest.raises(Unauthorized, match=WRONG_CREDENTIAL):
            await site.restarted("").operator(token, address=HERE)


async def test_what_ends_while_it_begins_leaves_no_session(site: Site) -> None:
    principal = await enter(site.accounts)
    await site.accounts.orgs.rotate("myorg")
    with pytest.raises(Unauthorized):
        await site.sessions.begin(principal, browser="x", address=HERE)
    key = await enter(site.accounts, site.key_text, None, scope="read")
    await site.accounts.keys.revoke(site.org, site.key.id)
    with pytest.raises(Unauthorized):
        await site.sessions.begin(key, browser="x", address=HERE)
    assert await site.database.read(lambda tx: tx.sessions.of_org(site.org)) == []


async def test_none_that_begins_beside_a_rotation_outlives_it(
    site: Site, monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery
) -> None:
    principal = await enter(site.accounts)
    write = Database.write
    stored, begun, gate = trio.Event(), trio.Event(), trio.Event()

    async def late(database: Database, *arguments: Any, **more: Any) -> Any:
        done = await write(database, *arguments, **more)
        if not stored.is_set():
            stored.set()
            await gate.wait()
        else:
            begun.set()
        return done

    await site.sessions.signer()
    monkeypatch.setattr(Database, "write", late)
    nursery.start_soon(site.accounts.orgs.rotate, "myorg")
    await stored.wait()  # the new secret is stored, and its caller does not know that yet
    refused = trio.Event()

    async def begin() -> None:
        with pytest.raises(Unauthorized):
            await site.sessions.begin(principal, browser="x", address=HERE)
        refused.set()

    nursery.start_soon(begin)
    await begun.wait()
    await trio.testing.wait_all_tasks_blocked()
    gate.set()
    await refused.wait()
    assert await site.sessions.of_org(site.org) == []


async def test_a_visitors_form_is_known_by_the_cookie_beside_it(site: Site) -> None:
    token = await site.sessions.visitor_token()
    form = await site.sessions.read_visitor(token)
    assert form is not None
    assert form not in token
    assert await site.sessions.read_visitor(await site.by_secret()) is None
    assert await site.sessions.read_visitor("x") is None

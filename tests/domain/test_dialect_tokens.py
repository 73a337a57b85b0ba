"""Tokens of dialects: what they may do, and when they end."""

from collections.abc import Sequence

import attrs
import pytest

from phonegate.domain import dialect_tokens
from phonegate.domain.accounts import Accounts
from phonegate.domain.dialect_tokens import (
    GRANTS,
    MOST_TTL_S,
    NOTED_MS,
    REFRESH_MS,
    USUAL_TTL_S,
    DialectTokens,
    MadeToken,
    require_grant,
    scopes_of,
)
from phonegate.model.orgs import ApiKey, KeyLimits
from phonegate.model.principal import Principal
from phonegate.model.refusals import BadInput, Forbidden, NotFound, Unauthorized
from phonegate.store.database import Database
from tests.domain.account_site import OTHER, SECRET, Clock, enter


@attrs.define
class Site:
    """A gateway with one org and a key of it, and the tokens there."""

    accounts: Accounts
    tokens: DialectTokens
    clock: Clock
    org: int
    key: ApiKey
    key_text: str

    async def by_secret(self, *grants: str, ttl_s: int | None = None) -> MadeToken:
        return await self.tokens.make(await enter(self.accounts), grants or ("all:any",), ttl_s)

    async def by_key(self, *grants: str) -> MadeToken:
        caller = await enter(self.accounts, self.key_text, None, scope="read")
        return await self.tokens.make(caller, grants, None)

    async def ended(self, made: MadeToken) -> bool:
        """Whether neither token of a pair opens anything."""
        try:
            await self.tokens.principal_of(made.access)
        except Unauthorized:
            with pytest.raises(Unauthorized):
                await self.tokens.refresh(made.refresh)
            return True
        return False


@pytest.fixture
async def site(accounts: Accounts, database: Database, clock: Clock) -> Site:
    org, _ = await accounts.orgs.add("myorg", SECRET)
    limits = KeyLimits(per_day=5)
    key, text = await accounts.keys.add(org.id, "app", ["send", "read"], limits)
    tokens = DialectTokens(database, accounts.authentication, now_ms=clock)
    return Site(accounts, tokens, clock, org.id, key, text)


@pytest.mark.parametrize(
    ("grants", "scopes"),
    [
        (["messages:send"], {"send"}),
        (["messages:list", "inbox:list"], {"read"}),
        (["webhooks:write"], {"manage", "read"}),
        (["tokens:manage"], set()),
        (["all:any"], {"send", "read", "manage"}),
    ],
)
async def test_it_has_the_scopes_of_what_it_was_given_for(
    site: Site, grants: Sequence[str], scopes: set[str]
) -> None:
    made = await site.by_secret(*grants)
    found = await site.tokens.principal_of(made.access)
    assert set(found.scopes) == scopes
    assert found == Principal(
        org=site.org, org_name="myorg", scopes=found.scopes, grants=tuple(grants)
    )
    assert site.accounts.authentication.is_current(found)


async def test_it_has_the_limits_of_its_key_and_no_more_scopes(site: Site) -> None:
    made = await site.by_key("all:any")
    found = await site.tokens.principal_of(made.access)
    assert (found.scopes, found.key_id, found.limits) == (
        ("send", "read"),
        site.key.id,
        site.key.limits,
    )
    with pytest.raises(Forbidden, match="lacks manage, so it can't grant webhooks:write"):
        await site.by_key("messages:send", "webhooks:write")


@pytest.mark.usefixtures("notes_waited_for")
async def test_the_owner_of_its_key_sees_that_it_is_used(site: Site) -> None:
    made = await site.by_key("messages:send")

    async def used_at() -> int | None:
        (key,) = await site.accounts.keys.of_org(site.org)
        return key.last_used_at

    site.clock.now += NOTED_MS
    await site.tokens.principal_of(made.access)
    assert await used_at() == site.clock.now
    site.clock.now += NOTED_MS - 1
    await site.tokens.principal_of(made.access)
    assert await used_at() == site.clock.now - NOTED_MS + 1
    site.clock.now += 1
    await site.tokens.principal_of(made.access)
    assert await used_at() == site.clock.now


async def test_a_token_gives_no_more_than_it_has(site: Site) -> None:
    made = await site.by_secret("tokens:manage", "messages:send")
    caller = await site.tokens.principal_of(made.access)
    more = await site.tokens.make(caller, ["messages:send"], None)
    assert (await site.tokens.principal_of(more.access)).scopes == ("send",)
    with pytest.raises(Forbidden, match="lacks the scope messages:read"):
        await site.tokens.make(caller, ["messages:read"], None)
    with pytest.raises(Forbidden, match="lacks the scope all:any"):
        await site.tokens.make(caller, ["all:any"], None)


async def test_a_grant_is_one_of_those_that_there_are(site: Site) -> None:
    for wrong in ([], ["messages:send", "all"]):
        with pytest.raises(BadInput) as refused:
            await site.tokens.make(await enter(site.accounts), wrong, None)
        assert [one.field for one in refused.value.problems] == ["scopes"]


async def test_it_lasts_as_long_as_it_was_given_for(site: Site) -> None:
    began = site.clock.now
    usual, short, long = [await site.by_secret(ttl_s=ttl_s) for ttl_s in (None, 60, 1_000_000_000)]
    lasts = [(one.token.expires_at - began) // 1000 for one in (usual, short, long)]
    assert lasts == [USUAL_TTL_S, 60, MOST_TTL_S]
    site.clock.now += 59_999
    await site.tokens.principal_of(short.access)
    site.clock.now += 1
    with pytest.raises(Unauthorized):
        await site.tokens.principal_of(short.access)
    await site.tokens.refresh(short.refresh)
    site.clock.now = usual.token.expires_at + REFRESH_MS
    with pytest.raises(Unauthorized):
        await site.tokens.refresh(usual.refresh)


async def test_a_refresh_token_gets_one_new_pair(site: Site) -> None:
    made = await site.by_key("messages:send")
    principal, new = await site.tokens.refresh(made.refresh)
    assert (principal.org_name, new.token.grants) == ("myorg", ("messages:send",))
    for token in (made.access, new.access):
        assert (await site.tokens.principal_of(token)).key_id == site.key.id
    with pytest.raises(Unauthorized):
        await site.tokens.refresh(made.refresh)
    for wrong in (new.access, new.refresh[:-1], "pgr_", "pgr_ä", ""):
        with pytest.raises(Unauthorized):
            await site.tokens.refresh(wrong)
    for wrong in (new.refresh, site.key_text, SECRET):
        with pytest.raises(Unauthorized):
            await site.tokens.principal_of(wrong)


async def test_it_is_revoked_by_its_id(site: Site) -> None:
    by_secret, by_key = await site.by_secret(), await site.by_key("messages:send")
    key = await enter(site.accounts, site.key_text, None, scope="read")
    with pytest.raises(NotFound):
        await site.tokens.revoke(key, by_secret.token.id)
    await site.tokens.revoke(key, by_key.token.id)
    await site.tokens.revoke(await enter(site.accounts), by_secret.token.id)
    assert await site.ended(by_key)
    assert await site.ended(by_secret)


async def test_it_ends_with_its_credential(site: Site) -> None:
    by_secret, by_key = await site.by_secret(), await site.by_key("messages:send")
    await site.accounts.orgs.rotate("myorg", OTHER)
    assert await site.ended(by_secret)
    assert not await site.ended(by_key)
    await site.accounts.keys.revoke(site.org, site.key.id)
    assert await site.ended(by_key)


async def test_it_ends_with_its_org(site: Site) -> None:
    pairs = [await site.by_secret(), await site.by_key("messages:send")]
    await site.accounts.orgs.remove("myorg")
    assert [await site.ended(one) for one in pairs] == [True, True]


async def test_a_credential_has_so_many(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialect_tokens, "MOST_EACH", 2)
    of_key = await site.by_key("messages:send")
    first, *rest = [await site.by_secret() for _ in range(3)]
    assert await site.ended(first)
    assert not any([await site.ended(one) for one in (of_key, *rest)])


def test_every_grant_has_scopes_that_tokens_can_have() -> None:
    assert {scope for scopes in GRANTS.values() for scope in scopes} == scopes_of(["all:any"])


def test_a_credential_itself_lacks_no_grant() -> None:
    caller = Principal(org=1, org_name="myorg", scopes=("send",))
    require_grant(caller, "webhooks:write")
    with pytest.raises(Forbidden):
        require_grant(attrs.evolve(caller, grants=("messages:send",)), "webhooks:write")

import sys
from typing import Any

import attrs
import pytest
import trio

from phonegate.carriers.registry import check_credentials, unusable_credentials
from phonegate.config.settings import AssistantSettings
from phonegate.domain.assistant_form import MAX_NUMBERS
from phonegate.domain.assistants import Assistants, Change
from phonegate.domain.rate_limits import RateLimits
from phonegate.events.bus import Bus
from phonegate.model.assistants import Assistant
from phonegate.model.facts import AssistantChanged
from phonegate.model.refusals import (
    BadInput,
    Conflict,
    NotFound,
)
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.store.database import Database

NOW = 1_800_000_000_000
SID = "AC0123456789abcdef0123456789abcdef"
TOKEN = "0123456789abcdef-the-token"
TWILIO = {"account_sid": SID, "auth_token": TOKEN}
ONE, TWO, THREE = "+15551110001", "+15551110002", "+15551110003"


def now_ms() -> int:
    return NOW


@attrs.define
class Site:
    """Assistants of two orgs over the real store."""

    database: Database
    assistants: Assistants
    org: int
    other: int
    told: list[int] = attrs.field(factory=list)

    async def add(self, *numbers: str, **more: Any) -> Assistant:
        given: dict[str, Any] = {"name": "support", "provider": "twilio", "credentials": TWILIO}
        numbers = numbers or (ONE,)
        return await self.assistants.add(self.org, **(given | {"phone_numbers": numbers} | more))


def assistants_of(database: Database, bus: Bus, **more: Any) -> Assistants:
    return Assistants(
        database,
        check=check_credentials,
        unusable=unusable_credentials,
        now_ms=now_ms,
        rate_limits=RateLimits(),
        publish=bus.publish,
        **more,
    )


@pytest.fixture
async def site(database: Database, bus: Bus) -> Site:
    org = await database.write(lambda tx: tx.orgs.add("myorg", "hash", NOW))
    other = await database.write(lambda tx: tx.orgs.add("other", "hash", NOW))
    built = Site(database, assistants_of(database, bus), org.id, other.id)
    bus.subscribe(
        "test",
        lambda facts: built.told.extend(
            fact.assistant for fact in facts if isinstance(fact, AssistantChanged)
        ),
    )
    return built


def declared(name: str, *numbers: str, **more: Any) -> AssistantSettings:
    given: dict[str, Any] = {"org": "myorg", "provider": "twilio", "credentials": TWILIO}
    return AssistantSettings(name=name, phone_numbers=numbers, **(given | more))


def fields(caught: pytest.ExceptionInfo[BadInput]) -> list[str]:
    return [problem.field for problem in caught.value.problems]


async def test_one_is_made_found_and_removed(site: Site) -> None:
    made = await site.add(ONE, TWO)
    assert (made.org_name, made.name, made.provider) == ("myorg", "support", "twilio")
    assert made.phone_numbers == (ONE, TWO)
    assert (made.credentials, made.from_file, made.created_at) == (TWILIO, False, NOW)
    assert await site.assistants.get(site.org, made.id) == made
    assert await site.assistants.of_org(site.org) == [made]
    assert await site.assistants.by_number(site.org, TWO) == made
    assert await site.assistants.by_number(site.other, TWO) is None
    await site.assistants.remove(site.org, made.id)
    assert await site.assistants.of_org(site.org) == []
    assert site.told == [made.id]
    with pytest.raises(NotFound):
        await site.assistants.remove(site.org, made.id)


async def test_tokens_are_long_and_differ(site: Site) -> None:
    tokens = {(await site.add(number)).token for number in (ONE, TWO, THREE)}
    assert len(tokens) == 3
    assert all(len(token) >= 32 for token in tokens)


async def test_a_callback_address_needs_a_public_url_and_a_carrier(site: Site) -> None:
    twilio = await site.add(ONE)
    phone = await site.add(TWO, provider="phone", credentials={})
    assert site.assistants.callback_url(twilio) is None
    reached = Assistants(
        site.database,
        check=check_credentials,
        unusable=unusable_credentials,
        now_ms=now_ms,
        public_url="https://sms.example.org/",
        rate_limits=RateLimits(),
    )
    path = f"/callbacks/twilio/{twilio.id}/{twilio.token}"
    assert reached.callback_url(twilio) == f"https://sms.example.org{path}"
    assert reached.callback_url(phone) is None


async def test_everything_wrong_is_named_and_no_credential_shown(site: Site) -> None:
    with pytest.raises(BadInput) as caught:
        await site.add(
            "15551110001", ONE, ONE, name="", credentials={"auth_token": "a secret", "x": "y"}
        )
    assert fields(caught) == [
        "name",
        "phone_numbers[0]",
        "phone_numbers[2]",
        "credentials.x",
        "credentials.account_sid",
        "credentials.auth_token",
    ]
    assert "(3 more)" in caught.value.detail
    assert "a secret" not in str(caught.value.problems) + caught.value.detail
    assert await site.assistants.of_org(site.org) == []


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"name": "x" * 101}, "name"),
        ({"name": " "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"phone_numbers": ()}, "phone_numbers"),
        ({"phone_numbers": [f"+1555{n:07}" for n in range(MAX_NUMBERS + 1)]}, "phone_numbers"),
        ({"provider": "phone"}, "credentials"),
        ({"provider": "telnyx", "credentials": {}}, "credentials.api_key"),
    ],
)
async def test_a_wrong_form_is_refused(site: Site, more: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as caught:
        await site.add(**more)
    assert fields(caught) == [field]


async def test_a_number_belongs_to_one_assistant_of_an_org(site: Site) -> None:
    first = await site.add(ONE)
    with pytest.raises(Conflict, match=r"\+15551110001 belongs to another"):
        await site.add(TWO, ONE)
    assert await site.assistants.by_number(site.org, TWO) is None
    second = await site.add(TWO)
    with pytest.raises(Conflict, match=r"\+15551110001"):
        await site.assistants.change(site.org, second.id, Change(phone_numbers=(ONE,)))
    assert await site.assistants.get(site.org, second.id) == second
    theirs = await site.assistants.add(
        site.other, name="x", provider="twilio", phone_numbers=(ONE,), credentials=TWILIO
    )
    assert await site.assistants.by_number(site.org, ONE) == first
    assert await site.assistants.by_number(site.other, ONE) == theirs
    assert site.told == []


async def test_another_org_s_assistant_is_not_there(site: Site) -> None:
    made = await site.add()
    with pytest.raises(NotFound):
        await site.assistants.get(site.other, made.id)
    with pytest.raises(NotFound):
        await site.assistants.change(site.other, made.id, Change(name="x"))
    with pytest.raises(NotFound):
        await site.assistants.remove(site.other, made.id)
    assert await site.assistants.get(site.org, made.id) == made
    with pytest.raises(NotFound):
        await site.assistants.add(
            999, name="x", provider="twilio", phone_numbers=(TWO,), credentials=TWILIO
        )


async def test_a_change_touches_what_it_names(site: Site) -> None:
    made = await site.add(ONE, TWO)
    change = site.assistants.change
    named = await change(site.org, made.id, Change(name="sales"))
    assert named == attrs.evolve(made, name="sales")
    moved = await change(site.org, made.id, Change(phone_numbers=[TWO, THREE]))
    assert moved == attrs.evolve(named, phone_numbers=(TWO, THREE))
    assert await site.assistants.by_number(site.org, ONE) is None
    service = {"messaging_service_sid": "MG" + "0" * 32}
    more = await change(site.org, made.id, Change(credentials=service))
    assert more.credentials == TWILIO | service
    rotated = {"auth_token": "another-token", "messaging_service_sid": None}
    less = await change(site.org, made.id, Change(credentials=rotated))
    assert less.credentials == {"account_sid": SID, "auth_token": "another-token"}
    assert await change(site.org, made.id, Change(provider="twilio")) == less
    assert site.told == [made.id] * 5


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (Change(credentials={"auth_token": None}), "credentials.auth_token"),
        (Change(credentials={"auth_token": "…oken"}), "credentials.auth_token"),
        (Change(credentials={"api_key": "KEY0123456789"}), "credentials.api_key"),
        (Change(name=""), "name"),
        (Change(phone_numbers=[]), "phone_numbers"),
        (Change(provider="telnyx"), "provider"),
    ],
)
async def test_a_wrong_change_changes_nothing(site: Site, change: Change, field: str) -> None:
    made = await site.add()
    with pytest.raises(BadInput) as caught:
        await site.assistants.change(site.org, made.id, change)
    assert fields(caught) == [field]
    assert await site.assistants.get(site.org, made.id) == made
    assert site.told == []


async def test_a_change_is_seen_through_when_its_client_leaves(site: Site) -> None:
    made = await site.add()
    with trio.CancelScope() as scope:
        scope.cancel()
        await site.assistants.change(site.org, made.id, Change(name="sales"))
    assert site.told == [made.id]
    assert (await site.assistants.get(site.org, made.id)).name == "sales"


async def test_a_change_that_may_yet_be_written_is_told(
    site: Site, database: Database, bus: Bus
) -> None:
    made = await site.add()
    with pytest.raises(StorageUnavailable):
        await assistants_of(database, bus, change_deadline_s=0).remove(site.org, made.id)
    assert site.told == [made.id]


# What the configuration file declares


async def test_the_file_s_assistants_come_stay_and_go(site: Site) -> None:
    own = await site.add(THREE)
    wanted = [declared("support", ONE), declared("shop", TWO, provider="phone", credentials={})]
    await site.assistants.sync(wanted)
    first = await site.assistants.of_org(site.org)
    assert [(one.name, one.from_file) for one in first] == [
        ("support", False),
        ("support", True),
        ("shop", True),
    ]
    await site.assistants.sync(wanted)
    assert await site.assistants.of_org(site.org) == first
    assert site.told == []
    await site.assistants.sync([])
    assert await site.assistants.of_org(site.org) == [own]
    assert sorted(site.told) == [first[1].id, first[2].id]


async def test_a_declared_one_keeps_its_callback_address_through_changes(site: Site) -> None:
    await site.assistants.sync([declared("support", ONE, TWO)])
    (before,) = await site.assistants.of_org(site.org)
    new = {"account_sid": SID, "auth_token": "another-token"}
    await site.assistants.sync([declared("support", THREE, credentials=new)])
    (moved,) = await site.assistants.of_org(site.org)
    assert moved == attrs.evolve(before, phone_numbers=(THREE,), credentials=new)
    await site.assistants.sync([declared("sales", TWO, THREE)])
    (renamed,) = await site.assistants.of_org(site.org)
    assert (renamed.id, renamed.token, renamed.name) == (before.id, before.token, "sales")
    assert site.told == [before.id, before.id]


async def test_numbers_may_move_between_declared_ones(site: Site) -> None:
    await site.assistants.sync([declared("a", ONE), declared("b", TWO)])
    before = {one.name: one.id for one in await site.assistants.of_org(site.org)}
    await site.assistants.sync([declared("b", ONE), declared("a", TWO)])
    after = await site.assistants.of_org(site.org)
    assert {one.name: one.id for one in after} == before
    assert {one.name: one.phone_numbers for one in after} == {"a": (TWO,), "b": (ONE,)}


async def test_another_provider_is_another_assistant(site: Site) -> None:
    await site.assistants.sync([declared("support", ONE)])
    (before,) = await site.assistants.of_org(site.org)
    telnyx = {"provider": "telnyx", "credentials": {"api_key": "KEY0123456789"}}
    await site.assistants.sync([declared("support", ONE, **telnyx)])
    (after,) = await site.assistants.of_org(site.org)
    assert after.provider == "telnyx"
    assert after.id != before.id
    assert site.told == [before.id]


async def test_what_the_file_can_t_have_is_named_and_nothing_is_done(site: Site) -> None:
    await site.assistants.sync([declared("old", TWO)])
    await site.add(ONE)
    before = await site.assistants.of_org(site.org)
    with pytest.raises(BadInput) as caught:
        await site.assistants.sync(
            [
                declared("new", "+15551110009"),
                declared("support", ONE),
                declared("x", "+15551110008", org="nobody"),
                declared("y", "+15551110007", credentials={}),
            ]
        )
    assert await site.assistants.of_org(site.org) == before
    assert sorted(p.field.partition(":")[0] for p in caught.value.problems) == [
        "assistants[1] (support)",
        "assistants[2] (x)",
        "assistants[3] (y)",
        "assistants[3] (y)",
    ]
    assert "no org named nobody; add it with: phonegate org add nobody" in caught.value.detail
    assert site.told == []


async def test_declared_ones_are_changed_in_the_file_alone(site: Site) -> None:
    await site.assistants.sync([declared("support", ONE)])
    (one,) = await site.assistants.of_org(site.org)
    with pytest.raises(Conflict, match=r"\[\[assistants\]\] in the gateway's configuration file"):
        await site.assistants.change(site.org, one.id, Change(name="x"))
    with pytest.raises(Conflict, match="configuration file"):
        await site.assistants.remove(site.org, one.id)
    assert await site.assistants.of_org(site.org) == [one]


async def test_stored_signatures_that_can_t_be_checked_stop_the_start(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.add(ONE)
    keyed = {"api_key": "KEY0123456789", "public_key": "A" * 43 + "="}
    made = await site.add(TWO, provider="telnyx", credentials=keyed)
    await site.assistants.sync([])

    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(BadInput, match="needs the package cryptography") as caught:
        await site.assistants.sync([])
    assert fields(caught) == [f"assistant {made.id} of myorg: credentials.public_key"]

"""The rows of phones, as their connections find, name and give them up."""

import attrs
import pytest

from phonegate.domain.phone_registry import Introduction, PhoneRegistry, Start
from phonegate.domain.rate_limits import Bounds, RateLimits
from phonegate.model.phones import Health, Phone, Sim
from phonegate.model.refusals import OrgFull
from phonegate.store.database import Database

NUMBER = "+15551112222"


def registry_of(database: Database, bounds: Bounds | None = None) -> PhoneRegistry:
    return PhoneRegistry(database, lambda: 1_000, RateLimits(bounds or Bounds()))


async def org_of(database: Database) -> int:
    return (await database.write(lambda tx: tx.orgs.add("myorg", "hash", 1))).id


def named(device_id: str | None, plain: str | None = None) -> Introduction:
    plain = device_id if plain is None else plain
    return Introduction(device_id=device_id, plain_device_id=plain, name="Front desk")


async def begin(
    registry: PhoneRegistry, org: int, phone: Introduction, key: str | None = None, **rows: int
) -> Start:
    start = await registry.start(
        org, phone, key=key, free=rows.get("free"), likely=rows.get("likely")
    )
    assert start is not None
    return start


async def row_of(database: Database, phone: int) -> Phone | None:
    return await database.read(lambda tx: tx.phones.get(phone))


async def test_a_named_phone_begins_on_its_row(database: Database) -> None:
    registry, org = registry_of(database), await org_of(database)
    first = await begin(registry, org, named("a b"))
    assert (first.row.device_id, first.row.name, first.is_new) == ("a b", "Front desk", False)
    assert (await begin(registry, org, named("a b", "a+b"))).row.id == first.row.id
    assert await registry.start(org + 1, named("a"), key=None, free=None, likely=None) is None


async def test_a_phone_that_is_known_with_a_plus_keeps_it(database: Database) -> None:
    registry, org = registry_of(database), await org_of(database)
    first = await begin(registry, org, named("a+b"))
    again = await begin(registry, org, named("a b", "a+b"))
    assert (again.row.id, again.row.device_id) == (first.row.id, "a+b")


async def test_an_unnamed_phone_is_paced_by_the_likely_one_and_may_be_known(
    database: Database,
) -> None:
    registry, org = registry_of(database), await org_of(database)
    likely = (await begin(registry, org, named(None))).row.id
    sim = Sim(slot=0, number=NUMBER)
    assert (await registry.report_sims(org, likely, [sim])).losers == set()
    start = await begin(registry, org, named(None), likely=likely)
    assert start.row.id != likely
    assert (start.is_new, start.in_doubt, start.has_unacknowledged) == (True, True, False)
    assert start.usual_sim is not None
    assert start.usual_sim.number == NUMBER
    assert await registry.known_by(org, [sim]) == (likely, [likely])
    # The number is the other's now, and so the likely row goes.
    assert (await registry.report_sims(org, start.row.id, [sim])).losers == {likely}
    await registry.forget(org, [likely])
    assert await row_of(database, likely) is None


async def test_a_name_moves_a_phone_to_its_row_or_becomes_its_row(database: Database) -> None:
    registry, org = registry_of(database), await org_of(database)
    row = (await begin(registry, org, named(None))).row.id
    sims = [Sim(slot=0)]
    await registry.report_sims(org, row, sims)
    assert await registry.name(org, row, "a", own=True, ids=None, sims=sims) == row
    other = (await begin(registry, org, named(None))).row.id
    await registry.report_sims(org, other, sims)
    assert await registry.name(org, other, "a", own=True, ids=None, sims=sims) == row
    known = await database.read(lambda tx: tx.phones.known_sims(org))
    assert [sim.phone for sim in known] == [row]


async def test_an_org_that_is_full_is_counted_and_says_so(database: Database) -> None:
    limits = RateLimits(Bounds(org_phones=1, org_sims=1))
    registry, org = PhoneRegistry(database, lambda: 1_000, limits), await org_of(database)
    row = (await begin(registry, org, named("a"))).row.id
    with pytest.raises(OrgFull):
        await begin(registry, org, named("b"))
    with pytest.raises(OrgFull):
        await registry.report_sims(org, row, [Sim(slot=0), Sim(slot=1)])
    assert (limits.refused["org_phones"], limits.refused["org_sims"]) == (1, 1)


async def test_the_key_by_which_a_phone_came_follows_it_to_its_row(database: Database) -> None:
    registry, org = registry_of(database), await org_of(database)

    async def key_of(phone: int) -> str | None:
        row = await row_of(database, phone)
        assert row is not None
        return row.key

    known = (await begin(registry, org, named("a"), key="k1")).row.id
    assert await key_of(known) == "k1"
    unnamed = (await begin(registry, org, named(None), key="k2")).row.id
    assert await registry.name(org, unnamed, "a", own=False, ids=None, sims=[]) == known
    assert (await key_of(known), await key_of(unnamed)) == ("k2", None)
    unnamed = (await begin(registry, org, named(None), key="k2")).row.id
    numbered = await registry.recognise(
        org, unnamed, [Sim(slot=0, number=NUMBER)], known=None, ids=None
    )
    assert (await key_of(numbered), await key_of(unnamed)) == ("k2", None)
    # By the org's secret it comes without one.
    await begin(registry, org, attrs.evolve(named("a"), kind="smsgate"))
    assert await key_of(known) is None
    row = await row_of(database, known)
    assert row is not None
    assert row.kind == "smsgate"


async def test_a_phone_is_not_known_by_a_number_that_its_owner_gave(database: Database) -> None:
    registry, org = registry_of(database), await org_of(database)
    row = (await begin(registry, org, named(None))).row.id
    await registry.report_sims(org, row, [Sim(slot=0)])
    await database.write(lambda tx: tx.phones.give_number(org, row, 0, NUMBER))
    sims = (await registry.report_sims(org, row, [Sim(slot=0)])).sims
    assert [(sim.number, sim.given) for sim in sims] == [(NUMBER, True)]
    # Another phone that has the number may not take its row, only the number.
    assert await registry.known_by(org, [Sim(slot=0, number=NUMBER)]) == (None, [row])


async def test_a_phone_that_was_forgotten_meanwhile_begins_on_no_row(database: Database) -> None:
    registry, org = registry_of(database), await org_of(database)
    known = attrs.evolve(named("a"), row=(await begin(registry, org, named("a"))).row.id)
    assert (await begin(registry, org, known)).row.id == known.row
    await database.write(lambda tx: tx.phones.remove(org, known.row or 0))
    assert await registry.start(org, known, key=None, free=None, likely=None) is None
    assert await database.read(lambda tx: tx.phones.of_org(org)) == []


async def test_how_a_phone_was_is_noted_with_its_end(database: Database) -> None:
    registry, org = registry_of(database), await org_of(database)
    row = (await begin(registry, org, named("a"))).row.id
    await registry.seen(row, Health(battery=5))
    await registry.seen(row)
    found = await row_of(database, row)
    assert found is not None
    assert (found.health, found.health_at) == (Health(battery=5), 1_000)

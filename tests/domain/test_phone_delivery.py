"""What a connected phone reads and reports, each step as one transaction."""

import attrs
import trio

from phonegate.domain.delivery import Pick, Policy
from phonegate.domain.inbox import Received, SourceLink
from phonegate.domain.phone_delivery import PhoneDelivery, PhoneReports, Reporter
from phonegate.domain.rate_limits import RateLimits
from phonegate.model.media import Part
from phonegate.model.messages import PageQuery, Queue
from phonegate.model.phones import Sim
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.store.conftest import outbound

NUMBER = "+15551112222"


def delivery_of(database: Database) -> PhoneDelivery:
    return PhoneDelivery(database, lambda: 1_000, Policy(), RateLimits())


async def scene(database: Database) -> tuple[int, int, int]:
    """An org with two named phones."""

    def build(tx: Tables) -> tuple[int, int, int]:
        org = tx.orgs.add("myorg", "hash", 1).id
        return org, tx.phones.connect(org, "a", 1).id, tx.phones.connect(org, "b", 1).id

    return await database.write(build)


async def add(database: Database, org: int, **fields: object) -> int:
    return await database.write(lambda tx: tx.messages.insert(outbound(org, "hi", **fields)))


async def test_what_waits_comes_in_the_order_in_which_it_leaves(database: Database) -> None:
    org, phone, _ = await scene(database)
    delivery = delivery_of(database)
    by_number = await add(database, org, sim_selector=NUMBER)
    by_slot = await add(database, org, sim_selector="0", phone=phone)
    urgent = await add(database, org, sim_selector="0", phone=phone, priority=5)
    queues = {"sim": [Queue(phone, "0"), Queue(None, NUMBER)], "other": [Queue(None, "7")]}
    waiting = await delivery.waiting(org, queues, 10)
    assert [one.id for one in waiting["sim"].candidates] == [urgent, by_number, by_slot]
    assert (waiting["sim"].is_cut, waiting["other"].candidates) == (False, ())
    assert (await delivery.waiting(org, queues, 2))["sim"].is_cut
    assert (await delivery.waiting(org, {"none": []}, 2))["none"].candidates == ()


async def test_what_is_leased_is_given_once_and_again_to_a_phone_that_returns(
    database: Database,
) -> None:
    org, phone, other = await scene(database)
    delivery = delivery_of(database)
    message = await add(database, org)
    picks = [Pick(id=message, sim_slot=0, sim=NUMBER)]
    assert [one.id for one in await delivery.lease(phone, picks)] == [message]
    assert await delivery.lease(other, picks) == []
    sims = [Sim(slot=0, number=NUMBER)]
    again = await delivery.resume(phone, acks=True, in_flight=[], sims=sims)
    assert [one.id for one in again] == [message]
    assert await delivery.resume(phone, acks=True, in_flight=[message], sims=sims) == []
    await delivery.move(phone, other, [message])
    (moved,) = await delivery.resume(other, acks=True, in_flight=[], sims=sims)
    assert moved.id == message


async def test_a_report_is_recorded_or_says_whose_it_would_be(database: Database) -> None:
    org, phone, other = await scene(database)
    delivery = delivery_of(database)
    message = await add(database, org, on_uncertain="resend")
    queued = await add(database, org)
    await delivery.lease(phone, [Pick(id=message, sim_slot=None, sim=None)])

    def uncertain(tx: PhoneReports) -> object:
        return tx.result(message, success=False, error=None, segments=None, uncertain=True)

    async def said(by: int, what: object) -> object:
        return await delivery.report(Reporter(org=org, phone=by), what, patient=False)  # type: ignore[arg-type]

    assert await said(other, lambda tx: tx.acknowledge(message)) == "not_yours"
    assert await said(phone, lambda tx: tx.acknowledge(4711)) == "unknown"
    assert await said(phone, lambda tx: tx.acknowledge(queued)) == "unknown"
    assert await said(phone, lambda tx: tx.acknowledge(message)) == "recorded"
    assert await said(phone, uncertain) == "recorded"


async def test_texts_of_phones_that_come_at_once_are_stored_once_for_each(
    database: Database,
) -> None:
    org, *phones = await scene(database)
    delivery = delivery_of(database)
    reporters = [Reporter(org=org, phone=one) for one in phones]
    texts = [Received(address="+1555", body=f"text {n}", date=n) for n in range(1, 4)]
    found: dict[int, list[tuple[int, ...]]] = {one: [] for one in phones}

    async def report(reporter: Reporter) -> None:
        found[reporter.phone].append(await delivery.receive(reporter, [texts[:1], texts[1:]]))

    async with trio.open_nursery() as nursery:
        for reporter in [*reporters, *reporters]:
            nursery.start_soon(report, reporter)
    stored = await database.read(lambda tx: tx.messages.page(org, PageQuery()))
    for phone in phones:
        first, again = found[phone]
        assert first == again
        mine = {one.id: one.body for one in stored if one.phone == phone}
        assert [mine[id_] for id_ in first] == [one.body for one in texts]
    assert len(stored) == 6


def test_texts_of_a_phone_in_doubt_or_with_parts_take_no_company() -> None:
    text = Received(address="+1555", body="text", date=1)
    known = Reporter(org=1, phone=1)
    assert known.takes_company([[text]])
    assert not attrs.evolve(known, link=SourceLink("link", True)).takes_company([[text]])
    assert not known.takes_company([[text], [attrs.evolve(text, mms="7")]])
    parts = (Part(content_type="image/png", name=None, data=b"x"),)
    assert not known.takes_company([[attrs.evolve(text, parts=parts)]])

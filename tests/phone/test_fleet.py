from random import Random

import attrs
import pytest
import trio

from phonegate.phone.address import Address
from phonegate.phone.errors import CredentialsRefused
from phonegate.phone.fleet import Fleet, identities
from phonegate.phone.program import State
from phonegate.phone.radios.radio import SimCard
from phonegate.phone.radios.simulated import RadioMemory
from phonegate.phone.simulated_faults import Plan
from tests.patience import PATIENCE_S
from tests.phone.gateway import SECRET, Gateway, Order

QUICK = Plan(reconnect_s=(0, 0.01), confirm_every_s=0.01)


def make(gateway: Gateway, phones: int, **more: object) -> Fleet:
    address = Address.parse(gateway.url, "myorg", SECRET)
    return Fleet(address, identities(phones, Random(1)), plan=QUICK, **more)  # type: ignore[arg-type]


def test_identities_are_distinct_and_follow_from_the_seed() -> None:
    many = identities(2000, Random(3))
    assert many == identities(2000, Random(3))
    assert many[0].device_id == "sim-0001"
    assert many[1999].device_id == "sim-2000"
    assert len({one.sims[0].number for one in many}) == 2000
    assert all(len(one.sims[0].number or "") == 12 for one in many)
    assert many[0].sims != identities(1, Random(4))[0].sims


def test_a_single_phone_may_have_sims_of_its_own() -> None:
    sims = (SimCard(slot=1, number="+1"),)
    assert identities(1, Random(0), prefix="me", sims=sims)[0].sims == sims
    assert identities(1, Random(0), prefix="me")[0].device_id == "me-0001"


async def test_phones_send_side_by_side(gateway: Gateway, nursery: trio.Nursery) -> None:
    radio = RadioMemory()
    fleet = make(gateway, 40, radio=radio)
    orders = [gateway.order(Order(n, "+1555", f"text {n}"), f"sim-{n:04d}") for n in range(1, 41)]
    with trio.fail_after(PATIENCE_S):
        await nursery.start(fleet.run)
    assert all(simulated_phone.state is State.ONLINE for simulated_phone in fleet.simulated_phones)
    await gateway.settled(orders)
    assert {sms.phone: sms.id for sms in radio.sent} == {f"sim-{n:04d}": n for n in range(1, 41)}
    summary = fleet.summary()
    assert summary["phones"] == summary["links"] == summary["radioed"] == 40
    assert summary["failed"] == 0


async def test_wrong_credentials_stop_all(gateway: Gateway) -> None:
    gateway.refuse.extend([(401, b"", {})] * 3)
    with pytest.raises(CredentialsRefused):
        await make(gateway, 3).run()


async def test_wrong_credentials_reach_whoever_starts_it(gateway: Gateway) -> None:
    gateway.refuse.extend([(401, b"", {})] * 3)
    with pytest.RaisesGroup(CredentialsRefused):
        async with trio.open_nursery() as phones:
            await phones.start(make(gateway, 3).run)


async def test_a_refused_phone_leaves_the_others_alone(
    gateway: Gateway, nursery: trio.Nursery
) -> None:
    gateway.refuse.append((404, b"", {}))
    fleet = make(gateway, 3)
    with trio.fail_after(PATIENCE_S):
        await nursery.start(fleet.run)
    states = sorted(simulated_phone.state.value for simulated_phone in fleet.simulated_phones)
    assert states == ["online", "online", "stopped"]
    assert [refusal.code for refusal in fleet.refusals] == [404]


async def test_it_ends_when_every_phone_was_replaced(gateway: Gateway) -> None:
    fleet = make(gateway, 2)
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as phones:
            await phones.start(fleet.run)
            for peer in list(gateway.peers):
                await peer.websocket.aclose(4000)
    assert {simulated_phone.state for simulated_phone in fleet.simulated_phones} == {State.REPLACED}


async def test_no_phones_are_ready_at_once(gateway: Gateway) -> None:
    with trio.fail_after(PATIENCE_S):
        await make(gateway, 0).run()


async def test_phones_draw_from_sources_of_their_own(gateway: Gateway) -> None:
    address = Address.parse(gateway.url, "myorg", SECRET)
    plan = attrs.evolve(QUICK, fail=0.5)
    stories = []
    for order in (1, -1):
        gateway.orders.clear()
        fleet = Fleet(address, identities(2, Random(1)), plan=plan, rng=Random(2))
        names = [simulated_phone.identity.device_id for simulated_phone in fleet.simulated_phones]
        for name in names:
            gateway.orders_of(12, name)
        async with trio.open_nursery() as phones:
            # Whichever connects first, each phone has the same luck.
            for simulated_phone in fleet.simulated_phones[::order]:
                await phones.start(simulated_phone.run)
                await gateway.settled(gateway.orders[simulated_phone.identity.device_id].values())
            phones.cancel_scope.cancel()
        stories.append(
            {
                name: [one.results[0]["success"] for one in gateway.orders[name].values()]
                for name in names
            }
        )
    assert stories[0] == stories[1]
    assert stories[0][names[0]] != stories[0][names[1]]

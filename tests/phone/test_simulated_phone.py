from collections import Counter
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from phonegate.phone.address import Address
from phonegate.phone.errors import CredentialsRefused, LinkRefused
from phonegate.phone.journal import Journal, JournalFile
from phonegate.phone.program import State
from phonegate.phone.radios.radio import SimCard
from phonegate.phone.radios.simulated import Identity, RadioMemory
from phonegate.phone.records import Handed, Taken
from phonegate.phone.simulated_faults import Dice, Plan
from phonegate.phone.simulated_phone import SimulatedPhone, run_phone
from tests.patience import PATIENCE_S
from tests.phone.gateway import SECRET, Gateway, Order

SIMS = (
    SimCard(slot=0, number="+15550000001", carrier="A"),
    SimCard(slot=1, number="+15550000002"),
)
ME = Identity(device_id="sim-0001", name="Test phone", sims=SIMS)
QUICK = Plan(reconnect_s=(0, 0.01), confirm_every_s=0.01)


def make(gateway: Gateway, plan: Plan = QUICK, **more: Any) -> SimulatedPhone:
    more.setdefault("identity", ME)
    return SimulatedPhone(Address.parse(gateway.url, "myorg", SECRET), plan=plan, **more)


async def start(nursery: trio.Nursery, simulated_phone: SimulatedPhone) -> RadioMemory:
    with trio.fail_after(PATIENCE_S):
        await nursery.start(simulated_phone.run)
    radio = simulated_phone.radio
    assert isinstance(radio, RadioMemory)
    return radio


async def until(simulated_phone: SimulatedPhone, condition: Any) -> None:
    with trio.fail_after(PATIENCE_S):
        await simulated_phone.until(condition)


async def test_run_phone_is_ready_once_connected(gateway: Gateway, nursery: trio.Nursery) -> None:
    simulated_phone: SimulatedPhone = await nursery.start(
        partial(run_phone, gateway.url, "myorg", SECRET, plan=QUICK)
    )
    assert simulated_phone.state is State.ONLINE
    assert simulated_phone.stats.links == 1
    await gateway.until(lambda: len(gateway.peers[0].frames) == 2)
    hello, sims = gateway.peers[0].frames
    assert hello == {
        "type": "hello",
        "device_id": "sim-0001",
        "name": "Simulated phone 1",
        "model": "simulated",
        "app": "phonegate phone",
        "features": ["ack", "cancel"],
    }
    assert sims == {
        "type": "sims",
        "sims": [{"slot": 0, "number": "+15550000001", "carrier": "Simulated"}],
    }


async def test_an_sms_is_acked_then_sent_then_reported(
    gateway: Gateway, nursery: trio.Nursery
) -> None:
    order = gateway.order(Order(5, "+15553334444", "hi", "+15550000002"))
    simulated_phone = make(gateway)
    radio = await start(nursery, simulated_phone)
    await gateway.until(lambda: order.settled)
    assert gateway.peers[0].kinds()[2:4] == ["ack", "send_result"]
    assert order.results == [{"type": "send_result", "id": 5, "success": True, "segments": 1}]
    sms = radio.sent[0]
    assert (sms.id, sms.to, sms.body, sms.sim) == (5, "+15553334444", "hi", "+15550000002")
    assert simulated_phone.stats.received == simulated_phone.stats.radioed == 1


async def test_a_repeated_push_is_answered_again_and_not_sent_again(
    gateway: Gateway, nursery: trio.Nursery
) -> None:
    order = gateway.order(Order(5, "+1555", "hi"))
    simulated_phone = make(gateway)
    radio = await start(nursery, simulated_phone)
    await gateway.until(lambda: order.settled)
    await gateway.push(gateway.peers[0], order)
    await gateway.until(lambda: len(order.results) == 2)
    assert gateway.peers[0].kinds().count("ack") == 1
    assert order.results[0] == order.results[1]
    assert len(radio.sent) == 1
    assert simulated_phone.stats.repeats == 1


async def test_a_sim_that_the_phone_lacks_fails(gateway: Gateway, nursery: trio.Nursery) -> None:
    order = gateway.order(Order(5, "+1555", "hi", sim="+19990000000"))
    radio = await start(nursery, make(gateway))
    await gateway.until(lambda: order.settled)
    assert order.results[0]["error"] == "RESULT_NO_SUCH_SIM"
    assert radio.sent == []


async def test_what_is_past_its_time_is_not_sent(gateway: Gateway, nursery: trio.Nursery) -> None:
    times = (None, 999, 1_000, 1_001)
    orders = [
        gateway.order(Order(one, "+15550001", "hi", expires_at=time))
        for one, time in enumerate(times, start=1)
    ]
    simulated_phone = make(gateway, now_ms=lambda: 1_000)
    radio = await start(nursery, simulated_phone)
    await gateway.settled(orders)
    assert [sent.id for sent in radio.sent] == [1, 4]
    errors = [order.results[0].get("error") for order in orders]
    assert errors == [None, "RESULT_TOO_LATE", "RESULT_TOO_LATE", None]


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "send_sms"},
        {"type": "send_sms", "id": True, "to": "+1", "body": "x"},
        {"type": "send_sms", "id": "5", "to": "+1", "body": "x"},
        {"type": "send_sms", "id": 5, "to": 1, "body": "x"},
        {"type": "send_sms", "id": 5, "to": "+1", "body": None},
        {"type": "cancel", "id": "x"},
        {"type": "cancel"},
        {"type": "inbound_ack", "ids": 3},
        {"type": "inbound_ack", "ids": [None, {}]},
        {"type": "pong"},
        {"type": ["x"]},
        {"type": "news"},
        {},
    ],
)
async def test_odd_frames_do_no_harm(
    gateway: Gateway, nursery: trio.Nursery, frame: dict[str, Any]
) -> None:
    simulated_phone = make(gateway)
    await start(nursery, simulated_phone)
    await gateway.peers[0].send(frame)
    order = gateway.order(Order(6, "+1555", "hi"))
    await gateway.push(gateway.peers[0], order)
    await gateway.until(lambda: order.settled)
    assert simulated_phone.stats.received == 1
    assert simulated_phone.stats.links == 1


async def test_radio_errors_are_results(gateway: Gateway, nursery: trio.Nursery) -> None:
    orders = gateway.orders_of(5)
    simulated_phone = make(gateway, attrs.evolve(QUICK, fail=1))
    radio = await start(nursery, simulated_phone)
    await gateway.settled(orders)
    assert all(order.results[0]["error"].startswith("RESULT_") for order in orders)
    assert not any(order.results[0]["success"] for order in orders)
    assert radio.sent == []
    assert simulated_phone.stats.failed == 5


async def test_the_radio_takes_its_time(gateway: Gateway, nursery: trio.Nursery) -> None:
    orders = gateway.orders_of(3)
    simulated_phone = make(gateway, attrs.evolve(QUICK, delay_ms=(20, 30)))
    begun = trio.current_time()
    await start(nursery, simulated_phone)
    await gateway.settled(orders)
    assert trio.current_time() - begun >= 0.06


async def test_repeats_are_sent_twice(gateway: Gateway, nursery: trio.Nursery) -> None:
    order = gateway.order(Order(5, "+1555", "hi"))
    radio = await start(nursery, make(gateway, attrs.evolve(QUICK, repeat=1)))
    await gateway.until(lambda: len(order.results) == 2)
    assert gateway.peers[0].kinds().count("ack") == 2
    assert len(radio.sent) == 1


async def test_results_come_in_another_order(gateway: Gateway, nursery: trio.Nursery) -> None:
    orders = gateway.orders_of(10)
    await start(nursery, make(gateway, attrs.evolve(QUICK, reorder=0.5)))
    await gateway.settled(orders)
    told = [frame["id"] for frame in gateway.peers[0].frames if frame["type"] == "send_result"]
    assert told != sorted(told)
    assert sorted(told) == list(range(1, 11))


async def test_the_last_held_result_is_not_held_for_ever(
    gateway: Gateway, nursery: trio.Nursery
) -> None:
    order = gateway.order(Order(5, "+1555", "hi"))
    await start(nursery, make(gateway, attrs.evolve(QUICK, reorder=1)))
    await gateway.until(lambda: order.settled)


async def test_a_lost_result_comes_with_the_next_link(
    gateway: Gateway, nursery: trio.Nursery
) -> None:
    order = gateway.order(Order(5, "+1555", "hi"))
    simulated_phone = make(gateway, attrs.evolve(QUICK, lose_results=1))
    radio = await start(nursery, simulated_phone)
    await until(simulated_phone, lambda phone: phone.journal.ledger.unreported())
    assert not order.settled
    simulated_phone.lose_link()
    await gateway.until(lambda: order.settled)
    assert len(gateway.peers) == 2
    assert order.pushes == 1
    assert len(radio.sent) == 1


async def test_a_vanished_result_never_comes(gateway: Gateway, nursery: trio.Nursery) -> None:
    order = gateway.order(Order(5, "+1555", "hi"))
    simulated_phone = make(gateway, attrs.evolve(QUICK, vanish=1, delivery_reports=True))
    radio = await start(nursery, simulated_phone)
    await until(simulated_phone, lambda phone: phone.journal.ledger.result(5))
    await gateway.push(gateway.peers[0], order)
    await gateway.until(lambda: gateway.peers[0].kinds().count("ack") == 2)
    simulated_phone.lose_link()
    await gateway.until(lambda: len(gateway.peers) == 2 and len(gateway.peers[1].frames) == 2)
    assert not order.settled
    assert order.delivered == 0
    assert len(radio.sent) == 1


async def test_a_result_is_confirmed_by_the_pong_after_it(
    gateway: Gateway, nursery: trio.Nursery
) -> None:
    order = gateway.order(Order(5, "+1555", "hi"))
    simulated_phone = make(gateway, attrs.evolve(QUICK, delivery_reports=True))
    await start(nursery, simulated_phone)
    await until(simulated_phone, lambda phone: phone.journal.ledger.result(5))
    await until(
        simulated_phone,
        lambda phone: (
            not phone.journal.ledger.unreported() and not phone.journal.ledger.delivery(5)
        ),
    )
    simulated_phone.lose_link()
    await gateway.until(lambda: len(gateway.peers) == 2 and len(gateway.peers[1].frames) == 2)
    assert len(order.results) == 1
    assert order.delivered == 1


async def test_without_a_pong_a_result_is_told_again(
    gateway: Gateway, nursery: trio.Nursery
) -> None:
    gateway.pong = False
    order = gateway.order(Order(5, "+1555", "hi"))
    simulated_phone = make(gateway, attrs.evolve(QUICK, delivery_reports=True))
    await start(nursery, simulated_phone)
    await gateway.until(lambda: order.delivered == 1)
    simulated_phone.lose_link(reset=True)
    await gateway.until(lambda: order.delivered == 2)
    assert len(order.results) == 2


@pytest.mark.parametrize("seed", range(6))
async def test_a_crash_ends_in_a_result_or_uncertain(
    gateway: Gateway, nursery: trio.Nursery, seed: int
) -> None:
    orders = gateway.orders_of(12)
    simulated_phone = make(gateway, attrs.evolve(QUICK, crash=0.6), rng=Random(seed))
    radio = await start(nursery, simulated_phone)
    await gateway.settled(orders)
    times = Counter(sms.id for sms in radio.sent)
    assert max(times.values()) == 1
    for order in orders:
        result = order.results[0]
        assert result["success"] or result["uncertain"]
        if result["success"]:
            assert times[order.id] == 1
    assert simulated_phone.stats.crashes >= simulated_phone.stats.uncertain > 0


async def test_what_was_taken_before_a_death_goes_out_after_it(
    gateway: Gateway, nursery: trio.Nursery
) -> None:
    orders = gateway.orders_of(3)
    simulated_phone = make(gateway, attrs.evolve(QUICK, delay_ms=(50, 50)))
    radio = await start(nursery, simulated_phone)
    await until(simulated_phone, lambda phone: phone.stats.received == 3)
    simulated_phone.die()
    await gateway.settled(orders)
    assert sorted(sms.id for sms in radio.sent) == [1, 2, 3]
    assert all(order.results[0]["success"] for order in orders)


async def test_a_journal_file_outlives_the_program(
    gateway: Gateway, nursery: trio.Nursery, tmp_path: Path
) -> None:
    gateway.again = False
    orders = gateway.orders_of(3)
    with JournalFile(tmp_path / "j") as file:
        killed = file.journal("sim-0001")
        killed.record(Taken(id=1, to="+1", body="x"))
        killed.record(Handed(id=1))
        killed.record(Taken(id=2, to="+2", body="y"))
    with JournalFile(tmp_path / "j") as file:
        async with trio.open_nursery() as phones:
            radio = await start(phones, make(gateway, journal=file.journal("sim-0001")))
            await gateway.until(lambda: orders[0].settled and orders[1].settled)
            phones.cancel_scope.cancel()
    assert orders[0].results[0]["uncertain"]
    assert orders[1].results[0]["success"]
    assert [(sms.id, sms.body) for sms in radio.sent] == [(2, "y")]


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_happens_once_over_the_air_and_a_word_in_the_end(
    gateway: Gateway, nursery: trio.Nursery, seed: int
) -> None:
    orders = gateway.orders_of(15)
    plan = attrs.evolve(
        QUICK,
        lose_links=0.08,
        fail=0.1,
        repeat=0.2,
        reorder=0.2,
        crash=0.1,
        delay_ms=(0, 2),
        reply=True,
        delivery_reports=True,
    )
    simulated_phone = make(gateway, plan, rng=Random(seed))
    radio = await start(nursery, simulated_phone)
    await gateway.settled(orders)
    times = Counter(sms.id for sms in radio.sent)
    assert max(times.values()) == 1
    for order in orders:
        assert len({str(result) for result in order.results}) == 1
        if order.results[0]["success"]:
            assert times[order.id] == 1
    await gateway.until(lambda: simulated_phone.journal.ledger.unacked_count == 0)
    sent = {f"echo: {order.body}" for order in orders if order.results[0]["success"]}
    assert {message["body"] for message in gateway.inbound.values()} == sent
    assert simulated_phone.stats.cuts > 0


async def test_a_cancel_is_obeyed_before_the_radio(gateway: Gateway, nursery: trio.Nursery) -> None:
    orders = gateway.orders_of(3)
    simulated_phone = make(gateway, attrs.evolve(QUICK, delay_ms=(50, 50)))
    radio = await start(nursery, simulated_phone)
    await until(simulated_phone, lambda phone: phone.stats.received == 3)
    await gateway.peers[0].send({"type": "cancel", "id": 2})
    await gateway.settled(orders)
    assert orders[1].results == [
        {"type": "send_result", "id": 2, "success": False, "error": "cancelled"}
    ]
    assert [sms.id for sms in radio.sent] == [1, 3]


async def test_an_inbound_sms_is_sent_until_acked(gateway: Gateway, nursery: trio.Nursery) -> None:
    gateway.ack_inbound = False
    simulated_phone = make(gateway, now_ms=lambda: 1700000000000)
    await start(nursery, simulated_phone)
    name = simulated_phone.receive_sms("+15551112222", "hello", sim_slot=1)
    await gateway.until(lambda: gateway.inbound_frames == 1)
    assert gateway.inbound["sim-0001", name] == {
        "id": name,
        "address": "+15551112222",
        "body": "hello",
        "date": 1700000000000,
        "sim_slot": 1,
    }
    gateway.ack_inbound = True
    simulated_phone.lose_link()
    await until(simulated_phone, lambda phone: phone.stats.inbound_acked == 1)
    assert gateway.inbound_frames == 2
    simulated_phone.lose_link()
    await gateway.until(lambda: len(gateway.peers) == 3 and len(gateway.peers[2].frames) == 2)
    assert gateway.inbound_frames == 2


async def test_inbound_sms_go_in_a_window(gateway: Gateway, nursery: trio.Nursery) -> None:
    gateway.ack_inbound = False
    simulated_phone = make(gateway)
    await start(nursery, simulated_phone)
    names = [simulated_phone.receive_sms("+1555", str(n)) for n in range(130)]
    await gateway.until(lambda: gateway.inbound_frames >= 50)
    await wait_all_tasks_blocked(0.02)
    assert gateway.inbound_frames == 50
    gateway.ack_inbound = True
    await gateway.peers[0].send({"type": "inbound_ack", "ids": names[:50], "message_id": 1})
    await until(simulated_phone, lambda phone: phone.stats.inbound_acked == 130)
    assert gateway.inbound_frames == 130


async def test_mail_comes_by_itself(gateway: Gateway, nursery: trio.Nursery) -> None:
    simulated_phone = make(gateway, attrs.evolve(QUICK, inbound_every_s=0.01))
    await start(nursery, simulated_phone)
    await until(simulated_phone, lambda phone: phone.stats.inbound_acked >= 3)


async def test_battery(gateway: Gateway, nursery: trio.Nursery) -> None:
    simulated_phone = make(gateway, attrs.evolve(QUICK, battery=True))
    await start(nursery, simulated_phone)
    await gateway.until(lambda: "status" in gateway.peers[0].kinds())
    status = gateway.peers[0].frames[2]
    assert 1 <= status["battery"] <= 100
    assert status["charging"] is False


async def test_the_basic_protocol_has_five_frames(gateway: Gateway, nursery: trio.Nursery) -> None:
    order = gateway.order(Order(5, "+1555", "hi"), None)
    plan = attrs.evolve(
        QUICK, protocol="basic", reply=True, battery=True, delivery_reports=True, repeat=1
    )
    simulated_phone = make(gateway, plan, now_ms=lambda: 7)
    radio = await start(nursery, simulated_phone)
    await gateway.until(lambda: len(order.results) == 2 and gateway.inbound_frames == 1)
    peer = gateway.peers[0]
    assert peer.query == {"org_id": "myorg"}
    assert peer.frames[0]["type"] == "sims"
    assert set(peer.kinds()) == {"sims", "send_result", "inbound"}
    assert order.results[0] == {"type": "send_result", "id": 5, "success": True}
    assert list(gateway.inbound.values()) == [{"address": "+1555", "body": "echo: hi", "date": 7}]
    await gateway.push(peer, order)
    await gateway.until(lambda: len(order.results) == 3)
    assert len(radio.sent) == 1
    simulated_phone.lose_link()
    # Nothing of this protocol said that they arrived.
    await gateway.until(lambda: len(order.results) == 4 and gateway.inbound_frames == 2)


async def test_a_phone_of_the_basic_protocol_forgets_what_long_arrived(
    gateway: Gateway, nursery: trio.Nursery
) -> None:
    orders = gateway.orders_of(210, None)
    simulated_phone = make(gateway, attrs.evolve(QUICK, protocol="basic"))
    await start(nursery, simulated_phone)
    await gateway.settled(orders)
    for n in range(210):
        simulated_phone.receive_sms("+1555", str(n))
    await gateway.until(lambda: gateway.inbound_frames == 210)
    assert len(simulated_phone.journal.ledger.unreported()) == 200
    await until(simulated_phone, lambda phone: phone.journal.ledger.unacked_count == 200)


async def test_a_crash_in_the_basic_protocol_is_silence(
    gateway: Gateway, nursery: trio.Nursery
) -> None:
    order = gateway.order(Order(5, "+1555", "hi"), None)
    journal = Journal()
    journal.record(Taken(id=5, to="+1555", body="hi"))
    journal.record(Handed(id=5))
    simulated_phone = make(gateway, attrs.evolve(QUICK, protocol="basic"), journal=journal)
    radio = await start(nursery, simulated_phone)
    await until(simulated_phone, lambda phone: phone.stats.repeats == 1)
    assert not order.settled
    assert radio.sent == []


async def test_a_replaced_phone_stops(gateway: Gateway, nursery: trio.Nursery) -> None:
    simulated_phone = make(gateway)
    await start(nursery, simulated_phone)
    await gateway.peers[0].websocket.aclose(4000, "replaced")
    await until(simulated_phone, lambda phone: phone.state is State.REPLACED)
    assert len(gateway.peers) == 1


async def test_a_phone_that_is_sent_away_stops_with_an_error(gateway: Gateway) -> None:
    simulated_phone = make(gateway)
    with pytest.RaisesGroup(pytest.RaisesExc(LinkRefused, match="too much nonsense")):
        async with trio.open_nursery() as phones:
            await start(phones, simulated_phone)
            await gateway.peers[0].websocket.aclose(1008, "too much nonsense")
    assert simulated_phone.state is State.STOPPED


async def test_wrong_credentials_are_final(gateway: Gateway) -> None:
    gateway.refuse.append((401, b'{"detail":"No such org or wrong secret."}', {}))
    with pytest.raises(CredentialsRefused, match="wrong secret") as caught:
        await make(gateway).run()
    assert SECRET not in str(caught.value)
    assert "myorg" in str(caught.value)


async def test_a_link_that_worked_is_followed_by_the_shortest_pause(
    gateway: Gateway, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[int] = []

    def pause_s(_: Dice, count: int) -> float:
        failures.append(count)
        return 0

    monkeypatch.setattr(Dice, "pause_s", pause_s)
    simulated_phone = make(gateway)
    for _ in range(2):
        gateway.refuse.append((502, b"", {}))
    await start(nursery, simulated_phone)
    for links in (2, 3):
        await gateway.peers[-1].websocket.aclose(1012, "restarting")
        await until(simulated_phone, lambda phone, links=links: phone.stats.links == links)
    assert failures == [0, 1, 0, 0]


async def test_retry_after_is_heeded(gateway: Gateway, nursery: trio.Nursery) -> None:
    said: list[str] = []
    gateway.refuse.append((503, b"", {"Retry-After": "9999"}))
    simulated_phone = make(gateway, notice=said.append)
    nursery.start_soon(simulated_phone.run)
    await until(simulated_phone, lambda _: said)
    assert said == ["no link (code 503); connecting again in 300.0 s"]


async def test_more_than_the_radio_queue_holds_is_refused(
    gateway: Gateway, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phonegate.phone.transmitter.QUEUE", 2)
    orders = gateway.orders_of(5)
    simulated_phone = make(gateway, attrs.evolve(QUICK, delay_ms=(100, 100)))
    radio = await start(nursery, simulated_phone)
    await until(simulated_phone, lambda phone: phone.stats.received == 5)
    simulated_phone.lose_link()
    await gateway.settled(orders)
    refused = [order.id for order in orders if "error" in order.results[0]]
    assert 2 <= len(refused) <= 3
    assert len(radio.sent) == 5 - len(refused)


async def test_one_seed_gives_one_story(gateway: Gateway) -> None:
    stories = []
    for _ in range(2):
        gateway.orders.clear()
        orders = gateway.orders_of(20)
        plan = attrs.evolve(QUICK, fail=0.3, repeat=0.3)
        async with trio.open_nursery() as phones:
            await start(phones, make(gateway, plan, rng=Random(7)))
            await gateway.settled(orders)
            phones.cancel_scope.cancel()
        stories.append([order.results[0] for order in orders])
    assert stories[0] == stories[1]
    assert any("error" in result for result in stories[0])

"""The radio against the real ModemManager, on a bus of its own, with a fake modem behind it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from kit.fake_modem.daemons import PrivateBus
from phonegate.phone.errors import RadioUnusable
from phonegate.phone.radios.modem.radio import ModemRadio
from phonegate.phone.radios.modem.timings import ModemTimings
from phonegate.phone.radios.radio import Failed, RadioIdentity, RadioUnavailable, Sent, Uncertain
from tests.patience import PATIENCE_S

from .desk import DeskMemory, sms
from .machine import WHERE_INSTALLED, Machine

pytestmark = WHERE_INSTALLED

TEXTS = [
    pytest.param("plain", id="plain"),
    pytest.param('quotes " and \\ and\nlines', id="quotes"),
    pytest.param("Grüße 😀 €", id="emoji"),
    pytest.param("long " * 60, id="parts"),
    pytest.param("😀" * 60, id="parts of emoji"),
]
THEM = "+4915112345678"
QUICK = ModemTimings(appear_s=10, reconnect_s=(0.05, 0.1), settle_s=PATIENCE_S)
PATIENT = attrs.evolve(QUICK, appear_s=PATIENCE_S)
"""For a modem that is there."""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    started = Machine(tmp_path_factory.mktemp("machine"), "--number", "+4917000000")
    yield started
    started.stop()


@pytest.fixture
def desk() -> DeskMemory:
    return DeskMemory()


class Running:
    """A radio that runs."""

    def __init__(self, radio: ModemRadio, identity: RadioIdentity) -> None:
        self.radio = radio
        self.identity = identity


async def start(
    nursery: trio.Nursery, machine: Machine, desk: DeskMemory, **fields: Any
) -> Running:
    radio = ModemRadio(bus=machine.bus.address, timings=PATIENT, **fields)
    with trio.fail_after(PATIENCE_S):
        identity = await nursery.start(radio.run, desk)
        await radio.ready(sms("any"))
    return Running(radio, identity)


@pytest.fixture
async def radio(nursery: trio.Nursery, machine: Machine, desk: DeskMemory) -> ModemRadio:
    machine.modem.order("forget")
    return (await start(nursery, machine, desk)).radio


async def test_it_says_which_modem_and_sim_it_is(
    nursery: trio.Nursery, machine: Machine, desk: DeskMemory
) -> None:
    running = await start(nursery, machine, desk)
    assert running.identity.device_id == "modem-490154203237518"
    assert running.identity.name == "Fake Modem One"
    await desk.until(lambda one: bool(one.sims) and one.sims[0].carrier == "Fake Mobile")
    assert desk.sims[0].number == "+4917000000"
    await desk.until(lambda one: one.signal == 3)
    assert desk.says("1.24") == desk.says("may mix the parts")


@pytest.mark.parametrize("body", TEXTS)
async def test_it_sends_texts_as_they_are(radio: ModemRadio, machine: Machine, body: str) -> None:
    outcome = await radio.attempt(sms(body))
    assert isinstance(outcome, Sent)
    parts = machine.modem.order("air")
    assert "".join(part["text"] for part in parts) == body
    assert {part["to"] for part in parts} == {THEM}


async def test_it_sends_the_longest_text_in_255_parts(radio: ModemRadio, machine: Machine) -> None:
    body = "a" * 255 * 153
    assert isinstance(await radio.attempt(sms(body)), Sent)
    parts = machine.modem.order("air")
    assert len(parts) == 255
    assert "".join(part["text"] for part in parts) == body


@pytest.mark.parametrize("body", TEXTS)
async def test_it_receives_texts_as_they_are_and_deletes_them_when_stored(
    radio: ModemRadio, machine: Machine, desk: DeskMemory, body: str
) -> None:
    machine.modem.order("receive", sender=THEM, text=body)
    await desk.until(lambda one: bool(one.inbox))
    assert desk.bodies() == [body]
    (received,) = desk.inbox.values()
    assert received.address == THEM
    assert machine.modem.order("stored")
    await radio.stored(received.id)
    assert not machine.modem.order("stored")


async def test_what_the_daemon_overlooked_is_found_later(
    nursery: trio.Nursery, machine: Machine, desk: DeskMemory
) -> None:
    machine.modem.order("forget")
    radio = (await start(nursery, machine, desk)).radio
    machine.modem.order("receive", sender=THEM, text="overlooked", announced=False)
    machine.modem.order("receive", sender=THEM, text="seen")
    await desk.until(lambda one: bool(one.inbox))
    assert desk.bodies() == ["seen"]
    # As if nothing had been sent and the memory not been read for long.
    radio._used_at = radio._read_at = float("-inf")
    radio._look_again()
    await desk.until(lambda one: len(one.inbox) == 2)
    assert set(desk.bodies()) == {"seen", "overlooked"}
    with trio.fail_after(PATIENCE_S):
        await radio.ready(sms("any"))
    assert isinstance(await radio.attempt(sms("hi")), Sent)
    for known in desk.inbox:
        await radio.stored(known)
    await machine.until("until_stored", 0)


async def test_it_says_when_it_has_no_network(
    radio: ModemRadio, machine: Machine, desk: DeskMemory
) -> None:
    assert desk.works
    machine.modem.order("roam", network=False)
    await desk.until(lambda one: not one.works)
    machine.modem.order("roam", network=True)
    await desk.until(lambda one: one.works)
    assert isinstance(await radio.attempt(sms("hi")), Sent)


async def test_it_matches_the_delivery_report_of_the_last_part(
    radio: ModemRadio, machine: Machine, desk: DeskMemory
) -> None:
    outcome = await radio.attempt(sms("x" * 200))
    assert machine.modem.order("deliver") == 1
    await desk.until(lambda one: bool(one.reports))
    assert isinstance(outcome, Sent)
    assert desk.reports == [(outcome.reference, True)]
    await radio.attempt(sms("again"))
    machine.modem.order("deliver", status=0x46)
    await desk.until(lambda one: len(one.reports) == 2)
    assert desk.reports[1][1] is False


async def test_a_refused_sms_has_failed(radio: ModemRadio, machine: Machine) -> None:
    machine.modem.order("fault", then="refuse", code=331)
    outcome = await radio.attempt(sms("no"))
    assert outcome == Failed("MODEM_MESSAGE_NONETWORK")
    assert len(machine.modem.order("air")) == 0


async def test_a_daemon_that_dies_while_it_sends_leaves_it_uncertain_and_is_found_again(
    nursery: trio.Nursery, radio: ModemRadio, machine: Machine, desk: DeskMemory
) -> None:
    machine.modem.order("receive", sender=THEM, text="kept")
    await desk.until(lambda one: bool(one.inbox))
    machine.modem.order("fault", then="hold")

    async def kill() -> None:
        await machine.until("until_air", 1)
        machine.daemon.kill()

    nursery.start_soon(kill)
    outcome = await radio.attempt(sms("perhaps"))
    assert isinstance(outcome, Uncertain)
    await desk.until(lambda one: one.says("ModemManager does not run"))
    assert isinstance(await radio.attempt(sms("not now")), Failed)

    (known,) = desk.inbox
    desk.inbox.clear()
    await machine.restart_daemon()
    with trio.fail_after(PATIENCE_S):
        await radio.ready(sms("any"))
    await desk.until(lambda one: bool(one.inbox))
    assert list(desk.inbox) == [known]
    assert isinstance(await radio.attempt(sms("now")), Sent)
    await radio.stored(known)
    assert not machine.modem.order("stored")


async def test_what_was_stored_while_the_daemon_was_away_is_deleted_when_it_is_back(
    radio: ModemRadio, machine: Machine, desk: DeskMemory
) -> None:
    machine.modem.order("receive", sender=THEM, text="kept")
    await desk.until(lambda one: bool(one.inbox))
    ((name, _),) = desk.inbox.items()
    machine.daemon.kill()
    await desk.until(lambda one: one.says("ModemManager does not run"))
    desk.inbox.clear()
    with pytest.raises(RadioUnavailable):
        await radio.stored(name)
    machine.modem.order("receive", sender=THEM, text="meanwhile")
    await machine.restart_daemon()
    await desk.until(lambda one: bool(one.inbox))
    assert desk.bodies() == ["meanwhile"]
    await machine.until("until_stored", 1)


async def test_a_send_that_an_earlier_run_began_is_settled(
    nursery: trio.Nursery, machine: Machine, desk: DeskMemory
) -> None:
    machine.modem.order("fault", then="hold")
    async with trio.open_nursery() as life:
        first = (await start(life, machine, desk)).radio
        life.start_soon(first.attempt, sms("once", message=7))
        await machine.until("until_air", 1)
        life.cancel_scope.cancel()
    second = (await start(nursery, machine, desk)).radio
    assert await second.settle(sms("another", message=8)) is None
    machine.modem.order("release")
    outcome = await second.settle(sms("once", message=7))
    assert isinstance(outcome, Sent)
    assert len(machine.modem.order("air")) == 1


async def test_a_modem_that_is_unplugged_while_it_sends_leaves_it_uncertain_and_is_found_again(
    radio: ModemRadio, machine: Machine, desk: DeskMemory
) -> None:
    machine.modem.order("fault", then="die")
    assert isinstance(await radio.attempt(sms("perhaps")), Uncertain)
    await machine.restart_daemon(shown=False)
    await desk.until(lambda one: one.says("There is no modem"))
    await machine.show(machine.modem)
    with trio.fail_after(PATIENCE_S):
        await radio.ready(sms("any"))
    assert isinstance(await radio.attempt(sms("surely")), Sent)
    assert [one["text"] for one in machine.modem.order("air")] == ["perhaps", "surely"]


async def test_a_bus_that_ends_is_found_again(
    radio: ModemRadio, machine: Machine, desk: DeskMemory
) -> None:
    await machine.restart_bus()
    await desk.until(lambda one: one.says("message bus"))
    await machine.restart_daemon()
    await desk.until(lambda one: one.says("works"))
    assert isinstance(await radio.attempt(sms("now")), Sent)


async def test_two_modems_are_told_apart(
    nursery: trio.Nursery, machine: Machine, desk: DeskMemory
) -> None:
    with machine.plug("--imei", "356938035643809") as other:
        await machine.show(other)
        running = await start(nursery, machine, desk, wanted="356938035643809")
        assert running.identity.device_id == "modem-356938035643809"
        await running.radio.attempt(sms("from the other"))
        assert [one["text"] for one in other.order("air")] == ["from the other"]
        with pytest.raises(RadioUnusable, match=r"490154203237518.*356938035643809"):
            await ModemRadio(bus=machine.bus.address, timings=QUICK).run(desk)
        impatient = attrs.evolve(QUICK, appear_s=0)
        with pytest.raises(RadioUnusable, match="The modem 99 was not found"):
            await ModemRadio(bus=machine.bus.address, timings=impatient, wanted="99").run(desk)


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    started = Machine(tmp_path_factory.mktemp("locked"), "--pin", "4321")
    yield started
    started.stop()


async def test_a_pin_is_tried_once_and_never_again(
    nursery: trio.Nursery, locked: Machine, desk: DeskMemory
) -> None:
    def radio(pin: str | None) -> ModemRadio:
        return ModemRadio(bus=locked.bus.address, timings=QUICK, pin=pin)

    with pytest.raises(RadioUnusable, match="is locked"):
        await radio(None).run(desk)
    for _ in range(3):
        with pytest.raises(RadioUnusable, match="did not unlock"):
            await radio("1111").run(desk)
    assert locked.modem.order("pin_tries") == ["1111"]
    running = await start(nursery, locked, desk, pin="4321")
    assert isinstance(await running.radio.attempt(sms("open")), Sent)
    assert locked.modem.order("pin_tries") == ["1111", "4321"]


async def test_a_bus_without_the_daemon(tmp_path: Path, desk: DeskMemory) -> None:
    with (
        PrivateBus(tmp_path) as bus,
        pytest.raises(RadioUnusable, match="ModemManager does not run"),
    ):
        await ModemRadio(bus=bus.address, timings=QUICK).run(desk)

"""The radio against a bus that is made for the test, on any machine."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from jeepney import HeaderFields, Message

from phonegate.phone.errors import RadioUnusable
from phonegate.phone.radios.modem.bus import Bus
from phonegate.phone.radios.modem.inquiry import inquire
from phonegate.phone.radios.modem.objects import MESSAGING, MODEM
from phonegate.phone.radios.modem.radio import ModemRadio
from phonegate.phone.radios.modem.timings import ModemTimings
from phonegate.phone.radios.modem.troubles import POLKIT_RULE
from phonegate.phone.radios.radio import Failed, RadioUnavailable, Sent, SimCard, Uncertain
from tests.patience import PATIENCE_S

from .desk import DeskMemory
from .desk import sms as message
from .mock_manager import ERROR, IMEI, MODEM_PATH, MockManager, modem, sms

QUICK = ModemTimings(appear_s=0, reconnect_s=(0.01, 0.01), settle_s=PATIENCE_S)
SILENCE_S = 0.05
"""For a call that gets no answer."""
THEM = "+15557654321"
LOCKED: dict[str, Any] = {"UnlockRequired": ("u", 2), "State": ("i", 2)}
UNAUTHORIZED = f"{ERROR}.Core.Unauthorized"


@pytest.fixture
def desk() -> DeskMemory:
    return DeskMemory()


@pytest.fixture
async def manager(tmp_path: Path) -> AsyncIterator[MockManager]:
    async with MockManager().serve(tmp_path) as serving:
        yield serving


@pytest.fixture
def hasty(manager: MockManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only calls that get no answer have little time."""
    ask = Bus._ask

    async def hastily(bus: Bus, message: Message, *, within_s: float) -> tuple[Any, ...]:
        silent = message.header.fields[HeaderFields.member] in manager.silent
        return await ask(bus, message, within_s=SILENCE_S if silent else within_s)

    monkeypatch.setattr(Bus, "_ask", hastily)


async def start(
    nursery: trio.Nursery, manager: MockManager, desk: DeskMemory, **fields: Any
) -> ModemRadio:
    radio = ModemRadio(bus=manager.address, **{"timings": QUICK, **fields})
    with trio.fail_after(PATIENCE_S):
        await nursery.start(radio.run, desk)
        await radio.ready(message("any"))
    return radio


@pytest.fixture
async def radio(nursery: trio.Nursery, manager: MockManager, desk: DeskMemory) -> ModemRadio:
    return await start(nursery, manager, desk)


async def refusal(desk: DeskMemory, bus: str, **fields: Any) -> str:
    """Returns the sentence with which a radio gives up."""
    with trio.fail_after(PATIENCE_S), pytest.raises(RadioUnusable) as refused:
        await ModemRadio(bus=bus, **{"timings": QUICK, **fields}).run(desk)
    return str(refused.value)


def no_messaging() -> dict[str, Any]:
    found = modem()
    del found[MESSAGING]
    return found


@pytest.mark.parametrize(
    ("situation", "says"),
    [
        ({"owner": None}, "ModemManager does not run"),
        ({"modems": {}}, "There is no modem. Plug it in"),
        ({"modems": {MODEM_PATH: modem(), f"{MODEM_PATH}1": modem()}}, f"several.*{IMEI} .Mock"),
        ({"modems": {MODEM_PATH: modem(**LOCKED)}}, "is locked. Give its PIN: PHONEGATE_MODEM"),
        ({"modems": {MODEM_PATH: modem(UnlockRequired=("u", 4))}}, "asks for its PUK"),
        ({"modems": {MODEM_PATH: modem(State=("i", -1))}}, "has failed"),
        (
            {"modems": {MODEM_PATH: modem(State=("i", -1), StateFailedReason=("u", 2))}},
            "has no SIM",
        ),
        ({"modems": {MODEM_PATH: modem(State=("i", 5))}}, "not switched on yet"),
        ({"modems": {MODEM_PATH: no_messaging()}}, "offers no SMS"),
        (
            {
                "modems": {MODEM_PATH: modem(State=("i", 3))},
                "refuse": {"Enable": UNAUTHORIZED},
            },
            "polkit does not let this user",
        ),
        ({"refuse": {"List": UNAUTHORIZED}}, re.escape(POLKIT_RULE)),
        ({"refuse": {"List": f"{ERROR}.Core.Failed"}}, "refused a call with .*Core.Failed"),
        ({"silent": {"GetManagedObjects"}}, "does not answer"),
        ({"silent": {"AddMatch"}}, "no connection to the system's message bus"),
    ],
)
async def test_what_is_wrong_at_the_start_is_said_and_ends_it(
    manager: MockManager, desk: DeskMemory, hasty: None, situation: dict[str, Any], says: str
) -> None:
    for name, value in situation.items():
        setattr(manager, name, value)
    assert re.search(says, await refusal(desk, manager.address))


async def test_an_inquiry_says_what_is_wrong(
    manager: MockManager, hasty: None, tmp_path: Path
) -> None:
    async def asked(bus: str = manager.address, wanted: str | None = None) -> str | None:
        trouble = await inquire(wanted, bus, QUICK)
        return None if trouble is None else trouble.sentence

    manager.modems = {MODEM_PATH: modem(**LOCKED)}
    assert await asked() is None
    assert "The modem 99 was not found" in str(await asked(wanted="99"))
    assert "message bus" in str(await asked(f"unix:path={tmp_path / 'none'}"))
    manager.silent = {"GetManagedObjects"}
    assert "does not answer" in str(await asked())
    manager.owner = None
    assert "ModemManager does not run" in str(await asked())


async def test_a_trouble_counts_once_it_lasts(
    nursery: trio.Nursery, manager: MockManager, desk: DeskMemory
) -> None:
    for lasting_s, says in ((60, ""), (0, "There is no modem")):
        manager.modems = {MODEM_PATH: modem()}
        radio = await start(
            nursery, manager, desk, timings=attrs.evolve(QUICK, lasting_s=lasting_s)
        )
        assert radio.works
        assert radio.lasting_trouble is None
        manager.modems = {}
        await manager.stir()
        with trio.fail_after(PATIENCE_S):
            while radio.works:
                await trio.lowlevel.checkpoint()
        assert (radio.lasting_trouble or "").startswith(says)
        assert bool(radio.lasting_trouble) is bool(says)


async def test_no_bus_is_said(desk: DeskMemory, tmp_path: Path) -> None:
    for address in (f"unix:path={tmp_path / 'none'}", "tcp:host=x", "nonsense"):
        assert "no connection to the system's message bus" in await refusal(desk, address)


async def test_a_modem_that_appears_in_time_is_waited_for(
    nursery: trio.Nursery, manager: MockManager, desk: DeskMemory
) -> None:
    manager.modems = {}
    patient = attrs.evolve(QUICK, appear_s=PATIENCE_S)
    radio = ModemRadio(bus=manager.address, timings=patient)
    nursery.start_soon(radio.run, desk)
    await desk.until(lambda one: one.says("There is no modem"))
    manager.modems = {MODEM_PATH: modem(State=("i", 3))}
    await manager.stir()
    with trio.fail_after(PATIENCE_S):
        await radio.ready(message("any"))
    assert desk.says(f"the modem {IMEI} works")


async def test_it_reports_the_sim_and_the_signal_when_they_change(
    radio: ModemRadio, manager: MockManager, desk: DeskMemory
) -> None:
    assert desk.sims == (SimCard(slot=0, number="+1555", carrier="Net"),)
    assert desk.signal == 3
    manager.sim["OperatorName"] = ("s", "Brand")
    manager.modems[MODEM_PATH][MODEM]["SignalQuality"] = ("(ub)", (10, True))
    await manager.stir()
    await desk.until(lambda one: one.signal == 1)
    assert desk.sims[0].carrier == "Brand"


async def test_it_waits_for_a_network(
    nursery: trio.Nursery, manager: MockManager, desk: DeskMemory
) -> None:
    manager.modems = {MODEM_PATH: modem(State=("i", 7))}
    radio = ModemRadio(bus=manager.address, timings=QUICK)
    await nursery.start(radio.run, desk)
    ready = trio.Event()

    async def wait() -> None:
        await radio.ready(message("any"))
        ready.set()

    nursery.start_soon(wait)
    await trio.testing.wait_all_tasks_blocked(0.05)
    assert not ready.is_set()
    manager.modems[MODEM_PATH][MODEM]["State"] = ("i", 8)
    await manager.stir()
    with trio.fail_after(PATIENCE_S):
        await ready.wait()


async def test_it_says_whether_it_works(
    nursery: trio.Nursery, manager: MockManager, desk: DeskMemory
) -> None:
    manager.modems = {MODEM_PATH: modem(State=("i", 7))}
    await nursery.start(ModemRadio(bus=manager.address, timings=QUICK).run, desk)
    assert not desk.works
    for state, works in ((8, True), (7, False), (11, True)):
        manager.modems[MODEM_PATH][MODEM]["State"] = ("i", state)
        await manager.stir()
        await desk.until(lambda one, works=works: one.works == works)  # type: ignore[misc]
    manager.modems = {}
    await manager.stir()
    await desk.until(lambda one: not one.works)
    manager.modems = {MODEM_PATH: modem()}
    await manager.stir()
    await desk.until(lambda one: one.works)
    manager.die()
    await desk.until(lambda one: not one.works)


EAGER = attrs.evolve(QUICK, sweep_s=0.01, recheck_s=0.05, idle_s=0.05)


async def test_an_idle_modem_is_switched_off_and_on_so_that_its_memory_is_read_again(
    nursery: trio.Nursery, manager: MockManager, desk: DeskMemory
) -> None:
    overlooked = {"/a": sms(THEM, "hi")}

    def read(method: str) -> None:
        if method == "Enable" and manager.switched == [False]:
            manager.messages |= overlooked

    manager.called = read
    radio = await start(nursery, manager, desk, timings=EAGER)
    await desk.until(lambda one: bool(one.inbox))
    assert manager.switched[:2] == [False, True]
    assert isinstance(await radio.attempt(message("hi")), Sent)


@pytest.mark.parametrize("state", [7, 10, 11])
async def test_a_modem_that_carries_data_or_has_no_network_is_left_alone(
    nursery: trio.Nursery, manager: MockManager, desk: DeskMemory, state: int
) -> None:
    manager.modems = {MODEM_PATH: modem(State=("i", state))}
    await nursery.start(ModemRadio(bus=manager.address, timings=EAGER).run, desk)
    await looked(manager, 20)
    assert manager.switched == []


async def test_a_modem_that_sends_is_left_alone(
    nursery: trio.Nursery, manager: MockManager, desk: DeskMemory
) -> None:
    manager.silent.add("Send")
    timings = attrs.evolve(EAGER, idle_s=0, send_s=PATIENCE_S)
    radio = await start(nursery, manager, desk, timings=timings)
    async with trio.open_nursery() as sending:
        sending.start_soon(radio.attempt, message("hi"))
        # It may have been switched off just before, and is then switched on.
        await looked(manager, 2)
        switched = list(manager.switched)
        await looked(manager, 20)
        assert manager.switched == switched
        sending.cancel_scope.cancel()


async def test_a_modem_that_was_just_used_is_left_alone(
    nursery: trio.Nursery, manager: MockManager, desk: DeskMemory
) -> None:
    await start(nursery, manager, desk, timings=attrs.evolve(EAGER, idle_s=PATIENCE_S))
    await looked(manager, 20)
    assert manager.switched == []


async def looked(manager: MockManager, times: int) -> None:
    """Waits until the radio has looked at the modem so many times more."""
    done = trio.Event()

    def count(method: str) -> None:
        nonlocal times
        times -= method == "GetManagedObjects"
        if times < 0:
            done.set()

    manager.called = count
    with trio.fail_after(PATIENCE_S):
        await done.wait()


async def test_a_sent_message_leaves_nothing_behind(
    radio: ModemRadio, manager: MockManager, desk: DeskMemory
) -> None:
    assert await radio.attempt(message("hi", to=THEM)) == Sent(reference="7:7654321")
    with trio.fail_after(PATIENCE_S):
        while manager.messages:
            await trio.lowlevel.checkpoint()


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (f"{ERROR}.Message.SmscAddressUnknown", Failed("MODEM_MESSAGE_SMSCADDRESSUNKNOWN")),
        (f"{ERROR}.Message.NetworkTimeout", Uncertain("MODEM_MESSAGE_NETWORKTIMEOUT")),
        (f"{ERROR}.Core.WrongState", Failed("MODEM_CORE_WRONGSTATE")),
        (UNAUTHORIZED, Failed("MODEM_CORE_UNAUTHORIZED")),
        (f"{ERROR}.Core.Failed", Uncertain("MODEM_CORE_FAILED")),
        (f"{ERROR}.Serial.ResponseTimeout", Uncertain("MODEM_SERIAL_RESPONSETIMEOUT")),
        ("org.freedesktop.DBus.Error.NoReply", Uncertain("MODEM_ERROR_NOREPLY")),
    ],
)
async def test_errors_of_sending_mean_failed_or_uncertain(
    radio: ModemRadio, manager: MockManager, error: str, outcome: object
) -> None:
    manager.refuse["Send"] = error
    assert await radio.attempt(message("hi")) == outcome


async def test_what_could_not_even_be_made_has_failed(
    radio: ModemRadio, manager: MockManager, hasty: None
) -> None:
    for body in ("\0", "\ud83d"):
        assert await radio.attempt(message(body)) == Failed("MODEM_NOT_TEXT")
    manager.refuse["Create"] = f"{ERROR}.Core.TooMany"
    assert await radio.attempt(message("hi")) == Failed("MODEM_CORE_TOOMANY")
    manager.refuse.clear()
    manager.silent.add("Create")
    assert await radio.attempt(message("hi")) == Failed("MODEM_NOT_READY")


async def test_silence_and_the_end_of_the_bus_within_a_send_leave_it_uncertain(
    radio: ModemRadio, manager: MockManager, desk: DeskMemory, hasty: None
) -> None:
    manager.silent.add("Send")
    assert await radio.attempt(message("hi")) == Uncertain("MODEM_NO_ANSWER")
    manager.called = lambda method: manager.die() if method == "Send" else None
    assert await radio.attempt(message("hi")) == Uncertain("MODEM_NO_ANSWER")
    manager.called = lambda _: None
    manager.silent.clear()
    await desk.until(lambda one: one.says("works"))
    assert isinstance(await radio.attempt(message("hi")), Sent)


async def test_a_result_is_kept_though_its_reference_is_not_to_be_learned(
    radio: ModemRadio, manager: MockManager
) -> None:
    manager.called = lambda method: manager.messages.clear() if method == "GetAll" else None
    assert await radio.attempt(message("hi")) == Sent(reference=None)


async def test_a_received_sms_is_reported_until_there_is_room_and_deleted_when_stored(
    radio: ModemRadio, manager: MockManager, desk: DeskMemory
) -> None:
    desk.has_room = False
    manager.messages["/a"] = sms(THEM, "hi")
    await manager.stir()
    await trio.testing.wait_all_tasks_blocked(0.05)
    desk.has_room = True
    await manager.stir()
    await desk.until(lambda one: bool(one.inbox))
    ((name, received),) = desk.inbox.items()
    assert (received.address, received.body, received.date) == (THEM, "hi", 1767323045000)
    manager.refuse["Delete"] = f"{ERROR}.Core.Failed"
    with pytest.raises(RadioUnavailable):
        await radio.stored(name)
    manager.refuse.clear()
    await radio.stored(name)
    assert manager.deleted == ["/a"]
    await radio.stored(name)
    assert manager.deleted == ["/a"]


async def test_what_the_gateway_has_is_deleted_wherever_it_turns_up_again(
    radio: ModemRadio, manager: MockManager, desk: DeskMemory
) -> None:
    manager.messages["/a"] = sms(THEM, "hi")
    await manager.stir()
    await desk.until(lambda one: bool(one.inbox))
    (name,) = desk.inbox
    await radio.stored(name)
    desk.inbox.clear()
    manager.messages |= {"/b": sms(THEM, "hi"), "/c": sms(THEM, "ho")}
    await manager.stir()
    await desk.until(lambda one: bool(one.inbox))
    assert desk.bodies() == ["ho"]
    with trio.fail_after(PATIENCE_S):
        while "/b" in manager.messages:
            await trio.lowlevel.checkpoint()
    assert "/c" in manager.messages


async def test_parts_wait_until_they_are_whole_and_not_for_ever(
    nursery: trio.Nursery, manager: MockManager, desk: DeskMemory
) -> None:
    await start(nursery, manager, desk, now_ms=lambda: 1767323045000 + 60_000)
    manager.messages["/a"] = sms(THEM, "", State=("u", 2))
    manager.messages["/old"] = sms(
        THEM, "", State=("u", 2), Timestamp=("s", "2025-12-29T00:00:00+01")
    )
    await manager.stir()
    await desk.until(lambda one: one.says("never became whole"))
    assert not desk.inbox
    manager.messages["/a"] = sms(THEM, "whole")
    await manager.stir()
    await desk.until(lambda one: bool(one.inbox))
    assert desk.bodies() == ["whole"]
    assert manager.deleted == ["/old"]


async def test_delivery_reports_are_passed_on_and_deleted(
    radio: ModemRadio, manager: MockManager, desk: DeskMemory
) -> None:
    for path, reference, state in (("/d", 3, 0), ("/f", 4, 0x46), ("/t", 5, 0x20)):
        manager.messages[path] = sms(
            "015557654321",
            "",
            PduType=("u", 3),
            MessageReference=("u", reference),
            DeliveryState=("u", state),
        )
    await manager.stir()
    with trio.fail_after(PATIENCE_S):
        while manager.messages:
            await trio.lowlevel.checkpoint()
    assert desk.reports == [("3:7654321", True), ("4:7654321", False)]


async def test_a_pin_unlocks_and_a_wrong_one_is_never_tried_again(
    nursery: trio.Nursery, manager: MockManager, desk: DeskMemory
) -> None:
    manager.modems = {MODEM_PATH: modem(**LOCKED)}
    manager.refuse["SendPin"] = f"{ERROR}.MobileEquipment.IncorrectPassword"
    for _ in range(2):
        assert "did not unlock" in await refusal(desk, manager.address, pin="1111")
    manager.refuse["SendPin"] = UNAUTHORIZED
    assert "polkit" in await refusal(desk, manager.address, pin="2222")
    manager.refuse.clear()
    manager.modems = {MODEM_PATH: modem(**LOCKED, UnlockRetries=("a{uu}", {2: 1}))}
    assert "one try left" in await refusal(desk, manager.address, pin="2222")
    manager.modems = {MODEM_PATH: modem(**LOCKED)}
    patient = attrs.evolve(QUICK, appear_s=PATIENCE_S)
    await start(nursery, manager, desk, pin="2222", timings=patient)
    assert manager.pins == ["2222"]


async def test_an_old_daemon_is_warned_of_once(
    nursery: trio.Nursery, manager: MockManager, desk: DeskMemory
) -> None:
    manager.version = "1.20.4"
    await start(nursery, manager, desk)
    manager.owner = ":1.2"
    await manager.stir()
    assert [one for one in desk.notices if "may mix" in one] == [
        "ModemManager 1.20.4 may mix the parts of long SMS from two senders; 1.24 and later do not"
    ]


async def test_nothing_of_another_run_of_the_daemon_is_settled(
    radio: ModemRadio, manager: MockManager, desk: DeskMemory
) -> None:
    path = f"{MODEM_PATH}/SMS/9"
    sent: dict[str, Any] = {"State": ("u", 5), "PduType": ("u", 2)}
    manager.messages[path] = sms("+4915112345678", "hi", **sent)
    assert await radio.settle(message("hi")) is None
    desk.set_mark("sending", f"1 :1.99 {path}")
    assert await radio.settle(message("hi")) is None
    desk.set_mark("sending", f"1 :1.1 {path}")
    assert await radio.settle(message("another")) is None
    assert await radio.settle(message("hi")) == Sent(reference="0:2345678")

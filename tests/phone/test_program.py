"""A phone's program keeps its promises wherever it is killed: at every step, and by power loss too.

The program is the real one. Its gateway, link, radio and disk are in memory, and count steps:
before and after each record, each wait for the disk, each frame, each attempt, each forgetting.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from phonegate.phone.address import Address
from phonegate.phone.conduct import Conduct
from phonegate.phone.connector import Session
from phonegate.phone.device import Device
from phonegate.phone.errors import RadioUnusable
from phonegate.phone.journal import Journal, decode, encode
from phonegate.phone.ledger import Ledger
from phonegate.phone.link import End, LinkLost
from phonegate.phone.program import PhoneProgram
from phonegate.phone.radios.radio import (
    Desk,
    Failed,
    Feature,
    Outcome,
    RadioIdentity,
    RadioUnavailable,
    ReceivedSms,
    Sent,
    SimCard,
    Transmission,
    Uncertain,
)
from phonegate.phone.records import Record

WHERE = Address.parse("ws://127.0.0.1:1", "myorg", "my-secret-key-123")
PATIENCE_S = 300
"""By the test's clock, which jumps."""


class Killed(BaseException):
    """The end of the program, at once."""


@attrs.define
class Fate:
    """Counts steps, and kills the program at one of them."""

    at: int | None = None
    steps: int = 0
    dead: bool = False

    def step(self) -> None:
        if self.dead or self.steps == self.at:
            self.dead = True
            raise Killed
        self.steps += 1


@attrs.define
class Disk:
    """The journal's file: what a kill leaves of it, and what a loss of power leaves."""

    lines: list[bytes] = attrs.field(factory=list)
    synced: int = 0

    def journal(self, fate: Fate) -> Journal:
        ledger = Ledger(decode(line)[1] for line in self.lines)

        def write(record: Record) -> None:
            self.lines.append(encode("p", record))

        async def sync() -> None:
            fate.step()
            await trio.lowlevel.checkpoint()
            self.synced = len(self.lines)
            fate.step()

        return Recorder(ledger, write, sync, fate)

    def lose_power(self) -> None:
        del self.lines[self.synced :]


class Recorder(Journal):
    def __init__(
        self,
        ledger: Ledger,
        write: Callable[[Record], None],
        sync: Callable[[], Awaitable[None]],
        fate: Fate,
    ) -> None:
        super().__init__(ledger, write, sync)
        self._fate = fate

    def record(self, record: Record) -> None:
        self._fate.step()
        super().record(record)
        self._fate.step()


@attrs.define
class Handset:
    """The device: what outlives the program. `outcomes` are those of its attempts, in order."""

    outcomes: list[str] = attrs.field(factory=list)
    inbox: dict[str, ReceivedSms] = attrs.field(factory=dict)
    reports: list[str] = attrs.field(factory=list)
    attempts: Counter[int] = attrs.field(factory=Counter)
    on_air: Counter[int] = attrs.field(factory=Counter)
    unavailable: int = 0
    outages: list[int] = attrs.field(factory=list)
    """Seconds for which the radio can't work, each after one second in which it can."""


class FakeRadio:
    features: frozenset[Feature] = frozenset({"delivery_report"})
    window = None
    attempt_s = 5.0

    def __init__(self, handset: Handset, fate: Fate) -> None:
        self._handset = handset
        self._fate = fate
        self._reported = trio.Event()

    async def run(
        self,
        desk: Desk,
        *,
        task_status: trio.TaskStatus[RadioIdentity] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        desk.report_sims((SimCard(slot=0, number="+1"),))
        task_status.started(RadioIdentity(device_id="phone"))
        for sms in list(self._handset.inbox.values()):
            assert desk.received(sms)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._be_out, desk)
            await self._pass_on_reports(desk)

    async def _be_out(self, desk: Desk) -> None:
        while self._handset.outages:
            await trio.sleep(1)
            desk.report_working(works=False)
            await trio.sleep(self._handset.outages.pop())
            desk.report_working(works=True)

    async def _pass_on_reports(self, desk: Desk) -> None:
        while True:
            for reference in self._handset.reports:
                desk.delivered(reference, 5)
            self._handset.reports.clear()
            await self._reported.wait()
            self._reported = trio.Event()

    async def ready(self, transmission: Transmission) -> None:
        del transmission
        await trio.lowlevel.checkpoint()

    async def attempt(self, transmission: Transmission) -> Outcome:
        self._fate.step()
        handset, number = self._handset, transmission.id
        handset.attempts[number] += 1
        outcome = handset.outcomes.pop() if handset.outcomes else "sent"
        if outcome == "failed":
            return Failed("NO_CREDIT")
        handset.on_air[number] += 1
        self._fate.step()
        await trio.lowlevel.checkpoint()
        if outcome == "raised":
            raise ZeroDivisionError("secret text")
        if outcome == "held":
            await trio.sleep_forever()
        if outcome == "uncertain":
            return Uncertain("NO_ANSWER")
        handset.reports.append(str(number))
        self._reported.set()
        return Sent(segments=1, reference=str(number))

    async def settle(self, transmission: Transmission) -> Outcome | None:
        del transmission
        await trio.lowlevel.checkpoint()
        return None

    async def stored(self, inbound_id: str) -> None:
        self._fate.step()
        if self._handset.unavailable:
            self._handset.unavailable -= 1
            raise RadioUnavailable
        self._handset.inbox.pop(inbound_id, None)
        self._fate.step()


@attrs.define
class Gateway:
    """What it must do, and what it was told. It pushes what has neither ack nor result."""

    orders: list[int] = attrs.field(factory=list)
    cancels: frozenset[int] = frozenset()
    acked: set[int] = attrs.field(factory=set)
    results: dict[int, list[dict[str, Any]]] = attrs.field(factory=dict)
    delivered: set[int] = attrs.field(factory=set)
    inbound: list[str] = attrs.field(factory=list)
    since: str = "2026-11-20T17:30:00.000Z"

    def greeting(self) -> list[dict[str, Any]]:
        due = [one for one in self.orders if one not in self.acked and one not in self.results]
        pushes = [{"type": "send_sms", "id": one, "to": "+1", "body": f"text {one}"} for one in due]
        cancels = [{"type": "cancel", "id": one} for one in self.cancels if one not in self.results]
        return [{"type": "connected", "org_since": self.since}, *pushes, *cancels]

    def hear(self, frame: dict[str, Any]) -> list[dict[str, Any]]:
        match frame["type"]:
            case "ack":
                self.acked.add(frame["id"])
            case "send_result":
                self.results.setdefault(frame.pop("id"), []).append(frame)
            case "delivery_report":
                assert self.results[frame["id"]][0]["success"]
                self.delivered.add(frame["id"])
            case "inbound":
                name = frame["message"]["id"]
                if name not in self.inbound:
                    self.inbound.append(name)
                return [{"type": "inbound_ack", "ids": [name], "message_id": 1}]
            case "ping":
                return [{"type": "pong"}]
        return []


class Link:
    """A link in memory, which is lost at the frames that `cuts` counts."""

    silent_for_s = 0.0
    is_lost = is_cut = False

    def __init__(self, world: "World", fate: Fate) -> None:
        self._world = world
        self._fate = fate
        self._to_phone, self._from_gateway = trio.open_memory_channel[dict[str, Any]](1000)
        for frame in world.gateway.greeting():
            self._to_phone.send_nowait(frame)

    async def send(self, frame: dict[str, Any]) -> None:
        self._fate.step()
        await trio.lowlevel.checkpoint()
        if self.is_lost:
            raise LinkLost
        self._world.frames += 1
        lost = self._world.frames in self._world.cuts
        if not lost or self._world.frames % 2:
            for answer in self._world.gateway.hear(frame):
                self._to_phone.send_nowait(answer)
        self._fate.step()
        if lost:
            self.is_lost = True
            self._to_phone.close()
            raise LinkLost
        self._world.change()

    async def probe(self, timeout_s: float) -> None:
        raise AssertionError(timeout_s)

    def cut(self, *, reset: bool = False) -> None:
        raise AssertionError(reset)

    def hand(self, frame: dict[str, Any]) -> None:
        self._to_phone.send_nowait(frame)

    async def receive(self) -> dict[str, Any]:
        try:
            frame = await self._from_gateway.receive()
        except trio.EndOfChannel:
            raise LinkLost from None
        self._fate.step()
        return frame


@attrs.define
class Wire:
    """Connects a phone to the gateway in memory."""

    world: "World"
    fate: Fate
    links: list[Link] = attrs.field(factory=list)

    async def hold(self, session: Session, **_: object) -> End:
        self.links.append(Link(self.world, self.fate))
        end, link = End(code=1000), self.links[-1]
        try:
            await session(link)
        except* LinkLost:
            end = End(code=1006)
        link.is_lost = True
        return end


@attrs.define
class World:
    """All that outlives the program, and its runs."""

    gateway: Gateway
    handset: Handset
    cuts: frozenset[int] = frozenset()
    disk: Disk = attrs.field(factory=Disk)
    frames: int = 0
    said: list[str] = attrs.field(factory=list)
    _changed: trio.Event | None = None

    def change(self) -> None:
        if self._changed is not None:
            self._changed.set()

    @property
    def settled(self) -> bool:
        return (
            self.gateway.results.keys() >= set(self.gateway.orders) | self.gateway.cancels
            and not self.handset.inbox
            and not self.handset.reports
            and not self.disk_ledger().unreported()
            and not self.disk_ledger().deliveries()
        )

    def disk_ledger(self) -> Ledger:
        return Ledger(decode(line)[1] for line in self.disk.lines)

    async def live(self, fate: Fate) -> None:
        """Runs the program until it is killed, or until all has settled."""

        device = Device(
            journal=self.disk.journal(fate),
            radio=FakeRadio(self.handset, fate),
            conduct=Conduct((0.5, 1)),
            notice=self.said.append,
            now_ms=lambda: 1,
        )
        with trio.fail_after(PATIENCE_S):
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(PhoneProgram(Wire(self, fate), device).run)
                    while not self.settled:  # noqa: ASYNC110 (many things settle)
                        await trio.sleep(1)
                    nursery.cancel_scope.cancel()
            except* Killed:
                pass

    def check(self) -> None:
        handset, gateway = self.handset, self.gateway
        assert all(count == 1 for count in handset.attempts.values())
        for number, results in gateway.results.items():
            first, *repeats = results
            assert all(one == first for one in repeats)
            if first["success"]:
                assert handset.on_air[number] == 1
            elif not first.get("uncertain"):
                assert handset.on_air[number] == 0
        assert gateway.delivered <= {n for n, told in gateway.results.items() if told[0]["success"]}


def run(world: World, kills: list[tuple[int, bool]]) -> Fate:
    """Runs the program with these kills, and then until all has settled."""

    async def lives() -> Fate:
        for step, power in kills:
            await world.live(Fate(at=step))
            if power:
                world.disk.lose_power()
        fate = Fate()
        await world.live(fate)
        return fate

    return trio.run(lives, clock=trio.testing.MockClock(autojump_threshold=0))


def a_world(**more: Any) -> World:
    mail = [ReceivedSms(id=f"m{n}", address="+2", body="mail", date=n) for n in range(2)]
    handset = Handset(outcomes=["sent", "failed", "sent"], inbox={sms.id: sms for sms in mail})
    return World(gateway=Gateway(orders=[1, 2, 3]), handset=handset, **more)


def test_without_kills_all_is_sent_delivered_received_and_let_go() -> None:
    world = a_world()
    run(world, [])
    world.check()
    assert [told[0]["success"] for told in world.gateway.results.values()] == [True, False, True]
    assert world.gateway.delivered == {1, 3}
    assert sorted(world.gateway.inbound) == ["m0", "m1"]
    assert world.disk_ledger().stored() == []


@pytest.mark.parametrize("power", [False, True], ids=["kill", "power"])
def test_a_kill_at_each_step_breaks_no_promise(*, power: bool) -> None:
    steps = run(a_world(), []).steps
    assert steps > 50
    uncertain = 0
    for step in range(steps):
        world = a_world()
        run(world, [(step, power)])
        world.check()
        assert sorted(world.gateway.inbound) == ["m0", "m1"]
        uncertain += any(told[0].get("uncertain") for told in world.gateway.results.values())
    # Most of the steps do not lie where nobody can know.
    assert 0 < uncertain < steps / 2


@settings(max_examples=40)
@given(data=st.data())
def test_no_order_of_kills_losses_and_faults_breaks_a_promise(data: st.DataObject) -> None:
    orders = data.draw(st.lists(st.integers(1, 6), unique=True, max_size=4))
    world = World(
        gateway=Gateway(
            orders=orders, cancels=data.draw(st.frozensets(st.integers(1, 6), max_size=2))
        ),
        handset=Handset(
            outcomes=data.draw(
                st.lists(st.sampled_from(["sent", "failed", "raised", "held", "uncertain"]))
            ),
            inbox={
                name: ReceivedSms(id=name, address="+2", body="mail", date=1)
                for name in data.draw(st.sets(st.sampled_from("abc")))
            },
            unavailable=data.draw(st.integers(0, 2)),
            outages=data.draw(st.lists(st.integers(0, 60), max_size=3)),
        ),
        cuts=data.draw(st.frozensets(st.integers(1, 40), max_size=4)),
    )
    mail = sorted(world.handset.inbox)
    kills = data.draw(st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=4))
    run(world, kills)
    world.check()
    assert sorted(world.gateway.inbound) == mail
    assert "secret text" not in "".join(world.said)


@pytest.mark.parametrize("kills", [[], [(9, True)], [(40, False)]])
def test_a_gateway_that_was_begun_anew_has_its_messages_sent(kills: list[tuple[int, bool]]) -> None:
    world = a_world()
    run(world, [])
    for step, _ in kills:
        # What the former gateway left in the phone is not told to the new one.
        world.gateway = Gateway(orders=[1, 2, 3, 4])
        world.handset.outcomes.append("held")
        run(world, [(step, False)])
    before = world.handset.on_air.copy()
    world.gateway = Gateway(orders=[1, 2], since="2026-11-21T08:00:00.000Z")
    run(world, kills)
    assert set(world.gateway.results) == {1, 2}
    for number, (result, *_) in world.gateway.results.items():
        assert result["success"] or result["uncertain"]
        assert world.handset.on_air[number] - before[number] <= 1
        assert world.handset.on_air[number] > before[number] or not result["success"]


def test_a_radio_that_needs_a_person_ends_the_program_with_its_sentence() -> None:
    class Locked(FakeRadio):
        async def run(
            self,
            desk: Desk,
            *,
            task_status: trio.TaskStatus[RadioIdentity] = trio.TASK_STATUS_IGNORED,
        ) -> None:
            raise RadioUnusable("The SIM is locked.")

    device = Device(
        journal=Journal(),
        radio=Locked(Handset(), Fate()),
        conduct=Conduct(),
        notice=lambda _: None,
        now_ms=lambda: 1,
    )
    with pytest.raises(RadioUnusable, match=r"The SIM is locked\."):
        trio.run(PhoneProgram(WHERE, device).run)


class Unplugged(FakeRadio):
    """A radio that is not ready, as a modem that is not there."""

    async def ready(self, transmission: Transmission) -> None:
        del transmission
        await trio.sleep_forever()


def waiting_program(world: World, wire: "Wire", now_ms: Callable[[], int]) -> PhoneProgram:
    device = Device(
        journal=world.disk.journal(Fate()),
        radio=Unplugged(world.handset, Fate()),
        conduct=Conduct((0.5, 1)),
        notice=world.said.append,
        now_ms=now_ms,
    )
    return PhoneProgram(wire, device)


async def until_results(world: World, count: int) -> None:
    with trio.fail_after(PATIENCE_S):
        while len(world.gateway.results) < count:  # noqa: ASYNC110 (of a gateway in memory)
            await trio.sleep(1)


async def test_what_waits_for_the_radio_can_expire_and_be_cancelled(
    autojump_clock: trio.testing.MockClock,
) -> None:
    del autojump_clock
    world = World(gateway=Gateway(), handset=Handset())
    wire = Wire(world, Fate())
    links = wire.links
    start = trio.current_time()
    program = waiting_program(world, wire, lambda: int((trio.current_time() - start) * 1000))
    with trio.fail_after(PATIENCE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(program.run)
            await trio.sleep(1)
            push = {"type": "send_sms", "to": "+1", "body": "hi"}
            links[0].hand({**push, "id": 1, "expires_at": 30_000})
            links[0].hand({**push, "id": 2})
            links[0].hand({**push, "id": 3})
            await trio.sleep(20)
            assert not world.gateway.results
            await until_results(world, 1)
            assert 30 <= trio.current_time() - start < 40
            links[0].hand({"type": "cancel", "id": 2})
            links[0].hand({"type": "cancel", "id": 3})
            await until_results(world, 3)
            nursery.cancel_scope.cancel()
    errors = {number: told[0]["error"] for number, told in world.gateway.results.items()}
    assert errors == {1: "RESULT_TOO_LATE", 2: "cancelled", 3: "cancelled"}
    assert not world.handset.attempts


class Modem(FakeRadio):
    """A radio that has no network until it is given one."""

    network = False
    desk: Desk | None = None

    async def run(
        self,
        desk: Desk,
        *,
        task_status: trio.TaskStatus[RadioIdentity] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        self.desk = desk
        self.report(network=self.network)
        await super().run(desk, task_status=task_status)

    def report(self, *, network: bool) -> None:
        assert self.desk is not None
        self.network = network
        self.desk.report_working(works=network)

    async def ready(self, transmission: Transmission) -> None:
        del transmission
        while not self.network:  # noqa: ASYNC110 (of a radio in memory)
            await trio.sleep(1)


@attrs.frozen
class Home:
    """A phone with such a radio, and its links."""

    world: World
    modem: Modem
    wire: Wire
    device: Device

    @property
    def is_online(self) -> bool:
        return bool(self.wire.links) and not self.wire.links[-1].is_lost

    def push(self, message: int) -> None:
        self.world.gateway.orders.append(message)
        push = {"type": "send_sms", "id": message, "to": "+1", "body": f"text {message}"}
        self.wire.links[-1].hand(push)


@pytest.fixture
async def home(nursery: trio.Nursery) -> Home:
    world = World(gateway=Gateway(), handset=Handset())
    modem, wire = Modem(world.handset, Fate()), Wire(world, Fate())
    device = Device(
        journal=world.disk.journal(Fate()),
        radio=modem,
        conduct=Conduct((0.5, 1)),
        notice=world.said.append,
        now_ms=lambda: 1,
    )
    nursery.start_soon(PhoneProgram(wire, device, grace_s=30).run)
    await trio.sleep(1)
    return Home(world=world, modem=modem, wire=wire, device=device)


async def test_a_phone_is_offline_until_its_radio_works(
    home: Home, autojump_clock: trio.testing.MockClock
) -> None:
    del autojump_clock
    home.world.gateway.orders = [1]
    await trio.sleep(1000)
    assert not home.wire.links
    assert home.world.said == [
        "the radio has no device or no network now; the phone is offline until it works"
    ]
    home.modem.report(network=True)
    await until_results(home.world, 1)
    assert home.is_online
    assert home.world.handset.on_air == {1: 1}


async def test_a_radio_that_stops_working_takes_no_message_and_soon_the_phone_offline(
    home: Home, autojump_clock: trio.testing.MockClock
) -> None:
    del autojump_clock
    home.modem.report(network=True)
    await trio.sleep(1)
    home.modem.report(network=False)
    home.push(1)
    await trio.sleep(20)
    assert home.is_online
    home.modem.report(network=True)
    await until_results(home.world, 1)
    assert len(home.wire.links) == 1

    home.modem.network = False
    home.push(2)
    await trio.sleep(1)
    assert home.world.gateway.acked == {1, 2}
    home.modem.report(network=False)
    home.push(3)
    await trio.sleep(31)
    assert not home.is_online
    await trio.sleep(1000)
    assert home.world.gateway.acked == {1, 2}
    assert len(home.wire.links) == 1
    assert sum("is offline" in one for one in home.world.said) == 1 + 1
    assert not any("no link" in one for one in home.world.said)
    home.modem.report(network=True)
    await until_results(home.world, 3)
    assert home.is_online
    assert home.world.handset.on_air == {1: 1, 2: 1, 3: 1}


async def test_what_there_is_to_report_gets_out_while_the_radio_does_not_work(
    home: Home, autojump_clock: trio.testing.MockClock
) -> None:
    del autojump_clock
    home.world.gateway.orders = [1]
    assert home.device.received(ReceivedSms(id="m", address="+2", body="mail", date=1))
    await trio.sleep(10)
    assert home.world.gateway.inbound == ["m"]
    assert not home.device.journal.ledger.has_news
    await trio.sleep(1000)
    assert not home.is_online
    assert len(home.wire.links) == 1
    assert not home.world.gateway.acked
    assert len(home.world.said) == 2  # That it is offline, and that it is connected.
    home.modem.report(network=True)
    await until_results(home.world, 1)
    assert home.world.handset.on_air == {1: 1}

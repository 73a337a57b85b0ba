"""Which phone is which, and that no message reaches another than its own.

The model knows what the gateway can't: which physical phone is behind a connection.
"""

from collections import defaultdict
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phonegate.config.settings import Settings
from phonegate.domain.phone_delivery import PhoneDelivery
from phonegate.domain.sending import Outgoing, SendOutcome
from phonegate.phones.identity import Identification
from phonegate.store.tables import Tables
from tests.captured_logs import capture_logs
from tests.domain.callers import owner
from tests.patience import PATIENCE_S

from .conftest import Start
from .link.test_websocket import ends, frame, raw, until
from .site import HASTY, NUMBER, OTHER, PATIENT, SECRET, Phone, Site
from .test_session import SECOND, TEXT, Gate, bodies, with_delivery

# --- an absent phone's messages and numbers stay its own


async def test_another_phone_gets_neither_the_messages_nor_the_row_of_an_absent_one(
    start: Start,
) -> None:
    site = await start(HASTY)
    async with site.phone() as first:
        await first.sims(NUMBER)
        await site.until_fed()
        (result,) = (await site.send("from the first", sim_selector=NUMBER)).results
        assert await bodies(first, 1) == ["from the first"]
    async with site.phone() as second:
        await second.sims(SECOND)
        await site.send("from the second", sim_selector=SECOND)
        assert await bodies(second, 1) == ["from the second"]
        known = await site.database.read(lambda tx: tx.phones.known_sims(1))
        assert {sim.number for sim in known} == {NUMBER, SECOND}
        assert (await site.send("waits", sim_selector=NUMBER)).results[0].status == "queued"
    async with site.phone() as first:
        await first.say("sims", sims=[{"slot": 0, "number": NUMBER}])
        assert set(await bodies(first, 2)) == {"from the first", "waits"}
    assert (await site.message(result.id)).attempts == 2


async def test_a_phone_that_tells_no_number_is_not_one_that_did(start: Start) -> None:
    site = await start(HASTY)
    async with site.phone() as first:
        await first.sims(NUMBER)
        await site.send("any", "slot")
        await bodies(first, 2)
    for sims in ([], [{"slot": 0, "number": None}], None):
        async with site.phone() as second:
            if sims is not None:
                await second.say("sims", sims=sims)
            await site.send("new")
            assert await bodies(second, 1) == ["new"]
            await second.say("send_result", id=(await site.messages())[-1].id, success=True)
            assert await second.settled() == []


async def test_a_phone_without_number_is_not_taken_over_by_one_with_a_new_one(
    start: Start,
) -> None:
    site = await start(PATIENT)
    async with site.phone() as first:
        await first.sims(None)
        await site.until_fed()
        (result,) = (await site.send("hi", sim_selector="0")).results
        assert await bodies(first, 1) == ["hi"]
    row = (await site.message(result.id)).phone
    async with site.phone() as second:
        await second.sims(SECOND)
        assert site.stations()[0].online.phone != row
    async with site.phone() as first:
        await first.sims(None)
        # The link of the second may be ending still.
        assert site.stations()[-1].online.phone == row


async def test_a_number_that_is_told_late_still_finds_its_phone(start: Start) -> None:
    site = await start(HASTY)
    async with site.phone() as phone:
        await phone.sims(NUMBER)
        await site.until_fed()
        await site.send("hi", sim_selector=NUMBER)
        assert await bodies(phone, 1) == ["hi"]
        row = site.stations()[0].online.phone
    async with site.phone() as phone:
        # The phone is starting: its SIM can't be read yet.
        await phone.sims()
        await phone.sims(None)
        assert site.stations()[0].online.phone != row
        await phone.say("sims", sims=[{"slot": 0, "number": NUMBER}])
        assert await bodies(phone, 1) == ["hi"]
        assert site.stations()[0].online.phone == row


async def test_a_message_for_a_number_waits_while_its_phone_has_another_sim(start: Start) -> None:
    site = await start(HASTY)
    async with site.phone(device_id="a") as phone:
        await phone.sims(NUMBER)
        await site.until_fed()
        await site.send("by number", sim_selector=NUMBER)
        await site.send("by slot", sim_selector="0")
        await bodies(phone, 2)
    async with site.phone(device_id="a") as phone:
        await phone.say("sims", sims=[{"slot": 0, "number": SECOND}])
        push = await phone.get()
        # The slot is still there. It may come before it is known that another SIM is in it.
        assert (push["body"], push["sim_slot"]) == ("by slot", 0)
        await phone.say("send_result", id=push["id"], success=True)
        assert await phone.settled() == []
        await phone.say("sims", sims=[{"slot": 0, "number": SECOND}, {"slot": 1, "number": NUMBER}])
        push = await phone.get()
        assert (push["body"], push["sim"], push["sim_slot"]) == ("by number", NUMBER, 1)


async def test_a_new_app_on_the_same_phone_takes_its_number_and_not_what_was_pushed(
    start: Start,
) -> None:
    site = await start(HASTY)
    async with site.phone() as old:
        await old.sims(NUMBER)
        await site.until_fed()
        (pushed,) = (await site.send("pushed", sim_selector=NUMBER)).results
        await bodies(old, 1)
    await site.until_online(0)
    (waiting,) = (await site.send("waiting", sim_selector=NUMBER)).results
    async with site.phone(device_id="new") as new:
        await new.say("sims", sims=[{"slot": 0, "number": NUMBER}])
        push = await new.get()
        assert push["id"] == waiting.id
        assert await new.settled() == []
    recalled = await site.withdrawal.cancel(owner(await site.org()), pushed.id)
    # A phone of the simple protocol may have sent it without a word.
    assert recalled.status == "uncertain"
    assert "may have sent it" in (recalled.error or "")


async def test_what_an_absent_phone_never_acknowledged_can_be_cancelled(start: Start) -> None:
    site = await start(HASTY)
    async with site.phone(device_id="a") as phone:
        await phone.hello("ack")
        await phone.sims(NUMBER)
        await site.until_fed()
        acked, open_ = (await site.send("acked", "open")).results
        await bodies(phone, 2)
        await phone.say("ack", id=acked.id)
        await phone.settled()
    await site.until_online(0)
    org = await site.org()
    assert (await site.withdrawal.cancel(owner(org), open_.id)).status == "cancelled"
    async with site.phone(device_id="a") as phone:
        await phone.hello("ack")
        await phone.sims(NUMBER)
        # It had sent it after all: its ack was lost with the link.
        await phone.say("send_result", id=open_.id, success=True)
        assert await phone.settled() == []
    assert (await site.message(open_.id)).status == "sent"


async def test_a_moved_sim_is_where_it_was_told_last(start: Start) -> None:
    site = await start(attrs.evolve(PATIENT, delivery=with_delivery(window=2)))
    async with site.phone(device_id="old") as old, site.phone(device_id="new") as new:
        await old.sims(NUMBER)
        await new.sims(f"{NUMBER[:2]} {NUMBER[2:]}")
        await site.until_fed()
        await site.send("1", "2", "3", sim_selector=NUMBER)
        assert await bodies(new, 2) == ["1", "2"]
        assert await old.settled() == []
        live = [sim for phone in site.switchboard.online(await site.org()) for sim in phone.sims]
        assert len(live) == 1
        await old.say("sims", sims=[{"slot": 0, "number": NUMBER}])
        assert await bodies(old, 1) == ["3"]


async def test_a_message_that_a_dead_link_swallowed_reaches_its_phone_on_the_new_one(
    start: Start,
) -> None:
    site = await start(HASTY)
    sims = b'{"type":"sims","sims":[{"slot":0,"number":null}]}'
    async with raw(site) as old:
        await old.send_all(frame(sims) + frame(b'{"type":"ping"}'))
        await until(old, b"pong")
        async with site.phone() as new:
            await new.sims(None)
            await site.until_fed()
            (result,) = (await site.send("hi")).results
            await until(old, b"send_sms")
            (dead,) = [
                one
                for one in site.stations()
                if one.online.phone == site.stations()[0].online.phone
            ]
            dead.drop()
            push = await new.get()
            assert push["id"] == result.id
            await new.say("send_result", id=result.id, success=True)
            assert await new.settled() == []
    await ends(site)
    assert (await site.message(result.id)).status == "sent"


async def test_of_two_phones_at_once_neither_gets_what_the_others_link_swallowed(
    start: Start,
) -> None:
    site = await start(HASTY)
    async with site.phone() as two:
        await two.sims(None)
        row = site.stations()[0].online.phone
    async with site.phone() as one, site.phone() as two:
        await one.sims(None)
        await two.sims(None)
        await site.until_fed()
        (result,) = (await site.send("hi")).results
        push = await one.get()
        # It is heard after the other has begun.
        await one.settled()
        await one.socket.aclose()
        await site.until_online(1)
        assert await two.settled() == []
        assert push["id"] == result.id
        assert (await site.message(result.id)).phone == row


async def test_what_is_being_stored_while_a_phone_is_recognised_still_reaches_it(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = await start(HASTY)
    async with site.phone() as phone:
        await phone.sims(NUMBER)
        row = site.stations()[0].online.phone
    await site.until_online(0)
    gate = Gate(site, monkeypatch)
    async with site.phone() as phone, trio.open_nursery() as nursery:
        assert await phone.settled() == []
        await site.until_fed()
        gate.shut()
        nursery.start_soon(site.send, "hi")
        await gate.held.wait()
        await phone.sims(NUMBER)
        assert site.stations()[0].online.phone == row
        gate.open.set()
        push = await phone.get()
        assert push["body"] == "hi"
        assert (await site.message(push["id"])).phone == row


# --- nothing is pushed while it is open which phone it is


@pytest.mark.parametrize("device_id", [None, "late"])
async def test_a_link_that_dies_before_its_phone_is_recognised_leaves_nothing_stuck(
    site: Site, device_id: str | None
) -> None:
    async with site.phone(device_id=device_id) as phone:
        await phone.sims(NUMBER)
    await site.until_online(0)
    (result,) = (await site.send("hi")).results
    async with site.phone() as phone:
        assert await phone.settled() == []
        (later,) = (await site.send("later")).results
        assert await phone.settled() == []
    await site.until_online(0)
    assert (await site.message(result.id)).status == "queued"
    async with site.phone() as phone:
        if device_id is not None:
            await phone.hello("ack", device_id=device_id)
        await phone.say("sims", sims=[{"slot": 0, "number": NUMBER}])
        assert [(await phone.get())["id"] for _ in range(2)] == [result.id, later.id]
        assert await phone.settled() == []


def end_grace(site: Site) -> None:
    """Ends the grace of the phone that came last."""
    session = site.sessions()[-1]
    session.station.state._grace_until = trio.current_time()
    session.tick()


async def test_a_phone_that_never_tells_who_it_is_is_served_after_the_grace(site: Site) -> None:
    async with site.phone() as known:
        await known.sims(NUMBER)
    await site.until_online(0)
    await site.send("hi")
    async with site.phone() as phone:
        assert await phone.settled() == []
        end_grace(site)
        assert await bodies(phone, 1) == ["hi"]
        await site.until_fed()
        await site.send("at once")
        assert await bodies(phone, 1) == ["at once"]


async def test_a_new_phone_among_known_ones_is_served_when_it_tells_its_name(site: Site) -> None:
    async with site.phone() as known:
        await known.sims(NUMBER)
    await site.until_online(0)
    await site.send("hi")
    async with site.phone() as phone:
        assert await phone.settled() == []
        await phone.hello(device_id="b")
        assert await bodies(phone, 1) == ["hi"]


async def test_the_only_phone_is_served_at_once_though_it_never_tells_who_it_is(site: Site) -> None:
    for body in ("first", "second"):
        async with site.phone() as phone:
            await site.send(body)
            push = await phone.get()
            assert push["body"] == body
            await phone.say("send_result", id=push["id"], success=True)
            assert await phone.settled() == []
        await site.until_online(0)


# --- a phone that reports its SIMs before its name


async def rows_of(site: Site) -> list[str | None]:
    """The names of the org's phones."""
    org = await site.org()

    def read(tx: Tables) -> list[str | None]:
        found = (tx.phones.get(row) for row in range(1, 50))
        return [row.device_id for row in found if row is not None and row.org == org]

    return await site.database.read(read)


@pytest.mark.parametrize("grace_s", [0.0, 60.0])
async def test_sims_before_hello_leave_no_row_behind_at_each_return(
    start: Start, grace_s: float
) -> None:
    site = await start(attrs.evolve(PATIENT, delivery=with_delivery(late_result_grace_s=grace_s)))
    async with site.phone() as phone:
        await phone.hello("ack", device_id="a")
        await phone.sims(NUMBER)
    for _ in range(5):
        await site.until_online(0)
        (result,) = (await site.send("by number", sim_selector=NUMBER)).results
        async with site.phone() as phone:
            if grace_s == 0.0:
                with trio.fail_after(PATIENCE_S):
                    while not site.stations()[0].state.grace_over:  # noqa: ASYNC110 - it tells nobody
                        await trio.sleep(0.002)
            await phone.say("sims", sims=[{"slot": 0, "number": NUMBER}])
            await phone.hello("ack", device_id="a")
            assert (await phone.get())["id"] == result.id
            await phone.say("send_result", id=result.id, success=True)
            assert await phone.settled() == []
    await site.until_online(0)
    # A row stays where a message was being leased under it just then.
    assert len(await rows_of(site)) <= 3


async def test_what_is_asked_of_a_named_phones_number_waits_for_its_name(site: Site) -> None:
    async with site.phone(device_id="a") as phone:
        await phone.hello("ack")
        await phone.sims(NUMBER)
    await site.until_online(0)
    (result,) = (await site.send("by number", sim_selector=NUMBER)).results
    async with site.phone() as phone:
        await phone.sims(NUMBER)
        assert site.stations()[0].online.sims == ()
    await site.until_online(0)
    assert (await site.message(result.id)).status == "queued"
    async with site.phone() as phone:
        await phone.say("sims", sims=[{"slot": 0, "number": NUMBER}])
        await phone.hello("ack", device_id="a")
        assert (await phone.get())["id"] == result.id
        assert [sim.number for sim in site.stations()[0].online.sims] == [NUMBER]


@pytest.mark.parametrize("hello", [True, False])
async def test_a_phone_without_a_name_gets_the_number_of_a_named_one(
    site: Site, *, hello: bool
) -> None:
    async with site.phone(device_id="a") as phone:
        await phone.sims(NUMBER)
        row = site.stations()[0].online.phone
    await site.until_online(0)
    async with site.phone() as phone:
        await phone.say("sims", sims=[{"slot": 0, "number": NUMBER}])
        if hello:
            await phone.hello()
        else:
            assert await phone.settled() == []
            end_grace(site)
        await site.send("by number", sim_selector=NUMBER)
        assert await bodies(phone, 1) == ["by number"]
        assert site.stations()[0].online.phone != row


async def test_a_number_that_goes_to_and_fro_leaves_no_rows_behind(site: Site) -> None:
    for _ in range(5):
        async with site.phone(device_id="a") as phone:
            await phone.sims(NUMBER)
        await site.until_online(0)
        async with site.phone() as phone:
            await phone.hello()
            await phone.sims(NUMBER)
        await site.until_online(0)
    assert len(await rows_of(site)) == 2


# --- received SMS of phones that have yet to be recognised


async def test_two_phones_keep_the_same_sms_though_they_report_it_before_their_sims(
    site: Site,
) -> None:
    for number in (NUMBER, SECOND):
        async with site.phone() as phone:
            await phone.sims(number)
        await site.until_online(0)
    for number in (NUMBER, SECOND):
        async with site.phone() as phone:
            await phone.say("inbound", message=TEXT)
            await phone.sims(number)
        await site.until_online(0)
    assert len(await site.messages(direction="in")) == 2


@pytest.mark.parametrize("recognised", [False, True])
async def test_an_unrecognised_phone_repeats_an_sms_over_its_link(
    site: Site, *, recognised: bool
) -> None:
    async with site.phone() as phone:
        await phone.sims(NUMBER)
    await site.until_online(0)
    async with site.phone() as phone:
        await phone.say("inbound", message=TEXT)
        if recognised:
            await phone.sims(NUMBER)
        await phone.say("inbound", message=TEXT)
        await phone.settled()
    assert len(await site.messages(direction="in")) == 1


async def test_the_only_phone_repeats_an_sms_over_another_link(site: Site) -> None:
    for _ in range(2):
        async with site.phone() as phone:
            await phone.say("inbound", message=TEXT)
            await phone.settled()
        await site.until_online(0)
    assert len(await site.messages(direction="in")) == 1


# --- any order of everything


@attrs.define(eq=False)
class Device:
    """A physical phone, and its present link."""

    name: str | None
    sims: list[str | None]
    told: list[str | None] | None = None
    """What it has reported over the present link."""
    named: bool = False
    """Whether it has told its name over the present link."""
    phone: Phone | None = None
    stop: trio.Event = attrs.field(factory=trio.Event)
    gone: trio.Event = attrs.field(factory=trio.Event)

    @property
    def numbers(self) -> set[str]:
        return {number for number in self.told or () if number is not None}

    @property
    def is_apart(self) -> bool:
        return self.named or bool(self.numbers)


@attrs.define
class World:
    """The gateway, some devices, and what each of them was given."""

    site: Site
    nursery: trio.Nursery
    org: str
    devices: list[Device]
    sim_selectors: dict[int, str] = attrs.field(factory=dict)
    given: dict[int, list[tuple[Device, bool, set[str]]]] = attrs.field(
        factory=lambda: defaultdict(list)
    )
    """Who was given a message; whether that one could be told from others; and its numbers."""
    numbers: int = 0

    def new_number(self) -> str:
        self.numbers += 1
        return f"+1555000{self.numbers:04}"

    async def _link(self, device: Device, *, task_status: Any) -> None:
        id_ = device.name if device.name and not device.name.startswith("late") else None
        async with self.site.phone(org_id=self.org, device_id=id_) as phone:
            task_status.started(phone)
            await device.stop.wait()
        device.gone.set()

    async def connect(self, device: Device) -> None:
        if device.phone is None:
            device.stop, device.gone, device.told = trio.Event(), trio.Event(), None
            device.named = (device.name or "").startswith("named")

            async def link(*, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
                await self._link(device, task_status=task_status)

            device.phone = await self.nursery.start(link)

    async def hear(self, device: Device, before: Device | None = None) -> None:
        """Takes all that has come; no device ever answers.

        What comes while a report is on its way may have left `before` that was taken in.
        """
        if device.phone is not None:
            numbers = device.numbers | (before.numbers if before else set())
            apart = device.is_apart and (before is None or before.is_apart)
            for heard in await device.phone.settled():
                if heard["type"] == "send_sms":
                    self.given[heard["id"]].append((device, apart, numbers))

    async def disconnect(self, device: Device) -> None:
        if device.phone is not None:
            await self.hear(device)
            device.stop.set()
            await device.gone.wait()
            device.phone = None
            row = await self._org()
            with trio.fail_after(PATIENCE_S):
                while len(self.site.switchboard.online(row)) > self.online():  # noqa: ASYNC110 - it tells nobody
                    await trio.sleep(0.002)

    def online(self) -> int:
        return sum(device.phone is not None for device in self.devices)

    async def report(self, device: Device) -> None:
        if device.phone is not None:
            await self.hear(device)
            before = attrs.evolve(device)
            device.told = list(device.sims)
            sims = [{"slot": slot, "number": number} for slot, number in enumerate(device.sims)]
            await device.phone.say("sims", sims=sims)
            await self.hear(device, before)

    async def greet(self, device: Device) -> None:
        if device.phone is not None and device.name is not None:
            await self.hear(device)
            before = attrs.evolve(device)
            await device.phone.hello("ack", device_id=device.name)
            device.named = True
            await self.hear(device, before)

    async def swap(self, device: Device) -> None:
        device.sims = [self.new_number()]

    async def number(self, device: Device) -> None:
        if device.phone is not None and device.numbers:
            await self.send(min(device.numbers))

    async def any(self, _: Device) -> None:
        await self.send("")

    async def slot(self, device: Device) -> None:
        if device.phone is not None and device.told is not None:
            await self.send("0")

    async def come_back(self) -> None:
        """All phones leave and return: each is known, with its own number, and nothing moves."""
        for device in self.devices:
            await self.disconnect(device)
        for device in self.devices:
            await self.connect(device)
            await self.report(device)
        for device in self.devices:
            await self.hear(device)
        self.check()
        row = await self._org()
        sims = await self.site.database.read(lambda tx: tx.phones.known_sims(row))
        held = {number for device in self.devices for number in device.sims if number}
        assert held <= {sim.number for sim in sims}
        for device in self.devices:
            await self.disconnect(device)

    async def send(self, sim_selector: str) -> None:
        row = await self._org()
        outcome: SendOutcome = await self.site.sending.send(
            owner(row), [Outgoing(to=OTHER, body="x", sim_selector=sim_selector)]
        )
        self.sim_selectors[outcome.results[0].id] = sim_selector

    async def _org(self) -> int:
        found = await self.site.database.read(lambda tx: tx.orgs.get(self.org))
        assert found is not None
        return found.id

    def check(self) -> None:
        for message, pushes in self.given.items():
            sim_selector = self.sim_selectors[message]
            if len(sim_selector) > 2:
                for *_, numbers in pushes:
                    assert sim_selector in numbers, "it left by another phone than that of its SIM"
            # Phones that told neither a name nor a number can't be told from each other.
            before: dict[int, bool] = {}
            for device, apart, _ in pushes:
                if id(device) not in before:
                    assert not (before and apart), "a known phone was given another's message"
                    assert not any(before.values()), "a known phone's message was given to another"
                before.setdefault(id(device), apart)


KINDS = st.lists(
    st.tuples(st.sampled_from([None, None, None, "named", "late"]), st.booleans()),
    min_size=2,
    max_size=3,
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["connect", "connect", "report", "report", "disconnect", "greet", "swap", "number",
             "number", "any", "slot"]
        ),
        st.integers(0, 2),
    ),
    min_size=4,
    max_size=14,
)  # fmt: skip


async def live(site: Site, org: str, kinds: list[Any], steps: list[tuple[str, int]]) -> None:
    async with trio.open_nursery() as nursery:
        devices = [
            Device(None if kind is None else f"{kind}-{at}", [])
            for at, (kind, _) in enumerate(kinds)
        ]
        world = World(site, nursery, org, devices)
        for device, (_, tells) in zip(devices, kinds, strict=True):
            device.sims = [world.new_number() if tells else None]
        await world.site.accounts.authentication.authenticate(
            SECRET, org_name=org, address="127.0.0.1", scope="manage", create=True
        )
        for act, at in steps:
            await getattr(world, act)(devices[at % len(devices)])
            for device in devices:
                await world.hear(device)
            world.check()
        await world.come_back()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("settled", "examples"), [(HASTY, 40), (PATIENT, 15)])
async def test_no_order_of_events_gives_a_phone_what_is_anothers(
    start: Start, settled: Settings, examples: int
) -> None:
    site = await start(settled)
    token = trio.lowlevel.current_trio_token()
    count = 0

    def check_all() -> None:
        @settings(
            max_examples=examples,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        @given(kinds=KINDS, steps=STEPS)
        def check(kinds: list[Any], steps: list[tuple[str, int]]) -> None:
            nonlocal count
            count += 1
            trio.from_thread.run(live, site, f"org-{count}", kinds, steps, trio_token=token)

        check()

    await trio.to_thread.run_sync(check_all)


# --- a phone to which nothing is owed


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the looks that are taken for phones, as they are taken."""
    taken: list[str] = []
    for name in ("waiting", "resume"):
        look = getattr(PhoneDelivery, name)

        async def noted(*args: Any, name: str = name, look: Any = look, **how: Any) -> Any:
            taken.append(name)
            return await look(*args, **how)

        monkeypatch.setattr(PhoneDelivery, name, noted)
    return taken


@pytest.mark.parametrize("features", [[], ["ack"]])
async def test_nothing_is_looked_for_where_nothing_waits_and_nothing_was_left_open(
    start: Start, looks: list[str], features: list[str]
) -> None:
    site = await start(PATIENT)
    for _ in range(2):
        async with site.phone(device_id="a") as phone:
            await phone.hello(*features)
            await phone.sims(NUMBER)
            await site.until_fed()
            assert looks == []
            # The message that it is given over this link is not one that was left open.
            push = (await site.send("hi", sim_selector=NUMBER)).results[0]
            assert await bodies(phone, 1) == ["hi"]
            await phone.sims(NUMBER, OTHER)
            await phone.say("send_result", id=push.id, success=True)
            assert await phone.settled() == []
            assert looks == []
        await site.until_online(0)


async def test_a_fault_in_taking_sims_plainly_leaves_them_to_the_general_way(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Identification, "_have_sims", faulty)
    site = await start(PATIENT)
    with capture_logs() as logs:
        async with site.phone(device_id="a") as phone:
            await phone.sims(NUMBER)
            assert await phone.settled() == []
            await site.send("hi", sim_selector=NUMBER)
            assert await bodies(phone, 1) == ["hi"]
    assert "answer_failed" in [line["event"] for line in logs]


async def test_what_was_queued_while_the_sims_were_stored_is_looked_for(
    start: Start, monkeypatch: pytest.MonkeyPatch, looks: list[str]
) -> None:
    site = await start(HASTY)
    gate = Gate(site, monkeypatch, committed=True)
    async with site.phone(device_id="a") as phone:
        await site.until_fed()
        gate.shut()
        await phone.say("sims", sims=[{"slot": 0, "number": NUMBER}])
        await gate.held.wait()
        # It is not known yet that this phone has the SIM, so that nothing wakes it.
        (result,) = (await site.send("hi", sim_selector=NUMBER)).results
        assert result.status == "queued"
        gate.open.set()
        assert await bodies(phone, 1) == ["hi"]
        assert "waiting" in looks


async def test_what_was_queued_while_a_phone_was_let_in_is_looked_for(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = await start(PATIENT)
    async with site.phone(device_id="a"):
        await site.until_online(1)
    await site.until_online(0)
    await site.attendance.write()
    gate = Gate(site, monkeypatch, committed=True)
    gate.shut()
    async with trio.open_nursery() as nursery:

        async def connect() -> None:
            async with site.phone(device_id="a") as phone:
                assert await bodies(phone, 1) == ["hi"]

        nursery.start_soon(connect)
        await gate.held.wait()
        assert (await site.send("hi")).results[0].status == "queued"
        gate.open.set()


async def test_a_phone_whose_earlier_link_was_ending_still_is_looked_after(
    site: Site, monkeypatch: pytest.MonkeyPatch, looks: list[str]
) -> None:
    async with site.phone(device_id="a") as old:
        await old.sims(NUMBER)
        await site.until_fed()
        gate = Gate(site, monkeypatch)
        gate.shut()
        await old.say("delivery_report", id=1, delivered=True)
        await gate.held.wait()
        async with site.phone(device_id="a") as new:
            await new.sims(NUMBER)
            gate.open.set()
            session = site.sessions()[-1]
            await site.switchboard.predecessors_ended(session.station)
            assert looks == []
            session.station.state._grace_until = trio.current_time()
            session.tick()
            await new.settled()
            assert looks == ["resume", "waiting"]


async def test_what_an_earlier_link_left_open_is_pushed_again(
    start: Start, looks: list[str]
) -> None:
    site = await start(HASTY)
    async with site.phone(device_id="a") as phone:
        await phone.sims(NUMBER)
        await site.until_fed()
        await site.send("hi", sim_selector=NUMBER)
        assert await bodies(phone, 1) == ["hi"]
    async with site.phone(device_id="a") as phone:
        await phone.say("sims", sims=[{"slot": 0, "number": NUMBER}])
        assert await bodies(phone, 1) == ["hi"]
        assert "resume" in looks


async def test_named_phones_of_an_org_are_identified_side_by_side(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = await start(PATIENT)
    async with (
        site.phone(device_id="a") as first,
        site.phone(device_id="b") as second,
        site.phone(device_id="c") as third,
    ):
        await site.until_online(3)
        await site.attendance.write()
        gate = Gate(site, monkeypatch)
        gate.shut()
        await first.say("sims", sims=[{"slot": 0, "number": NUMBER}])
        await gate.held.wait()
        # The disk is slow for the first, and the second has nothing to do with it.
        await second.sims(OTHER)
        # The third has: which of them has the number is for the order of their reports to say.
        await third.say("sims", sims=[{"slot": 0, "number": NUMBER}])
        await trio.testing.wait_all_tasks_blocked(0.01)
        online = site.switchboard.online(await site.org())
        assert [[sim.number for sim in phone.sims] for phone in online] == [[], [OTHER], []]
        gate.open.set()
        assert await third.settled() == []
        online = site.switchboard.online(await site.org())
        assert [[sim.number for sim in phone.sims] for phone in online] == [[], [OTHER], [NUMBER]]

"""The switchboard by itself, with stations that only note what they are told."""

from collections.abc import Sequence
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from phonegate.domain.dispatch import Dispatcher, OnlinePhone
from phonegate.domain.forecast import Outlook
from phonegate.domain.managed_phones import Signs
from phonegate.domain.pacing import Bucket, PacingRate
from phonegate.model.facts import Suspended
from phonegate.model.messages import Message, Pushed, Queue
from phonegate.model.phones import Sim
from phonegate.phones import switchboard
from phonegate.phones.close_codes import POLICY_VIOLATION, REPLACED
from phonegate.phones.switchboard import Switchboard
from phonegate.phones.switchboard_station import Station
from tests.domain.messages import message
from tests.patience import PATIENCE_S

OUTLOOK = Outlook(bucket=Bucket(0, 0), rate=PacingRate(5), now=0)


@attrs.define(eq=False)
class Fake:
    """A station of no socket."""

    online: OnlinePhone
    org: int = 1
    ended: trio.Event = attrs.field(factory=trio.Event)
    room: int = 1
    began: float = 0.0
    heard_at: float = 0.0
    signs: Signs = attrs.field(factory=lambda: Signs(heard_s=0.0))
    told: list[Any] = attrs.field(factory=list)

    def reserve(self, sim: Sim | None, segments: int) -> bool:
        self.room -= segments
        return self.room >= 0

    def reserve_all(self, sim: Sim | None, segments: Sequence[int]) -> bool:
        return self.reserve(sim, sum(segments))

    def release(self, sim: Sim | None, segments: int) -> None:
        self.room += segments

    def push(self, message: Message) -> None:
        self.told.append(message.id)

    def push_new(self, message_id: int, message: Pushed) -> None:
        self.told.append(message_id)

    def outlook(self, sim: Sim | None) -> Outlook | None:
        return OUTLOOK

    @property
    def identified(self) -> bool:
        return True

    @property
    def anonymous(self) -> bool:
        return self.online.device_id is None and not self.online.sims

    def inherit(self, phone: int) -> None:
        self.told.append(("inherits", phone))

    def adopt(self, message: Message) -> None:
        self.told.append(("adopts", message.id))

    def serves(self, queue: Queue) -> bool:
        return queue.phone in {None, self.online.phone} and queue.sim_selector in {
            s.number for s in self.online.sims
        }

    def wake(self) -> None:
        self.told.append("wake")

    def ask_cancel(self, message: int) -> bool:
        return True

    def give_up(self, message: int) -> None:
        self.told.append(("gave up", message))

    def close(self, code: int, reason: str) -> None:
        self.told.append(code)

    def drop(self) -> None:
        self.told.append("drop")
        self.ended.set()


def fake(phone: int, *numbers: str, **changes: Any) -> Fake:
    sims = tuple(Sim(slot=slot, number=number) for slot, number in enumerate(numbers))
    return Fake(OnlinePhone(phone=phone, device_id=None, name=None, sims=sims), **changes)


@pytest.fixture
def board() -> Switchboard:
    return Switchboard()


async def test_it_is_a_dispatcher(board: Switchboard) -> None:
    dispatcher: Dispatcher = board
    station: Station = fake(1)
    assert dispatcher.online(1) == ()
    assert not dispatcher.reserve(1, None, 1)
    assert not dispatcher.ask_cancel(1, 5)
    dispatcher.release(1, None, 1)
    dispatcher.push(1, message(5))
    dispatcher.given_up(1, 1, 5)
    dispatcher.wake(1)
    board.join(station)
    assert dispatcher.online(1) == (station.online,)
    assert dispatcher.ask_cancel(1, 5)


async def test_order_is_that_of_connection(board: Switchboard) -> None:
    stations = [fake(phone) for phone in (3, 1, 2)]
    for station in stations:
        board.join(station)
    assert [phone.phone for phone in board.online(1)] == [3, 1, 2]
    assert board.is_first(stations[0])
    board.leave(stations[0])
    assert stations[1].told == ["wake"]
    assert stations[2].told == []
    assert board.is_first(stations[1])
    assert [phone.phone for phone in board.online(1)] == [1, 2]
    board.leave(stations[0])
    assert sorted(board.online_phones()) == [1, 2]


async def test_a_place_is_the_phones_to_give(board: Switchboard) -> None:
    station = fake(1, room=3)
    board.join(station)
    assert [board.reserve(1, None, segments) for segments in (2, 1, 1)] == [True, True, False]
    board.release(1, None, 1)
    assert station.room == 0


async def test_the_same_phone_replaces_itself(board: Switchboard) -> None:
    old, new = fake(1), fake(1)
    board.join(old)
    board.join(new)
    assert old.told == [REPLACED]
    assert board.online(1) == (new.online,)
    board.push(1, message(5))
    assert new.told == ["wake", 5]
    # What the old one had to say is awaited.
    with trio.move_on_after(0) as scope:
        await board.predecessors_ended(new)
    assert scope.cancelled_caught
    old.ended.set()
    await board.predecessors_ended(new)
    board.done(old)
    board.leave(old)
    assert board.at(1) is new


async def test_only_older_holders_of_a_number_are_replaced(board: Switchboard) -> None:
    older, self_, newer = fake(1, "+1555"), fake(2, "+1555"), fake(3, "+1555")
    for station in (older, self_, newer):
        board.join(station)
    board.replace(self_, ["+1555"])
    assert REPLACED in older.told
    assert newer.told == []
    assert [phone.phone for phone in board.online(1)] == [2, 3]


async def test_rename_keeps_the_order(board: Switchboard) -> None:
    one, two = fake(1), fake(2)
    board.join(one)
    board.join(two)
    board.rename(one, attrs.evolve(one.online, phone=7))
    assert [phone.phone for phone in board.online(1)] == [7, 2]
    assert one.told == two.told == []
    board.rename(one, attrs.evolve(one.online, phone=2))
    assert two.told == [REPLACED]
    assert board.at(2) is one


async def test_claims(board: Switchboard) -> None:
    me, you = object(), object()
    assert board.claim(1, me)
    assert board.claim(1, me)
    assert not board.claim(1, you)
    board.unclaim(me)
    assert board.claim(1, you)
    station = fake(1)
    board.join(station)
    assert not board.claim(1, you)
    board.leave(station)
    assert board.claim(1, me)


async def test_wake_reaches_those_who_serve(board: Switchboard) -> None:
    one, two, other = fake(1, "+1555"), fake(2, "+1666"), fake(3, "+1555", org=2)
    for station in (one, two, other):
        board.join(station)
    board.wake(1, [Queue(None, "+1666"), Queue(2, "+1555")])
    assert (one.told, two.told, other.told) == ([], ["wake"], [])
    board.wake(1, [Queue(None, "+1555"), Queue(1, "+1666")])
    assert (one.told, two.told, other.told) == (["wake"], ["wake"], [])
    board.wake(1)
    assert (one.told, two.told, other.told) == (["wake"] * 2, ["wake"] * 2, [])


async def test_it_is_known_whether_an_org_was_woken_since(
    board: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switchboard, "MOST_WOKEN", 3)
    before = {org: board.last_woken(org) for org in range(9)}
    for org in (1, 2, 1, 3, 4):
        board.wake(org, [])
        assert board.last_woken(org) != before[org]
        before[org] = board.last_woken(org)
    # Those that were forgotten meanwhile look once too often.
    assert board.last_woken(1) != before[1]
    assert board.last_woken(4) == before[4]
    assert len(board._woken) <= 3


async def test_a_connection_is_alone_once_earlier_ones_have_ended(board: Switchboard) -> None:
    old, new = fake(1), fake(1)
    assert not board.is_alone(old)
    board.join(old)
    assert board.is_alone(old)
    board.join(new)
    assert not board.is_alone(old)
    assert not board.is_alone(new)
    board.done(old)
    assert board.is_alone(new)
    board.leave(new)
    assert not board.is_alone(new)


async def test_a_row_is_vacant_once_all_that_came_over_its_connections_is_recorded(
    board: Switchboard,
) -> None:
    station, claimant = fake(1), object()
    board.claim(1, claimant)
    assert not board.is_vacant(1)
    board.unclaim(claimant)
    assert board.is_vacant(1)
    board.join(station)
    board.leave(station)
    assert not board.is_vacant(1)
    # Its tasks may still be ending.
    station.ended.set()
    assert board.is_vacant(1)
    board.done(station)
    assert board.is_vacant(1)


async def test_the_outlook_is_that_of_the_phone(board: Switchboard) -> None:
    board.join(fake(1))
    assert board.outlook(1, None) is OUTLOOK
    assert board.outlook(3, None) is None


async def test_a_number_is_held_by_the_phone_that_told_it_last(board: Switchboard) -> None:
    old, new, other = fake(1, "+1555", "+1666"), fake(2, "+1555"), fake(3, "+1555", org=2)
    for station in (old, new, other):
        board.join(station)
    board.take(new, {"+1555"})
    assert [[sim.number for sim in phone.sims] for phone in board.online(1)] == [
        ["+1666"],
        ["+1555"],
    ]
    assert board.numbers_online(1) == {"+1555", "+1666"}
    assert len(other.online.sims) == 1
    assert REPLACED not in old.told


class Looked(Fake):
    """A station that notes each time that it is looked at."""

    looks = 0

    def __getattribute__(self, name: str) -> Any:
        if name == "online":
            Looked.looks += 1
        return super().__getattribute__(name)


async def test_a_report_of_sims_looks_at_none_but_those_that_hold_its_numbers(
    board: Switchboard,
) -> None:
    stations = [Looked(fake(phone, f"+1555{phone}").online) for phone in range(500)]
    for station in stations:
        board.join(station)
    before = Looked.looks
    board.replace(stations[250], {"+155510", "+1555499"})
    board.take(stations[250], {"+155511", "+1555250"})
    board.rename(stations[250], attrs.evolve(stations[250].online, name="a"))
    held = board.numbers_online(1)
    assert Looked.looks - before < 50
    assert stations[10].told == [REPLACED]
    assert stations[499].told == []
    assert stations[11].online.sims == ()
    assert len(held) == 498


STEP = st.tuples(
    st.sampled_from(["join", "leave", "report", "move"]),
    st.integers(0, 3),
    st.sets(st.sampled_from(["+1555", "+1666", "+1777"])),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(STEP, max_size=20))
def test_the_numbers_that_are_held_are_those_of_the_stations(
    steps: list[tuple[str, int, set[str]]],
) -> None:
    board = Switchboard()
    stations = [fake(phone, "+1555") for phone in range(4)]
    joined: set[int] = set()
    for step, at, numbers in steps:
        station = stations[at]
        if step == "join" and at not in joined:
            joined.add(at)
            board.join(station)
        elif step == "leave":
            board.leave(station)
        elif step == "report" and at in joined:
            board.replace(station, numbers)
            sims = tuple(Sim(slot=n, number=number) for n, number in enumerate(numbers))
            board.rename(station, attrs.evolve(station.online, sims=sims))
            board.take(station, numbers)
        elif step == "move" and at in joined:
            board.rename(station, attrs.evolve(station.online, phone=station.online.phone + 10))
        assert set(board.numbers_online(1)) == {
            s.form for phone in board.online(1) for s in phone.sims
        }
    for station in stations:
        board.leave(station)
    assert not board._numbers._by_org


@pytest.mark.parametrize(
    ("began", "heard_at", "numbers", "inherits"),
    [
        (2.0, 1.0, (), True),
        # It was heard after the other began: they are two phones.
        (2.0, 3.0, (), False),
        (2.0, 1.0, ("+1555",), False),
    ],
)
async def test_a_silent_links_phone_is_the_one_that_came_since(
    board: Switchboard,
    began: float,
    heard_at: float,
    numbers: tuple[str, ...],
    inherits: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    old, new = fake(1, heard_at=heard_at), fake(2, *numbers, began=began)
    board.join(old)
    board.join(new)
    board.leave(old)
    board.done(old)
    assert (("inherits", 1) in new.told) == inherits


async def test_of_two_that_came_since_neither_is_taken_for_it(board: Switchboard) -> None:
    old, one, two = fake(1), fake(2, began=2.0), fake(3, began=3.0)
    for station in (old, one, two):
        board.join(station)
    board.leave(old)
    board.done(old)
    assert one.told == ["wake"]
    assert two.told == []


async def test_a_message_stored_under_a_row_that_the_phone_left_still_reaches_it(
    board: Switchboard,
) -> None:
    station = fake(1)
    board.join(station)
    board.rename(station, attrs.evolve(station.online, phone=2))
    board.push(1, message(5))
    assert station.told == [("adopts", 5)]
    board.leave(station)
    board.done(station)
    board.push(1, message(6))
    assert station.told == [("adopts", 5)]


async def test_close_all_reaches_all_and_drops_the_slow(
    board: Switchboard, autojump_clock: MockClock
) -> None:
    quick, slow, late = fake(1), fake(2), fake(3)
    board.join(quick)
    board.join(slow)
    async with trio.open_nursery() as nursery:

        async def end(station: Fake) -> None:
            await station.ended.wait()
            board.done(station)

        for station in (quick, slow, late):
            nursery.start_soon(end, station)
        quick.ended.set()
        late.ended.set()
        await board.close_all(1012, "restart", goodbye_s=2)
        assert quick.told == [1012]
        # Nor was it asked to send in place of the one that went before it.
        assert slow.told == [1012, "drop"]
        board.join(late)
        assert late.told == [1012]
    assert board.online(1) == ()


async def test_drop_org_is_for_one_org(board: Switchboard) -> None:
    mine, others = fake(1), fake(2, org=2)
    board.join(mine)
    board.join(others)
    board.drop_org(1)
    assert mine.told == [1008]
    assert others.told == []
    assert board.online(1) == ()


async def test_the_phones_of_a_suspended_org_are_to_come_again(
    board: Switchboard, nursery: trio.Nursery
) -> None:
    mine, others = fake(1), fake(2, org=2)
    board.join(mine)
    board.join(others)
    board.note([Suspended(1)])
    assert (mine.told, others.told) == ([1012], [])
    left = trio.Event()

    async def wait() -> None:
        await board.org_left(1)
        left.set()

    nursery.start_soon(wait)
    await trio.testing.wait_all_tasks_blocked()
    assert not left.is_set(), "what it has sent is not recorded yet"
    mine.ended.set()
    board.done(mine)
    with trio.fail_after(PATIENCE_S):
        await left.wait()


def unknown(phone: int, *slots: int) -> Fake:
    """A phone that does not know its numbers."""
    return Fake(
        OnlinePhone(
            phone=phone, device_id="d", name=None, sims=tuple(Sim(slot=slot) for slot in slots)
        )
    )


def numbers(station: Fake) -> list[str | None]:
    return [sim.number for sim in station.online.sims]


async def test_owners_give_numbers_to_connected_phones(board: Switchboard) -> None:
    station, other = unknown(1, 0, 1), fake(2, "+9")
    for one in (station, other):
        board.join(one)
    named = Sim(slot=1, number="+1", given=True)
    board.give_numbers(1, [Sim(slot=0, number="+2"), named])
    assert numbers(station) == [None, "+1"]  # what it reports itself is not given
    assert station.told == ["wake"]
    assert board.online(1)[0].sims[1] == named
    assert set(board.numbers_online(1)) == {"+1", "+9"}
    # A phone that reports the number has it, and is not this phone come back.
    board.replace(other, ["+1"])
    board.rename(other, attrs.evolve(other.online, sims=(Sim(slot=0, number="+1"),)))
    board.take(other, {"+1"})
    assert (numbers(station), numbers(other)) == ([None, None], ["+1"])
    assert REPLACED not in station.told
    board.give_numbers(1, [Sim(slot=0), named])
    board.give_numbers(1, [Sim(slot=0), Sim(slot=1)])
    assert numbers(station) == [None, None]
    # One that knows its number keeps it, and an absent phone is none to tell.
    board.give_numbers(2, [Sim(slot=0, number="+5", given=True)])
    board.give_numbers(3, [named])
    assert numbers(other) == ["+1"]


async def test_an_expelled_phone_is_sent_away_whenever_it_comes(
    board: Switchboard, nursery: trio.Nursery
) -> None:
    station, other, late = fake(1), fake(2), fake(1)
    for one in (station, other):
        board.join(one)
    done = trio.Event()

    async def expel() -> None:
        await board.expel(1)
        done.set()

    nursery.start_soon(expel)
    await trio.testing.wait_all_tasks_blocked()
    assert station.told == [POLICY_VIOLATION]
    assert not done.is_set()
    station.ended.set()
    board.done(station)
    await done.wait()
    # One that began before its row went, and one that turns out to be it.
    board.join(late)
    board.rename(other, attrs.evolve(other.online, phone=1))
    assert late.told == other.told[-1:] == [POLICY_VIOLATION]
    assert board.online(1) == ()
    board.readmit(1)
    again = fake(1)
    board.join(again)
    assert again.told == []
    assert board.signs(1) == Signs(heard_s=0.0)
    assert board.signs(2) is None

"""How far the inbox was read, over everything that its owner may delete."""

import re

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from phonegate.phone.radios.radio import SimCard
from phonegate.phone.radios.termux.handset import PAGE, Handset
from phonegate.phone.radios.termux.inbox import KEPT, Read
from phonegate.phone.radios.termux.inbox_reader import InboxReader
from phonegate.phone.radios.termux.sims import Sims
from phonegate.phone.radios.termux.sms_list import Box, Mark, Order, Row
from tests.phone.radios.termux.fakes import FakeDesk


def row(number: int, body: str, date: int = 0) -> Row:
    return Row(id=number, box="inbox", address="+1", body=body, date=date)


class Table(Handset):
    """An inbox as Android keeps it: the next `_id` is one above the highest that is left."""

    def __init__(self) -> None:
        super().__init__()
        self.rows_: list[Row] = []

    def receive(self, body: str, date: int) -> None:
        number = max((one.id for one in self.rows_), default=0) + 1
        self.rows_.append(row(number, body, date))

    async def rows(
        self, box: Box, *, order: Order, where: str = "", limit: int = PAGE, offset: int = 0
    ) -> list[Row]:
        at_least = re.fullmatch(r"_id >= (\d+)|_id > 0|", where)
        assert at_least is not None, where
        found = [one for one in self.rows_ if one.id >= int(at_least[1] or 0)]
        found.sort(key=lambda one: one.id, reverse=order == "DESC")
        return found[offset : offset + limit]


class Inbox(RuleBasedStateMachine):
    """An owner who receives, deletes, and starts the program again, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.desk = Table(), FakeDesk()
        self.now, self.texts = 1_700_000_000_000, 0
        self.expected: dict[str, bool] = {}
        for _ in range(30):
            self.receive(1, 0)
        self.start()
        self.expected.clear()
        trio.run(self.reader.begin)

    def start(self) -> None:
        sims = Sims(cards=(SimCard(slot=0),), by_slot=False)
        self.reader = InboxReader(self.table, self.desk, sims)

    @rule(count=st.sampled_from([1, 2, 3, 60]), seconds=st.integers(0, 2))
    def receive(self, count: int, seconds: int) -> None:
        for _ in range(count):
            self.texts += 1
            self.now += seconds * 1000
            self.table.receive(f"text {self.texts}", self.now)
            self.expected[f"text {self.texts}"] = True

    @rule(count=st.integers(1, 40))
    def delete_newest(self, count: int) -> None:
        self.delete(self.table.rows_[-count:])

    @rule(data=st.data())
    def delete_any(self, data: st.DataObject) -> None:
        if self.table.rows_:
            self.delete(data.draw(st.lists(st.sampled_from(self.table.rows_), unique=True)))

    @rule()
    def delete_all(self) -> None:
        self.delete(self.table.rows_)

    def delete(self, rows: list[Row]) -> None:
        gone = {one.body for one in rows}
        self.table.rows_ = [one for one in self.table.rows_ if one.body not in gone]
        # What was deleted before anybody saw it can't be reported.
        self.expected = {body: True for body in self.expected if body not in gone}

    @rule()
    def restart(self) -> None:
        self.start()

    @rule(room=st.integers(0, 3))
    def look_with_little_room(self, room: int) -> None:
        self.desk.room = len(self.desk.sms) + room
        trio.run(self.reader.look)
        self.desk.room = float("inf")
        self.expected = {one: True for one in self.expected if one not in self.desk.bodies}

    @precondition(lambda self: self.expected)
    @rule()
    def look(self) -> None:
        for _ in range(2):
            trio.run(self.reader.look)
        missed = self.expected.keys() - set(self.desk.bodies)
        assert missed == set()
        self.expected.clear()

    @invariant()
    def nothing_is_there_twice(self) -> None:
        assert len(set(self.desk.bodies)) == len(self.desk.bodies)


TestInbox = Inbox.TestCase
TestInbox.settings = settings(max_examples=40, stateful_step_count=25)


def test_a_mere_number_would_miss_the_text_that_takes_a_deleted_ones_place() -> None:
    known = Read.of([row(1, "a"), row(2, "b")])
    taken = [row(1, "a"), row(2, "c")]
    assert known.next == "_id >= 2"
    assert not known.holds(taken[1:])
    assert known.again == "_id >= 1"
    assert known.new(taken) == taken[1:]


def test_no_more_than_the_newest_are_remembered() -> None:
    known = Read.of([row(number, "x") for number in range(100)])
    assert len(known.seen) == KEPT
    assert known.seen[-1].id == 99
    assert len(known.encode()) < 40 * KEPT


MARKS = st.builds(
    Mark, id=st.integers(0), date=st.integers(0), print=st.text("0123456789abcdef", min_size=1)
)


@given(st.lists(MARKS, unique_by=lambda mark: mark.id))
def test_what_is_written_down_is_read_again(marks: list[Mark]) -> None:
    assert Read.decode(Read(marks).encode()) == Read(marks)


@pytest.mark.parametrize("line", ["x", "1-2", "1-x-ab", "-1-2-ab"])
def test_a_line_of_something_else(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Read.decode(line)


def test_where_all_that_was_read_is_gone_number_or_date_shows_what_is_new() -> None:
    known = Read.of([row(10, "a", 5000), row(11, "b", 6000)])
    old, same_second, clock_set_back = row(3, "c", 5999), row(4, "d", 6000), row(10, "e", 0)
    assert known.later([old, same_second, clock_set_back]) == [same_second, clock_set_back]
    assert Read().later([old]) == [old]

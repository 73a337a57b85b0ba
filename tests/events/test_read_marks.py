"""Read marks reach those who may know of them, in bounded memory."""

import pytest
import trio

from phonegate.events.read_marks import MOST_WAITING, ReadMarks
from phonegate.model.facts import ConversationRead
from tests.domain.callers import limited, owner
from tests.patience import PATIENCE_S

ANN, BEN = "+15550000001", "+15550000002"


def mark(address: str | None, upto: int = 1, org: int = 1) -> ConversationRead:
    return ConversationRead(org=org, address=address, upto=upto)


async def test_marks_of_the_own_org_come_and_the_last_of_each() -> None:
    marks = ReadMarks()
    with marks.follow(owner(1)) as mine:
        marks.note([mark(ANN, 1), mark(BEN, 2), mark(ANN, 3), mark(ANN, 9, org=2)])
        with trio.fail_after(PATIENCE_S):
            assert await mine.take() == [mark(ANN, 3), mark(BEN, 2)]
        with trio.move_on_after(0):
            pytest.fail(str(await mine.take()))
    marks.note([mark(ANN)])


async def test_a_key_hears_of_those_that_it_sees() -> None:
    marks = ReadMarks()
    reader = limited(1, sees=(ANN,))
    with marks.follow(reader) as mine:
        marks.note([mark(BEN), mark(ANN)])
        with trio.fail_after(PATIENCE_S):
            assert await mine.take() == [mark(ANN)]


async def test_one_who_does_not_read_has_to_read_all_anew() -> None:
    marks = ReadMarks()
    with marks.follow(owner(1)) as mine:
        marks.note([mark(f"+1555{number:07}", number) for number in range(MOST_WAITING + 20)])
        marks.note([mark(None, 7)])
        with trio.fail_after(PATIENCE_S):
            (whole,) = await mine.take()
        assert whole.address is None

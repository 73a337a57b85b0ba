from collections.abc import Callable

import pytest
import trio
import trio.testing

from phonegate.phones.smsgate.event_stream import MOST_WAITING, EventStream
from phonegate.phones.smsgate.smsgate_timings import SmsgateTimings
from tests.patience import PATIENCE_S


class Reader:
    """The far end of a stream."""

    def __init__(self) -> None:
        self.text = ""
        self.left = 0

    async def send(self, piece: bytes) -> None:
        self.text += piece.decode()

    def leave(self) -> None:
        self.left += 1


def stream(reader: Reader, has_new: Callable[[], bool] = lambda: False) -> EventStream:
    return EventStream(SmsgateTimings(), has_new=has_new, left=reader.leave)


async def test_several_messages_ring_once(nursery: trio.Nursery, autojump_clock: object) -> None:
    reader = Reader()
    open_one = stream(reader)
    open_one.ring()
    open_one.ring()
    open_one.say("MessageCancelled", {"messageId": "5"})
    nursery.start_soon(open_one.produce, reader.send)
    await trio.testing.wait_all_tasks_blocked()
    assert reader.text == (
        'event: MessageCancelled\ndata: {"messageId":"5"}\n\nevent: MessageEnqueued\ndata: null\n\n'
    )


async def test_a_silent_stream_shows_that_it_lives(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    reader = Reader()
    nursery.start_soon(stream(reader).produce, reader.send)
    await trio.sleep(31)
    assert reader.text == ":keepalive\n\n" * 2


async def test_what_was_not_fetched_is_rung_for_again(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    reader = Reader()
    nursery.start_soon(stream(reader, lambda: True).produce, reader.send)
    await trio.sleep(16)
    assert reader.text == "event: MessageEnqueued\ndata: null\n\n"


async def test_it_ends_within_ten_minutes(autojump_clock: object) -> None:
    reader, began = Reader(), trio.current_time()
    await stream(reader).produce(reader.send)
    assert 480 <= trio.current_time() - began <= 600
    assert reader.text.endswith(":its time is over\n\n")
    assert reader.left == 1


async def test_it_can_be_ended_and_says_why(nursery: trio.Nursery) -> None:
    reader = Reader()
    open_one = stream(reader)
    open_one.end("replaced by a newer stream")
    with trio.fail_after(PATIENCE_S):
        await open_one.produce(reader.send)
    assert reader.text == ":replaced by a newer stream\n\n"


async def test_one_whose_client_left_counts_as_ended(nursery: trio.Nursery) -> None:
    reader = Reader()
    open_one = stream(reader)

    async def broken(_: bytes) -> None:
        raise trio.BrokenResourceError

    open_one.ring()
    with pytest.raises(trio.BrokenResourceError):
        await open_one.produce(broken)
    assert reader.left == 1


async def test_what_waits_is_bounded() -> None:
    reader = Reader()
    open_one = stream(reader)
    for number in range(MOST_WAITING + 1):
        open_one.say("MessageCancelled", {"messageId": str(number)})
    open_one.end("x")
    with trio.fail_after(PATIENCE_S):
        await open_one.produce(reader.send)
    assert reader.text.count("event:") <= MOST_WAITING

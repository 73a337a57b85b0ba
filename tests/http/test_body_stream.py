from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from phonegate.http.body_stream import BodyStream, SendPiece


class Client:
    """Takes pieces when it is let."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.reads = trio.Event()

    async def send(self, piece: bytes) -> None:
        await self.reads.wait()
        self.taken.append(piece)


class Ends:
    def __init__(self) -> None:
        self.failed: list[bool] = []

    def stream(self, produce: Callable[[SendPiece], Awaitable[None]]) -> BodyStream:
        return BodyStream(produce, self.failed.append)


async def two_pieces(send: SendPiece) -> None:
    await send(b"one")
    await send(b"")
    await send(b"two")


async def test_a_body_is_sent_piece_by_piece_and_no_piece_is_empty() -> None:
    client, ends = Client(), Ends()
    client.reads.set()
    body = ends.stream(two_pieces)
    await body.run(client.send)
    assert client.taken == [b"one", b"two"]
    assert ends.failed == []
    body.close()
    assert ends.failed == [False]


async def test_an_end_waits_for_the_piece_that_is_being_sent(nursery: trio.Nursery) -> None:
    client, ends = Client(), Ends()
    body = ends.stream(two_pieces)
    nursery.start_soon(body.run, client.send)
    await trio.testing.wait_all_tasks_blocked()
    body.end()
    await trio.testing.wait_all_tasks_blocked()
    client.reads.set()
    await trio.testing.wait_all_tasks_blocked()
    assert client.taken == [b"one"]


async def test_an_end_cancels_a_producer_that_sends_nothing() -> None:
    cancelled = trio.Event()

    async def silent(_: SendPiece) -> None:
        try:
            await trio.sleep_forever()
        finally:
            cancelled.set()

    body = Ends().stream(silent)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(body.run, Client().send)
        await trio.testing.wait_all_tasks_blocked()
        body.end()
    assert cancelled.is_set()


async def test_one_that_was_ended_before_sends_nothing() -> None:
    client = Client()
    client.reads.set()
    body = Ends().stream(two_pieces)
    body.end()
    await body.run(client.send)
    assert client.taken == []


async def test_tasks_of_a_producer_send_one_after_the_other(nursery: trio.Nursery) -> None:
    busy = 0
    taken: list[bytes] = []

    async def produce(send: SendPiece) -> None:
        async with trio.open_nursery() as tasks:
            for number in range(5):
                tasks.start_soon(send, b"%d" % number)

    async def send(piece: bytes) -> None:
        nonlocal busy
        busy += 1
        assert busy == 1
        await trio.testing.wait_all_tasks_blocked()
        busy -= 1
        taken.append(piece)
        if len(taken) == 3:
            body.end()

    body = Ends().stream(produce)
    await body.run(send)
    assert len(taken) == 3


async def test_what_the_producer_raises_is_raised_and_told_at_the_close() -> None:
    async def fail(_: SendPiece) -> None:
        await trio.lowlevel.checkpoint()
        raise ValueError

    ends = Ends()
    body = ends.stream(fail)
    with pytest.raises(ValueError):  # noqa: PT011 - it has no text
        await body.run(Client().send)
    body.close()
    assert ends.failed == [True]

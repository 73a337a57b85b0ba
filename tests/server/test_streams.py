import pytest
import trio
import trio.testing

from phonegate.server.streams import Connection, Replay
from tests.patience import PATIENCE_S


async def test_what_was_read_comes_again_then_what_follows() -> None:
    near, far = trio.testing.memory_stream_pair()
    replay = Replay(near, b"rest")
    await far.send_all(b"more")
    with pytest.raises(ValueError, match="max_bytes"):
        await replay.receive_some(0)
    assert await replay.receive_some(3) == b"res"
    assert await replay.receive_some(100) == b"t"
    assert await replay.receive_some() == b"more"
    await replay.send_all(b"answer")
    assert await far.receive_some() == b"answer"
    with pytest.raises(ValueError, match="max_bytes"):
        await replay.receive_some(0)


async def test_closing_wakes_who_waits_and_nothing_comes_again() -> None:
    near, far = trio.testing.memory_stream_pair()
    replay = Replay(near, b"")

    async def receive() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await replay.receive_some()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        await trio.testing.wait_all_tasks_blocked()
        await replay.aclose()
    unread = Replay(far, b"rest")
    await unread.aclose()
    with pytest.raises(trio.ClosedResourceError):
        await unread.receive_some()


async def test_a_deadline_of_the_caller_holds() -> None:
    near, _ = trio.testing.lockstep_stream_pair()
    with trio.move_on_after(0.01) as scope:
        await Replay(near, b"rest").send_all(b"never read")
    assert scope.cancelled_caught


async def test_receiving_again_is_a_checkpoint() -> None:
    near, _ = trio.testing.memory_stream_pair()
    with trio.testing.assert_checkpoints():
        await Replay(near, b"rest").receive_some()


async def test_the_connection_is_used_as_it_is_once_all_is_given() -> None:
    near, far = trio.socket.socketpair()
    connection = Connection(near, peer_timeout_s=5.0)
    replay = Replay(connection, b"rest")
    assert replay.bare is None
    await replay.receive_some()
    assert replay.bare is connection
    assert Replay(trio.testing.memory_stream_pair()[0], b"").bare is None
    far.close()
    await connection.aclose()


async def test_what_is_sent_at_once_is_what_the_kernel_took() -> None:
    near, far = trio.socket.socketpair()
    connection = Connection(near, peer_timeout_s=5.0)
    taken = 0
    while count := connection.send_now(b"x" * 10_000):
        taken += count
    with trio.fail_after(PATIENCE_S):
        while taken:
            taken -= len(await far.recv(100_000))
        far.close()
    with pytest.raises(trio.BrokenResourceError):
        connection.send_now(b"x")
    await connection.aclose()


async def test_what_comes_next_may_be_the_end() -> None:
    near, far = trio.socket.socketpair()
    connection = Connection(near, peer_timeout_s=5.0)
    with trio.fail_after(PATIENCE_S):
        await far.send(b"abc")
        connection.hang_up()
        assert await connection.receive_next(2) == b"ab"
        assert await connection.receive_next(2) == b"c"
        assert await connection.receive_next(2) == b""
    far.close()
    await connection.aclose()


async def test_what_has_come_already_is_received_at_once() -> None:
    near, far = trio.socket.socketpair()
    connection = Connection(near, peer_timeout_s=5.0)
    assert connection.receive_now(10) == b""
    await far.send(b"abc")
    assert connection.receive_now(2) == b"ab"
    far.close()
    assert (connection.receive_now(10), connection.receive_now(10)) == (b"c", b"")
    await connection.aclose()
    assert connection.receive_now(10) == b""

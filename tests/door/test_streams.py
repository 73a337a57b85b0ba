import pytest
import trio
import trio.testing

from phonegate.door.streams import Replay


async def test_what_was_read_comes_again_then_what_follows() -> None:
    near, far = trio.testing.memory_stream_pair()
    replay = Replay(near, b"head", b"", b"rest")
    await far.send_all(b"more")
    assert await replay.receive_some(100) == b"head"
    assert await replay.receive_some(3) == b"res"
    assert await replay.receive_some() == b"t"
    assert await replay.receive_some() == b"more"
    await replay.send_all(b"answer")
    assert await far.receive_some() == b"answer"
    with pytest.raises(ValueError, match="max_bytes"):
        await Replay(near, b"head").receive_some(0)


async def test_nothing_comes_again_after_the_close() -> None:
    near, far = trio.testing.memory_stream_pair()
    replay = Replay(near, b"head")
    await replay.aclose()
    with pytest.raises(trio.ClosedResourceError):
        await replay.receive_some()
    assert await far.receive_some() == b""


async def test_a_deadline_of_the_caller_holds() -> None:
    near, _ = trio.testing.lockstep_stream_pair()
    with trio.move_on_after(0.01) as scope:
        await Replay(near, b"head").send_all(b"never read")
    assert scope.cancelled_caught


async def test_receiving_again_is_a_checkpoint() -> None:
    near, _ = trio.testing.memory_stream_pair()
    with trio.testing.assert_checkpoints():
        await Replay(near, b"head").receive_some()

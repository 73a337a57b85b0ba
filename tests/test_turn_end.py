"""Work at the end of a turn of the event loop."""

import pytest
import trio

from phonegate.turn_end import at_turn_end


async def test_it_is_done_once_all_tasks_had_their_step_and_before_the_next_turn() -> None:
    done: list[str] = []

    async def step(name: str) -> None:
        at_turn_end(lambda: done.append(f"end of {name}"))
        done.append(name)
        await trio.lowlevel.checkpoint()
        done.append(f"{name} again")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(step, "a")
        nursery.start_soon(step, "b")
    assert set(done[:2]) == {"a", "b"}
    assert set(done[2:4]) == {"end of a", "end of b"}
    assert set(done[4:]) == {"a again", "b again"}


async def test_what_it_asks_for_is_done_in_the_same_turn() -> None:
    done: list[str] = []
    at_turn_end(lambda: at_turn_end(lambda: done.append("second")))
    await trio.lowlevel.checkpoint()
    assert done == ["second"]


async def test_work_that_fails_costs_no_other_work(caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []

    def fail() -> None:
        raise ValueError("this one")

    at_turn_end(fail)
    at_turn_end(lambda: done.append("after it"))
    await trio.lowlevel.checkpoint()
    at_turn_end(lambda: done.append("next turn"))
    await trio.lowlevel.checkpoint()
    assert done == ["after it", "next turn"]
    assert [record.message for record in caplog.records] == ["turn_end_failed"]


def test_where_no_loop_runs_it_is_done_at_once() -> None:
    done: list[str] = []
    at_turn_end(lambda: done.append("now"))
    assert done == ["now"]


async def test_in_a_thread_it_is_done_at_once() -> None:
    done: list[str] = []

    def work() -> list[str]:
        at_turn_end(lambda: done.append("now"))
        return list(done)

    assert await trio.to_thread.run_sync(work) == ["now"]

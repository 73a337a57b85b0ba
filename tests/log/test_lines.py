"""Lines reach the log whole, in order and together, and wait for no reader."""

import io
import json
import os
import threading
from typing import Any

import pytest
import trio

from phonegate import log
from phonegate.log import lines as module
from tests.patience import PATIENCE_S


def test_a_reader_that_stalls_stalls_nobody_and_misses_no_line() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as out, os.fdopen(reading) as reader:
        log.configure("json", stream=out)
        told = threading.Thread(target=tell_many, args=(3_000,), daemon=True)
        told.start()
        told.join(PATIENCE_S)
        assert not told.is_alive()
        lines = [json.loads(reader.readline()) for _ in range(3_000)]
        assert [line["number"] for line in lines] == list(range(3_000))


def test_what_a_pipe_has_room_for_is_counted_in_bytes() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="utf-8") as out, os.fdopen(reading) as reader:
        log.configure("text", stream=out)
        wide = dict.fromkeys("abc", "€" * 1_200)

        def tell() -> None:
            for _ in range(20):
                log.get("x").info("told", **wide)

        told = threading.Thread(target=tell, daemon=True)
        told.start()
        told.join(PATIENCE_S)
        stalled = told.is_alive()
        for _ in range(20):
            reader.readline()
        assert not stalled


def test_without_a_thread_to_write_them_lines_wait_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as out, os.fdopen(reading) as reader:
        log.configure("json", stream=out)
        with monkeypatch.context() as exhausted:
            exhausted.setattr(threading.Thread, "start", fail)
            tell_many(3_000)
        log.get("x").info("told", number=3_000)
        lines = [json.loads(reader.readline()) for _ in range(3_001)]
        assert [line["number"] for line in lines] == list(range(3_001))


def test_what_a_stalled_reader_can_not_be_kept_for_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_ASIDE", 100)
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as out, os.fdopen(reading) as reader:
        log.configure("json", stream=out)
        tell_many(5_000)
        lines: list[Any] = []
        while not lines or lines[-1]["event"] != "lines_lost":
            lines.append(json.loads(reader.readline()))
        kept = len(lines) - 1
        assert lines[-1]["count"] == 5_000 - kept
        numbers = [line["number"] for line in lines[:-1]]
        assert numbers == sorted(set(numbers))
        assert numbers[:100] == list(range(100))


def tell_many(count: int) -> None:
    for number in range(count):
        log.get("x").info("told", number=number, filling="x" * 100)


class Counted(io.StringIO):
    """Counts what is written to it at once."""

    writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)


def numbers(out: io.StringIO) -> list[int]:
    return [json.loads(line)["number"] for line in out.getvalue().splitlines()]


async def test_the_lines_of_a_turn_are_written_at_its_end_at_once() -> None:
    out = Counted()
    written: list[int] = []
    log.configure("json", stream=out)

    async def tell(number: int) -> None:
        log.get("x").info("told", number=number)
        written.append(out.writes)
        await trio.lowlevel.checkpoint()
        written.append(out.writes)
        log.get("x").info("told", number=number + 100)

    async with trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(tell, number)
    await trio.lowlevel.checkpoint()
    assert written == [*[0] * 50, *[1] * 50]
    assert out.writes == 2
    told = numbers(out)
    assert set(told[:50]) == set(range(50))
    assert set(told[50:]) == set(range(100, 150))


async def test_a_thread_writes_its_line_at_once_after_what_was_gathered_before() -> None:
    out = io.StringIO()
    log.configure("json", stream=out)
    log.get("x").info("told", number=0)
    thread = threading.Thread(target=log.get("x").info, args=("told",), kwargs={"number": 1})
    thread.start()
    thread.join()
    assert numbers(out) == [0, 1]
    log.get("x").info("told", number=2)
    await trio.lowlevel.checkpoint()
    assert numbers(out) == [0, 1, 2]


@pytest.mark.parametrize("bound", ["MOST_GATHERED", "MOST_CHARACTERS"])
async def test_no_more_is_gathered_than_may_be(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, bound, 10 if bound == "MOST_GATHERED" else 2_000)
    out = Counted()
    log.configure("json", stream=out)
    for number in range(95):
        log.get("x").info("told", number=number, filling="x" * 70)
    assert 5 <= out.writes <= 10
    await trio.lowlevel.checkpoint()
    assert numbers(out) == list(range(95))


def test_a_loop_that_ended_has_written_all() -> None:
    out = io.StringIO()
    log.configure("json", stream=out)

    async def main() -> None:
        log.get("x").info("told", number=1)

    for _ in range(2):
        trio.run(main)
    assert numbers(out) == [1, 1]


async def test_a_turn_of_many_lines_stalls_nobody_where_the_reader_does() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as out, os.fdopen(reading) as reader:
        log.configure("json", stream=out)
        with trio.fail_after(PATIENCE_S):
            for _ in range(30):
                tell_many(100)
                await trio.lowlevel.checkpoint()
            lines = await trio.to_thread.run_sync(
                lambda: [json.loads(reader.readline()) for _ in range(3_000)]
            )
        assert [line["number"] for line in lines] == [*range(100)] * 30

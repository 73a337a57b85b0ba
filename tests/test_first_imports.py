from pathlib import Path

from tests.first_imports import in_turn

PATHS = [Path(f"test_{number}.py") for number in range(10)]


def test_each_worker_begins_apart_and_imports_all() -> None:
    turns = [in_turn(PATHS, number, 4) for number in range(4)]
    assert [turn[0] for turn in turns] == [PATHS[0], PATHS[2], PATHS[5], PATHS[7]]
    assert all(sorted(turn) == PATHS for turn in turns)


def test_no_files_are_none_in_each_turn() -> None:
    assert in_turn([], 1, 2) == []

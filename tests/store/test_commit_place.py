from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.store import commit_place
from phonegate.store.commit_place import CommitPlace

FLUSH_S: Final = 0.0002
"""A quick one."""


def _noted(place: CommitPlace, flush_s: float, *, count: int = commit_place.SAMPLE) -> CommitPlace:
    for _ in range(count):
        place.note(flush_s, 1, 0.0)
    return place


@pytest.mark.parametrize(("commits", "loop"), [("thread", False), ("loop", True)])
def test_what_the_operator_says_goes(commits: commit_place.Commits, *, loop: bool) -> None:
    place = CommitPlace(commits)
    assert place.is_loop(0.0) is loop
    for flush_s in (FLUSH_S, 1.0):
        assert _noted(place, flush_s).is_loop(0.0) is loop


def test_commits_begin_in_the_thread_and_go_to_the_loop_once_flushes_are_quick() -> None:
    place = CommitPlace("auto")
    assert not place.is_loop(0.0)
    _noted(place, FLUSH_S, count=commit_place.SAMPLE - 1)
    assert not place.is_loop(0.0)
    assert _noted(place, FLUSH_S, count=1).is_loop(0.0)


def test_on_a_slow_disk_they_never_come_to_the_loop() -> None:
    place = CommitPlace("auto")
    for now in range(10_000):
        place.note(0.005, 1, now)
        assert not place.is_loop(now)


def test_one_busy_moment_of_the_loop_does_not_make_a_disk_slow() -> None:
    place = _noted(CommitPlace("auto"), 0.004, count=commit_place.SAMPLE - 1)
    place.note(FLUSH_S, 1, 0.0)
    assert place.is_loop(0.0)


def test_where_most_become_slow_they_leave_the_loop_for_a_minute() -> None:
    place = _noted(CommitPlace("auto"), FLUSH_S)
    assert place.is_loop(0.0)
    _noted(place, FLUSH_S, count=4)
    _noted(place, 0.003, count=4)
    assert place.is_loop(0.0)
    _noted(place, 0.003, count=1)
    assert not _noted(place, FLUSH_S).is_loop(commit_place.REST_S - 1)
    assert place.is_loop(commit_place.REST_S)


def test_what_many_rows_take_is_not_the_disks_fault() -> None:
    place = _noted(CommitPlace("auto"), FLUSH_S)
    assert place.is_loop(0.0)
    for _ in range(20):
        place.note(0.0025, 200, 0.0)
    assert place.is_loop(0.0)


def test_a_slow_commit_in_the_thread_does_not_count_against_the_loop() -> None:
    place = _noted(CommitPlace("auto"), FLUSH_S)
    assert place.is_loop(0.0)
    for _ in range(20):
        place.note(0.1, 1, 0.0, in_thread=True)
    assert place.is_loop(0.0)


@given(st.floats(commit_place.STALL_S * 1.01, 30.0))
def test_single_stalls_take_a_hundredth_of_the_time_at_most(stall_s: float) -> None:
    place = _noted(CommitPlace("auto"), FLUSH_S)
    assert place.is_loop(0.0)
    place.note(stall_s, 1, 0.0)
    rest = min(stall_s / commit_place.STALL_SHARE, commit_place.LONGEST_REST_S)
    assert not _noted(place, FLUSH_S).is_loop(rest * 0.99)
    assert place.is_loop(rest)

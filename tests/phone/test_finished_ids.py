from collections.abc import Sequence
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from phonegate.phone import finished_ids
from phonegate.phone.finished_ids import FinishedIds

ids = st.integers(-50, 400)


@given(added=st.lists(ids), others=st.lists(ids))
def test_what_was_added_is_never_forgotten(added: Sequence[int], others: Sequence[int]) -> None:
    with (
        mock.patch.object(finished_ids, "BLOCK", 8),
        mock.patch.object(finished_ids, "MAX_BLOCKS", 3),
    ):
        finished = FinishedIds()
        for one in added:
            finished.add([one])
        assert all(one in finished for one in added)
        assert len(finished.blocks) <= 3
        again = FinishedIds(finished.floor, finished.blocks)
        for one in others:
            assert (one in again) is (one in finished)
            # Only what is below the floor counts without having been added.
            below = finished.floor is not None and one < finished.floor
            assert (one in finished) is (one in added or below)
        merged = FinishedIds()
        merged.add(others)
        merged.merge(finished.floor, finished.blocks)
        assert all(one in merged for one in (*added, *others))
        assert len(merged.blocks) <= 3
        assert bool(finished) is bool(added)


def test_ascending_ids_with_gaps_need_no_floor_for_years() -> None:
    finished = FinishedIds()
    finished.add(range(1, 3_000_000, 37))
    assert finished.floor is None
    assert 38 in finished
    assert 39 not in finished

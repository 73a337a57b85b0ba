"""Short form of `trials.carriers`."""

import asyncio
import re
from pathlib import Path

import pytest

from kit.fake_carrier.faults import KINDS
from trials import carriers


def test_failing_carriers_and_kill_9_break_no_promise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trial = carriers.Trial(folder=tmp_path, seed=7, rounds=1, seconds=1.5)
    asyncio.run(trial.run())
    told = capsys.readouterr().out
    assert re.search(r"1 kills, 11 of 11 kinds of fault met, .* promises kept", told)


@pytest.mark.parametrize("rounds", [1, 2, 3, 12, 20, 40])
def test_every_fault_has_its_turn_by_itself_where_there_are_rounds(rounds: int) -> None:
    plan = carriers.in_turn(rounds)
    assert len(plan) == rounds
    alone = [kinds for kinds in plan if kinds != KINDS] or plan
    assert {kind for kinds in alone for kind in kinds} == set(KINDS)
    if rounds >= 20:
        assert [len(kinds) for kinds in alone] == [1] * len(KINDS)
        assert plan[-1] == KINDS

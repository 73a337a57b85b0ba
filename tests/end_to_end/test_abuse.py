"""Every kind of abuse in its short form: nothing is measured, only seen that what must hold does.

The long form, which also measures what honest users notice, is `python -m bench.abuse`.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import trio

from bench.abuse import trial
from bench.abuse.__main__ import verdict
from bench.abuse.attacks import KINDS
from bench.abuse.ground import Ground, Lacking
from bench.abuse.kind import Kind, StageName
from bench.abuse.party import Party
from bench.abuse.stages import STAGES
from bench.abuse.trial import Report

SECONDS = 0.3
CALM_S = 0.25
PACE_S = 0.05
DEADLINE_S = 100.0

PATIENT = {
    "zero-window readers",
    "phones that never read",
    "a stopped client process",
    "slow heads",
    "slow bodies",
}
"""Kinds that mostly wait, and so can be had at the same time."""

Outcome = Report | Lacking
Played = dict[StageName, "Future[tuple[dict[str, Outcome], list[str]]]"]


async def attack(ground: Ground, kinds: list[Kind], outcomes: dict[str, Outcome]) -> None:
    """The patient kinds at once, then the others one after another."""

    async def one(kind: Kind) -> None:
        try:
            outcomes[kind.name] = await trial.run(
                kind, ground, seconds=SECONDS, calm_s=CALM_S, measured=False
            )
        except Lacking as lacking:
            outcomes[kind.name] = lacking

    await trial.prepare(ground)
    with trio.fail_after(DEADLINE_S):
        async with trio.open_nursery() as nursery:
            for kind in kinds:
                if kind.name in PATIENT:
                    nursery.start_soon(one, kind)
        for kind in kinds:
            if kind.name not in PATIENT:
                await one(kind)


def play(stage: StageName, folder: Path) -> tuple[dict[str, Outcome], list[str]]:
    """What came of each kind on a stage, and what the honest users found wrong."""
    kinds = [kind for kind in KINDS.values() if kind.stage == stage]
    outcomes: dict[str, Outcome] = {}
    try:
        with STAGES[stage](folder) as ground:
            trio.run(partial(attack, ground, kinds, outcomes))
            return outcomes, verdict(ground)
    except Lacking as lacking:
        return dict.fromkeys((kind.name for kind in kinds), lacking), []


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """All stages at once, since each mostly waits."""
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(len(STAGES)) as pool:
        patch.setattr(Party, "pace_s", PACE_S)
        yield {
            stage: pool.submit(play, stage, tmp_path_factory.mktemp(stage.replace(" ", "-")))
            for stage in STAGES
        }


@pytest.mark.parametrize("name", KINDS)
def test_the_gateway_bears(name: str, played: Played) -> None:
    outcomes, _ = played[KINDS[name].stage].result()
    outcome = outcomes[name]
    if isinstance(outcome, Lacking):
        pytest.skip(f"lacking here: {outcome}")
    assert outcome.faults == ()
    assert outcome.facts


@pytest.mark.parametrize("stage", STAGES)
def test_honest_users_lost_nothing_meanwhile(stage: StageName, played: Played) -> None:
    outcomes, faults = played[stage].result()
    if any(isinstance(outcome, Lacking) for outcome in outcomes.values()):
        pytest.skip("lacking here")
    assert faults == []

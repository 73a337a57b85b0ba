"""Every case of abuse in its short form: nothing is measured, only seen that what must hold does.

The long form, which also measures what honest clients notice, is `python -m trials.abuse`.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import trio

from tests.patience import PATIENCE_S
from trials.abuse import trial
from trials.abuse.__main__ import verdict
from trials.abuse.case import Case, EnvironmentName
from trials.abuse.cases import CASES, documents
from trials.abuse.environments import ENVIRONMENTS
from trials.abuse.honest_process import HonestProcess
from trials.abuse.trial import Report
from trials.abuse.victim import Unavailable, Victim

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

Outcome = Report | Unavailable
Played = dict[EnvironmentName, "Future[tuple[dict[str, Outcome], list[str]]]"]


async def attack(victim: Victim, cases: list[Case], outcomes: dict[str, Outcome]) -> None:
    """The patient cases at once, then the others one after another."""

    async def one(case: Case) -> None:
        try:
            outcomes[case.name] = await trial.run(
                case, victim, seconds=SECONDS, calm_s=CALM_S, measured=False
            )
        except Unavailable as unavailable:
            outcomes[case.name] = unavailable

    await trial.prepare(victim)
    with trio.fail_after(DEADLINE_S):
        async with trio.open_nursery() as nursery:
            for case in cases:
                if case.name in PATIENT:
                    nursery.start_soon(one, case)
        for case in cases:
            if case.name not in PATIENT:
                await one(case)


def play(
    environment: EnvironmentName, folder: Path, only: str | None = None
) -> tuple[dict[str, Outcome], list[str]]:
    """What came of each case on an environment, and what the honest clients found wrong."""
    cases = [case for case in CASES.values() if case.environment == environment]
    cases = [case for case in cases if only in {None, case.name}]
    outcomes: dict[str, Outcome] = {}
    try:
        with ENVIRONMENTS[environment](folder) as victim:
            trio.run(partial(attack, victim, cases, outcomes))
            return outcomes, verdict(victim)
    except Unavailable as unavailable:
        return dict.fromkeys((case.name for case in cases), unavailable), []


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """All stages at once, since each mostly waits."""
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(len(ENVIRONMENTS)) as pool:
        patch.setattr(HonestProcess, "pace_s", PACE_S)
        patch.setattr(documents, "SOON_S", PATIENCE_S)
        yield {
            environment: pool.submit(
                play, environment, tmp_path_factory.mktemp(environment.replace(" ", "-"))
            )
            for environment in ENVIRONMENTS
        }


@pytest.mark.parametrize("name", CASES)
def test_the_gateway_bears(name: str, played: Played, tmp_path: Path) -> None:
    outcomes, _ = played[CASES[name].environment].result()
    outcome = outcomes[name]
    if isinstance(outcome, Report) and outcome.faults:
        # All stages at once, beside other tests, can be more than a machine bears. What is wrong
        # with the gateway is so again, with less beside it.
        for one in played.values():
            one.result()
        outcome = play(CASES[name].environment, tmp_path, only=name)[0][name]
    if isinstance(outcome, Unavailable):
        pytest.skip(f"unavailable here: {outcome}")
    assert outcome.faults == ()
    assert outcome.facts


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_honest_users_lost_nothing_meanwhile(environment: EnvironmentName, played: Played) -> None:
    outcomes, faults = played[environment].result()
    if any(isinstance(outcome, Unavailable) for outcome in outcomes.values()):
        pytest.skip("unavailable here")
    assert faults == []
